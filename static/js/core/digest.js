/**
 * The signed record of one segment: what each of its pieces hashes to (docs/adr/0012-signed-digests.md). Frozen by
 * tests/vectors/digests.json, which Python runs too.
 */

import { PIECE_BYTES, PROTOCOL, RECORD_PIECES_MAX, RECORD_VERSION } from "./constants.js";
import { DIGEST_MAX_BYTES, Reader, WireError } from "./wire.js";

const HASH_BYTES = 32;
/** ECDSA P-256, r and s (IEEE P1363, as crypto.subtle takes it). */
const SIGNATURE_BYTES = 64;
const CONTEXT = new TextEncoder().encode(`${PROTOCOL}:digest:`);

export class Digest {
  /** @param {Uint8Array} record @throws {WireError} */
  constructor(record) {
    if (record.length >= DIGEST_MAX_BYTES) throw new WireError("digest too large");
    const reader = new Reader(record);
    if (reader.byte() !== RECORD_VERSION) throw new WireError("digest of another version");
    /** As it came; to be passed on. */
    this.record = record;
    /** 16 hex digits. */
    this.keyId = reader.hex(8);
    /** 40 hex digits. */
    this.content = reader.hex(20);
    this.ref = reader.ref();
    this.sizeBytes = reader.size();
    const pieceCount = Math.ceil(this.sizeBytes / PIECE_BYTES);
    if (pieceCount > RECORD_PIECES_MAX) throw new WireError("digest of too many pieces");
    const hashesBytes = pieceCount * HASH_BYTES;
    const start = reader.take(hashesBytes);
    this._hashes = record.subarray(start, start + hashesBytes);
    if (record.length !== reader.offset + SIGNATURE_BYTES) throw new WireError("digest of a wrong length");
  }

  /** @returns {Uint8Array<ArrayBuffer>} what was signed */
  get signed() {
    const { record } = this;
    const signed = new Uint8Array(CONTEXT.length + record.length - SIGNATURE_BYTES);
    signed.set(CONTEXT);
    signed.set(record.subarray(0, -SIGNATURE_BYTES), CONTEXT.length);
    return signed;
  }

  /** @returns {Uint8Array<ArrayBuffer>} 64 bytes */
  get signature() {
    return this.record.slice(-SIGNATURE_BYTES);
  }

  /** @param {number} index  of a piece within the segment @param {Uint8Array} hash  32 bytes @returns {boolean} whether it is that piece's */
  matches(index, hash) {
    const at = index * HASH_BYTES;
    return hash.length === HASH_BYTES && hash.every((byte, offset) => byte === this._hashes[at + offset]);
  }
}
