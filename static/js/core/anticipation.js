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
    /** The newest segment that was asked for of each type of live track. @type {Map<string, SegmentSource>} */
    this._newest = new Map();
  }

  /** The player asks for it. @param {SegmentSource} source @returns {boolean} whether it left another track of this type for it */
  asked(source) {
    if (!source.live || source.durationSec === 0) return false;
    const known = this._newest.get(source.type);
    const moved = known !== undefined && groupKey(known.ref) !== groupKey(source.ref);
    if (!known || moved || known.ref.number < source.ref.number) this._newest.set(source.type, source);
    return moved;
  }

  /**
   * @param {SegmentRef} ref
   * @returns {SegmentSource | null} a stand-in for it, without its URL, if the player will ask for it next; null if not
   */
  next(ref) {
    const key = groupKey(ref);
    const newest = [...this._newest.values()].find((source) => groupKey(source.ref) === key);
    if (!newest) return null;
    const ahead = ref.number - newest.ref.number;
    return ahead > 0 && ahead <= ANTICIPATED_SEGMENTS ? { ...newest, ref, url: "", rangeStart: null, rangeEnd: null } : null;
  }
}
