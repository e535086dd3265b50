import assert from "node:assert/strict";
import { test } from "node:test";
import { defaultStoreBytes, storeAllowance, uploadAllowance } from "../../../static/js/core/allowance.js";

const MIB = 2 ** 20;

test("a device with little memory holds little, one that does not tell holds the default", () => {
  assert.deepEqual(
    [0.5, 1, 2, 4, 8, 32, undefined].map((gib) => defaultStoreBytes(gib) / MIB),
    [4, 8, 16, 32, 64, 64, 64],
  );
});

test("a page with little to spare holds the floor at most, and less where the page said so", () => {
  assert.equal(storeAllowance(64 * MIB, true), 16 * MIB);
  assert.equal(storeAllowance(64 * MIB, false), 64 * MIB);
  assert.equal(storeAllowance(MIB, true), MIB);
  assert.equal(storeAllowance(0, true), 0);
});

test("a hidden page sends a quarter of its limit: nothing of none, all of no limit", () => {
  assert.deepEqual(
    [2500, 0, Number.POSITIVE_INFINITY].map((limit) => uploadAllowance(limit, true)),
    [625, 0, Number.POSITIVE_INFINITY],
  );
  assert.equal(uploadAllowance(2500, false), 2500);
});
