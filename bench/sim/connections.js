/**
 * A peer's connections with others: offers and answers are real messages through the tracker, with stand-ins for SDP and
 * candidates; connecting then takes three round trips of the pair (ICE, DTLS, SCTP), or fails after ten seconds where NATs
 * keep the two apart.
 */

import { End } from "./links.js";
import { meet } from "./nats.js";

/** @typedef {import("./peer.js").SimPeer} SimPeer */
/** @typedef {import("../../static/js/core/membership.js").MembershipCommand} MembershipCommand */

const CONNECT_ROUND_TRIPS = 3;
/** ICE gives up on a pair after about this. */
const ICE_FAILED_MS = 10_000;
/** createOffer and setLocalDescription take about this in a browser; gathering a little more. */
const DESCRIBE_MS = 5;
/** As long as a browser's for two data channels, so that the tracker's bounds and costs are the real ones. */
const SDP_PADDING = "a=stand-in:".padEnd(700, "x");
/** Host, and server-reflexive by STUN; an empty one ends them. */
const CANDIDATES = [
  "candidate:1 1 udp 2113937151 0f0c1a2b-aaaa-bbbb-cccc-0123456789ab.local 50000 typ host",
  "candidate:2 1 udp 1677729535 203.0.113.1 50000 typ srflx raddr 0.0.0.0 rport 0",
  "",
];

/** Two peers on their way to each other, or connected. */
export class Connection {
  /** @param {SimPeer} offerer @param {number} link  the offerer's */
  constructor(offerer, link) {
    this.id = offerer.world.expect(this);
    this.offerer = offerer;
    this.offererLink = link;
    /** @type {SimPeer | null} */
    this.answerer = null;
    this.answererLink = 0;
    this.over = false;
  }

  /** ICE begins at both. */
  begin() {
    const { offerer, answerer } = this;
    if (!answerer || this.over) return;
    const { world } = offerer;
    if (!meet(offerer.nat, answerer.nat)) world.attempts.hopeless++;
    if (world.unreachable(offerer, answerer)) {
      world.clock.after(ICE_FAILED_MS, connectionFailed, this);
      return;
    }
    world.clock.after(CONNECT_ROUND_TRIPS * 2 * offerer.oneWayMs(answerer), connectionOpened, this);
  }

  opened() {
    const { offerer, answerer } = this;
    if (this.over || !answerer || offerer.gone || answerer.gone) return;
    const mine = offerer.connections.end(this.offererLink);
    const theirs = answerer.connections.end(this.answererLink);
    if (!mine || !theirs) return;
    offerer.world.expected.delete(this.id);
    offerer.world.attempts.connected++;
    join(mine, theirs, offerer.oneWayMs(answerer));
    answerer.linkOpened(this.answererLink, false);
    offerer.linkOpened(this.offererLink, true);
  }

  failed() {
    this.offerer.world.attempts.failed++;
    this.end();
    this.offerer.connections.lost(this.offererLink);
    this.answerer?.connections.lost(this.answererLink);
  }

  end() {
    this.over = true;
    this.offerer.world.expected.delete(this.id);
  }
}

/** @param {End} one @param {End} two @param {number} oneWayMs */
function join(one, two, oneWayMs) {
  one.oneWayMs = two.oneWayMs = oneWayMs;
  one.other = two;
  two.other = one;
  one.open = two.open = true;
}

export class Connections {
  /** @param {SimPeer} peer */
  constructor(peer) {
    this._peer = peer;
    /** @type {Map<number, { end: End, connection: Connection }>} by link */
    this._all = new Map();
  }

  /** @param {number} link @returns {End | undefined} */
  end(link) {
    return this._all.get(link)?.end;
  }

  get openCount() {
    let count = 0;
    for (const { end } of this._all.values()) if (end.open) count++;
    return count;
  }

  /** What membership says of setting up. @param {MembershipCommand} command */
  signalled(command) {
    switch (command.type) {
      case "dial": {
        const connection = new Connection(this._peer, command.link);
        this._add(command.link, connection);
        this._describe("offer", command.link, connection.id);
        break;
      }
      case "accept":
        this._accept(command.link, command.sdp);
        break;
      case "answered":
        this._all.get(command.link)?.connection.begin();
        break;
    }
  }

  /** @param {number} link @param {string} sdp */
  _accept(link, sdp) {
    const id = Number(sdp.split(" ", 1)[0]);
    const connection = this._peer.world.expected.get(id);
    if (!connection) return;
    connection.answerer = this._peer;
    connection.answererLink = link;
    this._add(link, connection);
    this._describe("answer", link, id);
  }

  /** @param {number} link @param {Connection} connection */
  _add(link, connection) {
    this._all.set(link, { end: new End(this._peer, link), connection });
  }

  /** Says our side, and trickles. @param {"offer" | "answer"} type @param {number} link @param {number} id */
  _describe(type, link, id) {
    this._peer.gathers();
    this._peer.world.clock.after(DESCRIBE_MS, describe, { peer: this._peer, type, link, id });
  }

  /** Without a tracker, for short runs: they just find each other. @param {SimPeer} other @param {number} link @param {number} afterMs */
  meet(other, link, afterMs) {
    const connection = new Connection(this._peer, link);
    connection.answerer = other;
    connection.answererLink = link;
    this._add(link, connection);
    other.connections._add(link, connection);
    this._peer.world.clock.after(afterMs, connectionOpened, connection);
  }

  /** We end it. The other side hears of it. @param {number} link */
  hangUp(link) {
    const entry = this._all.get(link);
    if (!entry) return;
    this._all.delete(link);
    this._cut(entry, 0);
  }

  /** We are gone. @param {() => number} noticeMs  when each of the others finds out */
  abandon(noticeMs) {
    for (const entry of this._all.values()) this._cut(entry, noticeMs());
    this._all.clear();
  }

  /** @param {{ end: End, connection: Connection }} entry @param {number} noticeMs */
  _cut({ end, connection }, noticeMs) {
    const far = end.other;
    end.close();
    connection.end();
    if (far) this._peer.world.clock.after(end.oneWayMs + noticeMs, farClosed, far);
    // Else it was being set up: the other side's attempt times out by itself.
  }

  /** It has ended from the other side, or could not be had. @param {number} link */
  lost(link) {
    const entry = this._all.get(link);
    if (!entry) return;
    entry.end.close();
    this._all.delete(link);
    this._peer.linkClosed(link);
  }
}

/** @param {{ peer: SimPeer, type: "offer" | "answer", link: number, id: number }} description */
function describe({ peer, type, link, id }) {
  if (peer.gone) return;
  peer.turn(() => {
    peer.membership.localSignal(link, { type, sdp: `${id} ${SDP_PADDING}` });
    for (const candidate of CANDIDATES) peer.membership.localSignal(link, { type: "candidate", candidate, mid: "0", line: 0 });
  });
}

/** @param {Connection} connection */
function connectionOpened(connection) {
  connection.opened();
}

/** @param {Connection} connection */
function connectionFailed(connection) {
  if (!connection.over) connection.failed();
}

/** @param {End} far */
function farClosed(far) {
  if (far.open) /** @type {SimPeer} */ (far.host).connections.lost(far.link);
}
