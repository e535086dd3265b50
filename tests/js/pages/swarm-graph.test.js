/** Providers of a swarm's graph, and their colours. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { colourOf, providersOf } from "../../../static/js/pages/swarm-graph.js";

/** @param {string} isp */
const member = (isp) => ({ id: "a", isp, country: "", cluster: 0, neighbours: 0 });

test("the most frequent provider has the first colour, and the order is always the same", () => {
  assert.deepEqual(providersOf(["AS2", "AS1", "", "AS1", "AS3"].map(member)), ["AS1", "", "AS2", "AS3"]);
});

test("providers that are too many share the last colour", () => {
  const colours = Array.from({ length: 12 }, (_, index) => colourOf(index));
  assert.equal(new Set(colours).size, 8);
  assert.equal(colours[11], colours[7]);
});
