/** One run: the scenario's viewers come, play and go; what is measured on the way is kept for metrics.js. */

import { SIGNED } from "./checks.js";
import { Player } from "./player.js";
import { population } from "./population.js";
import { mix, seeded } from "./random.js";
import { middleBps } from "./scenarios.js";
import { Stream } from "./stream.js";
import { World } from "./world.js";

/** @typedef {import("./scenarios.js").Scenario} Scenario */
/** @typedef {import("./population.js").Visit} Visit */
/** @typedef {import("./peer.js").SimPeer} SimPeer */
/** @typedef {import("./plain.js").PlainPeer} PlainPeer */

/** Neighbours of one that vanished find out within this: ICE consent, then the engine's patience. */
const NOTICE_MIN_MS = 5000;
const NOTICE_MAX_MS = 15_000;
const PROBE_MS = 5000;
/** After the last has come: connections are being made until then. */
const SETTLE_MS = 10_000;

/** One viewer of a run. @typedef {{ visit: Visit, peer: SimPeer | PlainPeer, player: Player }} Viewer */

export class Simulation {
  /** @param {Scenario} scenario @param {import("./tracker.js").Backend | null} backend  null for plain HTTP, without the library */
  constructor(scenario, backend) {
    this.scenario = scenario;
    const { content, audience, lines, seed } = scenario;
    this.levels = content.bitratesBps.map(
      (bitrateBps) =>
        new Stream({
          name: `${bitrateBps}`,
          bitrateBps,
          durationSec: content.segmentSec,
          windowSegments: content.windowSegments ?? Number.POSITIVE_INFINITY,
          segments: content.segments ?? Number.POSITIVE_INFINITY,
        }),
    );
    const cdnCapacityBps = (lines.cdnCapacity ?? Number.POSITIVE_INFINITY) * audience.peers * middleBps(content);
    this.world = new World(this.levels, seed, {
      tracker: backend,
      cdnCapacityBps,
      unreachable: lines.unreachable,
      integrity: policy(audience),
    });
    this.world.liars = audience.liars > 0;
    this.endMs = scenario.minutes * 60_000;
    this.visits = population(scenario);
    this.warmMs = warmMs(scenario);
    /** @type {Viewer[]} */
    this.viewers = [];
    this._plain = backend === null;
    if (!this._plain) this.world.cdn.history = [];
    /** When a playlist first showed a segment. @type {Map<number, number>} */
    this.listedMs = new Map();
    this._newestListed = -1;
    /** When viewers had a segment whole: index and time, one after the other. @type {Map<number, number[]>} */
    this.heldMs = new Map();
    this.world.became = (peer, number) => this._whole(peer.index, number);
    /** Bytes handed to players, by segment number; and since the warm-up. @type {Map<number, number>} */
    this.consumed = new Map();
    this.consumedBytes = 0;
    this.warm = { consumedBytes: 0, originBytes: 0 };
    /** @type {number[]} neighbours of each, looked at now and then */
    this.neighbourCounts = [];
    /** The same by what NAT each is behind. @type {Map<import("./nats.js").NatKind, number[]>} */
    this.neighboursByNat = new Map();
    /** Viewer-milliseconds of the run, and of it after the warm-up. */
    this.presentMs = 0;
    this.warmPresentMs = 0;
  }

  /** @param {(text: string) => void} [progress] */
  run(progress = () => {}) {
    const { clock, cdn } = this.world;
    for (const visit of this.visits) {
      if (visit.joinMs < this.endMs) clock.at(visit.joinMs, () => this._come(visit), null);
    }
    const outage = this.scenario.lines.originDown;
    if (outage)
      for (const [at, down] of /** @type {const} */ ([
        [outage[0], true],
        [outage[1], false],
      ]))
        clock.at(
          at * 1000,
          () => {
            cdn.down = down;
          },
          null,
        );
    clock.at(
      this.warmMs,
      () => {
        this.warm = { consumedBytes: this.consumedBytes, originBytes: cdn.sentBytes };
      },
      null,
    );
    for (let atMs = PROBE_MS; atMs <= this.endMs; atMs += PROBE_MS) clock.at(atMs, () => this._probe(), null);
    for (let atMs = 0; atMs < this.endMs; atMs += 10_000) {
      clock.run(Math.min(this.endMs, atMs + 10_000));
      progress(
        `${this._plain ? "plain" : "pool"} ${Math.round(clock.nowMs / 1000)} s, ${this.viewers.length} came, ${clock.events} events`,
      );
    }
    for (const { peer, player } of this.viewers) {
      if (!peer.gone) player.finish();
      const untilMs = Math.min(peer.leftMs, this.endMs);
      this.presentMs += untilMs - peer.joinedMs;
      this.warmPresentMs += Math.max(0, untilMs - Math.max(this.warmMs, peer.joinedMs));
    }
  }

  /** @param {Visit} visit */
  _come(visit) {
    const { world } = this;
    const peer = this._plain ? world.joinPlain(visit.index, visit.shape) : world.join(visit.shape);
    const random = seeded(mix(this.scenario.seed, 0xb0b, visit.index));
    this.viewers.push({ visit, peer, player: new Player(peer, this.levels, { ...visit.player, random }, this) });
    if (visit.leaveMs >= this.endMs) return;
    const go = () => {
      this.viewers.find((viewer) => viewer.peer === peer)?.player.finish();
      if (visit.vanishes) peer.vanish(() => NOTICE_MIN_MS + random() * (NOTICE_MAX_MS - NOTICE_MIN_MS));
      else peer.leave();
    };
    world.clock.at(Math.max(visit.leaveMs, visit.joinMs + 1), go, null);
  }

  /** @param {number} newest @param {number} nowMs */
  listed(newest, nowMs) {
    for (let number = Math.max(this._newestListed + 1, newest - 100); number <= newest; number++) this.listedMs.set(number, nowMs);
    this._newestListed = Math.max(this._newestListed, newest);
  }

  /** @param {Player} player @param {number} number @param {number} sizeBytes */
  held(player, number, sizeBytes) {
    this.consumedBytes += sizeBytes;
    this.consumed.set(number, (this.consumed.get(number) ?? 0) + sizeBytes);
    if (this._plain) this._whole(player.peer.index, number);
  }

  /** A peer holds a segment whole, whether its player has asked for it or not. @param {number} peer  its index @param {number} number */
  _whole(peer, number) {
    let times = this.heldMs.get(number);
    if (!times) {
      times = [];
      this.heldMs.set(number, times);
    }
    times.push(peer, this.world.clock.nowMs);
  }

  _probe() {
    if (this._plain || this.world.clock.nowMs < this.warmMs) return;
    for (const peer of this.world.alive) {
      this.neighbourCounts.push(peer.node.neighbourCount);
      const ofKind = this.neighboursByNat.get(peer.nat) ?? [];
      ofKind.push(peer.node.neighbourCount);
      this.neighboursByNat.set(peer.nat, ofKind);
    }
  }
}

/** @param {import("./scenarios.js").Audience} audience @returns {import("../../static/js/core/integrity.js").IntegrityPolicy} */
function policy({ integrity }) {
  return integrity === "signed" ? SIGNED : { mode: integrity, keys: new Map(), digests: "" };
}

/** When everybody has come and settled; of a crowd that comes and goes, when the first have stayed as long as they do. @param {Scenario} scenario */
function warmMs({ audience, minutes }) {
  if (audience.poisson) return Math.min(audience.staySec, (minutes * 60) / 3) * 1000;
  return audience.joinOverSec * 1000 + SETTLE_MS;
}
