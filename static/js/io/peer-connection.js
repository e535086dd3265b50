/**
 * One RTCPeerConnection with its two negotiated channels (docs/wire-protocol.md section 3). Offers or answers, trickles,
 * and says when both channels are open, what comes through them, and when it is over.
 */

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
   */
  constructor(iceServers, events) {
    this._events = events;
    this._connection = new RTCPeerConnection({ iceServers });
    this._control = this._channel("control", 0, true);
    this._bulk = this._channel("bulk", 1, false);
    this._bulk.bufferedAmountLowThreshold = BULK_LOW_WATER_BYTES;
    this._bulk.onbufferedamountlow = () => this._events.drained();
    /** Candidates that came before the description they belong to. @type {RTCIceCandidateInit[]} */
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
      await this._remote({ type: "offer", sdp });
      await this._connection.setLocalDescription(await this._connection.createAnswer());
      this._describe("answer");
    });
  }

  /** Takes the answer to our offer. @param {string} sdp */
  answered(sdp) {
    this._attempt(() => this._remote({ type: "answer", sdp }));
  }

  /** @param {string} candidate @param {string | null} mid @param {number | null} line */
  candidate(candidate, mid, line) {
    const init = { candidate, sdpMid: mid, sdpMLineIndex: line };
    if (!this._connection.remoteDescription) this._early.push(init);
    else this._addCandidate(init);
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
    if (sdp && !this._over) this._events.signal({ type, sdp });
  }

  /** @param {RTCIceCandidate | null} candidate  null ends them */
  _trickle(candidate) {
    if (this._over) return;
    this._events.signal({
      type: "candidate",
      candidate: candidate?.candidate ?? "",
      mid: candidate?.sdpMid ?? null,
      line: candidate?.sdpMLineIndex ?? null,
    });
  }

  /** @param {RTCSessionDescriptionInit} description */
  async _remote(description) {
    await this._connection.setRemoteDescription(description);
    for (const candidate of this._early.splice(0)) this._addCandidate(candidate);
  }

  /** @param {RTCIceCandidateInit} candidate */
  _addCandidate(candidate) {
    // One that does not parse or comes for a closed connection is one path less, not a failure.
    if (candidate.candidate !== "") this._connection.addIceCandidate(candidate).catch(() => {});
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
