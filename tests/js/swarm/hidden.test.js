/** Viewers whose pages are hidden, in a swarm in memory: their timers ring once a second. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Player } from "../../../bench/sim/player.js";
import { Stream } from "../../../bench/sim/stream.js";
import { World } from "../../../bench/sim/world.js";

const VIEWERS = 10;
const JOINED_MS = 24_000;

/** @typedef {import("../../../bench/sim/peer.js").SimPeer} SimPeer */
/** @typedef {{ peer: SimPeer, player: Player }} Viewer */

/** Ten live viewers, settled. @param {number} seed */
function swarm(seed) {
  const stream = new Stream({ windowSegments: 15, bitrateBps: 1_600_000 });
  const world = new World([stream], seed);
  /** @type {Viewer[]} */
  const viewers = [];
  for (let index = 0; index < VIEWERS; index++) {
    const arrive = () => {
      const peer = world.join();
      world.introduce(peer, 8);
      viewers.push({ peer, player: new Player(peer, [stream], { manifestMs: 0, random: world.random }) });
    };
    world.clock.at((index + world.random() * 0.7) * 1000, arrive, null);
  }
  world.run(JOINED_MS);
  const fetcher = viewers.reduce((most, viewer) => (viewer.peer.ledger.cdnBytes > most.peer.ledger.cdnBytes ? viewer : most));
  const fresh = stream.newest(world.clock.nowMs) + 1;
  const copies = () => world.copiesPerSegment((number) => number >= fresh && number < stream.newest(world.clock.nowMs) - 1);
  const stalls = () => viewers.reduce((sum, { player }) => sum + player.stalls, 0);
  return { world, viewers, fetcher, copies, stalls };
}

for (const seed of [1, 2, 3]) {
  test(`a fetcher whose page is hidden hands on its role, and costs nobody a stall or a second copy (seed ${seed})`, () => {
    const { world, fetcher, copies, stalls } = swarm(seed);
    const { cdnBytes, sentBytes, peerBytes } = fetcher.peer.ledger;
    fetcher.peer.hide(true);
    world.run(JOINED_MS + 60_000);
    assert.equal(stalls(), 0);
    assert.ok(copies() <= 1.05, `${copies()} copies`);
    assert.equal(fetcher.peer.ledger.cdnBytes - cdnBytes, 0);
    assert.ok(fetcher.peer.ledger.peerBytes - peerBytes > 9e6); // it plays on, of what others fetch: a minute is 12 MB
    const sent = fetcher.peer.ledger.sentBytes - sentBytes;
    assert.ok(sent > 0 && sent <= (20e6 / 8 / 4) * 61, `${sent} bytes sent`); // and shares, below a quarter of its limit
  });

  test(`where all pages are hidden, one of them comes to fetch for all (seed ${seed})`, () => {
    const { world, viewers, copies, stalls } = swarm(seed);
    for (const { peer } of viewers) peer.hide(true);
    world.run(JOINED_MS + 60_000);
    assert.equal(stalls(), 0);
    assert.ok(copies() <= 1.1, `${copies()} copies`);
  });
}

test("pages that are hidden and seen by turns cost nobody a stall", () => {
  const { world, viewers, copies, stalls } = swarm(4);
  for (let turn = 0; turn < 30; turn++) {
    const { peer } = /** @type {Viewer} */ (viewers[turn % VIEWERS]);
    world.clock.at(JOINED_MS + turn * 2000, () => peer.hide(true), null);
    world.clock.at(JOINED_MS + turn * 2000 + 9000, () => peer.hide(false), null);
  }
  world.run(JOINED_MS + 70_000);
  assert.equal(stalls(), 0);
  assert.ok(copies() <= 1.1, `${copies()} copies`);
});
