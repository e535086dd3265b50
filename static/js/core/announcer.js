/**
 * What the neighbours are told of our segments: what we hold, what is arriving, what we fetch; and the word of others that
 * we pass on. Who does not upload tells none of it: others would wait for what never comes.
 */

import { MAX_FRAME_RANGES } from "./constants.js";
import { groupKey } from "./identity.js";
import { RangeSet } from "./range-set.js";
import { Rumours } from "./rumours.js";
import { PROGRESS_INTERVAL_MS } from "./tuning.js";
import { FRAME } from "./wire.js";

/** @typedef {import("./download.js").Download} Download */
/** @typedef {import("./identity.js").SegmentRef} SegmentRef */
/** @typedef {import("./neighbour.js").Neighbour} Neighbour */
/** @typedef {import("./wire.js").Frame} Frame */

export class Announcer {
  /** @param {import("./neighbourhood.js").Neighbourhood} neighbourhood @param {number} nowMs */
  constructor(neighbourhood, nowMs) {
    this._neighbourhood = neighbourhood;
    this._rumours = new Rumours(nowMs);
    /** Those with pieces to tell of. @type {Set<Download>} */
    this._moved = new Set();
    /** When gathered PROGRESS is due; Infinity for never. */
    this.wakeMs = Number.POSITIVE_INFINITY;
  }

  /** @param {number} nowMs */
  timerFired(nowMs) {
    if (nowMs < this.wakeMs) return;
    this.wakeMs = Number.POSITIVE_INFINITY;
    for (const { untold, segment, ref, shared } of this._moved) {
      if (untold.length === 0 || segment.sizeBytes === null || !shared) continue;
      const ranges = RangeSet.of(untold).ranges();
      untold.length = 0;
      this._announce({ type: FRAME.PROGRESS, ref, sizeBytes: segment.sizeBytes, ranges }, lacking(ref));
    }
    this._moved.clear();
  }

  /** A piece is held now; gathered, so that a fast download does not tell of each in a frame of its own. @param {Download} download @param {number} index @param {number} nowMs */
  gained(download, index, nowMs) {
    download.untold.push(index);
    this._moved.add(download);
    this.wakeMs = Math.min(this.wakeMs, nowMs + PROGRESS_INTERVAL_MS);
  }

  /** We fetch it from the CDN. @param {Download} download */
  claim(download) {
    if (!download.claimed) this._announce({ type: FRAME.CLAIM, ref: download.ref, hops: 0, claimant: this._neighbourhood.session });
    download.claimed = true;
    this._rumours.hear(download.ref, this._neighbourhood.session);
  }

  /** We fetch it no longer, though we may hold some of it. @param {Download} download */
  unclaim(download) {
    if (!download.claimed) return;
    this._announce({ type: FRAME.ABANDON, ref: download.ref });
    download.claimed = false;
    download.untold = [...download.segment.held.values()]; // ABANDON makes them forget these too
  }

  /** It is on its way no longer. @param {Download} download */
  forget(download) {
    this._moved.delete(download);
  }

  /** We have nothing of it any more, and expect nothing. @param {Download} download */
  abandon(download) {
    if (download.claimed || download.segment.heldCount > 0) this._announce({ type: FRAME.ABANDON, ref: download.ref });
  }

  /** It is held whole, and others had to go for it. @param {SegmentRef} ref @param {SegmentRef[]} gone */
  held(ref, gone) {
    const { number, ...group } = ref;
    // Who holds it too need not know: in a live swarm that is half of all that would be told.
    this._announce({ type: FRAME.HAVE, group, ranges: [[number, 1]] }, lacking(ref));
    this.dropped(gone);
  }

  /** They are held no longer. @param {SegmentRef[]} refs */
  dropped(refs) {
    for (const frame of mapFrames(FRAME.DROP, refs)) this._announce(frame);
  }

  /** A neighbour has to make do without these: it may want to hear again that we hold them. @param {Neighbour} neighbour @param {import("./wire.js").HaveFrame} drop @param {Iterable<SegmentRef>} held */
  remind(neighbour, { group, ranges }, held) {
    const dropped = new RangeSet(ranges);
    const key = groupKey(group);
    this._tellHeld(
      neighbour,
      [...held].filter((ref) => groupKey(ref) === key && dropped.has(ref.number)),
    );
  }

  /** A neighbour's claim came. @param {Neighbour} from @param {import("./wire.js").ClaimFrame} claim @param {number} nowMs */
  passOn(from, claim, nowMs) {
    if (this._rumours.passesOn(claim, nowMs)) this._announce({ ...claim, hops: claim.hops + 1 }, (other) => other !== from);
  }

  /** We upload no longer: nobody is to ask us, or to wait for us. @param {Iterable<SegmentRef>} held @param {Iterable<Download>} running */
  withdraw(held, running) {
    this.dropped([...held]);
    for (const download of running) this.abandon(download);
  }

  /** Tells a newcomer all of it. @param {Neighbour} neighbour @param {Iterable<SegmentRef>} held @param {Iterable<Download>} running */
  introduce(neighbour, held, running) {
    if (!this._neighbourhood.uploads) return;
    this._tellHeld(neighbour, held);
    for (const { ref, claimed, segment, shared } of running) {
      if (!shared) continue;
      if (claimed) this._neighbourhood.send(neighbour, { type: FRAME.CLAIM, ref, hops: 0, claimant: this._neighbourhood.session });
      if (segment.heldCount === 0 || segment.sizeBytes === null) continue;
      const ranges = segment.held.ranges();
      this._neighbourhood.send(neighbour, { type: FRAME.PROGRESS, ref, sizeBytes: segment.sizeBytes, ranges });
    }
  }

  /** @param {Neighbour} neighbour @param {Iterable<SegmentRef>} held */
  _tellHeld(neighbour, held) {
    if (!this._neighbourhood.uploads) return;
    for (const frame of mapFrames(FRAME.HAVE, held)) this._neighbourhood.send(neighbour, frame);
  }

  /** @param {Frame} frame @param {(neighbour: Neighbour) => boolean} [wanted] */
  _announce(frame, wanted) {
    if (this._neighbourhood.uploads) this._neighbourhood.broadcast(frame, wanted);
  }
}

/** @param {SegmentRef} ref @returns {(neighbour: Neighbour) => boolean} whether one does not hold it */
function lacking(ref) {
  const key = groupKey(ref);
  return (neighbour) => !neighbour.holdsNumber(key, ref.number);
}

/** @param {2 | 3} type  HAVE or DROP @param {Iterable<SegmentRef>} refs @returns {Iterable<import("./wire.js").HaveFrame>} as few as tell of all */
function* mapFrames(type, refs) {
  for (const { group, numbers } of grouped(refs)) {
    const ranges = numbers.ranges();
    for (let from = 0; from < ranges.length; from += MAX_FRAME_RANGES) {
      yield { type, group, ranges: ranges.slice(from, from + MAX_FRAME_RANGES) };
    }
  }
}

/** @param {Iterable<SegmentRef>} refs @returns {Iterable<{ group: Omit<SegmentRef, "number">, numbers: RangeSet }>} */
function grouped(refs) {
  /** @type {Map<string, { group: Omit<SegmentRef, "number">, numbers: RangeSet }>} */
  const groups = new Map();
  for (const { number, ...group } of refs) {
    const key = groupKey(group);
    const entry = groups.get(key) ?? { group, numbers: new RangeSet() };
    entry.numbers.add(number);
    groups.set(key, entry);
  }
  return groups.values();
}
