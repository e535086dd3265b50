/** What the charts of the dashboard draw, out of a report of the history. No drawing. */

/**
 * @typedef {object} Report  as /dashboard/history answers
 * @property {number} since_s
 * @property {number} until_s
 * @property {number} span_s
 * @property {number[]} at_s  start of each step that has anything, ascending
 * @property {Record<string, (number | null)[]>} sharing
 * @property {Record<string, (number | null)[]>} held_out
 */
/** @typedef {(number | null)[]} Column */

export const SOURCES = ["site_bytes", "isp_bytes", "far_bytes", "relayed_bytes", "cdn_bytes"];

/**
 * @param {Report} report
 * @returns {number[]} every step from the first to the last that has anything, so that gaps are seen as such
 */
export function steps({ at_s, span_s }) {
  const [first, last] = [at_s[0], at_s.at(-1)];
  if (first === undefined || last === undefined) return [];
  return Array.from({ length: Math.round((last - first) / span_s) + 1 }, (_, index) => first + index * span_s);
}

/** @param {Report} report @param {Column} column @returns {Column} one value a step; null where there is none */
export function spread(report, column) {
  const byStep = new Map(report.at_s.map((at, index) => [at, column[index] ?? null]));
  return steps(report).map((at) => byStep.get(at) ?? null);
}

/** @param {Report} report @returns {[number[], ...Column[]]} steps, then Mbit/s by source, each on top of those before it */
export function stackedRates(report) {
  const times = steps(report);
  /** @type {number[]} */
  let below = times.map(() => 0);
  const stacked = SOURCES.map((name) => {
    const column = spread(report, report.sharing[name] ?? []);
    below = column.map((value, index) => (below[index] ?? 0) + ((value ?? 0) * 8) / 1e6 / report.span_s);
    return below;
  });
  return [times, ...stacked];
}

/** @param {Report} report @param {[group: "sharing" | "held_out", name: string, scale?: number][]} lines @returns {[number[], ...Column[]]} */
export function columns(report, lines) {
  const scaled = lines.map(([group, name, scale = 1]) =>
    spread(report, report[group][name] ?? []).map((value) => (value === null ? null : value * scale)),
  );
  return [steps(report), ...scaled];
}
