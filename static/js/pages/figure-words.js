/** Figures as people read them. What is not known is a dash. */

const UNKNOWN = "–";
const UNITS = ["B", "kB", "MB", "GB", "TB", "PB"];

/** @typedef {number | null | undefined} Known */

/** @param {Known} count @returns {string} in powers of 1000, three digits */
export function bytes(count) {
  if (count == null) return UNKNOWN;
  let [value, unit] = [count, 0];
  while (value >= 1000 && unit < UNITS.length - 1) [value, unit] = [value / 1000, unit + 1];
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toPrecision(2 + Number(value >= 10))} ${UNITS[unit]}`;
}

/** @param {Known} part  from 0 to 1 */
export const percent = (part) => (part == null ? UNKNOWN : `${(part * 100).toFixed(1)} %`);

/** @param {Known} ms */
export const duration = (ms) => (ms == null ? UNKNOWN : ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`);

/** @param {Known} value @param {number} [digits] */
export const number = (value, digits = 2) => (value == null ? UNKNOWN : value.toFixed(digits));

/** @param {Known} count */
export const whole = (count) => (count == null ? UNKNOWN : Math.round(count).toLocaleString("en"));

/** @param {{ currency: string, saved: number } | null | undefined} money */
export const saved = (money) =>
  money == null
    ? UNKNOWN
    : `${money.saved.toLocaleString("en", { maximumFractionDigits: 2, minimumFractionDigits: 2 })} ${money.currency}`;

/**
 * Two figures that should be alike, and how they differ.
 * @param {Known} own @param {Known} other @param {(value: number) => string} say
 */
export function beside(own, other, say) {
  if (own == null || other == null) return "no holdout to compare with";
  const change = other === 0 ? (own === 0 ? 0 : Number.POSITIVE_INFINITY) : own / other - 1;
  const words = Number.isFinite(change) ? `${change >= 0 ? "+" : "−"}${Math.abs(change * 100).toFixed(0)} %` : "more";
  return `holdout ${say(other)} (sharing: ${words})`;
}
