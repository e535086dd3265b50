/** What players asked for, and what they are told of it. */

import { Average } from "./rates.js";
import { HTTP_RATE_GUESS_BYTES_PER_MS, HTTP_RATE_SAMPLE_MIN_BYTES } from "./tuning.js";

/** @typedef {import("./download.js").Download} Download */
/** @typedef {import("./segment.js").Segment} Segment */

export class Requests {
  /**
   * @param {import("./outbox.js").Outbox} outbox
   * @param {{ firstByteMs: Average, rateBytesPerMs: Average }} cdn  as measured
   * @param {() => void} makeRoom  gives up all memory that can be spared
   */
  constructor(outbox, cdn, makeRoom) {
    this._outbox = outbox;
    this._cdn = cdn;
    this._makeRoom = makeRoom;
    /** @type {Map<number, Download>} */
    this._downloads = new Map();
    this._nextId = 1;
    /** Mean rate of whole deliveries, from whomever: what a player may expect of the next. */
    this._rateBytesPerMs = new Average(HTTP_RATE_GUESS_BYTES_PER_MS);
  }

  /** @param {Segment} segment  that is held whole @param {number} nowMs @returns {number} the request, answered at once */
  answer(segment, nowMs) {
    const request = this._nextId++;
    // At the rate that deliveries have: a player that believed memory's speed would switch to a rendition the network cannot carry.
    const startMs = nowMs - segment.heldBytes / this._rateBytesPerMs.value;
    this._hand(request, segment, this._asFromCdn(segment.heldBytes, { startMs, firstByteMs: startMs, endMs: nowMs }));
    return request;
  }

  /** @param {number} request @param {Segment} segment @param {import("./outbox.js").Timing} timing */
  _hand(request, segment, timing) {
    let bytes = segment.assemble();
    if (!bytes) {
      this._makeRoom();
      bytes = segment.assemble();
    }
    this._outbox.push(
      bytes
        ? { type: "deliver", request, bytes, peerBytes: segment.peerBytes, timing, reason: segment.reason }
        : { type: "refuse", request },
    );
  }

  /** @param {Download} download  that will answer it @param {number} deadlineMs @returns {number} the request */
  add(download, deadlineMs) {
    const request = this._nextId++;
    download.requests.set(request, deadlineMs);
    this._downloads.set(request, download);
    return request;
  }

  /** @param {number} request @param {number} deadlineMs @returns {Download | undefined} whose deadline may have changed */
  hasten(request, deadlineMs) {
    const download = this._downloads.get(request);
    download?.requests.set(request, deadlineMs);
    return download;
  }

  /** @param {number} request @returns {Download | null} what nobody wants any more, because this was the last who did */
  cancel(request) {
    const download = this._downloads.get(request);
    this._downloads.delete(request);
    download?.requests.delete(request);
    return download?.requests.size === 0 ? download : null;
  }

  /** Some of it is here. @param {Download} download @param {number} nowMs */
  progress({ requests, segment, startedMs, firstByteMs }, nowMs) {
    const { heldBytes: loadedBytes, sizeBytes } = segment;
    const times = { startMs: startedMs ?? nowMs, firstByteMs: firstByteMs ?? nowMs };
    for (const request of requests.keys()) this._outbox.push({ type: "progress", request, loadedBytes, sizeBytes, ...times });
  }

  /** It is whole. @param {Download} download @param {number} nowMs */
  deliver({ requests, segment, startedMs, firstByteMs }, nowMs) {
    const timing = { startMs: startedMs ?? nowMs, firstByteMs: firstByteMs ?? nowMs, endMs: nowMs };
    if (segment.heldBytes >= HTTP_RATE_SAMPLE_MIN_BYTES) {
      this._rateBytesPerMs.add(segment.heldBytes / Math.max(1, timing.endMs - timing.startMs));
    }
    const told = this._asFromCdn(segment.heldBytes, timing);
    for (const request of requests.keys()) {
      this._downloads.delete(request);
      this._hand(request, segment, told);
    }
  }

  /**
   * What peers bring comes as early as it can and as late as it may, so its pace says little of what our line and the CDN would carry;
   * and the CDN is there where peers are not. A player that saw the peers' pace alone would play a lower rendition than without them.
   * @param {number} sizeBytes @param {import("./outbox.js").Timing} timing  as it was
   * @returns {import("./outbox.js").Timing} no slower than the CDN was, where that was measured
   */
  _asFromCdn(sizeBytes, { startMs, firstByteMs, endMs }) {
    const { rateBytesPerMs: rate, firstByteMs: wait } = this._cdn;
    if (rate.samples === 0) return { startMs, firstByteMs, endMs };
    const firstMs = Math.max(firstByteMs, endMs - sizeBytes / rate.value);
    return { startMs: Math.max(startMs, firstMs - wait.value), firstByteMs: firstMs, endMs };
  }

  /** It cannot be had. @param {Download} download @param {{ status: number, reason: string }} failure */
  fail({ requests }, failure) {
    for (const request of requests.keys()) {
      this._downloads.delete(request);
      this._outbox.push({ type: "fail", request, ...failure });
    }
  }
}
