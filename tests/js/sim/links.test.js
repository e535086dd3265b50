/** The modelled lines: what they carry when, and what a channel's buffer says. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Clock } from "../../../bench/sim/clock.js";
import { Downlink, End, LOW_WATER_BYTES, Uplink } from "../../../bench/sim/links.js";

const LATENCY_MS = 10;
/** A full chunk and the headers of its packets, at a byte a millisecond. */
const CHUNK_BYTES = 16384;
const CHUNK_WIRE_BYTES = CHUNK_BYTES + 15 * 90;

/** @param {Clock} clock @param {number} upBytesPerMs @param {number} downBytesPerMs */
function host(clock, upBytesPerMs, downBytesPerMs) {
  return {
    uplink: new Uplink(clock, upBytesPerMs),
    downlink: new Downlink(clock, downBytesPerMs),
    gone: false,
    /** @type {{ atMs: number, link: number, bytes: number }[]} */
    frames: [],
    /** @type {number[]} */
    drains: [],
    /** @param {number} link @param {Uint8Array} bytes */
    frameArrived(link, bytes) {
      this.frames.push({ atMs: clock.nowMs, link, bytes: bytes.length });
    },
    /** @param {number} _link @param {number} bufferedBytes */
    drained(_link, bufferedBytes) {
      this.drains.push(bufferedBytes);
    },
  };
}

/** @param {ReturnType<typeof host>} one @param {ReturnType<typeof host>} two @param {number} link @returns {End} the first one's side */
function connect(one, two, link) {
  const mine = new End(one, link);
  const theirs = new End(two, link);
  mine.other = theirs;
  theirs.other = mine;
  mine.oneWayMs = theirs.oneWayMs = LATENCY_MS;
  mine.open = theirs.open = true;
  return mine;
}

test("a frame takes its time on the uplink, on the way and on the downlink", () => {
  const clock = new Clock();
  const [one, two] = [host(clock, CHUNK_WIRE_BYTES / 100, Number.POSITIVE_INFINITY), host(clock, 1, CHUNK_WIRE_BYTES / 50)];
  one.uplink.sendBulk(connect(one, two, 1), new Uint8Array(CHUNK_BYTES * 2));
  clock.run(1e6);
  // Both chunks go up after one another; the first is through the downlink before the second comes.
  assert.deepEqual(two.frames, [{ atMs: 200 + LATENCY_MS + 50, link: 1, bytes: CHUNK_BYTES * 2 }]);
});

test("links take turns by chunks, and a downlink serves who comes first", () => {
  const clock = new Clock();
  const sender = host(clock, CHUNK_WIRE_BYTES / 100, Number.POSITIVE_INFINITY);
  const receivers = [1, 2].map(() => host(clock, 1, Number.POSITIVE_INFINITY));
  receivers.forEach((receiver, index) => {
    const end = connect(sender, receiver, index);
    for (let frame = 0; frame < 2; frame++) sender.uplink.sendBulk(end, new Uint8Array(CHUNK_BYTES));
  });
  clock.run(1e6);
  assert.deepEqual(
    receivers.map(({ frames }) => frames.map(({ atMs }) => atMs)),
    [
      [110, 310],
      [210, 410],
    ],
  );
});

test("control goes ahead of queued bulk, behind the chunk on the wire, and in order", () => {
  const clock = new Clock();
  const [one, two] = [host(clock, CHUNK_WIRE_BYTES / 100, Number.POSITIVE_INFINITY), host(clock, 1, Number.POSITIVE_INFINITY)];
  const end = connect(one, two, 1);
  for (let frame = 0; frame < 3; frame++) one.uplink.sendBulk(end, new Uint8Array(CHUNK_BYTES));
  one.uplink.sendControl(end, new Uint8Array(100));
  one.uplink.sendControl(end, new Uint8Array(20));
  clock.run(1e6);
  assert.deepEqual(
    two.frames.map(({ bytes }) => bytes),
    [CHUNK_BYTES, 100, 20, CHUNK_BYTES, CHUNK_BYTES],
  );
});

test("the buffer tells of crossing its mark, and not of being below it", () => {
  const clock = new Clock();
  const [one, two] = [host(clock, 100, Number.POSITIVE_INFINITY), host(clock, 1, Number.POSITIVE_INFINITY)];
  const end = connect(one, two, 1);
  one.uplink.sendBulk(end, new Uint8Array(LOW_WATER_BYTES));
  clock.run(1e6);
  assert.deepEqual(one.drains, []);
  for (let frame = 0; frame < 2; frame++) one.uplink.sendBulk(end, new Uint8Array(LOW_WATER_BYTES));
  assert.equal(end.bufferedBytes, 2 * LOW_WATER_BYTES);
  clock.run(2e6);
  assert.deepEqual(one.drains, [LOW_WATER_BYTES]);
  assert.equal(end.bufferedBytes, 0);
});

test("what is under way when a link closes does not arrive", () => {
  const clock = new Clock();
  const [one, two] = [host(clock, 100, Number.POSITIVE_INFINITY), host(clock, 1, Number.POSITIVE_INFINITY)];
  const end = connect(one, two, 1);
  const other = connect(one, two, 2);
  one.uplink.sendBulk(end, new Uint8Array(CHUNK_BYTES * 2));
  one.uplink.sendBulk(other, new Uint8Array(CHUNK_BYTES));
  end.close();
  clock.run(1e6);
  assert.deepEqual(
    two.frames.map(({ link }) => link),
    [2],
  );
});
