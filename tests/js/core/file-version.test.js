import assert from "node:assert/strict";
import { test } from "node:test";
import { contentRange, httpDateSec, isForAll, isOfVersion, versionOf } from "../../../static/js/core/file-version.js";

/** @param {Record<string, string>} headers @returns {import("../../../static/js/core/file-version.js").Header} */
const sent = (headers) => (name) => headers[name] ?? null;
const MODIFIED = "Sun, 06 Nov 1994 08:49:37 GMT";
const MODIFIED_SEC = 784111777;

test("a part says where it is and how large the whole is, if the server knows", () => {
  assert.deepEqual(contentRange(sent({ "content-range": "bytes 0-99/1000" })), { start: 0, end: 100, sizeBytes: 1000 });
  assert.deepEqual(contentRange(sent({ "content-range": "bytes 5-9/*" })), { start: 5, end: 10, sizeBytes: null });
  for (const range of ["bytes */1000", "items 0-1/2", ""]) assert.equal(contentRange(sent({ "content-range": range })), null);
});

test("a strong ETag tells versions apart; a weak one does not, nor a file written within the last minute", () => {
  assert.deepEqual(versionOf(sent({ etag: '"a"', "last-modified": MODIFIED }), 9, 0), {
    sizeBytes: 9,
    etag: '"a"',
    modifiedSec: null,
  });
  const settled = { sizeBytes: 9, etag: null, modifiedSec: MODIFIED_SEC };
  assert.deepEqual(versionOf(sent({ etag: 'W/"a"', "last-modified": MODIFIED }), 9, MODIFIED_SEC + 60), settled);
  assert.equal(versionOf(sent({ "last-modified": MODIFIED }), 9, MODIFIED_SEC + 59), null);
  const dated = { "last-modified": MODIFIED, date: "Sun, 06 Nov 1994 08:50:00 GMT" };
  assert.equal(versionOf(sent(dated), 9, MODIFIED_SEC + 3600), null, "the server's clock counts, not ours");
  assert.equal(versionOf(sent({}), 9, 1e9), null);
});

test("what is one viewer's is not for all", () => {
  assert.ok(isForAll(sent({ "cache-control": "public, max-age=60", vary: "Accept-Encoding, Origin" })));
  for (const headers of /** @type {Record<string, string>[]} */ ([
    { "cache-control": "private, max-age=60" },
    { "cache-control": "no-store" },
    { vary: "Accept, Cookie" },
    { vary: "*" },
    { "content-encoding": "gzip" },
    { "content-type": "multipart/byteranges; boundary=x" },
  ])) {
    assert.ok(!isForAll(sent(headers)), JSON.stringify(headers));
  }
});

test("an answer of another version is known by whatever of it can be seen", () => {
  const version = { sizeBytes: 9, etag: '"a"', modifiedSec: null };
  assert.ok(isOfVersion(version, sent({})), "a page that may see nothing sees no contradiction");
  assert.ok(!isOfVersion(version, sent({ etag: '"b"' })));
  assert.ok(!isOfVersion(version, sent({ "content-range": "bytes 0-1/10", etag: '"a"' })));
  const dated = { sizeBytes: 9, etag: null, modifiedSec: MODIFIED_SEC };
  assert.ok(isOfVersion(dated, sent({ "last-modified": MODIFIED })));
  assert.ok(!isOfVersion(dated, sent({ "last-modified": "Sun, 06 Nov 1994 08:49:38 GMT" })));
});

test("dates are those of HTTP, as Date reads them", () => {
  assert.equal(httpDateSec(MODIFIED), MODIFIED_SEC);
  for (let sec = 0; sec < 4e9; sec += 12_345_679) assert.equal(httpDateSec(new Date(sec * 1000).toUTCString()), sec);
  for (const text of [null, "", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun, 06 Non 1994 08:49:37 GMT"])
    assert.equal(httpDateSec(text), null);
});
