/**
 * One content's swarm on this page: wires the cores (peer-node.js, membership.js) to channels, HTTP, the tracker and the
 * clock. It obeys commands and holds no policy.
 */

import { MAX_NAME_CHARS, MAX_TOKEN_CHARS } from "./core/constants.js";
import { contentId } from "./core/identity.js";
import { Membership } from "./core/membership.js";
import { PeerNode } from "./core/peer-node.js";
import { Alarm, now } from "./io/alarm.js";
import { Checker } from "./io/checker.js";
import { HttpFetcher } from "./io/http-fetcher.js";
import { PeerConnection } from "./io/peer-connection.js";
import { TrackerSocket } from "./io/tracker-socket.js";

/** @typedef {import("./core/download.js").SegmentSource} SegmentSource */
/** @typedef {import("./core/membership.js").MembershipCommand} MembershipCommand */
/** @typedef {import("./core/outbox.js").Command} Command */
/** @typedef {import("./core/outbox.js").Timing} Timing */
/** @typedef {import("./core/outbox.js").ProgressCommand} ProgressCommand */
/** @typedef {import("./core/scheduler.js").FetchReason} FetchReason */

/**
 * What becomes of a request; exactly one of `delivered`, `failed` and `refused` is called, unless it is cancelled.
 * @typedef {object} RequestEvents
 * @property {(progress: ProgressCommand) => void} progressed
 * @property {(bytes: ArrayBuffer, timing: Timing, peerBytes: number, reason: FetchReason | null) => void} delivered  the bytes are the
 *   receiver's own; why the CDN was asked, if it was
 * @property {(failure: { status: number, reason: string }) => void} failed  the CDN's answer, as the player would have had it
 * @property {() => void} refused  the engine has stopped: load it without us
 */

/**
 * @typedef {object} EngineOptions
 * @property {string} tracker  URL of its /signal, ws: or wss:
 * @property {string} session  16 hex digits
 * @property {number} storeBytes
 * @property {number} uploadBytesPerMs
 * @property {number} [uploadRatioMax]  without one there is none
 * @property {number} neighbours  wanted
 * @property {import("./core/candidates.js").Addresses} [addresses]  that neighbours may learn; all by default
 * @property {string | null} [site]  the page's, at the tracker
 * @property {string | TokenSource | null} [token]
 * @property {Onlooker} [onlooker]
 */

/**
 * Who is told of what changes; never asked anything.
 * @typedef {object} Onlooker
 * @property {(peer: string, connected: boolean) => void} peerChanged  id at the tracker
 * @property {() => void} stateChanged
 */

/** @typedef {import("./options.js").TokenSource} TokenSource */

export class Engine {
  /** @param {string} name  content name @param {EngineOptions} options */
  constructor(name, options) {
    const { tracker, session, storeBytes, uploadBytesPerMs, uploadRatioMax = Number.POSITIVE_INFINITY, neighbours } = options;
    this.content = contentId(name);
    const { content } = this;
    this._options = options;
    this._node = new PeerNode({ session, content, storeBytes, uploadBytesPerMs, uploadRatioMax, random: Math.random }, now());
    this._membership = new Membership(content, session, neighbours, Math.random, termsOf(name, options));
    this._socket = new TrackerSocket(tracker, {
      opened: () => this._turn((at) => this._membership.socketOpened(at)),
      received: (message) => this._turn((at) => this._membership.messageReceived(message, at)),
      closed: (code) => this._turn((at) => this._membership.socketClosed(at, code)),
    });
    this._http = new HttpFetcher({
      started: (job, head) => this._turn((at) => this._node.fetchStarted(job, head, at)),
      received: (job, bytes) => this._turn((at) => this._node.fetchReceived(job, bytes, at)),
      finished: (job) => this._turn((at) => this._node.fetchFinished(job, at)),
      failed: (job, failure) => this._turn((at) => this._node.fetchFailed(job, failure, at)),
    });
    this._checker = new Checker(tracker, {
      hashed: (ticket, hash) => this._turn((at) => this._node.hashed(ticket, hash, at)),
      verified: (ticket, genuine) => this._turn((at) => this._node.verified(ticket, genuine, at)),
      digestFetched: (ticket, status, record) => this._turn((at) => this._node.digestFetched(ticket, status, record, at)),
      compared: (ticket, status, bytes) => this._turn((at) => this._node.compared(ticket, status, bytes, at)),
    });
    /** @type {Map<number, PeerConnection>} by link */
    this._connections = new Map();
    /** What each bulk channel that was given something had not sent of it, as last told. @type {Map<number, number>} by link */
    this._filled = new Map();
    /** @type {Map<number, RequestEvents>} */
    this._requests = new Map();
    this._alarm = new Alarm((at) =>
      this._turn(() => {
        this._membership.timerFired(at);
        this._tellBuffered(at);
        this._node.timerFired(at);
      }),
    );
    this._turning = false;
    /** A defect of ours was met; nothing more may be asked of this engine. */
    this.broken = false;
    /** ... but it was none: memory has run out, and another engine may do with less. */
    this.starved = false;
    this._stalls = 0;
    /** How long a player that began since the last report took to its first frame; NaN without one. */
    this._firstFrameMs = Number.NaN;
    /** Those that the onlooker knows of: their ids. @type {Map<import("./core/neighbour.js").Neighbour, string>} */
    this._shown = new Map();
    this._shownNeighbours = this._node.neighbours;
    this._shownState = this.state;
    this._turn(() => this._membership.start());
  }

  /**
   * @param {SegmentSource} source
   * @param {number} deadlineMs  when the playhead reaches it, on the clock of `now`
   * @param {RequestEvents} events  never called before this returns
   * @returns {number} for `cancel`
   */
  request(source, deadlineMs, events) {
    let request = 0; // of none
    this._turn((at) => {
      request = this._node.request(source, deadlineMs, at);
      this._requests.set(request, events);
    });
    if (request === 0) queueMicrotask(() => events.refused()); // broken, before it was taken on
    return request;
  }

  /** It is needed at another time than was said. @param {number} request @param {number} deadlineMs */
  hasten(request, deadlineMs) {
    if (this._requests.has(request)) this._turn((at) => this._node.hasten(request, deadlineMs, at));
  }

  /** @param {number} request */
  cancel(request) {
    if (this._requests.delete(request)) this._turn((at) => this._node.cancel(request, at));
  }

  /** The page has a segment from elsewhere: neighbours may have it of us. @param {SegmentSource} source @param {Uint8Array} bytes  kept, not copied */
  seed(source, bytes) {
    this._turn(() => this._node.seed(source, bytes));
  }

  /** What has come of a requested segment: its pieces from one on to the first that is missing. @param {SegmentSource["ref"]} ref @param {number} fromPiece @returns {Uint8Array[]} */
  arrived(ref, fromPiece) {
    return this._node.arrived(ref, fromPiece);
  }

  /** @param {SegmentSource["ref"]} ref @returns {boolean} whether a neighbour has it, or is getting it */
  coming(ref) {
    return this._node.coming(ref);
  }

  /** How the CDN was, and who is there; for who decides how much to ask for. */
  surroundings() {
    const { firstByteMs, rateBytesPerMs } = this._node.cdn;
    // Named without our units of time: another script reads it, and those are mangled.
    return {
      waitSec: firstByteMs / 1000,
      rateBps: rateBytesPerMs * 8000,
      neighbours: this._node.neighbourCount,
      members: this._node.clusterSize,
      signed: this._node.signed,
    };
  }

  /** Nobody sees the page now, or somebody does again. @param {boolean} hidden */
  visibilityChanged(hidden) {
    this._turn((at) => this._node.visibilityChanged(hidden, at));
  }

  /** The device is in another network. */
  networkChanged() {
    this._turn((at) => this._membership.networkChanged(at));
  }

  /** Another cap of uploads from now on. @param {number} bytesPerMs */
  limitUploads(bytesPerMs) {
    this._turn(() => this._node.limitUploads(bytesPerMs));
  }

  /** A player shows its first frame: the page has time for more connections now. @param {number} firstFrameMs  how long it took; NaN where that is not known */
  settled(firstFrameMs) {
    this._firstFrameMs = firstFrameMs;
    this._turn((at) => this._membership.settled(at));
  }

  /** A player ran dry; for the tracker's totals. */
  stalled() {
    this._stalls++;
  }

  /** Leaves the swarm; what was requested and not delivered is refused. @param {Promise<void>} [when]  then, if not at once */
  stop(when) {
    this._refuseAll(when);
    this._turn(() => this._membership.stop());
    this._alarm.set(Number.POSITIVE_INFINITY);
  }

  /** @param {Promise<void>} [when] */
  _refuseAll(when = Promise.resolve()) {
    const waiting = [...this._requests];
    this._requests.clear();
    for (const [request, events] of waiting) {
      if (!this.broken) this._turn((at) => this._node.cancel(request, at));
      when.then(() => events.refused());
    }
  }

  /** @returns {import("./surface.js").State} */
  get state() {
    return this._node.neighbourCount > 0 ? "sharing" : aloneState(this._membership);
  }

  /** State of the connection to the tracker. */
  get tracker() {
    return this._membership.state;
  }

  /** Each neighbour, without an address. Units are spelt out, for other scripts read it. @returns {import("./surface.js").PeerStats[]} */
  get peers() {
    return this._node.neighbours.map((neighbour) => ({
      peer: neighbour.peer,
      rttSec: Number.isFinite(neighbour.leastRttMs) ? neighbour.rttMs.value / 1000 : null,
      far: neighbour.far,
      relayed: neighbour.relayed,
      uploads: neighbour.uploads,
      proven: neighbour.proven,
      openPieces: neighbour.inFlightPieces,
      downBytes: neighbour.gainedBytes,
      upBytes: neighbour.sentBytes,
    }));
  }

  /** @returns {Omit<import("./surface.js").Stats, "version" | "enabled" | "peers">} what `PeerPool.stats()` says of one content */
  stats() {
    const { ledger, neighbourCount, clusterSize } = this._node;
    return {
      state: this.state,
      content: this.content,
      peerId: this._membership.peer,
      neighbours: neighbourCount,
      clusterSize,
      bytes: {
        fromPeers: ledger.peerBytes,
        fromFar: ledger.farBytes,
        relayed: ledger.relayedBytes,
        fromCdn: ledger.cdnBytes,
        toPeers: ledger.sentBytes,
        wasted: ledger.wastedBytes,
        rejected: ledger.rejectedBytes,
      },
      segments: { fromPeers: ledger.segmentsFromPeers, fromCdn: ledger.segmentsFromCdn, mixed: ledger.segmentsMixed },
    };
  }

  /**
   * Something happened: tell the cores, do what they command until they command nothing, set the alarm.
   * @param {(nowMs: number) => void} happened
   */
  _turn(happened) {
    if (this.broken) return;
    if (this._turning) {
      happened(now()); // a command's own consequence; the outer turn goes on with it
      return;
    }
    this._turning = true;
    try {
      happened(now());
      for (;;) {
        const commands = [...this._membership.takeCommands(), ...this._node.takeCommands()];
        if (commands.length === 0) break;
        for (const command of commands) this._execute(command);
      }
      this._alarm.set(Math.min(this._membership.nextTimerMs, this._node.nextTimerMs));
      this._show(this._node.neighbours);
    } catch (error) {
      this._break(error);
    } finally {
      this._turning = false;
    }
  }

  /** Tells the onlooker what has changed. @param {readonly import("./core/neighbour.js").Neighbour[]} neighbours */
  _show(neighbours) {
    const { onlooker } = this._options;
    if (!onlooker) return;
    if (neighbours !== this._shownNeighbours) {
      this._shownNeighbours = neighbours;
      for (const [known, peer] of this._shown) {
        if (neighbours.includes(known)) continue;
        this._shown.delete(known);
        onlooker.peerChanged(peer, false);
      }
      for (const neighbour of neighbours) {
        if (this._shown.has(neighbour)) continue;
        this._shown.set(neighbour, neighbour.peer);
        onlooker.peerChanged(neighbour.peer, true);
      }
    }
    if (this.state === this._shownState) return;
    this._shownState = this.state;
    onlooker.stateChanged();
  }

  /** A defect of ours must not become the player's: report it, let go of everything, and let the player load without us. @param {unknown} error */
  _break(error) {
    this.broken = true;
    this.starved = /alloc|memory/i.test(String(error)); // "Array buffer allocation failed", "Out of memory"
    this._alarm.set(Number.POSITIVE_INFINITY);
    this._socket.close();
    this._http.abortAll();
    for (const connection of this._connections.values()) connection.close();
    this._connections.clear();
    this._refuseAll();
    this._show([]);
    reportError(error);
  }

  /** @param {Command | MembershipCommand} command */
  _execute(command) {
    switch (command.type) {
      case "send":
        this._send(command);
        break;
      case "fetch":
        this._http.start(command.job, command.url, command.rangeStart, command.rangeEnd, command.version);
        break;
      case "abort":
        this._http.abort(command.job);
        break;
      case "progress":
      case "deliver":
      case "fail":
      case "refuse":
        this._answer(command);
        break;
      case "whole":
        break; // of interest to who looks on
      case "hash":
      case "verify":
      case "digest":
      case "compare":
        this._checker.check(command);
        break;
      case "banned":
        this._membership.banned(command.neighbour, command.proven);
        break;
      case "drop":
        this._connections.get(command.neighbour)?.close();
        this._connections.delete(command.neighbour);
        this._membership.linkClosed(command.neighbour, now());
        break;
      case "renamed":
        this._membership.renamed(command.neighbour, command.peer);
        break;
      default:
        this._executeMembership(command);
    }
  }

  /** @param {import("./core/outbox.js").SendCommand} command */
  _send({ neighbour, bulk, bytes }) {
    const bufferedBytes = this._connections.get(neighbour)?.send(bulk, bytes) ?? 0;
    if (!bulk) return;
    this._filled.set(neighbour, bufferedBytes);
    this._node.drained(neighbour, bufferedBytes, now());
  }

  /** Tells how much the channels that were given something have sent of it since. @param {number} nowMs */
  _tellBuffered(nowMs) {
    for (const [link, toldBytes] of this._filled) {
      const bufferedBytes = this._connections.get(link)?.bufferedBytes ?? 0;
      if (bufferedBytes === toldBytes) continue;
      if (bufferedBytes === 0) this._filled.delete(link);
      else this._filled.set(link, bufferedBytes);
      this._node.drained(link, bufferedBytes, nowMs);
    }
  }

  /** @param {MembershipCommand} command */
  _executeMembership(command) {
    switch (command.type) {
      case "openSocket":
        this._socket.open();
        break;
      case "closeSocket":
        this._socket.close();
        break;
      case "sendMessage":
        this._socket.send(command.message);
        break;
      case "joined":
        this._node.joined(command, now());
        break;
      case "clustered":
        this._node.clustered(command, now());
        break;
      case "limitRelayed":
        this._node.limitRelayed(command.bytesPerMs);
        break;
      case "needToken":
        tokenOf(this._options.token).then((token) => this._turn(() => this._membership.tokenReady(token)));
        break;
      case "noRelay":
        warnOfNoRelay();
        break;
      case "reportDue":
        this._membership.report(this._node.report(this._stalls), this._firstFrameMs);
        this._firstFrameMs = Number.NaN;
        break;
      case "dial":
        this._connect(command)?.offer();
        break;
      case "accept":
        this._connect(command)?.answer(command.sdp);
        break;
      case "restart":
        this._connections.get(command.link)?.restart();
        break;
      case "restarted":
        this._connections.get(command.link)?.restarted(command.sdp);
        break;
      case "answered":
        this._connections.get(command.link)?.answered(command.sdp);
        break;
      case "candidate":
        this._connections.get(command.link)?.candidate(command.candidate, command.mid, command.line);
        break;
      case "hangUp":
        this._connections.get(command.link)?.close();
        this._connections.delete(command.link);
        this._node.neighbourClosed(command.link, now());
        break;
    }
  }

  /** @param {Extract<Command, { request: number }>} command */
  _answer(command) {
    // In a task of its own: a player called from inside our turn could call back into it.
    queueMicrotask(() => {
      const events = this._requests.get(command.request);
      if (!events) return;
      if (command.type === "progress") {
        events.progressed(command);
        return;
      }
      this._requests.delete(command.request);
      if (command.type === "fail") events.failed(command);
      else if (command.type === "refuse") events.refused();
      else events.delivered(command.bytes.buffer, command.timing, command.peerBytes, command.reason);
    });
  }

  /** @param {{ link: number } & import("./core/routes.js").Route} command @returns {PeerConnection | null} null where the browser refuses */
  _connect({ link, way, iceServers }) {
    try {
      const connection = new PeerConnection(
        iceServers,
        {
          signal: (signal) => this._turn(() => this._membership.localSignal(link, signal)),
          opened: () =>
            this._turn((at) => {
              this._node.neighbourOpened(link, this._membership.offeredByUs(link), at);
              this._membership.linkOpened(link, at);
            }),
          gathered: (nat) => this._turn((at) => this._membership.natSeen(nat, at)),
          routed: (relayed) => this._turn(() => this._node.neighbourRouted(link, relayed)),
          disturbed: () => this._turn((at) => this._membership.linkDisturbed(link, at)),
          received: (bytes) => this._turn((at) => this._node.frameReceived(link, bytes, at)),
          drained: () => this._turn((at) => this._tellBuffered(at)),
          closed: () => this._closed(link),
        },
        way === "relay-only" ? "relay" : (this._options.addresses ?? "all"),
      );
      this._connections.set(link, connection);
      return connection;
    } catch {
      this._closed(link); // too many connections, or a policy forbids them
      return null;
    }
  }

  /** @param {number} link */
  _closed(link) {
    this._connections.delete(link);
    this._turn((at) => {
      this._node.neighbourClosed(link, at);
      this._membership.linkClosed(link, at);
    });
  }
}

/** @param {Membership} membership  of who has no neighbours @returns {"alone" | "joining" | "refused" | "off" | "banned" | "holdout" | "no-relay"} */
function aloneState({ state, apart }) {
  if (state === "joined") return apart ?? "alone";
  return state === "refused" || state === "off" || state === "banned" ? state : "joining";
}

/**
 * The name of what is watched is told only where a site is to let it in; else a tracker knows its hash.
 * @param {string} name @param {EngineOptions} options @returns {import("./core/membership.js").Terms}
 */
function termsOf(name, { site, token, addresses }) {
  const told = (site || token) && name.length <= MAX_NAME_CHARS ? { name } : {};
  const claims = { ...(site ? { site } : {}), ...told, ...(typeof token === "string" ? { token } : {}) };
  return { claims, asksToken: typeof token === "function", relayOnly: addresses === "relay" };
}

/** @param {EngineOptions["token"]} source @returns {Promise<string | null>} never rejected: the tracker decides what comes of none */
async function tokenOf(source) {
  try {
    const token = typeof source === "function" ? await source() : null;
    if (token === null || token === undefined) return null;
    if (typeof token === "string" && token.length <= MAX_TOKEN_CHARS) return token;
    throw new TypeError(`PeerPool: a token is a string of at most ${MAX_TOKEN_CHARS} characters`);
  } catch (error) {
    reportError(error); // the page's bug
    return null;
  }
}

let warned = false;

/** Once a page. */
function warnOfNoRelay() {
  // biome-ignore lint/suspicious/noConsole: for whoever set up the page; nothing else would tell
  if (!warned) console.warn("PeerPool: addresses is 'relay', and the tracker names no TURN server: nothing is shared");
  warned = true;
}
