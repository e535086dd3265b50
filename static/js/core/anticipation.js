/**
 * What our player is about to ask for. A neighbour's playlist may have shown a fresh segment when ours has not yet: the word of it
 * is enough to take it from neighbours, and so to pass it on, up to a playlist's interval earlier.
 */

import { groupKey } from "./identity.js";
import { ANTICIPATED_SEGMENTS } from "./tuning.js";

/** @typedef {import("./download.js").SegmentSource} SegmentSource */
/** @typedef {import("./identity.js").SegmentRef} SegmentRef */

export class Anticipation {
  constructor() {
    /** The newest segment that was asked for of each kind of live track: one of picture, one of sound. @type {Map<string, SegmentSource>} by group */
    this._newest = new Map();
  }

  /** The player asks for it. @param {SegmentSource} source */
  asked(source) {
    if (!source.live || source.durationSec === 0) return;
    const key = groupKey(source.ref);
    const known = this._newest.get(key);
    if (known && known.ref.number >= source.ref.number) return;
    this._newest.delete(key);
    this._newest.set(key, source);
    // A rendition that was left stays behind and is forgotten: whoever came by two segments ago is no longer watched.
    for (const [other, { ref }] of this._newest)
      if (ref.number < source.ref.number - ANTICIPATED_SEGMENTS) this._newest.delete(other);
  }

  /**
   * @param {SegmentRef} ref
   * @returns {SegmentSource | null} a stand-in for it, without its URL, if the player will ask for it next; null if not
   */
  next(ref) {
    const newest = this._newest.get(groupKey(ref));
    if (!newest) return null;
    const ahead = ref.number - newest.ref.number;
    return ahead > 0 && ahead <= ANTICIPATED_SEGMENTS ? { ...newest, ref, url: "", rangeStart: null, rangeEnd: null } : null;
  }
}
