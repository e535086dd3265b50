/**
 * One reading of a shared file as a stream of bytes, in order, at the reader's pace. Blocks come by the engine or from the disk; its first part
 * may be on its way from the CDN already (the `lead`, by which the file became known). Whatever fails, the rest is read from the CDN
 * alone, as without us.
 */

import { PIECE_BYTES } from "../core/constants.js";
import { FilePlan } from "../core/file-plan.js";
import { isOfVersion } from "../core/file-version.js";
import { now } from "../io/alarm.js";

/** @typedef {import("./shared-file.js").SharedFile} SharedFile */
/** @typedef {import("../engine.js").Engine} Engine */
/** @typedef {ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>} ByteReader */
/** @typedef {import("../surface.js").FileProgress} FileProgress */

/**
 * @typedef {object} ReadingOptions
 * @property {number} start
 * @property {number} end  exclusive
 * @property {boolean} urgent  whether somebody waits for its first byte to see something
 * @property {AbortSignal | null} signal
 * @property {((progress: FileProgress) => void) | null} progress
 */

/** A block on its way, or here and not yet read. @typedef {{ bytes: Uint8Array<ArrayBuffer> | null, engine: Engine | null, request: number, deadlineMs: number }} Block */

/** Neighbours come and go, and deadlines with them; nobody tells. */
const REPLAN_MS = 200;
/** What a deadline has to move by for the engine to be told. */
const DEADLINE_STEP_MS = 100;
/** While nothing may be shared there is nobody. */
const NOBODY = { waitSec: 0, rateBps: 0, neighbours: 0, members: 0 };

export class Reading {
  /**
   * @param {SharedFile} file
   * @param {typeof globalThis.fetch} fetch  the browser's own
   * @param {ReadingOptions} options
   * @param {ByteReader | null} lead  brings the first bytes, up to the end of the first block or of the reading; null if nothing is on its way
   */
  constructor(file, fetch, options, lead) {
    this._file = file;
    this._fetch = fetch;
    this._options = options;
    this._lead = lead;
    /** What the lead brought, if that is going to be the whole block. @type {Uint8Array<ArrayBuffer>[]} */
    this._leadChunks = [];
    this._startedAt = now();
    this._plan = new FilePlan({ ...options, sizeBytes: file.version.sizeBytes }, options.urgent, this._startedAt);
    /** @type {Map<number, Block>} */
    this._blocks = new Map();
    /** The rest is read from the CDN alone, ... */
    this._isDirect = false;
    /** ... by this, once it is needed. @type {Promise<ByteReader> | null} */
    this._direct = null;
    this._peerBytes = 0;
    this._over = false;
    this._waiting = false;
    this._wake = () => {};
    this._stopDirect = new AbortController();
    file.readers++;
    this._ticker = setInterval(() => this._replan(), REPLAN_MS);
    const { signal } = options;
    this._aborted = () => this._fail(signal?.reason);
    signal?.addEventListener("abort", this._aborted);
    /** @type {ReadableStreamDefaultController<Uint8Array<ArrayBuffer>> | null} */
    this._controller = null;
    this.stream = new ReadableStream(
      {
        start: (controller) => {
          this._controller = controller;
        },
        pull: (controller) => this._pull(controller),
        cancel: () => this._end(),
      },
      { highWaterMark: 0 }, // the plan reads ahead
    );
    if (lead) this._plan.begun(this._plan.next);
    this._replan();
  }

  // ---- the reader ----

  /** @param {ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>} controller */
  async _pull(controller) {
    this._passed(false);
    this._waiting = true;
    try {
      const chunk = await this._nextChunk();
      if (this._over) return;
      if (!chunk) {
        this._end();
        controller.close();
        return;
      }
      this._plan.took(chunk.length);
      for (const number of this._blocks.keys()) if (number < this._plan.next) this._blocks.delete(number);
      controller.enqueue(chunk);
      this._tell();
      if (this._plan.position === this._plan.end) {
        this._end();
        controller.close();
      } else this._replan();
    } catch (error) {
      this._fail(error);
    }
    this._waiting = false;
  }

  /** Time passed, in which the reader waited or did not. @param {boolean} waiting */
  _passed(waiting) {
    this._plan.advance(this._file.engine?.surroundings() ?? NOBODY, waiting, now());
  }

  _tell() {
    const { start, end, progress } = this._options;
    try {
      progress?.({ loadedBytes: this._plan.position - start, totalBytes: end - start, peerBytes: this._peerBytes });
    } catch (error) {
      reportError(error); // the page's bug
    }
  }

  /** @returns {Promise<Uint8Array<ArrayBuffer> | null>} what comes next, of any length; null at the end */
  async _nextChunk() {
    while (!this._over && this._plan.position < this._plan.end) {
      if (this._lead) {
        const chunk = await this._readLead(this._lead);
        if (chunk) return chunk;
      } else if (this._isDirect) {
        this._direct ??= this._openDirect();
        const { done, value } = await (await this._direct).read();
        if (done || !value) throw new TypeError("PeerPool: the file ended before its size");
        return value;
      } else {
        const chunk = this._readBlock();
        if (chunk) return chunk;
        await this._moved();
      }
    }
    return null;
  }

  /** @returns {Promise<void>} when something came */
  _moved() {
    return new Promise((resolve) => {
      this._wake = () => {
        this._wake = () => {};
        resolve();
      };
    });
  }

  /** @param {ByteReader} lead @returns {Promise<Uint8Array<ArrayBuffer> | null>} null when it has ended, well or not */
  async _readLead(lead) {
    const number = this._plan.next;
    const { rangeStart, rangeEnd } = this._plan.range(number);
    const value = await lead.read().then(
      ({ value }) => value ?? null,
      () => null,
    );
    if (value && this._plan.position + value.length <= Math.min(rangeEnd, this._plan.end)) {
      if (this._options.start === rangeStart) this._leadChunks.push(value.slice());
      const loaded = this._plan.position + value.length;
      this._plan.progressed(number, loaded - rangeStart);
      if (loaded === Math.min(rangeEnd, this._plan.end)) this._leadEnded(number);
      return value;
    }
    // It broke off: the block is asked for as any other.
    this._lead = null;
    if (!this._over && !this._isDirect) this._begin(number);
    return null;
  }

  /** The lead brought all it was to bring. @param {number} number  of the block */
  _leadEnded(number) {
    this._lead = null;
    const bytes = joined(this._leadChunks);
    this._leadChunks = [];
    this._plan.measured(this._plan.position - this._options.start, now() - this._startedAt);
    const { rangeStart, rangeEnd } = this._plan.range(number);
    if (bytes.length === rangeEnd - rangeStart) this._has(number, bytes);
  }

  /** A whole block came from elsewhere than the engine: neighbours may have it. @param {number} number @param {Uint8Array<ArrayBuffer>} bytes  kept */
  _has(number, bytes) {
    this._file.engine?.seed(this._source(number), bytes);
    this._file.keep(number, bytes);
  }

  /** @returns {Uint8Array<ArrayBuffer> | null} what is here of the block that the reader is in */
  _readBlock() {
    const { next: number, position, end } = this._plan;
    const block = this._blocks.get(number);
    const { rangeStart, rangeEnd } = this._plan.range(number);
    const from = position - rangeStart;
    const until = Math.min(rangeEnd, end) - rangeStart;
    if (block?.bytes) return block.bytes.subarray(from, until);
    const firstPiece = Math.floor(from / PIECE_BYTES);
    const pieces = block?.engine?.arrived(this._source(number).ref, firstPiece) ?? [];
    const start = firstPiece * PIECE_BYTES;
    const bytes = joined(pieces).subarray(from - start, until - start);
    return bytes.length > 0 ? bytes : null;
  }

  // ---- blocks ----

  /** Asks for what is to be asked for now, and says by when what was asked for is needed. */
  _replan() {
    if (this._over || this._isDirect) return;
    const { engine } = this._file;
    if (!engine) {
      if (!this._lead) this._goDirect();
      return;
    }
    const surroundings = engine.surroundings();
    if (surroundings.signed) {
      this._goDirect(); // nobody signs files yet: what neighbours would send could not be believed
      return;
    }
    this._plan.advance(surroundings, this._waiting, now());
    const coming = (/** @type {number} */ number) => engine.coming(this._source(number).ref);
    for (const number of this._plan.begin(surroundings, coming, Math.random)) this._begin(number);
    for (const [number, block] of this._blocks) {
      const deadlineMs = this._plan.deadlineMs(number, surroundings);
      if (!block.engine || Math.abs(deadlineMs - block.deadlineMs) < DEADLINE_STEP_MS) continue;
      block.deadlineMs = deadlineMs;
      block.engine.hasten(block.request, deadlineMs);
    }
  }

  /** @param {number} number */
  async _begin(number) {
    /** @type {Block} */
    const block = { bytes: null, engine: null, request: 0, deadlineMs: 0 };
    this._blocks.set(number, block);
    const kept = await this._file.kept(number);
    if (this._over || this._isDirect || this._blocks.get(number) !== block) return;
    const { rangeStart, rangeEnd } = this._plan.range(number);
    if (kept?.length === rangeEnd - rangeStart) {
      this._file.engine?.seed(this._source(number), kept.slice());
      this._arrived(number, block, kept);
    } else this._request(number, block);
  }

  /** @param {number} number @param {Block} block */
  _request(number, block) {
    const { engine } = this._file;
    if (!engine) {
      this._goDirect();
      return;
    }
    block.engine = engine;
    block.deadlineMs = this._plan.deadlineMs(number, engine.surroundings());
    block.request = engine.request(this._source(number), block.deadlineMs, {
      progressed: ({ loadedBytes }) => {
        this._plan.progressed(number, loadedBytes);
        if (number === this._plan.next) this._wake();
      },
      delivered: (buffer, _timing, peerBytes, reason) => {
        if (this._over) return;
        const bytes = new Uint8Array(buffer);
        this._peerBytes += peerBytes;
        this._file.pool.segmentDelivered(this._source(number), bytes.length, peerBytes, reason);
        this._file.keep(number, bytes);
        this._arrived(number, block, bytes);
      },
      failed: () => this._goDirect(),
      refused: () => this._goDirect(),
    });
  }

  /** @param {number} number @param {Block} block @param {Uint8Array<ArrayBuffer>} bytes  all of it */
  _arrived(number, block, bytes) {
    block.bytes = bytes;
    block.engine = null;
    this._plan.progressed(number, bytes.length);
    if (number === this._plan.next) this._wake();
    this._replan();
  }

  /** @param {number} number */
  _source(number) {
    const surroundings = this._file.engine?.surroundings() ?? NOBODY;
    return this._file.source(number, this._plan.range(number), this._plan.durationSec(surroundings));
  }

  // ---- without us ----

  _goDirect() {
    if (this._over || this._isDirect) return;
    this._isDirect = true;
    this._forget();
    this._wake();
  }

  /** @returns {Promise<ByteReader>} of the rest, from the CDN */
  async _openDirect() {
    const { position, end } = this._plan;
    const { url, version } = this._file;
    const headers = { Range: `bytes=${position}-${end - 1}` };
    const { signal } = this._stopDirect;
    const response = await this._fetch(url, { headers, signal, credentials: "same-origin", cache: "no-store" });
    if (response.status === 206 && response.body && isOfVersion(version, (name) => response.headers.get(name)))
      return response.body.getReader();
    throw new TypeError(`PeerPool: the rest of ${url} cannot be read: HTTP ${response.status}, or another version of it`);
  }

  // ---- the end ----

  /** @param {unknown} reason */
  _fail(reason) {
    if (this._over) return;
    this._end();
    this._controller?.error(reason);
  }

  _forget() {
    for (const { engine, request } of this._blocks.values()) engine?.cancel(request);
    this._blocks.clear();
  }

  _end() {
    if (this._over) return;
    this._over = true;
    clearInterval(this._ticker);
    this._options.signal?.removeEventListener("abort", this._aborted);
    this._forget();
    this._lead?.cancel().catch(() => {});
    this._stopDirect.abort();
    this._file.readers--;
    this._file.usedAt = now();
    this._wake();
  }
}

/** @param {Uint8Array[]} parts @returns {Uint8Array<ArrayBuffer>} a copy */
function joined(parts) {
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
