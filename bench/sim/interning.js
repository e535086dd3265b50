/**
 * One copy of each piece in memory. Peers encode a PIECE frame each time they send it; the same piece of the same segment is
 * the same bytes whoever sends it, so what is delivered is the frame that was delivered first. A thousand stores then hold
 * views of one set of frames. Frames with the same header and another payload are told apart (and delivered as they are).
 */

import { FRAME } from "../../static/js/core/wire.js";

/** Pieces kept in each of two generations: some 250 MB together at worst. */
const GENERATION_PIECES = 4096;
/** Type, track id, kind: before the four varints of discontinuity, number, size and index. */
const FIXED_BYTES = 1 + 8 + 1;

export class Interning {
  constructor() {
    /** @type {Map<string, Uint8Array>} */
    this._young = new Map();
    /** @type {Map<string, Uint8Array>} */
    this._old = new Map();
  }

  /** @param {Uint8Array} frame @returns {Uint8Array} the same bytes */
  intern(frame) {
    if (frame[0] !== FRAME.PIECE) return frame;
    let headerBytes = FIXED_BYTES;
    for (let varint = 0; varint < 4; varint++) headerBytes += 1 << ((frame[headerBytes] ?? 0) >> 6);
    const key = Buffer.from(frame.buffer, frame.byteOffset, headerBytes).toString("latin1");
    const known = this._young.get(key) ?? this._old.get(key);
    if (known && known.length === frame.length && Buffer.compare(known, frame) === 0) {
      this._keep(key, known);
      return known;
    }
    this._keep(key, frame);
    return frame;
  }

  /** @param {string} key @param {Uint8Array} frame */
  _keep(key, frame) {
    if (this._young.has(key)) return;
    this._young.set(key, frame);
    if (this._young.size < GENERATION_PIECES) return;
    this._old = this._young;
    this._young = new Map();
  }
}
