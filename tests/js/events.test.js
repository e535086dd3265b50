import assert from "node:assert/strict";
import { test } from "node:test";
import { KIND_INIT, KIND_MEDIA } from "../../static/js/core/identity.js";
import { Events, segmentEvent } from "../../static/js/events.js";

const source = {
  ref: { track: "0123456789abcdef", kind: KIND_MEDIA, discontinuity: 0, number: 7 },
  url: "https://cdn.example/7.m4s",
  rangeStart: null,
  rangeEnd: null,
  durationSec: 2,
  expectedBytes: 0,
  live: true,
  type: "video",
};

test("a segment event says where its bytes came from, and why the CDN was asked only where it sent some", () => {
  const told = [0, 40, 100].map((peerBytes) => segmentEvent(source, 100, peerBytes, "late"));
  assert.deepEqual(
    told.map(({ source: from, reason }) => [from, reason]),
    [
      ["cdn", "late"],
      ["both", "late"],
      ["peers", null],
    ],
  );
  assert.deepEqual(told[1], {
    url: source.url,
    sizeBytes: 100,
    peerBytes: 40,
    source: "both",
    reason: "late",
    track: source.ref.track,
    type: "video",
    number: 7,
    init: false,
    durationSec: 2,
  });
  assert.equal(segmentEvent({ ...source, ref: { ...source.ref, kind: KIND_INIT } }, 1, 0, "alone").init, true);
});

test("a listener's error stays its own", () => {
  const events = new Events();
  const heard = /** @type {unknown[]} */ ([]);
  const report = globalThis.reportError;
  globalThis.reportError = (error) => heard.push(error);
  try {
    events.on("state", () => {
      throw new Error("the page's");
    });
    events.on("state", ({ state }) => heard.push(state));
    events.emit("state", { state: "alone" });
  } finally {
    globalThis.reportError = report;
  }
  assert.equal(String(heard[0]), "Error: the page's");
  assert.equal(heard[1], "alone");
});

test("who has left hears nothing more, and who never came may leave", () => {
  const events = new Events();
  const heard = /** @type {string[]} */ ([]);
  const listener = (/** @type {import("../../static/js/surface.js").PeerEvent} */ { state }) => heard.push(state);
  events.off("peer", listener);
  events.on("peer", listener);
  events.emit("peer", { peer: "aa", state: "connected" });
  events.off("peer", listener);
  events.emit("peer", { peer: "aa", state: "closed" });
  assert.deepEqual(heard, ["connected"]);
});
