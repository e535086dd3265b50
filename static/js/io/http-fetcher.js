/** Requests to the CDN by `fetch`, streamed. */

import { isOfVersion } from "../core/file-version.js";
import { nativeFetch } from "./native.js";

/** @typedef {import("../core/identity.js").FileVersion} FileVersion */

/**
 * What a fetcher tells; `job` is the caller's.
 * @typedef {object} FetchEvents
 * @property {(job: number, head: { partial: boolean, sizeBytes: number | null }) => void} started
 * @property {(job: number, bytes: Uint8Array) => void} received
 * @property {(job: number) => void} finished
 * @property {(job: number, failure: { status: number, reason: string }) => void} failed
 */

const CHANGED = "the file is another one now";

/**
 * Blocks of a file pass the browser's cache by: Chromium has one range of a resource wait there for another, and we keep them ourselves.
 * @param {FileVersion} [version] @returns {RequestInit}
 */
const cacheOf = (version) => (version ? { cache: "no-store" } : {});

export class HttpFetcher {
  /** @param {FetchEvents} events */
  constructor(events) {
    this._events = events;
    /** @type {Map<number, AbortController>} */
    this._running = new Map();
  }

  /**
   * @param {number} job
   * @param {string} url
   * @param {number | null} rangeStart  first byte, null for the whole resource
   * @param {number | null} rangeEnd  exclusive, null for to its end
   * @param {FileVersion} [version]  of a file: another one is a failure
   */
  start(job, url, rangeStart, rangeEnd, version) {
    const controller = new AbortController();
    this._running.set(job, controller);
    this._run(job, url, rangeStart, rangeEnd, controller.signal, version).then(
      () => this._running.delete(job) && this._events.finished(job),
      (error) => this._running.delete(job) && this._events.failed(job, describe(error)),
    );
  }

  /** Ends it; nothing more is told of it. @param {number} job */
  abort(job) {
    const controller = this._running.get(job);
    this._running.delete(job);
    controller?.abort();
  }

  abortAll() {
    for (const job of [...this._running.keys()]) this.abort(job);
  }

  /** @param {number} job @param {string} url @param {number | null} rangeStart @param {number | null} rangeEnd @param {AbortSignal} signal @param {FileVersion} [version] */
  async _run(job, url, rangeStart, rangeEnd, signal, version) {
    /** @type {Record<string, string>} */
    const headers = rangeStart === null ? {} : { Range: `bytes=${rangeStart}-${rangeEnd === null ? "" : rangeEnd - 1}` };
    const response = await nativeFetch(url, { headers, signal, credentials: "same-origin", ...cacheOf(version) });
    if (!this._running.has(job)) return;
    if (!response.ok) throw new HttpError(response.status, response.statusText);
    if (version && !isOfVersion(version, (name) => response.headers.get(name))) throw new HttpError(412, CHANGED);
    const length = response.headers.has("content-encoding") ? null : Number(response.headers.get("content-length"));
    this._events.started(job, { partial: response.status === 206, sizeBytes: length || null });
    const reader = response.body?.getReader();
    if (!reader) throw new HttpError(response.status, "no body");
    for (;;) {
      const { done, value } = await reader.read();
      if (done || !this._running.has(job)) return;
      this._events.received(job, value);
    }
  }
}

/**
 * A small body, whole.
 * @param {string} url @param {RequestInit} init @param {number} mostBytes @param {number} timeoutMs @param {FileVersion} [version]  as of `start`
 * @returns {Promise<{ status: number, bytes: Uint8Array<ArrayBuffer> }>} status 0 without an answer; no bytes of one that is too large
 */
export async function fetchSmall(url, init, mostBytes, timeoutMs, version) {
  try {
    const response = await nativeFetch(url, {
      ...init,
      credentials: "same-origin",
      signal: AbortSignal.timeout(timeoutMs),
      ...cacheOf(version),
    });
    if (version && !isOfVersion(version, (name) => response.headers.get(name))) throw new HttpError(412, CHANGED);
    const bytes = new Uint8Array(mostBytes);
    let length = 0;
    const reader = response.body?.getReader();
    for (;;) {
      const { done, value } = (await reader?.read()) ?? { done: true, value: undefined };
      if (done || !value) return { status: response.status, bytes: bytes.slice(0, length) };
      if (length + value.length > mostBytes) {
        reader?.cancel();
        return { status: response.status, bytes: new Uint8Array(0) };
      }
      bytes.set(value, length);
      length += value.length;
    }
  } catch (error) {
    return { status: describe(error).status, bytes: new Uint8Array(0) };
  }
}

class HttpError extends Error {
  /** @param {number} status @param {string} reason */
  constructor(status, reason) {
    super(reason);
    this.status = status;
  }
}

/** @param {unknown} error @returns {{ status: number, reason: string }} */
function describe(error) {
  if (error instanceof HttpError) return { status: error.status, reason: error.message };
  return { status: 0, reason: error instanceof Error ? error.message : String(error) };
}
