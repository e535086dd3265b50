/** The longest a browser's timer waits; beyond it, it would fire at once. Ringing too early does no harm. */
const TIMER_MAX_MS = 2 ** 31 - 1;

/** One timer that is set to the earliest of what is due, as often as that changes. */
export class Alarm {
  /** @param {(nowMs: number) => void} ring */
  constructor(ring) {
    this._ring = ring;
    this._atMs = Number.POSITIVE_INFINITY;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this._timer = undefined;
  }

  /** @param {number} atMs  on the clock of `now`; Infinity for never */
  set(atMs) {
    if (atMs === this._atMs) return;
    clearTimeout(this._timer);
    this._atMs = atMs;
    if (atMs === Number.POSITIVE_INFINITY) return;
    this._timer = setTimeout(
      () => {
        this._atMs = Number.POSITIVE_INFINITY;
        this._ring(now());
      },
      Math.min(TIMER_MAX_MS, Math.max(0, atMs - now())),
    );
  }
}

/** @returns {number} milliseconds, monotonic */
export function now() {
  return performance.now();
}
