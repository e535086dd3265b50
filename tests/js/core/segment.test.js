import assert from "node:assert/strict";
import { test } from "node:test";
import { PIECE_BYTES } from "../../../static/js/core/constants.js";
import { Segment } from "../../../static/js/core/segment.js";

const ref = { track: "00".repeat(8), kind: 0, discontinuity: 0, number: 1 };

/** @param {Segment} segment  complete */
function assembled(segment) {
  const whole = segment.assemble();
  assert.ok(whole);
  return whole;
}

test("pieces make the whole in any order, and each counts once", () => {
  const segment = new Segment(ref, PIECE_BYTES + 3);
  assert.ok(segment.put(1, Uint8Array.of(7, 8, 9), "peer"));
  assert.ok(!segment.put(1, Uint8Array.of(1, 1, 1), "peer"));
  assert.ok(!segment.complete);
  assert.ok(segment.put(0, new Uint8Array(PIECE_BYTES).fill(5), null));
  assert.ok(segment.complete);
  assert.equal(segment.peerBytes, 3);
  const whole = assembled(segment);
  assert.deepEqual([whole[0], ...whole.subarray(PIECE_BYTES)], [5, 7, 8, 9]);
});

test("what is delivered is a copy: a player that takes the buffer away takes nothing from the neighbours", () => {
  const segment = new Segment(ref, 3);
  segment.put(0, Uint8Array.of(1, 2, 3), null);
  structuredClone(assembled(segment).buffer, { transfer: [assembled(segment).buffer] });
  assembled(segment).fill(0);
  assert.deepEqual(segment.piece(0), Uint8Array.of(1, 2, 3));
});

test("a piece of another length than its place asks for is refused", () => {
  assert.ok(!new Segment(ref, 10).put(0, new Uint8Array(9), "peer"));
});

test("a segment that memory has no room for is no error, and stays as it is", () => {
  const segment = new Segment(ref, 3);
  segment.put(0, Uint8Array.of(1, 2, 3), null);
  segment.sizeBytes = 2 ** 53; // more than any browser allocates
  assert.equal(segment.assemble(), null);
  assert.deepEqual(segment.piece(0), Uint8Array.of(1, 2, 3));
});

test("a declared size allocates nothing", () => {
  const before = process.memoryUsage().arrayBuffers;
  const segments = Array.from({ length: 1000 }, () => new Segment(ref, 64 * 2 ** 20));
  assert.ok(process.memoryUsage().arrayBuffers - before < 2 ** 20);
  assert.equal(segments[0]?.pieceCount, 2048);
});
