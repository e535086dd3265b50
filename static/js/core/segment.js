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
    /** Who sent it, of those that neighbours sent: session ids. @type {Map<number, string>} */
    this._senders = new Map();
    /** What was signed, once it is known. @type {import("./digest.js").Digest | null} */
    this.digest = null;
    /** Where it is on the CDN, once it is known. @type {import("./download.js").SegmentSource | null} */
    this.source = null;
    /** Why the CDN was asked, the last time; null if it was not. @type {import("./scheduler.js").FetchReason | null} */
    this.reason = null;
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
   * @param {string | null} sender  session of the neighbour that sent it; null for the CDN
   * @returns {boolean} whether it was new
   */
  put(index, bytes, sender) {
    if (this.has(index)) return false;
    if (this.sizeBytes !== null && bytes.length !== pieceLength(this.sizeBytes, index)) return false;
    this._pieces[index] = bytes;
    this.held.add(index);
    this.heldCount++;
    this.heldBytes += bytes.length;
    if (sender !== null) {
      this.peerBytes += bytes.length;
      this._senders.set(index, sender);
    }
    return true;
  }

  /** @param {number} index @returns {string | undefined} session of the neighbour that sent it; undefined for the CDN, or nobody */
  sender(index) {
    return this._senders.get(index);
  }

  /** @param {string} session @returns {boolean} whether any of it came of that neighbour */
  isFrom(session) {
    for (const sender of this._senders.values()) if (sender === session) return true;
    return false;
  }

  /** @param {(index: number, piece: Uint8Array) => void} visit  each piece that the CDN sent */
  fetchedPieces(visit) {
    this._pieces.forEach((piece, index) => {
      if (piece && !this._senders.has(index)) visit(index, piece);
    });
  }

  /**
   * The size is another than was thought. What neighbours sent came with the wrong one and goes; what the CDN sent is where it
   * belongs and stays, as far as it fits.
   * @param {number | null} sizeBytes  null for unknown again
   * @returns {number} bytes that went
   */
  resize(sizeBytes) {
    this.sizeBytes = sizeBytes;
    return this._keep(() => false);
  }

  /** What a neighbour sent is believed no longer. @param {string} session @returns {number} bytes that went */
  discard(session) {
    return this._keep((sender) => sender !== session);
  }

  /** @param {(sender: string) => boolean} believed  of what neighbours sent @returns {number} bytes that went */
  _keep(believed) {
    const before = this.heldBytes;
    const pieces = this._pieces;
    const senders = this._senders;
    this.held = new RangeSet();
    this.heldCount = this.heldBytes = this.peerBytes = 0;
    this._pieces = [];
    this._senders = new Map();
    pieces.forEach((piece, index) => {
      const sender = senders.get(index) ?? null;
      if (piece && (sender === null || believed(sender))) this.put(index, piece, sender);
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
