/**
 * A player as the library sees one: it loads its playlist now and then, asks for one segment after the other while its
 * buffer is short, and stalls when the playhead meets the buffer's end. Its numbers are hls.js's defaults. Not modelled: that
 * hls.js abandons a fragment that comes too slowly for its level.
 */

import assert from "node:assert/strict";
import { Abr } from "./abr.js";
import { seeded } from "./random.js";

/** @typedef {import("./peer.js").SimPeer} SimPeer */
/** @typedef {import("./plain.js").PlainPeer} PlainPeer */
/** @typedef {import("./stream.js").Stream} Stream */
/** @typedef {import("../../static/js/core/outbox.js").Timing} Timing */

/** hls.js liveSyncDurationCount, and maxBufferLength in seconds. */
const LIVE_SYNC_SEGMENTS = 3;
export const BUFFER_SEC = 30;
const RETRY_MS = 1000;
/** hls.js looks every 100 ms whether its buffer has room again. */
const TICK_MS = 100;
/** Of playlist refreshes, either way: timers of busy pages. */
const JITTER_MS = 30;

/**
 * @typedef {object} PlayerOptions
 * @property {number} [manifestMs]  from the page's start until its playlists are there; two CDN round trips and some parsing
 * @property {number} [behindSec]  live: distance from the newest segment's end at the start
 * @property {number} [bufferSec]
 * @property {number} [startSegment]  VOD: where to begin
 * @property {number} [seekEverySec]  VOD: mean time between seeks
 * @property {() => number} [random]
 */

/**
 * What a run wants to know of its players.
 * @typedef {object} Watcher
 * @property {(number: number, nowMs: number) => void} listed  a playlist with this newest segment was read
 * @property {(player: Player, number: number, sizeBytes: number, peerBytes: number) => void} held
 */

export class Player {
  /** @param {SimPeer | PlainPeer} peer @param {Stream[]} levels  by bitrate @param {PlayerOptions} [options] @param {Watcher | null} [watcher] */
  constructor(peer, levels, options = {}, watcher = null) {
    this.peer = peer;
    this.levels = levels;
    this.watcher = watcher;
    this.stream = /** @type {Stream} */ (levels[0]);
    this.stalls = 0;
    this.stalledMs = 0;
    /** Since the page's start. @type {number | null} */
    this.firstFrameMs = null;
    this.playedSegments = 0;
    this.peerBytes = 0;
    this.receivedBytes = 0;
    this.failures = 0;
    /** Played, and not what the origin has. */
    this.wrongSegments = 0;
    this.playedBits = 0;
    this._options = options;
    this._abr = levels.length > 1 ? new Abr(levels) : null;
    this._random = options.random ?? seeded(peer.index);
    this._startedMs = this._nowMs;
    /** Stream time in seconds at the playhead, when it was last looked at. */
    this._playheadSec = 0;
    this._lookedMs = this._nowMs;
    this._stallStartMs = 0;
    this._next = -1;
    this._bufferEndSec = 0;
    this._known = -1;
    /** @type {number | null} */
    this._request = null;
    this._loading = false;
    this._emptyMs = Number.POSITIVE_INFINITY;
    const { manifestMs = 4 * peer.cdnMs + 100 } = options;
    this._after(manifestMs, begin);
  }

  get _nowMs() {
    return this.peer.world.clock.nowMs;
  }

  get over() {
    return this.peer.gone;
  }

  /** The playlists are there. */
  begin() {
    if (this.over) return;
    const { stream, _options: options } = this;
    this._listed(stream.newest(this._nowMs - this.peer.cdnMs));
    this._next = stream.live ? this._liveStart() : (options.startSegment ?? 0);
    this._playheadSec = this._next * stream.durationSec;
    this._bufferEndSec = this._playheadSec;
    if (stream.live) this._after(stream.durationSec * 1000 - 2 * this.peer.cdnMs, refresh);
    else if (options.seekEverySec) this._after(this._untilSeek(options.seekEverySec), seek);
    this.load();
  }

  _liveStart() {
    const behind = this._options.behindSec ? Math.round(this._options.behindSec / this.stream.durationSec) : LIVE_SYNC_SEGMENTS;
    return Math.max(this.stream.oldest(this._nowMs), this._known - behind + 1);
  }

  /** Asks for the playlist; the CDN answers with what there is when it is asked. */
  refresh() {
    if (this.over) return;
    this._after(this.peer.cdnMs, playlistRead);
  }

  /** At the CDN. */
  playlistRead() {
    this.peer.world.clock.after(this.peer.cdnMs, playlistCame, { player: this, newest: this.stream.newest(this._nowMs) });
  }

  /** @param {number} newest */
  playlistCame(newest) {
    if (this.over) return;
    const intervalMs = this.stream.durationSec * (newest > this._known ? 1000 : 500);
    const sinceAskedMs = 2 * this.peer.cdnMs;
    this._after(Math.max(0, intervalMs - sinceAskedMs) + (this._random() - 0.5) * 2 * JITTER_MS, refresh);
    this._listed(newest);
    this.load();
  }

  /** @param {number} newest */
  _listed(newest) {
    if (newest <= this._known) return;
    this._known = newest;
    this.watcher?.listed(newest, this._nowMs);
  }

  /** Moves the playhead to now. */
  look() {
    const elapsedMs = this._nowMs - this._lookedMs;
    this._lookedMs = this._nowMs;
    if (this.firstFrameMs === null || this._stallStartMs > 0) return;
    const roomMs = (this._bufferEndSec - this._playheadSec) * 1000;
    if (elapsedMs < roomMs - 0.001) {
      this._playheadSec += elapsedMs / 1000;
      return;
    }
    this._playheadSec = this._bufferEndSec;
    if (this._ended) return;
    this.stalls++;
    this.peer.stalls++;
    this._stallStartMs = this._nowMs - Math.max(0, elapsedMs - roomMs);
    if (this._request !== null) this.peer.hasten(this._request, this._nowMs);
  }

  get _ended() {
    return !this.stream.live && this._next >= this.stream.segments;
  }

  /** Stalls are noticed when they begin: an event waits at the buffer's end. */
  _watchBuffer() {
    if (this.firstFrameMs === null) return;
    const emptyMs = this._nowMs + Math.max(0, this._bufferEndSec - this._playheadSec) * 1000;
    const set = this._emptyMs;
    this._emptyMs = emptyMs;
    if (set === Number.POSITIVE_INFINITY) this.peer.world.clock.at(emptyMs, bufferEmpty, this);
  }

  bufferEmpty() {
    if (this.over) return;
    const dueMs = this._emptyMs;
    this._emptyMs = Number.POSITIVE_INFINITY;
    this.look();
    if (dueMs > this._nowMs) this._watchBuffer();
  }

  load() {
    this.look();
    if (this._loading || this.over || this._ended) return;
    const aheadSec = this._bufferEndSec - this._playheadSec;
    const { bufferSec = BUFFER_SEC } = this._options;
    if (aheadSec >= bufferSec) {
      this._after((aheadSec - bufferSec) * 1000 + TICK_MS * (0.1 + this._random()), load);
      return;
    }
    const oldest = this.stream.oldest(this._nowMs);
    if (this._next < oldest) this._jump(this._liveStart()); // it has fallen out of the playlist
    if (this._next > this._known) return;
    this._loading = true;
    const level = this._abr?.choose() ?? this.stream;
    // Another level's playlist comes first.
    const switched = level !== this.stream;
    this.stream = level;
    if (switched && this.playedSegments > 0) this._after(2 * this.peer.cdnMs, ask);
    else this.ask();
  }

  ask() {
    if (this.over) return;
    this.look();
    const { _next: number, stream } = this;
    const playing = this.firstFrameMs !== null && this._stallStartMs === 0;
    const waitMs = playing ? Math.max(0, number * stream.durationSec - this._playheadSec) * 1000 : 0;
    this._request = this.peer.request(stream.source(number), this._nowMs + waitMs, {
      delivered: (bytes, timing, peerBytes) => this._received(stream, number, bytes, timing, peerBytes),
      failed: () => {
        this.failures++;
        this._loading = false;
        this._request = null;
        this._after(RETRY_MS, load);
      },
    });
  }

  /** @param {Stream} stream @param {number} number @param {Uint8Array} bytes @param {Timing} timing @param {number} peerBytes */
  _received(stream, number, bytes, timing, peerBytes) {
    const genuine = Buffer.compare(bytes, stream.bytes(number)) === 0;
    assert(genuine || this.peer.world.liars, `segment ${number} is not what the origin has`);
    if (!genuine) this.wrongSegments++;
    this.watcher?.held(this, number, bytes.length, peerBytes);
    this._loading = false;
    this._request = null;
    this.look();
    this._abr?.sample(timing, bytes.length);
    this._next = number + 1;
    this._bufferEndSec = this._next * stream.durationSec;
    this.playedSegments++;
    this.playedBits += stream.bitrateBps * stream.durationSec;
    this.peerBytes += peerBytes;
    this.receivedBytes += bytes.length;
    this.firstFrameMs ??= this._nowMs - this._startedMs;
    if (this._stallStartMs > 0) {
      this.stalledMs += this._nowMs - this._stallStartMs;
      this._stallStartMs = 0;
    }
    this._watchBuffer();
    this._after(0, load);
  }

  /** To another place in the VOD. */
  seek() {
    if (this.over || this._ended) return;
    const { seekEverySec = Number.POSITIVE_INFINITY } = this._options;
    this._after(this._untilSeek(seekEverySec), seek);
    if (this.firstFrameMs === null || this._loading) return; // not while it loads: the request would have to be given up
    this._jump(Math.floor(this._random() * this.stream.segments));
    this.load();
  }

  /** @param {number} everySec */
  _untilSeek(everySec) {
    return -Math.log(1 - this._random()) * everySec * 1000;
  }

  /** @param {number} number */
  _jump(number) {
    this.look();
    this._next = number;
    this._playheadSec = this._bufferEndSec = number * this.stream.durationSec;
  }

  /** The run is over: what stalls now has stalled until now. */
  finish() {
    this.look();
    if (this._stallStartMs > 0) this.stalledMs += this._nowMs - this._stallStartMs;
    if (this._stallStartMs > 0) this._stallStartMs = this._nowMs;
  }

  /** Seconds between the encoder and the playhead. */
  get latencySec() {
    this.look();
    return this._nowMs / 1000 + this.stream.windowSegments * this.stream.durationSec - this._playheadSec;
  }

  /** @param {number} delayMs @param {(player: Player) => void} run */
  _after(delayMs, run) {
    this.peer.world.clock.after(delayMs, run, /** @type {Player} */ (this));
  }
}

/** @param {Player} player */
const begin = (player) => player.begin();
/** @param {Player} player */
const refresh = (player) => player.refresh();
/** @param {Player} player */
const playlistRead = (player) => player.playlistRead();
/** @param {{ player: Player, newest: number }} answer */
const playlistCame = ({ player, newest }) => player.playlistCame(newest);
/** @param {Player} player */
const load = (player) => player.load();
/** @param {Player} player */
const ask = (player) => player.ask();
/** @param {Player} player */
const bufferEmpty = (player) => player.bufferEmpty();
/** @param {Player} player */
const seek = (player) => player.seek();
