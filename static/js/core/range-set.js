/**
 * A set of non-negative integers kept as sorted, disjoint, non-adjacent ranges: have-maps of segments, sets of pieces.
 */

/** @typedef {[first: number, count: number]} Range  `count` is at least 1 */

export class RangeSet {
  /** @param {Iterable<Range>} [ranges] */
  constructor(ranges = []) {
    /** Start and end (exclusive) of one span after the other. Flat: there are very many such sets, most of one span. @type {number[]} */
    this._edges = [];
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
    return this._edges.length / 2;
  }

  /** How many integers. */
  get size() {
    let total = 0;
    for (let at = 0; at < this._edges.length; at += 2) total += this._edge(at + 1) - this._edge(at);
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
    for (; high < this._edges.length && this._edge(high) <= end; high += 2) {
      start = Math.min(start, this._edge(high));
      end = Math.max(end, this._edge(high + 1));
    }
    if (this._edges.length === 0) {
      this._edges = [start, end]; // no larger than need be
    } else if (high === low + 2) {
      this._edges[low] = start;
      this._edges[low + 1] = end;
    } else {
      this._edges.splice(low, high - low, start, end);
    }
  }

  /**
   * @param {number} first
   * @param {number} [count]
   */
  remove(first, count = 1) {
    const end = first + count;
    /** @type {number[]} */
    const kept = [];
    for (let at = 0; at < this._edges.length; at += 2) {
      const spanStart = this._edge(at);
      const spanEnd = this._edge(at + 1);
      if (spanStart < first) kept.push(spanStart, Math.min(spanEnd, first));
      if (spanEnd > end) kept.push(Math.max(spanStart, end), spanEnd);
    }
    this._edges = kept;
  }

  /** @param {number} value @returns {boolean} */
  has(value) {
    const at = this._firstEndingAtOrAfter(value + 1);
    return at < this._edges.length && this._edge(at) <= value;
  }

  /** Counts those it holds. @param {number[]} counts  by value, as far as they are wanted */
  tally(counts) {
    for (let at = 0; at < this._edges.length; at += 2) {
      const end = Math.min(counts.length, this._edge(at + 1));
      for (let value = this._edge(at); value < end; value++) counts[value] = /** @type {number} */ (counts[value]) + 1;
    }
  }

  /** @returns {Range[]} ascending */
  ranges() {
    /** @type {Range[]} */
    const ranges = [];
    for (let at = 0; at < this._edges.length; at += 2) ranges.push([this._edge(at), this._edge(at + 1) - this._edge(at)]);
    return ranges;
  }

  /** @returns {Iterable<number>} ascending */
  *values() {
    for (let at = 0; at < this._edges.length; at += 2)
      for (let value = this._edge(at); value < this._edge(at + 1); value++) yield value;
  }

  /** @param {number} at @returns {number} */
  _edge(at) {
    return /** @type {number} */ (this._edges[at]);
  }

  /**
   * Where the first span begins whose end is at or after `value`; binary search.
   * @param {number} value
   */
  _firstEndingAtOrAfter(value) {
    let low = 0;
    let high = this._edges.length / 2;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this._edge(2 * middle + 1) < value) low = middle + 1;
      else high = middle;
    }
    return 2 * low;
  }
}
