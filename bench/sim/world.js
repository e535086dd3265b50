/**
 * A swarm in memory: the shipped peer cores, unmodified, over a modelled network, CDN, tracker and clock. Deterministic: same
 * seed, same run. links.js has the peers' lines, cdn.js the CDN, tracker.js the tracker, peer.js a page and player.js a player.
 */

import { contentId } from "../../static/js/core/identity.js";
import { Cdn } from "./cdn.js";
import { Clock } from "./clock.js";
import { Interning } from "./interning.js";
import { meet } from "./nats.js";
import { SimPeer } from "./peer.js";
import { PlainPeer } from "./plain.js";
import { mix, seeded } from "./random.js";
import { Tracker } from "./tracker.js";

/** @typedef {import("./stream.js").Stream} Stream */
/** @typedef {import("./peer.js").PeerShape} PeerShape */

/**
 * @typedef {object} WorldOptions
 * @property {import("./tracker.js").Backend | null} [tracker]  null: peers are introduced directly
 * @property {number} [cdnCapacityBps]
 * @property {import("../../static/js/core/integrity.js").IntegrityPolicy} [integrity]  off by default
 * @property {number} [unreachable]  share of pairs that NATs keep apart
 */

/** @type {import("../../static/js/core/integrity.js").IntegrityPolicy} */
const UNCHECKED = { mode: "off", keys: new Map(), digests: "" };

export class World {
  /** @param {Stream[]} streams @param {number} seed @param {WorldOptions} [options] */
  constructor(
    streams,
    seed,
    { tracker = null, cdnCapacityBps = Number.POSITIVE_INFINITY, unreachable = 0, integrity = UNCHECKED } = {},
  ) {
    this.streams = new Map(streams.map((stream) => [stream.track, stream]));
    this.content = contentId("simulated/content");
    this.integrity = integrity;
    /** Whether some send wrong bytes. */
    this.liars = false;
    this.clock = new Clock();
    this.random = seeded(seed);
    this.cdn = new Cdn(this.clock, (url) => this.resource(url), cdnCapacityBps);
    this.tracker = tracker && new Tracker(this.clock, tracker);
    this.interning = new Interning();
    /** @type {SimPeer[]} */
    this.peers = [];
    /** Told when a peer comes to hold a segment whole. @type {(peer: SimPeer, number: number) => void} */
    this.became = () => {};
    /** Time spent inside the cores, and how often they were entered. */
    this.effort = { coreMs: 0, turns: 0 };
    /** Connections that both sides set out to make, by what came of them; hopeless are all between those whom their NATs keep apart. */
    this.attempts = { connected: 0, failed: 0, hopeless: 0 };
    /** Connections being set up, by the number in their stand-in SDP. @type {Map<number, import("./connections.js").Connection>} */
    this.expected = new Map();
    this._nextConnection = 1;
    this._seed = seed;
    this._unreachable = unreachable;
    this._nextLink = 1;
  }

  /** @param {PeerShape} [shape] @returns {SimPeer} known to the tracker soon, if there is one; else to nobody */
  join(shape = {}) {
    const peer = new SimPeer(this, this.peers.length, shape, this.tracker !== null);
    this.peers.push(peer);
    return peer;
  }

  /** @param {number} index @param {PeerShape} shape */
  joinPlain(index, shape) {
    return new PlainPeer(this, index, shape);
  }

  /** @param {SimPeer} peer */
  openSocket(peer) {
    const tracker = /** @type {Tracker} */ (this.tracker);
    return tracker.open(peer.trackerMs, peer.place, {
      opened: () => peer.turn((nowMs) => peer.membership.socketOpened(nowMs)),
      received: (message) => peer.turn((nowMs) => peer.membership.messageReceived(message, nowMs)),
      closed: (code) => peer.turn((nowMs) => peer.membership.socketClosed(nowMs, code)),
    });
  }

  /** @param {import("./connections.js").Connection} connection @returns {number} */
  expect(connection) {
    this.expected.set(this._nextConnection, connection);
    return this._nextConnection++;
  }

  /** Whether NATs keep two apart, always. @param {SimPeer} one @param {SimPeer} two */
  unreachable(one, two) {
    if (!meet(one.nat, two.nat)) return true;
    const [low, high] = one.index < two.index ? [one.index, two.index] : [two.index, one.index];
    return mix(this._seed, low, high) / 2 ** 32 < this._unreachable;
  }

  /** Without a tracker. @param {SimPeer} offerer @param {SimPeer} answerer @param {number} [afterMs]  set-up time */
  connect(offerer, answerer, afterMs = 300) {
    offerer.connections.meet(answerer, this._nextLink++, afterMs);
  }

  /**
   * Without a tracker: connects a newcomer with up to `degree` of those already there, and says the swarm's size to all.
   * @param {SimPeer} peer @param {number} degree
   */
  introduce(peer, degree) {
    const others = this.alive.filter((other) => other !== peer);
    for (let count = 0; count < degree && others.length > 0; count++) {
      const [other] = others.splice(Math.floor(this.random() * others.length), 1);
      if (other) this.connect(peer, other);
    }
    const size = this.alive.length;
    for (const member of this.alive) {
      const peerId = member.index.toString(16).padStart(20, "0");
      member.turn((nowMs) =>
        member.node.joined({ peer: peerId, cells: [], cluster: null, clusterSize: size, integrity: this.integrity }, nowMs),
      );
    }
  }

  get alive() {
    return this.peers.filter((peer) => !peer.gone);
  }

  /** @param {number} untilMs */
  run(untilMs) {
    this.clock.run(untilMs);
  }

  /**
   * @param {(number: number) => boolean} [counted]  which segments
   * @returns {number} bytes the CDN sent of them over their size, once each
   */
  copiesPerSegment(counted) {
    const { sent, unique } = this.cdn.totals(counted);
    return sent / unique;
  }

  /** @param {string} url @returns {Uint8Array} */
  resource(url) {
    const [track, number] = url.split("/").slice(-2);
    const stream = this.streams.get(/** @type {string} */ (track));
    if (!stream) throw new Error(`nothing at ${url}`);
    return stream.bytes(Number(number));
  }
}
