/** A player that the page interceptor found: nobody says which media element is its, or which segment begins where. */

import { now } from "../io/alarm.js";
import { scriptedMedia } from "./media-elements.js";
import { PlayerSession } from "./session.js";

/** Nothing plays what it was, and nothing was asked for so long: it is over. A player that starts slowly has no element yet. */
const UNUSED_MS = 60_000;
/** How old a look at the page's elements may be: a few requests come at once, and the look goes through the page. */
const LOOK_MS = 500;

export class PageSession extends PlayerSession {
  /** @param {import("../pool.js").Pool} pool */
  constructor(pool) {
    super(pool);
    /** Manifests that the first one names, without query. @type {Set<string>} */
    this._named = new Set();
    /** @type {HTMLMediaElement[]} */
    this._elements = [];
    this._lookedMs = Number.NEGATIVE_INFINITY;
    this._usedMs = now();
    /** What was played in those elements when something of it was last asked for. @type {Set<unknown>} */
    this._sources = new Set();
  }

  /** Something of it was asked for. */
  used() {
    this._usedMs = now();
    this._sources = new Set(this._look().map(sourceOf));
  }

  /** @returns {boolean} whether it may be closed */
  get unused() {
    return now() - this._usedMs > UNUSED_MS && !this._look().some((media) => this._sources.has(sourceOf(media)));
  }

  /** @param {string} text  a manifest @param {string} baseUrl  absolute */
  named(text, baseUrl) {
    for (const [, attribute, line] of text.matchAll(/URI="([^"]+)"|^([^#\s].*)$/gm)) {
      try {
        this._named.add(withoutQuery(new URL((attribute ?? line ?? "").trim(), baseUrl).href));
      } catch {
        // what is no URL names nothing
      }
    }
  }

  /** Whether one of its manifests names this one. @param {string} url  absolute */
  names(url) {
    return this._named.has(withoutQuery(url));
  }

  /**
   * The soonest of all elements that may be its: with several players on a page it is not known which one asks.
   * @override @param {number | null} startSec @returns {number}
   */
  deadlineMs(startSec) {
    const elements = this._look();
    if (elements.length < 2) return super.deadlineMs(startSec);
    const watched = this.media;
    const deadlines = elements.map((element) => {
      this.media = element;
      return super.deadlineMs(startSec);
    });
    this.media = watched;
    return Math.min(...deadlines);
  }

  /** @returns {HTMLMediaElement[]} elements that may be its; the first is watched */
  _look() {
    if (now() - this._lookedMs > LOOK_MS) {
      this._lookedMs = now();
      this._elements = scriptedMedia();
      const [first = null] = this._elements;
      if (first !== this.media) this.watch(first);
    }
    return this._elements;
  }
}

/** @param {HTMLMediaElement} media */
const sourceOf = ({ srcObject, currentSrc }) => srcObject ?? currentSrc;

/** @param {string} url */
const withoutQuery = (url) => /** @type {string} */ (url.split(/[?#]/, 1)[0]);
