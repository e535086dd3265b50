/** How fast things go: smoothed rates, and a bucket that keeps one below a cap. */

/** Weight of a new sample. A fifth: settles in about ten pieces, one odd sample moves it little. */
const SMOOTHING = 0.2;

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
