/**
 * Membership of one swarm, without I/O: joining at the tracker and joining again after it was lost, whom to dial,
 * whose offer to take, when to give up on either.
 *
 *   in   start, stop, socketOpened/Closed, messageReceived (the tracker's), localSignal (ICE and SDP of ours),
 *        linkOpened/Closed, renamed, tokenReady, timerFired
 *   out  takeCommands()
 *
 * Links (links.js) are its connections, by ids of our own.
 */

import {
  CELLS_MAX,
  CLOSE_OFF,
  CLOSE_UNAUTHORIZED,
  ERROR_BANNED,
  ERROR_NOT_JOINED,
  ERROR_OFF,
  ERROR_UNAUTHORIZED,
  EXCEPT_MAX,
  REPORT_INTERVAL_MS,
  WANT_MAX,
} from "./constants.js";
import { Heartbeat } from "./heartbeat.js";
import { integrityPolicy } from "./integrity.js";
import { Links } from "./links.js";
import { keepNewest } from "./newest.js";
import {
  AWAY_MAX_MS,
  AWAY_MS,
  BANNED_MAX,
  CLUSTER_SIZE_MAX,
  DIALS_AT_ONCE,
  FIRST_DIALS,
  INTERVAL_MAX_MS,
  INTERVAL_MIN_MS,
  RECONNECT_FIRST_MS,
  RECONNECT_LONG_CAP_MS,
  RECONNECT_LONG_MS,
  RECONNECT_SHORT_CAP_MS,
  SETTLE_MS,
  TOKEN_RETRIES_MAX,
  TOKEN_RETRY_FACTOR,
  TOKEN_RETRY_MS,
  WANT_AGAIN_MAX_MS,
  WANT_AGAIN_MS,
} from "./tuning.js";

/** @typedef {{ type: string } & Record<string, unknown>} Message  as on the tracker's wire */

/**
 * @typedef {{ type: "openSocket" } | { type: "closeSocket" }} SocketCommand
 * @typedef {{ type: "sendMessage", message: Message }} SendMessageCommand
 * @typedef {{ type: "dial", link: number, iceServers: RTCIceServer[] }} DialCommand  connect, offering
 * @typedef {{ type: "accept", link: number, iceServers: RTCIceServer[], sdp: string }} AcceptCommand  connect, answering
 * @typedef {{ type: "answered", link: number, sdp: string }} AnsweredCommand
 * @typedef {{ type: "candidate", link: number, candidate: string, mid: string | null, line: number | null }} CandidateCommand
 * @typedef {{ type: "hangUp", link: number }} HangUpCommand
 * @typedef {import("./peer-node.js").Clustering} Clustering
 * @typedef {{ type: "joined", peer: string, cells: number[], integrity: import("./integrity.js").IntegrityPolicy } & Clustering} JoinedCommand
 * @typedef {{ type: "clustered" } & Clustering} ClusteredCommand
 * @typedef {JoinedCommand | ClusteredCommand} SwarmCommand
 * @typedef {{ type: "reportDue" }} ReportDueCommand  call `report` with the totals since the last
 * @typedef {{ type: "needToken" }} NeedTokenCommand  call `tokenReady` with another one of the page's
 * @typedef {{ type: "noRelay" }} NoRelayCommand  the tracker names no TURN server, and nothing else may be used
 * @typedef {SocketCommand | NeedTokenCommand | NoRelayCommand | SendMessageCommand | DialCommand | AcceptCommand | AnsweredCommand | CandidateCommand | HangUpCommand | SwarmCommand | ReportDueCommand} MembershipCommand
 */

/** @typedef {"idle" | "connecting" | "joining" | "joined" | "waiting" | "refused" | "off" | "banned"} MembershipState */

/**
 * On what terms it joins.
 * @typedef {object} Terms
 * @property {{ site?: string, name?: string, token?: string }} [claims]  what `join` says of the page
 * @property {boolean} [asksToken]  the page has a function that makes tokens: another for each join
 * @property {boolean} [relayOnly]  neighbours may learn no address of ours: without a TURN server there are none
 */

export class Membership {
  /**
   * @param {string} content  content id
   * @param {string} session  16 hex digits
   * @param {number} wanted  neighbours to have
   * @param {() => number} random  uniform in [0, 1)
   * @param {Terms} [terms]
   */
  constructor(content, session, wanted, random, { claims = {}, asksToken = false, relayOnly = false } = {}) {
    this.content = content;
    this.session = session;
    this.wanted = wanted;
    this._random = random;
    this._claims = { ...claims };
    this._asksToken = asksToken;
    this._relayOnly = relayOnly;
    /** What there must be before it can join. */
    this._has = { socket: false, token: false };
    /** Tokens refused in a row. */
    this._refusals = 0;
    /** Why it is joined and has no neighbours: the tracker keeps it to compare with, or there is no relay. @type {"holdout" | "no-relay" | null} */
    this.apart = null;
    /** @type {MembershipState} */
    this.state = "idle";
    /** Our id at the tracker. @type {string | null} */
    this.peer = null;
    this.clusterSize = 0;
    this._links = new Links();
    /** Peer ids of those that sent wrong bytes. @type {Set<string>} */
    this._banned = new Set();
    /** @type {RTCIceServer[]} */
    this._iceServers = [];
    /** Offered by the tracker and not yet dialled, best first. @type {string[]} */
    this._spare = [];
    this._attempt = 0;
    /** Until then only a few connections are made. */
    this._settledMs = Number.POSITIVE_INFINITY;
    /** What came from others meanwhile; bounded by the links there may be and the tracker's bound of candidates. @type {(AcceptCommand | CandidateCommand)[]} */
    this._waiting = [];
    /** When that is looked at. */
    this._settleMs = Number.POSITIVE_INFINITY;
    /** @type {number | null} */
    this._lostMs = null;
    this._reconnectMs = Number.POSITIVE_INFINITY;
    this._wantMs = Number.POSITIVE_INFINITY;
    /** How long until the next asking; longer while the tracker has nobody. */
    this._wantAgainMs = WANT_AGAIN_MS;
    this._heartbeat = new Heartbeat();
    this._reportMs = Number.POSITIVE_INFINITY;
    this._reportIntervalMs = REPORT_INTERVAL_MS;
    /** @type {MembershipCommand[]} */
    this._commands = [];
  }

  // ---- out ----

  /** @returns {MembershipCommand[]} to execute, in order; each is returned once */
  takeCommands() {
    const commands = this._commands;
    this._commands = [];
    return commands;
  }

  /** @returns {number} when to call timerFired; Infinity for never */
  get nextTimerMs() {
    const { dueMs } = this._heartbeat;
    return Math.min(this._reconnectMs, this._wantMs, dueMs, this._reportMs, this._links.wakeMs, this._settleMs);
  }

  // ---- in: the page ----

  /** Joins, and stays joined until stop. */
  start() {
    if (this.state === "idle") this._connect();
  }

  _connect() {
    this.state = "connecting";
    this._has.socket = false;
    this._commands.push({ type: "openSocket" });
    this._needToken();
  }

  /** The page's own, for this join. */
  _needToken() {
    this._has.token = !this._asksToken;
    if (this._asksToken) this._commands.push({ type: "needToken" });
  }

  /** The page's function has given one. @param {string | null} token  null for none */
  tokenReady(token) {
    if (this.state !== "connecting") return;
    if (token === null) delete this._claims.token;
    else this._claims.token = token;
    this._has.token = true;
    this._join();
  }

  /** Leaves, and hangs up on everybody. */
  stop() {
    if (this.state === "joined") this._send({ type: "leave" });
    if (this.state !== "idle") this._commands.push({ type: "closeSocket" });
    this.state = "idle";
    this._sleep();
    this._hangUpAll();
  }

  // ---- in: the socket ----

  /** @param {number} nowMs */
  socketOpened(nowMs) {
    if (this.state !== "connecting") return;
    this._heartbeat.start(nowMs);
    this._has.socket = true;
    this._join();
  }

  /** As soon as all is there. */
  _join() {
    if (!this._has.socket || !this._has.token) return;
    this.state = "joining";
    this._send({ type: "join", content: this.content, session: this.session, want: this._room(), ...this._claims });
  }

  /**
   * It is lost, or could not be had. Open links stay.
   * @param {number} nowMs
   * @param {number} [code]  the WebSocket close code; without one it never opened, or ended without a word
   */
  socketClosed(nowMs, code) {
    if (this.state !== "connecting" && this.state !== "joining" && this.state !== "joined") return;
    if (code === CLOSE_UNAUTHORIZED) return this._refused(nowMs);
    if (code === CLOSE_OFF) return this._sentAway({ type: "error", code: ERROR_OFF }, nowMs);
    this._lostMs ??= nowMs;
    const capMs = nowMs - this._lostMs < RECONNECT_LONG_MS ? RECONNECT_SHORT_CAP_MS : RECONNECT_LONG_CAP_MS;
    const stepMs = Math.min(capMs, RECONNECT_FIRST_MS * 2 ** this._attempt++);
    this._reconnectAfter(stepMs * (0.5 + this._random() / 2), nowMs);
  }

  /** Asking again with the same token would get the same answer. @param {number} nowMs */
  _refused(nowMs) {
    if (this._asksToken && this._refusals < TOKEN_RETRIES_MAX) {
      const delayMs = TOKEN_RETRY_MS * TOKEN_RETRY_FACTOR ** this._refusals++;
      this._reconnectAfter(delayMs * (1 + this._random()), nowMs);
    } else {
      this._sleep();
      this.state = "refused";
    }
  }

  /** It is not to share, or was banned: all of it ends. @param {Message} message @param {number} nowMs */
  _sentAway(message, nowMs) {
    const banned = message.code === ERROR_BANNED;
    const afterMs = bounded(message.retry_after_ms, banned ? AWAY_MS : INTERVAL_MIN_MS, AWAY_MAX_MS, AWAY_MS);
    this._hangUpAll();
    this._alone();
    this._reconnectAfter(afterMs * (1 + this._random() / 2), nowMs);
    this.state = banned ? "banned" : "off";
  }

  /** Nobody is to be waited for. */
  _alone() {
    this.clusterSize = 1;
    this._commands.push({ type: "clustered", cluster: null, clusterSize: 1 });
  }

  /** @param {number} delayMs @param {number} nowMs */
  _reconnectAfter(delayMs, nowMs) {
    this._sleep();
    this.state = "waiting";
    this._reconnectMs = nowMs + delayMs;
    // Without a tracker no answer can come: what has not connected yet will not.
    for (const link of this._links.pending()) this._hangUp(link.id);
  }

  _sleep() {
    this._spare = [];
    this._waiting = [];
    this._heartbeat.stop();
    this._reconnectMs = this._wantMs = this._reportMs = this._settleMs = Number.POSITIVE_INFINITY;
  }

  /** @param {Message} message  JSON of a known shape is not assumed @param {number} nowMs */
  messageReceived(message, nowMs) {
    this._heartbeat.heard(nowMs);
    switch (message.type) {
      case "welcome":
        this._welcomed(message, nowMs);
        break;
      case "neighbours":
        this._spare = peerIds(message.neighbours);
        this._wantAgainMs = this._spare.length > 0 ? WANT_AGAIN_MS : Math.min(2 * this._wantAgainMs, WANT_AGAIN_MAX_MS);
        this._dial(nowMs);
        break;
      case "offer":
        this._offered(String(message.from), String(message.sdp), nowMs);
        break;
      case "hint":
        if (!this.apart) this._commands.push({ type: "clustered", ...this._clustering(message) });
        break;
      case "pong":
        this._heartbeat.answered(nowMs);
        break;
      case "error":
        this._failed(message, nowMs);
        break;
      case "restart":
        this._restarting(message, nowMs);
        break;
      default:
        this._linkMessage(message, nowMs);
    }
  }

  /** What is about one link. @param {Message} message @param {number} nowMs */
  _linkMessage(message, nowMs) {
    const link = this._links.with(String(message.from ?? message.peer));
    if (!link || link.open) return;
    if (message.type === "answer" && link.offered) {
      this._commands.push({ type: "answered", link: link.id, sdp: String(message.sdp) });
    } else if (message.type === "candidate") {
      const mid = typeof message.mid === "string" ? message.mid : null;
      const line = typeof message.line === "number" ? message.line : null;
      const command = /** @type {CandidateCommand} */ ({
        type: "candidate",
        link: link.id,
        candidate: String(message.candidate),
        mid,
        line,
      });
      if (link.offered) this._commands.push(command);
      else this._whenSettled(command, nowMs);
    } else if (message.type === "decline" || message.type === "gone") {
      this._hangUp(link.id);
      this._dial(nowMs);
    }
  }

  /** @param {import("./reporter.js").Report} report */
  report({ totals, rtts, received, holdings }) {
    if (this.state !== "joined") return;
    const { rttMs } = this._heartbeat;
    const trackerRtt = rttMs === null ? {} : { tracker_rtt_ms: rttMs };
    const named = { rtts: this._byPeer(rtts), received: this._byPeer(received) };
    this._send({ type: "report", ...totals, ...named, ...trackerRtt, holdings });
  }

  /** @param {[link: number, value: number][]} byLink @returns {Record<string, number>} without those that are gone */
  _byPeer(byLink) {
    const named = byLink.map(([link, value]) => [this._links.get(link)?.peer, value]);
    return Object.fromEntries(named.filter(([peer]) => peer !== undefined));
  }

  // ---- in: links ----

  /**
   * Our own offer, answer or candidate is ready for the other side.
   * @param {number} id @param {{ type: "offer" | "answer", sdp: string } | { type: "candidate", candidate: string, mid: string | null, line: number | null }} signal
   */
  localSignal(id, signal) {
    const link = this._links.get(id);
    if (link && this.state === "joined") this._send({ ...signal, to: link.peer });
  }

  /** Its channels are open. @param {number} id @param {number} nowMs */
  linkOpened(id, nowMs) {
    this._links.opened(id);
    this._dial(nowMs);
  }

  /** The player has begun: from now on connections may take the page's time. @param {number} nowMs */
  settled(nowMs) {
    if (nowMs >= this._settledMs) return;
    this._settledMs = nowMs;
    this._flush();
    this._dial(nowMs);
  }

  /** It is lost, or could not be had. @param {number} id @param {number} nowMs */
  linkClosed(id, nowMs) {
    if (!this._links.remove(id)) return;
    this._wantSooner(nowMs);
    this._dial(nowMs);
  }

  /** The other side says its id at the tracker. @param {number} id @param {string} peer */
  renamed(id, peer) {
    const link = this._links.get(id);
    if (link && !this._links.with(peer)) link.peer = peer; // nobody takes the name of another
    this._spare = this._spare.filter((spare) => spare !== peer);
  }

  /** The other side sent wrong bytes: it is not dialled or answered any more, and the tracker hears of it if that is proven. @param {number} id @param {boolean} proven */
  banned(id, proven) {
    const peer = this._links.get(id)?.introducedAs; // not the name it gives itself: that may be another's
    if (peer === undefined) return;
    this._banned.add(peer);
    keepNewest(this._banned, BANNED_MAX);
    if (proven && this.state === "joined") this._send({ type: "accuse", peer });
  }

  /** @param {number} id @returns {boolean} whether its offer was ours */
  offeredByUs(id) {
    return this._links.get(id)?.offered ?? false;
  }

  // ---- in: time ----

  /** @param {number} nowMs */
  timerFired(nowMs) {
    if (nowMs >= this._reconnectMs) {
      this._reconnectMs = Number.POSITIVE_INFINITY;
      this._connect();
    }
    if (nowMs >= this._settleMs) {
      this._settleMs = Number.POSITIVE_INFINITY;
      this._flush(); // and dials below
    }
    if (nowMs >= this._heartbeat.dueMs) this._ping(nowMs);
    if (nowMs >= this._reportMs) {
      this._reportMs = nowMs + this._reportIntervalMs;
      this._commands.push({ type: "reportDue" });
    }
    for (const link of this._links.overdue(nowMs)) this._hangUp(link.id);
    if (nowMs >= this._wantMs) this._want(nowMs);
    this._dial(nowMs);
  }

  // ---- inside ----

  /** @param {Message} message @param {number} nowMs */
  _welcomed(message, nowMs) {
    this.state = "joined";
    this.peer = String(message.peer);
    this._attempt = this._refusals = 0;
    this._lostMs = null;
    this._iceServers = Array.isArray(message.ice_servers) ? message.ice_servers : [];
    this.apart = message.sharing === false ? "holdout" : this._relayOnly && !this._iceServers.some(isRelay) ? "no-relay" : null;
    const { intervalMs } = this._heartbeat;
    this._heartbeat.intervalMs = bounded(message.ping_interval_ms, INTERVAL_MIN_MS, INTERVAL_MAX_MS, intervalMs);
    this._heartbeat.start(nowMs);
    this._reportIntervalMs = bounded(message.report_interval_ms, INTERVAL_MIN_MS, INTERVAL_MAX_MS, this._reportIntervalMs);
    this._reportMs = nowMs + this._reportIntervalMs * this._random(); // a crowd that joined together does not report together
    this._wantAgainMs = WANT_AGAIN_MS;
    this._wantMs = nowMs + WANT_AGAIN_MS * (1 + this._random());
    this.clusterSize = 1;
    const cells = Array.isArray(message.cells) ? message.cells.filter(isCell).slice(0, CELLS_MAX) : [];
    const integrity = integrityPolicy(message.integrity);
    this._commands.push({ type: "joined", peer: this.peer, cells, integrity, ...this._clustering(message) });
    if (this._settledMs === Number.POSITIVE_INFINITY) this._settledMs = this._settleMs = nowMs + SETTLE_MS;
    if (this.apart) {
      this._hangUpAll();
      this._alone();
      if (this.apart === "no-relay") this._commands.push({ type: "noRelay" });
    }
    this._spare = peerIds(message.neighbours);
    this._dial(nowMs);
  }

  /** @param {Message} message  a welcome or a hint @returns {Clustering} */
  _clustering(message) {
    this.clusterSize = bounded(message.cluster_size, 1, CLUSTER_SIZE_MAX, this.clusterSize);
    return { cluster: isCell(message.cluster) ? message.cluster : null, clusterSize: this.clusterSize };
  }

  /** @param {Message} message @param {number} nowMs */
  _restarting(message, nowMs) {
    this._commands.push({ type: "closeSocket" });
    const minMs = bounded(message.reconnect_min_ms, 0, INTERVAL_MAX_MS, RECONNECT_FIRST_MS);
    const maxMs = bounded(message.reconnect_max_ms, minMs, INTERVAL_MAX_MS, minMs);
    this._reconnectAfter(minMs + this._random() * (maxMs - minMs), nowMs);
  }

  /** The tracker did not do what we asked. @param {Message} message @param {number} nowMs */
  _failed(message, nowMs) {
    if (message.code === ERROR_OFF || message.code === ERROR_BANNED) {
      this._commands.push({ type: "closeSocket" });
      this._sentAway(message, nowMs);
    } else if (message.code === ERROR_UNAUTHORIZED && this.state === "joining") {
      this._commands.push({ type: "closeSocket" });
      this._refused(nowMs);
    } else if (message.code === ERROR_NOT_JOINED && this.state === "joined") {
      this._joinAgain(); // it has forgotten us
    } else if (this.state === "joining") {
      // Full, or refusing: come back later, and not with everybody else who was sent away.
      const afterMs = bounded(message.retry_after_ms, INTERVAL_MIN_MS, INTERVAL_MAX_MS, RECONNECT_LONG_CAP_MS / 2);
      this._commands.push({ type: "closeSocket" });
      this._reconnectAfter(afterMs * (1 + this._random()), nowMs);
    }
  }

  /** On the same socket. */
  _joinAgain() {
    this.state = "connecting";
    this._needToken();
    this._join();
  }

  /** @param {string} from @param {string} sdp @param {number} nowMs */
  _offered(from, sdp, nowMs) {
    const existing = this._links.with(from);
    // Both dialled at once: the offer of the lower peer id stands, at both ends.
    if (existing && !existing.open && existing.offered && this.peer !== null && from > this.peer) return;
    if (existing && !existing.open) this._hangUp(existing.id);
    if (existing?.open || this._links.full || this._banned.has(from) || this.apart) {
      this._send({ type: "decline", to: from });
      return;
    }
    const link = this._links.add(from, false, nowMs);
    this._whenSettled({ type: "accept", link: link.id, iceServers: this._iceServers, sdp }, nowMs);
  }

  /** An offer of somebody else can wait until the player has begun. @param {AcceptCommand | CandidateCommand} command @param {number} nowMs */
  _whenSettled(command, nowMs) {
    if (nowMs >= this._settledMs) this._commands.push(command);
    else this._waiting.push(command);
  }

  _flush() {
    this._commands.push(...this._waiting.filter(({ link }) => this._links.get(link)));
    this._waiting = [];
  }

  /** Offers to as many of the spare as there is room for, a few at a time: each costs the page some of the time its first frame needs. @param {number} nowMs */
  _dial(nowMs) {
    const wanted = nowMs < this._settledMs ? Math.min(this.wanted, FIRST_DIALS) : this.wanted;
    while (this.state === "joined" && !this.apart && this._links.size < wanted && this._links.pending().length < DIALS_AT_ONCE) {
      const peer = this._spare.shift();
      if (peer === undefined) return;
      if (this._links.with(peer) || this._banned.has(peer) || peer === this.peer) continue;
      const link = this._links.add(peer, true, nowMs);
      this._commands.push({ type: "dial", link: link.id, iceServers: this._iceServers });
    }
  }

  /** Too few neighbours, and others are there: asks for more. @param {number} nowMs */
  _want(nowMs) {
    this._wantMs = nowMs + this._wantAgainMs * (1 + this._random());
    const others = this.clusterSize - 1;
    if (this.state !== "joined" || this._room() === 0 || this._links.size >= others) return;
    const except = [...this._links.all().map((link) => link.peer), ...this._banned].slice(0, EXCEPT_MAX);
    this._send({ type: "want", count: this._room(), except });
  }

  /** A neighbour is lost: who left may have left room for others. @param {number} nowMs */
  _wantSooner(nowMs) {
    if (this._wantAgainMs === WANT_AGAIN_MS) return;
    this._wantAgainMs = WANT_AGAIN_MS;
    this._wantMs = Math.min(this._wantMs, nowMs + WANT_AGAIN_MS * (1 + this._random()));
  }

  /** @param {number} nowMs */
  _ping(nowMs) {
    const answers = this._heartbeat.beat(nowMs);
    if (this.state !== "joined" && this.state !== "joining") return;
    if (answers) {
      this._send({ type: "ping" });
      return;
    }
    // The socket is open and nobody answers: a dead network, or a tracker behind a dead proxy.
    this._commands.push({ type: "closeSocket" });
    this.socketClosed(nowMs);
  }

  _room() {
    return this.apart ? 0 : Math.max(0, Math.min(WANT_MAX, this.wanted - this._links.size));
  }

  _hangUpAll() {
    for (const link of this._links.all()) this._hangUp(link.id);
  }

  /** @param {number} id */
  _hangUp(id) {
    if (this._links.remove(id)) this._commands.push({ type: "hangUp", link: id });
  }

  /** @param {Message} message */
  _send(message) {
    this._commands.push({ type: "sendMessage", message });
  }
}

/**
 * A number from the tracker: what it cannot be is what it was, what is beyond reason is brought within it.
 * @param {unknown} value @param {number} min @param {number} max @param {number} fallback
 */
function bounded(value, min, max, fallback) {
  return typeof value === "number" && !Number.isNaN(value) ? Math.min(max, Math.max(min, value)) : fallback;
}

/** @param {unknown} value @returns {string[]} */
function peerIds(value) {
  return Array.isArray(value) ? value.filter((id) => typeof id === "string") : [];
}

/** Whether it is a TURN server, of which the browser sends through it. @param {RTCIceServer | null} server */
const isRelay = (server) => [server?.urls].flat().some((url) => /^turns?:/i.test(String(url)));

/** @param {unknown} value @returns {value is number} */
const isCell = (value) => typeof value === "number" && Number.isInteger(value) && value >= 0 && value < 2 ** 32;
