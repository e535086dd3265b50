/**
 * A swarm in memory: the shipped peer cores, unmodified, over an invented network, CDN and clock. Deterministic: same seed,
 * same run. Uplinks are shared by all channels of a peer and sent first come first served; the CDN has a latency and a rate a
 * connection, and logs every byte.
 */

import { hex } from "../../../static/js/core/identity.js";
import { PeerNode } from "../../../static/js/core/peer-node.js";
import { Clock, seeded } from "./clock.js";
import { Stream } from "./stream.js";

/** @typedef {import("../../../static/js/core/outbox.js").Command} Command */

/** What the CDN sends at once. */
const CHUNK_BYTES = 16384;
/** bufferedAmountLowThreshold of the bulk channel. */
const LOW_WATER_BYTES = 32768;

/**
 * @typedef {object} PeerShape
 * @property {number} [uplinkBps]
 * @property {number} [latencyMs]  one way, to anybody
 * @property {number} [cdnBps]  a connection's rate
 * @property {number} [cdnLatencyMs]
 * @property {number} [storeBytes]
 * @property {number} [uploadLimitBps]
 */

export class World {
  /** @param {Map<string, Stream>} streams  by track id @param {number} seed */
  constructor(streams, seed) {
    this.streams = streams;
    this.clock = new Clock();
    this.random = seeded(seed);
    /** @type {WorldPeer[]} */
    this.peers = [];
    /** @type {{ atMs: number, peer: number, url: string, sizeBytes: number }[]} */
    this.originLog = [];
    /** While true the CDN answers 503. */
    this.originDown = false;
    this._nextLink = 1;
  }

  /** @param {PeerShape} [shape] @returns {WorldPeer} connected to nobody */
  join(shape = {}) {
    const peer = new WorldPeer(this, this.peers.length, shape);
    this.peers.push(peer);
    return peer;
  }

  /** @param {WorldPeer} offerer @param {WorldPeer} answerer @param {number} [afterMs]  set-up time */
  connect(offerer, answerer, afterMs = 300) {
    const link = this._nextLink++;
    this.clock.at(this.clock.nowMs + afterMs, () => {
      if (offerer.gone || answerer.gone) return;
      offerer.opened(link, answerer, true);
      answerer.opened(link, offerer, false);
    });
  }

  /** Connects a newcomer with up to `degree` of those already there, and says the swarm's size to all. @param {WorldPeer} peer @param {number} degree */
  introduce(peer, degree) {
    const others = this.alive.filter((other) => other !== peer);
    for (let count = 0; count < degree && others.length > 0; count++) {
      const [other] = others.splice(Math.floor(this.random() * others.length), 1);
      if (other) this.connect(peer, other);
    }
    for (const member of this.alive) member.turn((nowMs) => member.node.joined(member.peerId, this.alive.length, nowMs));
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
  copiesPerSegment(counted = () => true) {
    let sent = 0;
    /** @type {Map<string, number>} */
    const unique = new Map();
    for (const { url, sizeBytes } of this.originLog) {
      if (!counted(Stream.numberOf(url))) continue;
      sent += sizeBytes;
      unique.set(url, this.resource(url).length);
    }
    let total = 0;
    for (const size of unique.values()) total += size;
    return sent / total;
  }

  /** @param {string} url @returns {Uint8Array} */
  resource(url) {
    const [track, number] = url.split("/").slice(-2);
    const stream = this.streams.get(/** @type {string} */ (track));
    if (!stream) throw new Error(`nothing at ${url}`);
    return stream.bytes(Number(number));
  }
}

export class WorldPeer {
  /** @param {World} world @param {number} index @param {PeerShape} shape */
  constructor(
    world,
    index,
    { uplinkBps = 10e6, latencyMs = 15, cdnBps = 20e6, cdnLatencyMs = 20, storeBytes = 64 << 20, uploadLimitBps = 20e6 },
  ) {
    this.world = world;
    this.index = index;
    this.uplinkBytesPerMs = uplinkBps / 8000;
    this.latencyMs = latencyMs;
    this.cdnBytesPerMs = cdnBps / 8000;
    this.cdnLatencyMs = cdnLatencyMs;
    this.peerId = index.toString(16).padStart(20, "0");
    const session = hex(Uint8Array.from({ length: 8 }, () => Math.floor(world.random() * 256)));
    this.node = new PeerNode({ session, storeBytes, uploadBytesPerMs: uploadLimitBps / 8000 }, world.clock.nowMs);
    this.gone = false;
    this.sentFrames = 0;
    this.controlBytes = 0;
    /** @type {Map<number, { other: WorldPeer, queuedBytes: number, lastMs: number }>} by link */
    this.links = new Map();
    /** @type {Map<number, (bytes: Uint8Array, peerBytes: number) => void>} */
    this.delivered = new Map();
    /** @type {Map<number, (status: number) => void>} */
    this.failed = new Map();
    this._uplinkFreeMs = 0;
    /** @type {Set<number>} running jobs */
    this._jobs = new Set();
    /** @type {{ cancelled: boolean } | null} */
    this._timer = null;
    this._timerMs = Number.POSITIVE_INFINITY;
  }

  /**
   * @param {import("../../../static/js/core/download.js").SegmentSource} source @param {number} deadlineMs
   * @returns {Promise<never> | number} the request
   */
  request(
    source,
    deadlineMs,
    onDelivered = (/** @type {Uint8Array} */ _bytes, /** @type {number} */ _peerBytes) => {},
    onFailed = (/** @type {number} */ _status) => {},
  ) {
    let request = 0;
    this.turn((nowMs) => {
      request = this.node.request(source, deadlineMs, nowMs);
      this.delivered.set(request, onDelivered);
      this.failed.set(request, onFailed);
    });
    return request;
  }

  /** @param {number} link @param {WorldPeer} other @param {boolean} offered */
  opened(link, other, offered) {
    this.links.set(link, { other, queuedBytes: 0, lastMs: 0 });
    this.turn((nowMs) => this.node.neighbourOpened(link, offered, nowMs));
  }

  /** @param {number} link */
  closed(link) {
    if (this.links.delete(link)) this.turn((nowMs) => this.node.neighbourClosed(link, nowMs));
  }

  /** Gone at once; its neighbours learn of it after their channels notice. @param {number} [noticeMs] */
  leave(noticeMs = 0) {
    this.gone = true;
    for (const [link, { other }] of this.links) this.world.clock.at(this.world.clock.nowMs + noticeMs, () => other.closed(link));
  }

  /** @param {(nowMs: number) => void} happened */
  turn(happened) {
    if (this.gone) return;
    const { clock } = this.world;
    happened(clock.nowMs);
    for (let commands = this.node.takeCommands(); commands.length > 0; commands = this.node.takeCommands()) {
      for (const command of commands) this._execute(command);
    }
    const dueMs = this.node.nextTimerMs;
    if (dueMs === this._timerMs) return;
    if (this._timer) this._timer.cancelled = true;
    this._timerMs = dueMs;
    if (dueMs === Number.POSITIVE_INFINITY) return;
    this._timer = clock.at(dueMs, () => {
      this._timerMs = Number.POSITIVE_INFINITY;
      this.turn((nowMs) => this.node.timerFired(nowMs));
    });
  }

  /** @param {Command} command */
  _execute(command) {
    switch (command.type) {
      case "send":
        this._send(command.neighbour, command.bulk, command.bytes);
        break;
      case "drop": {
        const link = this.links.get(command.neighbour);
        this.links.delete(command.neighbour);
        if (link) this.world.clock.at(this.world.clock.nowMs + this.latencyMs, () => link.other.closed(command.neighbour));
        break;
      }
      case "fetch":
        this._fetch(command.job, command.url, command.rangeStart ?? 0, command.rangeEnd);
        break;
      case "abort":
        this._jobs.delete(command.job);
        break;
      case "deliver":
        this.delivered.get(command.request)?.(command.bytes, command.peerBytes);
        break;
      case "fail":
        this.failed.get(command.request)?.(command.status);
        break;
    }
  }

  /** @param {number} linkId @param {boolean} bulk @param {Uint8Array} bytes */
  _send(linkId, bulk, bytes) {
    const link = this.links.get(linkId);
    if (!link) return;
    const { clock } = this.world;
    const { other } = link;
    this.sentFrames++;
    if (!bulk) this.controlBytes += bytes.length;
    // Control frames overtake bulk in the sender's queue: they have a channel of their own. They stay in order.
    const leavesMs = bulk ? Math.max(clock.nowMs, this._uplinkFreeMs) + bytes.length / this.uplinkBytesPerMs : clock.nowMs;
    if (bulk) {
      this._uplinkFreeMs = leavesMs;
      link.queuedBytes += bytes.length;
      this.node.drained(linkId, link.queuedBytes, clock.nowMs);
      clock.at(leavesMs, () => {
        const before = link.queuedBytes;
        link.queuedBytes -= bytes.length;
        // As a browser does: when the mark is crossed, and never for a channel that was below it all along.
        const crossed = before > LOW_WATER_BYTES && link.queuedBytes <= LOW_WATER_BYTES;
        if (crossed) this.turn((nowMs) => this.node.drained(linkId, link.queuedBytes, nowMs));
      });
    }
    let arrivesMs = leavesMs + this.latencyMs + other.latencyMs;
    if (!bulk) link.lastMs = arrivesMs = Math.max(arrivesMs, link.lastMs);
    const copy = bytes.slice();
    clock.at(arrivesMs, () => {
      if (other.links.has(linkId)) other.turn((nowMs) => other.node.frameReceived(linkId, copy, nowMs));
    });
  }

  /** @param {number} job @param {string} url @param {number} start @param {number | null} end */
  _fetch(job, url, start, end) {
    const { clock, originLog } = this.world;
    this._jobs.add(job);
    const entry = { atMs: clock.nowMs, peer: this.index, url, sizeBytes: 0 };
    const partial = start > 0 || end !== null;
    clock.at(clock.nowMs + 2 * this.cdnLatencyMs, () => {
      if (!this._jobs.has(job)) return;
      if (this.world.originDown) {
        this._jobs.delete(job);
        this.turn((nowMs) => this.node.fetchFailed(job, { status: 503, reason: "Service Unavailable" }, nowMs));
        return;
      }
      originLog.push(entry);
      const body = this.world.resource(url).subarray(start, end ?? undefined);
      this.turn((nowMs) => this.node.fetchStarted(job, { partial, sizeBytes: body.length }, nowMs));
      this._chunk(job, entry, body, 0);
    });
  }

  /** @param {number} job @param {{ sizeBytes: number }} entry @param {Uint8Array} body @param {number} offset */
  _chunk(job, entry, body, offset) {
    const chunk = body.slice(offset, offset + CHUNK_BYTES);
    this.world.clock.at(this.world.clock.nowMs + chunk.length / this.cdnBytesPerMs, () => {
      if (!this._jobs.has(job) || this.gone) return;
      entry.sizeBytes += chunk.length;
      this.turn((nowMs) => this.node.fetchReceived(job, chunk, nowMs));
      const next = offset + chunk.length;
      if (next < body.length) this._chunk(job, entry, body, next);
      else if (this._jobs.delete(job)) this.turn((nowMs) => this.node.fetchFinished(job, nowMs));
    });
  }
}
