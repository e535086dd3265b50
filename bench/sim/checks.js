/**
 * What pages compute and ask for to check what neighbours send, over the modelled network: hashes at once, digests from a signer that sees
 * each segment as it appears, comparisons from the CDN. A signature is a stand-in: what is signed, hashed twice.
 */

import { createHash } from "node:crypto";
import { keepNewest } from "../../static/js/core/newest.js";
import { recordOf } from "./records.js";

/** @typedef {import("./peer.js").SimPeer} SimPeer */
/** @typedef {import("../../static/js/core/outbox.js").CheckCommand} CheckCommand */

const KEY_ID = "00".repeat(8);
/** @type {import("../../static/js/core/integrity.js").IntegrityPolicy} */
export const SIGNED = { mode: "signed", keys: new Map([[KEY_ID, "04"]]), digests: "/digests" };
/** From a segment's appearance to its record: a playlist's interval at the signer, and the fetch. */
const SIGNER_MS = 250;
/** Records kept; they are made again when they are asked for later. */
const RECORDS_MAX = 512;

/** @param {Uint8Array} bytes */
const sha256 = (bytes) => createHash("sha256").update(bytes).digest();

/** Frames are shared between peers (interning.js), and so are the hashes of what is in them. @type {WeakMap<ArrayBufferLike, Map<number, Uint8Array>>} */
const HASHES = new WeakMap();

/** @param {Uint8Array} bytes @returns {Uint8Array} */
function hashOf(bytes) {
  const known = HASHES.get(bytes.buffer) ?? new Map();
  const hash = known.get(bytes.byteOffset) ?? sha256(bytes);
  known.set(bytes.byteOffset, hash);
  HASHES.set(bytes.buffer, known);
  return hash;
}

/** @type {Map<string, Uint8Array>} by URL */
const RECORDS = new Map();

/** @param {SimPeer} peer @param {CheckCommand} command */
export function check(peer, command) {
  const { clock } = peer.world;
  if (command.type === "hash") peer.turn((nowMs) => peer.node.hashed(command.ticket, hashOf(command.bytes), nowMs));
  else if (command.type === "verify") {
    const genuine = stamp(command.signed).equals(command.signature);
    peer.turn((nowMs) => peer.node.verified(command.ticket, genuine, nowMs));
  } else if (command.type === "digest") {
    const [, , content = "", track = "", , , number] = command.url.split("/");
    const stream = peer.world.streams.get(track);
    const readyMs = (stream?.appearsMs(Number(number)) ?? 0) + SIGNER_MS;
    const record = stream ? known(command.url, content, track, Number(number), stream.bytes(Number(number))) : new Uint8Array(0);
    const atMs = Math.max(clock.nowMs + peer.trackerMs, readyMs) + peer.trackerMs;
    const answer = () => peer.turn((nowMs) => peer.node.digestFetched(command.ticket, stream ? 200 : 404, record, nowMs));
    clock.at(atMs, answer, null);
  } else compare(peer, command);
}

/** @param {SimPeer} peer @param {Extract<CheckCommand, { type: "compare" }>} command */
function compare(peer, { ticket, url, rangeStart, rangeEnd }) {
  const bytes = new Uint8Array(rangeEnd - rangeStart);
  let length = 0;
  peer.world.cdn.fetch(peer, url, rangeStart, rangeEnd, {
    started: () => {},
    received: (chunk) => {
      bytes.set(chunk, length);
      length += chunk.length;
    },
    finished: () => peer.turn((nowMs) => peer.node.compared(ticket, 206, bytes.subarray(0, length), nowMs)),
    failed: (status) => peer.turn((nowMs) => peer.node.compared(ticket, status, new Uint8Array(0), nowMs)),
  });
}

/** @param {Uint8Array} signed @returns {Buffer} 64 bytes */
const stamp = (signed) => Buffer.concat([sha256(signed), sha256(sha256(signed))]);

/** @param {string} url @param {string} content @param {string} track @param {number} number @param {Uint8Array} bytes @returns {Uint8Array} */
function known(url, content, track, number, bytes) {
  const record = RECORDS.get(url) ?? recordOf(KEY_ID, content, { track, kind: 0, discontinuity: 0, number }, bytes, stamp);
  RECORDS.set(url, record);
  keepNewest(RECORDS, RECORDS_MAX);
  return record;
}
