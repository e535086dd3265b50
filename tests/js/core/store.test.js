import assert from "node:assert/strict";
import { test } from "node:test";
import { PIECE_BYTES } from "../../../static/js/core/constants.js";
import { Segment } from "../../../static/js/core/segment.js";
import { Store } from "../../../static/js/core/store.js";
import { STORE_FLOOR_BYTES } from "../../../static/js/core/tuning.js";

const piece = new Uint8Array(PIECE_BYTES);

/** @param {number} number @param {number} sizeBytes */
function segment(number, sizeBytes) {
  const made = new Segment({ track: "00".repeat(8), kind: 0, discontinuity: 0, number }, sizeBytes);
  for (let index = 0; index * PIECE_BYTES < sizeBytes; index++)
    made.put(index, piece.subarray(0, sizeBytes - index * PIECE_BYTES), null);
  return made;
}

test("a store stays below its cap and lets the least recently used go", () => {
  const store = new Store(300);
  for (const number of [1, 2, 3]) assert.deepEqual(store.add(segment(number, 100)), []);
  assert.ok(store.use(segment(1, 100).ref));
  const gone = store.add(segment(4, 150)).map((ref) => ref.number);
  assert.deepEqual(gone, [2, 3]);
  assert.equal(store.heldBytes, 250);
  assert.deepEqual(
    [...store.refs()].map((ref) => ref.number),
    [1, 4],
  );
});

test("a segment above the cap is not kept", () => {
  const store = new Store(50);
  assert.equal(store.add(segment(1, 100)).length, 1);
  assert.equal(store.heldBytes, 0);
});

test("the same segment is counted once", () => {
  const store = new Store(300);
  store.add(segment(1, 100));
  store.add(segment(1, 100));
  assert.equal(store.heldBytes, 100);
});

test("of the segments used longest ago, what most neighbours hold goes before what only we have", () => {
  const store = new Store(300, (ref) => (ref.number === 2 ? 3 : 0));
  for (const number of [1, 2, 3]) store.add(segment(number, 100));
  assert.deepEqual(
    store.add(segment(4, 100)).map(({ number }) => number),
    [2],
  );
  assert.deepEqual(
    store.shrink(100).map(({ number }) => number),
    [1, 3],
  );
});

test("the store of a hidden page shrinks to the floor, what was used last stays, and grows again when the page is seen", () => {
  const store = new Store(3 * STORE_FLOOR_BYTES);
  const half = STORE_FLOOR_BYTES / 2;
  for (const number of [1, 2, 3, 4]) store.add(segment(number, half));
  store.use(segment(1, half).ref);
  assert.deepEqual(
    store.visibilityChanged(true).map(({ number }) => number),
    [2, 3],
  );
  assert.deepEqual(
    store.add(segment(5, half)).map(({ number }) => number),
    [4],
  );
  assert.deepEqual(store.visibilityChanged(false), []);
  assert.deepEqual(store.add(segment(6, half)), []);
});

test("a store that memory has run out for lets all go, and holds the floor at most from then on", () => {
  const store = new Store(3 * STORE_FLOOR_BYTES);
  for (const number of [1, 2]) store.add(segment(number, STORE_FLOOR_BYTES));
  assert.equal(store.release().length, 2);
  assert.equal(store.heldBytes, 0);
  store.add(segment(3, STORE_FLOOR_BYTES));
  assert.equal(store.add(segment(4, 1)).length, 1);
});
