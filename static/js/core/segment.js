/**
 * The bytes of one segment, as pieces, from any number of sources in any order.
 * Nothing is allocated for a size before the bytes are there: a declared size is only a number.
 */

import { PIECE_BYTES } from "./constants.js";
import { RangeSet } from "./range-set.js";
import { pieceLength } from "./wire.js";

/** @typedef {import("./identity.js").SegmentRef} SegmentRef */

export class Segment {
  /**
   * @param {SegmentRef} ref
   * @param {number | null} sizeBytes  null until somebody says it
   */
  constructor(ref, sizeBytes = null) {
    this.ref = ref;
    /** @type {number | null} */
    this.sizeBytes = sizeBytes;
    /** Pieces that are held. */
    this.held = new RangeSet();
    this.heldCount = 0;
    this.heldBytes = 0;
    /** Held bytes that neighbours sent. */
    this.peerBytes = 0;
    /** @type {(Uint8Array | undefined)[]} */
    this._pieces = [];
  }

  /** @returns {number | null} null while the size is unknown */
  get pieceCount() {
    return this.sizeBytes === null ? null : Math.ceil(this.sizeBytes / PIECE_BYTES);
  }

  get complete() {
    return this.heldCount === this.pieceCount;
  }

  /** @param {number} index @returns {boolean} */
  has(index) {
    return this._pieces[index] !== undefined;
  }

  /** @param {number} index @returns {Uint8Array | undefined} */
  piece(index) {
    return this._pieces[index];
  }

  /**
   * @param {number} index
   * @param {Uint8Array} bytes  kept, not copied; of the length its place asks for
   * @param {boolean} fromPeer
   * @returns {boolean} whether it was new
   */
  put(index, bytes, fromPeer) {
    if (this.has(index)) return false;
    if (this.sizeBytes !== null && bytes.length !== pieceLength(this.sizeBytes, index)) return false;
    this._pieces[index] = bytes;
    this.held.add(index);
    this.heldCount++;
    this.heldBytes += bytes.length;
    if (fromPeer) this.peerBytes += bytes.length;
    return true;
  }

  /** Forget every byte: the size turned out to be another than the one they came with. */
  reset() {
    this.held = new RangeSet();
    this.heldCount = 0;
    this.heldBytes = 0;
    this.peerBytes = 0;
    this._pieces = [];
  }

  /** @returns {Uint8Array<ArrayBuffer>} a copy of the whole; only when complete */
  assemble() {
    const whole = new Uint8Array(/** @type {number} */ (this.sizeBytes));
    this._pieces.forEach((piece, index) => {
      if (piece) whole.set(piece, index * PIECE_BYTES);
    });
    return whole;
  }
}
