/**
 * Blocks of files on this device's disk (Cache API), below a cap of bytes and of what the browser grants; the oldest go first. Any failure is
 * a block that is not there.
 */

import { FILE_BLOCK_BYTES } from "../core/constants.js";

const NAME = "peerpool-blocks-1";
/** Of what the browser would still grant this origin so much is left to the page. */
const QUOTA_SHARE = 0.5;

export class BlockCache {
  /** @param {string} origin  of the page @param {CacheStorage} storage @param {() => Promise<StorageEstimate>} estimate */
  constructor(origin, storage, estimate) {
    this._origin = origin;
    this._storage = storage;
    this._estimate = estimate;
    /** One change at a time, so that what is counted is what is there. @type {Promise<unknown>} */
    this._changes = Promise.resolve();
  }

  /** @returns {BlockCache | null} this page's; null where there is none: without a secure context, or with storage switched off */
  static ofPage() {
    try {
      return globalThis.caches ? new BlockCache(location.origin, caches, () => navigator.storage.estimate()) : null;
    } catch {
      return null;
    }
  }

  /** @param {string} content  content id @param {string} [track] @param {number} [number] @returns {string} a URL that no server is asked for */
  _url(content, track = "", number = -1) {
    return `${this._origin}/.peerpool/${content}/${track}${number < 0 ? "" : `/${number}`}`;
  }

  /** @param {string} content  content id @returns {Promise<boolean>} whether there is any of it, of any version */
  async knows(content) {
    const prefix = this._url(content);
    return (await this._keys()).some(({ url }) => url.startsWith(prefix));
  }

  /** @param {string} content @param {string} track @param {number} number @returns {Promise<Uint8Array<ArrayBuffer> | null>} */
  async get(content, track, number) {
    try {
      const found = await (await this._storage.open(NAME)).match(this._url(content, track, number));
      return found ? new Uint8Array(await found.arrayBuffer()) : null;
    } catch {
      return null;
    }
  }

  /** @param {string} content @param {string} track @param {number} number @param {Uint8Array<ArrayBuffer>} bytes  copied @param {number} capBytes  of all blocks */
  put(content, track, number, bytes, capBytes) {
    const response = new Response(bytes);
    this._changes = this._changes.then(() => this._put(this._url(content, track, number), response, capBytes)).catch(() => {});
    return this._changes;
  }

  /** @param {string} url @param {Response} response @param {number} capBytes */
  async _put(url, response, capBytes) {
    const { quota = 0, usage = 0 } = await this._estimate();
    const cache = await this._storage.open(NAME);
    const keys = await cache.keys(); // in the order they were put
    const heldBytes = keys.length * FILE_BLOCK_BYTES; // a file's last block is counted as a whole one
    const roomBytes = Math.min(capBytes, heldBytes + QUOTA_SHARE * Math.max(0, quota - usage));
    const excess = Math.ceil((heldBytes + FILE_BLOCK_BYTES - roomBytes) / FILE_BLOCK_BYTES);
    for (const key of keys.slice(0, Math.max(0, excess))) await cache.delete(key);
    if (roomBytes >= FILE_BLOCK_BYTES) await cache.put(url, response);
  }

  async _keys() {
    try {
      return await (await this._storage.open(NAME)).keys();
    } catch {
      return [];
    }
  }
}
