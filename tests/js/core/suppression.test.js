import assert from "node:assert/strict";
import { test } from "node:test";
import { backoffMs, variate } from "../../../static/js/core/suppression.js";

const ref = { track: "00".repeat(8), kind: 0, discontinuity: 0, number: 5 };

test("a group of one waits for nobody", () => {
  assert.equal(backoffMs(0.9, 1000, 1), 0);
});

test("a backoff is within its bounds and grows with the draw", () => {
  const waits = [0.001, 0.25, 0.5, 0.75, 0.999].map((uniform) => backoffMs(uniform, 1000, 20));
  assert.deepEqual(
    waits,
    [...waits].sort((a, b) => a - b),
  );
  assert.ok(waits.every((wait) => wait >= 0 && wait <= 1000));
});

test("the earliest of a thousand fires soon, and few within the time its word takes", () => {
  let early = 0;
  for (let segment = 0; segment < 100; segment++) {
    const waits = Array.from({ length: 1000 }, (_, peer) => {
      return backoffMs(variate(String(peer), { ...ref, number: segment }, 0), 1000, 1000);
    }).sort((a, b) => a - b);
    const first = /** @type {number} */ (waits[0]);
    early += waits.filter((wait) => wait < first + 50).length;
  }
  assert.ok(early / 100 < 2, `${early / 100} fire within 50 ms of the first`);
});

test("a draw is the same for the same peer, segment and attempt, and spread evenly over them", () => {
  assert.equal(variate("a", ref, 0), variate("a", ref, 0));
  const draws = Array.from({ length: 4000 }, (_, index) => variate(`peer${index % 50}`, { ...ref, number: index }, index % 3));
  const mean = draws.reduce((sum, draw) => sum + draw) / draws.length;
  assert.ok(Math.abs(mean - 0.5) < 0.02, `mean ${mean}`);
  for (let tenth = 0; tenth < 10; tenth++) {
    const share = draws.filter((draw) => Math.floor(draw * 10) === tenth).length / draws.length;
    assert.ok(share > 0.07 && share < 0.13, `tenth ${tenth}: ${share}`);
  }
});
