/** Pings to the tracker, now and then: whether it is still there, and how far away it is. */

import { PING_INTERVAL_MS } from "./constants.js";
import { reportedRttMs } from "./reporter.js";
import { MOVED_SILENCE_MS, PONG_TIMEOUT_MS } from "./tuning.js";

export class Heartbeat {
  constructor() {
    this.intervalMs = PING_INTERVAL_MS;
    /** When the next ping is due; Infinity for never. */
    this.dueMs = Number.POSITIVE_INFINITY;
    this._heardMs = 0;
    /** When the ping was sent that is not answered yet; null when none is. @type {number | null} */
    this._sentMs = null;
    /** Least round trip to the tracker, in whole ms; null until one was measured. @type {number | null} */
    this.rttMs = null;
  }

  /** The socket is open. @param {number} nowMs */
  start(nowMs) {
    this._sentMs = null;
    this._heardMs = nowMs;
    this.dueMs = nowMs + this.intervalMs;
  }

  stop() {
    this.dueMs = Number.POSITIVE_INFINITY;
  }

  /** The network is another: the tracker answers soon, or the socket is of no use. @param {number} nowMs */
  hurry(nowMs) {
    this._heardMs = nowMs - this.intervalMs - PONG_TIMEOUT_MS;
    this._sentMs = nowMs;
    this.dueMs = nowMs + MOVED_SILENCE_MS;
  }

  /** The tracker said something. @param {number} nowMs */
  heard(nowMs) {
    this._heardMs = nowMs;
  }

  /** A ping is due. @param {number} nowMs @returns {boolean} whether to send it: false when nothing was heard for too long */
  beat(nowMs) {
    this.dueMs = nowMs + this.intervalMs;
    if (nowMs - this._heardMs > this.intervalMs + PONG_TIMEOUT_MS) return false;
    this._sentMs = nowMs;
    return true;
  }

  /** A ping was answered. @param {number} nowMs */
  answered(nowMs) {
    if (this._sentMs === null) return;
    const rttMs = reportedRttMs(nowMs - this._sentMs);
    this._sentMs = null;
    this.rttMs = Math.min(rttMs, this.rttMs ?? rttMs);
  }
}
