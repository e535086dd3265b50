/**
 * Requests to the CDN: what runs for which download, how fast the CDN answers, and whether it takes ranges.
 */

import { PIECE_BYTES } from "./constants.js";
import { Fetch } from "./download.js";
import { Average } from "./rates.js";
import {
  HTTP_FIRST_BYTE_GUESS_MS,
  HTTP_RATE_GUESS_BYTES_PER_MS,
  HTTP_RATE_SAMPLE_MIN_BYTES,
  REFETCH_MIN_BYTES,
  REFETCH_ROUND_TRIPS,
} from "./tuning.js";

/** @typedef {import("./download.js").Download} Download */

export class Fetches {
  /** @param {import("./outbox.js").Outbox} outbox */
  constructor(outbox) {
    this._outbox = outbox;
    /** @type {Map<number, Download>} by job */
    this._byJob = new Map();
    this._nextJob = 1;
    this.firstByteMs = new Average(HTTP_FIRST_BYTE_GUESS_MS);
    this.rateBytesPerMs = new Average(HTTP_RATE_GUESS_BYTES_PER_MS);
    /** @type {Map<string, boolean>} origin -> whether it takes ranges, once known */
    this._ranges = new Map();
  }

  /** @param {number} job @returns {{ download: Download, fetch: Fetch } | null} null when it was aborted meanwhile */
  find(job) {
    const download = this._byJob.get(job);
    return download?.fetch ? { download, fetch: download.fetch } : null;
  }

  /** @param {string} url @returns {boolean} false where ranges are known to be refused */
  takesRanges(url) {
    return this._ranges.get(new URL(url).origin) ?? true;
  }

  /** A piece was asked for alone. @param {string} url @param {number} status  of the answer */
  rangeAnswered(url, status) {
    const { origin } = new URL(url);
    if (status === 206) this._ranges.set(origin, true);
    // As in `rangeRefused`: what no answer came to may be a preflight that forbids ranges.
    else if (status === 200 || ((status === 0 || status === 416) && !this._ranges.get(origin))) this._ranges.set(origin, false);
  }

  /** @param {Download} download @param {import("./scheduler.js").FetchPlan} planned @param {number} nowMs */
  start(download, { startPiece, endPiece, reason }, nowMs) {
    download.segment.reason = reason;
    const job = this._nextJob++;
    const fetch = new Fetch(job, startPiece, endPiece, nowMs);
    download.fetch = fetch;
    download.startedMs ??= nowMs;
    this._byJob.set(job, download);
    const { url, rangeStart, rangeEnd, version } = download.source;
    const { sizeBytes } = download.segment;
    const base = rangeStart ?? 0;
    const end = endPiece === null || sizeBytes === null ? rangeEnd : base + Math.min(sizeBytes, endPiece * PIECE_BYTES);
    this._outbox.push({
      type: "fetch",
      job,
      url,
      rangeStart: fetch.whole ? rangeStart : base + startPiece * PIECE_BYTES,
      rangeEnd: end,
      ...(version && { version }),
    });
  }

  /**
   * The head of an answer came.
   * @param {Download} download @param {Fetch} fetch @param {boolean} partial  whether it is the range asked for @param {number} nowMs
   * @returns {boolean} false if it is of no use: the segment is a range of a larger resource, and that was sent instead
   */
  headReceived(download, fetch, partial, nowMs) {
    fetch.firstByteMs = fetch.heardMs = nowMs;
    this.firstByteMs.add(nowMs - fetch.startedMs);
    if (download.source.rangeStart !== null) {
      if (partial) this._ranges.set(new URL(download.source.url).origin, true);
      return partial;
    }
    if (fetch.whole) return true;
    this._ranges.set(new URL(download.source.url).origin, partial);
    if (!partial) fetch.restartAtZero();
    return true;
  }

  /**
   * It failed.
   * @param {Download} download @param {Fetch} fetch @param {number} status
   * @returns {boolean} whether the range is to blame, and the whole may be had at once
   */
  rangeRefused(download, fetch, status) {
    const { origin } = new URL(download.source.url);
    if (fetch.whole || download.source.rangeStart !== null || this._ranges.get(origin)) return false;
    // No answer to the first range ever sent there looks just like a CDN whose CORS preflight forbids the Range header.
    if (status !== 0 && status !== 416) return false;
    this._ranges.set(origin, false);
    return true;
  }

  /** It ended by itself. @param {Download} download */
  ended(download) {
    if (!download.fetch) return;
    this._byJob.delete(download.fetch.job);
    download.fetch = null;
  }

  /** @param {Download} download  with or without a running fetch @param {number} nowMs @returns {number} bytes that came for nothing */
  abort(download, nowMs) {
    const { fetch } = download;
    if (!fetch) return 0;
    this.measure(fetch, nowMs);
    const wasted = fetch.rest()?.[1].length ?? 0;
    this.ended(download);
    // Aborting what has come to its end would only close a connection that could be used again.
    if (fetch.nextOffset !== download.segment.sizeBytes) this._outbox.push({ type: "abort", job: fetch.job });
    return wasted;
  }

  /**
   * Whether a running fetch had better end: nothing that is missing is ahead of it, or so much that neighbours have brought meanwhile is
   * in between that asking for the rest anew is sooner.
   * @param {import("./segment.js").Segment} segment  of known size @param {Fetch} fetch
   */
  overtaken(segment, fetch) {
    const end = Math.min(fetch.endPiece ?? Number.POSITIVE_INFINITY, /** @type {number} */ (segment.pieceCount));
    let next = fetch.currentPiece;
    while (next < end && segment.has(next)) next++;
    if (next === end) return true;
    const skippedBytes = next * PIECE_BYTES - fetch.nextOffset;
    return skippedBytes > Math.max(REFETCH_MIN_BYTES, REFETCH_ROUND_TRIPS * this.firstByteMs.value * this.rateBytesPerMs.value);
  }

  /** How fast the CDN was, if enough came to tell. @param {Fetch} fetch @param {number} nowMs */
  measure(fetch, nowMs) {
    if (fetch.firstByteMs === null || fetch.receivedBytes < HTTP_RATE_SAMPLE_MIN_BYTES) return;
    this.rateBytesPerMs.add(fetch.receivedBytes / Math.max(1, nowMs - fetch.firstByteMs));
  }
}
