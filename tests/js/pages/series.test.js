import assert from "node:assert/strict";
import { test } from "node:test";
import { KEPT, Series, SMOOTHED } from "../../../static/js/pages/series.js";

/** @param {number} fromPeers @param {number} [fromCdn] @param {number} [toPeers] */
const totals = (fromPeers, fromCdn = 0, toPeers = 0) => ({ fromPeers, fromCdn, toPeers });

test("a chart is empty until there are two samples", () => {
  const series = new Series();
  assert.deepEqual(series.columns, [[], [], [], []]);
  series.add(0, totals(5));
  assert.deepEqual(series.columns, [[], [], [], []]);
  assert.equal(series.words, "0.0 Mbit/s from peers, 0.0 Mbit/s from the CDN, 0.0 Mbit/s to peers");
});

test("totals become megabits a second, over the last few samples", () => {
  const series = new Series();
  for (let second = 0; second <= 10; second++)
    series.add(second, totals(second * 125_000, second < 8 ? 0 : 625_000, second * 250_000));
  const [seconds, peers, cdn, up] = series.columns;
  assert.deepEqual(seconds, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  assert.ok(peers.every((mbps) => mbps === 1) && up.every((mbps) => mbps === 2));
  assert.deepEqual(cdn, [0, 0, 0, 0, 0, 0, 0, 5 / SMOOTHED, 5 / SMOOTHED, 5 / SMOOTHED]);
  assert.equal(series.words, "1.0 Mbit/s from peers, 1.0 Mbit/s from the CDN, 2.0 Mbit/s to peers");
});

test("uneven samples, as of a page that was hidden, are measured by their own times", () => {
  const series = new Series();
  series.add(0, totals(0));
  series.add(60, totals(7_500_000));
  assert.deepEqual(series.columns[1], [1]);
});

test("a page open for long shows the last while, in columns of one length", () => {
  const series = new Series();
  for (let second = 0; second < KEPT * 3; second++) series.add(second, totals(second));
  assert.deepEqual(
    series.columns.map((column) => column.length),
    [KEPT, KEPT, KEPT, KEPT],
  );
  assert.equal(series.columns[0].at(-1), KEPT * 3 - 1);
});
