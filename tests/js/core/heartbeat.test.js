import assert from "node:assert/strict";
import { test } from "node:test";
import { Heartbeat } from "../../../static/js/core/heartbeat.js";
import { PONG_TIMEOUT_MS } from "../../../static/js/core/tuning.js";

test("the least round trip of pings that were answered is kept", () => {
  const heartbeat = new Heartbeat();
  heartbeat.start(0);
  heartbeat.answered(5); // nobody asked
  assert.equal(heartbeat.rttMs, null);
  for (const [sentMs, rttMs] of /** @type {const} */ ([
    [20_000, 30.4],
    [40_000, 90],
    [60_000, 0.2],
  ])) {
    assert.ok(heartbeat.beat(sentMs));
    heartbeat.heard(sentMs + rttMs);
    heartbeat.answered(sentMs + rttMs);
    heartbeat.answered(sentMs + rttMs + 7); // an answer to nothing
    assert.equal(heartbeat.rttMs, rttMs === 0.2 ? 1 : 30);
  }
});

test("who says nothing for an interval and its timeout is given up, and a new socket begins anew", () => {
  const heartbeat = new Heartbeat();
  heartbeat.start(0);
  assert.equal(heartbeat.dueMs, heartbeat.intervalMs);
  assert.ok(heartbeat.beat(heartbeat.dueMs));
  const lateMs = heartbeat.intervalMs + PONG_TIMEOUT_MS + 1;
  assert.ok(!heartbeat.beat(lateMs));
  heartbeat.start(lateMs);
  assert.ok(heartbeat.beat(lateMs + 1));
  heartbeat.stop();
  assert.equal(heartbeat.dueMs, Number.POSITIVE_INFINITY);
});
