/**
 * One player in the pool, whichever it is: the manifests it was given, what it asks for and by when, and what its media element
 * feels. Adapters (hlsjs.js, ...) translate between a player and this.
 */

import { KIND_PART } from "../core/identity.js";
import { isMpd, SegmentTable } from "../core/manifests.js";
import { DEADLINE_MARGIN_MS } from "../core/tuning.js";
import { now } from "../io/alarm.js";
import { loadMpdReader, mpdReader } from "./mpd-reader.js";

/** @typedef {import("../pool.js").Pool} Pool */
/** @typedef {import("../engine.js").Engine} Engine */
/** @typedef {import("../core/download.js").SegmentSource} SegmentSource */
/** @typedef {import("../core/outbox.js").ProgressCommand} ProgressCommand */
/** @typedef {import("../core/outbox.js").Timing} Timing */

/**
 * What becomes of a request; exactly one of `delivered`, `failed` and `refused` is called, unless it is cancelled.
 * @typedef {object} SessionRequestEvents
 * @property {(progress: ProgressCommand) => void} [progressed]
 * @property {(bytes: ArrayBuffer, timing: Timing, peerBytes: number) => void} delivered  the bytes are the receiver's own
 * @property {(failure: { status: number, reason: string }) => void} failed  the CDN's answer, as the player would have had it; 0 without one
 * @property {() => void} refused  load it without us, as if we had not been asked
 */

export class PlayerSession {
  /**
   * @param {Pool} pool
   * @param {{ name?: string | null, media?: HTMLMediaElement | null }} [options]  `name` of its content, or null for the pool's choice
   */
  constructor(pool, { name = null, media = null } = {}) {
    this.pool = pool;
    this._name = name;
    this.table = new SegmentTable();
    /** Manifests that the player was given and we have not read. @type {{ url: string, answeredUrl: string, text: string }[]} */
    this._unread = [];
    /** What the player asked for as a manifest, without query. @type {Set<string>} */
    this._manifests = new Set();
    /** Requests not yet answered. @type {Set<SessionRequest>} */
    this.running = new Set();
    /** When the player asked for its first manifest; null before, NaN after its first frame. @type {number | null} */
    this._beganMs = null;
    /** @type {HTMLMediaElement | null} */
    this.media = null;
    /** What changes when the playhead gets where it is going. @type {Record<string, () => void>} */
    this._reactions = {
      waiting: () => {
        this._waited();
        this._hasten();
      },
      loadeddata: () => {
        this.engine?.settled(now() - (this._beganMs ?? Number.NaN));
        this._beganMs = Number.NaN; // what it shows first later, after a seek or an advertisement, is no first frame
        this._hasten();
      },
      seeking: () => this._hasten(),
      ratechange: () => this._hasten(),
    };
    pool.players.add(this);
    this.watch(media);
  }

  /** The player is gone. */
  close() {
    this.watch(null);
    for (const request of [...this.running]) request.cancel();
    this.pool.players.delete(this);
    this.pool.leaveUnused();
  }

  /** @param {HTMLMediaElement | null} media  the one it plays in now */
  watch(media) {
    for (const [event, reaction] of Object.entries(this._reactions)) {
      this.media?.removeEventListener(event, reaction);
      media?.addEventListener(event, reaction);
    }
    this.media = media;
  }

  /** The deadlines of what is on its way are not what they were. */
  _hasten() {
    for (const request of this.running) request.hasten();
  }

  /** The media element waits for data. Before its first frame and while it seeks that is no stall. */
  _waited() {
    if (this.media && !this.media.seeking && this.media.played.length > 0) this.engine?.stalled();
  }

  /** Another source is loaded into the same player. @param {string} [url]  its first manifest's, where the player says it */
  reset(url) {
    this.table = new SegmentTable();
    this._beganMs = null;
    this._manifests.clear();
    // Its URL is its name: joining now, and not when it has come, gains a round trip to the CDN.
    if (url && /^https?:/i.test(url)) {
      this.table.named(url);
      this.manifestRequested(url);
    }
    this._unread = [];
    this.pool.leaveUnused();
    this._later(() => this._join());
  }

  /** When the player has sent the requests it is about to send: what may wait does not make them wait. @param {() => void} work */
  _later(work) {
    queueMicrotask(() => this.pool.players.has(this) && work());
  }

  /** Joins the swarm, as soon as there is a name to join by. */
  _join() {
    void this.engine;
  }

  /** Name of its content; null before a manifest was seen. */
  get content() {
    return this.table.contentName && (this._name ?? this.pool.options.content ?? this.table.contentName);
  }

  /** @returns {Engine | null} null while nothing may be shared, or no manifest was seen */
  get engine() {
    return this.content === null ? null : this.pool.engine(this.content);
  }

  /** The player asks for a manifest: it is this session's to read, and nobody else's. @param {string} url  absolute */
  manifestRequested(url) {
    this._beganMs ??= now();
    this._manifests.add(withoutQuery(url));
    // So that its reader is there when it is.
    if (/\.mpd$/i.test(withoutQuery(url)) && this.pool.active) loadMpdReader();
  }

  /** Whether this player asked for it as a manifest. @param {string} url  absolute */
  attends(url) {
    return this._manifests.has(withoutQuery(url));
  }

  /**
   * The player was given a manifest; it is read when the player has sent what it then asks for.
   * @param {string} url  absolute, as it was asked for
   * @param {string} answeredUrl  after redirects; empty where that is not known
   * @param {unknown} text  what is no text is ignored
   */
  manifestLoaded(url, answeredUrl, text) {
    if (typeof text !== "string") return;
    this._unread.push({ url, answeredUrl: answeredUrl || url, text });
    this._later(() => {
      this.catchUp();
      this._join();
    });
  }

  /** What is asked for meanwhile passes. */
  _awaitReader() {
    const { table } = this;
    loadMpdReader().then(() => {
      if (mpdReader && table === this.table) this._later(() => this.catchUp());
    });
  }

  /** Reads the manifests that have come; an MPD when its reader has, and of those that wait the latest only. */
  catchUp() {
    const unread = this._unread;
    this._unread = mpdReader ? [] : unread.filter(({ text }) => isMpd(text)).slice(-1);
    if (this._unread.length > 0 && this.pool.active) this._awaitReader();
    for (const { url, answeredUrl, text } of unread) {
      try {
        this.table.observe(url, answeredUrl, text, mpdReader);
      } catch (error) {
        reportError(error); // a manifest that only we cannot read is no reason not to play it
      }
    }
  }

  /**
   * When the playhead reaches a segment; now, while nothing can play. While it seeks it is already said to be where it goes to, and
   * what is buffered there will play, as after the first segment of a live stream.
   * @param {number | null} startSec  where it begins on the media element's timeline; null where the player does not say it: then it is
   *   taken to follow what is buffered, for players load in order
   * @returns {number} on the clock of `now`
   */
  deadlineMs(startSec) {
    const { media } = this;
    if (!media || awaitsMore(media)) return now();
    const bufferedSec = bufferEnd(media, media.currentTime);
    if (bufferedSec === null) return now();
    const rate = media.playbackRate > 0 ? media.playbackRate : 1;
    return now() + (Math.max(0, (startSec ?? bufferedSec) - media.currentTime) / rate) * 1000;
  }

  /**
   * Asks the pool for a segment.
   * @param {{ url: string, rangeStart?: number | null, rangeEnd?: number | null, startSec?: number | null }} wanted  `url` absolute; `rangeEnd`
   *   exclusive; `startSec` as for `deadlineMs`
   * @param {SessionRequestEvents} events
   * @returns {SessionRequest | null} null for what no manifest named, or while nothing may be shared: then load it without us
   */
  request({ url, rangeStart = null, rangeEnd = null, startSec = null }, events) {
    this.catchUp();
    const { engine } = this;
    const source = engine && this.table.find(url, rangeStart, rangeEnd);
    // Nobody signs parts: what neighbours would send could not be believed.
    if (source?.ref.kind === KIND_PART && engine?.surroundings().signed) return null;
    return source ? new SessionRequest(this, engine, source, startSec, events) : null;
  }

  /**
   * The player loaded something without us, which may say where segments are.
   * @param {{ url: string, rangeStart?: number | null, rangeEnd?: number | null }} asked  as for `request` @param {ArrayBuffer} bytes
   */
  loaded({ url, rangeStart = null, rangeEnd = null }, bytes) {
    this.catchUp();
    const source = this.table.find(url, rangeStart, rangeEnd);
    if (source) this.table.loaded(source, bytes);
  }
}

/** One segment asked of the engine on behalf of a player. */
export class SessionRequest {
  /**
   * @param {PlayerSession} session
   * @param {Engine} engine
   * @param {SegmentSource} source
   * @param {number | null} startSec
   * @param {SessionRequestEvents} events
   */
  constructor(session, engine, source, startSec, events) {
    this.source = source;
    this._session = session;
    this._engine = engine;
    this._startSec = startSec;
    /** Players load parts one after the other: each that took longer than it lasts would be taken off the buffer, whatever is in that. */
    this._latestMs =
      source.ref.kind === KIND_PART ? now() + source.durationSec * 500 + DEADLINE_MARGIN_MS : Number.POSITIVE_INFINITY;
    this._over = false;
    session.running.add(this);
    this._id = engine.request(source, this._deadlineMs(), {
      progressed: (progress) => {
        if (!this._over) events.progressed?.(progress);
      },
      delivered: (bytes, timing, peerBytes, reason) => {
        if (!this._end()) return;
        session.table.loaded(source, bytes);
        session.pool.segmentDelivered(source, bytes.byteLength, peerBytes, reason);
        events.delivered(bytes, timing, peerBytes);
      },
      failed: (failure) => {
        if (!this._end()) return;
        // An answer that we cannot use and the player may: the whole of a resource in place of a range of it.
        if (failure.status >= 200 && failure.status < 300) events.refused();
        else events.failed(failure);
      },
      refused: () => {
        if (this._end()) events.refused();
      },
    });
  }

  /** The player does not want it any more; nothing is said of it after that. @returns {boolean} whether it was still running */
  cancel() {
    if (!this._end()) return false;
    this._engine.cancel(this._id);
    return true;
  }

  /** The playhead has moved. */
  hasten() {
    this._engine.hasten(this._id, this._deadlineMs());
  }

  _deadlineMs() {
    return Math.min(this._latestMs, this._session.deadlineMs(this._startSec));
  }

  /** @returns {boolean} whether it was still running */
  _end() {
    if (this._over) return false;
    this._over = true;
    this._session.running.delete(this);
    return true;
  }
}

/**
 * Whether it shows its first frame and waits for more before it plays: with `autoplay`, and nobody calling play(), Firefox and Safari
 * begin when they expect not to run dry. Chromium begins with the first frame.
 * @param {HTMLMediaElement} media
 */
function awaitsMore({ autoplay, paused, played, readyState }) {
  return autoplay && paused && played.length === 0 && readyState > 1 && readyState < 4;
}

/** @param {HTMLMediaElement} media @param {number} time @returns {number | null} how far it can play from there; null if it cannot */
function bufferEnd(media, time) {
  for (let index = 0; index < media.buffered.length; index++) {
    // A tenth of a second: players seek to the start of a range that is not exactly there.
    if (media.buffered.start(index) - 0.1 <= time && time < media.buffered.end(index)) return media.buffered.end(index);
  }
  return null;
}

/** @param {string} url */
const withoutQuery = (url) => /** @type {string} */ (url.split(/[?#]/, 1)[0]);
