/**
 * Who is connected: greeting, naming, pinging, dropping, and sending to one or to all.
 */

import { WIRE_VERSION } from "./constants.js";
import { Neighbour } from "./neighbour.js";
import { HELLO_TIMEOUT_MS, PING_INTERVAL_MS } from "./tuning.js";
import { encodeFrame, FRAME, HELLO_FLAG_NO_UPLOAD, WireError } from "./wire.js";

/** @typedef {import("./wire.js").Frame} Frame */
/** @typedef {import("./outbox.js").Outbox} Outbox */

/** What a peer is called before its tracker has named it. */
const UNNAMED = "0".repeat(20);

export class Neighbourhood {
  /**
   * @param {string} session  ours, 16 hex digits
   * @param {boolean} uploads  whether we serve at all
   * @param {Outbox} outbox
   * @param {number} nowMs
   */
  constructor(session, uploads, outbox, nowMs) {
    this.session = session;
    /** Our id at the tracker, 20 hex digits. */
    this.peer = UNNAMED;
    this.uploads = uploads;
    this._outbox = outbox;
    /** @type {Map<number, Neighbour>} */
    this._all = new Map();
    this._pingMs = nowMs + PING_INTERVAL_MS;
  }

  /** @returns {Neighbour[]} those that have said HELLO */
  get greeted() {
    return [...this._all.values()].filter((neighbour) => neighbour.session !== null);
  }

  /** @param {number} id @returns {Neighbour | undefined} */
  get(id) {
    return this._all.get(id);
  }

  /** When timerFired has something to do; Infinity for never. */
  get wakeMs() {
    return this._all.size > 0 ? this._pingMs : Number.POSITIVE_INFINITY;
  }

  /** @param {number} id @param {boolean} offered @param {number} nowMs @returns {Neighbour} greeted by us */
  open(id, offered, nowMs) {
    const neighbour = new Neighbour(id, offered, nowMs);
    this._all.set(id, neighbour);
    const flags = this.uploads ? 0 : HELLO_FLAG_NO_UPLOAD;
    this.send(neighbour, { type: FRAME.HELLO, version: WIRE_VERSION, session: this.session, peer: this.peer, flags });
    this._ping(neighbour, nowMs);
    return neighbour;
  }

  /** @param {number} id @returns {Neighbour | undefined} the one that is gone */
  close(id) {
    const neighbour = this._all.get(id);
    this._all.delete(id);
    return neighbour;
  }

  /** The tracker gave us an id. @param {string} peer */
  named(peer) {
    if (peer === this.peer) return;
    this.peer = peer;
    this.broadcast({ type: FRAME.RENAME, peer });
  }

  /** @param {number} nowMs @returns {Neighbour[]} those who have had the time to say HELLO and have not */
  timerFired(nowMs) {
    if (nowMs < this._pingMs) return [];
    this._pingMs = nowMs + PING_INTERVAL_MS;
    for (const neighbour of this._all.values()) this._ping(neighbour, nowMs);
    return [...this._all.values()].filter(({ session, openedMs }) => session === null && nowMs >= openedMs + HELLO_TIMEOUT_MS);
  }

  /**
   * @param {Neighbour} neighbour
   * @param {import("./wire.js").HelloFrame} hello
   * @returns {Neighbour | null} the one of two connections to the same browser that must go
   * @throws {WireError}
   */
  greetedBy(neighbour, hello) {
    if (neighbour.session !== null) throw new WireError("a second HELLO");
    if (hello.version !== WIRE_VERSION) throw new WireError(`wire version ${hello.version} is not ours`);
    if (hello.session === this.session) throw new WireError("connected to ourselves");
    const twin = this.greeted.find((other) => other !== neighbour && other.session === hello.session);
    neighbour.session = hello.session;
    neighbour.uploads = (hello.flags & HELLO_FLAG_NO_UPLOAD) === 0;
    this._outbox.push({ type: "renamed", neighbour: neighbour.id, peer: hello.peer });
    return twin ? this._redundant(twin, neighbour) : null;
  }

  /**
   * Both sides choose the same one: that offered by the higher session, or the later where one side offered both.
   * @param {Neighbour} older @param {Neighbour} newer
   */
  _redundant(older, newer) {
    if (older.offered === newer.offered) return newer;
    const ours = older.offered ? older : newer;
    const theirs = older.offered ? newer : older;
    return this.session > /** @type {string} */ (newer.session) ? ours : theirs;
  }

  /** @param {Neighbour} neighbour @param {import("./wire.js").PingFrame} frame @param {number} nowMs */
  pinged(neighbour, frame, nowMs) {
    if (frame.type === FRAME.PING) this.send(neighbour, { type: FRAME.PONG, nonce: frame.nonce });
    else neighbour.rttMs.add(Math.max(1, (clockNonce(nowMs) - frame.nonce) >>> 0));
  }

  /** @param {Neighbour} neighbour @param {number} nowMs */
  _ping(neighbour, nowMs) {
    this.send(neighbour, { type: FRAME.PING, nonce: clockNonce(nowMs) });
  }

  /** @param {Neighbour} neighbour @param {Frame} frame */
  send(neighbour, frame) {
    this._outbox.push({ type: "send", neighbour: neighbour.id, bulk: frame.type === FRAME.PIECE, bytes: encodeFrame(frame) });
  }

  /** @param {Frame} frame @param {(neighbour: Neighbour) => boolean} [wanted] */
  broadcast(frame, wanted) {
    const bytes = encodeFrame(frame);
    for (const neighbour of this._all.values()) {
      if (wanted && !wanted(neighbour)) continue;
      this._outbox.push({ type: "send", neighbour: neighbour.id, bulk: false, bytes });
    }
  }

  /** @param {Neighbour} neighbour @param {string} reason  for the log */
  drop(neighbour, reason) {
    this._outbox.push({ type: "drop", neighbour: neighbour.id, reason });
  }
}

/** A ping's nonce is our own clock, so that nothing need be remembered. @param {number} nowMs */
const clockNonce = (nowMs) => Math.floor(nowMs) >>> 0;
