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
 * @property {boolean} offered  whether the offer was ours
 * @property {boolean} open
 * @property {number} startedMs
 */

export class Links {
  constructor() {
    /** @type {Map<number, Link>} */
    this._all = new Map();
    this._nextId = 1;
  }

  get size() {
    return this._all.size;
  }

  get full() {
    return this._all.size >= NEIGHBOURS_MAX;
  }

  /** When `overdue` has something; Infinity for never. */
  get wakeMs() {
    let next = Number.POSITIVE_INFINITY;
    for (const link of this._all.values()) if (!link.open) next = Math.min(next, link.startedMs + CONNECT_TIMEOUT_MS);
    return next;
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
    return this.pending().filter((link) => nowMs >= link.startedMs + CONNECT_TIMEOUT_MS);
  }

  /** @param {string} peer @param {boolean} offered @param {number} nowMs @returns {Link} */
  add(peer, offered, nowMs) {
    const link = { id: this._nextId++, peer, offered, open: false, startedMs: nowMs };
    this._all.set(link.id, link);
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

  /** @param {number} id @returns {boolean} whether it was there */
  remove(id) {
    return this._all.delete(id);
  }
}
