import assert from "node:assert/strict";
import { test } from "node:test";
import { FILE_BLOCK_BYTES as BLOCK } from "../../../static/js/core/constants.js";
import { FilePlan, LEAD_MS, TOLERANCE_MS, WINDOW_BLOCKS_MAX } from "../../../static/js/core/file-plan.js";
import { DEADLINE_MARGIN_MS, HTTP_SAFETY } from "../../../static/js/core/tuning.js";

/** A block takes a second, a first byte a tenth of one. */
const alone = { waitSec: 0.1, rateBps: BLOCK * 8, neighbours: 0, members: 1 };
const company = { ...alone, neighbours: 3, members: 4 };
const NEED_MS = DEADLINE_MARGIN_MS + HTTP_SAFETY * 1100;
const nobody = () => false;
const somebody = () => true;
const first = () => 0;
const whole = { start: 0, end: 20 * BLOCK + 5, sizeBytes: 20 * BLOCK + 5 };

test("a reader alone asks for one block at a time, and for the next as that one ends", () => {
  const plan = new FilePlan(whole, false, 0);
  assert.deepEqual(plan.begin(alone, nobody, first), [0]);
  plan.progressed(0, BLOCK / 2);
  assert.deepEqual(plan.begin(alone, nobody, first), []);
  plan.progressed(0, BLOCK * 0.81); // what is left takes less than two first bytes
  assert.deepEqual(plan.begin(alone, nobody, first), [1]);
});

test("a reader alone on a line whose answers are long in coming keeps it full", () => {
  const plan = new FilePlan(whole, false, 0);
  assert.deepEqual(plan.begin({ ...alone, waitSec: 1 }, nobody, first), [0, 1, 2]);
});

test("a reader among others asks for a window, which moves as it reads", () => {
  const plan = new FilePlan(whole, false, 0);
  assert.equal(plan.begin(company, somebody, first).length, WINDOW_BLOCKS_MAX);
  plan.progressed(0, BLOCK);
  assert.deepEqual(plan.begin(company, somebody, first), [], "who does not read gets no more");
  plan.took(BLOCK);
  assert.deepEqual(plan.begin(company, somebody, first), [WINDOW_BLOCKS_MAX]);
});

test("of what nobody has, a reader asks for the block it is in and one at random, until they are here", () => {
  const plan = new FilePlan(whole, false, 0);
  const last = () => 0.999;
  assert.deepEqual(plan.begin(company, nobody, last), [0, WINDOW_BLOCKS_MAX - 1]);
  assert.deepEqual(plan.begin(company, nobody, last), []);
  assert.deepEqual(
    plan.begin(company, (number) => number < 3, last),
    [1, 2],
    "what others get is theirs to fetch",
  );
  plan.progressed(WINDOW_BLOCKS_MAX - 1, BLOCK);
  assert.deepEqual(plan.begin(company, nobody, last), [WINDOW_BLOCKS_MAX - 2]);
});

test("a reader of a part asks for the blocks it is in, the last one as long as the file is", () => {
  const plan = new FilePlan({ ...whole, start: 19 * BLOCK + 7 }, false, 0);
  assert.deepEqual(plan.begin(company, somebody, first), [19, 20]);
  assert.deepEqual(plan.range(20), { rangeStart: 20 * BLOCK, rangeEnd: 20 * BLOCK + 5 });
  assert.deepEqual(new FilePlan({ ...whole, end: BLOCK }, false, 0).begin(company, somebody, first), [0], "an end is exclusive");
});

test("a block alone is due when a plain fetch would have come to it, among others a little later", () => {
  const plan = new FilePlan(whole, false, 1000);
  plan.advance(alone, true, 1000);
  assert.equal(plan.deadlineMs(3, alone), 1000 + 3000 + NEED_MS);
  assert.equal(plan.deadlineMs(3, company), 1000 + 3000 + NEED_MS + TOLERANCE_MS);
});

test("a deadline stays where it is while time passes", () => {
  const plan = new FilePlan(whole, false, 0);
  plan.advance(company, true, 0);
  const before = plan.deadlineMs(5, company);
  plan.advance(company, true, 1500);
  assert.equal(plan.deadlineMs(5, company), before);
});

test("the first block that somebody waits to see has no tolerance", () => {
  const plan = new FilePlan(whole, true, 0);
  assert.equal(plan.deadlineMs(0, company), NEED_MS);
  assert.equal(plan.deadlineMs(1, company), 1000 + NEED_MS + TOLERANCE_MS);
});

test("of a lead over the plain fetch only a little counts", () => {
  const plan = new FilePlan(whole, false, 0);
  plan.took(10 * BLOCK);
  plan.advance(company, true, 1000);
  assert.equal(plan.deadlineMs(10, company), 1000 + LEAD_MS + NEED_MS + TOLERANCE_MS);
});

test("a reader who pauses is not behind when it goes on", () => {
  const plan = new FilePlan(whole, false, 0);
  plan.took(BLOCK);
  plan.advance(company, false, 60_000);
  assert.equal(plan.deadlineMs(2, company), 60_000 + 2000 + NEED_MS + TOLERANCE_MS);
});

test("the faster of what was measured is the plain fetch's pace", () => {
  const plan = new FilePlan(whole, false, 0);
  plan.measured(2 * BLOCK, 1000);
  assert.equal(plan.deadlineMs(2, alone), 1000 + NEED_MS);
});
