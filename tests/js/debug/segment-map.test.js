import assert from "node:assert/strict";
import { test } from "node:test";
import { CELLS_MAX, ROWS_MAX, SegmentMap } from "../../../static/js/debug/segment-map.js";

/** @param {Partial<import("../../../static/js/surface.js").SegmentEvent>} what @returns {import("../../../static/js/surface.js").SegmentEvent} */
function event(what) {
  const plain = { url: "u", sizeBytes: 100, peerBytes: 0, track: "t", type: "video", number: 1, init: false, durationSec: 2 };
  return { ...plain, source: "cdn", reason: "alone", ...what };
}

/** @param {SegmentMap} map */
const numbers = (map) => map.rows[0]?.cells.map(({ number }) => number);

test("segments stand by number, whatever order they come in, and the latest of one counts", () => {
  const map = new SegmentMap();
  for (const number of [5, 3, 4]) map.add(event({ number }));
  map.add(event({ number: 4, source: "peers", peerBytes: 100, reason: null }));
  assert.deepEqual(numbers(map), [3, 4, 5]);
  assert.equal(map.rows[0]?.cells[1]?.source, "peers");
  assert.deepEqual([map.rows[0]?.cdn, map.rows[0]?.peers, map.rows[0]?.both], [3, 1, 0]);
});

test("tracks keep their places: pictures first, then sound", () => {
  const map = new SegmentMap();
  map.add(event({ track: "b", type: "audio" }));
  map.add(event({ track: "c", type: "video" }));
  map.add(event({ track: "a", type: "video" }));
  assert.deepEqual(
    map.rows.map(({ track }) => track),
    ["a", "c", "b"],
  );
});

test("init segments are counted as reasons, and have no place in time", () => {
  const map = new SegmentMap();
  map.add(event({ init: true, reason: "urgent" }));
  assert.deepEqual(map.rows, []);
  assert.deepEqual(map.reasons, [{ reason: "urgent", segments: 1, bytes: 100 }]);
});

test("reasons count what the CDN sent, what cost most first", () => {
  const map = new SegmentMap();
  map.add(event({ reason: "late", source: "both", peerBytes: 90 }));
  map.add(event({ reason: "alone", number: 2 }));
  map.add(event({ reason: "late", source: "both", peerBytes: 90, number: 3 }));
  assert.deepEqual(map.reasons, [
    { reason: "alone", segments: 1, bytes: 100 },
    { reason: "late", segments: 2, bytes: 20 },
  ]);
});

test("a page that is open for a day holds no more than its bounds", () => {
  const map = new SegmentMap();
  for (let number = 0; number < CELLS_MAX + 10; number++) map.add(event({ number }));
  assert.equal(numbers(map)?.length, CELLS_MAX);
  assert.equal(numbers(map)?.[0], 10);
  for (let track = 0; track < ROWS_MAX; track++) map.add(event({ track: `other ${track}` }));
  assert.equal(map.rows.length, ROWS_MAX);
  assert.ok(!map.rows.some(({ track }) => track === "t"), "the one longest without news is gone");
});
