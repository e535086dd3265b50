/**
 * SHA-256 and signatures by the browser (`crypto.subtle`), off the main thread; small requests for digests and comparisons. Pages without a
 * secure context have no `crypto.subtle`: they load a second script, once something is to be checked.
 */

import { PIECE_BYTES } from "../core/constants.js";
import { unhex } from "../core/identity.js";
import { DIGEST_MAX_BYTES } from "../core/wire.js";
import { fetchSmall } from "./http-fetcher.js";
import { loadCrypto } from "./second-script.js";

/** The tracker holds an answer back for up to 4 s; and the way. */
const DIGEST_TIMEOUT_MS = 8000;
const COMPARE_TIMEOUT_MS = 3000;

/**
 * What a checker tells, of each ticket once.
 * @typedef {object} CheckEvents
 * @property {(ticket: number, hash: Uint8Array | null) => void} hashed  null where it cannot be told, as below
 * @property {(ticket: number, genuine: boolean | null) => void} verified
 * @property {(ticket: number, status: number, record: Uint8Array) => void} digestFetched
 * @property {(ticket: number, status: number, bytes: Uint8Array) => void} compared
 */

/**
 * @typedef {object} Crypto
 * @property {(bytes: Uint8Array<ArrayBuffer>) => Promise<Uint8Array>} sha256
 * @property {(key: string, signed: Uint8Array<ArrayBuffer>, signature: Uint8Array<ArrayBuffer>) => Promise<boolean>} verify  `key` in hex
 */

export class Checker {
  /** @param {string} tracker  URL of its /signal @param {CheckEvents} events */
  constructor(tracker, events) {
    this._base = tracker.replace(/^ws/, "http");
    this._events = events;
    /** @type {Promise<Crypto> | null} */
    this._crypto = null;
  }

  /** @param {import("../core/outbox.js").CheckCommand} command */
  async check(command) {
    const { type, ticket } = command;
    if (type === "hash") {
      const bytes = /** @type {Uint8Array<ArrayBuffer>} */ (command.bytes);
      const hash = this._load().then(({ sha256 }) => sha256(bytes));
      this._events.hashed(ticket, await hash.catch(() => null));
    } else if (type === "verify") {
      const genuine = this._load().then(({ verify }) => verify(command.key, command.signed, command.signature));
      this._events.verified(ticket, await genuine.catch(() => null));
    } else if (type === "digest") {
      const url = new URL(command.url, this._base).href;
      const { status, bytes } = await fetchSmall(url, {}, DIGEST_MAX_BYTES, DIGEST_TIMEOUT_MS);
      this._events.digestFetched(ticket, status, bytes);
    } else {
      const headers = { Range: `bytes=${command.rangeStart}-${command.rangeEnd - 1}` };
      const { status, bytes } = await fetchSmall(command.url, { headers }, PIECE_BYTES, COMPARE_TIMEOUT_MS, command.version);
      this._events.compared(ticket, status, bytes);
    }
  }

  /** @returns {Promise<Crypto>} */
  _load() {
    this._crypto ??= globalThis.crypto?.subtle ? Promise.resolve(native) : loadCrypto();
    return this._crypto;
  }
}

/** Imported once each: a page meets one key or two. @type {Map<string, Promise<CryptoKey>>} */
const keys = new Map();

/** @param {string} key  in hex */
function imported(key) {
  const known =
    keys.get(key) ?? crypto.subtle.importKey("raw", unhex(key), { name: "ECDSA", namedCurve: "P-256" }, false, ["verify"]);
  keys.set(key, known);
  return known;
}

/** @type {Crypto} */
const native = {
  async sha256(bytes) {
    return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  },
  async verify(key, signed, signature) {
    return crypto.subtle.verify({ name: "ECDSA", hash: "SHA-256" }, await imported(key), signature, signed);
  },
};
