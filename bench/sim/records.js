/**
 * Signed records (docs/adr/0012-signed-digests.md) made apart from the shipped code, for the simulator and for tests: all but the signature,
 * which each makes in its own way.
 */

import { createHash } from "node:crypto";
import { PIECE_BYTES } from "../../static/js/core/constants.js";

const CONTEXT = Buffer.from("peerpool.1:digest:");

/**
 * @param {string} keyId  16 hex digits
 * @param {string} content  content id, 40 hex digits
 * @param {import("../../static/js/core/identity.js").SegmentRef} ref
 * @param {Uint8Array} bytes  of the whole segment
 * @param {(signed: Uint8Array) => Uint8Array} sign  gives 64 bytes
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function recordOf(keyId, content, ref, bytes, sign) {
  const hashes = [];
  for (let start = 0; start < bytes.length; start += PIECE_BYTES) {
    hashes.push(
      createHash("sha256")
        .update(bytes.subarray(start, start + PIECE_BYTES))
        .digest(),
    );
  }
  const unsigned = Buffer.concat([
    Buffer.from([1]),
    Buffer.from(keyId + content + ref.track, "hex"),
    Buffer.from([ref.kind]),
    varint(ref.discontinuity),
    varint(ref.number),
    varint(bytes.length),
    ...hashes,
  ]);
  return Uint8Array.from([...unsigned, ...sign(Buffer.concat([CONTEXT, unsigned]))]);
}

/** @param {number} value @returns {Buffer} RFC 9000 section 16 */
function varint(value) {
  if (value < 64) return Buffer.from([value]);
  const [length, prefix] = value < 2 ** 14 ? [2, 1n] : value < 2 ** 30 ? [4, 2n] : [8, 3n];
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value) | (prefix << BigInt(length * 8 - 2)));
  return bytes.subarray(8 - length);
}
