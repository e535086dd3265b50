/** Rates from totals that only grow, as they were read now and then. No clock. */

/** @typedef {{ atSec: number, totals: Record<string, number> }} Reading */

/** Long enough that segments, which come in bursts, do not make it jump. */
export const WINDOW_SEC = 10;

export class Rates {
  constructor() {
    /** @type {Reading[]} oldest first; the first is the one just outside the window */
    this._readings = [];
  }

  /** @param {Record<string, number>} totals  bytes @param {number} atSec  later than before */
  add(totals, atSec) {
    this._readings.push({ atSec, totals });
    while (this._readings.length > 2 && /** @type {Reading} */ (this._readings[1]).atSec <= atSec - WINDOW_SEC)
      this._readings.shift();
  }

  /** @param {string} name @returns {number} bits a second over the last WINDOW_SEC; 0 while unknown */
  bps(name) {
    const first = this._readings.find(({ totals }) => name in totals);
    const last = this._readings.at(-1);
    if (!first || !last || !(name in last.totals) || first.atSec === last.atSec) return 0;
    const grown = /** @type {number} */ (last.totals[name]) - /** @type {number} */ (first.totals[name]);
    return (Math.max(0, grown) * 8) / (last.atSec - first.atSec);
  }
}
