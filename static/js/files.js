/**
 * Sharing of files: a script of its own (peerpool-files.js), loaded when a page calls `PeerPool.fetch` or has an element with `data-peerpool`.
 */

import { Elements } from "./files/elements.js";
import { FileShare } from "./files/file-share.js";
import { WorkerLink } from "./files/worker-link.js";

/** @typedef {import("./pool.js").Pool} Pool */
/** @typedef {import("./surface.js").FileInit} FileInit */

/** @type {WeakMap<Pool, FileShare>} */
const shares = new WeakMap();

/** @param {Pool} pool @param {typeof globalThis.fetch} fetch @returns {FileShare} */
function shareOf(pool, fetch) {
  const share = shares.get(pool) ?? new FileShare(pool, fetch);
  shares.set(pool, share);
  return share;
}

/**
 * As `fetch`, from other viewers where they have it.
 * @param {Pool} pool @param {typeof globalThis.fetch} fetch  the browser's own
 * @param {RequestInfo | URL} input @param {FileInit} [init]
 * @returns {Promise<Response>}
 */
export async function fetchFile(pool, fetch, input, init = {}) {
  const { content, progress, ...plain } = init;
  const options = { ...(content ? { content } : {}), ...(progress ? { progress } : {}) };
  const request = new Request(input, plain);
  return (await shareOf(pool, fetch).answer(request, options)) ?? fetch(input, plain);
}

/** Serves the page's marked elements from now on. @param {Pool} pool @param {typeof globalThis.fetch} fetch */
export function attendElements(pool, fetch) {
  const share = shareOf(pool, fetch);
  const link = new WorkerLink(share, globalThis.navigator?.serviceWorker);
  if (pool.options.worker) link.register(pool.options.worker).catch(reportError); // elements load as without us
  new Elements(share, fetch, link);
}
