import assert from "node:assert/strict";
import { test } from "node:test";
import { Average, DrainMeter, PeakRate, RecentRate, TokenBucket } from "../../../static/js/core/rates.js";

test("an average starts from its guess, takes the first sample whole, then moves slowly", () => {
  const average = new Average(100);
  assert.equal(average.value, 100);
  average.add(10);
  assert.equal(average.value, 10);
  average.add(20);
  assert.ok(average.value > 10 && average.value < 15);
});

test("a bucket passes its rate and no more, whatever is asked", () => {
  const bucket = new TokenBucket(100, 1000, 0);
  let passed = 0;
  for (let nowMs = 0; nowMs <= 10_000; nowMs += 3) if (bucket.take(700, nowMs) === 0) passed += 700;
  assert.ok(passed <= 100 * 10_000 + 1000 && passed > 0.95 * 100 * 10_000, `${passed}`);
});

test("a bucket says how long to wait", () => {
  const bucket = new TokenBucket(2, 100, 0);
  assert.equal(bucket.take(100, 0), 0);
  const waitMs = bucket.take(50, 0);
  assert.equal(waitMs, 25);
  assert.equal(bucket.take(50, waitMs), 0);
});

test("no rate passes nothing for ever, no cap passes all", () => {
  assert.equal(new TokenBucket(0, 0, 0).take(1, 5), Number.POSITIVE_INFINITY);
  assert.equal(new TokenBucket(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, 0).take(1e12, 0), 0);
});

test("a buffer that was found empty drained at least that fast", () => {
  const meter = new DrainMeter(0);
  for (let nowMs = 0; nowMs < 100; nowMs += 10) {
    meter.look(0, true, nowMs);
    meter.look(32_768, false, nowMs + 2);
  }
  assert.ok(Math.abs(meter.rateBytesPerMs - 16_384) < 1, `${meter.rateBytesPerMs}`);
});

test("a drain is measured while there is something to drain, not while it is idle", () => {
  const meter = new DrainMeter(0);
  for (let nowMs = 0; nowMs < 10_000; nowMs += 1000) {
    meter.look(0, true, nowMs);
    meter.look(30_000, true, nowMs + 50);
    meter.look(10_000, false, nowMs + 500); // empty, nobody knows since when
  }
  assert.ok(Math.abs(meter.rateBytesPerMs - 600) < 1, `${meter.rateBytesPerMs}`);
});

test("a peak is remembered for a while, and slowly forgotten", () => {
  const peak = new PeakRate();
  for (let nowMs = 0; nowMs <= 1000; nowMs += 10) peak.add(10_000, nowMs);
  const { rateBytesPerMs } = peak;
  assert.ok(rateBytesPerMs > 900 && rateBytesPerMs < 1100);
  for (let nowMs = 1010; nowMs <= 3000; nowMs += 10) peak.add(100, nowMs);
  assert.ok(peak.rateBytesPerMs > rateBytesPerMs / 2 && peak.rateBytesPerMs < rateBytesPerMs);
});

test("a recent rate follows what arrives, and forgets it within a second", () => {
  const rate = new RecentRate();
  for (let nowMs = 0; nowMs <= 3000; nowMs += 10) rate.add(5000, nowMs);
  assert.ok(Math.abs(rate.bytesPerMs(3000) - 500) < 25);
  assert.ok(rate.bytesPerMs(3600) < 300);
  assert.equal(rate.bytesPerMs(5000), 0);
});
