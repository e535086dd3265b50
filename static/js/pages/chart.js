/** Draws rates by source over time (uPlot), in the page's colours, as wide as there is room. */

import uPlot from "uplot";
import { Series } from "./series.js";

const HEIGHT_PX = 180;

export class RateChart {
  /** @param {HTMLElement} place  gets a label that says the newest numbers */
  constructor(place) {
    this._place = place;
    this._series = new Series();
    this._plot = this._make();
    new ResizeObserver(() => this._plot.setSize({ width: this._widthPx, height: HEIGHT_PX })).observe(place);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      this._plot.destroy();
      this._plot = this._make();
    });
  }

  /** How many samples it shows. */
  get length() {
    return this._series.columns[0].length;
  }

  /** @param {number} atSec @param {import("./series.js").Totals} totals */
  add(atSec, totals) {
    this._series.add(atSec, totals);
    this._place.setAttribute("aria-label", `Rates: ${this._series.words}`);
    if (!document.hidden) this._plot.setData(this._series.columns);
  }

  get _widthPx() {
    return Math.max(200, Math.floor(this._place.clientWidth));
  }

  _make() {
    const style = getComputedStyle(document.documentElement);
    /** @param {string} name  of one of the page's colours */
    const colour = (name) => resolved(this._place, style.getPropertyValue(name));
    const axis = { stroke: colour("--faint"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false } };
    /** @param {string} label @param {string} name @param {number[]} [dash] @returns {uPlot.Series} */
    const line = (label, name, dash) => ({
      label,
      stroke: colour(name),
      width: 2,
      points: { show: false },
      ...(dash && { dash }), // not told apart by hue alone
      value: (_plot, mbps) => (mbps === null ? "–" : `${mbps.toFixed(1)} Mbit/s`),
    });
    /** @type {uPlot.Options} */
    const options = {
      width: this._widthPx,
      height: HEIGHT_PX,
      legend: { live: false }, // the newest are in words in the page, and in our label
      scales: { x: { time: false }, y: { range: (_plot, _min, max) => [0, Math.max(1, max * 1.1)] } },
      axes: [
        { ...axis, values: (_plot, seconds) => seconds.map((second) => `${second} s`) },
        { ...axis, size: 44, values: (_plot, rates) => rates.map((rate) => `${rate}`) },
      ],
      series: [
        { label: "Time", value: (_plot, second) => (second === null ? "–" : `${Math.round(second)} s`) },
        line("From peers", "--peers"),
        line("From CDN", "--cdn", [6, 3]),
        line("To peers", "--up", [2, 3]),
      ],
    };
    return new uPlot(options, this._series.columns, this._place);
  }
}

/** A canvas does not know light-dark(): the browser is asked what it comes to. @param {HTMLElement} place @param {string} colour */
function resolved(place, colour) {
  const probe = document.createElement("i");
  probe.style.color = colour;
  place.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}
