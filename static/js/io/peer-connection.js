/**
 * One RTCPeerConnection with its two negotiated channels (docs/wire-protocol.md section 3). Offers or answers, trickles,
 * and says when both channels are open, what comes through them, and when it is over. What carries it may change meanwhile: an
 * ICE restart (RFC 8445 section 9) finds another way for the same channels.
 */

import { CandidateFilter, splitCandidates, withoutAddresses } from "../core/candidates.js";
import { Gathering } from "../core/nat.js";
import { CANDIDATES_MAX, GATHERING_PATIENCE_MS } from "../core/tuning.js";

/** More than this unsent on the control channel: the other side has stopped reading. */
const CONTROL_BUFFER_MAX_BYTES = 1 << 20;
/** Below this the bulk channel asks for more. */
const BULK_LOW_WATER_BYTES = 16384;
/** ICE "disconnected" for this long is over; it is often a moment's loss, so not at once. */
const DISCONNECTED_MS = 5000;
/** ... unless another way is looked for: with the tracker's round trips and checks at what NATs let through, this long. */
const RESTART_MS = 10000;

/** RFC 8842 section 5. */
const SETUP = /a=setup:(\w+)/;

/**
 * @typedef {{ type: "offer" | "answer", sdp: string } | { type: "candidate", candidate: string, mid: string | null, line: number | null }} Signal
 */

/**
 * @typedef {object} ConnectionEvents
 * @property {(signal: Signal) => void} signal  for the other side
 * @property {() => void} opened
 * @property {(nat: import("../core/nat.js").Nat) => void} gathered  what the candidates told of our NAT, where they told it
 * @property {(relayed: boolean) => void} routed  whether a TURN server carries it; told when it is open, and after each restart
 * @property {() => void} disturbed  nothing comes through for the moment
 * @property {(bytes: Uint8Array) => void} received
 * @property {() => void} drained  the bulk channel has room again
 * @property {() => void} closed  at most once; never after `close`
 */

export class PeerConnection {
  /**
   * @param {RTCIceServer[]} iceServers
   * @param {ConnectionEvents} events
   * @param {import("../core/candidates.js").Addresses} addresses  that the other side may learn
   */
  constructor(iceServers, events, addresses) {
    this._events = events;
    this._addresses = addresses;
    this._filter = new CandidateFilter(addresses);
    this._iceServers = iceServers;
    this._gathering = new Gathering(iceServers);
    this._restartedMs = Number.NEGATIVE_INFINITY;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this._routeTimer = undefined;
    this._connection = new RTCPeerConnection({ iceServers, iceTransportPolicy: addresses === "relay" ? "relay" : "all" });
    this._control = this._channel("control", 0, true);
    this._bulk = this._channel("bulk", 1, false);
    this._bulk.bufferedAmountLowThreshold = BULK_LOW_WATER_BYTES;
    this._bulk.onbufferedamountlow = () => this._events.drained();
    /** Candidates that came before the description they belong to, or before our own. @type {RTCIceCandidateInit[]} */
    this._early = [];
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this._disconnectedTimer = undefined;
    this._over = false;
    this._connection.onicecandidate = ({ candidate }) => this._trickle(candidate);
    this._connection.onicecandidateerror = ({ url }) => this._gathering.failed(url);
    this._gatheringTimer = setTimeout(() => {
      this._gathering.expired();
      this._tellNat();
    }, GATHERING_PATIENCE_MS);
    this._connection.onconnectionstatechange = () => this._stateChanged();
  }

  /** Makes the offer. */
  offer() {
    this._attempt(async () => {
      await this._connection.setLocalDescription(await this._connection.createOffer());
      this._describe("offer");
    });
  }

  /** Looks for another way, and offers it. */
  restart() {
    this._looksAgain();
    const role = dtlsRole(this._connection);
    this._attempt(async () => {
      await this._connection.setLocalDescription(await this._connection.createOffer({ iceRestart: true }));
      this._describe("offer", role);
    });
  }

  /** The other side looks for another way. @param {string} sdp  its offer */
  restarted(sdp) {
    this._looksAgain();
    this.answer(sdp); // an offer of ours that crossed it is rolled back by the browser
  }

  _looksAgain() {
    this._restartedMs = performance.now();
    this._filter.renew();
    this._early = [];
    // What it shows now may be of another network.
    this._gathering = new Gathering(this._iceServers);
    this._stateChanged();
    // The browser does not tell of another way where the last one worked until then.
    clearTimeout(this._routeTimer);
    this._routeTimer = setTimeout(() => this._route(), RESTART_MS);
  }

  /** Takes an offer and makes the answer. @param {string} sdp */
  answer(sdp) {
    this._attempt(async () => {
      await this._remote("offer", sdp);
      await this._connection.setLocalDescription(await this._connection.createAnswer());
      this._describe("answer");
    });
  }

  /** Takes the answer to our offer. @param {string} sdp */
  answered(sdp) {
    this._attempt(() => this._remote("answer", sdp));
  }

  /** @param {string} candidate @param {string | null} mid @param {number | null} line */
  candidate(candidate, mid, line) {
    if (this._early.length < CANDIDATES_MAX) this._early.push({ candidate, sdpMid: mid, sdpMLineIndex: line });
    this._addCandidates();
  }

  /**
   * @param {boolean} bulk @param {Uint8Array<ArrayBuffer>} bytes
   * @returns {number} what that channel has not sent yet. At or below BULK_LOW_WATER_BYTES no `drained` will follow: the
   *   browser tells of crossing the mark, not of being below it or of being empty
   */
  send(bulk, bytes) {
    const channel = bulk ? this._bulk : this._control;
    if (channel.readyState !== "open") return 0;
    try {
      channel.send(bytes);
    } catch {
      this._ended(); // its buffer is full, or it closed this very moment
      return 0;
    }
    if (!bulk && channel.bufferedAmount > CONTROL_BUFFER_MAX_BYTES) this._ended();
    return channel.bufferedAmount;
  }

  /** What the bulk channel has not sent yet. */
  get bufferedBytes() {
    return this._bulk.readyState === "open" ? this._bulk.bufferedAmount : 0;
  }

  /** Hangs up; nothing more is told. */
  close() {
    this._over = true;
    clearTimeout(this._disconnectedTimer);
    clearTimeout(this._gatheringTimer);
    clearTimeout(this._routeTimer);
    this._connection.close();
  }

  /** @param {string} label @param {number} id @param {boolean} ordered */
  _channel(label, id, ordered) {
    const channel = this._connection.createDataChannel(label, { negotiated: true, id, ordered });
    channel.binaryType = "arraybuffer";
    channel.onopen = () => {
      if (this._over || this._control.readyState !== "open" || this._bulk.readyState !== "open") return;
      this._events.opened();
      this._route();
    };
    channel.onmessage = ({ data }) => {
      if (this._over) return;
      if (data instanceof ArrayBuffer) this._events.received(new Uint8Array(data));
      else this._ended(); // text is not our protocol
    };
    channel.onclose = () => this._ended();
    return channel;
  }

  /** @param {"offer" | "answer"} type @param {string} [role]  at DTLS, where that is settled */
  _describe(type, role) {
    let sdp = this._connection.localDescription?.sdp;
    if (role) sdp = sdp?.replace(SETUP, `a=setup:${role}`);
    if (sdp && !this._over) this._events.signal({ type, sdp: this._addresses === "all" ? sdp : withoutAddresses(sdp) });
  }

  /** @param {RTCIceCandidate | null} candidate  null ends them */
  _trickle(candidate) {
    if (this._over) return;
    if (candidate?.candidate) this._gathering.candidate(candidate.candidate);
    if (!candidate) this._tellNat();
    const line = candidate?.candidate && this._filter.ours(candidate.candidate);
    this._addCandidates();
    if (line === null) return;
    this._events.signal({
      type: "candidate",
      candidate: line ?? "",
      mid: candidate?.sdpMid ?? null,
      line: candidate?.sdpMLineIndex ?? null,
    });
  }

  /** What the candidates tell of our NAT, once. */
  _tellNat() {
    const { nat } = this._gathering;
    if (this._over || !nat) return;
    clearTimeout(this._gatheringTimer);
    this._events.gathered(nat);
  }

  /** @param {"offer" | "answer"} type @param {string} described */
  async _remote(type, described) {
    const { sdp, candidates } = splitCandidates(described);
    await this._connection.setRemoteDescription({ type, sdp });
    for (const candidate of candidates) this.candidate(candidate, null, 0);
    this._addCandidates();
  }

  /** Gives the browser what it may have by now. */
  _addCandidates() {
    if (!this._connection.remoteDescription) return;
    this._early = this._early.filter((init) => {
      const verdict = this._filter.theirs(init.candidate ?? "");
      // One that comes for a closed connection is one path less, not a failure.
      if (verdict === "take") this._connection.addIceCandidate(init).catch(() => {});
      return verdict === "wait";
    });
  }

  /** @param {() => Promise<void>} step  of the handshake: if it fails, so does the connection */
  _attempt(step) {
    step().catch(() => this._ended());
  }

  _stateChanged() {
    clearTimeout(this._disconnectedTimer);
    const state = this._connection.connectionState;
    const restarting = performance.now() < this._restartedMs + RESTART_MS;
    if (state === "connected" && restarting) this._route();
    if (state === "failed" || state === "closed") this._ended();
    if (state !== "disconnected") return;
    this._disconnectedTimer = setTimeout(() => this._ended(), restarting ? RESTART_MS : DISCONNECTED_MS);
    if (!restarting) this._events.disturbed();
  }

  /** Tells by what it is carried. */
  async _route() {
    const report = await this._connection.getStats().catch(() => null);
    if (report && !this._over) this._events.routed(isRelayed(report));
  }

  _ended() {
    if (this._over) return;
    this.close();
    this._events.closed();
  }
}

/**
 * The role of ours at DTLS: a connection keeps it. Left open in an offer, as RFC 8842 section 5.5 has it, Firefox would take
 * "active" whatever it was before, and Chromium refuse.
 * @param {RTCPeerConnection} connection @returns {string} "active" or "passive"
 */
function dtlsRole({ localDescription, remoteDescription }) {
  const theirs = remoteDescription?.type === "answer";
  const [, answered = ""] = SETUP.exec((theirs ? remoteDescription : localDescription)?.sdp ?? "") ?? [];
  return (answered === "active") === theirs ? "passive" : "active";
}

/**
 * Whether a TURN server carries what the two send each other (https://www.w3.org/TR/webrtc-stats/).
 * @param {RTCStatsReport} report
 */
export function isRelayed(report) {
  /** @type {Map<string, Record<string, any>>} */
  const all = new Map();
  report.forEach((stats, id) => {
    all.set(id, stats);
  });
  const selected = new Set(
    [...all.values()].filter(({ type }) => type === "transport").map((stats) => stats.selectedCandidatePairId),
  );
  // Firefox says it of the pair.
  const pairs = [...all].filter(([id, { type, selected: chosen }]) => type === "candidate-pair" && (chosen || selected.has(id)));
  return pairs.some(([, pair]) =>
    [pair.localCandidateId, pair.remoteCandidateId].some((id) => all.get(id)?.candidateType === "relay"),
  );
}
