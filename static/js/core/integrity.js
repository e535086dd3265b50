/**
 * What neighbours send is checked before it counts: against the segment's signed digest, or, where nobody signs, against the CDN: the first
 * piece of each neighbour, and now and then another. Until then a piece is held apart: neither played nor kept nor passed on.
 */

import { PIECE_BYTES } from "./constants.js";
import { hex, unhex } from "./identity.js";
import { sha256 } from "./sha256.js";
import { DIGEST_PATIENCE_MS, SPOT_MIN_SPARE_MS, SPOT_SHARE } from "./tuning.js";

/** @typedef {import("./digest.js").Digest} Digest */
/** @typedef {import("./download.js").Download} Download */
/** @typedef {import("./neighbour.js").Neighbour} Neighbour */

/**
 * How the tracker says content is checked.
 * @typedef {object} IntegrityPolicy
 * @property {"signed" | "spot" | "off"} mode
 * @property {Map<string, string>} keys  key id (16 hex digits) -> public key (130)
 * @property {string} digests  where the tracker has digests; empty where they are beside the media
 */

/** A piece that is not believed yet. @typedef {{ neighbour: Neighbour, payload: Uint8Array, sizeBytes: number, heldMs: number }} Suspect */

/**
 * @typedef {object} IntegrityEvents
 * @property {(download: Download, index: number, suspect: Suspect, nowMs: number) => void} passed
 * @property {(neighbour: Neighbour, reason: string, sizeBytes: number, nowMs: number) => void} failed  it sent what is not the segment's
 * @property {(neighbour: Neighbour, nowMs: number) => void} proven  what is held apart of it is believed
 * @property {(neighbour: Neighbour, url: string, status: number, nowMs: number) => void} untold  the CDN did not say what it has there
 * @property {(download: Download) => void} disowned  what the CDN sends us is not what was signed: it is ours alone
 */

export class Integrity {
  /** @param {import("./outbox.js").Outbox} outbox @param {() => number} random  uniform in [0, 1), not to be guessed by others @param {IntegrityEvents} events */
  constructor(outbox, random, events) {
    /** @type {IntegrityPolicy["mode"]} */
    this.mode = "spot";
    this._outbox = outbox;
    this._random = random;
    this._events = events;
    /** A check of a piece that is held apart, or, without a suspect, of one the CDN sent. @type {Map<number, { download: Download, index: number, suspect: Suspect | null }>} */
    this._checks = new Map();
    this._nextTicket = 1;
  }

  /** Whether only what is signed counts. */
  get signed() {
    return this.mode === "signed";
  }

  /**
   * A piece came of a neighbour, of the length its place asks for.
   * @param {Download} download @param {number} index @param {Omit<Suspect, "heldMs">} piece
   * @param {boolean} takesRanges  whether the CDN would send it alone
   * @param {number} nowMs
   */
  received(download, index, piece, takesRanges, nowMs) {
    const { neighbour } = piece;
    /** @type {Suspect} */
    const suspect = { ...piece, heldMs: nowMs };
    const compared = this.mode === "spot" && takesRanges;
    const drawn = compared && neighbour.proven && this._random() < SPOT_SHARE;
    const urgent = download.deadlineMs - nowMs < SPOT_MIN_SPARE_MS;
    if (this.signed || (compared && !neighbour.proven) || (drawn && !urgent)) {
      download.suspects.set(index, suspect);
      if (download.segment.digest && this.signed) this._hash(download, index, suspect.payload, suspect);
      return;
    }
    // What is needed soon is believed, and compared all the same: else who is slow would never be.
    if (drawn && download.source.url) this._compare(download, index, suspect);
    this._events.passed(download, index, suspect, nowMs);
  }

  /** Where nobody signs: compares what is held apart, one piece of a neighbour at a time; what a fetch is to bring anyway it tells for nothing. @param {Download} download */
  compare(download) {
    if (this.mode !== "spot" || download.source.url === "") return;
    for (const [index, suspect] of download.suspects) {
      if (!suspect.neighbour.comparing && !download.fetch?.brings(index)) this._compare(download, index, suspect);
    }
  }

  /** The CDN sent a piece: one that others may have of us. @param {Download} download @param {number} index @param {Uint8Array} payload */
  fetched(download, index, payload) {
    if (this.signed && download.segment.digest && download.shared) this._hash(download, index, payload, null);
  }

  /** The digest of a download is there: all that waited for it is checked. @param {Download} download */
  digestFound(download) {
    for (const [index, suspect] of download.suspects) this._hash(download, index, suspect.payload, suspect);
    download.segment.fetchedPieces((index, payload) => this.fetched(download, index, payload));
  }

  /** @param {Download} download @param {number} index @param {Uint8Array} bytes @param {Suspect | null} suspect */
  _hash(download, index, bytes, suspect) {
    this._outbox.push({ type: "hash", ticket: this._ticket(download, index, suspect), bytes });
  }

  /** @param {Download} download @param {number} index @param {Suspect} suspect */
  _compare(download, index, suspect) {
    const { url, rangeStart, version } = download.source;
    const start = (rangeStart ?? 0) + index * PIECE_BYTES;
    suspect.neighbour.comparing = true;
    const ticket = this._ticket(download, index, suspect);
    const rangeEnd = start + suspect.payload.length;
    this._outbox.push({ type: "compare", ticket, url, rangeStart: start, rangeEnd, ...(version && { version }) });
  }

  /** @param {Download} download @param {number} index @param {Suspect | null} suspect @returns {number} */
  _ticket(download, index, suspect) {
    const ticket = this._nextTicket++;
    this._checks.set(ticket, { download, index, suspect });
    return ticket;
  }

  /** What `hash` found. @param {number} ticket @param {Uint8Array | null} hash  null where it cannot be told @param {number} nowMs @returns {Download | null} which may have gained a piece */
  hashed(ticket, hash, nowMs) {
    const check = this._checks.get(ticket);
    this._checks.delete(ticket);
    if (!check) return null;
    const { download, index, suspect } = check;
    const { digest } = download.segment;
    if (!hash) {
      if (download.shared) this._events.disowned(download);
      return download;
    }
    const genuine = digest?.matches(index, hash) ?? false;
    if (!suspect) {
      if (digest && !genuine && download.shared) this._events.disowned(download);
      return download;
    }
    if (download.suspects.get(index) !== suspect) return null; // it came from elsewhere meanwhile, or its sender is gone
    download.suspects.delete(index);
    if (genuine && digest?.sizeBytes === suspect.sizeBytes) this._events.passed(download, index, suspect, nowMs);
    else if (digest) this._events.failed(suspect.neighbour, "a piece that is not the segment's", suspect.payload.length, nowMs);
    return download;
  }

  /** What `compare` found. @param {number} ticket @param {number} status  of HTTP, 0 without an answer @param {Uint8Array} bytes @param {number} nowMs */
  compared(ticket, status, bytes, nowMs) {
    const check = this._checks.get(ticket);
    this._checks.delete(ticket);
    if (!check?.suspect) return;
    const { neighbour, payload } = check.suspect;
    neighbour.comparing = false;
    if (status === 206) this.judge(neighbour, payload, bytes, nowMs);
    else this._events.untold(neighbour, check.download.source.url, status, nowMs);
  }

  /** The CDN sent what a neighbour sent too. @param {Neighbour} neighbour @param {Uint8Array} payload @param {Uint8Array} bytes  the CDN's @param {number} nowMs */
  judge(neighbour, payload, bytes, nowMs) {
    if (this.mode !== "spot") return;
    if (bytes.length === payload.length && bytes.every((byte, at) => byte === payload[at])) {
      neighbour.proven = true;
      this._events.proven(neighbour, nowMs);
    } else this._events.failed(neighbour, "a piece that the CDN does not have", 0, nowMs);
  }

  /** @param {Download} download @returns {number} when pieces have waited too long for a neighbour to send their digest; Infinity where none waits */
  digestDueMs({ suspects, segment }) {
    if (!this.signed || segment.digest) return Number.POSITIVE_INFINITY;
    for (const { heldMs } of suspects.values()) return heldMs + DIGEST_PATIENCE_MS; // the first has waited longest
    return Number.POSITIVE_INFINITY;
  }
}

/** @param {string} key  public, 130 hex digits @returns {string} 16 hex digits */
const keyId = (key) => hex(sha256(unhex(key)).subarray(0, 8));

/** @param {unknown} told  `integrity` of a welcome, whatever it is @returns {IntegrityPolicy} */
export function integrityPolicy(told) {
  const { mode, keys, digests } = /** @type {Record<string, unknown>} */ (told && typeof told === "object" ? told : {});
  const known = mode === "signed" || mode === "off" ? mode : "spot";
  const publicKeys = (Array.isArray(keys) ? keys : []).filter((key) => typeof key === "string" && /^04[0-9a-f]{128}$/.test(key));
  return {
    mode: known,
    keys: new Map(publicKeys.map((key) => [keyId(key), key])),
    digests: typeof digests === "string" ? digests : "",
  };
}
