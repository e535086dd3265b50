/** A file that viewers of this content share: which version of it, where it is, and its swarm. */

import { contentId, fileTrackId, KIND_FILE } from "../core/identity.js";

/** @typedef {import("../pool.js").Pool} Pool */
/** @typedef {import("../core/identity.js").FileVersion} FileVersion */

export class SharedFile {
  /**
   * @param {Pool} pool
   * @param {{ url: string, answeredUrl: string, content: string, version: FileVersion, headers: Record<string, string> }} known
   *   `content` its name, `headers` those of the file itself
   * @param {import("../io/block-cache.js").BlockCache | null} cache
   */
  constructor(pool, { url, answeredUrl, content, version, headers }, cache) {
    this.pool = pool;
    this.url = url;
    this.answeredUrl = answeredUrl;
    this.content = content;
    this.version = version;
    this.headers = headers;
    this.track = fileTrackId(version);
    this._cache = cache;
    this._contentId = contentId(content);
    this.readers = 0;
    /** When it last had a reader. */
    this.usedAt = 0;
  }

  /** @returns {import("../engine.js").Engine | null} null while nothing may be shared */
  get engine() {
    return this.pool.engine(this.content);
  }

  /**
   * @param {number} number  of the block @param {{ rangeStart: number, rangeEnd: number }} range @param {number} durationSec
   * @returns {import("../core/download.js").SegmentSource}
   */
  source(number, { rangeStart, rangeEnd }, durationSec) {
    const { url, track, version } = this;
    const ref = { track, kind: KIND_FILE, discontinuity: 0, number };
    return {
      ref,
      url,
      rangeStart,
      rangeEnd,
      durationSec,
      expectedBytes: rangeEnd - rangeStart,
      live: false,
      type: "file",
      version,
    };
  }

  /** @param {number} number @returns {Promise<Uint8Array<ArrayBuffer> | null>} the block, if this device has it on its disk */
  async kept(number) {
    return this._keeps ? ((await this._cache?.get(this._contentId, this.track, number)) ?? null) : null;
  }

  /** @param {number} number @param {Uint8Array<ArrayBuffer>} bytes  of that block; copied */
  keep(number, bytes) {
    if (this._keeps) this._cache?.put(this._contentId, this.track, number, bytes, this.pool.options.fileCacheBytes);
  }

  get _keeps() {
    return this.pool.options.fileCacheBytes > 0;
  }
}
