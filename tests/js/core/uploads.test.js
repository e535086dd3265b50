import assert from "node:assert/strict";
import { test } from "node:test";
import { PIECE_BYTES } from "../../../static/js/core/constants.js";
import { Segment } from "../../../static/js/core/segment.js";
import { CHANNEL_HIGH_WATER_BYTES, UPLOAD_QUEUE_MAX } from "../../../static/js/core/tuning.js";
import { Uploads } from "../../../static/js/core/uploads.js";

const ref = { track: "00".repeat(8), kind: 0, discontinuity: 0, number: 1 };
const segment = new Segment(ref, 100 * PIECE_BYTES);
for (let index = 0; index < 100; index++) segment.put(index, new Uint8Array(PIECE_BYTES), false);
const find = () => segment;

/** @param {number} first @param {number} count */
const run = (first, count) => Array.from({ length: count }, (_, index) => first + index);

/** @param {Uploads} uploads @param {number} nowMs @returns {[neighbour: number, index: number][]} all that may go now */
function drain(uploads, nowMs) {
  /** @type {[number, number][]} */
  const sent = [];
  for (let next = uploads.next(find, nowMs); next; next = uploads.next(find, nowMs)) {
    uploads.sent(next.neighbour, PIECE_BYTES);
    sent.push([next.neighbour, next.index]);
  }
  return sent;
}

test("neighbours take turns, and a channel is never filled beyond its mark", () => {
  const uploads = new Uploads(Number.POSITIVE_INFINITY, 0);
  uploads.opened(1);
  uploads.opened(2);
  uploads.asked(1, ref, run(0, 10));
  uploads.asked(2, ref, run(10, 10));
  const sent = drain(uploads, 0);
  assert.equal(sent.length, (2 * CHANNEL_HIGH_WATER_BYTES) / PIECE_BYTES);
  assert.deepEqual(
    sent.map(([neighbour]) => neighbour),
    sent.map((_, turn) => (turn % 2) + 1),
  );
  uploads.drained(1, 0);
  assert.ok(drain(uploads, 0).every(([neighbour]) => neighbour === 1));
});

test("a sole source sends every piece once before any piece twice", () => {
  const uploads = new Uploads(Number.POSITIVE_INFINITY, 0);
  for (const neighbour of [1, 2, 3]) {
    uploads.opened(neighbour);
    uploads.asked(neighbour, ref, run(0, 6));
  }
  const sent = drain(uploads, 0).map(([, index]) => index);
  assert.equal(new Set(sent).size, sent.length);
});

test("one neighbour's queue is bounded, and what does not fit is named", () => {
  const uploads = new Uploads(Number.POSITIVE_INFINITY, 0);
  uploads.opened(1);
  assert.deepEqual(uploads.asked(1, ref, run(0, UPLOAD_QUEUE_MAX + 2)), [UPLOAD_QUEUE_MAX, UPLOAD_QUEUE_MAX + 1]);
});

test("asking twice sends once, and a cancelled piece is not sent", () => {
  const uploads = new Uploads(Number.POSITIVE_INFINITY, 0);
  uploads.opened(1);
  uploads.asked(1, ref, [0, 1]);
  uploads.asked(1, ref, [0, 1]);
  uploads.cancelled(1, ref, new Set([0]));
  assert.deepEqual(drain(uploads, 0), [[1, 1]]);
});

test("the cap is kept, and the time to go on is said", () => {
  const ratePerMs = PIECE_BYTES / 100; // a piece every 100 ms
  const uploads = new Uploads(ratePerMs, 0);
  uploads.opened(1);
  let sent = 0;
  for (let nowMs = 0; nowMs < 20_000; ) {
    uploads.asked(1, ref, run(0, 60));
    uploads.drained(1, 0);
    sent += drain(uploads, nowMs).length;
    nowMs = uploads.wakeMs ?? nowMs + 10;
  }
  assert.ok(sent <= 200 + 10 + 1, `${sent} pieces in 20 s, 10 of burst`);
  assert.ok(sent >= 190);
});
