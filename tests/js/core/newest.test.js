import assert from "node:assert/strict";
import { test } from "node:test";
import { keepNewest } from "../../../static/js/core/newest.js";

test("of a table that has grown beyond its bound the oldest goes, of sets and of maps", () => {
  const set = new Set([1, 2, 3]);
  keepNewest(set, 3);
  assert.deepEqual([...set], [1, 2, 3]);
  set.add(4);
  keepNewest(set, 3);
  assert.deepEqual([...set], [2, 3, 4]);
  const map = new Map([
    ["a", 1],
    ["b", 2],
  ]);
  keepNewest(map, 1);
  assert.deepEqual([...map], [["b", 2]]);
});
