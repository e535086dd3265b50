/** What a page can listen to: few events, of which nothing but additions will change. */

import { KIND_INIT } from "./core/identity.js";

/** @typedef {import("./surface.js").FetchReason} FetchReason */
/** @typedef {import("./surface.js").SegmentEvent} SegmentEvent */
/** @typedef {import("./surface.js").PoolEvents} PoolEvents */

export class Events {
  constructor() {
    /** @type {Map<string, Set<(event: any) => void>>} */
    this._listeners = new Map();
  }

  /** @template {keyof PoolEvents} Name @param {Name} name @param {(event: PoolEvents[Name]) => void} listener */
  on(name, listener) {
    const listeners = this._listeners.get(name) ?? new Set();
    listeners.add(listener);
    this._listeners.set(name, listeners);
  }

  /** @template {keyof PoolEvents} Name @param {Name} name @param {(event: PoolEvents[Name]) => void} listener */
  off(name, listener) {
    this._listeners.get(name)?.delete(listener);
  }

  /** @template {keyof PoolEvents} Name @param {Name} name @param {PoolEvents[Name]} event */
  emit(name, event) {
    for (const listener of this._listeners.get(name) ?? []) {
      try {
        listener(event);
      } catch (error) {
        reportError(error); // the page's bug, and not to be the player's
      }
    }
  }
}

/**
 * @param {import("./core/download.js").SegmentSource} source @param {number} sizeBytes @param {number} peerBytes @param {FetchReason | null} asked
 *   why the CDN was asked, also where neighbours were sooner
 * @returns {SegmentEvent}
 */
export function segmentEvent({ url, ref, type, durationSec }, sizeBytes, peerBytes, asked) {
  const { track, number, kind } = ref;
  const source = peerBytes === 0 ? "cdn" : peerBytes < sizeBytes ? "both" : "peers";
  const reason = source === "peers" ? null : asked;
  return { url, sizeBytes, peerBytes, source, reason, track, type, number, init: kind === KIND_INIT, durationSec };
}
