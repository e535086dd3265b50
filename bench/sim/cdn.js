/**
 * The CDN: answers after a latency, at a rate a connection, within a capacity that all active transfers share equally. It logs
 * every byte it put on the wire, also of transfers that were given up: an abort takes a one-way latency to reach it.
 */

import { Stream } from "./stream.js";

/** @typedef {import("./clock.js").Clock} Clock */
/** @typedef {import("./links.js").Downlink} Downlink */

/** An answer's head. */
const HEAD_BYTES = 500;
/** What the CDN sends at once. */
const CHUNK_BYTES = 16384;
/** A receiver's queue longer than this slows the sender: TCP keeps no more than about this in the access line. */
const BACKLOG_MS = 60;

/**
 * Who fetches.
 * @typedef {object} Client
 * @property {Downlink} downlink
 * @property {boolean} gone
 * @property {number} cdnMs  one way
 * @property {number} cdnBytesPerMs  a connection's rate
 */

/** As the CDN sees it. @typedef {{ atMs: number, number: number, ranged: boolean, aborted: boolean }} Request */

/**
 * @typedef {object} FetchEvents
 * @property {(head: { partial: boolean, sizeBytes: number }) => void} started
 * @property {(bytes: Uint8Array) => void} received
 * @property {() => void} finished
 * @property {(status: number) => void} failed
 */

export class Transfer {
  /** @param {Cdn} cdn @param {Client} client @param {FetchEvents} events @param {string} url @param {number} start @param {number | null} end */
  constructor(cdn, client, events, url, start, end) {
    this.cdn = cdn;
    this.client = client;
    this.events = events;
    this.url = url;
    this.start = start;
    this.end = end;
    /** @type {Uint8Array} */
    this.body = EMPTY;
    this.offset = 0;
    this.cameBytes = 0;
    /** Given up by the client. */
    this.aborted = false;
    /** The CDN has heard of it. */
    this.stopped = false;
    this.counted = { bytes: 0 };
    this.request = { atMs: 0, number: 0, ranged: start > 0 || end !== null, aborted: false };
    /** Chunks under way, oldest first. @type {Uint8Array[]} */
    this.flying = [];
  }

  abort() {
    this.aborted = true;
    this.request.aborted = true;
    this.cdn.clock.after(this.client.cdnMs, stop, this);
  }
}

const EMPTY = new Uint8Array(0);

export class Cdn {
  /** @param {Clock} clock @param {(url: string) => Uint8Array} resource @param {number} [capacityBps]  of all transfers together */
  constructor(clock, resource, capacityBps = Number.POSITIVE_INFINITY) {
    this.clock = clock;
    this.resource = resource;
    this.capacityBytesPerMs = capacityBps / 8000;
    /** While true it answers 503. */
    this.down = false;
    this.sentBytes = 0;
    this.requests = 0;
    this.active = 0;
    /** Each request that was answered, where somebody wants to know. @type {Request[] | null} */
    this.history = null;
    /** Bytes sent of each URL. @type {Map<string, { bytes: number }>} */
    this.log = new Map();
  }

  /**
   * @param {Client} client @param {string} url @param {number} start @param {number | null} end  exclusive @param {FetchEvents} events
   * @returns {Transfer}
   */
  fetch(client, url, start, end, events) {
    const transfer = new Transfer(this, client, events, url, start, end);
    this.clock.after(client.cdnMs, requested, transfer);
    return transfer;
  }

  /** @param {(number: number) => boolean} [counted]  which segments @returns {{ sent: number, unique: number }} bytes */
  totals(counted = () => true) {
    let sent = 0;
    let unique = 0;
    for (const [url, { bytes }] of this.log) {
      if (!counted(Stream.numberOf(url))) continue;
      sent += bytes;
      unique += this.resource(url).length;
    }
    return { sent, unique };
  }

  /** @param {string} url */
  _entry(url) {
    let entry = this.log.get(url);
    if (!entry) {
      entry = { bytes: 0 };
      this.log.set(url, entry);
    }
    return entry;
  }

  /** @param {Transfer} transfer */
  begin(transfer) {
    const { client, url, start, end } = transfer;
    if (transfer.stopped || client.gone) return;
    this.requests++;
    if (this.down) {
      this.clock.after(client.cdnMs, failed, transfer);
      return;
    }
    transfer.counted = this._entry(url);
    transfer.body = this.resource(url).subarray(start, end ?? undefined);
    this.active++;
    if (this.history) {
      transfer.request.atMs = this.clock.nowMs;
      transfer.request.number = Stream.numberOf(url);
      this.history.push(transfer.request);
    }
    this.clock.after(client.cdnMs, headCame, transfer);
    this.send(transfer);
  }

  /** The next chunk goes out, when the rate lets it. @param {Transfer} transfer */
  send(transfer) {
    const { client } = transfer;
    const size = Math.min(CHUNK_BYTES, transfer.body.length - transfer.offset);
    const rate = Math.min(client.cdnBytesPerMs, this.capacityBytesPerMs / this.active);
    const heldMs = Math.max(0, client.downlink.backlogMs - BACKLOG_MS);
    this.clock.after(heldMs + size / rate, chunkSent, transfer);
  }

  /** @param {Transfer} transfer */
  chunkSent(transfer) {
    if (transfer.stopped || transfer.client.gone) {
      this.active--;
      return;
    }
    const chunk = transfer.body.subarray(transfer.offset, transfer.offset + CHUNK_BYTES);
    transfer.offset += chunk.length;
    transfer.counted.bytes += chunk.length;
    this.sentBytes += chunk.length;
    transfer.flying.push(chunk);
    this.clock.after(transfer.client.cdnMs, chunkCame, transfer);
    if (transfer.offset < transfer.body.length) this.send(transfer);
    else this.active--;
  }
}

/** @param {Transfer} transfer */
function requested(transfer) {
  transfer.cdn.begin(transfer);
}

/** @param {Transfer} transfer */
function stop(transfer) {
  transfer.stopped = true;
}

/** @param {Transfer} transfer */
function chunkSent(transfer) {
  transfer.cdn.chunkSent(transfer);
}

/** @param {Transfer} transfer */
function failed({ client, aborted, events }) {
  if (!client.gone && !aborted) events.failed(503);
}

/** At the client's downlink. @param {Transfer} transfer */
function headCame(transfer) {
  const { client, cdn } = transfer;
  if (!client.gone) cdn.clock.at(client.downlink.take(HEAD_BYTES), headReceived, transfer);
}

/** @param {Transfer} transfer */
function headReceived({ client, aborted, events, start, end, body }) {
  if (!client.gone && !aborted) events.started({ partial: start > 0 || end !== null, sizeBytes: body.length });
}

/** At the client's downlink. @param {Transfer} transfer */
function chunkCame(transfer) {
  const { client, cdn } = transfer;
  if (client.gone) return;
  const size = Math.min(CHUNK_BYTES, transfer.body.length - transfer.cameBytes);
  transfer.cameBytes += size;
  cdn.clock.at(client.downlink.take(size), chunkReceived, transfer);
}

/** @param {Transfer} transfer */
function chunkReceived(transfer) {
  const { client, events, body, flying } = transfer;
  const chunk = /** @type {Uint8Array} */ (flying.shift());
  if (client.gone || transfer.aborted) return;
  events.received(chunk);
  const over = flying.length === 0 && transfer.offset === body.length;
  if (over && !transfer.aborted) events.finished();
}
