import assert from "node:assert/strict";
import { test } from "node:test";
import {
  canonicalFile,
  canonicalTrack,
  contentId,
  contentName,
  fileTrackId,
  hex,
  initNumber,
  refKey,
  trackId,
  unhex,
} from "../../../static/js/core/identity.js";
import { vectors } from "../vectors.js";

const frozen = vectors("identity");

test("identities are the frozen ones", () => {
  for (const { manifest, name, id } of frozen.contents) {
    assert.equal(contentName(manifest), name);
    assert.equal(contentId(name), id);
  }
  for (const { description, canonical, id } of frozen.tracks) {
    assert.equal(canonicalTrack(description), canonical);
    assert.equal(trackId(description), id);
  }
  for (const { version, canonical, id } of frozen.files) {
    assert.equal(canonicalFile(version), canonical);
    assert.equal(fileTrackId(version), id);
  }
  for (const { url, offset, number } of frozen.inits) assert.equal(initNumber(url, offset), number);
});

test("a content's name does not change with scheme, token or fragment", () => {
  const names = ["https://a.b/c/m.m3u8", "http://a.b/c/m.m3u8?token=1", "https://a.b/c/m.m3u8?token=2#t=4"].map(contentName);
  assert.deepEqual(new Set(names), new Set(["a.b/c/m.m3u8"]));
});

test("a relative manifest URL is an error", () => {
  assert.throws(() => contentName("m.m3u8"), TypeError);
});

test("hex digits come back", () => {
  assert.equal(hex(unhex("00ff10a5")), "00ff10a5");
});

test("references differ in every field", () => {
  const ref = { track: "00".repeat(8), kind: 0, discontinuity: 0, number: 1 };
  const others = [{ track: "01".repeat(8) }, { kind: 1 }, { discontinuity: 1 }, { number: 2 }];
  assert.equal(new Set([ref, ...others.map((change) => ({ ...ref, ...change }))].map(refKey)).size, 5);
});
