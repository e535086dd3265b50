/**
 * Segments held whole, for the player's next ask and the neighbours', below a cap of bytes.
 * Least recently used goes first: played to us or sent to somebody counts as use.
 */

import { refKey } from "./identity.js";

/** @typedef {import("./identity.js").SegmentRef} SegmentRef */
/** @typedef {import("./segment.js").Segment} Segment */

export class Store {
  /** @param {number} capBytes */
  constructor(capBytes) {
    this.capBytes = capBytes;
    this.heldBytes = 0;
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
    /** @type {SegmentRef[]} */
    const gone = [];
    for (const [oldKey, old] of this._segments) {
      if (this.heldBytes <= this.capBytes) break;
      this._segments.delete(oldKey);
      this.heldBytes -= old.heldBytes;
      gone.push(old.ref);
    }
    return gone;
  }

  /** @param {SegmentRef} ref @returns {boolean} without marking it used */
  has(ref) {
    return this._segments.has(refKey(ref));
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
