/**
 * Virtual time: what is due runs in order, and nothing waits. A binary heap in typed arrays: a run of a thousand peers has
 * tens of millions of events, so an event is a function of one argument and no closure, and nothing is ever cancelled:
 * who has lost interest in an event ignores it.
 */

export class Clock {
  constructor() {
    this.nowMs = 0;
    this.events = 0;
    this._size = 0;
    this._order = 0;
    this._times = new Float64Array(1024);
    this._orders = new Float64Array(1024);
    /** Where what is to be run is kept: it stays there while the heap is put in order. */
    this._slots = new Int32Array(1024);
    /** @type {number[]} */
    this._freeSlots = [];
    /** @type {((arg: any) => void)[]} */
    this._runs = [];
    /** @type {any[]} */
    this._args = [];
  }

  /**
   * @template T
   * @param {number} atMs  not before now
   * @param {(arg: T) => void} run
   * @param {T} arg
   */
  at(atMs, run, arg) {
    if (this._size === this._times.length) this._grow();
    const slot = this._freeSlots.pop() ?? this._runs.length;
    this._runs[slot] = run;
    this._args[slot] = arg;
    this._sink(this._size++, Math.max(atMs, this.nowMs), this._order++, slot);
  }

  /** @template T @param {number} delayMs @param {(arg: T) => void} run @param {T} arg */
  after(delayMs, run, arg) {
    this.at(this.nowMs + delayMs, run, arg);
  }

  /** Runs all that is due until then. @param {number} untilMs */
  run(untilMs) {
    while (this._size > 0 && this._times[0] <= untilMs) {
      this.nowMs = this._times[0];
      const slot = this._slots[0];
      const run = this._runs[slot];
      const arg = this._args[slot];
      this._args[slot] = null; // or what it holds would live on
      this._freeSlots.push(slot);
      this._dropFirst();
      this.events++;
      run(arg);
    }
    this.nowMs = Math.max(this.nowMs, untilMs);
  }

  _grow() {
    const times = new Float64Array(this._times.length * 2);
    const orders = new Float64Array(times.length);
    const slots = new Int32Array(times.length);
    times.set(this._times);
    orders.set(this._orders);
    slots.set(this._slots);
    this._times = times;
    this._orders = orders;
    this._slots = slots;
  }

  /** Puts an entry where it belongs between the hole and the root. @param {number} hole @param {number} time @param {number} order @param {number} slot */
  _sink(hole, time, order, slot) {
    const times = this._times;
    const orders = this._orders;
    let index = hole;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      const above = times[parent];
      if (above < time || (above === time && orders[parent] < order)) break;
      this._move(parent, index);
      index = parent;
    }
    times[index] = time;
    orders[index] = order;
    this._slots[index] = slot;
  }

  _dropFirst() {
    const size = --this._size;
    const times = this._times;
    const orders = this._orders;
    let hole = 0;
    for (;;) {
      let child = hole * 2 + 1;
      if (child >= size) break;
      const right = child + 1;
      if (right < size && this._before(right, child)) child = right;
      this._move(child, hole);
      hole = child;
    }
    if (hole !== size) this._sink(hole, times[size], orders[size], this._slots[size]);
  }

  /** @param {number} a @param {number} b */
  _before(a, b) {
    const left = this._times[a];
    const right = this._times[b];
    return left < right || (left === right && this._orders[a] < this._orders[b]);
  }

  /** @param {number} from @param {number} to */
  _move(from, to) {
    this._times[to] = this._times[from];
    this._orders[to] = this._orders[from];
    this._slots[to] = this._slots[from];
  }
}
