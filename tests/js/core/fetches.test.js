import assert from "node:assert/strict";
import { test } from "node:test";
import { PIECE_BYTES } from "../../../static/js/core/constants.js";
import { Fetch } from "../../../static/js/core/download.js";
import { Fetches } from "../../../static/js/core/fetches.js";
import { Outbox } from "../../../static/js/core/outbox.js";
import { Segment } from "../../../static/js/core/segment.js";
import { REFETCH_MIN_BYTES } from "../../../static/js/core/tuning.js";

const PIECES = 20;

/** @param {number[]} held  pieces that neighbours brought */
function underway(held) {
  const segment = new Segment({ track: "08edb3d440f8a257", kind: 0, discontinuity: 0, number: 7 }, PIECES * PIECE_BYTES);
  for (const index of held) segment.put(index, new Uint8Array(PIECE_BYTES), "peer");
  const fetches = new Fetches(new Outbox());
  fetches.firstByteMs.add(1);
  return { segment, fetches, fetch: new Fetch(1, 0, null, 0) };
}

/** @param {number} first @param {number} end  exclusive */
const from = (first, end) => Array.from({ length: end - first }, (_, index) => first + index);

test("a fetch that has only held pieces ahead is overtaken", () => {
  const { segment, fetches, fetch } = underway(from(0, PIECES));
  assert.equal(fetches.overtaken(segment, fetch), true);
});

test("a fetch passes over a few held pieces, and not over many, to what is missing behind them", () => {
  const few = underway(from(0, REFETCH_MIN_BYTES / PIECE_BYTES));
  assert.equal(few.fetches.overtaken(few.segment, few.fetch), false);
  const many = underway(from(0, REFETCH_MIN_BYTES / PIECE_BYTES + 1));
  assert.equal(many.fetches.overtaken(many.segment, many.fetch), true);
});

test("what is missing beyond a fetch's end is not its affair", () => {
  const { segment, fetches } = underway(from(0, 4));
  assert.equal(fetches.overtaken(segment, new Fetch(1, 0, 4, 0)), true);
});
