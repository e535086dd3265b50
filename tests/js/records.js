/**
 * Signed records for tests, made by node's own crypto and apart from the shipped code: with the key of
 * tests/vectors/digests.json, for any bytes.
 */
import { createHash, createPrivateKey, sign } from "node:crypto";
import { vectors } from "./vectors.js";

const PIECE_BYTES = 32_768;
const { key, other_key: otherKey } = vectors("digests");

/** A pair of keys: `public` is what a tracker tells clients, 130 hex digits. @typedef {{ private_pem: string, public: string, key_id: string }} TestKey */
/** The key that tests trust. @type {TestKey} */
export const TEST_KEY = key;
/** One they do not. @type {TestKey} */
export const OTHER_KEY = otherKey;

/** @param {number} sizeBytes @returns {Uint8Array<ArrayBuffer>} the bytes that the vectors' segments have */
export function vectorBytes(sizeBytes) {
  return Uint8Array.from({ length: sizeBytes }, (_, index) => (index * 7 + Math.floor(index / 256)) & 255);
}

/**
 * @param {string} content  content id, 40 hex digits
 * @param {import("../../static/js/core/identity.js").SegmentRef} ref
 * @param {Uint8Array} bytes  of the whole segment
 * @param {TestKey} [signer]
 * @returns {Uint8Array<ArrayBuffer>}  the record
 */
export function recordOf(content, ref, bytes, signer = TEST_KEY) {
  const pieces = [];
  for (let start = 0; start < bytes.length; start += PIECE_BYTES) {
    pieces.push(
      createHash("sha256")
        .update(bytes.subarray(start, start + PIECE_BYTES))
        .digest(),
    );
  }
  const unsigned = Buffer.concat([
    Buffer.from([1]),
    Buffer.from(signer.key_id + content + ref.track, "hex"),
    Buffer.from([ref.kind]),
    varint(ref.discontinuity),
    varint(ref.number),
    varint(bytes.length),
    ...pieces,
  ]);
  const signature = sign("sha256", Buffer.concat([Buffer.from("peerpool.1:digest:"), unsigned]), {
    key: createPrivateKey(signer.private_pem),
    dsaEncoding: "ieee-p1363",
  });
  return Uint8Array.from([...unsigned, ...signature]);
}

/** @param {number} value @returns {Buffer} RFC 9000 section 16 */
function varint(value) {
  if (value < 64) return Buffer.from([value]);
  const [length, prefix] = value < 2 ** 14 ? [2, 1n] : value < 2 ** 30 ? [4, 2n] : [8, 3n];
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value) | (prefix << BigInt(length * 8 - 2)));
  return bytes.subarray(8 - length);
}
