import assert from "node:assert/strict";
import { test } from "node:test";
import { headOf, wantedOf } from "../../../static/js/core/file-request.js";

const URL = "https://cdn.example/a.bin";

test("a plain GET wants the whole, a range its part", () => {
  assert.deepEqual(wantedOf(new Request(`${URL}?t=1#x`)), { url: `${URL}?t=1`, start: 0, end: null, isRange: false });
  const ranged = (/** @type {string} */ range) => wantedOf(new Request(URL, { headers: { Range: range } }));
  assert.deepEqual(ranged("bytes=5-9"), { url: URL, start: 5, end: 10, isRange: true });
  assert.deepEqual(ranged("bytes=5-"), { url: URL, start: 5, end: null, isRange: true });
  for (const range of ["bytes=-5", "bytes=0-1,4-5", "bytes=9-5", "items=0-1"]) assert.equal(ranged(range), null, range);
});

test("what is more than a file for all is the browser's own", () => {
  for (const init of /** @type {RequestInit[]} */ ([
    { method: "POST", body: "x" },
    { method: "HEAD" },
    { credentials: "include" },
    { credentials: "omit" },
    { headers: { Authorization: "Bearer x" } },
    { headers: { "X-Anything": "1" } },
    { cache: "reload" },
    { redirect: "manual" },
    { integrity: "sha256-x" },
    { mode: "no-cors" },
  ])) {
    assert.equal(wantedOf(new Request(URL, init)), null, JSON.stringify(init));
  }
  assert.equal(wantedOf(new Request("data:text/plain,x")), null);
});

test("the head is what a server would have sent", () => {
  const whole = { url: URL, start: 0, end: null, isRange: false };
  assert.deepEqual(headOf(whole, 10), {
    status: 200,
    statusText: "OK",
    headers: { "accept-ranges": "bytes", "content-length": "10" },
  });
  const part = headOf({ ...whole, start: 4, end: 99, isRange: true }, 10);
  assert.equal(part.status, 206);
  assert.equal(part.headers["content-range"], "bytes 4-9/10");
  assert.equal(part.headers["content-length"], "6");
});
