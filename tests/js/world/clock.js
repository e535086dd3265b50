/** Virtual time: what is due runs in order, and nothing waits. */
export class Clock {
  constructor() {
    this.nowMs = 0;
    /** @type {{ atMs: number, order: number, run: () => void }[]} a binary heap */
    this._heap = [];
    this._order = 0;
  }

  /** @param {number} atMs  not before now @param {() => void} run @returns {{ cancelled: boolean }} set it to cancel */
  at(atMs, run) {
    const handle = { cancelled: false };
    const entry = {
      atMs: Math.max(atMs, this.nowMs),
      order: this._order++,
      run: () => {
        if (!handle.cancelled) run();
      },
    };
    this._heap.push(entry);
    this._up(this._heap.length - 1);
    return handle;
  }

  /** Runs all that is due until then. @param {number} untilMs */
  run(untilMs) {
    for (;;) {
      const next = this._heap[0];
      if (!next || next.atMs > untilMs) break;
      const last = this._heap.pop();
      if (last && last !== next) {
        this._heap[0] = last;
        this._down(0);
      }
      this.nowMs = next.atMs;
      next.run();
    }
    this.nowMs = untilMs;
  }

  /** @param {number} a @param {number} b */
  _before(a, b) {
    const left = this._heap[a];
    const right = this._heap[b];
    if (!left || !right) return false;
    return left.atMs < right.atMs || (left.atMs === right.atMs && left.order < right.order);
  }

  /** @param {number} a @param {number} b */
  _swap(a, b) {
    const heap = /** @type {any[]} */ (this._heap);
    [heap[a], heap[b]] = [heap[b], heap[a]];
  }

  /** @param {number} index */
  _up(index) {
    for (let child = index; child > 0; ) {
      const parent = (child - 1) >> 1;
      if (!this._before(child, parent)) return;
      this._swap(child, parent);
      child = parent;
    }
  }

  /** @param {number} index */
  _down(index) {
    for (let parent = index; ; ) {
      const left = parent * 2 + 1;
      let least = parent;
      if (this._before(left, least)) least = left;
      if (this._before(left + 1, least)) least = left + 1;
      if (least === parent) return;
      this._swap(parent, least);
      parent = least;
    }
  }
}

/**
 * mulberry32: small, seeded, good enough to draw delays from.
 * @param {number} seed
 * @returns {() => number} uniform in [0, 1)
 */
export function seeded(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
