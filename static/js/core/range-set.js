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
    return this.ranges().reduce((total, [, count]) => total + count, 0);
  }

  /**
   * @param {number} first
   * @param {number} [count]
   */
  add(first, count = 1) {
    const edges = this._edges;
    let start = first;
    let end = first + count;
    const low = this._firstEndingAtOrAfter(start);
    let high = low;
    for (; high < edges.length && edges[high] <= end; high += 2) {
      start = Math.min(start, edges[high]);
      end = Math.max(end, edges[high + 1]);
    }
    if (edges.length === 0) {
      this._edges = [start, end]; // no larger than need be
    } else if (high === low + 2) {
      edges[low] = start;
      edges[low + 1] = end;
    } else {
      edges.splice(low, high - low, start, end);
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
    for (const [spanStart, spanCount] of this.ranges()) {
      const spanEnd = spanStart + spanCount;
      if (spanStart < first) kept.push(spanStart, Math.min(spanEnd, first));
      if (spanEnd > end) kept.push(Math.max(spanStart, end), spanEnd);
    }
    this._edges = kept;
  }

  /** @param {number} value @returns {boolean} */
  has(value) {
    return this._edges[this._firstEndingAtOrAfter(value + 1)] <= value; // false beyond the last
  }

  /** Counts those it holds. @param {number[]} counts  by value, as far as they are wanted */
  tally(counts) {
    const edges = this._edges;
    for (let at = 0; at < edges.length; at += 2) {
      const end = Math.min(counts.length, edges[at + 1]);
      for (let value = edges[at]; value < end; value++) counts[value]++;
    }
  }

  /** @returns {Range[]} ascending */
  ranges() {
    const edges = this._edges;
    /** @type {Range[]} */
    const ranges = [];
    for (let at = 0; at < edges.length; at += 2) ranges.push([edges[at], edges[at + 1] - edges[at]]);
    return ranges;
  }

  /** @returns {Iterable<number>} ascending */
  *values() {
    for (const [first, count] of this.ranges()) for (let value = first; value < first + count; value++) yield value;
  }

  /**
   * Where the first span begins whose end is at or after `value`; binary search.
   * @param {number} value
   */
  _firstEndingAtOrAfter(value) {
    let low = 0;
    const edges = this._edges;
    let high = edges.length / 2;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (edges[2 * middle + 1] < value) low = middle + 1;
      else high = middle;
    }
    return 2 * low;
  }
}
