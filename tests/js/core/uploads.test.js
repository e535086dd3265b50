import assert from "node:assert/strict";
import { test } from "node:test";
import { PIECE_BYTES } from "../../../static/js/core/constants.js";
import { Segment } from "../../../static/js/core/segment.js";
import { UPLOAD_QUEUE_MAX, UPLOAD_RATIO_GRACE_BYTES } from "../../../static/js/core/tuning.js";
import { Uploads } from "../../../static/js/core/uploads.js";

const ref = { track: "00".repeat(8), kind: 0, discontinuity: 0, number: 1 };
const segment = new Segment(ref, 1000 * PIECE_BYTES);
for (let index = 0; index < 500; index++) segment.put(index, new Uint8Array(PIECE_BYTES), null);

/** Whoever holds the segment above. @type {import("../../../static/js/core/uploads.js").Holdings} */
const holdings = { find: () => segment, copies: () => 0 };

/** @param {{ limitBytesPerMs?: number, ratioMax?: number, holdings?: Partial<typeof holdings> }} [shape] @param {number[]} [neighbours] */
function uploadsOf(
  { limitBytesPerMs = Number.POSITIVE_INFINITY, ratioMax = Number.POSITIVE_INFINITY, ...rest } = {},
  neighbours = [1],
) {
  const uploads = new Uploads(limitBytesPerMs, ratioMax, { ...holdings, ...rest.holdings }, 0);
  for (const neighbour of neighbours) uploads.opened(neighbour);
  return uploads;
}

/** @param {number} first @param {number} count */
const run = (first, count) => Array.from({ length: count }, (_, index) => first + index);

/**
 * Sends over a channel that is empty again at once.
 * @param {Uploads} uploads @param {number} count  at most @param {number} [nowMs] @returns {[neighbour: number, index: number][]}
 */
function send(uploads, count, nowMs = 0) {
  /** @type {[number, number][]} */
  const sent = [];
  for (let next = uploads.next(nowMs); next && sent.length < count; next = uploads.next(nowMs)) {
    sent.push([next.neighbour, next.index]);
    uploads.drained(next.neighbour, 0, nowMs);
  }
  return sent;
}

test("little is handed to channels at once, and more when it has gone", () => {
  const uploads = uploadsOf({}, [1, 2]);
  uploads.asked(1, ref, run(0, 10));
  uploads.asked(2, ref, run(10, 10));
  assert.ok(uploads.next(0));
  assert.equal(uploads.next(0), null);
  assert.ok((uploads.wakeMs ?? Number.POSITIVE_INFINITY) < 50);
  uploads.drained(1, 0, 20);
  assert.ok(uploads.next(20));
});

test("a fast uplink is given more at once", () => {
  const uploads = uploadsOf();
  uploads.asked(1, ref, run(0, 250));
  for (let nowMs = 0; nowMs < 600; nowMs += 2) {
    while (uploads.next(nowMs));
    uploads.drained(1, 0, nowMs + 1);
    uploads.asked(1, ref, run(nowMs % 400, 20));
  }
  assert.ok(uploads.uplinkBytesPerMs > 10_000);
  let handed = 0;
  while (uploads.next(601)) handed++;
  assert.ok(handed > 3, `${handed} pieces`);
});

test("a channel that has stopped moving does not hold up the others", () => {
  const uploads = uploadsOf({}, [1, 2]);
  uploads.asked(1, ref, [0, 1]);
  assert.equal(uploads.next(0)?.neighbour, 1);
  uploads.asked(2, ref, [2]);
  assert.equal(uploads.next(100), null);
  assert.equal(uploads.next(600)?.neighbour, 2);
});

test("a sole source sends every piece once before any piece twice", () => {
  const uploads = uploadsOf({}, [1, 2, 3]);
  for (const neighbour of [1, 2, 3]) uploads.asked(neighbour, ref, run(0, 6));
  const indexes = send(uploads, 6).map(([, index]) => index);
  assert.equal(new Set(indexes).size, 6);
});

test("what no other neighbour has goes before what some have", () => {
  const uploads = uploadsOf({ holdings: { copies: (_key, index) => (index === 5 ? 0 : 2) } });
  uploads.asked(1, ref, run(0, 8));
  assert.deepEqual(send(uploads, 1), [[1, 5]]);
});

test("who passes on more is served more, and who passes on nothing is still served", () => {
  const uploads = uploadsOf({}, [1, 2, 3]);
  uploads.weigh(1, 1000);
  uploads.weigh(2, 250);
  uploads.weigh(3, 0);
  for (const neighbour of [1, 2, 3]) uploads.asked(neighbour, ref, run(neighbour * 100, 100));
  const served = send(uploads, 66).map(([neighbour]) => neighbour);
  const count = (/** @type {number} */ neighbour) => served.filter((one) => one === neighbour).length;
  assert.ok(count(1) > 3 * count(2) && count(2) > 3 * count(3) && count(3) >= 1, `${[1, 2, 3].map(count)}`);
});

test("what is asked for before it has come is sent when it comes; what does not exist is forgotten", () => {
  const coming = new Segment(ref, 2 * PIECE_BYTES);
  const uploads = uploadsOf({ holdings: { find: () => coming } });
  uploads.asked(1, ref, run(0, 5));
  assert.equal(uploads.next(0), null);
  coming.put(1, new Uint8Array(PIECE_BYTES), null);
  assert.deepEqual(send(uploads, 5), [[1, 1]]);
  coming.put(0, new Uint8Array(PIECE_BYTES), null);
  assert.deepEqual(send(uploads, 5), [[1, 0]]);
  assert.deepEqual(uploads.cancelled(1, ref, new Set(run(0, 5))), []);
});

test("one neighbour's queue is bounded, and what does not fit is named", () => {
  const uploads = uploadsOf();
  assert.deepEqual(uploads.asked(1, ref, run(0, UPLOAD_QUEUE_MAX + 2)), [UPLOAD_QUEUE_MAX, UPLOAD_QUEUE_MAX + 1]);
});

test("asking twice sends once; a cancelled piece is not sent, and that is said only of what was waiting", () => {
  const uploads = uploadsOf();
  uploads.asked(1, ref, [0, 1]);
  uploads.asked(1, ref, [0, 1]);
  assert.deepEqual(uploads.cancelled(1, ref, new Set([0, 7])), [0]);
  assert.deepEqual(send(uploads, 5), [[1, 1]]);
});

test("the cap of the rate is kept, and the time to go on is said", () => {
  const uploads = uploadsOf({ limitBytesPerMs: PIECE_BYTES / 100 }); // a piece every 100 ms
  let sent = 0;
  for (let nowMs = 0; nowMs < 20_000; ) {
    uploads.asked(1, ref, run(0, 60));
    sent += send(uploads, 100, nowMs).length;
    nowMs = uploads.wakeMs ?? nowMs + 10;
  }
  assert.ok(sent <= 200 + 10 + 1, `${sent} pieces in 20 s, 10 of burst`);
  assert.ok(sent >= 190);
});

test("beyond the cap of the ratio requests are refused, until more was received", () => {
  const uploads = uploadsOf({ ratioMax: 2 });
  const grace = UPLOAD_RATIO_GRACE_BYTES / PIECE_BYTES;
  for (let sent = 0; sent <= grace; sent++) {
    assert.deepEqual(uploads.asked(1, ref, [sent % 500]), []);
    send(uploads, 1);
  }
  assert.deepEqual(uploads.asked(1, ref, [3]), [3]);
  uploads.received(PIECE_BYTES);
  assert.deepEqual(uploads.asked(1, ref, [3]), []);
});

test("a lower cap holds at once, without a burst of the higher one, and is what the uplink counts for", () => {
  const uploads = uploadsOf({ limitBytesPerMs: PIECE_BYTES });
  for (let nowMs = 0; nowMs < 1000; nowMs += 2) {
    uploads.asked(1, ref, run(0, 20));
    while (uploads.next(nowMs));
    uploads.drained(1, 0, nowMs + 1);
  }
  const measured = uploads.uplinkBytesPerMs;
  uploads.limit(PIECE_BYTES / 100);
  assert.equal(uploads.uplinkBytesPerMs, PIECE_BYTES / 100);
  let sent = 0;
  for (let nowMs = 1000; nowMs < 21_000; ) {
    uploads.asked(1, ref, run(0, 60));
    sent += send(uploads, 100, nowMs).length;
    nowMs = uploads.wakeMs ?? nowMs + 10;
  }
  assert.ok(sent <= 200 + 10 + 1, `${sent} pieces in 20 s, 10 of burst`);
  uploads.limit(PIECE_BYTES);
  assert.ok(uploads.uplinkBytesPerMs >= measured);
});

test("what waits is given back when nothing is to be sent any more", () => {
  const uploads = uploadsOf({}, [1, 2]);
  uploads.asked(1, ref, [3, 4]);
  const emptied = uploads.emptied().map(([neighbour, queue]) => [neighbour, queue.map(({ index }) => index)]);
  assert.deepEqual(emptied, [
    [1, [3, 4]],
    [2, []],
  ]);
  assert.equal(uploads.next(0), null);
});

test("what a TURN server carries is capped apart from the rest", () => {
  const uploads = uploadsOf({}, [1, 2]);
  uploads.relayBytesPerMs = PIECE_BYTES / 100;
  uploads.routed(2, true);
  uploads.asked(1, ref, run(0, 20));
  uploads.asked(2, ref, run(100, 20));
  const sent = send(uploads, 40, 0);
  assert.equal(sent.filter(([neighbour]) => neighbour === 1).length, 20);
  assert.equal(sent.filter(([neighbour]) => neighbour === 2).length, 1);
  assert.equal(uploads.wakeMs, 100);
  assert.equal(send(uploads, 40, 100).length, 1);
  uploads.routed(2, false);
  assert.equal(send(uploads, 40, 101).length, 18);
});
