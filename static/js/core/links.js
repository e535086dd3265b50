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
 * @property {boolean} relay  set up by way of a TURN server of ours
 * @property {boolean} answered  both sides have described themselves
 * @property {string} fingerprint  of the other side's certificate: it stays the same when the other side comes by another network
 * @property {number} restartedMs  when either side last had it look for another way; -Infinity for never
 * @property {number} restarts
 * @property {number} startedMs
 */

export class Links {
  constructor() {
    /** @type {Map<number, Link>} */
    this._all = new Map();
    this._nextId = 1;
    /** How long a connection may take to set up, unless it is by a relay. */
    this.directTimeoutMs = CONNECT_TIMEOUT_MS;
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
    this._wakeMs ??= Math.min(...this.pending().map((link) => this._givenUpMs(link)));
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
    return this.pending().filter((link) => nowMs >= this._givenUpMs(link));
  }

  /** @param {Link} link */
  _givenUpMs({ startedMs, relay }) {
    return startedMs + (relay ? CONNECT_TIMEOUT_MS : this.directTimeoutMs);
  }

  /** @param {string} fingerprint @returns {Link | undefined} the open one with whom it belongs to */
  certified(fingerprint) {
    return fingerprint ? this.all().find((link) => link.open && link.fingerprint === fingerprint) : undefined;
  }

  /** How many there are by a relay, open or not. */
  get relayed() {
    return this.all().filter(({ relay }) => relay).length;
  }

  /** @param {string} peer @param {boolean} offered @param {number} nowMs @param {boolean} [relay] @returns {Link} */
  add(peer, offered, nowMs, relay = false) {
    const link = {
      id: this._nextId++,
      peer,
      introducedAs: peer,
      offered,
      open: false,
      relay,
      answered: false,
      fingerprint: "",
      restartedMs: Number.NEGATIVE_INFINITY,
      restarts: 0,
      startedMs: nowMs,
    };
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
