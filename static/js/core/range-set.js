/**
 * A set of non-negative integers kept as sorted, disjoint, non-adjacent ranges: have-maps of segments, sets of pieces.
 */

/** @typedef {[first: number, count: number]} Range  `count` is at least 1 */

export class RangeSet {
  /** @param {Iterable<Range>} [ranges] */
  constructor(ranges = []) {
    /** @type {[start: number, end: number][]} end is exclusive */
    this._spans = [];
    for (const [first, count] of ranges) this.add(first, count);
  }

  /** @param {Iterable<number>} values @returns {RangeSet} */
  static of(values) {
    const set = new RangeSet();
    for (const value of values) set.add(value);
    return set;
  }

  /** How many ranges; what a bound on memory counts. */
  get rangeCount() {
    return this._spans.length;
  }

  /** How many integers. */
  get size() {
    let total = 0;
    for (const [start, end] of this._spans) total += end - start;
    return total;
  }

  /**
   * @param {number} first
   * @param {number} [count]
   */
  add(first, count = 1) {
    let start = first;
    let end = first + count;
    const low = this._firstEndingAtOrAfter(start);
    let high = low;
    for (; high < this._spans.length; high++) {
      const span = /** @type {[number, number]} */ (this._spans[high]);
      if (span[0] > end) break;
      start = Math.min(start, span[0]);
      end = Math.max(end, span[1]);
    }
    this._spans.splice(low, high - low, [start, end]);
  }

  /**
   * @param {number} first
   * @param {number} [count]
   */
  remove(first, count = 1) {
    const end = first + count;
    /** @type {[number, number][]} */
    const kept = [];
    for (const [spanStart, spanEnd] of this._spans) {
      if (spanStart < first) kept.push([spanStart, Math.min(spanEnd, first)]);
      if (spanEnd > end) kept.push([Math.max(spanStart, end), spanEnd]);
    }
    this._spans = kept;
  }

  /** @param {number} value @returns {boolean} */
  has(value) {
    const span = this._spans[this._firstEndingAtOrAfter(value + 1)];
    return span !== undefined && span[0] <= value;
  }

  /** @returns {Range[]} ascending */
  ranges() {
    return this._spans.map(([start, end]) => [start, end - start]);
  }

  /** @returns {Iterable<number>} ascending */
  *values() {
    for (const [start, end] of this._spans) for (let value = start; value < end; value++) yield value;
  }

  /**
   * Index of the first span whose end is at or after `value`; binary search.
   * @param {number} value
   */
  _firstEndingAtOrAfter(value) {
    let low = 0;
    let high = this._spans.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (/** @type {[number, number]} */ (this._spans[middle])[1] < value) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
