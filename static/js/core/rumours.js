/**
 * Claims heard of, so that each is passed on once: the word that somebody fetches a segment must outrun the backoffs of
 * peers who are not the fetcher's neighbours. Also a second claim of the same segment is: two who both think they stand must hear
 * of each other.
 */

import { refKey } from "./identity.js";
import { keepNewest } from "./newest.js";
import { TokenBucket } from "./rates.js";
import { CLAIM_HOPS_MAX, RUMOURS_MAX, RUMOURS_OF_SEGMENT_MAX, RUMOURS_PER_MS } from "./tuning.js";

/** @typedef {import("./identity.js").SegmentRef} SegmentRef */

export class Rumours {
  /** @param {number} nowMs */
  constructor(nowMs) {
    /** Who claimed what. @type {Map<string, Set<string>>} by ref key, oldest first */
    this._heard = new Map();
    // One bucket for all: what hostile neighbours make us pass on is bounded, whatever they claim.
    this._bucket = new TokenBucket(RUMOURS_PER_MS, RUMOURS_MAX, nowMs);
  }

  /** @param {SegmentRef} ref @param {string} claimant @returns {boolean} whether it is news, and one of the first of that segment */
  hear(ref, claimant) {
    const key = refKey(ref);
    const claimants = this._heard.get(key) ?? new Set();
    if (claimants.has(claimant) || claimants.size >= RUMOURS_OF_SEGMENT_MAX) return false;
    claimants.add(claimant);
    this._heard.set(key, claimants);
    keepNewest(this._heard, RUMOURS_MAX);
    return true;
  }

  /** @param {import("./wire.js").ClaimFrame} claim @param {number} nowMs @returns {boolean} whether to pass it on */
  passesOn({ ref, claimant, hops }, nowMs) {
    return this.hear(ref, claimant) && hops < CLAIM_HOPS_MAX && this._bucket.take(1, nowMs) === 0;
  }
}
