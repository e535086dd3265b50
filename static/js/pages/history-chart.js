/** Draws columns of the history over time (uPlot), in the page's colours, as wide as there is room. */

import uPlot from "uplot";

const HEIGHT_PX = 190;
const POINTS_SHOWN = 40;

/**
 * @typedef {object} Line
 * @property {string} label
 * @property {string} colour  name of one of the page's
 * @property {number[]} [dash]  lines are not told apart by hue alone
 * @property {boolean} [fills]  the room below it, down to the line before
 */

export class HistoryChart {
  /** @param {HTMLElement} place @param {Line[]} lines @param {(value: number) => string} say  a value in words */
  constructor(place, lines, say) {
    this._place = place;
    this._lines = lines;
    this._say = say;
    /** @type {uPlot.AlignedData} */
    this._data = /** @type {uPlot.AlignedData} */ ([[], ...lines.map(() => [])]);
    /** @type {[number, number]} */
    this._range = [0, 1];
    this._plot = this._make();
    new ResizeObserver(() => this._plot.setSize({ width: this._widthPx, height: HEIGHT_PX })).observe(place);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      this._plot.destroy();
      this._plot = this._make();
    });
  }

  /**
   * @param {[number[], ...(number | null)[][]]} columns  seconds of the epoch, then one for each line
   * @param {{ since_s: number, until_s: number }} range  that was asked for, also where nothing is known of its beginning
   */
  show(columns, { since_s, until_s }) {
    this._data = /** @type {uPlot.AlignedData} */ (columns);
    this._range = [since_s, until_s];
    this._plot.setData(this._data);
    const newest = this._lines.map(({ label }, index) => {
      const value = (columns[index + 1] ?? []).filter((one) => one !== null).at(-1);
      return value == null ? `${label} unknown` : `${label} ${this._say(value)}`;
    });
    this._place.setAttribute("aria-label", `Newest: ${newest.join(", ")}`);
  }

  get _widthPx() {
    return Math.max(200, Math.floor(this._place.clientWidth));
  }

  _make() {
    /** @param {string} name */
    const colour = (name) => resolved(this._place, name);
    const axis = { stroke: colour("--faint"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false } };
    /** @type {uPlot.Options} */
    const options = {
      width: this._widthPx,
      height: HEIGHT_PX,
      scales: { x: { range: () => this._range }, y: { range: (_plot, _min, max) => [0, max > 0 ? max * 1.1 : 1] } },
      axes: [axis, { ...axis, size: 64, values: (_plot, values) => values.map((value) => this._say(value)) }],
      series: [
        {},
        ...this._lines.map(({ label, colour: name, dash, fills }) => ({
          label,
          stroke: colour(name),
          width: 2,
          // A line of few points, and one with gaps around a point, is seen by its points only.
          points: { show: (/** @type {uPlot} */ plot) => plot.data[0].length < POINTS_SHOWN },
          ...(dash && { dash }),
          ...(fills && { fill: `${colour(name).replace("rgb(", "rgba(").replace(")", ", 0.25)")}` }),
          value: (/** @type {uPlot} */ _plot, /** @type {number | null} */ value) => (value === null ? "–" : this._say(value)),
        })),
      ],
      // Stacked lines: each fills down to the one before it.
      bands: this._lines.flatMap(({ fills }, index) =>
        fills && index > 0 ? [{ series: /** @type {[number, number]} */ ([index + 1, index]) }] : [],
      ),
    };
    return new uPlot(options, this._data, this._place);
  }
}

/** A canvas does not know light-dark(): the browser is asked what it comes to. @param {HTMLElement} place @param {string} name */
function resolved(place, name) {
  const probe = document.createElement("i");
  probe.style.color = `var(${name})`;
  place.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}
