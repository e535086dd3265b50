import assert from "node:assert/strict";
import { test } from "node:test";
import { PIECE_BYTES } from "../../../static/js/core/constants.js";
import { Neighbour } from "../../../static/js/core/neighbour.js";
import { Pipeline } from "../../../static/js/core/pipeline.js";
import { IN_FLIGHT_MS, IN_FLIGHT_PIECES_MIN } from "../../../static/js/core/tuning.js";

test("as much may be asked of all together as the line carries in a while, less what is on its way", () => {
  const pipeline = new Pipeline();
  const neighbours = [new Neighbour(1, true, 0), new Neighbour(2, true, 0)];
  assert.equal(pipeline.room(neighbours, 1), IN_FLIGHT_PIECES_MIN);
  const fast = Math.ceil((2000 * IN_FLIGHT_MS) / PIECE_BYTES);
  assert.equal(pipeline.room(neighbours, 2000), fast);
  for (const neighbour of neighbours) neighbour.inFlightPieces = 5;
  assert.equal(pipeline.room(neighbours, 2000), fast - 10);
});

test("what neighbours were seen to bring counts where the CDN is slower", () => {
  const pipeline = new Pipeline();
  for (let nowMs = 0; nowMs <= 1000; nowMs += 10) pipeline.arrived(50_000, nowMs);
  assert.ok(pipeline.room([], 1) > (4000 * IN_FLIGHT_MS) / PIECE_BYTES);
});

test("the line is full while as much arrives as ever did, and not when less does", () => {
  const pipeline = new Pipeline();
  for (let nowMs = 0; nowMs <= 2000; nowMs += 10) pipeline.arrived(5000, nowMs);
  assert.equal(pipeline.full(2000), true);
  for (let nowMs = 2010; nowMs <= 4000; nowMs += 10) pipeline.arrived(1000, nowMs);
  assert.equal(pipeline.full(4000), false);
});

test("a line through which nothing has come yet is not full", () => {
  assert.equal(new Pipeline().full(1000), false);
});
