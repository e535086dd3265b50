/** What the dashboard's charts draw. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { columns, SOURCES, spread, stackedRates, steps } from "../../../static/js/pages/history-columns.js";

const report = {
  since_s: 0,
  until_s: 600,
  span_s: 60,
  at_s: [120, 180, 300],
  sharing: { site_bytes: [60e6, 0, 0], cdn_bytes: [30e6, 60e6, null], offload: [0.5, null, 1] },
  held_out: { viewers: [1, 2, 3] },
};

test("steps go from the first to the last that has anything, without a gap", () => {
  assert.deepEqual(steps(report), [120, 180, 240, 300]);
  assert.deepEqual(steps({ ...report, at_s: [] }), []);
});

test("a step of which nothing is known is a gap in the line", () => {
  assert.deepEqual(spread(report, [1, null, 3]), [1, null, null, 3]);
});

test("rates lie on top of each other, each line including those below it", () => {
  const [times, ...stacked] = stackedRates(report);
  assert.equal(stacked.length, SOURCES.length);
  assert.equal(times.length, 4);
  assert.deepEqual(stacked[0], [8, 0, 0, 0]);
  assert.deepEqual(stacked.at(-1), [12, 8, 0, 0]);
});

test("lines are of a group, in the unit that is asked for", () => {
  assert.deepEqual(
    columns(report, [
      ["sharing", "offload", 100],
      ["held_out", "viewers"],
      ["held_out", "unheard_of"],
    ]),
    [
      [120, 180, 240, 300],
      [50, null, null, 100],
      [1, 2, null, 3],
      [null, null, null, null],
    ],
  );
});
