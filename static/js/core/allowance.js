/**
 * What this page gives the swarm: how much it holds for others and how much it sends them. Less on a small device, less while
 * nobody looks at the page, and never again as much once memory has run out.
 */

import { HIDDEN_UPLOAD_SHARE, STORE_BYTES, STORE_BYTES_PER_GIB, STORE_FLOOR_BYTES } from "./tuning.js";

/** @param {number} [deviceGib]  memory of the device, where the browser tells it @returns {number} cap of what is held, unless the page sets one */
export function defaultStoreBytes(deviceGib = Number.POSITIVE_INFINITY) {
  return Math.min(STORE_BYTES, deviceGib * STORE_BYTES_PER_GIB);
}

/** @param {number} capBytes @param {boolean} scarce  the page is hidden, or memory has run out @returns {number} */
export function storeAllowance(capBytes, scarce) {
  return scarce ? Math.min(capBytes, STORE_FLOOR_BYTES) : capBytes;
}

/** @param {number} limitBytesPerMs  Infinity stays it: who set that wants all to be sent @param {boolean} hidden @returns {number} */
export function uploadAllowance(limitBytesPerMs, hidden) {
  return hidden ? limitBytesPerMs * HIDDEN_UPLOAD_SHARE : limitBytesPerMs;
}
