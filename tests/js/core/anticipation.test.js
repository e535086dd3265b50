import assert from "node:assert/strict";
import { test } from "node:test";
import { Anticipation } from "../../../static/js/core/anticipation.js";
import { ANTICIPATED_SEGMENTS } from "../../../static/js/core/tuning.js";

/** @param {number} number @param {string} [track] @param {Partial<import("../../../static/js/core/download.js").SegmentSource>} [other] */
const source = (number, track = "11", other = {}) => ({
  ref: { track: track.repeat(8), kind: 0, discontinuity: 0, number },
  url: `https://cdn.example/${number}`,
  rangeStart: null,
  rangeEnd: null,
  durationSec: 2,
  expectedBytes: 400_000,
  live: true,
  type: "video",
  ...other,
});

test("the next few segments of a live track are anticipated, without a URL; others are not", () => {
  const anticipation = new Anticipation();
  anticipation.asked(source(7));
  const next = anticipation.next(source(8).ref);
  assert.deepEqual([next?.ref.number, next?.url, next?.durationSec], [8, "", 2]);
  assert.ok(anticipation.next(source(7 + ANTICIPATED_SEGMENTS).ref));
  for (const number of [6, 7, 8 + ANTICIPATED_SEGMENTS]) assert.equal(anticipation.next(source(number).ref), null);
  assert.equal(anticipation.next(source(8, "22").ref), null);
});

test("sound and picture are both followed, a rendition that was left is not", () => {
  const anticipation = new Anticipation();
  const sound = { type: "audio" };
  assert.equal(anticipation.asked(source(7)), false);
  assert.equal(anticipation.asked(source(7, "aa", sound)), false);
  assert.ok(anticipation.next(source(8).ref) && anticipation.next(source(8, "aa").ref));
  assert.equal(anticipation.asked(source(8, "22")), true);
  assert.equal(anticipation.next(source(9).ref), null);
  assert.ok(anticipation.next(source(9, "22").ref) && anticipation.next(source(8, "aa").ref));
  assert.equal(anticipation.asked(source(9, "22")), false);
});

test("VOD and init segments are not anticipated", () => {
  const anticipation = new Anticipation();
  anticipation.asked(source(7, "11", { live: false }));
  anticipation.asked(source(7, "22", { durationSec: 0 }));
  assert.equal(anticipation.next(source(8).ref), null);
  assert.equal(anticipation.next(source(8, "22").ref), null);
});
