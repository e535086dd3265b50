/** Seeded draws. Each viewer has a generator of its own, so that one drawing more does not change the others' lives. */

/**
 * mulberry32: small, seeded, good enough to draw delays from.
 * @param {number} seed
 * @returns {() => number} uniform in [0, 1)
 */
export function seeded(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** @param {...number} numbers @returns {number} a seed that depends on all of them, and on their order */
export function mix(...numbers) {
  let hash = 0x811c9dc5;
  for (const number of numbers) {
    hash = Math.imul(hash ^ (number | 0), 0x01000193);
    hash ^= hash >>> 13;
    hash = Math.imul(hash, 0x5bd1e995);
    hash ^= hash >>> 15;
  }
  return hash >>> 0;
}

/** @param {() => number} random @returns {number} standard normal */
export function normal(random) {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/** @param {() => number} random @param {number} median @param {number} sigma  of the logarithm @returns {number} */
export function lognormal(random, median, sigma) {
  return median * Math.exp(sigma * normal(random));
}

/** @param {() => number} random @param {number} mean @returns {number} */
export function exponential(random, mean) {
  return -mean * Math.log(1 - random());
}
