/** Figures in words. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { beside, bytes, duration, number, percent, saved, whole } from "../../../static/js/pages/figure-words.js";

test("bytes have three digits and the unit that fits", () => {
  const cases = /** @type {[number, string][]} */ ([
    [0, "0 B"],
    [999, "999 B"],
    [1000, "1.0 kB"],
    [1234, "1.2 kB"],
    [12_345, "12.3 kB"],
    [123_456, "123 kB"],
    [5e9, "5.0 GB"],
    [2e15, "2.0 PB"],
    [5e18, "5000 PB"],
  ]);
  for (const [count, text] of cases) assert.equal(bytes(count), text);
});

test("what is not known is a dash, and nothing is not", () => {
  for (const say of [bytes, percent, duration, number, whole, saved]) {
    assert.equal(say(null), "–");
    assert.equal(say(undefined), "–");
  }
  assert.equal(percent(0), "0.0 %");
  assert.equal(duration(0), "0 ms");
});

test("durations, parts and money are short", () => {
  assert.deepEqual([duration(640), duration(1490), percent(0.9876), whole(12_345.6)], ["640 ms", "1.5 s", "98.8 %", "12,346"]);
  assert.equal(saved({ saved: 1234.5, currency: "EUR" }), "1,234.50 EUR");
});

test("two figures are set beside each other, also where there is only one", () => {
  assert.equal(beside(500, 400, duration), "holdout 400 ms (sharing: +25 %)");
  assert.equal(beside(300, 400, duration), "holdout 400 ms (sharing: −25 %)");
  assert.equal(beside(0, 0, number), "holdout 0.00 (sharing: +0 %)");
  assert.equal(beside(1, 0, number), "holdout 0.00 (sharing: more)");
  assert.equal(beside(1, null, number), "no holdout to compare with");
});
