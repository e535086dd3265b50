/** hls.js's rate estimate and choice of level, as far as what the library tells it matters to them. */

/** @typedef {import("./stream.js").Stream} Stream */

/** hls.js abrEwmaFastLive/SlowLive: half-lives in seconds; abrEwmaDefaultEstimate; abrBandWidthFactor, abrBandWidthUpFactor. */
const FAST_SEC = 3;
const SLOW_SEC = 9;
const DEFAULT_BPS = 500_000;
const FACTOR = 0.95;
const UP_FACTOR = 0.7;

class Ewma {
  /** @param {number} halfLifeSec */
  constructor(halfLifeSec) {
    this._alpha = Math.exp(Math.log(0.5) / halfLifeSec);
    this._estimate = 0;
    this._weight = 0;
  }

  /** @param {number} weightSec @param {number} value */
  sample(weightSec, value) {
    const kept = this._alpha ** weightSec;
    this._estimate = value * (1 - kept) + kept * this._estimate;
    this._weight += weightSec;
  }

  get value() {
    const zeroFactor = 1 - this._alpha ** this._weight;
    return zeroFactor > 0 ? this._estimate / zeroFactor : DEFAULT_BPS;
  }
}

export class Abr {
  /** @param {Stream[]} levels  by bitrate */
  constructor(levels) {
    this._levels = levels;
    this._current = 0;
    this._fast = new Ewma(FAST_SEC);
    this._slow = new Ewma(SLOW_SEC);
  }

  /** @param {import("../../static/js/core/outbox.js").Timing} timing @param {number} sizeBytes */
  sample({ firstByteMs, endMs }, sizeBytes) {
    const durationMs = Math.max(50, endMs - firstByteMs); // hls.js minDelayMs_
    const rateBps = (sizeBytes * 8000) / durationMs;
    this._fast.sample(durationMs / 1000, rateBps);
    this._slow.sample(durationMs / 1000, rateBps);
  }

  /** @returns {Stream} */
  choose() {
    const estimate = Math.min(this._fast.value, this._slow.value);
    let chosen = 0;
    this._levels.forEach((level, index) => {
      const factor = index > this._current ? UP_FACTOR : FACTOR;
      if (level.bitrateBps <= estimate * factor) chosen = index;
    });
    this._current = chosen;
    return /** @type {Stream} */ (this._levels[chosen]);
  }
}
