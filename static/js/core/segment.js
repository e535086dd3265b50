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
    /** Which of them neighbours sent. @type {Set<number>} */
    this._fromPeers = new Set();
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
    if (fromPeer) {
      this.peerBytes += bytes.length;
      this._fromPeers.add(index);
    }
    return true;
  }

  /**
   * The size is another than was thought. What neighbours sent came with the wrong one and goes; what the CDN sent is where it
   * belongs and stays, as far as it fits.
   * @param {number | null} sizeBytes  null for unknown again
   * @returns {number} bytes that went
   */
  resize(sizeBytes) {
    const before = this.heldBytes;
    this.sizeBytes = sizeBytes;
    const pieces = this._pieces;
    const fromPeers = this._fromPeers;
    this.held = new RangeSet();
    this.heldCount = this.heldBytes = this.peerBytes = 0;
    this._pieces = [];
    this._fromPeers = new Set();
    pieces.forEach((piece, index) => {
      if (piece && !fromPeers.has(index)) this.put(index, piece, false);
    });
    return before - this.heldBytes;
  }

  /** @returns {Uint8Array<ArrayBuffer> | null} a copy of the whole, only when complete; null where there is no memory for it */
  assemble() {
    /** @type {Uint8Array<ArrayBuffer>} */
    let whole;
    try {
      whole = new Uint8Array(/** @type {number} */ (this.sizeBytes));
    } catch {
      return null; // a RangeError in Chromium and Safari, a text in Firefox
    }
    this._pieces.forEach((piece, index) => {
      if (piece) whole.set(piece, index * PIECE_BYTES);
    });
    return whole;
  }
}
