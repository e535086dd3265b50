/**
 * One reading of a file: which blocks to ask for now, and by when each is needed.
 *
 * The measure of all deadlines is a plain fetch that began when this reading did: where it would be by now in the file (`_reference`, in
 * blocks). A block is the neighbours' until the last moment at which the CDN, asked then, still keeps up with it; so a reading is
 * late by a short tolerance at most where neighbours are slow, and not at all where there are none. What neighbours bring sooner is a lead,
 * of which only a little counts, or they could go slower than the CDN as long as it lasts. A reader who takes no more stops the clock.
 *
 * Alone, blocks come one after the other, the next asked for as the one before ends, which is what one long request does. With neighbours
 * all that they have, or are getting, is asked for within a window, and of what nobody has a block or two at random: so each viewer fetches
 * others, nobody runs ahead and has all to give, and what each can give adds up.
 */

import { FILE_BLOCK_BYTES } from "./constants.js";
import { DEADLINE_MARGIN_MS, HTTP_FIRST_BYTE_GUESS_MS, HTTP_RATE_GUESS_BYTES_PER_MS, HTTP_SAFETY } from "./tuning.js";

/** Blocks under way or waiting for the reader where there are neighbours: 8 MiB. Several viewers then find one each to fetch that nobody fetches (docs/adr/0017). */
export const WINDOW_BLOCKS_MAX = 8;
/** Of them, those that nobody had or was getting when they were begun: what keeps our line to the CDN busy, and leaves the others theirs. */
const OWN_BLOCKS_MAX = 2;
/** How much later than by a plain fetch a block may be while somebody else may be there: the time to connect, and less than what is noticed. */
export const TOLERANCE_MS = 750;
/** Of the lead that neighbours won so much counts: they may pause for this long, and no longer. */
export const LEAD_MS = 4000;
/** So many first bytes' time of the line is kept asked for, so that it never waits for an answer. */
const LINE_WAITS = 2;

/**
 * @typedef {object} Surroundings
 * @property {number} waitSec  to the CDN's first byte, 0 while unknown
 * @property {number} rateBps  the CDN's, 0 while unknown
 * @property {number} neighbours  connected
 * @property {number} members  of our cluster, ourselves included; 0 while unknown
 */

/** @typedef {{ sizeBytes: number, loadedBytes: number, own: boolean }} BlockState  `loadedBytes` as last heard; `own`: nobody had it */

export class FilePlan {
  /**
   * @param {{ start: number, end: number, sizeBytes: number }} reading  from `start` to `end` (exclusive) of a file of this size
   * @param {boolean} urgent  whether somebody waits for its first byte to see something
   * @param {number} nowMs
   */
  constructor({ start, end, sizeBytes }, urgent, nowMs) {
    this.position = start;
    this.end = end;
    this._sizeBytes = sizeBytes;
    this._urgentBlock = urgent ? this.next : -1;
    /** Those begun, from the one the reader is in. @type {Map<number, BlockState>} */
    this._blocks = new Map();
    this._reference = start / FILE_BLOCK_BYTES;
    this._referenceMs = nowMs;
    this._measuredBps = 0;
  }

  /** The block that the reader is in. */
  get next() {
    return Math.floor(this.position / FILE_BLOCK_BYTES);
  }

  /** @param {number} number @returns {{ rangeStart: number, rangeEnd: number }} where that block is in the file; the end is exclusive */
  range(number) {
    const rangeStart = number * FILE_BLOCK_BYTES;
    return { rangeStart, rangeEnd: Math.min(rangeStart + FILE_BLOCK_BYTES, this._sizeBytes) };
  }

  /** A block is on its way. @param {number} number @param {boolean} [own]  whether nobody has it yet */
  begun(number, own = true) {
    const { rangeStart, rangeEnd } = this.range(number);
    this._blocks.set(number, { sizeBytes: rangeEnd - rangeStart, loadedBytes: 0, own });
  }

  /** @param {number} number @param {number} loadedBytes  of that block */
  progressed(number, loadedBytes) {
    const block = this._blocks.get(number);
    if (block) block.loadedBytes = loadedBytes;
  }

  /** The reader took bytes. @param {number} sizeBytes */
  took(sizeBytes) {
    this.position += sizeBytes;
    for (const number of this._blocks.keys()) if (number < this.next) this._blocks.delete(number);
  }

  /** What the CDN did for us by other means. @param {number} sizeBytes @param {number} durationMs */
  measured(sizeBytes, durationMs) {
    this._measuredBps = (sizeBytes * 8000) / Math.max(1, durationMs);
  }

  /** Time passed. @param {Surroundings} surroundings @param {boolean} waiting  whether the reader waited for bytes meanwhile @param {number} nowMs */
  advance(surroundings, waiting, nowMs) {
    const { blockMs } = this._pace(surroundings);
    if (waiting) this._reference += (nowMs - this._referenceMs) / blockMs;
    this._referenceMs = nowMs;
    this._reference = Math.max(this._reference, this.position / FILE_BLOCK_BYTES - LEAD_MS / blockMs);
  }

  /**
   * @param {Surroundings} surroundings
   * @param {(number: number) => boolean} coming  whether a neighbour has a block, or is getting it
   * @param {() => number} random  in [0, 1)
   * @returns {number[]} blocks to ask for now; they count as begun
   */
  begin(surroundings, coming, random) {
    const end = Math.min(Math.ceil(this.end / FILE_BLOCK_BYTES), this.next + WINDOW_BLOCKS_MAX);
    return surroundings.neighbours > 0 ? this._beginAmongOthers(end, coming, random) : this._beginAlone(end, surroundings);
  }

  /** @param {number} end @param {Surroundings} surroundings */
  _beginAlone(end, surroundings) {
    const { rateBps, waitMs } = this._pace(surroundings);
    const lineBytes = (LINE_WAITS * waitMs * rateBps) / 8000;
    const begun = [];
    let missingBytes = 0;
    for (let number = this.next; number < end; number++) {
      if (!this._blocks.has(number)) {
        if (number > this.next && missingBytes > lineBytes) break;
        this.begun(number);
        begun.push(number);
      }
      const { sizeBytes, loadedBytes } = /** @type {BlockState} */ (this._blocks.get(number));
      missingBytes += sizeBytes - loadedBytes;
    }
    return begun;
  }

  /** @param {number} end @param {(number: number) => boolean} coming @param {() => number} random */
  _beginAmongOthers(end, coming, random) {
    const open = [];
    for (let number = this.next; number < end; number++) if (!this._blocks.has(number)) open.push(number);
    const begun = open.filter(coming);
    const free = open.filter((number) => !begun.includes(number));
    for (const number of begun) this.begun(number, false);
    for (let own = this._ownCount; own < OWN_BLOCKS_MAX && free.length > 0; own++) {
      // The reader's own block first, or it would wait for its turn in the lottery.
      const [number] = free.splice(free[0] === this.next ? 0 : Math.floor(random() * free.length), 1);
      this.begun(/** @type {number} */ (number));
      begun.push(/** @type {number} */ (number));
    }
    return begun;
  }

  get _ownCount() {
    return [...this._blocks.values()].filter(({ own, loadedBytes, sizeBytes }) => own && loadedBytes < sizeBytes).length;
  }

  /**
   * @param {number} number @param {Surroundings} surroundings
   * @returns {number} when the block is needed, on the clock of `advance`, which was told the time before
   */
  deadlineMs(number, surroundings) {
    const { blockMs } = this._pace(surroundings);
    const alone = surroundings.neighbours === 0 && surroundings.members === 1;
    const toleranceMs = !alone && number !== this._urgentBlock ? TOLERANCE_MS : 0;
    const lastMomentMs = this._referenceMs + (number - this._reference) * blockMs + toleranceMs;
    return lastMomentMs + DEADLINE_MARGIN_MS + HTTP_SAFETY * fetchMs(surroundings);
  }

  /**
   * What a block is said to play for: half of it is the longest that others are waited for, and who needs less than half of it for a
   * fetch is no poor fetcher (scheduler.js). An ordinary CDN's fetch is to be none.
   * @param {Surroundings} surroundings @returns {number} seconds
   */
  durationSec(surroundings) {
    return (2 * HTTP_SAFETY * fetchMs(surroundings)) / 1000;
  }

  /** @param {Surroundings} surroundings */
  _pace({ waitSec, rateBps }) {
    // The faster of the two: a fetch that shared the line with another one was slower than the line.
    const bps = Math.max(rateBps, this._measuredBps) || HTTP_RATE_GUESS_BYTES_PER_MS * 8000;
    return { rateBps: bps, blockMs: (FILE_BLOCK_BYTES * 8000) / bps, waitMs: waitSec * 1000 || HTTP_FIRST_BYTE_GUESS_MS };
  }
}

/** What the scheduler thinks that the CDN needs for a block: it holds this back. @param {Surroundings} surroundings */
function fetchMs({ waitSec, rateBps }) {
  const rate = rateBps / 8000 || HTTP_RATE_GUESS_BYTES_PER_MS;
  return (waitSec * 1000 || HTTP_FIRST_BYTE_GUESS_MS) + FILE_BLOCK_BYTES / rate;
}
