/** The commands a peer gives to the world around it. */

/**
 * When the bytes of a delivery really moved: what a player's rate estimate may be told.
 * @typedef {object} Timing
 * @property {number} startMs  first asked for, of anybody
 * @property {number} firstByteMs
 * @property {number} endMs
 */

/** @typedef {import("./identity.js").FileVersion} FileVersion */

/**
 * @typedef {{ type: "send", neighbour: number, bulk: boolean, bytes: Uint8Array<ArrayBuffer> }} SendCommand
 * @typedef {{ type: "drop", neighbour: number, reason: string }} DropCommand
 * @typedef {{ type: "renamed", neighbour: number, peer: string }} RenamedCommand  the neighbour's id at the tracker
 * @typedef {{ type: "fetch", job: number, url: string, rangeStart: number | null, rangeEnd: number | null, version?: FileVersion }} FetchCommand
 *   bytes of the resource, end exclusive: no start, the whole resource; no end, to its end
 * @typedef {{ type: "abort", job: number }} AbortCommand
 * @typedef {object} ProgressCommand
 * @property {"progress"} type
 * @property {number} request
 * @property {number} loadedBytes
 * @property {number | null} sizeBytes
 * @property {number} startMs
 * @property {number} firstByteMs
 * @typedef {object} DeliverCommand
 * @property {"deliver"} type
 * @property {number} request
 * @property {Uint8Array<ArrayBuffer>} bytes  a copy, the receiver's to keep or transfer
 * @property {number} peerBytes  how many of them neighbours sent
 * @property {Timing} timing
 * @property {import("./scheduler.js").FetchReason | null} reason  why the CDN was asked, the last time; null if it was not
 * @typedef {{ type: "hash", ticket: number, bytes: Uint8Array }} HashCommand  SHA-256 of it; answered by `hashed`
 * @typedef {{ type: "verify", ticket: number, key: string, signed: Uint8Array<ArrayBuffer>, signature: Uint8Array<ArrayBuffer> }} VerifyCommand
 *   whether the key (P-256, uncompressed, hex) has signed it; answered by `verified`
 * @typedef {{ type: "digest", ticket: number, url: string }} DigestCommand  the record there, if need be below the tracker; answered by `digestFetched`
 * @typedef {{ type: "compare", ticket: number, url: string, rangeStart: number, rangeEnd: number, version?: FileVersion }} CompareCommand  those bytes of the CDN,
 *   end exclusive; answered by `compared`
 * @typedef {HashCommand | VerifyCommand | DigestCommand | CompareCommand} CheckCommand
 * @typedef {{ type: "banned", neighbour: number, proven: boolean }} BannedCommand  it sent wrong bytes; `drop` follows. Not proven: it may have
 *   been sent them, and not have known
 * @typedef {{ type: "whole", ref: import("./identity.js").SegmentRef }} WholeCommand  a segment has come to be held whole; nothing need be done
 * @typedef {{ type: "fail", request: number, status: number, reason: string }} FailCommand
 * @typedef {{ type: "refuse", request: number }} RefuseCommand  there is no memory for it: the player is to load it without us
 * @typedef {SendCommand | CheckCommand | BannedCommand | DropCommand | RenamedCommand | FetchCommand | AbortCommand | ProgressCommand | WholeCommand | DeliverCommand | FailCommand | RefuseCommand} Command
 */

/** Most turns command this. @type {Command[]} */
const NOTHING = [];

export class Outbox {
  constructor() {
    /** @type {Command[]} */
    this._commands = [];
  }

  /** @param {Command} command */
  push(command) {
    this._commands.push(command);
  }

  /** @returns {Command[]} in order; each is returned once */
  take() {
    const commands = this._commands;
    if (commands.length === 0) return NOTHING;
    this._commands = [];
    return commands;
  }
}
