/**
 * SHA-256 (FIPS 180-4), synchronous: identities are derived on pages without a secure context, where
 * `crypto.subtle` does not exist, and in the middle of pure code, which cannot wait for a promise.
 * Only short strings pass through here; media is never hashed with it.
 */

const ROUND_CONSTANTS = fractionalRoots(64, 1 / 3);
const INITIAL_STATE = fractionalRoots(8, 1 / 2);

/**
 * The first 32 bits of the fractional parts of a root of the first primes (FIPS 180-4, 4.2.2 and 5.3.3).
 * @param {number} count
 * @param {number} exponent
 * @returns {Uint32Array}
 */
function fractionalRoots(count, exponent) {
  const words = new Uint32Array(count);
  for (let candidate = 2, found = 0; found < count; candidate++) {
    let prime = true;
    for (let divisor = 2; divisor * divisor <= candidate; divisor++) if (candidate % divisor === 0) prime = false;
    if (prime) words[found++] = (candidate ** exponent % 1) * 2 ** 32;
  }
  return words;
}

/** @param {number} word @param {number} bits */
const rotate = (word, bits) => (word >>> bits) | (word << (32 - bits));

/**
 * @param {string | Uint8Array} text  hashed as UTF-8
 * @returns {Uint8Array}  32 bytes
 */
export function sha256(text) {
  const message = typeof text === "string" ? new TextEncoder().encode(text) : text;
  const padded = new Uint8Array(((message.length + 72) >> 6) << 6);
  padded.set(message);
  padded[message.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setUint32(padded.length - 4, message.length * 8); // texts are far below 2^29 bytes
  const state = INITIAL_STATE.slice();
  for (let offset = 0; offset < padded.length; offset += 64) compress(state, view, offset);
  const digest = new DataView(new ArrayBuffer(32));
  for (let index = 0; index < 8; index++) digest.setUint32(index * 4, /** @type {number} */ (state[index]));
  return new Uint8Array(digest.buffer);
}

/**
 * One block into the state (FIPS 180-4, 6.2.2).
 * @param {Uint32Array} state
 * @param {DataView} view
 * @param {number} offset
 */
function compress(state, view, offset) {
  const schedule = new Uint32Array(64);
  for (let t = 0; t < 64; t++) {
    if (t < 16) {
      schedule[t] = view.getUint32(offset + t * 4);
      continue;
    }
    const w15 = at(schedule, t - 15);
    const w2 = at(schedule, t - 2);
    const sigma0 = rotate(w15, 7) ^ rotate(w15, 18) ^ (w15 >>> 3);
    const sigma1 = rotate(w2, 17) ^ rotate(w2, 19) ^ (w2 >>> 10);
    schedule[t] = at(schedule, t - 16) + sigma0 + at(schedule, t - 7) + sigma1;
  }
  let [a, b, c, d, e, f, g, h] = /** @type {[number,number,number,number,number,number,number,number]} */ ([...state]);
  for (let t = 0; t < 64; t++) {
    const choice = (e & f) ^ (~e & g);
    const majority = (a & b) ^ (a & c) ^ (b & c);
    const first = h + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + choice + at(ROUND_CONSTANTS, t) + at(schedule, t);
    const second = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + majority;
    [h, g, f, e, d, c, b, a] = [g, f, e, (d + first) | 0, c, b, a, (first + second) | 0];
  }
  [a, b, c, d, e, f, g, h].forEach((word, index) => {
    state[index] = at(state, index) + word;
  });
}

/** @param {Uint32Array} words @param {number} index */
const at = (words, index) => /** @type {number} */ (words[index]);
