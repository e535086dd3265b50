/**
 * Channels between peers. A peer has one uplink and one downlink, shared by all its links and, downwards, by the CDN.
 *
 * Bulk is sent in chunks of at most 16 KiB, round robin over the links that have some (SCTP associations share an uplink
 * about fairly). Control frames go ahead of queued bulk, but wait for the chunk on the wire; they stay in order. A downlink is
 * first come, first served. Losses are in the rates: who loses packets sends more slowly.
 */

/** Bulk on the wire at once: what a control frame may have to wait for. */
const CHUNK_BYTES = 16384;
/** Below this the bulk channel asks for more; as in static/js/io/peer-connection.js. */
export const LOW_WATER_BYTES = 16384;
/** IP, UDP, DTLS and SCTP headers of a packet, and the payload of one. */
const PACKET_OVERHEAD_BYTES = 90;
const PACKET_PAYLOAD_BYTES = 1150;

/** @typedef {import("./clock.js").Clock} Clock */

/**
 * Who has links.
 * @typedef {object} Host
 * @property {Uplink} uplink
 * @property {Downlink} downlink
 * @property {boolean} gone
 * @property {(link: number, bytes: Uint8Array) => void} frameArrived
 * @property {(link: number, bufferedBytes: number) => void} drained
 */

/** @param {number} payloadBytes @returns {number} as it is on the wire */
function wireBytes(payloadBytes) {
  return payloadBytes + Math.ceil(payloadBytes / PACKET_PAYLOAD_BYTES) * PACKET_OVERHEAD_BYTES;
}

/** First come, first served. */
export class Downlink {
  /** @param {Clock} clock @param {number} bytesPerMs */
  constructor(clock, bytesPerMs) {
    this._clock = clock;
    this.bytesPerMs = bytesPerMs;
    this.freeMs = 0;
  }

  /** Milliseconds of work that wait in it. */
  get backlogMs() {
    return Math.max(0, this.freeMs - this._clock.nowMs);
  }

  /** @param {number} payloadBytes @returns {number} when they are through */
  take(payloadBytes) {
    this.freeMs = Math.max(this._clock.nowMs, this.freeMs) + wireBytes(payloadBytes) / this.bytesPerMs;
    return this.freeMs;
  }
}

/** One side of a link between two peers. */
export class End {
  /** @param {Host} host @param {number} link  the id the host knows it by */
  constructor(host, link) {
    this.host = host;
    this.link = link;
    this.oneWayMs = 0;
    /** @type {End | null} the other side */
    this.other = null;
    this.open = false;
    /** Bulk accepted and not yet on the wire: RTCDataChannel.bufferedAmount. */
    this.bufferedBytes = 0;
    /** @type {Uint8Array[]} bulk waiting, the first of it perhaps partly sent */
    this.bulk = [];
    this.sentOfFirst = 0;
  }

  /** Nothing more leaves or arrives. */
  close() {
    this.open = false;
    this.bulk.length = 0;
    this.bufferedBytes = 0;
  }
}

/**
 * Bytes under way.
 * @typedef {object} Parcel
 * @property {End} to
 * @property {Uint8Array} frame
 * @property {number} size  of this chunk of it
 * @property {boolean} last  the frame is whole with it
 */

/** Sends for all links of a peer. At most one event is pending: the end of the chunk on the wire. */
export class Uplink {
  /** @param {Clock} clock @param {number} bytesPerMs */
  constructor(clock, bytesPerMs) {
    this._clock = clock;
    this.bytesPerMs = bytesPerMs;
    /** @type {End[]} links with bulk, next first */
    this._ring = [];
    /** @type {End | null} whose chunk is on the wire */
    this._sending = null;
    this._chunkBytes = 0;
    this._freeMs = 0;
  }

  /** @param {End} end @param {Uint8Array} frame  not changed after this */
  sendControl(end, frame) {
    const other = end.other;
    if (!end.open || !other) return;
    this._freeMs = Math.max(this._clock.nowMs, this._freeMs) + wireBytes(frame.length) / this.bytesPerMs;
    this._clock.at(this._freeMs + end.oneWayMs, arrived, { to: other, frame, size: frame.length, last: true });
  }

  /** @param {End} end @param {Uint8Array} frame  not changed after this */
  sendBulk(end, frame) {
    if (!end.open) return;
    end.bulk.push(frame);
    end.bufferedBytes += frame.length;
    if (end.bulk.length === 1 && end !== this._sending) this._ring.push(end);
    if (!this._sending) this._next();
  }

  _next() {
    for (let end = this._ring.shift(); end; end = this._ring.shift()) {
      const frame = end.bulk[0];
      if (!end.open || !frame) continue;
      this._sending = end;
      this._chunkBytes = Math.min(CHUNK_BYTES, frame.length - end.sentOfFirst);
      this._freeMs = Math.max(this._clock.nowMs, this._freeMs) + wireBytes(this._chunkBytes) / this.bytesPerMs;
      this._clock.at(this._freeMs, chunkSent, this);
      return;
    }
    this._sending = null;
  }

  /** The chunk on the wire has left. */
  chunkSent() {
    const end = this._sending;
    const frame = end?.bulk[0];
    if (end && frame && end.open && end.other) this._left(end, end.other, frame);
    if (end) end.sentOfFirst = end.bulk.length > 0 ? end.sentOfFirst : 0;
    this._sending = null;
    if (end?.open && end.bulk.length > 0) this._ring.push(end);
    this._next();
  }

  /** @param {End} end @param {End} other @param {Uint8Array} frame */
  _left(end, other, frame) {
    const size = this._chunkBytes;
    end.sentOfFirst += size;
    const last = end.sentOfFirst === frame.length;
    if (last) {
      end.bulk.shift();
      end.sentOfFirst = 0;
    }
    this._clock.at(this._clock.nowMs + end.oneWayMs, arrived, { to: other, frame, size, last });
    const before = end.bufferedBytes;
    end.bufferedBytes -= size;
    // As a browser does: when the mark is crossed, and never for a channel that was below it all along.
    if (before > LOW_WATER_BYTES && end.bufferedBytes <= LOW_WATER_BYTES) end.host.drained(end.link, end.bufferedBytes);
  }
}

/** @param {Uplink} uplink */
function chunkSent(uplink) {
  uplink.chunkSent();
}

/** At the far side's downlink. @param {Parcel} parcel */
function arrived(parcel) {
  const { host } = parcel.to;
  if (!parcel.to.open || host.gone) return;
  const idle = host.downlink.backlogMs === 0;
  const doneMs = host.downlink.take(parcel.size);
  if (!parcel.last) return;
  // Through an idle downlink a small frame takes no time worth an event of its own.
  if (idle && parcel.size < 256) received(parcel);
  else host.downlink._clock.at(doneMs, received, parcel);
}

/** @param {Parcel} parcel */
function received({ to, frame }) {
  if (to.open && !to.host.gone) to.host.frameArrived(to.link, frame);
}
