/** The shipped peer cores as a swarm, in memory: docs of the model are in bench/sim. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Player } from "../../../bench/sim/player.js";
import { Stream } from "../../../bench/sim/stream.js";
import { World } from "../../../bench/sim/world.js";

const LIVE = 15;
const VOD = Number.POSITIVE_INFINITY;

/**
 * @param {object} shape
 * @param {number} shape.viewers
 * @param {number} [shape.windowSegments]
 * @param {number} [shape.bitrateBps]
 * @param {number} [shape.everyMs]  between joins
 * @param {number} [shape.seed]
 * @param {(index: number) => import("../../../bench/sim/peer.js").PeerShape} [shape.peer]
 */
function swarm({ viewers, windowSegments = LIVE, bitrateBps = 1_600_000, everyMs = 1000, seed = 1, peer = () => ({}) }) {
  const stream = new Stream({ windowSegments, bitrateBps });
  const world = new World([stream], seed);
  /** @type {Player[]} */
  const players = [];
  for (let index = 0; index < viewers; index++) {
    const arrive = () => {
      const member = world.join(peer(index));
      world.introduce(member, 8);
      players.push(new Player(member, [stream], { manifestMs: 0, random: world.random }));
    };
    world.clock.at((index + world.random() * 0.7) * everyMs, arrive, null);
  }
  const joinedMs = viewers * everyMs + 4000;
  world.run(joinedMs);
  return { stream, world, players, joinedMs, fresh: stream.live ? stream.newest(joinedMs) + 1 : 0 };
}

/** @param {Player[]} players */
const stalls = (players) => players.reduce((sum, player) => sum + player.stalls, 0);

/** @param {World} world @param {Stream} stream @param {number} fresh */
const steadyCopies = (world, stream, fresh) =>
  world.copiesPerSegment((number) => number >= fresh && number < stream.newest(world.clock.nowMs) - 1);

for (const seed of [1, 2, 3]) {
  test(`live, five viewers: a fresh segment enters about once and nobody stalls (seed ${seed})`, () => {
    const { world, stream, players, joinedMs, fresh } = swarm({ viewers: 5, seed });
    world.run(joinedMs + 60_000);
    assert.equal(stalls(players), 0);
    assert.ok(steadyCopies(world, stream, fresh) <= 1.05, `${steadyCopies(world, stream, fresh)} copies`);
    for (const player of players) assert.ok(player.latencySec < 9, `${player.latencySec} s behind`);
  });
}

test("live, ten viewers: the swarm is no slower than the CDN to any of them", () => {
  const { world, stream, players, joinedMs, fresh } = swarm({ viewers: 10 });
  world.run(joinedMs + 40_000);
  assert.equal(stalls(players), 0);
  assert.ok(steadyCopies(world, stream, fresh) <= 1.05, `${steadyCopies(world, stream, fresh)} copies`);
});

test("live, forty viewers who are not all neighbours: a fresh segment still enters about once", () => {
  const { world, stream, players, joinedMs } = swarm({ viewers: 40, everyMs: 300 });
  world.run(joinedMs + 10_000);
  const warm = stream.newest(world.clock.nowMs) + 1;
  world.run(joinedMs + 40_000);
  assert.equal(stalls(players), 0);
  assert.ok(steadyCopies(world, stream, warm) <= 1.05, `${steadyCopies(world, stream, warm)} copies`);
});

/**
 * Viewers of two providers: each knows some of its own and one of the other.
 * @param {{ windowSegments?: number, own?: number }} [shape]  `own`: neighbours of the same provider
 */
function twoProviders({ windowSegments = LIVE, own = 4 } = {}) {
  const stream = new Stream({ windowSegments, bitrateBps: 1_600_000 });
  const world = new World([stream], 3);
  /** @type {[Player[], Player[]]} */
  const providers = [[], []];
  const pick = (/** @type {Player[]} */ players) => players[Math.floor(world.random() * players.length)]?.peer;
  const arrive = (/** @type {0 | 1} */ provider) => {
    const member = world.join();
    const near = [...providers[provider]];
    for (let count = 0; count < own && near.length > 0; count++) {
      const [other] = near.splice(Math.floor(world.random() * near.length), 1);
      world.connect(member, simulated(/** @type {Player} */ (other)));
    }
    const stranger = pick(providers[1 - provider] ?? []);
    if (stranger) world.connect(member, /** @type {any} */ (stranger));
    providers[provider].push(new Player(member, [stream], { manifestMs: 0, random: world.random }));
    const clusterSize = providers[provider].length;
    for (const player of providers[provider]) {
      const { node, index } = simulated(player);
      const peer = index.toString(16).padStart(20, "0");
      simulated(player).turn((nowMs) =>
        node.joined({ peer, cells: [7, 70 + provider], cluster: 70 + provider, clusterSize, integrity: world.integrity }, nowMs),
      );
    }
  };
  for (let index = 0; index < 24; index++) world.clock.at(index * 500, () => arrive(/** @type {0 | 1} */ (index % 2)), null);
  world.run(16_000);
  return { stream, world, providers, players: providers.flat(), fresh: stream.live ? stream.newest(16_000) + 1 : 0 };
}

/** @param {Player} player */
const simulated = ({ peer }) => /** @type {import("../../../bench/sim/peer.js").SimPeer} */ (peer);

/** @param {Player[]} players @returns {number} the share of what moved between peers that went from one provider to the other */
function strayShare(players) {
  let [all, far] = [0, 0];
  for (const player of players) {
    for (const neighbour of simulated(player).node._neighbourhood.greeted) {
      all += neighbour.movedBytes;
      if (neighbour.far) far += neighbour.movedBytes;
    }
  }
  return far / all;
}

test("live, two providers: each fetches a segment once, and what peers send stays with their provider", () => {
  const { world, stream, players, fresh } = twoProviders();
  world.run(70_000);
  assert.equal(stalls(players), 0);
  assert.ok(steadyCopies(world, stream, fresh) <= 2.1, `${steadyCopies(world, stream, fresh)} copies`);
  assert.ok(strayShare(players) <= 0.03, `${strayShare(players)} went astray`);
});

test("live, two providers: where one of them hardly reaches the CDN, the other carries it", () => {
  const { world, players, providers } = twoProviders();
  const [cutOff] = providers;
  for (const player of cutOff) simulated(player).cdnBytesPerMs = 5; // 40 kbit/s
  world.run(60_000);
  assert.equal(stalls(players), 0);
  assert.ok(strayShare(cutOff) > 0.1, `${strayShare(cutOff)} came from the other`);
});

test("VOD, two providers: what nobody near has is taken from afar", () => {
  const { world, players } = twoProviders({ windowSegments: VOD, own: 0 });
  world.run(60_000);
  assert.equal(stalls(players), 0);
  assert.ok(strayShare(players) === 1);
  assert.ok(world.copiesPerSegment() < 20, `${world.copiesPerSegment()} copies`);
});

/** @param {Player} player */
const fromCdn = ({ peer }) => /** @type {import("../../../bench/sim/peer.js").SimPeer} */ (peer).ledger.cdnBytes;

test("when the fetcher leaves, another takes over and nobody stalls", () => {
  const { world, stream, players, joinedMs, fresh } = swarm({ viewers: 8 });
  world.run(joinedMs + 10_000);
  const fetcher = players.reduce((most, player) => (fromCdn(player) > fromCdn(most) ? player : most));
  fetcher.peer.vanish(() => 8000);
  fetcher.finish();
  world.run(joinedMs + 40_000);
  assert.equal(stalls(players.filter((player) => player !== fetcher)), 0);
  assert.ok(steadyCopies(world, stream, fresh) <= 1.25, `${steadyCopies(world, stream, fresh)} copies`);
});

test("the same seed is the same run, to the byte", () => {
  const runs = [0, 1].map(() => {
    const { world, joinedMs } = swarm({ viewers: 4, seed: 9 });
    world.run(joinedMs + 10_000);
    return JSON.stringify([[...world.cdn.log], world.peers.map((peer) => peer.ledger)]);
  });
  assert.equal(runs[0], runs[1]);
});

test("segments smaller than a channel's mark keep flowing", () => {
  const { world, stream, players, joinedMs, fresh } = swarm({ viewers: 3, bitrateBps: 96_000 });
  world.run(joinedMs + 60_000);
  assert.ok(steadyCopies(world, stream, fresh) <= 1.25, `${steadyCopies(world, stream, fresh)} copies`);
  assert.equal(stalls(players), 0);
});

test("VOD, staggered: late viewers are served by those before them", () => {
  const { world, players, joinedMs } = swarm({ viewers: 5, windowSegments: VOD, everyMs: 3000 });
  world.run(joinedMs + 40_000);
  assert.equal(stalls(players), 0);
  assert.ok(world.copiesPerSegment() <= 1.4, `${world.copiesPerSegment()} copies`);
});

test("alone, a viewer is as fast as plain HTTP, and takes every byte once", () => {
  const { world, players, joinedMs } = swarm({ viewers: 1 });
  world.run(joinedMs + 20_000);
  const player = /** @type {Player} */ (players[0]);
  assert.equal(world.copiesPerSegment(), 1);
  // Two CDN latencies each way and the body at its rate: nothing of ours in between.
  assert.ok((player.firstFrameMs ?? Number.POSITIVE_INFINITY) <= 2 * 20 + player.stream.sizeBytes(12) / 2500 + 1);
});

test("a viewer who vanishes mid-transfer, unnoticed for five seconds, costs no one a stall", () => {
  const { world, players, joinedMs } = swarm({ viewers: 6 });
  for (const [delayMs, index] of /** @type {const} */ ([
    [1100, 0],
    [6300, 3],
  ])) {
    world.clock.at(joinedMs + delayMs, () => /** @type {Player} */ (players[index]).peer.leave(5000), null);
  }
  world.run(joinedMs + 30_000);
  assert.equal(stalls(players.filter((player) => !player.peer.gone)), 0);
});

test("whose CDN crawls is carried by the others, and does not hold them up", () => {
  const { world, players, joinedMs } = swarm({ viewers: 5 });
  const slow = /** @type {Player} */ (players[4]);
  slow.peer.cdnBytesPerMs = 50_000 / 8000;
  const before = { peers: slow.peerBytes, all: slow.receivedBytes };
  world.run(joinedMs + 30_000);
  assert.equal(stalls(players), 0);
  assert.ok(slow.peerBytes - before.peers > 0.8 * (slow.receivedBytes - before.all));
});

test("while the origin is gone, what one holds the others play", () => {
  const { world, players, joinedMs } = swarm({ viewers: 3, windowSegments: VOD, everyMs: 8000 });
  world.cdn.down = true;
  world.run(joinedMs + 10_000);
  assert.equal(stalls(players), 0);
  world.cdn.down = false;
  world.run(joinedMs + 40_000);
  assert.equal(stalls(players), 0);
});

test("who uploads nothing still plays, and who is asked beyond its cap never exceeds it", () => {
  const peer = (/** @type {number} */ index) => (index === 1 ? { uploadLimitBps: 0 } : { uploadLimitBps: 2e6 });
  const { world, players, joinedMs } = swarm({ viewers: 4, peer });
  world.run(joinedMs + 30_000);
  assert.equal(stalls(players), 0);
  assert.equal(world.peers[1]?.ledger.sentBytes, 0);
  for (const peer of world.peers) {
    const seconds = (world.clock.nowMs + 1000) / 1000;
    assert.ok(peer.ledger.sentBytes <= (2e6 / 8) * seconds);
  }
});

test("viewers who upload nothing do not make the others wait for them, nor fetch for themselves what others have", () => {
  const peer = (/** @type {number} */ index) => (index % 2 ? {} : { uploadLimitBps: 0 });
  const { world, stream, players, joinedMs, fresh } = swarm({ viewers: 5, peer });
  world.run(joinedMs + 40_000);
  assert.equal(stalls(players), 0);
  assert.ok(steadyCopies(world, stream, fresh) <= 1.25, `${steadyCopies(world, stream, fresh)} copies`);
});

test("a wandering viewer's store stays below its cap, and its neighbours are told what is gone", () => {
  const { world, players, joinedMs } = swarm({ viewers: 3, peer: () => ({ storeBytes: 3_000_000 }) });
  world.run(joinedMs + 60_000);
  assert.equal(stalls(players), 0);
  for (const peer of world.peers) assert.ok([...peer.node.held()].length <= 9);
});
