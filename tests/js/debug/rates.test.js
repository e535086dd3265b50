import assert from "node:assert/strict";
import { test } from "node:test";
import { Rates, WINDOW_SEC } from "../../../static/js/debug/rates.js";

test("a rate is what a total grew by over the window", () => {
  const rates = new Rates();
  assert.equal(rates.bps("down"), 0);
  for (let second = 0; second <= 30; second++) rates.add({ down: second < 20 ? 0 : (second - 20) * 1000 }, second);
  assert.equal(rates.bps("down"), 8000);
  for (let second = 31; second <= 31 + WINDOW_SEC; second++) rates.add({ down: 10_000 }, second);
  assert.equal(rates.bps("down"), 0);
});

test("who has just come is measured from then on, and who is gone has no rate", () => {
  const rates = new Rates();
  rates.add({}, 0);
  rates.add({ peer: 500 }, 5);
  assert.equal(rates.bps("peer"), 0);
  rates.add({ peer: 1500 }, 6);
  assert.equal(rates.bps("peer"), 8000);
  rates.add({}, 7);
  assert.equal(rates.bps("peer"), 0);
});
