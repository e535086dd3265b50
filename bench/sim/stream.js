/** An invented stream: what each segment's bytes are, where it is, and when it appears. */

import { KIND_MEDIA, trackId } from "../../static/js/core/identity.js";
import { mix } from "./random.js";

export const ORIGIN_URL = "https://cdn.example/stream";
/** Segments whose bytes are kept: they are made again when they are asked for later. */
const CACHED_SEGMENTS = 320;

export class Stream {
  /**
   * @param {object} shape
   * @param {string} [shape.name]  of its track
   * @param {number} [shape.durationSec]  of a segment
   * @param {number} [shape.bitrateBps]
   * @param {number} [shape.windowSegments]  a live playlist's length; Infinity for VOD, where all is there from the start
   * @param {number} [shape.segments]  of a VOD
   */
  constructor({
    name = "main",
    durationSec = 2,
    bitrateBps = 1_600_000,
    windowSegments = 15,
    segments = Number.POSITIVE_INFINITY,
  } = {}) {
    this.track = trackId({ type: "video", name });
    this.durationSec = durationSec;
    this.bitrateBps = bitrateBps;
    this.windowSegments = windowSegments;
    this.segments = segments;
    this._salt = Number.parseInt(this.track.slice(0, 8), 16);
    /** @type {Map<number, Uint8Array>} */
    this._cache = new Map();
  }

  get live() {
    return this.windowSegments !== Number.POSITIVE_INFINITY;
  }

  /** @param {number} number @returns {number} bytes; varies by a third, as encoders' segments do */
  sizeBytes(number) {
    const mean = (this.bitrateBps * this.durationSec) / 8;
    return Math.round(mean * (0.85 + 0.3 * (((number * 7919) % 101) / 101)));
  }

  /** @param {number} number @returns {Uint8Array} the same each time; not to be written to */
  bytes(number) {
    const known = this._cache.get(number);
    if (known) return known;
    const size = this.sizeBytes(number);
    const words = new Uint32Array(Math.ceil(size / 4));
    let state = mix(this._salt, number) | 1;
    for (let index = 0; index < words.length; index++) {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      words[index] = state;
    }
    const bytes = new Uint8Array(words.buffer, 0, size);
    this._cache.set(number, bytes);
    if (this._cache.size > CACHED_SEGMENTS) this._cache.delete(/** @type {number} */ (this._cache.keys().next().value));
    return bytes;
  }

  /** @param {number} number @returns {import("../../static/js/core/download.js").SegmentSource} */
  source(number) {
    const source = {
      ref: { track: this.track, kind: KIND_MEDIA, discontinuity: 0, number },
      url: `${ORIGIN_URL}/${this.track}/${number}`,
      rangeStart: null,
      rangeEnd: null,
      durationSec: this.durationSec,
      expectedBytes: Math.round((1.15 * this.bitrateBps * this.durationSec) / 8), // BANDWIDTH is the peak
      live: this.live,
      type: "video",
    };
    return source;
  }

  /** @param {string} url @returns {number} the number of the segment there */
  static numberOf(url) {
    return Number(url.slice(url.lastIndexOf("/") + 1));
  }

  /** @param {number} nowMs @returns {number} the newest segment there is; it appears when its last frame is encoded */
  newest(nowMs) {
    return this.live ? Math.floor(nowMs / 1000 / this.durationSec) - 1 + this.windowSegments : this.segments - 1;
  }

  /** @param {number} nowMs @returns {number} the oldest segment in the playlist */
  oldest(nowMs) {
    return this.live ? this.newest(nowMs) - this.windowSegments + 1 : 0;
  }

  /** @param {number} number @returns {number} when it is in the playlist; before the start for VOD */
  appearsMs(number) {
    return this.live ? (number + 1 - this.windowSegments) * this.durationSec * 1000 : 0;
  }
}
