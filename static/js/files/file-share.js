/** The files of a page that are shared: learns what a URL's file is by its first range, and answers requests with readings of it. */

import { FILE_BLOCK_BYTES } from "../core/constants.js";
import { headOf, wantedOf } from "../core/file-request.js";
import { contentRange, isForAll, versionOf } from "../core/file-version.js";
import { contentId, contentName } from "../core/identity.js";
import { now } from "../io/alarm.js";
import { BlockCache } from "../io/block-cache.js";
import { Reading } from "./reading.js";
import { SharedFile } from "./shared-file.js";

/** @typedef {import("../pool.js").Pool} Pool */
/** @typedef {import("../core/file-request.js").Wanted} Wanted */
/** @typedef {import("../core/file-version.js").Header} Header */
/** @typedef {import("../core/identity.js").FileVersion} FileVersion */
/** @typedef {import("./reading.js").ByteReader} ByteReader */
/** @typedef {import("./reading.js").FileProgress} FileProgress */

/**
 * @typedef {object} FileOptions
 * @property {string} [content]  names the file where host and path of its URL would not do
 * @property {(progress: FileProgress) => void} [progress]
 * @property {boolean} [urgent]  somebody waits for its first byte to see something
 */

/** A file whose readers are gone goes on being shared, but of this many only: each swarm holds memory and connections. */
const FILES_KEPT = 4;
/** For so long after it was last read it is taken to be the same one without asking: a player's next seek. */
const KNOWN_MS = 60_000;
/** Of the file's own headers, those that its readers are told. */
const KEPT_HEADERS = ["content-type", "content-disposition", "etag", "last-modified", "cache-control"];

export class FileShare {
  /** @param {Pool} pool @param {typeof globalThis.fetch} fetch  the browser's own @param {BlockCache | null} [cache] */
  constructor(pool, fetch, cache = BlockCache.ofPage()) {
    this.pool = pool;
    this._fetch = fetch;
    this._cache = cache;
    /** @type {Map<string, SharedFile>} by content name and URL, the one last asked for last */
    this._files = new Map();
  }

  /**
   * @param {Request} request
   * @param {FileOptions} [options]
   * @returns {Promise<Response | null>} null for what is to be fetched as without us
   * @throws as `fetch` does: by abort, or for want of an answer
   */
  async answer(request, { content, progress, urgent = false } = {}) {
    const wanted = this.pool.active ? wantedOf(request) : null;
    if (!wanted) return null;
    const name = content ?? contentName(wanted.url);
    /** @param {SharedFile} file @param {ByteReader | null} lead */
    const read = (file, lead) => this._read(file, wanted, lead, { progress: progress ?? null, urgent, signal: request.signal });
    const known = this._known(name, wanted.url);
    if (known) return wanted.start < known.version.sizeBytes ? read(known, null) : null;
    // Joining takes some round trips: it begins with the question what file it is.
    const joining = { content: name };
    this.pool.players.add(joining);
    this.pool.engine(name);
    const asked = await this._ask(request, wanted, name).finally(() => this.pool.players.delete(joining));
    this.pool.leaveUnused();
    return asked && !(asked instanceof Response) ? read(asked.file, asked.lead) : asked;
  }

  /** @param {string} name @param {string} url @returns {SharedFile | null} what needs no asking */
  _known(name, url) {
    const file = this._files.get(`${name} ${url}`);
    return file && (file.readers > 0 || now() < file.usedAt + KNOWN_MS) ? file : null;
  }

  /**
   * Learns of a file by asking for its first wanted block, or for a byte where there is likely to be more of it on the disk.
   * @param {Request} request @param {Wanted} wanted @param {string} name
   * @returns {Promise<Response | { file: SharedFile, lead: ByteReader | null } | null>} the server's own answer where that is to be passed on
   */
  async _ask(request, wanted, name) {
    const { url, start } = wanted;
    const blockEnd = (Math.floor(start / FILE_BLOCK_BYTES) + 1) * FILE_BLOCK_BYTES;
    const isKept = this.pool.options.fileCacheBytes > 0 && (await this._cache?.knows(contentId(name)));
    const until = isKept ? start + 1 : Math.min(blockEnd, wanted.end ?? blockEnd);
    const headers = new Headers(request.headers);
    headers.set("Range", `bytes=${start}-${until - 1}`);
    const response = await this._fetch(new Request(request, { headers, cache: "no-store" }));
    if (response.status !== 206) return response.status === 416 && !wanted.isRange ? discarded(response) : response;
    /** @type {Header} */
    const header = (headerName) => response.headers.get(headerName);
    const part = contentRange(header);
    const sizeBytes = part ? part.sizeBytes : await this._sizeByHead(url);
    const version = sizeBytes && isForAll(header) ? versionOf(header, sizeBytes, Date.now() / 1000) : null;
    if (!response.body || !version || (part && part.start !== start)) return discarded(response);
    const end = Math.min(wanted.end ?? version.sizeBytes, version.sizeBytes);
    if (end <= start) return discarded(response);
    if (end <= until) return this._whole(response, wanted, version); // all of it is on its way
    const file = this._add({ url, answeredUrl: response.url || url, content: name, version, headers: kept(header) });
    if (!isKept) return { file, lead: response.body.getReader() };
    discarded(response);
    return { file, lead: null };
  }

  /** @param {string} url @returns {Promise<number | null>} where a page may not see Content-Range it may see Content-Length */
  async _sizeByHead(url) {
    try {
      // With a range nothing is compressed, and the length is the file's.
      const response = await this._fetch(url, { method: "HEAD", headers: { Range: "bytes=0-" }, cache: "no-store" });
      return (response.ok && Number(response.headers.get("content-length"))) || null;
    } catch {
      return null;
    }
  }

  /** @param {Response} response  brings all that is wanted @param {Wanted} wanted @param {FileVersion} version */
  _whole(response, wanted, { sizeBytes }) {
    const head = headOf(wanted, sizeBytes);
    const headers = new Headers(response.headers);
    for (const [name, value] of Object.entries(head.headers)) headers.set(name, value);
    if (!wanted.isRange) headers.delete("content-range");
    return placed(new Response(response.body, { ...head, headers }), response.url || wanted.url);
  }

  /** @param {ConstructorParameters<typeof SharedFile>[1]} known @returns {SharedFile} */
  _add(known) {
    const key = `${known.content} ${known.url}`;
    const before = this._files.get(key);
    const file = new SharedFile(this.pool, known, this._cache);
    this._files.delete(key);
    this._files.set(key, file);
    this.pool.players.add(file);
    if (before && before.readers === 0) this.pool.players.delete(before);
    for (const [oldKey, old] of [...this._files]) {
      if (this._files.size <= FILES_KEPT) break;
      if (old === file || old.readers > 0) continue;
      this._files.delete(oldKey);
      this.pool.players.delete(old);
    }
    return file;
  }

  /**
   * @param {SharedFile} file @param {Wanted} wanted @param {ByteReader | null} lead
   * @param {Pick<import("./reading.js").ReadingOptions, "progress" | "urgent" | "signal">} options
   */
  _read(file, wanted, lead, options) {
    const { sizeBytes } = file.version;
    const head = headOf(wanted, sizeBytes);
    const end = Math.min(wanted.end ?? sizeBytes, sizeBytes);
    const reading = new Reading(file, this._fetch, { ...options, start: wanted.start, end }, lead);
    const response = new Response(reading.stream, { ...head, headers: { ...file.headers, ...head.headers } });
    return abortable(placed(response, file.answeredUrl), options.signal);
  }
}

/** @param {Header} header @returns {Record<string, string>} */
function kept(header) {
  const values = KEPT_HEADERS.map((name) => [name, header(name)]);
  return Object.fromEntries(values.filter(([, value]) => value !== null));
}

/** @param {Response} response @param {string} url  what it is an answer of; a made response has none of its own */
function placed(response, url) {
  Object.defineProperty(response, "url", { value: url });
  return response;
}

/**
 * Chromium says TypeError of a body that was read whole and broke off, where of its own it says why.
 * @param {Response} response @param {AbortSignal | null} signal
 */
function abortable(response, signal) {
  for (const name of /** @type {const} */ (["arrayBuffer", "blob", "formData", "json", "text"])) {
    const read = response[name].bind(response);
    const value = () =>
      read().catch((/** @type {unknown} */ error) => {
        throw signal?.aborted ? signal.reason : error;
      });
    Object.defineProperty(response, name, { value });
  }
  return response;
}

/** @param {Response} response @returns {null} */
function discarded(response) {
  response.body?.cancel().catch(() => {});
  return null;
}
