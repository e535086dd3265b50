/** How fast things go: smoothed rates, and a bucket that keeps one below a cap. */

/** Weight of a new sample. A fifth: settles in about ten pieces, one odd sample moves it little. */
const SMOOTHING = 0.2;
/** Of a drain that is measured: some pieces at an ordinary uplink. */
const DRAIN_SAMPLE_MS = 200;
/** Some pieces from some neighbours; half of what the word "now" means here. */
const RECENT_MS = 500;

/** An exponentially weighted mean that starts from a guess. */
export class Average {
  /** @param {number} guess  used until the first sample, which replaces it */
  constructor(guess) {
    this.value = guess;
    this.samples = 0;
  }

  /** @param {number} sample */
  add(sample) {
    this.value = this.samples === 0 ? sample : this.value + SMOOTHING * (sample - this.value);
    this.samples++;
  }
}

/** The highest rate seen over a quarter of a second, slowly forgotten: what a line can carry, as far as it was tried. */
export class PeakRate {
  constructor() {
    this.rateBytesPerMs = 0;
    this._sinceMs = Number.NEGATIVE_INFINITY;
    this._bytes = 0;
  }

  /** @param {number} sizeBytes  that arrived @param {number} nowMs */
  add(sizeBytes, nowMs) {
    if (nowMs - this._sinceMs >= 250) {
      const rate = this._bytes / (nowMs - this._sinceMs);
      this.rateBytesPerMs = Math.max(rate, this.rateBytesPerMs * 0.98);
      this._sinceMs = nowMs;
      this._bytes = 0;
    }
    this._bytes += sizeBytes;
  }
}

/** What came in the last half to whole second: how fast something goes just now. */
export class RecentRate {
  constructor() {
    this._sinceMs = Number.NEGATIVE_INFINITY;
    this._bytes = 0;
    this._bytesBefore = 0;
  }

  /** @param {number} sizeBytes @param {number} nowMs */
  add(sizeBytes, nowMs) {
    this._roll(nowMs);
    this._bytes += sizeBytes;
  }

  /** @param {number} nowMs @returns {number} bytes a millisecond; of less than a whole window, as if the rest had been idle */
  bytesPerMs(nowMs) {
    this._roll(nowMs);
    return (this._bytes + this._bytesBefore) / (RECENT_MS + nowMs - this._sinceMs);
  }

  /** @param {number} nowMs */
  _roll(nowMs) {
    if (nowMs < this._sinceMs + RECENT_MS) return;
    this._bytesBefore = nowMs < this._sinceMs + 2 * RECENT_MS ? this._bytes : 0;
    this._bytes = 0;
    this._sinceMs = Math.max(this._sinceMs + RECENT_MS, nowMs - RECENT_MS);
  }
}

/**
 * The rate at which a buffer drains. Where something was left at both of two looks, what left between them is a sample; where
 * nothing was left, nobody knows since when, and it is a bound from below.
 */
export class DrainMeter {
  /** @param {number} nowMs */
  constructor(nowMs) {
    this.rateBytesPerMs = 0;
    this._measured = false;
    this._filled = false;
    this._lookedMs = nowMs;
    this._busyMs = 0;
    this._leftBytes = 0;
  }

  /** @param {number} leftBytes  that left since the last look @param {boolean} filled  whether something is left @param {number} nowMs */
  look(leftBytes, filled, nowMs) {
    const tookMs = nowMs - this._lookedMs;
    if (this._filled && filled) {
      this._busyMs += tookMs;
      this._leftBytes += leftBytes;
    } else if (this._filled) {
      const boundBytesPerMs = leftBytes / Math.max(1, tookMs);
      if (boundBytesPerMs > this.rateBytesPerMs) this._sample(boundBytesPerMs);
    }
    this._lookedMs = nowMs;
    this._filled = filled;
    if (this._busyMs < DRAIN_SAMPLE_MS) return;
    if (!this._measured) this.rateBytesPerMs = 0; // it was only a bound
    this._measured = true;
    this._sample(this._leftBytes / this._busyMs);
    this._busyMs = this._leftBytes = 0;
  }

  /** @param {number} rateBytesPerMs */
  _sample(rateBytesPerMs) {
    this.rateBytesPerMs += (this.rateBytesPerMs === 0 ? 1 : SMOOTHING) * (rateBytesPerMs - this.rateBytesPerMs);
  }
}

/** Lets `ratePerMs` pass on average and `burst` at once. */
export class TokenBucket {
  /**
   * @param {number} ratePerMs  Infinity for no cap
   * @param {number} burst
   * @param {number} nowMs
   */
  constructor(ratePerMs, burst, nowMs) {
    this.ratePerMs = ratePerMs;
    this.burst = burst;
    this._tokens = burst;
    this._updatedMs = nowMs;
  }

  /**
   * Takes `amount` if it is there. An amount above the burst passes when the bucket is full, and leaves it in debt.
   * @param {number} amount
   * @param {number} nowMs
   * @returns {number} 0 when taken, else the milliseconds to wait before asking again, at least 1
   */
  take(amount, nowMs) {
    if (this.ratePerMs === Number.POSITIVE_INFINITY) return 0;
    this._tokens = Math.min(this.burst, this._tokens + (nowMs - this._updatedMs) * this.ratePerMs);
    this._updatedMs = nowMs;
    const needed = this.ratePerMs === 0 ? amount : Math.min(amount, this.burst);
    if (this._tokens < needed) return Math.max(1, (needed - this._tokens) / this.ratePerMs); // Infinity where nothing passes
    this._tokens -= amount;
    return 0;
  }
}
