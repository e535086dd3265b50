/**
 * The public exports: all a page may rely on.
 *
 * @example
 * import * as PeerPool from "https://tracker.example/peerpool.esm.js";
 * PeerPool.configure({ tracker: "https://tracker.example" });
 * PeerPool.attach(hls); // before hls.loadSource(...)
 */

import { loadFiles, loadNotice } from "./io/second-script.js";
import { whenMarked } from "./marked.js";
import { attachHls } from "./players/hlsjs.js";
import { Pool } from "./pool.js";

/** @typedef {import("./pool.js").Options} Options */
/** @typedef {import("./pool.js").SegmentEvent} SegmentEvent */

export const version = PEERPOOL_VERSION;

const pool = new Pool();
/** The browser's own, whatever is put in its place later. */
const ownFetch = globalThis.fetch?.bind(globalThis);

/**
 * Changes options; what is left out stays as it is.
 * @param {Partial<Options>} options
 * @throws {TypeError} for an option that does not exist or a value it cannot have
 */
export function configure(options) {
  pool.configure(options);
}

/**
 * Lets an hls.js instance share; call it before `loadSource`.
 * @param {import("./players/hlsjs-types.js").HlsLike} hls
 * @param {{ content?: string }} [options]  `content` names the content of this player alone
 */
export function attach(hls, options) {
  attachHls(pool, hls, options);
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
 * @param {import("./notice.js").NoticeOptions} [options]
 * @returns {Promise<void>} when it is shown, or need not be; rejected if its script cannot be had
 */
export async function notice(options = {}) {
  if (options.reopen || pool.consent() === "unasked") (await loadNotice()).showNotice((granted) => pool.consent(granted), options);
}

/**
 * As `fetch`, for a file that others download too: from them where they have it (docs/files.md). What cannot be shared is the browser's own `fetch`.
 * @param {RequestInfo | URL} input
 * @param {import("./files.js").FileInit} [init]  `content` names the file where host and path of its URL would not do; `progress` is
 *   called as bytes are read
 * @returns {Promise<Response>}
 */
async function fetchFile(input, init) {
  if (!pool.active) return ownFetch(input, init);
  const files = await loadFiles().catch(() => null);
  return files ? files.fetchFile(pool, ownFetch, input, init) : ownFetch(input, init);
}

export { fetchFile as fetch };

/** Serves elements with `data-peerpool`, those there and those to come: links, and by the site's service worker media and images. The script tag does it by itself. */
export function elements() {
  whenMarked(() => loadFiles().then((files) => files.attendElements(pool, ownFetch), reportError));
}

/** @returns {{ version: string } & ReturnType<Pool["stats"]>} totals since the page loaded */
export function stats() {
  return { version, ...pool.stats() };
}

/**
 * @param {"segment"} name  a segment was handed to a player
 * @param {(event: SegmentEvent) => void} listener
 */
export function on(name, listener) {
  pool.on(name, listener);
}

/** @param {"segment"} name @param {(event: SegmentEvent) => void} listener */
export function off(name, listener) {
  pool.off(name, listener);
}

/**
 * Leaves every swarm at once. A player that asks for more joins again: to have no part of it any more, configure
 * `enabled: false`.
 */
export function leave() {
  pool.stop();
}
