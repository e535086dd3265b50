import assert from "node:assert/strict";
import { test } from "node:test";
import { answerHeaders, looksLikeManifest, manifestText, parseRange } from "../../../static/js/core/http-answers.js";

test("an answer is taken for a manifest by its type or name, for none by its type, else only its text can tell", () => {
  assert.equal(looksLikeManifest("https://a.example/x", "application/vnd.apple.mpegurl; charset=utf-8"), true);
  assert.equal(looksLikeManifest("https://a.example/x", "Application/DASH+XML"), true);
  assert.equal(looksLikeManifest("https://a.example/live.m3u8?token=a.b", "text/html"), true);
  assert.equal(looksLikeManifest("https://a.example/x", "text/plain"), null);
  assert.equal(looksLikeManifest("https://a.example/x", null), null);
  assert.equal(looksLikeManifest("https://a.example/x.ts", "video/mp2t"), false);
});

test("a manifest is told by how it begins, as text or as bytes, with a byte order mark and XML's own lines before it", () => {
  const playlist = "#EXTM3U\n#EXT-X-VERSION:3\n";
  assert.equal(manifestText(playlist), playlist);
  assert.equal(manifestText(new TextEncoder().encode(playlist).buffer), playlist);
  assert.ok(manifestText('\ufeff<?xml version="1.0"?>\n<!-- made -->\n<MPD type="static"></MPD>'));
  for (const other of ["<html></html>", "{}", "", null, 5, new Blob([playlist]), "<MPDX>"]) assert.equal(manifestText(other), null);
});

test("what is longer than any manifest is not looked at", () => {
  assert.equal(manifestText(`#EXTM3U\n${" ".repeat(16 << 20)}`), null);
  assert.equal(manifestText(new ArrayBuffer((16 << 20) + 1)), null);
});

test("a range has a first and a last byte; other forms no manifest writes", () => {
  assert.deepEqual(parseRange(null), { rangeStart: null, rangeEnd: null });
  assert.deepEqual(parseRange("bytes=10-19"), { rangeStart: 10, rangeEnd: 20 });
  for (const other of ["bytes=10-", "bytes=-5", "bytes=0-1,3-4", "items=0-1", ""]) assert.equal(parseRange(other), null);
});

test("another origin's answer shows the page no more headers than a CDN without exposed ones would", () => {
  const whole = { rangeStart: null, rangeEnd: null };
  const url = "https://cdn.example/a/seg1.M4S?x=1";
  assert.deepEqual(answerHeaders(url, whole, 7, false), [
    ["content-length", "7"],
    ["content-type", "video/mp4"],
  ]);
  const names = answerHeaders(url, { rangeStart: 5, rangeEnd: 12 }, 7, true);
  assert.deepEqual(names.slice(0, 3), [
    ["accept-ranges", "bytes"],
    ["content-length", "7"],
    ["content-range", "bytes 5-11/*"],
  ]);
});
