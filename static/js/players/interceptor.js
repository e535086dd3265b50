/**
 * The page interceptor: `fetch` and `XMLHttpRequest` of the page are wrapped. Manifests are read as the page reads them, and the
 * segments they name come from the pool, for players that no adapter knows. All else is the browser's own, and so is
 * everything that an adapter's session attends: nothing is handled twice.
 */

import { manifestText } from "../core/http-answers.js";
import { interceptedFetch } from "./intercepted-fetch.js";
import { interceptedXhr } from "./intercepted-xhr.js";
import { isScripted } from "./media-elements.js";
import { PageSession } from "./page-session.js";
import { PlayerSession } from "./session.js";

/** @typedef {import("../pool.js").Pool} Pool */
/** @typedef {import("./session.js").SessionRequest} SessionRequest */
/** @typedef {import("./session.js").SessionRequestEvents} SessionRequestEvents */
/** @typedef {import("../core/http-answers.js").Range} Range */

/** How often sessions are looked through for those that are over. */
const SWEEP_MS = 10_000;
/** A player that we see loads its next segment within this. */
const UNSEEN_AFTER_MS = 4000;

/** So that a second script tag changes nothing. */
const INSTALLED = Symbol.for("peerpool.interceptor");

export class Interceptor {
  /** @param {Pool} pool */
  constructor(pool) {
    this._pool = pool;
    /** @type {Set<PageSession>} */
    this._sessions = new Set();
    /** While there are sessions. @type {ReturnType<typeof setInterval> | undefined} */
    this._sweeping = undefined;
    /** A manifest has passed. */
    this._seen = false;
    this._workers = false;
  }

  /**
   * @param {Window & typeof globalThis} [page]
   * @returns {() => void} takes it off again, as far as nobody has wrapped it since
   */
  install(page = window) {
    const marked = /** @type {{ [INSTALLED]?: boolean }} */ (page);
    if (marked[INSTALLED]) return () => {};
    marked[INSTALLED] = true;
    const { fetch, XMLHttpRequest, Worker } = page;
    const wrapped = {
      fetch: fetch && interceptedFetch(fetch, this),
      XMLHttpRequest: interceptedXhr(XMLHttpRequest, this),
      Worker: Worker && this._countedWorker(Worker),
    };
    Object.assign(page, wrapped);
    /** @param {Event} event */
    const playing = ({ target }) => this._playing(/** @type {HTMLMediaElement} */ (target));
    page.document.addEventListener("playing", playing, true);
    return () => {
      delete marked[INSTALLED];
      page.document.removeEventListener("playing", playing, true);
      if (page.fetch === wrapped.fetch) page.fetch = fetch;
      if (page.XMLHttpRequest === wrapped.XMLHttpRequest) page.XMLHttpRequest = XMLHttpRequest;
      if (page.Worker === wrapped.Worker) page.Worker = Worker;
      for (const session of [...this._sessions]) this._close(session);
    };
  }

  /** Whether anything of ours may be done now. */
  get active() {
    return this._pool.options.intercept === "auto" && this._pool.active;
  }

  /**
   * Asks the pool for what a page asks for.
   * @param {string} url  absolute @param {Range} range @param {SessionRequestEvents} events
   * @returns {SessionRequest | null} null for what is not ours
   */
  request(url, range, events) {
    const session = this.active ? this._sessionOf(url, range) : null;
    session?.used();
    return session ? session.request({ url, ...range }, events) : null;
  }

  /** Whether a page's GET of this is a segment that we know; cheap. @param {string} url  absolute @param {Range} range */
  knows(url, range) {
    return this.active && this._sessionOf(url, range) !== null;
  }

  /** @param {string} url @param {Range} range @returns {PageSession | null} */
  _sessionOf(url, { rangeStart, rangeEnd }) {
    for (const session of this._sessions) {
      session.catchUp();
      if (session.table.find(url, rangeStart, rangeEnd))
        // What an adapter knows it has taken, or hands back to be loaded plainly.
        return this._adapters().some(({ table }) => table.find(url, rangeStart, rangeEnd)) ? null : session;
    }
    return null;
  }

  /** Sessions of players that have an adapter. @returns {PlayerSession[]} */
  _adapters() {
    /** @type {PlayerSession[]} */
    const found = [];
    for (const player of this._pool.players)
      if (player instanceof PlayerSession && !(player instanceof PageSession)) found.push(player);
    return found;
  }

  /** Whether what is answered there could be a manifest for us. @param {string} url  absolute */
  interested(url) {
    return (
      this._pool.options.intercept === "auto" &&
      this._pool.options.enabled &&
      !this._adapters().some((player) => player.attends(url))
    );
  }

  /**
   * The page reads an answer.
   * @param {string} url  absolute, as it was asked for @param {string} answeredUrl  after redirects @param {unknown} body  what is no manifest is ignored
   */
  read(url, answeredUrl, body) {
    const text = manifestText(body);
    if (text === null || !this.interested(url)) return;
    try {
      this._manifest(url, answeredUrl || url, text);
    } catch (error) {
      reportError(error); // ours, and not to be the page's
    }
  }

  /** @param {string} url @param {string} answeredUrl @param {string} text */
  _manifest(url, answeredUrl, text) {
    this._seen = true;
    this._pool.unseen = false;
    const whole = /<MPD|#EXT-X-STREAM-INF/.test(text);
    const known = [...this._sessions].reverse();
    const session = known.find((one) => one.attends(url)) ?? known.find((one) => !whole && one.names(url)) ?? this._open();
    session.used();
    session.manifestRequested(url);
    if (whole) session.named(text, answeredUrl);
    session.manifestLoaded(url, answeredUrl, text);
  }

  /** @returns {PageSession} */
  _open() {
    const session = new PageSession(this._pool);
    this._sessions.add(session);
    this._sweeping ??= setInterval(() => {
      for (const one of [...this._sessions]) if (one.unused) this._close(one);
    }, SWEEP_MS);
    return session;
  }

  /** @param {PageSession} session */
  _close(session) {
    session.close();
    this._sessions.delete(session);
    if (this._sessions.size > 0) return;
    clearInterval(this._sweeping);
    this._sweeping = undefined;
  }

  /** @param {typeof Worker} Native */
  _countedWorker(Native) {
    const made = () => {
      this._workers = true;
    };
    return class Worker extends Native {
      /** @param {[string | URL, WorkerOptions?]} args */
      constructor(...args) {
        super(...args);
        made();
      }
    };
  }

  /** A media element plays; a while later we must have seen what. @param {HTMLMediaElement} media */
  _playing(media) {
    if (this._seen || !this._workers || !isScripted(media)) return;
    setTimeout(() => {
      const { players } = this._pool;
      if (this._seen || this._pool.unseen || !this.active || players.size > 0 || media.paused || !isScripted(media)) return;
      this._pool.unseen = true;
      // biome-ignore lint/suspicious/noConsole: for the developer of a page that nothing else would tell
      console.warn(
        "PeerPool: a player on this page loads its media inside a Worker, where this script sees nothing of it, so nothing is shared. " +
          "Configure the player to load on the page, or attach it with PeerPool.attach.",
      );
    }, UNSEEN_AFTER_MS);
  }
}
