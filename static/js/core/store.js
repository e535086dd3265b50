/**
 * Segments held whole, for the player's next ask and the neighbours', below a cap of bytes.
 * Least recently used goes first: played to us or sent to somebody counts as use. Of the few used longest ago, what most neighbours
 * hold goes before what only we have.
 */

import { storeAllowance } from "./allowance.js";
import { refKey } from "./identity.js";
import { STORE_EVICTION_CANDIDATES } from "./tuning.js";

/** @typedef {import("./identity.js").SegmentRef} SegmentRef */
/** @typedef {import("./segment.js").Segment} Segment */

export class Store {
  /** @param {number} capBytes @param {(ref: SegmentRef) => number} [copies]  neighbours that hold a segment */
  constructor(capBytes, copies = () => 0) {
    this.capBytes = capBytes;
    this._copies = copies;
    this.heldBytes = 0;
    this._hidden = false;
    /** @type {Map<string, Segment>} insertion order is order of use */
    this._segments = new Map();
  }

  /**
   * @param {Segment} segment  complete
   * @returns {SegmentRef[]} those that had to go for it; the segment itself if it alone is above the cap
   */
  add(segment) {
    const key = refKey(segment.ref);
    if (this._segments.has(key)) return [];
    this._segments.set(key, segment);
    this.heldBytes += segment.heldBytes;
    return this._fit();
  }

  /** @param {boolean} hidden  whether the page is @returns {SegmentRef[]} those that had to go for it */
  visibilityChanged(hidden) {
    this._hidden = hidden;
    return this._fit();
  }

  /** A neighbour turned out to send wrong bytes, which nobody had checked. @param {string} session @returns {SegmentRef[]} those it had a part in, held no longer */
  distrust(session) {
    const suspects = [...this._segments].filter(([, segment]) => segment.isFrom(session) && !segment.digest);
    for (const [key, segment] of suspects) this._remove(key, segment);
    return suspects.map(([, { ref }]) => ref);
  }

  /** Memory has run out: nothing is held now, and less from now on. @returns {SegmentRef[]} all that were */
  release() {
    this.capBytes = storeAllowance(this.capBytes, true);
    return this.shrink(0);
  }

  _fit() {
    return this.shrink(storeAllowance(this.capBytes, this._hidden));
  }

  /** @param {number} toBytes @returns {SegmentRef[]} those that had to go for it */
  shrink(toBytes) {
    /** @type {SegmentRef[]} */
    const gone = [];
    while (this.heldBytes > toBytes) {
      const [key, segment] = this._leastNeeded();
      this._remove(key, segment);
      gone.push(segment.ref);
    }
    return gone;
  }

  /** @param {string} key @param {Segment} segment */
  _remove(key, segment) {
    this._segments.delete(key);
    this.heldBytes -= segment.heldBytes;
  }

  /** @returns {[key: string, segment: Segment]} of one, while there is any */
  _leastNeeded() {
    /** @type {[string, Segment] | null} */
    let least = null;
    let most = -1;
    let looked = 0;
    for (const entry of this._segments) {
      const copies = this._copies(entry[1].ref);
      if (copies > most) {
        most = copies;
        least = entry;
      }
      if (++looked === STORE_EVICTION_CANDIDATES) break;
    }
    return /** @type {[string, Segment]} */ (least);
  }

  /** @param {SegmentRef} ref @returns {boolean} without marking it used */
  has(ref) {
    return this._segments.has(refKey(ref));
  }

  /** @param {SegmentRef} ref @returns {Segment | undefined} without marking it used */
  peek(ref) {
    return this._segments.get(refKey(ref));
  }

  /** @param {SegmentRef} ref @returns {Segment | undefined} and marks it used */
  use(ref) {
    const key = refKey(ref);
    const segment = this._segments.get(key);
    if (segment) {
      this._segments.delete(key);
      this._segments.set(key, segment);
    }
    return segment;
  }

  /** @returns {Iterable<SegmentRef>} all that are held */
  *refs() {
    for (const segment of this._segments.values()) yield segment.ref;
  }
}
