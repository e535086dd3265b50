/**
 * One RTCPeerConnection with its two negotiated channels (docs/wire-protocol.md section 3). Offers or answers, trickles,
 * and says when both channels are open, what comes through them, and when it is over.
 */

import { CandidateFilter, splitCandidates, withoutAddresses } from "../core/candidates.js";
import { CANDIDATES_MAX } from "../core/tuning.js";

/** More than this unsent on the control channel: the other side has stopped reading. */
const CONTROL_BUFFER_MAX_BYTES = 1 << 20;
/** Below this the bulk channel asks for more. */
const BULK_LOW_WATER_BYTES = 16384;
/** ICE "disconnected" for this long is over; it is often a moment's loss, so not at once. */
const DISCONNECTED_MS = 5000;

/**
 * @typedef {{ type: "offer" | "answer", sdp: string } | { type: "candidate", candidate: string, mid: string | null, line: number | null }} Signal
 */

/**
 * @typedef {object} ConnectionEvents
 * @property {(signal: Signal) => void} signal  for the other side
 * @property {() => void} opened
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
    this._connection.onconnectionstatechange = () => this._stateChanged();
  }

  /** Makes the offer. */
  offer() {
    this._attempt(async () => {
      await this._connection.setLocalDescription(await this._connection.createOffer());
      this._describe("offer");
    });
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
    this._connection.close();
  }

  /** @param {string} label @param {number} id @param {boolean} ordered */
  _channel(label, id, ordered) {
    const channel = this._connection.createDataChannel(label, { negotiated: true, id, ordered });
    channel.binaryType = "arraybuffer";
    channel.onopen = () => {
      if (!this._over && this._control.readyState === "open" && this._bulk.readyState === "open") this._events.opened();
    };
    channel.onmessage = ({ data }) => {
      if (this._over) return;
      if (data instanceof ArrayBuffer) this._events.received(new Uint8Array(data));
      else this._ended(); // text is not our protocol
    };
    channel.onclose = () => this._ended();
    return channel;
  }

  /** @param {"offer" | "answer"} type */
  _describe(type) {
    const sdp = this._connection.localDescription?.sdp;
    if (sdp && !this._over) this._events.signal({ type, sdp: this._addresses === "all" ? sdp : withoutAddresses(sdp) });
  }

  /** @param {RTCIceCandidate | null} candidate  null ends them */
  _trickle(candidate) {
    if (this._over) return;
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
    if (state === "failed" || state === "closed") this._ended();
    if (state === "disconnected") this._disconnectedTimer = setTimeout(() => this._ended(), DISCONNECTED_MS);
  }

  _ended() {
    if (this._over) return;
    this.close();
    this._events.closed();
  }
}
