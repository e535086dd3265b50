/**
 * How much may be asked of all neighbours together: what our own line carries in a while. More would only queue before us, and
 * what is needed soon would wait behind what is not.
 */

import { PIECE_BYTES } from "./constants.js";
import { PeakRate } from "./rates.js";
import { IN_FLIGHT_MS, IN_FLIGHT_PIECES_MIN } from "./tuning.js";

export class Pipeline {
  constructor() {
    this._arrivals = new PeakRate();
  }

  /** @param {number} sizeBytes  that a neighbour sent @param {number} nowMs */
  arrived(sizeBytes, nowMs) {
    this._arrivals.add(sizeBytes, nowMs);
  }

  /**
   * @param {Iterable<import("./neighbour.js").Neighbour>} neighbours
   * @param {number} httpRateBytesPerMs  what the CDN gets through our line
   * @returns {number} pieces that may be asked for now; 0 or less for none
   */
  room(neighbours, httpRateBytesPerMs) {
    let inFlight = 0;
    for (const { inFlightPieces } of neighbours) inFlight += inFlightPieces;
    const rate = Math.max(httpRateBytesPerMs, this._arrivals.rateBytesPerMs);
    return Math.max(IN_FLIGHT_PIECES_MIN, Math.ceil((rate * IN_FLIGHT_MS) / PIECE_BYTES)) - inFlight;
  }
}
