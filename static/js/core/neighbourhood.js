/**
 * Who is connected: greeting, naming, pinging, dropping, and sending to one or to all.
 */

import { CELLS_MAX, WIRE_VERSION } from "./constants.js";
import { Neighbour } from "./neighbour.js";
import { keepNewest } from "./newest.js";
import {
  BANNED_MAX,
  HELLO_TIMEOUT_MS,
  PING_INTERVAL_MS,
  REVIEW_INTERVAL_MS,
  REVIEW_NEIGHBOURS_MIN,
  STATUS_CHANGE,
  STATUS_INTERVAL_MS,
} from "./tuning.js";
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
    /** What our uplink was measured to carry; 0 while unknown. */
    this.uplinkBytesPerMs = 0;
    this._statusMs = Number.NEGATIVE_INFINITY;
    /** The cells we are in, as the tracker numbers them. @type {number[]} */
    this._cells = [];
    /** That of them which is our cluster; null for the whole swarm. @type {number | null} */
    this._cluster = null;
    this._outbox = outbox;
    /** Sessions that sent wrong bytes. @type {Set<string>} */
    this._banned = new Set();
    /** @type {Map<number, Neighbour>} */
    this._all = new Map();
    /** @type {Neighbour[] | null} null when it must be made anew */
    this._greeted = null;
    this._pingMs = nowMs + PING_INTERVAL_MS;
    this._reviewMs = nowMs + REVIEW_INTERVAL_MS;
  }

  /** @returns {Neighbour[]} those that have said HELLO */
  get greeted() {
    this._greeted ??= [...this._all.values()].filter((neighbour) => neighbour.session !== null);
    return this._greeted;
  }

  /** @param {number} id @returns {Neighbour | undefined} */
  get(id) {
    return this._all.get(id);
  }

  /** @param {import("./identity.js").SegmentRef} ref @returns {number} neighbours that hold it whole */
  copies(ref) {
    return this.greeted.filter((neighbour) => neighbour.holds(ref)).length;
  }

  /** When timerFired has something to do; Infinity for never. */
  get wakeMs() {
    return this._all.size > 0 ? this._pingMs : Number.POSITIVE_INFINITY;
  }

  /** @param {number} id @param {boolean} offered @param {number} nowMs @returns {Neighbour} greeted by us */
  open(id, offered, nowMs) {
    const neighbour = new Neighbour(id, offered, nowMs);
    this._all.set(id, neighbour);
    this._greeted = null;
    const flags = this.uploads ? 0 : HELLO_FLAG_NO_UPLOAD;
    this.send(neighbour, { type: FRAME.HELLO, version: WIRE_VERSION, session: this.session, peer: this.peer, flags });
    this._ping(neighbour, nowMs);
    if (this._cells.length > 0) this.send(neighbour, { type: FRAME.PLACE, cells: this._cells });
    if (this.uplinkBytesPerMs > 0) this.send(neighbour, { type: FRAME.STATUS, uplinkBytesPerMs: this.uplinkBytesPerMs });
    return neighbour;
  }

  /** @param {number} id @returns {Neighbour | undefined} the one that is gone */
  close(id) {
    const neighbour = this._all.get(id);
    this._all.delete(id);
    this._greeted = null;
    if (neighbour && !neighbour.relayed) this._judge();
    return neighbour;
  }

  /** The tracker gave us an id. @param {string} peer */
  named(peer) {
    if (peer === this.peer) return;
    this.peer = peer;
    this.broadcast({ type: FRAME.RENAME, peer });
  }

  /**
   * The tracker said which cell is our cluster, and in which we are. A cluster that is none of them is one more that we are in.
   * @param {number | null} cluster  null for the whole swarm
   * @param {number[]} [cells]  as before where it did not say
   */
  placed(cluster, cells = this._cells) {
    const ours = cluster === null || cells.includes(cluster) ? cells : [...cells, cluster].slice(-CELLS_MAX);
    const moved = ours.join() !== this._cells.join();
    this._cells = ours;
    this._cluster = cluster;
    if (moved && ours.length > 0) this.broadcast({ type: FRAME.PLACE, cells: ours });
    this._judge();
  }

  /** @param {Neighbour} neighbour @param {number[]} cells  those it is in */
  neighbourPlaced(neighbour, cells) {
    neighbour.cells = cells;
    this._judge();
  }

  /** Who is far: at another place, or relayed while others are not. */
  _judge() {
    const here = [];
    for (const neighbour of this._all.values()) {
      neighbour.far = this._cluster !== null && neighbour.cells !== null && !neighbour.cells.includes(this._cluster);
      if (!neighbour.far) here.push(neighbour);
    }
    if (here.some(({ relayed }) => !relayed)) for (const neighbour of here) neighbour.far = neighbour.relayed;
  }

  /** By what it is connected. @param {Neighbour} neighbour @param {boolean} relayed */
  routed(neighbour, relayed) {
    neighbour.relayed = relayed;
    this._judge();
  }

  /**
   * Now and then one that neither gave nor took anything makes place for another, while others are of use. Who is far is there for
   * another day.
   * @param {number} nowMs @returns {Neighbour | null} to be dropped
   */
  review(nowMs) {
    if (nowMs < this._reviewMs) return null;
    this._reviewMs = nowMs + REVIEW_INTERVAL_MS;
    const { greeted } = this;
    const useful = greeted.some(({ movedBytes }) => movedBytes > 0);
    const useless = greeted.find(
      ({ movedBytes, openedMs, far }) => movedBytes === 0 && !far && nowMs >= openedMs + REVIEW_INTERVAL_MS,
    );
    for (const neighbour of greeted) neighbour.movedBytes = 0;
    return useful && greeted.length >= REVIEW_NEIGHBOURS_MIN ? (useless ?? null) : null;
  }

  /** Our uplink was measured again; neighbours are told now and then, if it has changed. @param {number} bytesPerMs @param {number} nowMs */
  measured(bytesPerMs, nowMs) {
    const changed = Math.abs(bytesPerMs - this.uplinkBytesPerMs) > STATUS_CHANGE * bytesPerMs;
    if (!changed || nowMs < this._statusMs + STATUS_INTERVAL_MS) return;
    this._statusMs = nowMs;
    this.uplinkBytesPerMs = Math.round(bytesPerMs);
    this.broadcast({ type: FRAME.STATUS, uplinkBytesPerMs: this.uplinkBytesPerMs });
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
    if (this._banned.has(hello.session)) throw new WireError("sent wrong bytes before");
    const twin = this.greeted.find((other) => other !== neighbour && other.session === hello.session);
    neighbour.session = hello.session;
    neighbour.peer = hello.peer;
    this._greeted = null;
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
    else neighbour.measured(Math.max(1, (clockNonce(nowMs) - frame.nonce) >>> 0));
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

  /** It sent wrong bytes: it is to be dropped, and not taken again. @param {Neighbour} neighbour @param {boolean} proven  whether it must have known */
  ban({ id, session }, proven) {
    if (session) this._banned.add(session);
    keepNewest(this._banned, BANNED_MAX);
    this._outbox.push({ type: "banned", neighbour: id, proven });
  }

  /** @param {Neighbour} neighbour @param {string} reason  for the log */
  drop(neighbour, reason) {
    this._outbox.push({ type: "drop", neighbour: neighbour.id, reason });
  }
}

/** A ping's nonce is our own clock, so that nothing need be remembered. @param {number} nowMs */
const clockNonce = (nowMs) => Math.floor(nowMs) >>> 0;
