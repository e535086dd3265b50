/**
 * The public exports: all a page may rely on.
 *
 * @example
 * import * as PeerPool from "https://tracker.example/peerpool.esm.js";
 * PeerPool.configure({ tracker: "https://tracker.example" });
 * PeerPool.attach(hls); // before hls.loadSource(...)
 */

import { nativeFetch } from "./io/native.js";
import { loadDebug, loadFiles, loadNotice } from "./io/second-script.js";
import { whenMarked } from "./marked.js";
import { attachPlayer } from "./players/adapters.js";
import { Interceptor } from "./players/interceptor.js";
import { Pool } from "./pool.js";

/** @typedef {import("./options.js").Options} Options */
/** @typedef {import("./options.js").TokenSource} TokenSource */
/** @typedef {import("./surface.js").AttachOptions} AttachOptions */
/** @typedef {import("./surface.js").Stats} Stats */
/** @typedef {import("./surface.js").State} State */
/** @typedef {import("./surface.js").ByteTotals} ByteTotals */
/** @typedef {import("./surface.js").SegmentTotals} SegmentTotals */
/** @typedef {import("./surface.js").PoolEvents} PoolEvents */
/** @typedef {import("./surface.js").SegmentEvent} SegmentEvent */
/** @typedef {import("./surface.js").FetchReason} FetchReason */
/** @typedef {import("./surface.js").PeerEvent} PeerEvent */
/** @typedef {import("./surface.js").PeerStats} PeerStats */
/** @typedef {import("./surface.js").StateEvent} StateEvent */
/** @typedef {import("./surface.js").FileInit} FileInit */
/** @typedef {import("./surface.js").FileProgress} FileProgress */
/** @typedef {import("./notice.js").NoticeOptions} NoticeOptions */
/** @typedef {import("./surface.js").KnownPlayer} KnownPlayer */

/** Of this library. @type {string} */
export const version = PEERPOOL_VERSION;

const pool = new Pool();

/**
 * Changes options; what is left out stays as it is.
 * @param {Partial<Options>} options
 * @throws {TypeError} for an option that does not exist or a value it cannot have
 */
export function configure(options) {
  pool.configure(options);
}

/**
 * Lets a player share; call it before the player is given its source (docs/players.md). One that has no adapter plays without us.
 * @param {KnownPlayer} player
 * @param {AttachOptions} [options]
 */
export function attach(player, options) {
  attachPlayer(pool, player, options);
}

/**
 * Lets every player of this page share that loads by `fetch` or `XMLHttpRequest`, known or not; the script tag does it by itself. Call it
 * before the player's script runs, which may keep what it finds.
 * @returns {() => void} ends it
 */
export function intercept() {
  return new Interceptor(pool).install();
}

/**
 * The viewer's answer to whether this browser may share; `false` stops it at once. Both are remembered (docs/privacy.md).
 * @param {boolean} [granted]  without one it only says what is remembered
 * @returns {"granted" | "denied" | "unasked"}
 */
export function consent(granted) {
  return pool.consent(granted);
}

/**
 * Shows a small notice that asks for consent, unless it was asked for; with `reopen` in any case, to change one's mind.
 * @param {NoticeOptions} [options]
 * @returns {Promise<void>} when it is shown, or need not be; rejected if its script cannot be had
 */
export async function notice(options = {}) {
  if (options.reopen || pool.consent() === "unasked") (await loadNotice()).showNotice((granted) => pool.consent(granted), options);
}

/**
 * As `fetch`, for a file that others download too: from them where they have it (docs/files.md). What cannot be shared is the browser's own `fetch`.
 * @param {RequestInfo | URL} input
 * @param {FileInit} [init]  `content` names the file where host and path of its URL would not do; `progress` is
 *   called as bytes are read
 * @returns {Promise<Response>}
 */
async function fetchFile(input, init) {
  if (!pool.active) return nativeFetch(input, init);
  const files = await loadFiles().catch(() => null);
  return files ? files.fetchFile(pool, nativeFetch, input, init) : nativeFetch(input, init);
}

export { fetchFile as fetch };

/** Serves elements with `data-peerpool`, those there and those to come: links, and by the site's service worker media and images. The script tag does it by itself. */
export function elements() {
  whenMarked(() => loadFiles().then((files) => files.attendElements(pool, nativeFetch), reportError));
}

/** @returns {Stats} totals since the page loaded */
export function stats() {
  return { version, ...pool.stats() };
}

/**
 * Listens to one of the events of docs/debugging.md.
 * @template {keyof PoolEvents} Name
 * @param {Name} name
 * @param {(event: PoolEvents[Name]) => void} listener  what it throws is reported, and changes nothing
 */
export function on(name, listener) {
  pool.events.on(name, listener);
}

/** @template {keyof PoolEvents} Name @param {Name} name @param {(event: PoolEvents[Name]) => void} listener */
export function off(name, listener) {
  pool.events.off(name, listener);
}

/**
 * Opens an overlay that shows what is shared on this page, and why what is not is not (docs/debugging.md). Nothing of it is loaded before.
 * @returns {() => void} closes it
 */
export function debug() {
  /** @type {(() => void) | undefined} */
  let close;
  let closed = false;
  loadDebug().then(({ openOverlay }) => {
    if (!closed) close = openOverlay(pool, version);
  }, reportError);
  return () => {
    closed = true;
    close?.();
  };
}

/**
 * Leaves every swarm at once. A player that asks for more joins again: to have no part of it any more, configure
 * `enabled: false`.
 */
export function leave() {
  pool.stop();
}
