/**
 * One segment on its way: who wants it by when, what is asked of whom, what the CDN is sending. State only;
 * the rules that move it are in scheduler.js.
 */

import { PIECE_BYTES } from "./constants.js";
import { groupKey, refKey } from "./identity.js";
import { RecentRate } from "./rates.js";
import { Segment } from "./segment.js";
import { OVERDUE_FACTOR, OVERDUE_MIN_MS } from "./tuning.js";

/** @typedef {import("./identity.js").SegmentRef} SegmentRef */
/** @typedef {import("./neighbour.js").Neighbour} Neighbour */

/**
 * Where a segment is on the CDN and how long it plays; from the manifest.
 * @typedef {object} SegmentSource
 * @property {SegmentRef} ref
 * @property {string} url  absolute, as this viewer asks for it
 * @property {number | null} rangeStart  first byte within the resource, null for the whole resource
 * @property {number | null} rangeEnd  exclusive
 * @property {number} durationSec  0 for init segments
 * @property {number} expectedBytes  as far as the manifest tells; 0 where it does not
 * @property {boolean} live  whether later segments are yet to come
 * @property {import("./identity.js").FileVersion} [version]  of a block of a file: what comes of another version is not it
 * @property {string} type  of its track: a player takes one of video, one of audio, one of subtitles at a time
 */

/**
 * A piece asked of a neighbour.
 * @typedef {object} Ask
 * @property {Neighbour} neighbour
 * @property {number} sentMs
 * @property {number} dueMs
 * @property {boolean} overdue
 * @property {boolean} cancelling  taken back; it may be on its way all the same, until the neighbour says otherwise
 */

/**
 * What a neighbour had of the segment when it was last looked up; true until its `revision` is another.
 * @typedef {object} Sight
 * @property {Neighbour} neighbour
 * @property {number} revision
 * @property {boolean} holds
 * @property {boolean} fetches
 * @property {import("./neighbour.js").Partial | undefined} partial
 */

/** A running HTTP request for a contiguous part of the segment, cut into pieces as it comes. */
export class Fetch {
  /**
   * @param {number} job
   * @param {number} startPiece  first piece it brings
   * @param {number | null} endPiece  exclusive; null to the end of the segment
   * @param {number} nowMs
   */
  constructor(job, startPiece, endPiece, nowMs) {
    this.job = job;
    this.startPiece = startPiece;
    this.endPiece = endPiece;
    this.startedMs = nowMs;
    /** @type {number | null} */
    this.firstByteMs = null;
    /** When the CDN last sent anything. */
    this.heardMs = nowMs;
    this.receivedBytes = 0;
    /** Whether it brought anything that was missing. */
    this.gained = false;
    /** Offset in the segment of the next byte. */
    this.nextOffset = startPiece * PIECE_BYTES;
    this._scratch = new Uint8Array(0);
    this._scratchLength = 0;
  }

  /** Whether it brings the whole segment. */
  get whole() {
    return this.startPiece === 0 && this.endPiece === null;
  }

  /** Whether the CDN has begun to answer with the whole segment: then its word on the size is awaited. */
  get decidesSize() {
    return this.whole && this.firstByteMs !== null;
  }

  /** The piece the next byte belongs to. */
  get currentPiece() {
    return Math.floor(this.nextOffset / PIECE_BYTES);
  }

  /** @param {number} index @returns {boolean} whether that piece is yet to come of it */
  brings(index) {
    return index >= this.currentPiece && index < (this.endPiece ?? Number.POSITIVE_INFINITY);
  }

  /** Whether the body was shorter than the range that was asked for. @param {number | null} sizeBytes  of the segment, as was thought */
  endedEarly(sizeBytes) {
    const end = (this.endPiece ?? Number.POSITIVE_INFINITY) * PIECE_BYTES;
    return this.nextOffset < Math.min(end, sizeBytes ?? 0);
  }

  /** The body turned out to start at 0: the range was not honoured. */
  restartAtZero() {
    this.startPiece = 0;
    this.endPiece = null;
    this.nextOffset = 0;
  }

  /**
   * @param {Uint8Array} bytes
   * @returns {[index: number, piece: Uint8Array][]} the pieces these bytes finished
   */
  take(bytes) {
    /** @type {[number, Uint8Array][]} */
    const finished = [];
    let offset = 0;
    while (offset < bytes.length) {
      if (this._scratchLength === 0) this._scratch = new Uint8Array(PIECE_BYTES);
      const count = Math.min(PIECE_BYTES - this._scratchLength, bytes.length - offset);
      this._scratch.set(bytes.subarray(offset, offset + count), this._scratchLength);
      this._scratchLength += count;
      offset += count;
      this.nextOffset += count;
      if (this._scratchLength === PIECE_BYTES) {
        finished.push([this.nextOffset / PIECE_BYTES - 1, this._scratch]);
        this._scratchLength = 0;
      }
    }
    this.receivedBytes += bytes.length;
    return finished;
  }

  /** @returns {[index: number, piece: Uint8Array] | null} the last, shorter piece */
  rest() {
    if (this._scratchLength === 0) return null;
    const rest = this._scratch.slice(0, this._scratchLength);
    this._scratchLength = 0;
    return [this.currentPiece, rest];
  }
}

export class Download {
  /**
   * @param {SegmentSource} source
   * @param {number} expectedBytes  a guess, for as long as nobody has said the size
   * @param {number} nowMs
   */
  constructor(source, expectedBytes, nowMs) {
    this.ref = source.ref;
    this.key = refKey(source.ref);
    this.groupKey = groupKey(source.ref);
    /** When it was last planned. */
    this.plannedMs = Number.NEGATIVE_INFINITY;
    const known = source.rangeStart !== null && source.rangeEnd !== null ? source.rangeEnd - source.rangeStart : null;
    this.segment = new Segment(source.ref, known);
    this.segment.source = source;
    this.expectedBytes = expectedBytes;
    /** What a neighbour receiving it says its size is; only a hint of which pieces there are. @type {number | null} */
    this.declaredBytes = null;
    this.createdMs = nowMs;
    /** @type {Map<number, number>} request -> its deadline */
    this.requests = new Map();
    /** @type {Map<number, Ask[]>} piece index -> those asked for it */
    this.asks = new Map();
    /** Draws by which equally rare pieces are ordered. @type {number[]} by index */
    this.lots = [];
    /** Of each neighbour, in their order. @type {Sight[]} */
    this.sights = [];
    /** @type {Fetch | null} */
    this.fetch = null;
    /** When our backoff ends; null while others are expected to deliver. @type {number | null} */
    this.fireAtMs = null;
    this.attempt = 0;
    /** Our draw of when we cease to rely on peers, once it was needed. @type {number | null} */
    this.hedge = null;
    this.claimed = false;
    /** False once it is seen to be too large to share: then it is only passed through. */
    this.shared = true;
    /** @type {number | null} not before this is the CDN asked again */
    this.retryAtMs = null;
    this.failures = 0;
    /** When bytes were first asked for, of anybody; and of a neighbour. @type {number | null} */
    this.startedMs = null;
    /** @type {number | null} */
    this.askedMs = null;
    /** New pieces from neighbours. */
    this.peerRate = new RecentRate();
    /** @type {number | null} */
    this.firstByteMs = null;
    /** @type {number | null} */
    this.wakeMs = null;
    /** Whether, when it was last planned, more would have been asked for, had others left room for it. */
    this.waitsForRoom = false;
    /** @type {Map<number, number>} */
    this.gainedMs = new Map();
    /** Pieces that neighbours sent and that are not believed yet. @type {Map<number, import("./integrity.js").Suspect>} */
    this.suspects = new Map();
    /** Neighbours are of no use: nobody has signed it, where only what is signed counts, or the CDN gives us other bytes than were signed. */
    this.cdnOnly = false;
    /** Pieces not yet told to the neighbours. @type {number[]} */
    this.untold = [];
  }

  /** Where it is on the CDN, as last heard. @returns {SegmentSource} */
  get source() {
    return /** @type {SegmentSource} */ (this.segment.source);
  }

  /** The earliest deadline of all who wait; Infinity when none does. */
  get deadlineMs() {
    return Math.min(...this.requests.values());
  }

  /** How many pieces it has, or is likely to have at least. */
  get likelyPieceCount() {
    if (this.segment.pieceCount !== null) return this.segment.pieceCount;
    if (this.declaredBytes !== null) return Math.ceil(this.declaredBytes / PIECE_BYTES);
    // Three quarters of the usual: asking for pieces beyond the end costs a request that is ignored.
    return Math.max(1, Math.floor((this.expectedBytes * 0.75) / PIECE_BYTES));
  }

  get missingBytes() {
    return Math.max(0, (this.segment.sizeBytes ?? this.declaredBytes ?? this.expectedBytes) - this.segment.heldBytes);
  }

  /** @param {number} atMs  look again then */
  wake(atMs) {
    this.wakeMs = this.wakeMs === null ? atMs : Math.min(this.wakeMs, atMs);
  }

  /** @param {Neighbour} neighbour @param {number} at  its place among the neighbours @returns {Sight} */
  sight(neighbour, at) {
    const known = this.sights[at];
    const { revision } = neighbour;
    if (known?.neighbour === neighbour && known.revision === revision) return known;
    const holds = neighbour.holdsNumber(this.groupKey, this.ref.number);
    const fetches = neighbour.fetchesKey(this.key);
    const sight = { neighbour, revision, holds, fetches, partial: neighbour.partialOf(this.key) };
    this.sights[at] = sight;
    return sight;
  }

  /** @param {number} index @param {Neighbour} neighbour @param {number} nowMs */
  ask(index, neighbour, nowMs) {
    const dueMs = nowMs + Math.max(OVERDUE_MIN_MS, OVERDUE_FACTOR * neighbour.pieceEtaMs);
    const asks = this.asks.get(index) ?? [];
    asks.push({ neighbour, sentMs: nowMs, dueMs, overdue: false, cancelling: false });
    this.asks.set(index, asks);
    neighbour.inFlightPieces++;
    this.startedMs ??= nowMs;
    this.askedMs ??= nowMs;
    this.wake(dueMs);
  }

  /**
   * Takes back what was asked.
   * @param {number} index
   * @param {Neighbour | null} neighbour  null for all of them
   * @returns {Ask[]} those taken back; their pipeline places are free again
   */
  unask(index, neighbour) {
    const asks = this.asks.get(index) ?? [];
    const gone = asks.filter((ask) => neighbour === null || ask.neighbour === neighbour);
    const kept = asks.filter((ask) => !gone.includes(ask));
    if (kept.length > 0) this.asks.set(index, kept);
    else this.asks.delete(index);
    for (const ask of gone) ask.neighbour.inFlightPieces--;
    return gone;
  }
}
