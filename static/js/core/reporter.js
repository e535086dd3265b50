/** What the tracker is told now and then: what moved since it was last told, what is held of what is played, how far neighbours are. */

import { NEIGHBOURS_MAX, REPORTED_RANGES_MAX, REPORTED_TRACKS_MAX } from "./constants.js";
import { KIND_INIT, KIND_PART } from "./identity.js";
import { keepNewest } from "./newest.js";
import { RangeSet } from "./range-set.js";

/** @typedef {import("./identity.js").SegmentRef} SegmentRef */
/** @typedef {import("./neighbour.js").Neighbour} Neighbour */
/** @typedef {{ track: string, playhead: number, held: import("./range-set.js").Range[] }} Holding */

/**
 * In the tracker's own words (docs/wire-protocol.md), but `rtts` and `received` are by link: the node does not know peers by name.
 * @typedef {object} Report
 * @property {Record<string, number>} totals
 * @property {[link: number, rttMs: number][]} rtts
 * @property {[link: number, sizeBytes: number][]} received  of those who sent anything
 * @property {Holding[]} holdings
 */

export class Reporter {
  constructor() {
    /** The segment that a player last asked for, by track, the latest last. @type {Map<string, number>} */
    this._playheads = new Map();
    this._last = { peerBytes: 0, farBytes: 0, relayedBytes: 0, cdnBytes: 0, sentBytes: 0 };
    this._lastStalls = 0;
  }

  /** A player wants it. @param {SegmentRef} ref */
  asked({ track, kind, number }) {
    if (kind === KIND_INIT || kind === KIND_PART) return;
    this._playheads.delete(track);
    this._playheads.set(track, number);
    keepNewest(this._playheads, REPORTED_TRACKS_MAX);
  }

  /**
   * @param {import("./ledger.js").Ledger} ledger @param {number} stalls  of the players, ever
   * @param {readonly Neighbour[]} neighbours @param {Iterable<SegmentRef>} held
   * @returns {Report}
   */
  next({ peerBytes, farBytes, relayedBytes, cdnBytes, sentBytes }, stalls, neighbours, held) {
    const last = this._last;
    const totals = {
      peer_bytes: peerBytes - last.peerBytes,
      far_bytes: farBytes - last.farBytes,
      ...(relayedBytes > last.relayedBytes ? { relayed_bytes: relayedBytes - last.relayedBytes } : {}),
      cdn_bytes: cdnBytes - last.cdnBytes,
      sent_bytes: sentBytes - last.sentBytes,
      neighbours: neighbours.length,
      stalls: stalls - this._lastStalls,
    };
    this._last = { peerBytes, farBytes, relayedBytes, cdnBytes, sentBytes };
    this._lastStalls = stalls;
    return { totals, rtts: roundTrips(neighbours), received: received(neighbours), holdings: this._holdings(held) };
  }

  /** @param {Iterable<SegmentRef>} held @returns {Holding[]} */
  _holdings(held) {
    const playheads = [...this._playheads];
    const numbers = new Map(playheads.map(([track]) => [track, new RangeSet()]));
    for (const { track, kind, number } of held) if (kind !== KIND_INIT && kind !== KIND_PART) numbers.get(track)?.add(number);
    return playheads.map(([track, playhead]) => {
      const runs = /** @type {RangeSet} */ (numbers.get(track)).ranges();
      const longest = runs.sort((a, b) => b[1] - a[1]).slice(0, REPORTED_RANGES_MAX);
      return { track, playhead, held: longest.sort((a, b) => a[0] - b[0]) };
    });
  }
}

/** @param {readonly Neighbour[]} neighbours @returns {[link: number, rttMs: number][]} of those that answered a ping */
function roundTrips(neighbours) {
  const measured = neighbours.filter(({ leastRttMs }) => Number.isFinite(leastRttMs)).slice(0, NEIGHBOURS_MAX);
  return measured.map(({ id, leastRttMs }) => [id, reportedRttMs(leastRttMs)]);
}

/** @param {readonly Neighbour[]} neighbours @returns {[link: number, sizeBytes: number][]} what each sent that was not told yet */
function received(neighbours) {
  /** @type {[link: number, sizeBytes: number][]} */
  const found = [];
  for (const neighbour of neighbours.slice(0, NEIGHBOURS_MAX)) {
    const sizeBytes = neighbour.gainedBytes - neighbour.reportedBytes;
    neighbour.reportedBytes = neighbour.gainedBytes;
    if (sizeBytes > 0) found.push([neighbour.id, sizeBytes]);
  }
  return found;
}

/** @param {number} rttMs  as measured @returns {number} whole milliseconds, within what the tracker takes */
export const reportedRttMs = (rttMs) => Math.min(Math.max(1, Math.round(rttMs)), RTT_MAX_MS);

/** More is no round trip: somebody's page was frozen meanwhile. */
const RTT_MAX_MS = 60_000;
