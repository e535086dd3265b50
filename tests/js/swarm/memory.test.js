/** What a viewer of an endless stream holds in memory: as much after half an hour as after ten minutes. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Player } from "../../../bench/sim/player.js";
import { Stream } from "../../../bench/sim/stream.js";
import { World } from "../../../bench/sim/world.js";

const STORE_BYTES = 4 << 20;

/**
 * All that can be reached from an object: entries of maps, sets and arrays by the path to them, and bytes of buffers.
 * @param {object} root @returns {{ entries: Map<string, number>, bytes: number }}
 */
function reachable(root) {
  /** @type {Map<string, number>} */
  const entries = new Map();
  /** @type {Set<object>} */
  const seen = new Set();
  let bytes = 0;
  /** @type {[path: string, value: unknown][]} */
  const open = [["", root]];
  for (let next = open.pop(); next; next = open.pop()) {
    const [path, value] = next;
    if (typeof value !== "object" || value === null || seen.has(value)) continue;
    seen.add(value);
    if (ArrayBuffer.isView(value)) {
      bytes += value.byteLength;
      continue;
    }
    const many = value instanceof Map || value instanceof Set || Array.isArray(value);
    if (many) entries.set(path, (entries.get(path) ?? 0) + (Array.isArray(value) ? value.length : value.size));
    const members = value instanceof Map ? [...value].flat() : value instanceof Set ? [...value] : Object.entries(value);
    for (const member of members) {
      if (many && !Array.isArray(value)) open.push([`${path}[]`, member]);
      else if (Array.isArray(member)) open.push([many ? `${path}[]` : `${path}.${member[0]}`, member[1]]);
    }
  }
  return { entries, bytes };
}

test("thirty minutes of live leave no more behind than ten", () => {
  // Segments of a second: a table that fills with segments has met its bound by the tenth minute.
  const stream = new Stream({ windowSegments: 15, bitrateBps: 200_000, durationSec: 1 });
  const world = new World([stream], 1);
  for (let index = 0; index < 3; index++) {
    const peer = world.join({ storeBytes: STORE_BYTES });
    world.introduce(peer, 8);
    new Player(peer, [stream], { manifestMs: 0, random: world.random });
  }
  world.run(10 * 60_000);
  const early = reachable(world.peers.map(({ node }) => node));
  world.run(30 * 60_000);
  const late = reachable(world.peers.map(({ node }) => node));
  assert.ok(late.bytes <= world.peers.length * (STORE_BYTES + 2 ** 20), `${late.bytes} bytes held`); // and what is on its way
  for (const [path, count] of late.entries) {
    const was = early.entries.get(path) ?? 0;
    assert.ok(count <= was * 1.1 + 32, `${path}: ${was} entries after ten minutes, ${count} after thirty`);
  }
});
