/** An invented stream: what each segment's bytes are, where it is, and when it appears. */

import { createHash } from "node:crypto";
import { KIND_MEDIA, trackId } from "../../../static/js/core/identity.js";

export const ORIGIN_URL = "https://cdn.example/stream";

export class Stream {
  /**
   * @param {object} shape
   * @param {string} [shape.name]  of its track
   * @param {number} [shape.durationSec]  of a segment
   * @param {number} [shape.bitrateBps]
   * @param {number} [shape.windowSegments]  a live playlist's length; Infinity for VOD, where all is there from the start
   */
  constructor({ name = "main", durationSec = 2, bitrateBps = 1_600_000, windowSegments = 15 } = {}) {
    this.track = trackId({ type: "video", name });
    this.durationSec = durationSec;
    this.bitrateBps = bitrateBps;
    this.windowSegments = windowSegments;
  }

  get live() {
    return this.windowSegments !== Number.POSITIVE_INFINITY;
  }

  /** @param {number} number @returns {number} bytes; varies by a third, as encoders' segments do */
  sizeBytes(number) {
    const mean = (this.bitrateBps * this.durationSec) / 8;
    return Math.round(mean * (0.85 + 0.3 * (((number * 7919) % 101) / 101)));
  }

  /** @param {number} number @returns {Uint8Array} */
  bytes(number) {
    const bytes = new Uint8Array(this.sizeBytes(number));
    const word = createHash("sha256").update(`${this.track}/${number}`).digest();
    for (let index = 0; index < bytes.length; index += word.length) {
      bytes.set(word.subarray(0, Math.min(word.length, bytes.length - index)), index);
      word[0] = /** @type {number} */ (word[0] + 1) & 0xff;
    }
    return bytes;
  }

  /** @param {number} number @returns {import("../../../static/js/core/download.js").SegmentSource} */
  source(number) {
    return {
      ref: { track: this.track, kind: KIND_MEDIA, discontinuity: 0, number },
      url: `${ORIGIN_URL}/${this.track}/${number}`,
      rangeStart: null,
      rangeEnd: null,
      durationSec: this.durationSec,
    };
  }

  /** @param {string} url @returns {number} the number of the segment there */
  static numberOf(url) {
    return Number(url.slice(url.lastIndexOf("/") + 1));
  }

  /** @param {number} nowMs @returns {number} the newest segment there is; it appears when its last frame is encoded */
  newest(nowMs) {
    return this.live ? Math.floor(nowMs / 1000 / this.durationSec) - 1 + this.windowSegments : Number.POSITIVE_INFINITY;
  }
}
