/**
 * What neighbours asked of us: bounded queues, and which piece goes to whom next, below the caps of rate and ratio.
 *
 * Only little is handed to the channels at once, over all of them: what a channel has cannot be taken back, and the pieces that go
 * first decide how fast a fresh segment spreads. What is asked for may still be on its way to us from the CDN; it waits here.
 */

import { refKey } from "./identity.js";
import { keepNewest } from "./newest.js";
import { DrainMeter, TokenBucket } from "./rates.js";
import {
  NEIGHBOUR_RATE_GUESS_BYTES_PER_MS,
  UPLOAD_BUDGET_MIN_BYTES,
  UPLOAD_BUDGET_MS,
  UPLOAD_BURST_MS,
  UPLOAD_LANE_LOW_BYTES,
  UPLOAD_LOOK_MS,
  UPLOAD_MEMORY_SEGMENTS,
  UPLOAD_QUEUE_MAX,
  UPLOAD_RATIO_GRACE_BYTES,
  UPLOAD_STUCK_MS,
  UPLOAD_WEIGHT_MIN_BYTES_PER_MS,
} from "./tuning.js";

/** @typedef {import("./identity.js").SegmentRef} SegmentRef */
/** @typedef {import("./segment.js").Segment} Segment */

/** @typedef {{ ref: SegmentRef, key: string, index: number }} Wanted */
/** @typedef {{ neighbour: number, segment: Segment, index: number }} Upload */

/**
 * What one neighbour asked for.
 * @typedef {object} Lane
 * @property {Wanted[]} queue
 * @property {number} bufferedBytes  handed to its channel and not yet sent, as last heard
 * @property {number} movedMs  when that last became less
 * @property {number} weight  its share where several want as urgently
 * @property {boolean} relayed  a TURN server carries it
 * @property {number} turn  what it was sent, by its weight: the lowest is next
 */

/**
 * What is looked up while choosing.
 * @typedef {object} Holdings
 * @property {(wanted: Wanted) => Segment | undefined} find  a segment held or on its way to us; undefined when it is neither
 * @property {(key: string, index: number) => number} copies  neighbours known to have a piece
 */

export class Uploads {
  /**
   * @param {number} limitBytesPerMs  Infinity for none, 0 for no uploads at all
   * @param {number} ratioMax  bytes sent / bytes received; Infinity for no cap
   * @param {Holdings} holdings
   * @param {number} nowMs
   */
  constructor(limitBytesPerMs, ratioMax, holdings, nowMs) {
    this.limitBytesPerMs = limitBytesPerMs;
    this._ratioMax = ratioMax;
    this._holdings = holdings;
    this._bucket = new TokenBucket(limitBytesPerMs, limitBytesPerMs * UPLOAD_BURST_MS, nowMs);
    this._meter = new DrainMeter(nowMs);
    /** @type {Map<number, Lane>} by neighbour */
    this._lanes = new Map();
    /** How often each piece was sent, of the segments last served. @type {Map<string, Map<number, number>>} */
    this._sent = new Map();
    /** Pieces that wait, in all lanes. */
    this._waiting = 0;
    this._sentBytes = 0;
    this._receivedBytes = 0;
    /** What TURN servers may be made to carry, of all lanes together, and when they may again. */
    this.relayBytesPerMs = Number.POSITIVE_INFINITY;
    this._relayMs = nowMs;
    /** The turn of who was served last: a newcomer starts there, neither ahead of nor behind the others. */
    this._turn = 0;
    /** When something may go that may not go now. @type {number | null} */
    this.wakeMs = null;
  }

  get enabled() {
    return this.limitBytesPerMs > 0;
  }

  /** Another cap from now on. @param {number} limitBytesPerMs */
  limit(limitBytesPerMs) {
    this.limitBytesPerMs = limitBytesPerMs;
    this._bucket.ratePerMs = limitBytesPerMs;
    this._bucket.burst = limitBytesPerMs * UPLOAD_BURST_MS;
  }

  /** What our uplink was measured to carry, as far as the cap lets it; 0 while unknown. */
  get uplinkBytesPerMs() {
    return Math.min(this._meter.rateBytesPerMs, this.limitBytesPerMs);
  }

  /** Whether the cap of the ratio is reached. */
  get exhausted() {
    return this._sentBytes > this._ratioMax * this._receivedBytes + UPLOAD_RATIO_GRACE_BYTES;
  }

  /** @param {number} sizeBytes  that we received, of anybody */
  received(sizeBytes) {
    this._receivedBytes += sizeBytes;
  }

  /** @param {number} neighbour */
  opened(neighbour) {
    this._lanes.set(neighbour, {
      queue: [],
      bufferedBytes: 0,
      movedMs: 0,
      weight: NEIGHBOUR_RATE_GUESS_BYTES_PER_MS,
      relayed: false,
      turn: this._turn,
    });
  }

  /** @param {number} neighbour @param {boolean} relayed */
  routed(neighbour, relayed) {
    const lane = this._lanes.get(neighbour);
    if (lane) lane.relayed = relayed;
  }

  /** @param {number} neighbour */
  closed(neighbour) {
    this._waiting -= this._lanes.get(neighbour)?.queue.length ?? 0;
    this._lanes.delete(neighbour);
  }

  /**
   * Who passes on more is served more: it is what makes a segment spread. Who passes on nothing is served last, and still served.
   * @param {number} neighbour @param {number} uplinkBytesPerMs  of its own
   */
  weigh(neighbour, uplinkBytesPerMs) {
    const lane = this._lanes.get(neighbour);
    if (lane) lane.weight = Math.max(UPLOAD_WEIGHT_MIN_BYTES_PER_MS, uplinkBytesPerMs);
  }

  /**
   * @param {number} neighbour
   * @param {SegmentRef} ref
   * @param {Iterable<number>} indexes
   * @returns {number[]} those there was no room for
   */
  asked(neighbour, ref, indexes) {
    const lane = this._lanes.get(neighbour);
    const key = refKey(ref);
    const refused = [];
    for (const index of indexes) {
      if (!lane || lane.queue.length >= UPLOAD_QUEUE_MAX || this.exhausted) refused.push(index);
      else if (!lane.queue.some((wanted) => wanted.index === index && wanted.key === key)) {
        lane.queue.push({ ref, key, index });
        this._waiting++;
      }
    }
    return refused;
  }

  /**
   * @param {number} neighbour
   * @param {SegmentRef} ref
   * @param {Set<number>} indexes
   * @returns {number[]} those that were still waiting, and will not be sent
   */
  cancelled(neighbour, ref, indexes) {
    const lane = this._lanes.get(neighbour);
    if (!lane) return [];
    const key = refKey(ref);
    /** @type {number[]} */
    const gone = [];
    lane.queue = lane.queue.filter((wanted) => {
      if (wanted.key !== key || !indexes.has(wanted.index)) return true;
      gone.push(wanted.index);
      return false;
    });
    this._waiting -= gone.length;
    return gone;
  }

  /** Nothing that waits will be sent. @returns {[neighbour: number, queue: Wanted[]][]} what that was */
  emptied() {
    this._waiting = 0;
    return [...this._lanes].map(([neighbour, lane]) => [neighbour, lane.queue.splice(0)]);
  }

  /** @param {number} neighbour @param {number} bufferedBytes  what its channel has not sent yet @param {number} nowMs */
  drained(neighbour, bufferedBytes, nowMs) {
    const lane = this._lanes.get(neighbour);
    if (!lane) return;
    const leftBytes = Math.max(0, lane.bufferedBytes - bufferedBytes);
    if (leftBytes > 0) lane.movedMs = nowMs;
    lane.bufferedBytes = bufferedBytes;
    this._meter.look(leftBytes, this._bufferedBytes(nowMs) > 0, nowMs);
  }

  /**
   * The next piece to send; null when there is none or it must wait (`wakeMs`). It counts as handed to its channel.
   * @param {number} nowMs
   * @returns {Upload | null}
   */
  next(nowMs) {
    this.wakeMs = null;
    if (this._waiting === 0) return null;
    const budgetBytes = Math.max(UPLOAD_BUDGET_MIN_BYTES, this._meter.rateBytesPerMs * UPLOAD_BUDGET_MS);
    const roomBytes = budgetBytes - this._bufferedBytes(nowMs);
    if (roomBytes <= 0) {
      // A channel tells of crossing its mark, not of being empty.
      this.wakeMs = nowMs + Math.max(UPLOAD_LOOK_MS, -roomBytes / Math.max(1, this._meter.rateBytesPerMs));
      return null;
    }
    const choice = this._choose(Math.max(UPLOAD_LANE_LOW_BYTES, roomBytes / 2), nowMs);
    if (!choice) {
      const held = [...this._lanes.values()].some(({ relayed, queue }) => relayed && queue.length > 0);
      if (held && nowMs < this._relayMs) this.wakeMs = this._relayMs;
      return null;
    }
    const { neighbour, lane, at, segment, sizeBytes } = choice;
    const waitMs = this._bucket.take(sizeBytes, nowMs);
    if (waitMs > 0) {
      this.wakeMs = nowMs + waitMs;
      return null;
    }
    const [wanted] = /** @type {[Wanted]} */ (lane.queue.splice(at, 1));
    this._waiting--;
    this._count(wanted);
    this._turn = Math.max(this._turn, lane.turn);
    lane.turn = this._turn + sizeBytes / lane.weight;
    if (lane.relayed) this._relayMs = Math.max(nowMs, this._relayMs) + sizeBytes / this.relayBytesPerMs;
    if (lane.bufferedBytes === 0) lane.movedMs = nowMs;
    lane.bufferedBytes += sizeBytes;
    this._sentBytes += sizeBytes;
    this._meter.look(0, true, nowMs);
    return { neighbour, segment, index: wanted.index };
  }

  /**
   * The piece that is rarest, as far as we know, goes first: while we are the only source of a segment, every piece of it reaches
   * somebody before any piece reaches two, and the neighbours can serve each other. Among those, whose turn it is.
   * @param {number} laneBytes  a channel takes more when it has at most this @param {number} nowMs
   */
  _choose(laneBytes, nowMs) {
    /** @type {{ neighbour: number, lane: Lane, at: number, segment: Segment, sizeBytes: number, copies: number } | null} */
    let best = null;
    for (const [neighbour, lane] of this._lanes) {
      if (lane.bufferedBytes > laneBytes || (lane.relayed && nowMs < this._relayMs)) continue;
      for (let at = 0; at < lane.queue.length; at++) {
        const wanted = /** @type {Wanted} */ (lane.queue[at]);
        // The neighbours are asked last: it is the dearest, and most pieces are out of it before.
        let copies = this._times(wanted);
        if (best && later(copies, lane, best)) continue;
        copies = Math.max(copies, this._holdings.copies(wanted.key, wanted.index));
        if (best && later(copies, lane, best)) continue;
        const segment = this._holdings.find(wanted);
        // Asked for while nobody knew how long the segment is, or before we gave it up.
        if (!segment || wanted.index >= (segment.pieceCount ?? Number.POSITIVE_INFINITY)) {
          lane.queue.splice(at--, 1);
          this._waiting--;
        }
        const piece = segment?.piece(wanted.index);
        if (segment && piece) best = { neighbour, lane, at, segment, sizeBytes: piece.length, copies };
      }
    }
    return best;
  }

  /** What all channels together have not sent yet; one that does not move is its receiver's affair. @param {number} nowMs */
  _bufferedBytes(nowMs) {
    let total = 0;
    for (const { bufferedBytes, movedMs } of this._lanes.values()) if (nowMs < movedMs + UPLOAD_STUCK_MS) total += bufferedBytes;
    return total;
  }

  /** How often we sent it. @param {Wanted} wanted */
  _times({ key, index }) {
    return this._sent.get(key)?.get(index) ?? 0;
  }

  /** @param {Wanted} wanted */
  _count({ key, index }) {
    const times = this._sent.get(key) ?? new Map();
    times.set(index, (times.get(index) ?? 0) + 1);
    this._sent.delete(key);
    this._sent.set(key, times);
    keepNewest(this._sent, UPLOAD_MEMORY_SEGMENTS);
  }
}

/** Whether a piece goes after the best so far. @param {number} copies @param {Lane} lane @param {{ copies: number, lane: Lane }} best */
const later = (copies, { turn }, best) => copies > best.copies || (copies === best.copies && turn >= best.lane.turn);
