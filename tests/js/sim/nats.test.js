import assert from "node:assert/strict";
import { test } from "node:test";
import { drawKind, meet, natOf } from "../../../bench/sim/nats.js";

/** @type {import("../../../bench/sim/nats.js").NatKind[]} */
const KINDS = ["none", "lenient", "strict", "dependent", "blocked"];

test("who maps by destination meets neither its like nor who filters by port, and nobody the blocked", () => {
  const apart = KINDS.flatMap((one) => KINDS.filter((other) => !meet(one, other)).map((other) => `${one} ${other}`));
  const blocked = KINDS.flatMap((kind) => [`${kind} blocked`, `blocked ${kind}`]);
  assert.deepEqual(new Set(apart), new Set([...blocked, "strict dependent", "dependent strict", "dependent dependent"]));
});

test("kinds are drawn by their shares, and a page cannot see how its NAT filters", () => {
  const shares = { strict: 0.5, dependent: 0.5 };
  assert.deepEqual(
    [0, 0.49, 0.5, 0.99].map((drawn) => drawKind(shares, drawn)),
    ["strict", "strict", "dependent", "dependent"],
  );
  assert.deepEqual(natOf("strict"), natOf("lenient"));
  assert.notDeepEqual(natOf("strict"), natOf("dependent"));
});
