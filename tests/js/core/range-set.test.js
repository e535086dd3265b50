import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { RangeSet } from "../../../static/js/core/range-set.js";

const step = fc.tuple(fc.boolean(), fc.nat(60), fc.integer({ min: 1, max: 12 }));

test("a range set holds what a set of integers holds, in ranges that neither touch nor overlap", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const ranges = new RangeSet();
      const model = new Set();
      for (const [adds, first, count] of steps) {
        if (adds) ranges.add(first, count);
        else ranges.remove(first, count);
        for (let value = first; value < first + count; value++) adds ? model.add(value) : model.delete(value);
      }
      assert.deepEqual(
        [...ranges.values()],
        [...model].sort((a, b) => a - b),
      );
      assert.equal(ranges.size, model.size);
      for (let value = 0; value < 75; value++) assert.equal(ranges.has(value), model.has(value));
      let end = -1;
      for (const [first, count] of ranges.ranges()) {
        assert.ok(first > end && count >= 1);
        end = first + count;
      }
    }),
  );
});
