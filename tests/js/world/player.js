/**
 * A player as the library sees one: it loads its playlist now and then, asks for one segment after the other while its
 * buffer is short, and stalls when the playhead meets the buffer's end. Its numbers are hls.js's defaults.
 */

import { deepEqual } from "node:assert/strict";

/** @typedef {import("./world.js").WorldPeer} WorldPeer */
/** @typedef {import("./stream.js").Stream} Stream */

/** hls.js liveSyncDurationCount and maxBufferLength. */
const LIVE_SYNC_SEGMENTS = 3;
const BUFFER_SEC = 30;
const RETRY_MS = 1000;

export class Player {
  /** @param {WorldPeer} peer @param {Stream} stream */
  constructor(peer, stream) {
    this.peer = peer;
    this.stream = stream;
    this.stalls = 0;
    this.stalledMs = 0;
    /** @type {number | null} */
    this.firstFrameMs = null;
    this.playedSegments = 0;
    this.peerBytes = 0;
    this.receivedBytes = 0;
    this.failures = 0;
    this.stopped = false;
    this._startedMs = this._nowMs;
    /** Stream time in seconds at the playhead, when it was last looked at. */
    this._playheadSec = 0;
    this._lookedMs = this._nowMs;
    this._stallStartMs = 0;
    this._next = 0;
    this._bufferEndSec = 0;
    this._known = 0;
    this._loading = false;
    this._start();
  }

  get _nowMs() {
    return this.peer.world.clock.nowMs;
  }

  _start() {
    const { live, durationSec } = this.stream;
    this._next = live ? this.stream.newest(this._nowMs) - LIVE_SYNC_SEGMENTS + 1 : 0;
    this._playheadSec = this._next * durationSec;
    this._bufferEndSec = this._playheadSec;
    this._refresh();
  }

  /** Loads the playlist, and again after a target duration: each viewer at its own phase. */
  _refresh() {
    if (this.stopped || this.peer.gone) return;
    this._known = this.stream.newest(this._nowMs);
    if (this.stream.live) this._later(this.stream.durationSec * 1000, () => this._refresh());
    this._load();
  }

  /** Moves the playhead to now. */
  _look() {
    const elapsedMs = this._nowMs - this._lookedMs;
    this._lookedMs = this._nowMs;
    if (this.firstFrameMs === null) return;
    const room = (this._bufferEndSec - this._playheadSec) * 1000;
    if (elapsedMs <= room + 0.001) {
      this._playheadSec += elapsedMs / 1000;
      return;
    }
    this._playheadSec = this._bufferEndSec;
    if (this._stallStartMs === 0) {
      this.stalls++;
      this._stallStartMs = this._nowMs - (elapsedMs - room);
    }
  }

  _load() {
    this._look();
    if (this._loading || this.stopped || this.peer.gone) return;
    if (this._bufferEndSec - this._playheadSec >= BUFFER_SEC) {
      this._later(500, () => this._load());
      return;
    }
    if (this._next > this._known) return;
    this._loading = true;
    const number = this._next;
    const startSec = number * this.stream.durationSec;
    const waitMs = this.firstFrameMs === null ? 0 : Math.max(0, startSec - this._playheadSec) * 1000;
    this.peer.request(
      this.stream.source(number),
      this._nowMs + waitMs,
      (bytes, peerBytes) => this._received(number, bytes, peerBytes),
      () => {
        this.failures++;
        this._loading = false;
        this._later(RETRY_MS, () => this._load());
      },
    );
  }

  /** @param {number} number @param {Uint8Array} bytes @param {number} peerBytes */
  _received(number, bytes, peerBytes) {
    deepEqual(Buffer.compare(bytes, this.stream.bytes(number)), 0, `segment ${number} is not what the origin has`);
    this._look();
    this._loading = false;
    this._next = number + 1;
    this._bufferEndSec = this._next * this.stream.durationSec;
    this.playedSegments++;
    this.peerBytes += peerBytes;
    this.receivedBytes += bytes.length;
    this.firstFrameMs ??= this._nowMs - this._startedMs;
    if (this._stallStartMs > 0) {
      this.stalledMs += this._nowMs - this._stallStartMs;
      this._stallStartMs = 0;
    }
    this._later(0, () => this._load());
  }

  /** Seconds behind the end of the newest segment. */
  get latencySec() {
    this._look();
    return (this.stream.newest(this._nowMs) + 1) * this.stream.durationSec - this._playheadSec;
  }

  /** @param {number} delayMs @param {() => void} run */
  _later(delayMs, run) {
    this.peer.world.clock.at(this._nowMs + delayMs, run);
  }
}
