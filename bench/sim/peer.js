/**
 * A viewer's page without its player: the shipped cores (PeerNode, Membership), and what static/js/engine.js is to them, over
 * the modelled network. It obeys commands and holds no policy.
 */

import { defaultStoreBytes } from "../../static/js/core/allowance.js";
import { hex } from "../../static/js/core/identity.js";
import { Membership } from "../../static/js/core/membership.js";
import { PeerNode } from "../../static/js/core/peer-node.js";
import { FRAME } from "../../static/js/core/wire.js";
import { check } from "./checks.js";
import { Connections } from "./connections.js";
import { Downlink, Uplink } from "./links.js";
import { gatheredMs, natOf } from "./nats.js";
import { mix, seeded } from "./random.js";

/** @typedef {import("./world.js").World} World */
/** @typedef {import("./cdn.js").Transfer} Transfer */
/** @typedef {import("../../static/js/core/download.js").SegmentSource} SegmentSource */
/** @typedef {import("../../static/js/core/membership.js").MembershipCommand} MembershipCommand */
/** @typedef {import("../../static/js/core/outbox.js").Command} Command */
/** @typedef {import("../../static/js/core/outbox.js").Timing} Timing */

/** One turn in so many is timed: a look at the clock costs as much as a small turn. A prime, so that it keeps step with nothing. */
const TIMED_TURNS = 7;
/** The library's default of how much is kept, on a device with memory enough. */
export const STORE_BYTES = defaultStoreBytes();
/** Timers of hidden pages ring once a second (Chromium, Firefox), each device's at a phase of its own. */
const HIDDEN_TICK_MS = 1000;

/**
 * Where a viewer is and what its lines carry.
 * @typedef {object} PeerShape
 * @property {number} [uplinkBps]
 * @property {number} [downlinkBps]
 * @property {number} [x]  place, in milliseconds of round trip
 * @property {number} [y]
 * @property {number} [accessMs]  one way to anybody, besides the distance
 * @property {number} [cdnBps]  a connection's rate
 * @property {number} [cdnMs]  one way
 * @property {number} [trackerMs]  one way
 * @property {number} [storeBytes]
 * @property {number} [uploadLimitBps]
 * @property {number} [neighbours]  wanted
 * @property {number} [seed]
 * @property {number} [lies]  share of the pieces it sends with a byte changed
 * @property {number} [liesAfter]  pieces that it sends before it lies
 * @property {import("./nats.js").NatKind} [nat]  none by default
 * @property {boolean} [tellsNat]  the tracker hears of it, and of attempts
 * @property {string[]} [place]  as the tracker would know it: continent, country, provider, city, site, subnet
 */

/**
 * What becomes of a player's request.
 * @typedef {object} RequestEvents
 * @property {(bytes: Uint8Array, timing: Timing, peerBytes: number) => void} delivered
 * @property {(status: number) => void} failed
 */

export class SimPeer {
  /** @param {World} world @param {number} index @param {PeerShape} shape @param {boolean} tracked  it joins at the tracker */
  constructor(world, index, shape, tracked) {
    const { uplinkBps = 10e6, downlinkBps = Number.POSITIVE_INFINITY, x = 0, y = 0, accessMs = 15 } = shape;
    const { cdnBps = 20e6, cdnMs = 20, trackerMs = accessMs + 10 } = shape;
    const { storeBytes = STORE_BYTES, uploadLimitBps = 20e6, neighbours = 8, seed = index } = shape;
    this.world = world;
    this.place = shape.place ?? [];
    this.nat = shape.nat ?? "none";
    this._tellsNat = shape.tellsNat ?? false;
    this._gathers = false;
    this._lies = shape.lies ?? 0;
    this._liesAfter = shape.liesAfter ?? 0;
    /** When its neighbours first banned it, and how many did. */
    this.bannedMs = Number.POSITIVE_INFINITY;
    this.bans = 0;
    this.index = index;
    this.x = x;
    this.y = y;
    this.accessMs = accessMs;
    this.cdnBytesPerMs = cdnBps / 8000;
    this.cdnMs = cdnMs;
    this.trackerMs = trackerMs;
    this.uplink = new Uplink(world.clock, uplinkBps / 8000);
    this.downlink = new Downlink(world.clock, downlinkBps / 8000);
    const random = seeded(seed);
    const session = hex(Uint8Array.from({ length: 8 }, () => Math.floor(random() * 256)));
    this.joinedMs = world.clock.nowMs;
    this.leftMs = Number.POSITIVE_INFINITY;
    const options = { session, content: world.content, storeBytes, uploadBytesPerMs: uploadLimitBps / 8000 };
    this._random = seeded(mix(seed, 0x11e5));
    this.node = new PeerNode({ ...options, random: this._random }, this.joinedMs);
    this.ledger = this.node.ledger;
    this.gone = false;
    this._hidden = false;
    this.control = { sentFrames: 0, sentBytes: 0 };
    this.bulk = { sentFrames: 0, sentBytes: 0, receivedBytes: 0 };
    this.cdnReceivedBytes = 0;
    /** @type {Map<number, RequestEvents>} */
    this._requests = new Map();
    /** @type {Map<number, Transfer>} by job */
    this._transfers = new Map();
    /** What each channel that was given something had not sent yet, as last told. @type {Map<number, number>} by link */
    this._filled = new Map();
    this._alarmMs = Number.POSITIVE_INFINITY;
    this._turning = false;
    this.connections = new Connections(this);
    /** @type {import("./tracker.js").Socket | null} */
    this._socket = null;
    this.stalls = 0;
    this.membership = new Membership(world.content, session, neighbours, random);
    if (tracked) this.turn(() => this.membership.start());
  }

  /** Its first connection looks for candidates; by them it will know its NAT. */
  gathers() {
    if (this._gathers || !this._tellsNat) return;
    this._gathers = true;
    this.world.clock.after(gatheredMs(this.nat), gathered, this);
  }

  /** @param {SimPeer} other @returns {number} one way */
  oneWayMs(other) {
    return Math.hypot(this.x - other.x, this.y - other.y) / 2 + this.accessMs + other.accessMs;
  }

  /** @param {SegmentSource} source @param {number} deadlineMs @param {RequestEvents} events @returns {number} for `cancel` */
  request(source, deadlineMs, events) {
    let request = 0;
    this.turn((nowMs) => {
      request = this.node.request(source, deadlineMs, nowMs);
      this._requests.set(request, events);
    });
    return request;
  }

  /** @param {number} request @param {number} deadlineMs */
  hasten(request, deadlineMs) {
    if (this._requests.has(request)) this.turn((nowMs) => this.node.hasten(request, deadlineMs, nowMs));
  }

  /** @param {number} request */
  cancel(request) {
    if (this._requests.delete(request)) this.turn((nowMs) => this.node.cancel(request, nowMs));
  }

  /** Its page is hidden, or seen again. @param {boolean} hidden */
  hide(hidden) {
    this._hidden = hidden;
    this.turn((nowMs) => this.node.visibilityChanged(hidden, nowMs));
  }

  /** @param {number} link @param {boolean} offered */
  linkOpened(link, offered) {
    this.turn((nowMs) => {
      this.membership.linkOpened(link, nowMs);
      this.node.neighbourOpened(link, offered, nowMs);
    });
  }

  /** @param {number} link */
  linkClosed(link) {
    this.turn((nowMs) => {
      this.node.neighbourClosed(link, nowMs);
      this.membership.linkClosed(link, nowMs);
    });
  }

  /** @param {number} link @param {Uint8Array} bytes */
  frameArrived(link, bytes) {
    this.turn((nowMs) => this.node.frameReceived(link, bytes, nowMs), false);
  }

  /** A channel's buffer has become little. */
  drained() {
    this.turn((nowMs) => this._tellBuffered(nowMs), false);
  }

  /** Tells what the channels that were given something have not sent yet. @param {number} nowMs */
  _tellBuffered(nowMs) {
    for (const [link, told] of this._filled) {
      const bufferedBytes = this.connections.end(link)?.bufferedBytes ?? 0;
      if (bufferedBytes === told) continue;
      if (bufferedBytes === 0) this._filled.delete(link);
      else this._filled.set(link, bufferedBytes);
      this.node.drained(link, bufferedBytes, nowMs);
    }
  }

  /**
   * The page closes: the tracker and the neighbours hear of it, the neighbours after their connections noticed.
   * @param {number} [noticeMs]  besides the way there
   */
  leave(noticeMs = 0) {
    this._end();
    this._socket?.close();
    this.connections.abandon(() => noticeMs);
  }

  /** Its network is gone: nobody is told, neighbours find out after a while, each on its own. @param {() => number} noticeMs */
  vanish(noticeMs) {
    this._end();
    this.connections.abandon(noticeMs);
  }

  _end() {
    this.gone = true;
    this.leftMs = this.world.clock.nowMs;
    for (const transfer of this._transfers.values()) transfer.abort();
    this._transfers.clear();
    this._requests.clear();
    // What it held is garbage now; thousands come and go in a run.
    this.node = new PeerNode({ session: "0".repeat(16), storeBytes: 0, uploadBytesPerMs: 0 }, 0);
  }

  /**
   * Something happened: tell the cores, do what they command until they command nothing.
   * @param {(nowMs: number) => void} happened
   * @param {boolean} told  whether it tells membership too; most turns are frames, and there are very many
   */
  turn(happened, told = true) {
    if (this.gone) return;
    const { clock, effort } = this.world;
    if (this._turning) {
      happened(clock.nowMs); // a command's own consequence; the outer turn goes on with it
      return;
    }
    this._turning = true;
    const timed = effort.turns % TIMED_TURNS === 0;
    let sinceMs = timed ? performance.now() : 0;
    happened(clock.nowMs);
    let both = told;
    for (;;) {
      const commands = this.node.takeCommands();
      const wishes = both ? this.membership.takeCommands() : [];
      if (timed) effort.coreMs += TIMED_TURNS * (performance.now() - sinceMs);
      if (commands.length === 0 && wishes.length === 0) break;
      both = true;
      for (const wish of wishes) this._obey(wish);
      for (const command of commands) this._execute(command);
      if (timed) sinceMs = performance.now();
    }
    this._turning = false;
    effort.turns++;
    this._setAlarm(both);
  }

  /** @param {boolean} [both]  whether membership may have something sooner than before */
  _setAlarm(both = true) {
    const nextMs = both ? Math.min(this.node.nextTimerMs, this.membership.nextTimerMs) : this.node.nextTimerMs;
    const phaseMs = mix(this.index) % HIDDEN_TICK_MS;
    const dueMs = this._hidden ? Math.ceil((nextMs - phaseMs) / HIDDEN_TICK_MS) * HIDDEN_TICK_MS + phaseMs : nextMs;
    if (dueMs >= this._alarmMs) return; // the alarm that is set will see what is next
    this._alarmMs = dueMs;
    this.world.clock.at(dueMs, alarm, this);
  }

  /** Time may have come for something. */
  woken() {
    const { nowMs } = this.world.clock;
    if (this.gone || nowMs < this._alarmMs) return;
    this._alarmMs = Number.POSITIVE_INFINITY;
    if (Math.min(this.node.nextTimerMs, this.membership.nextTimerMs) > nowMs) {
      this._setAlarm();
      return;
    }
    this.turn(() => {
      this.membership.timerFired(nowMs);
      this._tellBuffered(nowMs);
      this.node.timerFired(nowMs);
    });
  }

  /** @param {Command} command */
  _execute(command) {
    switch (command.type) {
      case "send":
        this._send(command.neighbour, command.bulk, command.bytes);
        break;
      case "fetch":
        this._fetch(command.job, command.url, command.rangeStart ?? 0, command.rangeEnd);
        break;
      case "abort":
        this._transfers.get(command.job)?.abort();
        this._transfers.delete(command.job);
        break;
      case "deliver": {
        const events = this._requests.get(command.request);
        this._requests.delete(command.request);
        events?.delivered(command.bytes, command.timing, command.peerBytes);
        this.membership.settled(this.world.clock.nowMs);
        break;
      }
      case "fail": {
        const events = this._requests.get(command.request);
        this._requests.delete(command.request);
        events?.failed(command.status);
        break;
      }
      case "hash":
      case "verify":
      case "digest":
      case "compare":
        check(this, command);
        break;
      case "banned":
        this.membership.banned(command.neighbour, command.proven);
        this._banned(command.neighbour);
        break;
      case "whole":
        this.world.became(this, command.ref.number);
        break;
      case "drop":
        this.connections.hangUp(command.neighbour);
        this.membership.linkClosed(command.neighbour, this.world.clock.nowMs);
        break;
      case "renamed":
        this.membership.renamed(command.neighbour, command.peer);
        break;
    }
  }

  /** @param {MembershipCommand} command */
  _obey(command) {
    const { nowMs } = this.world.clock;
    switch (command.type) {
      case "openSocket":
        this._socket?.close();
        this._socket = this.world.openSocket(this);
        break;
      case "closeSocket":
        this._socket?.close();
        this._socket = null;
        break;
      case "sendMessage":
        this._socket?.send(command.message);
        break;
      case "joined":
        this.node.joined({ ...command, integrity: this.world.integrity }, nowMs);
        break;
      case "clustered":
        this.node.clustered(command, nowMs);
        break;
      case "reportDue":
        this.membership.report(this.node.report(this.stalls));
        break;
      case "hangUp":
        this.connections.hangUp(command.link);
        this.node.neighbourClosed(command.link, nowMs);
        break;
      default:
        this.connections.signalled(command);
    }
  }

  /** @param {number} link @param {boolean} bulk @param {Uint8Array} bytes */
  _send(link, bulk, bytes) {
    const end = this.connections.end(link);
    if (!bulk) {
      this.control.sentFrames++;
      this.control.sentBytes += bytes.length;
      if (end) this.uplink.sendControl(end, bytes);
      return;
    }
    this.bulk.sentFrames++;
    this.bulk.sentBytes += bytes.length;
    if (end) this.uplink.sendBulk(end, this.world.interning.intern(this._lied(bytes)));
    this._filled.set(link, end?.bufferedBytes ?? 0);
    this.node.drained(link, end?.bufferedBytes ?? 0, this.world.clock.nowMs);
  }

  /** What it really sends. @param {Uint8Array} frame @returns {Uint8Array} */
  _lied(frame) {
    if (this._lies === 0 || frame[0] !== FRAME.PIECE || this._liesAfter-- > 0 || this._random() >= this._lies) return frame;
    const wrong = frame.slice();
    wrong[wrong.length - 1] = /** @type {number} */ (wrong[wrong.length - 1]) ^ 1;
    return wrong;
  }

  /** A neighbour of ours sent wrong bytes. @param {number} link */
  _banned(link) {
    const liar = this.connections.end(link)?.other?.host;
    if (!(liar instanceof SimPeer)) return;
    liar.bans++;
    liar.bannedMs = Math.min(liar.bannedMs, this.world.clock.nowMs);
  }

  /** @param {number} job @param {string} url @param {number} start @param {number | null} end */
  _fetch(job, url, start, end) {
    const transfer = this.world.cdn.fetch(this, url, start, end, {
      started: (head) => this.turn((nowMs) => this.node.fetchStarted(job, head, nowMs)),
      received: (bytes) => {
        this.cdnReceivedBytes += bytes.length;
        this.turn((nowMs) => this.node.fetchReceived(job, bytes, nowMs), false);
      },
      finished: () => {
        this._transfers.delete(job);
        this.turn((nowMs) => this.node.fetchFinished(job, nowMs));
      },
      failed: (status) => {
        this._transfers.delete(job);
        this.turn((nowMs) => this.node.fetchFailed(job, { status, reason: "Service Unavailable" }, nowMs));
      },
    });
    this._transfers.set(job, transfer);
  }
}

/** @param {SimPeer} peer */
function alarm(peer) {
  peer.woken();
}

/** @param {SimPeer} peer */
function gathered(peer) {
  if (!peer.gone) peer.turn((nowMs) => peer.membership.natSeen(natOf(peer.nat), nowMs));
}
