/** The numbers that the demo's chart draws: rates from totals, over the last while. No clock, no drawing. */

/** @typedef {{ fromPeers: number, fromCdn: number, toPeers: number }} Totals  bytes since the page loaded */

/** What fits a phone's width and still shows what led to now. */
export const KEPT = 120;
/** Segments come in bursts: a rate is over so many samples. */
export const SMOOTHED = 5;

/** Uneven samples of totals in, even columns out: seconds, then Mbit/s from peers, from the CDN, to peers. */
export class Series {
  constructor() {
    /** @type {{ atSec: number, totals: Totals }[]} oldest first */
    this._samples = [];
  }

  /** @param {number} atSec  later than before @param {Totals} totals */
  add(atSec, totals) {
    this._samples.push({ atSec, totals: { ...totals } });
    if (this._samples.length > KEPT + SMOOTHED) this._samples.shift();
  }

  /** @returns {[number[], number[], number[], number[]]} of equal lengths, at most KEPT; empty before the second sample */
  get columns() {
    /** @type {[number[], number[], number[], number[]]} */
    const columns = [[], [], [], []];
    for (let at = Math.max(1, this._samples.length - KEPT); at < this._samples.length; at++) {
      const { atSec, totals } = /** @type {{ atSec: number, totals: Totals }} */ (this._samples[at]);
      const before = /** @type {{ atSec: number, totals: Totals }} */ (this._samples[Math.max(0, at - SMOOTHED)]);
      /** @param {keyof Totals} name */
      const mbps = (name) => (Math.max(0, totals[name] - before.totals[name]) * 8) / 1e6 / (atSec - before.atSec);
      columns[0].push(atSec);
      columns[1].push(mbps("fromPeers"));
      columns[2].push(mbps("fromCdn"));
      columns[3].push(mbps("toPeers"));
    }
    return columns;
  }

  /** @returns {string} the newest, in words; for who does not see the chart */
  get words() {
    const [, peers, cdn, up] = this.columns.map((column) => (column.at(-1) ?? 0).toFixed(1));
    return `${peers} Mbit/s from peers, ${cdn} Mbit/s from the CDN, ${up} Mbit/s to peers`;
  }
}
