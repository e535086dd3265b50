import assert from "node:assert/strict";
import { test } from "node:test";
import { REPORTED_RANGES_MAX, REPORTED_TRACKS_MAX } from "../../../static/js/core/constants.js";
import { KIND_INIT, KIND_MEDIA, KIND_PART } from "../../../static/js/core/identity.js";
import { Ledger } from "../../../static/js/core/ledger.js";
import { Neighbour } from "../../../static/js/core/neighbour.js";
import { Reporter } from "../../../static/js/core/reporter.js";

/** @param {string} track @param {number} number @param {number} [kind] */
const ref = (track, number, kind = KIND_MEDIA) => ({ track, kind, discontinuity: 0, number });

test("each report has what moved since the one before", () => {
  const reporter = new Reporter();
  const ledger = new Ledger();
  Object.assign(ledger, { peerBytes: 10, farBytes: 4, cdnBytes: 20, sentBytes: 30 });
  reporter.next(ledger, 1, [], []);
  ledger.peerBytes = 15;
  assert.deepEqual(reporter.next(ledger, 3, [], []).totals, {
    peer_bytes: 5,
    far_bytes: 0,
    cdn_bytes: 0,
    sent_bytes: 0,
    neighbours: 0,
    stalls: 2,
  });
});

test("of each track that is played it says what is held and how far the player is", () => {
  const reporter = new Reporter();
  for (const number of [1, 2, 3]) reporter.asked(ref("aa", number));
  reporter.asked(ref("bb", 9));
  for (const kind of [KIND_INIT, KIND_PART]) reporter.asked(ref("bb", 1, kind));
  const held = [
    ref("aa", 3),
    ref("aa", 1),
    ref("aa", 2),
    ref("aa", 7),
    ref("aa", 1, KIND_INIT),
    ref("aa", 5, KIND_PART),
    ref("cc", 1),
  ];
  assert.deepEqual(reporter.next(new Ledger(), 0, [], held).holdings, [
    {
      track: "aa",
      playhead: 3,
      held: [
        [1, 3],
        [7, 1],
      ],
    },
    { track: "bb", playhead: 9, held: [] },
  ]);
});

test("a report is bounded: the tracks played last, their longest runs", () => {
  const reporter = new Reporter();
  for (let track = 0; track < 9; track++) reporter.asked(ref(`t${track}`, 0));
  const held = Array.from({ length: 100 }, (_, index) => ref("t8", index * 3 + (index % 2)));
  held.push(ref("t8", 500), ref("t8", 501));
  const { holdings } = reporter.next(new Ledger(), 0, [], held);
  assert.deepEqual(
    holdings.map(({ track }) => track),
    Array.from({ length: REPORTED_TRACKS_MAX }, (_, index) => `t${9 - REPORTED_TRACKS_MAX + index}`),
  );
  const runs = holdings.at(-1)?.held ?? [];
  assert.equal(runs.length, REPORTED_RANGES_MAX);
  assert.deepEqual(runs.at(-1), [500, 2]);
});

test("what each neighbour sent is told once", () => {
  const reporter = new Reporter();
  const [giver, taker] = [new Neighbour(1, true, 0), new Neighbour(2, true, 0)];
  giver.gainedBytes = 100;
  assert.deepEqual(reporter.next(new Ledger(), 0, [giver, taker], []).received, [[1, 100]]);
  assert.deepEqual(reporter.next(new Ledger(), 0, [giver, taker], []).received, []);
  giver.gainedBytes = 130;
  assert.deepEqual(reporter.next(new Ledger(), 0, [giver, taker], []).received, [[1, 30]]);
});

test("round trips are the least that was measured, of who has answered", () => {
  const [fast, silent, asleep] = [new Neighbour(1, true, 0), new Neighbour(2, true, 0), new Neighbour(3, true, 0)];
  for (const rttMs of [30.4, 12.6, 90]) fast.measured(rttMs);
  asleep.measured(10 ** 9);
  assert.deepEqual(new Reporter().next(new Ledger(), 0, [fast, silent, asleep], []).rtts, [
    [1, 13],
    [3, 60_000],
  ]);
});
