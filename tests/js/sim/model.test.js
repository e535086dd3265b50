/** The rest of the model: time, the CDN's log, interned frames, figures. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Cdn } from "../../../bench/sim/cdn.js";
import { Clock } from "../../../bench/sim/clock.js";
import { Interning } from "../../../bench/sim/interning.js";
import { Downlink } from "../../../bench/sim/links.js";
import { gini, quantile } from "../../../bench/sim/metrics.js";
import { population } from "../../../bench/sim/population.js";
import { seeded } from "../../../bench/sim/random.js";
import { SCENARIOS } from "../../../bench/sim/scenarios.js";
import { encodeFrame, FRAME } from "../../../static/js/core/wire.js";

test("events run in the order of their times, and those of one time in the order they were set", () => {
  const clock = new Clock();
  const random = seeded(1);
  /** @type {{ atMs: number, order: number }[]} */
  const ran = [];
  for (let order = 0; order < 3000; order++) {
    const atMs = Math.floor(random() * 100);
    clock.at(atMs, (entry) => ran.push(entry), { atMs, order });
  }
  clock.run(49.5);
  assert.ok(ran.every(({ atMs }) => atMs < 50));
  clock.run(100);
  assert.deepEqual(
    ran,
    [...ran].sort((one, other) => one.atMs - other.atMs || one.order - other.order),
  );
  assert.equal(ran.length, 3000);
});

const BODY = new Uint8Array(100_000);

/** @param {Clock} clock @param {number} bytesPerMs */
function client(clock, bytesPerMs) {
  return { downlink: new Downlink(clock, Number.POSITIVE_INFINITY), gone: false, cdnMs: 20, cdnBytesPerMs: bytesPerMs };
}

/** @param {Clock} clock */
function listener(clock) {
  return {
    finishedMs: 0,
    bytes: 0,
    started() {},
    /** @param {Uint8Array} bytes */
    received(bytes) {
      this.bytes += bytes.length;
    },
    finished() {
      this.finishedMs = clock.nowMs;
    },
    failed() {},
  };
}

test("the CDN answers after a round trip, at a connection's rate", () => {
  const clock = new Clock();
  const cdn = new Cdn(clock, () => BODY);
  const events = listener(clock);
  cdn.fetch(client(clock, 1000), "https://cdn.example/a/1", 0, null, events);
  clock.run(1e5);
  assert.equal(Math.round(events.finishedMs), 140);
  assert.deepEqual(cdn.totals(), { sent: BODY.length, unique: BODY.length });
});

test("its capacity is shared by those it serves", () => {
  const clock = new Clock();
  const cdn = new Cdn(clock, () => BODY, 8_000_000);
  const all = [0, 1, 2, 3].map(() => listener(clock));
  for (const events of all) cdn.fetch(client(clock, 1000), "https://cdn.example/a/1", 0, null, events);
  clock.run(1e5);
  for (const { finishedMs } of all) assert.ok(finishedMs > 380 && finishedMs <= 441, `${finishedMs}`);
});

test("bytes of a transfer that was given up are counted, with those on the wire", () => {
  const clock = new Clock();
  const cdn = new Cdn(clock, () => BODY);
  const events = listener(clock);
  const transfer = cdn.fetch(client(clock, 500), "https://cdn.example/a/1", 0, null, events);
  clock.at(80, () => transfer.abort(), null);
  clock.run(1e5);
  assert.equal(events.finishedMs, 0);
  assert.equal(events.bytes, 16384);
  assert.equal(cdn.totals().sent, 2 * 16384);
});

test("the same piece is the same frame whoever encoded it, another payload is not", () => {
  const interning = new Interning();
  const ref = { track: "0123456789abcdef", kind: 0, discontinuity: 0, number: 70_000 };
  /** @param {number} fill */
  const piece = (fill) =>
    encodeFrame({ type: FRAME.PIECE, ref, sizeBytes: 5000, index: 0, payload: new Uint8Array(5000).fill(fill) });
  const first = interning.intern(piece(1));
  assert.equal(interning.intern(piece(1)), first);
  const other = piece(2);
  assert.equal(interning.intern(other), other);
  const ping = encodeFrame({ type: FRAME.PING, nonce: 1 });
  assert.equal(interning.intern(ping), ping);
});

test("figures", () => {
  assert.equal(quantile([3, 1, 2], 0.5), 2);
  assert.equal(quantile([3, 1, 2], 0), 1);
  assert.equal(quantile([3, 1, 2], 1), 3);
  assert.equal(gini([1, 1, 1, 1]), 0);
  assert.equal(gini([0, 0, 0, 1]), 0.75);
});

test("viewers are the same for the same seed, and as a scenario says", () => {
  const scenario = /** @type {import("../../../bench/sim/scenarios.js").Scenario} */ (SCENARIOS.get("churn"));
  const visits = population(scenario);
  assert.deepEqual(population(scenario), visits);
  const joined = visits.filter(({ joinMs }) => joinMs < 30_000).length;
  assert.ok(joined >= 99 && joined <= 101, `${joined}`);
  // 30 % of 100 a minute, from 0:30 to 5:00.
  assert.ok(visits.length > 200 && visits.length < 275, `${visits.length}`);
  const riders = visits.filter(({ uploads }) => !uploads).length / visits.length;
  assert.ok(riders > 0.4 && riders < 0.6, `${riders}`);
});
