/**
 * Signed digests of segments: whence they come, whether they are genuine, who is told of them.
 *
 * Who serves a segment gives its digest to whoever asks for pieces. It has it from a neighbour or, if it fetched the segment itself, from
 * where the tracker said (docs/adr/0012-signed-digests.md): one small request a copy that the CDN sends, none for anybody else.
 */

import { Digest } from "./digest.js";
import { refKey } from "./identity.js";
import { keepNewest } from "./newest.js";
import { DIGEST_ATTEMPTS, DIGEST_RETRY_MS, NEIGHBOUR_PARTIALS_MAX } from "./tuning.js";
import { FRAME, WireError } from "./wire.js";

/** @typedef {import("./download.js").SegmentSource} SegmentSource */
/** @typedef {import("./identity.js").SegmentRef} SegmentRef */
/** @typedef {import("./neighbour.js").Neighbour} Neighbour */

/**
 * @typedef {object} DigestEvents
 * @property {(digest: Digest, nowMs: number) => boolean} found  a genuine one; false where nobody wants it any more
 * @property {(ref: SegmentRef, nowMs: number) => void} missing  there is none: nobody has signed this segment
 * @property {(neighbour: Neighbour, reason: string, nowMs: number) => void} forged  by a neighbour
 */

/** One whose signature is being checked, or that is being fetched. @typedef {{ ref: SegmentRef, digest: Digest | null, from: Neighbour | null }} Pending */

export class Digests {
  /**
   * @param {string} content  content id
   * @param {import("./neighbourhood.js").Neighbourhood} neighbourhood
   * @param {import("./outbox.js").Outbox} outbox
   * @param {DigestEvents} events
   */
  constructor(content, neighbourhood, outbox, events) {
    this._content = content;
    this._neighbourhood = neighbourhood;
    this._outbox = outbox;
    this._events = events;
    /** Key id -> public key, 130 hex digits. @type {Map<string, string>} */
    this._keys = new Map();
    this._base = "";
    /** @type {Map<number, Pending>} by ticket */
    this._pending = new Map();
    this._nextTicket = 1;
    /** When it may be sought again; Infinity while it is being sought or there is none. @type {Map<string, { attempts: number, againMs: number }>} by ref key */
    this._sought = new Map();
    /** Who waits for us to have it. @type {Map<string, Set<number>>} ref key -> neighbours */
    this._wanted = new Map();
  }

  /**
   * @param {Map<string, string>} keys  those that are believed: key id -> public key
   * @param {string} base  URL or path below which the tracker has them; empty where they are beside the media
   */
  configure(keys, base) {
    this._keys = keys;
    this._base = base;
  }

  /** Asks for the digest of what we have or get from the CDN, unless it is being asked for. @param {SegmentSource} source @param {number} nowMs @returns {number} when to ask again; Infinity for never */
  seek(source, nowMs) {
    const { ref, url } = source;
    const key = refKey(ref);
    const sought = this._sought.get(key) ?? { attempts: 0, againMs: nowMs };
    if (url === "" && this._base === "") return Number.POSITIVE_INFINITY;
    if (nowMs < sought.againMs) return sought.againMs;
    sought.attempts++;
    sought.againMs = Number.POSITIVE_INFINITY;
    this._sought.set(key, sought);
    keepNewest(this._sought, NEIGHBOUR_PARTIALS_MAX);
    const ticket = this._ticket({ ref, digest: null, from: null });
    const path = [this._base, this._content, ref.track, ref.kind, ref.discontinuity, ref.number].join("/");
    this._outbox.push({ type: "digest", ticket, url: this._base === "" ? besideMedia(source) : path });
    return Number.POSITIVE_INFINITY;
  }

  /** What `seek` asked for came, or did not. @param {number} ticket @param {number} status  0 without an answer @param {Uint8Array} record @param {number} nowMs */
  fetched(ticket, status, record, nowMs) {
    const pending = this._pending.get(ticket);
    if (!pending) return;
    this._pending.delete(ticket);
    const digest = status === 200 ? this._read(record) : null;
    if (digest && refKey(digest.ref) === refKey(pending.ref)) {
      this._check({ ...pending, digest });
      return;
    }
    const sought = this._sought.get(refKey(pending.ref));
    const passing = status === 0 || status === 429 || status >= 500;
    if (sought && passing && sought.attempts < DIGEST_ATTEMPTS) sought.againMs = nowMs + DIGEST_RETRY_MS;
    else this._events.missing(pending.ref, nowMs);
  }

  /**
   * A neighbour sent one.
   * @param {Neighbour} neighbour @param {Uint8Array} record
   * @param {(ref: SegmentRef) => boolean} wanted  whether we are waiting for it
   * @throws {WireError} not a record
   */
  received(neighbour, record, wanted) {
    const digest = new Digest(record);
    neighbour.knowsDigest(refKey(digest.ref));
    if (!this._isOurs(digest) || !wanted(digest.ref)) return;
    for (const { from, ref } of this._pending.values()) {
      if (from === neighbour && refKey(ref) === refKey(digest.ref)) return; // one at a time: checking costs more than sending
    }
    this._check({ ref: digest.ref, digest, from: neighbour });
  }

  /** @param {Digest} digest @returns {boolean} whether it is of our content, and said to be signed by a key we believe */
  _isOurs({ content, keyId }) {
    return content === this._content && this._keys.has(keyId);
  }

  /** @param {Uint8Array} record @returns {Digest | null} of our content, said to be signed by a key we believe; null for anything else */
  _read(record) {
    try {
      const digest = new Digest(record);
      return this._isOurs(digest) ? digest : null;
    } catch (error) {
      if (error instanceof WireError) return null;
      throw error;
    }
  }

  /** @param {Pending & { digest: Digest }} pending */
  _check(pending) {
    const { keyId, signed, signature } = pending.digest;
    const key = /** @type {string} */ (this._keys.get(keyId));
    this._outbox.push({ type: "verify", ticket: this._ticket(pending), key, signed, signature });
  }

  /** @param {Pending} pending @returns {number} */
  _ticket(pending) {
    this._pending.set(this._nextTicket, pending);
    return this._nextTicket++;
  }

  /** What `verify` found. @param {number} ticket @param {boolean | null} genuine  null where it cannot be told @param {number} nowMs */
  verified(ticket, genuine, nowMs) {
    const pending = this._pending.get(ticket);
    if (!pending?.digest) return;
    this._pending.delete(ticket);
    const { digest, from } = pending;
    if (!genuine) {
      if (from && genuine === false) this._events.forged(from, "a digest that its key did not sign", nowMs);
      else this._events.missing(digest.ref, nowMs);
      return;
    }
    const key = refKey(digest.ref);
    this._sought.delete(key);
    if (this._events.found(digest, nowMs)) this._tellWaiting(key, digest);
  }

  /** @param {string} key @param {Digest} digest */
  _tellWaiting(key, digest) {
    for (const id of this._wanted.get(key) ?? []) {
      const neighbour = this._neighbourhood.get(id);
      if (neighbour) this._tell(neighbour, key, digest);
    }
    this._wanted.delete(key);
  }

  /** @param {Neighbour} neighbour @param {string} key @param {Digest} digest */
  _tell(neighbour, key, digest) {
    if (neighbour.knowsDigest(key)) return;
    this._neighbourhood.send(neighbour, { type: FRAME.DIGEST, record: digest.record });
  }

  /**
   * A neighbour asks for pieces: it needs the digest, now or as soon as we have it.
   * @param {Neighbour} neighbour @param {SegmentRef} ref @param {Digest | null} digest
   */
  wantedBy(neighbour, ref, digest) {
    const key = refKey(ref);
    if (digest) {
      this._tell(neighbour, key, digest);
      return;
    }
    const waiting = this._wanted.get(key) ?? new Set();
    waiting.add(neighbour.id);
    this._wanted.set(key, waiting);
    keepNewest(this._wanted, NEIGHBOUR_PARTIALS_MAX);
  }
}

/** @param {SegmentSource} source @returns {string} where a publisher's tool puts the record of what is there */
function besideMedia({ url, rangeStart, rangeEnd }) {
  const beside = new URL(url);
  beside.pathname += rangeStart === null ? ".ppd" : `.${rangeStart}-${rangeEnd}.ppd`;
  beside.hash = "";
  return beside.href;
}
