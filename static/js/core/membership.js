/**
 * Membership of one swarm, without I/O: joining at the tracker and joining again after it was lost, whom to dial,
 * whose offer to take, when to give up on either.
 *
 *   in   start, stop, socketOpened/Closed, messageReceived (the tracker's), localSignal (ICE and SDP of ours),
 *        linkOpened/Disturbed/Closed, natSeen, networkChanged, renamed, tokenReady, timerFired
 *   out  takeCommands()
 *
 * Links (links.js) are its connections, by ids of our own; routes.js says by which way each peer is tried.
 */

import { fingerprintOf } from "./candidates.js";
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
import { Routes } from "./routes.js";
import {
  AWAY_MAX_MS,
  AWAY_MS,
  BANNED_MAX,
  CLUSTER_SIZE_MAX,
  CONNECT_TIMEOUT_MS,
  DIALS_AT_ONCE,
  DIRECT_TIMEOUT_MS,
  FIRST_DIALS,
  ICE_TTL_MIN_MS,
  INTERVAL_MAX_MS,
  INTERVAL_MIN_MS,
  NAT_WANT_MS,
  RECONNECT_FIRST_MS,
  RECONNECT_LONG_CAP_MS,
  RECONNECT_LONG_MS,
  RECONNECT_SHORT_CAP_MS,
  RESTART_PAUSE_MS,
  RESTARTS_MAX,
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
 * @typedef {{ type: "dial", link: number } & import("./routes.js").Route} DialCommand  connect, offering
 * @typedef {{ type: "accept", link: number, sdp: string } & import("./routes.js").Route} AcceptCommand  connect, answering
 * @typedef {{ type: "restart", link: number }} RestartCommand  look for another way, offering
 * @typedef {{ type: "restarted", link: number, sdp: string }} RestartedCommand  the other side does so: answer
 * @typedef {{ type: "answered", link: number, sdp: string }} AnsweredCommand
 * @typedef {{ type: "candidate", link: number, candidate: string, mid: string | null, line: number | null }} CandidateCommand
 * @typedef {{ type: "hangUp", link: number }} HangUpCommand
 * @typedef {import("./peer-node.js").Clustering} Clustering
 * @typedef {{ type: "limitRelayed", bytesPerMs: number }} LimitRelayedCommand
 * @typedef {{ type: "joined", peer: string, cells: number[], integrity: import("./integrity.js").IntegrityPolicy } & Clustering} JoinedCommand
 * @typedef {{ type: "clustered" } & Clustering} ClusteredCommand
 * @typedef {JoinedCommand | ClusteredCommand} SwarmCommand
 * @typedef {{ type: "reportDue" }} ReportDueCommand  call `report` with the totals since the last
 * @typedef {{ type: "needToken" }} NeedTokenCommand  call `tokenReady` with another one of the page's
 * @typedef {{ type: "noRelay" }} NoRelayCommand  the tracker names no TURN server, and nothing else may be used
 * @typedef {SocketCommand | NeedTokenCommand | NoRelayCommand | SendMessageCommand | LimitRelayedCommand | DialCommand | AcceptCommand | RestartCommand | RestartedCommand | AnsweredCommand | CandidateCommand | HangUpCommand | SwarmCommand | ReportDueCommand} MembershipCommand
 */

/** @typedef {"idle" | "connecting" | "joining" | "joined" | "waiting" | "refused" | "off" | "banned"} MembershipState */

/**
 * On what terms it joins.
 * @typedef {object} Terms
 * @property {{ site?: string, name?: string, token?: string }} [claims]  what `join` says of the page
 * @property {boolean} [asksToken]  the page has a function that makes tokens: another for each join
 * @property {boolean} [relayOnly]  neighbours may learn no address of ours: without a TURN server there are none
 */

/** A minute is no start: the page was hidden, or nobody pressed the button. */
const FIRST_FRAME_MAX_MS = 60_000;

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
    this._routes = new Routes(relayOnly);
    /** We are in another network, and what is open there is to be brought over. */
    this._moved = false;
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
    /** Peer ids of those that sent wrong bytes, and of ourselves in the past. @type {Set<string>} */
    this._banned = new Set();
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
    const ownMs = Math.min(this._reconnectMs, this._wantMs, this._reportMs, this._settleMs);
    return Math.min(ownMs, dueMs, this._links.wakeMs, this._routes.renewMs);
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
        this._bringOver(nowMs);
        break;
      case "ice":
        this._configure(message, nowMs);
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
    if (!link || (link.open && nowMs >= link.restartedMs + CONNECT_TIMEOUT_MS)) return;
    if (message.type === "answer" && (link.offered || link.open)) {
      const sdp = String(message.sdp);
      link.answered = true;
      link.fingerprint ||= fingerprintOf(sdp);
      this._commands.push({ type: "answered", link: link.id, sdp });
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
      if (link.offered || link.open) this._commands.push(command);
      else this._whenSettled(command, nowMs);
    } else if (!link.open && (message.type === "decline" || message.type === "gone")) {
      if (message.why === "nat") this._routes.parted(link.peer, nowMs);
      this._hangUp(link.id);
      this._dial(nowMs);
    }
  }

  /** @param {import("./reporter.js").Report} report @param {number} [firstFrameMs]  of a player that began since the last; NaN without one */
  report({ totals, rtts, received, holdings }, firstFrameMs = Number.NaN) {
    if (this.state !== "joined") return;
    const { rttMs } = this._heartbeat;
    const trackerRtt = rttMs === null ? {} : { tracker_rtt_ms: rttMs };
    const attempts = this._routes.takeAttempts();
    const tried = Object.keys(attempts).length > 0 ? { attempts } : {};
    const named = { rtts: this._byPeer(rtts), received: this._byPeer(received), ...tried };
    const began = firstFrameMs <= FIRST_FRAME_MAX_MS ? { first_frame_ms: Math.max(1, Math.round(firstFrameMs)) } : {};
    this._send({ type: "report", ...totals, ...named, ...trackerRtt, ...began, holdings });
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
    if (!link || this.state !== "joined") return;
    if (signal.type === "answer") link.answered = true;
    this._send({ ...signal, to: link.peer, ...(signal.type === "offer" && link.relay ? { relay: true } : {}) });
  }

  /** Its channels are open. @param {number} id @param {number} nowMs */
  linkOpened(id, nowMs) {
    const link = this._links.get(id);
    if (link?.offered && !link.relay) this._routes.attempted(link.peer, true, nowMs);
    this._links.opened(id);
    this._dial(nowMs);
  }

  /** Nothing comes through for the moment. Who offered looks for another way. @param {number} id @param {number} nowMs */
  linkDisturbed(id, nowMs) {
    const link = this._links.get(id);
    if (link?.open && link.offered) this._restart(link, nowMs);
  }

  /** One of the connections has shown what our NAT does. @param {import("./nat.js").Nat} nat @param {number} nowMs */
  natSeen(nat, nowMs) {
    if (this._routes.learned(nat)) this._tellNat(nowMs);
  }

  /** The page is in another network, or back in one. @param {number} nowMs */
  networkChanged(nowMs) {
    this._routes.moved();
    this._moved = true;
    if (this.state === "joined") {
      this._heartbeat.hurry(nowMs);
      this._send({ type: "ping" });
    } else if (this.state === "waiting") {
      this._reconnectMs = nowMs;
    }
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
    const link = this._links.get(id);
    if (!link) return;
    this._unreached(link, nowMs);
    this._links.remove(id);
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
    this._shunned(peer);
    if (proven && this.state === "joined") this._send({ type: "accuse", peer });
  }

  /** Neither dialled nor answered any more. @param {string} peer */
  _shunned(peer) {
    this._banned.add(peer);
    keepNewest(this._banned, BANNED_MAX);
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
    if (nowMs >= this._routes.renewMs) {
      this._routes.renewMs = nowMs + ICE_TTL_MIN_MS; // if this one is not answered
      if (this.state === "joined") this._send({ type: "ice" });
    }
    for (const link of this._links.overdue(nowMs)) {
      this._unreached(link, nowMs);
      this._hangUp(link.id);
    }
    if (nowMs >= this._wantMs) this._want(nowMs);
    this._dial(nowMs);
  }

  // ---- inside ----

  /** @param {Message} message @param {number} nowMs */
  _welcomed(message, nowMs) {
    this.state = "joined";
    if (this.peer !== null) this._shunned(this.peer); // ourselves: the tracker may think that the last socket is still there
    this.peer = String(message.peer);
    this._attempt = this._refusals = 0;
    this._lostMs = null;
    this._configure(message, nowMs);
    this.apart = message.sharing === false ? "holdout" : this._routes.isCutOff ? "no-relay" : null;
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
    this._tellNat(nowMs);
    this._bringOver(nowMs);
    this._dial(nowMs);
  }

  /** @param {Message} message  `welcome` or `ice` @param {number} nowMs */
  _configure(message, nowMs) {
    this._routes.configure(message, nowMs);
    this._links.directTimeoutMs = this._routes.hasRelays ? DIRECT_TIMEOUT_MS : CONNECT_TIMEOUT_MS;
    this._commands.push({ type: "limitRelayed", bytesPerMs: this._routes.relayBytesPerMs });
  }

  /** So that we are introduced to whom we can reach. @param {number} nowMs */
  _tellNat(nowMs) {
    const { nat } = this._routes;
    if (!nat || this.state !== "joined" || this.apart) return;
    this._send({ type: "nat", mapping: nat.mapping, ...(nat.ipv6 ? { ipv6: true } : {}) });
    const hard = nat.mapping === "dependent" || nat.mapping === "blocked";
    if (hard) this._wantMs = Math.min(this._wantMs, nowMs + NAT_WANT_MS);
  }

  /** The tracker hears us from the new network: so will the neighbours. @param {number} nowMs */
  _bringOver(nowMs) {
    if (!this._moved) return;
    this._moved = false;
    for (const link of this._links.all()) if (link.open) this._restart(link, nowMs);
  }

  /** @param {import("./links.js").Link} link  open @param {number} nowMs */
  _restart(link, nowMs) {
    const soon = nowMs < link.restartedMs + RESTART_PAUSE_MS;
    if (this.state !== "joined" || soon || link.restarts >= RESTARTS_MAX) return;
    link.restarts++;
    link.restartedMs = nowMs;
    this._commands.push({ type: "restart", link: link.id });
  }

  /** Whether an offer was of a neighbour who looks for another way, maybe under another name; taken, then. @param {string} from @param {string} sdp @param {number} nowMs */
  _restarted(from, sdp, nowMs) {
    const link = this._links.certified(fingerprintOf(sdp));
    if (!link) return false;
    // Both at once: the offer of the lower peer id stands, at both ends.
    const crossed = nowMs < link.restartedMs + RESTART_PAUSE_MS && this.peer !== null && from > this.peer;
    if (crossed || link.restarts >= RESTARTS_MAX) return true;
    link.restarts++;
    link.restartedMs = nowMs;
    if (!this._links.with(from)) link.peer = from;
    this._commands.push({ type: "restarted", link: link.id, sdp });
    return true;
  }

  /** It is given up. If both sides have described themselves, that is for want of a way. @param {import("./links.js").Link} link @param {number} nowMs */
  _unreached(link, nowMs) {
    if (link.open || !link.answered || link.relay) return;
    if (link.offered) this._routes.attempted(link.peer, false, nowMs);
    else this._routes.parted(link.peer, nowMs);
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
    if (this._restarted(from, sdp, nowMs)) return;
    const existing = this._links.with(from);
    // Both dialled at once: the offer of the lower peer id stands, at both ends. Who has answered ours before has given that up.
    const crossed = existing && !existing.open && existing.offered && !existing.answered;
    if (crossed && this.peer !== null && from > this.peer) return;
    if (existing && !existing.open) {
      this._unreached(existing, nowMs);
      this._hangUp(existing.id);
    }
    if (existing?.open || this._links.full || this._banned.has(from) || this.apart) {
      this._send({ type: "decline", to: from });
      return;
    }
    const link = this._links.add(from, false, nowMs);
    link.fingerprint = fingerprintOf(sdp);
    // It may need a relay at both ends.
    const route = this._routes.route(this._routes.isUnreached(from, nowMs));
    link.relay = route.way !== "direct";
    this._whenSettled({ type: "accept", link: link.id, ...route, sdp }, nowMs);
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
      if (peer === undefined) break;
      if (this._mayDial(peer) && !this._routes.isUnreached(peer, nowMs)) this._dialTo(peer, this._routes.route(), nowMs);
    }
    if (this.state === "joined" && !this.apart && this._links.pending().length === 0) this._dialByRelay(nowMs);
  }

  /** Nobody is left to be reached without. @param {number} nowMs */
  _dialByRelay(nowMs) {
    for (const peer of this._routes.relayable(nowMs)) {
      if (!this._routes.wantsRelay(this._links.size, this._links.relayed)) return;
      if (!this._mayDial(peer)) continue;
      this._routes.relayed(peer);
      this._dialTo(peer, this._routes.route(true), nowMs);
    }
  }

  /** @param {string} peer */
  _mayDial(peer) {
    return peer !== this.peer && !this._banned.has(peer) && !this._links.with(peer);
  }

  /** @param {string} peer @param {import("./routes.js").Route} route @param {number} nowMs */
  _dialTo(peer, route, nowMs) {
    const link = this._links.add(peer, true, nowMs, route.way !== "direct");
    this._commands.push({ type: "dial", link: link.id, ...route });
  }

  /** Too few neighbours, and others are there: asks for more. @param {number} nowMs */
  _want(nowMs) {
    this._wantMs = nowMs + this._wantAgainMs * (1 + this._random());
    const others = this.clusterSize - 1;
    if (this.state !== "joined" || this._room() === 0 || this._links.size >= others) return;
    const linked = this._links.all().map((link) => link.peer);
    const except = [...new Set([...linked, ...this._routes.unreached(nowMs), ...this._banned])].slice(0, EXCEPT_MAX);
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

/** @param {unknown} value @returns {value is number} */
const isCell = (value) => typeof value === "number" && Number.isInteger(value) && value >= 0 && value < 2 ** 32;
