/**
 * Connections with peers, open or being set up. A link is one attempt; it has an id of ours, for the tracker may rename
 * the peer behind it.
 */

import { NEIGHBOURS_MAX } from "./constants.js";
import { CONNECT_TIMEOUT_MS } from "./tuning.js";

/**
 * @typedef {object} Link
 * @property {number} id
 * @property {string} peer  its id at the tracker, as last heard
 * @property {string} introducedAs  its id at the tracker when the tracker relayed its first word: what it says later is only its own
 * @property {boolean} offered  whether the offer was ours
 * @property {boolean} open
 * @property {number} startedMs
 */

export class Links {
  constructor() {
    /** @type {Map<number, Link>} */
    this._all = new Map();
    this._nextId = 1;
    /** Null when it must be looked for again. @type {number | null} */
    this._wakeMs = null;
  }

  get size() {
    return this._all.size;
  }

  get full() {
    return this._all.size >= NEIGHBOURS_MAX;
  }

  /** When `overdue` has something; Infinity for never. */
  get wakeMs() {
    this._wakeMs ??= Math.min(...this.pending().map(({ startedMs }) => startedMs + CONNECT_TIMEOUT_MS));
    return this._wakeMs;
  }

  /** @returns {Link[]} */
  all() {
    return [...this._all.values()];
  }

  /** @returns {Link[]} those still being set up */
  pending() {
    return this.all().filter((link) => !link.open);
  }

  /** @param {number} nowMs @returns {Link[]} those that have been set up for too long */
  overdue(nowMs) {
    if (nowMs < this.wakeMs) return [];
    return this.pending().filter((link) => nowMs >= link.startedMs + CONNECT_TIMEOUT_MS);
  }

  /** @param {string} peer @param {boolean} offered @param {number} nowMs @returns {Link} */
  add(peer, offered, nowMs) {
    const link = { id: this._nextId++, peer, introducedAs: peer, offered, open: false, startedMs: nowMs };
    this._all.set(link.id, link);
    this._wakeMs = null;
    return link;
  }

  /** @param {number} id @returns {Link | undefined} */
  get(id) {
    return this._all.get(id);
  }

  /** @param {string} peer @returns {Link | undefined} */
  with(peer) {
    for (const link of this._all.values()) if (link.peer === peer) return link;
    return undefined;
  }

  /** Its channels are open. @param {number} id */
  opened(id) {
    const link = this._all.get(id);
    if (link) link.open = true;
    this._wakeMs = null;
  }

  /** @param {number} id @returns {boolean} whether it was there */
  remove(id) {
    this._wakeMs = null;
    return this._all.delete(id);
  }
}
