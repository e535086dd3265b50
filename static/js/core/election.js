/**
 * Who fetches the next fresh segment of a live track: who fetched the one before, for as long as it does it well. Nobody is
 * asked. The fetcher goes first, all others hold back, and only when nothing is heard of it a backoff (suppression.js) chooses
 * another. A backoff alone would be paid for each segment anew: the word of a fetch needs some hops to travel, and viewers see a
 * fresh segment when their playlists are refreshed, each at its own phase. docs/adr/0005 has the figures.
 */

import { groupKey, KIND_PART, PARTS_PER_SEGMENT_MAX } from "./identity.js";
import { keepNewest } from "./newest.js";
import { hash32 } from "./suppression.js";
import { ELECTION_GROUPS_MAX, ELECTION_MEMORY_SEGMENTS } from "./tuning.js";

/** @typedef {import("./identity.js").SegmentRef} SegmentRef */

/** The newest segment of a group that we, and that others, claimed. @typedef {{ ours: number, others: number }} Term */

export class Election {
  /** @param {string} session  ours */
  constructor(session) {
    this._session = session;
    /** @type {Map<string, Term>} by group, least recently claimed first */
    this._terms = new Map();
  }

  /** We fetch it. @param {SegmentRef} ref */
  claimed(ref) {
    const term = this._term(ref);
    term.ours = Math.max(term.ours, ref.number);
  }

  /** We do not stand any more: others may go first. */
  resign() {
    for (const term of this._terms.values()) term.ours = Number.NEGATIVE_INFINITY;
  }

  /** Somebody else fetches it. @param {SegmentRef} ref */
  heard(ref) {
    const term = this._term(ref);
    term.others = Math.max(term.others, ref.number);
  }

  /**
   * Another fetches what we fetch, or have just fetched: lots are drawn who stands from now on.
   * @param {SegmentRef} ref @param {string} claimant @returns {boolean} whether it is the other
   */
  yields(ref, claimant) {
    const term = this._terms.get(groupKey(ref));
    if (term?.ours !== ref.number || !this.goesBefore(ref, claimant)) return false;
    term.ours = Number.NEGATIVE_INFINITY;
    return true;
  }

  /** @param {SegmentRef} ref @returns {"ours" | "theirs" | "open"} whose turn it is to fetch it */
  turn(ref) {
    const term = this._terms.get(groupKey(ref));
    if (!term) return "open";
    if (precedes(term.ours, ref)) return "ours";
    return precedes(term.others, ref) ? "theirs" : "open";
  }

  /** @param {SegmentRef} ref @param {string} claimant  a session @returns {boolean} whether it goes before us where both fetch */
  goesBefore(ref, claimant) {
    return claimant !== this._session && rank(ref, claimant) < rank(ref, this._session);
  }

  /** @param {SegmentRef} ref @returns {Term} */
  _term(ref) {
    const key = groupKey(ref);
    const term = this._terms.get(key) ?? { ours: Number.NEGATIVE_INFINITY, others: Number.NEGATIVE_INFINITY };
    this._terms.delete(key);
    this._terms.set(key, term);
    keepNewest(this._terms, ELECTION_GROUPS_MAX);
    return term;
  }
}

/** @param {number} number @param {SegmentRef} ref @returns {boolean} whether it is one of the last few before it */
const precedes = (number, ref) => number < ref.number && number >= ref.number - memory(ref);

/** @param {SegmentRef} ref */
const memory = ({ kind }) => ELECTION_MEMORY_SEGMENTS * (kind === KIND_PART ? PARTS_PER_SEGMENT_MAX : 1);

/** A draw of lots that comes out the same for all who look. @param {SegmentRef} ref @param {string} session */
const rank = (ref, session) => hash32(`${session}/${groupKey(ref)}/${ref.number}`);
