/**
 * What neighbours asked of us: bounded queues, served in turn, below the upload cap, never ahead of the channel.
 */

import { refKey } from "./identity.js";
import { TokenBucket } from "./rates.js";
import { CHANNEL_HIGH_WATER_BYTES, UPLOAD_BURST_MS, UPLOAD_MEMORY_SEGMENTS, UPLOAD_QUEUE_MAX } from "./tuning.js";

/** @typedef {import("./identity.js").SegmentRef} SegmentRef */
/** @typedef {import("./range-set.js").Range} Range */
/** @typedef {import("./segment.js").Segment} Segment */

/** @typedef {{ ref: SegmentRef, key: string, index: number }} Wanted */
/** @typedef {{ neighbour: number, segment: Segment, index: number }} Upload */
/** @typedef {{ queue: Wanted[], bufferedBytes: number }} Lane */

export class Uploads {
  /**
   * @param {number} limitBytesPerMs  Infinity for none, 0 for no uploads at all
   * @param {number} nowMs
   */
  constructor(limitBytesPerMs, nowMs) {
    this.limitBytesPerMs = limitBytesPerMs;
    this._bucket = new TokenBucket(limitBytesPerMs, limitBytesPerMs * UPLOAD_BURST_MS, nowMs);
    /** @type {Map<number, Lane>} by neighbour; insertion order is the order of turns */
    this._lanes = new Map();
    /** How often each piece was sent, of the segments last served. @type {Map<string, Map<number, number>>} */
    this._sent = new Map();
    /** When the cap next lets a piece pass. @type {number | null} */
    this.wakeMs = null;
  }

  get enabled() {
    return this.limitBytesPerMs > 0;
  }

  /** @param {number} neighbour */
  opened(neighbour) {
    this._lanes.set(neighbour, { queue: [], bufferedBytes: 0 });
  }

  /** @param {number} neighbour */
  closed(neighbour) {
    this._lanes.delete(neighbour);
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
      if (!lane || lane.queue.length >= UPLOAD_QUEUE_MAX) refused.push(index);
      else if (!lane.queue.some((wanted) => wanted.index === index && wanted.key === key)) lane.queue.push({ ref, key, index });
    }
    return refused;
  }

  /**
   * @param {number} neighbour
   * @param {SegmentRef} ref
   * @param {Set<number>} indexes
   */
  cancelled(neighbour, ref, indexes) {
    const lane = this._lanes.get(neighbour);
    if (!lane) return;
    const key = refKey(ref);
    lane.queue = lane.queue.filter((wanted) => wanted.key !== key || !indexes.has(wanted.index));
  }

  /** @param {number} neighbour @param {number} bufferedBytes  what its channel has not sent yet */
  drained(neighbour, bufferedBytes) {
    const lane = this._lanes.get(neighbour);
    if (lane) lane.bufferedBytes = bufferedBytes;
  }

  /** @param {number} neighbour @param {number} sizeBytes  just handed to its channel */
  sent(neighbour, sizeBytes) {
    const lane = this._lanes.get(neighbour);
    if (lane) lane.bufferedBytes += sizeBytes;
  }

  /**
   * The next piece to send, one neighbour after the other; null when there is none or the cap says wait (`wakeMs`).
   * @param {(wanted: Wanted) => Segment | undefined} find  who holds what is wanted; undefined skips it
   * @param {number} nowMs
   * @returns {Upload | null}
   */
  next(find, nowMs) {
    this.wakeMs = null;
    for (const [neighbour, lane] of this._lanes) {
      while (lane.queue.length > 0 && lane.bufferedBytes < CHANNEL_HIGH_WATER_BYTES) {
        const at = this._leastSent(lane.queue);
        const wanted = /** @type {Wanted} */ (lane.queue[at]);
        const segment = find(wanted);
        const piece = segment?.piece(wanted.index);
        if (!segment || !piece) {
          lane.queue.splice(at, 1);
          continue;
        }
        const waitMs = this._bucket.take(piece.length, nowMs);
        if (waitMs > 0) {
          this.wakeMs = nowMs + waitMs;
          return null;
        }
        lane.queue.splice(at, 1);
        this._count(wanted);
        this._lanes.delete(neighbour); // to the end of the turn
        this._lanes.set(neighbour, lane);
        return { neighbour, segment, index: wanted.index };
      }
    }
    return null;
  }

  /**
   * What went out least goes first: while we are the only source of a segment, every piece of it reaches somebody
   * before any piece reaches two, and the neighbours can serve each other.
   * @param {Wanted[]} queue  not empty @returns {number} an index into it
   */
  _leastSent(queue) {
    let best = 0;
    let bestTimes = Number.POSITIVE_INFINITY;
    queue.forEach((wanted, at) => {
      const times = this._sent.get(wanted.key)?.get(wanted.index) ?? 0;
      if (times < bestTimes) {
        best = at;
        bestTimes = times;
      }
    });
    return best;
  }

  /** @param {Wanted} wanted */
  _count({ key, index }) {
    const times = this._sent.get(key) ?? new Map();
    times.set(index, (times.get(index) ?? 0) + 1);
    this._sent.delete(key);
    this._sent.set(key, times);
    if (this._sent.size > UPLOAD_MEMORY_SEGMENTS) this._sent.delete(/** @type {string} */ (this._sent.keys().next().value));
  }
}
