/**
 * Signed records for tests, made by node's own crypto and apart from the shipped code: with the key of
 * tests/vectors/digests.json, for any bytes.
 */
import { createPrivateKey, sign } from "node:crypto";
import { recordOf as record } from "../../bench/sim/records.js";
import { vectors } from "./vectors.js";

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
  const key = createPrivateKey(signer.private_pem);
  return record(signer.key_id, content, ref, bytes, (signed) => sign("sha256", signed, { key, dsaEncoding: "ieee-p1363" }));
}
