/**
 * How much may be asked of all neighbours together: what our own line carries in a while. More would only queue before us, and
 * what is needed soon would wait behind what is not.
 */

import { PIECE_BYTES } from "./constants.js";
import { PeakRate, RecentRate } from "./rates.js";
import { IN_FLIGHT_MS, IN_FLIGHT_PIECES_MIN, LINE_FULL } from "./tuning.js";

export class Pipeline {
  constructor() {
    this._peak = new PeakRate();
    this._recent = new RecentRate();
  }

  /** @param {number} sizeBytes  that neighbours or the CDN sent @param {number} nowMs */
  arrived(sizeBytes, nowMs) {
    this._peak.add(sizeBytes, nowMs);
    this._recent.add(sizeBytes, nowMs);
  }

  /** Whether as much arrives just now as ever did: then our line is the limit, and who else sends makes nothing sooner. @param {number} nowMs */
  full(nowMs) {
    const recent = this._recent.bytesPerMs(nowMs);
    return recent > 0 && recent >= LINE_FULL * this._peak.rateBytesPerMs;
  }

  /**
   * @param {Iterable<import("./neighbour.js").Neighbour>} neighbours
   * @param {number} httpRateBytesPerMs  what the CDN gets through our line
   * @returns {number} pieces that may be asked for now; 0 or less for none
   */
  room(neighbours, httpRateBytesPerMs) {
    let inFlight = 0;
    for (const { inFlightPieces } of neighbours) inFlight += inFlightPieces;
    const rate = Math.max(httpRateBytesPerMs, this._peak.rateBytesPerMs);
    return Math.max(IN_FLIGHT_PIECES_MIN, Math.ceil((rate * IN_FLIGHT_MS) / PIECE_BYTES)) - inFlight;
  }
}
