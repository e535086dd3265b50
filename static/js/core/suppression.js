/**
 * Who fetches a fresh segment from the CDN: one peer, without anybody being asked.
 *
 * Each peer waits a time that is a function of its session and the segment, drawn from the truncated exponential
 * distribution of RFC 5401 (NACK suppression, RandomBackoff): with N peers the earliest fires soon, and few fire within
 * the time its word takes to travel. The draw is deterministic, so a simulation or a trace can be explained.
 */

import { groupKey } from "./identity.js";

/** @typedef {import("./identity.js").SegmentRef} SegmentRef */

/**
 * @param {number} uniform  in (0, 1)
 * @param {number} maxMs  no wait is longer
 * @param {number} groupSize  peers that may fire, at least 1
 * @returns {number} milliseconds to wait; 0 for a group of one
 */
export function backoffMs(uniform, maxMs, groupSize) {
  if (groupSize <= 1 || maxMs <= 0) return 0;
  const lambda = Math.log(groupSize) + 1;
  return (maxMs / lambda) * Math.log(1 + uniform * (Math.exp(lambda) - 1));
}

/**
 * A number that is the same each time for the same peer, segment and attempt, and unrelated between any two of them.
 * @param {string} session
 * @param {SegmentRef} ref
 * @param {number} attempt
 * @returns {number} in (0, 1)
 */
export function variate(session, ref, attempt) {
  return (hash32(`${session}:${groupKey(ref)}/${ref.number}#${attempt}`) + 0.5) / 2 ** 32;
}

/**
 * FNV-1a over the characters, then MurmurHash3's finaliser, without which near-equal texts have near-equal hashes.
 * @param {string} text
 * @returns {number} 0 to 2^32 - 1
 */
export function hash32(text) {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
