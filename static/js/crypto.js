/**
 * What `crypto.subtle` would do, for pages without a secure context: a script of its own (peerpool-crypto.js), loaded by io/checker.js when the
 * first piece is to be checked. It is slower, and on the page's own thread.
 */

import { p256 } from "@noble/curves/nist.js";
import { sha256 as hash } from "@noble/hashes/sha2.js";
import { unhex } from "./core/identity.js";

/** @param {Uint8Array} bytes @returns {Promise<Uint8Array>} 32 bytes */
export async function sha256(bytes) {
  return hash(bytes);
}

/**
 * @param {string} key  P-256, uncompressed, in hex @param {Uint8Array} signed @param {Uint8Array} signature  r and s (IEEE P1363)
 * @returns {Promise<boolean>}
 */
export async function verify(key, signed, signature) {
  // crypto.subtle takes high s too, and so do we: a signature need not be the only one.
  return p256.verify(signature, signed, unhex(key), { lowS: false });
}
