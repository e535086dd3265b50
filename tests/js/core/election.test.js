import assert from "node:assert/strict";
import { test } from "node:test";
import { Election } from "../../../static/js/core/election.js";
import { KIND_PART, partNumber } from "../../../static/js/core/identity.js";
import { ELECTION_GROUPS_MAX, ELECTION_MEMORY_SEGMENTS } from "../../../static/js/core/tuning.js";

/** @param {number} number @param {number} [discontinuity] */
const ref = (number, discontinuity = 0) => ({ track: "00".repeat(8), kind: 0, discontinuity, number });

test("who fetched the last segment is next, for as long as it was one of the last few", () => {
  const election = new Election("a");
  assert.equal(election.turn(ref(7)), "open");
  election.claimed(ref(7));
  assert.equal(election.turn(ref(8)), "ours");
  assert.equal(election.turn(ref(7 + ELECTION_MEMORY_SEGMENTS)), "ours");
  assert.equal(election.turn(ref(8 + ELECTION_MEMORY_SEGMENTS)), "open");
  assert.equal(election.turn(ref(8, 1)), "open"); // another group
});

test("who fetched a part of the segment before is next, though numbers leap from segment to segment", () => {
  const part = (/** @type {number} */ segment, /** @type {number} */ place) => ({
    ...ref(partNumber(segment, place)),
    kind: KIND_PART,
  });
  const election = new Election("a");
  election.claimed(part(7, 4));
  assert.equal(election.turn(part(8, 0)), "ours");
  assert.equal(election.turn(part(8 + ELECTION_MEMORY_SEGMENTS, 0)), "open");
});

test("when somebody else fetched it, it is theirs, and an older claim changes nothing", () => {
  const election = new Election("a");
  election.heard(ref(7));
  election.heard(ref(3));
  assert.equal(election.turn(ref(8)), "theirs");
});

test("of two who fetch the same, both agree on who goes first, and the other lets go", () => {
  let firsts = 0;
  for (let number = 0; number < 100; number++) {
    const [a, b] = [new Election("a"), new Election("b")];
    assert.notEqual(a.goesBefore(ref(number), "b"), b.goesBefore(ref(number), "a"));
    if (a.goesBefore(ref(number), "b")) firsts++;
    assert.equal(a.goesBefore(ref(number), "a"), false);
  }
  assert.ok(firsts > 25 && firsts < 75, `${firsts} of 100`);
  const loser = new Election("a");
  loser.claimed(ref(7));
  loser.heard(ref(7));
  const first = ["b", "c", "d", "e", "f", "g", "h"].find((other) => loser.goesBefore(ref(7), other));
  assert.ok(first);
  assert.equal(loser.yields(ref(6), first), false); // nothing of ours
  assert.equal(loser.yields(ref(7), first), true);
  assert.equal(loser.yields(ref(7), first), false); // once
  assert.equal(loser.turn(ref(8)), "theirs");
});

test("what a neighbour can make us remember is bounded", () => {
  const election = new Election("a");
  election.claimed(ref(1));
  for (let group = 1; group <= ELECTION_GROUPS_MAX; group++) election.heard(ref(1, group));
  assert.equal(election.turn(ref(2)), "open");
  assert.equal(election.turn(ref(2, ELECTION_GROUPS_MAX)), "theirs");
});

test("who resigns stands no more, until it fetches again", () => {
  const election = new Election("a");
  election.claimed(ref(7));
  election.resign();
  assert.equal(election.turn(ref(8)), "open");
  election.heard(ref(8));
  assert.equal(election.turn(ref(9)), "theirs");
  election.claimed(ref(9));
  assert.equal(election.turn(ref(10)), "ours");
});
