import assert from "node:assert/strict";
import { test } from "node:test";
import { refKey } from "../../../static/js/core/identity.js";
import { Neighbour } from "../../../static/js/core/neighbour.js";
import { NEIGHBOUR_GROUPS_MAX, NEIGHBOUR_PARTIALS_MAX, PIPELINE_PIECES_MAX } from "../../../static/js/core/tuning.js";
import { WireError } from "../../../static/js/core/wire.js";

const group = { track: "00".repeat(8), kind: 0, discontinuity: 0 };

/** @param {number} number */
const ref = (number) => ({ ...group, number });

test("what a neighbour holds, drops and is denied is remembered", () => {
  const neighbour = new Neighbour(1, true, 0);
  neighbour.have(group, [[5, 3]]);
  assert.deepEqual(
    [4, 5, 7, 8].map((number) => neighbour.holds(ref(number))),
    [false, true, true, false],
  );
  neighbour.dropped(group, [[6, 1]]);
  neighbour.deny(ref(7));
  assert.deepEqual(
    [5, 6, 7].map((number) => neighbour.holds(ref(number))),
    [true, false, false],
  );
});

test("a have-map of more groups than any content has is refused", () => {
  const neighbour = new Neighbour(1, true, 0);
  assert.throws(() => {
    for (let index = 0; index <= NEIGHBOUR_GROUPS_MAX; index++) neighbour.have({ ...group, discontinuity: index }, [[0, 1]]);
  }, WireError);
});

test("claims and partials are bounded: the oldest goes", () => {
  const neighbour = new Neighbour(1, true, 0);
  for (let number = 0; number < NEIGHBOUR_PARTIALS_MAX + 10; number++) {
    neighbour.claimed(ref(number), number, true);
    neighbour.progressed(ref(number), 1000, [[0, 1]], number);
  }
  assert.equal(neighbour.claimEndsMs(refKey(ref(0))), Number.NEGATIVE_INFINITY);
  assert.equal(neighbour.partial(ref(0)), undefined);
  assert.equal(neighbour.fetchesKey(refKey(ref(0))), false);
  assert.ok(neighbour.partial(ref(NEIGHBOUR_PARTIALS_MAX + 9)));
});

test("a segment that became whole is neither claimed nor partial any more; an abandoned one is nothing", () => {
  const neighbour = new Neighbour(1, true, 0);
  for (const number of [1, 2]) {
    neighbour.claimed(ref(number), 0, true);
    neighbour.progressed(ref(number), 40_000, [[0, 1]], 1);
  }
  neighbour.have(group, [[1, 1]]);
  neighbour.abandoned(ref(2));
  for (const number of [1, 2]) {
    assert.equal(neighbour.claimEndsMs(refKey(ref(number))), Number.NEGATIVE_INFINITY);
    assert.equal(neighbour.partial(ref(number)), undefined);
    assert.equal(neighbour.fetchesKey(refKey(ref(number))), false);
  }
  assert.ok(neighbour.holds(ref(1)) && !neighbour.holds(ref(2)));
});

test("the pipeline grows with the rate and is bounded", () => {
  const neighbour = new Neighbour(1, true, 0);
  neighbour.rttMs.add(20);
  const slow = neighbour.window;
  let nowMs = 0;
  for (let piece = 0; piece < 50; piece++) neighbour.delivered(32_768, nowMs, ++nowMs);
  assert.ok(neighbour.window > slow);
  assert.equal(neighbour.window, PIPELINE_PIECES_MAX);
});
