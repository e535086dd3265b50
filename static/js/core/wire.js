/**
 * Frames between browsers: docs/wire-protocol.md section 3, frozen by tests/vectors/frames.json.
 * Everything is bounded while it is parsed; what does not fit is a WireError, and its sender is dropped.
 */

import { CELLS_MAX, MAX_FRAME_RANGES, MAX_SEGMENT_BYTES, PIECE_BYTES, RECORD_PIECES_MAX } from "./constants.js";
import { hex } from "./identity.js";

/** @typedef {import("./identity.js").SegmentRef} SegmentRef */
/** @typedef {import("./range-set.js").Range} Range */

/** Frame types by name; the codes are the wire's. */
export const FRAME = Object.freeze({
  HELLO: 1,
  HAVE: 2,
  DROP: 3,
  CLAIM: 4,
  ABANDON: 5,
  PROGRESS: 6,
  REQUEST: 7,
  CANCEL: 8,
  REFUSE: 9,
  PIECE: 10,
  PING: 11,
  PONG: 12,
  RENAME: 13,
  STATUS: 14,
  PLACE: 15,
  DIGEST: 16,
});

export const REFUSED_NOT_HELD = 1;
export const REFUSED_BUSY = 2;
export const REFUSED_NOT_UPLOADING = 3;
export const REFUSED_CANCELLED = 4;

export const HELLO_FLAG_NO_UPLOAD = 1;

/** Largest DIGEST frame, or record: 32 bytes a piece, what names the segment, and the signature. */
export const DIGEST_MAX_BYTES = RECORD_PIECES_MAX * 32 + 256;

/**
 * @typedef {{ type: 1, version: number, session: string, peer: string, flags: number }} HelloFrame
 * @typedef {{ type: 2 | 3, group: Omit<SegmentRef, "number">, ranges: Range[] }} HaveFrame
 * @typedef {{ type: 4, ref: SegmentRef, hops: number, claimant: string }} ClaimFrame
 * @typedef {{ type: 5, ref: SegmentRef }} AbandonFrame
 * @typedef {{ type: 6, ref: SegmentRef, sizeBytes: number, ranges: Range[] }} ProgressFrame
 * @typedef {{ type: 7 | 8, ref: SegmentRef, ranges: Range[] }} RequestFrame
 * @typedef {{ type: 9, ref: SegmentRef, reason: number, ranges: Range[] }} RefuseFrame
 * @typedef {{ type: 10, ref: SegmentRef, sizeBytes: number, index: number, payload: Uint8Array }} PieceFrame
 * @typedef {{ type: 11 | 12, nonce: number }} PingFrame
 * @typedef {{ type: 13, peer: string }} RenameFrame
 * @typedef {{ type: 14, uplinkBytesPerMs: number }} StatusFrame
 * @typedef {{ type: 15, cells: number[] }} PlaceFrame
 * @typedef {{ type: 16, record: Uint8Array }} DigestFrame  a whole record (digest.js)
 * @typedef {StatusFrame | PlaceFrame | DigestFrame | HelloFrame | HaveFrame | ClaimFrame | AbandonFrame | ProgressFrame | RequestFrame | RefuseFrame | PieceFrame | PingFrame | RenameFrame} Frame
 */

/** The other side sent what the protocol does not allow. */
export class WireError extends Error {
  /** @param {string} message */
  constructor(message) {
    super(message);
    this.name = "WireError";
  }
}

class Writer {
  constructor() {
    this.bytes = new Uint8Array(1024);
    this.length = 0;
  }

  /** @param {number} count bytes about to be written */
  reserve(count) {
    if (this.length + count <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(this.bytes.length * 2, this.length + count));
    grown.set(this.bytes);
    this.bytes = grown;
  }

  /** @param {number} value  its lowest eight bits */
  byte(value) {
    this.reserve(1);
    this.bytes[this.length++] = value;
  }

  /** @param {number} value RFC 9000 section 16, the shortest form */
  varint(value) {
    if (value < 64) {
      this.byte(value);
    } else if (value < 16384) {
      this.byte((value >> 8) | 0x40);
      this.byte(value);
    } else if (value < 2 ** 30) {
      this.uint32(value | 0x80000000);
    } else {
      this.uint32(Math.floor(value / 2 ** 32) | 0xc0000000);
      this.uint32(value);
    }
  }

  /** @param {number} value  its lowest 32 bits */
  uint32(value) {
    for (let shift = 24; shift >= 0; shift -= 8) this.byte(value >>> shift);
  }

  /** @param {string} digits  an even number of hex digits, lower case */
  hex(digits) {
    for (let index = 0; index < digits.length; index += 2) this.byte((digit(digits, index) << 4) | digit(digits, index + 1));
  }

  /** @param {Omit<SegmentRef, "number">} group */
  group(group) {
    this.hex(group.track);
    this.byte(group.kind);
    this.varint(group.discontinuity);
  }

  /** @param {SegmentRef} ref */
  ref(ref) {
    this.group(ref);
    this.varint(ref.number);
  }

  /** @param {Range[]} ranges */
  ranges(ranges) {
    this.varint(ranges.length);
    let end = 0;
    for (const [first, count] of ranges) {
      this.varint(first - end);
      this.varint(count);
      end = first + count;
    }
  }
}

/** @param {string} digits @param {number} index @returns {number} value of that hex digit */
function digit(digits, index) {
  const code = digits.charCodeAt(index);
  return code < 58 ? code - 48 : code - 87;
}

/** One for all frames, which are small but for a payload: new buffers cost more than all that is written into them. */
const WRITER = new Writer();

/**
 * @param {Frame} frame  within the protocol's bounds; ranges ascending and disjoint
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function encodeFrame(frame) {
  const writer = WRITER;
  writer.length = 0;
  writer.byte(frame.type);
  switch (frame.type) {
    case FRAME.HELLO:
      writer.varint(frame.version);
      writer.hex(frame.session);
      writer.hex(frame.peer);
      writer.varint(frame.flags);
      break;
    case FRAME.HAVE:
    case FRAME.DROP:
      writer.group(frame.group);
      writer.ranges(frame.ranges);
      break;
    case FRAME.PING:
    case FRAME.PONG:
      writer.uint32(frame.nonce);
      break;
    case FRAME.RENAME:
      writer.hex(frame.peer);
      break;
    case FRAME.STATUS:
      writer.varint(frame.uplinkBytesPerMs);
      break;
    case FRAME.PLACE:
      writer.varint(frame.cells.length);
      for (const cell of frame.cells) writer.uint32(cell);
      break;
    case FRAME.DIGEST:
      break; // its record follows as it is
    default:
      encodeSegmentFrame(writer, frame);
  }
  const { length } = writer;
  const payload = frame.type === FRAME.PIECE ? frame.payload : frame.type === FRAME.DIGEST ? frame.record : null;
  const bytes = new Uint8Array(length + (payload?.length ?? 0));
  for (let index = 0; index < length; index++) bytes[index] = /** @type {number} */ (writer.bytes[index]);
  if (payload) bytes.set(payload, length);
  return bytes;
}

/**
 * The frames that are about one segment.
 * @param {Writer} writer
 * @param {ClaimFrame | AbandonFrame | ProgressFrame | RequestFrame | RefuseFrame | PieceFrame} frame
 */
function encodeSegmentFrame(writer, frame) {
  writer.ref(frame.ref);
  if (frame.type === FRAME.PROGRESS || frame.type === FRAME.PIECE) writer.varint(frame.sizeBytes);
  if (frame.type === FRAME.REFUSE) writer.varint(frame.reason);
  if (frame.type === FRAME.CLAIM) {
    writer.varint(frame.hops);
    writer.hex(frame.claimant);
  }
  if (frame.type === FRAME.PIECE) writer.varint(frame.index);
  else if ("ranges" in frame) writer.ranges(frame.ranges);
}

/** Ids as they were last read, by their last byte: the same few come again and again. @type {{ high: number, low: number, id: string }[]} */
const IDS = [];

export class Reader {
  /** @param {Uint8Array} bytes */
  constructor(bytes) {
    this.bytes = bytes;
    this.offset = 0;
  }

  /** @param {number} count @returns {number} the offset at which `count` bytes may be read */
  take(count) {
    const start = this.offset;
    if (start + count > this.bytes.length) throw new WireError("frame ends too early");
    this.offset += count;
    return start;
  }

  /** @returns {number} */
  byte() {
    return /** @type {number} */ (this.bytes[this.take(1)]);
  }

  /** @returns {number} at most 2^53 - 1 */
  varint() {
    const first = this.byte();
    const low = first & 0x3f;
    switch (first >> 6) {
      case 0:
        return low;
      case 1:
        return low * 2 ** 8 + this.byte();
      case 2:
        return low * 2 ** 24 + this.uint24();
      default: {
        const high = low * 2 ** 24 + this.uint24();
        if (high >= 2 ** 21) throw new WireError("number beyond 2^53 - 1");
        return high * 2 ** 32 + this.uint32();
      }
    }
  }

  /** @returns {number} */
  uint24() {
    return (this.byte() << 16) | (this.byte() << 8) | this.byte();
  }

  /** @returns {number} */
  uint32() {
    return this.byte() * 2 ** 24 + this.uint24();
  }

  /** @param {number} count  of bytes @returns {string} hex digits */
  hex(count) {
    const start = this.take(count);
    return hex(this.bytes.subarray(start, start + count));
  }

  /** @returns {string} of a peer, 20 hex digits */
  peer() {
    return this.hex(10);
  }

  /** @returns {string} of a track or a session, 16 hex digits */
  id() {
    const high = this.uint32();
    const low = this.uint32();
    const known = IDS[low & 255];
    if (known?.low === low && known.high === high) return known.id;
    const id = [high, low].map((half) => half.toString(16).padStart(8, "0")).join("");
    IDS[low & 255] = { high, low, id };
    return id;
  }

  /** @returns {Omit<SegmentRef, "number">} */
  group() {
    return { track: this.id(), kind: this.byte(), discontinuity: this.varint() };
  }

  /** @returns {SegmentRef} */
  ref() {
    return { track: this.id(), kind: this.byte(), discontinuity: this.varint(), number: this.varint() };
  }

  /** @returns {number} bytes, 1 to MAX_SEGMENT_BYTES */
  size() {
    const sizeBytes = this.varint();
    if (sizeBytes < 1 || sizeBytes > MAX_SEGMENT_BYTES) throw new WireError("segment size out of bounds");
    return sizeBytes;
  }

  /** @returns {Range[]} ascending, disjoint */
  ranges() {
    const count = this.varint();
    if (count > MAX_FRAME_RANGES) throw new WireError("too many ranges");
    /** @type {Range[]} */
    const ranges = [];
    let end = 0;
    for (let index = 0; index < count; index++) {
      const first = end + this.varint();
      const length = this.varint();
      end = first + length;
      if (length < 1 || !Number.isSafeInteger(end)) throw new WireError("range out of bounds");
      ranges.push([first, length]);
    }
    return ranges;
  }

  /** @returns {number[]} of at most CELLS_MAX places */
  cells() {
    const count = this.varint();
    if (count > CELLS_MAX) throw new WireError("too many cells");
    return Array.from({ length: count }, () => this.uint32());
  }

  /** @returns {Range[]} within the pieces a segment can have */
  pieceRanges() {
    const ranges = this.ranges();
    const last = ranges[ranges.length - 1];
    if (last && last[0] + last[1] > MAX_SEGMENT_BYTES / PIECE_BYTES) throw new WireError("piece out of bounds");
    return ranges;
  }
}

/**
 * @param {Uint8Array} bytes  one message as it came; a PIECE's payload is a view into it
 * @returns {Frame | null}  null for a type this version does not know
 * @throws {WireError}
 */
export function decodeFrame(bytes) {
  const reader = new Reader(bytes);
  const type = reader.byte();
  switch (type) {
    case FRAME.HELLO:
      return { type, version: reader.varint(), session: reader.id(), peer: reader.peer(), flags: reader.varint() };
    case FRAME.HAVE:
    case FRAME.DROP:
      return { type, group: reader.group(), ranges: reader.ranges() };
    case FRAME.CLAIM:
      return { type, ref: reader.ref(), hops: reader.varint(), claimant: reader.id() };
    case FRAME.ABANDON:
      return { type, ref: reader.ref() };
    case FRAME.PROGRESS:
      return { type, ref: reader.ref(), sizeBytes: reader.size(), ranges: reader.pieceRanges() };
    case FRAME.REQUEST:
    case FRAME.CANCEL:
      return { type, ref: reader.ref(), ranges: reader.pieceRanges() };
    case FRAME.REFUSE:
      return { type, ref: reader.ref(), reason: reader.varint(), ranges: reader.pieceRanges() };
    case FRAME.PIECE:
      return decodePiece(reader);
    case FRAME.PING:
    case FRAME.PONG:
      return { type, nonce: reader.uint32() };
    case FRAME.RENAME:
      return { type, peer: reader.peer() };
    case FRAME.STATUS:
      return { type, uplinkBytesPerMs: reader.varint() };
    case FRAME.PLACE:
      return { type, cells: reader.cells() };
    case FRAME.DIGEST:
      if (bytes.length > DIGEST_MAX_BYTES) throw new WireError("digest too large");
      return { type, record: bytes.subarray(1) };
    default:
      return null;
  }
}

/** @param {Reader} reader @returns {PieceFrame} whose payload has exactly the length its place asks for */
function decodePiece(reader) {
  const ref = reader.ref();
  const sizeBytes = reader.size();
  const index = reader.varint();
  const payload = reader.bytes.subarray(reader.offset);
  if (index * PIECE_BYTES >= sizeBytes) throw new WireError("piece out of bounds");
  if (payload.length !== pieceLength(sizeBytes, index)) throw new WireError("piece of a wrong length");
  return { type: FRAME.PIECE, ref, sizeBytes, index, payload };
}

/**
 * @param {number} sizeBytes  of the segment
 * @param {number} index  of the piece, within the segment
 * @returns {number} bytes
 */
export function pieceLength(sizeBytes, index) {
  return Math.min(PIECE_BYTES, sizeBytes - index * PIECE_BYTES);
}
