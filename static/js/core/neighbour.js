/**
 * What is known of one neighbour: what it holds, what it is getting, what we asked of it, and how well it answers.
 * Everything a neighbour can make us remember is bounded here.
 */

import { PIECE_BYTES } from "./constants.js";
import { groupKey, refKey } from "./identity.js";
import { keepNewest } from "./newest.js";
import { RangeSet } from "./range-set.js";
import { Average } from "./rates.js";
import {
  CLAIM_PATIENCE_MS,
  NEIGHBOUR_DIGESTS_MAX,
  NEIGHBOUR_GROUPS_MAX,
  NEIGHBOUR_PARTIALS_MAX,
  NEIGHBOUR_RANGES_MAX,
  NEIGHBOUR_RATE_GUESS_BYTES_PER_MS,
  NEIGHBOUR_RTT_GUESS_MS,
  PIPELINE_MS,
  PIPELINE_PIECES_MAX,
  PIPELINE_PIECES_MIN,
} from "./tuning.js";
import { WireError } from "./wire.js";

/** @typedef {import("./identity.js").SegmentRef} SegmentRef */
/** @typedef {import("./range-set.js").Range} Range */

/**
 * A segment the neighbour is receiving.
 * @typedef {object} Partial
 * @property {number} sizeBytes
 * @property {RangeSet} pieces  those it holds
 */

export class Neighbour {
  /**
   * @param {number} id  the link's, ours alone
   * @param {boolean} offered  whether the connection's offer was ours
   * @param {number} nowMs
   */
  constructor(id, offered, nowMs) {
    this.id = id;
    this.offered = offered;
    this.openedMs = nowMs;
    /** @type {string | null} the neighbour's session id; null until its HELLO */
    this.session = null;
    /** Its id at the tracker, as it says; empty until its HELLO. */
    this.peer = "";
    /** @type {boolean} */
    this.uploads = true;
    /** It said it has enough to do; not asked before then. */
    this.busyUntilMs = nowMs;
    this.rttMs = new Average(NEIGHBOUR_RTT_GUESS_MS);
    /** The least that was measured: what the way takes when nothing waits. Infinity before the first. */
    this.leastRttMs = Number.POSITIVE_INFINITY;
    this.rateBytesPerMs = new Average(NEIGHBOUR_RATE_GUESS_BYTES_PER_MS);
    this.inFlightPieces = 0;
    /** Payload that went either way since the last review. */
    this.movedBytes = 0;
    /** Of what we needed it sent so much, and of that so much is told to the tracker. */
    this.gainedBytes = 0;
    this.reportedBytes = 0;
    /** Payload it was sent, ever. */
    this.sentBytes = 0;
    /** Whether what it sends is believed: a piece of it was found right, or all are checked anyway; and whether one is being compared. */
    this.proven = false;
    this.comparing = false;
    /** The places it is in, as the tracker numbers them; null until it has said. @type {number[] | null} */
    this.cells = null;
    /** A TURN server carries what we send each other. */
    this.relayed = false;
    /** It is outside our cluster, or relayed while others are not: a last resort, and a stranger to our election. */
    this.far = false;
    /** What it says its uplink carries; 0 while unknown. */
    this.uplinkBytesPerMs = 0;
    /** Counts what changes `holdsNumber`, `partialOf` and `fetchesKey`: those who look again and again need look only then. */
    this.revision = 0;
    this._lastPieceMs = nowMs;
    /** @type {Map<string, RangeSet>} group key -> numbers of segments held whole */
    this._held = new Map();
    /** @type {Map<string, Partial>} ref key -> */
    this._partials = new Map();
    /** @type {Map<string, number>} ref key -> when it was claimed */
    this._claims = new Map();
    /** Segments it is fetching from the CDN itself. @type {Set<string>} ref keys */
    this._fetching = new Set();
    /** Segments whose digests it was sent, or sent. @type {Set<string>} ref keys */
    this._digests = new Set();
  }

  /** @param {string} key  of a segment whose digest it has from now on @returns {boolean} whether it had it */
  knowsDigest(key) {
    if (this._digests.has(key)) return true;
    this._digests.add(key);
    keepNewest(this._digests, NEIGHBOUR_DIGESTS_MAX);
    return false;
  }

  /** A ping came back. @param {number} rttMs */
  measured(rttMs) {
    this.rttMs.add(rttMs);
    this.leastRttMs = Math.min(this.leastRttMs, rttMs);
  }

  /**
   * @param {Omit<SegmentRef, "number">} group
   * @param {Range[]} ranges
   * @throws {WireError} beyond what a neighbour may make us remember
   */
  have(group, ranges) {
    this.revision++;
    const key = groupKey(group);
    const set = this._held.get(key) ?? new RangeSet();
    for (const [first, count] of ranges) set.add(first, count);
    this._held.set(key, set);
    this._bound();
    for (const [first, count] of ranges) {
      if (count > NEIGHBOUR_PARTIALS_MAX) continue;
      for (let number = first; number < first + count; number++) this._settled(`${key}/${number}`);
    }
  }

  /** @throws {WireError} */
  _bound() {
    let rangeCount = 0;
    for (const held of this._held.values()) rangeCount += held.rangeCount;
    if (this._held.size > NEIGHBOUR_GROUPS_MAX || rangeCount > NEIGHBOUR_RANGES_MAX) throw new WireError("have-map too large");
  }

  /**
   * @param {Omit<SegmentRef, "number">} group
   * @param {Range[]} ranges
   * @throws {WireError} dropping every other segment of a long range makes many of it
   */
  dropped(group, ranges) {
    const set = this._held.get(groupKey(group));
    if (!set) return;
    this.revision++;
    for (const [first, count] of ranges) set.remove(first, count);
    if (set.rangeCount === 0) this._held.delete(groupKey(group));
    this._bound();
  }

  /** @param {SegmentRef} ref @param {number} nowMs @param {boolean} itself  whether it is the fetcher, and not somebody behind it */
  claimed(ref, nowMs, itself) {
    if (itself) {
      this.revision++;
      this._fetching.add(refKey(ref));
      keepNewest(this._fetching, NEIGHBOUR_PARTIALS_MAX);
    }
    this._claims.set(refKey(ref), nowMs);
    keepNewest(this._claims, NEIGHBOUR_PARTIALS_MAX);
  }

  /** @param {SegmentRef} ref */
  abandoned(ref) {
    this._settled(refKey(ref));
  }

  /** @param {SegmentRef} ref @param {number} sizeBytes @param {Range[]} ranges @param {number} nowMs */
  progressed(ref, sizeBytes, ranges, nowMs) {
    const key = refKey(ref);
    let partial = this._partials.get(key);
    if (!partial || partial.sizeBytes !== sizeBytes) {
      this.revision++;
      partial = { sizeBytes, pieces: new RangeSet() };
      this._partials.set(key, partial);
      keepNewest(this._partials, NEIGHBOUR_PARTIALS_MAX);
    }
    for (const [first, count] of ranges) partial.pieces.add(first, count);
    if (this._claims.has(key)) this._claims.set(key, nowMs); // a claim that moves is a claim that lives
  }

  /** @param {string} key  of a segment no longer on its way */
  _settled(key) {
    this.revision++;
    this._partials.delete(key);
    this._claims.delete(key);
    this._fetching.delete(key);
  }

  /** @param {SegmentRef} ref @returns {boolean} */
  holds(ref) {
    return this.holdsNumber(groupKey(ref), ref.number);
  }

  /** @param {string} group  key @param {number} number @returns {boolean} */
  holdsNumber(group, number) {
    return this._held.get(group)?.has(number) ?? false;
  }

  /** @param {string} key  of a segment @returns {Partial | undefined} */
  partialOf(key) {
    return this._partials.get(key);
  }

  /** @param {string} key  of a segment @returns {boolean} whether it is fetching it from the CDN itself: all of it is to come */
  fetchesKey(key) {
    return this._fetching.has(key);
  }

  /** @param {SegmentRef} ref @returns {Partial | undefined} */
  partial(ref) {
    return this.partialOf(refKey(ref));
  }

  /** @param {string} key  of a segment @returns {number} when its claim is dead unless it moves on; -Infinity without one */
  claimEndsMs(key) {
    return (this._claims.get(key) ?? Number.NEGATIVE_INFINITY) + CLAIM_PATIENCE_MS;
  }

  /** @param {SegmentRef} ref  turned out not to be held */
  deny(ref) {
    this.revision++;
    this._fetching.delete(refKey(ref));
    this._held.get(groupKey(ref))?.remove(ref.number);
    this._partials.delete(refKey(ref));
  }

  /** How many more pieces may be asked of it now: what it delivers in a round trip and PIPELINE_MS. */
  get window() {
    const wanted = (this.rateBytesPerMs.value * (this.rttMs.value + PIPELINE_MS)) / PIECE_BYTES;
    const size = Math.min(PIPELINE_PIECES_MAX, Math.max(PIPELINE_PIECES_MIN, Math.ceil(wanted)));
    return size - this.inFlightPieces;
  }

  /** Expected time for one more piece behind those already asked. */
  get pieceEtaMs() {
    return this.rttMs.value + ((this.inFlightPieces + 1) * PIECE_BYTES) / this.rateBytesPerMs.value;
  }

  /** Expected time for a piece among those already asked; in which order they come is its choice. */
  get queueMs() {
    return this.rttMs.value + (this.inFlightPieces * PIECE_BYTES) / 2 / this.rateBytesPerMs.value;
  }

  /**
   * A piece we asked for came.
   * @param {number} sizeBytes @param {number} askedMs @param {number} nowMs
   */
  delivered(sizeBytes, askedMs, nowMs) {
    // Since the piece before it, or since the asking if the pipe was empty: never both, or waiting would count as slowness.
    const tookMs = Math.max(1, nowMs - Math.max(askedMs, this._lastPieceMs));
    this.rateBytesPerMs.add(sizeBytes / tookMs);
    this.movedBytes += sizeBytes;
    this._lastPieceMs = nowMs;
  }

  /** A piece we asked for is overdue: think less of its rate, a little each time. */
  late() {
    this.rateBytesPerMs.add(this.rateBytesPerMs.value / 4);
  }
}
