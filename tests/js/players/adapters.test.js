import assert from "node:assert/strict";
import { afterEach, mock, test } from "node:test";
import { attachPlayer } from "../../../static/js/players/adapters.js";

const page = /** @type {any} */ (globalThis);
const { reportError } = page;
afterEach(() => {
  page.reportError = reportError;
});

/** @returns {any} as far as adapters touch it before anything plays */
function poolWithoutPlayers() {
  return { options: {}, players: new Set(), leaveUnused: () => {}, engine: () => null };
}

test("an hls.js instance is told by its shape and put into the pool once", () => {
  const pool = poolWithoutPlayers();
  const hls = { config: { loader: class {} }, media: null, loadSource: () => {}, on: () => {} };
  attachPlayer(pool, /** @type {any} */ (hls));
  attachPlayer(pool, /** @type {any} */ (hls));
  assert.equal(pool.players.size, 1);
});

test("what no adapter knows is reported, plays on, and is not put into the pool", () => {
  page.reportError = mock.fn();
  const pool = poolWithoutPlayers();
  for (const stranger of [{ play: () => {} }, null, undefined, "video"]) attachPlayer(pool, /** @type {any} */ (stranger));
  assert.equal(page.reportError.mock.callCount(), 4);
  assert.match(page.reportError.mock.calls[0].arguments[0].message, /docs\/players\.md/);
  assert.equal(pool.players.size, 0);
});

test("a dash.js player is told by its shape and put into the pool once", () => {
  const pool = poolWithoutPlayers();
  const player = { attachSource: () => {}, extend: () => {} };
  attachPlayer(pool, /** @type {any} */ (player));
  attachPlayer(pool, /** @type {any} */ (player));
  assert.equal(pool.players.size, 1);
});
