/**
 * A DASH manifest (ISO/IEC 23009-1): which segment of which track a URL stands for (docs/wire-protocol.md section 1). mpd-parser reads what
 * elements inherit. Segments are not listed as it would list them, as far as a clock says they exist: the URL that was asked for is held
 * against the template it was made of, and carries its number or time. So a segment has the same name for who joined earlier or later.
 */

import { inheritAttributes } from "mpd-parser";
import { KIND_INIT, KIND_MEDIA, trackId } from "./identity.js";
import { parseSegmentIndex } from "./segment-index.js";
import { patternOf } from "./url-template.js";
import { parseXml } from "./xml.js";

/** @typedef {import("./download.js").SegmentSource} SegmentSource */
/** @typedef {import("./identity.js").TrackDescription} TrackDescription */
/** @typedef {import("./segment-index.js").IndexedSegment} IndexedSegment */
/** @typedef {import("mpd-parser").RepresentationInfo} RepresentationInfo */
/** @typedef {import("mpd-parser").SegmentAttributes} SegmentAttributes */

/** Of initialization segments and of segment indexes, of which a track has one each in a period. */
const INIT_NUMBER = 0;
const INDEX_NUMBER = 1;

/** Not read: keys may be written in ways that the parser refuses, and none of these name a segment. */
const IGNORED = new Set(["ContentProtection", "EventStream", "InbandEventStream", "Metrics"]);

/** What a request is held against. @typedef {{ url: string, path: string, rangeStart: number | null, rangeEnd: number | null }} Asked */
/**
 * What it turned out to be.
 * @typedef {{ kind: number, number: number, durationSec: number, first: number }} Found  `first`: the least number there is in that period
 */

/** @typedef {{ representation: Representation, found: Found }} Match */

/** Segment indexes that were seen, by track and period: they outlive a refresh. @typedef {Map<string, IndexedSegment[]>} Indexes */

/**
 * @param {string} text @param {string} baseUrl  absolute, as it was answered @param {Indexes} indexes
 * @returns {Mpd}
 * @throws {Error} for what is no MPD
 */
export const readMpd = (text, baseUrl, indexes) => new Mpd(text, baseUrl, indexes);

export class Mpd {
  /** @param {string} text @param {string} baseUrl @param {Indexes} indexes */
  constructor(text, baseUrl, indexes) {
    // Without NOW it would read the clock; nothing that is used of it depends on that.
    const { representationInfo } = inheritAttributes(parseXml(text, IGNORED), { manifestUri: baseUrl, NOW: 0 });
    /** @type {Representation[]} */
    this._representations = representationInfo.flatMap((info) => {
      const description = describe(info);
      return description ? [new Representation(info, description, indexes)] : [];
    });
    this._indexes = indexes;
  }

  /** Whether later segments are yet to come. */
  get live() {
    return this._representations.some(({ live }) => live);
  }

  /** @param {string} href  absolute @param {number | null} rangeStart @param {number | null} rangeEnd  exclusive @returns {SegmentSource | null} */
  find(href, rangeStart, rangeEnd) {
    const [url = ""] = href.split("#", 1);
    const [path = ""] = url.split("?", 1);
    const asked = { url, path, rangeStart, rangeEnd };
    /** @type {Match | null} */
    let best = null;
    for (const representation of this._representations) {
      const found = representation.find(asked);
      if (found && (!best || isBetter(best, { representation, found }))) best = { representation, found };
    }
    return best?.representation.source(best.found, asked) ?? null;
  }

  /** A segment index was loaded; its segments are known from now on. @param {SegmentSource} source  one that `find` gave @param {ArrayBuffer} bytes */
  indexed({ ref, rangeStart }, bytes) {
    const key = indexKey(ref.track, ref.discontinuity);
    if (ref.number !== INDEX_NUMBER || this._indexes.has(key)) return;
    const segments = parseSegmentIndex(bytes, rangeStart ?? 0);
    if (segments.length > 0) this._indexes.set(key, segments);
  }
}

/**
 * Whether `other` names a URL better: periods may share a template, and go on counting. Who joined when the earlier one was gone
 * from the manifest must come to the same.
 * @param {Match} match @param {Match} other
 */
function isBetter(match, other) {
  const [rank, otherRank] = [match, other].map(({ found: { first, number } }) => (first <= number ? first : -1));
  if (rank !== otherRank) return Number(otherRank) > Number(rank);
  return other.representation.periodMs > match.representation.periodMs;
}

/** A Representation below one BaseURL. */
class Representation {
  /** @param {RepresentationInfo} info @param {TrackDescription} description @param {Indexes} indexes */
  constructor({ attributes, segmentInfo }, description, indexes) {
    const { template, list, base } = segmentInfo;
    this.live = attributes.type === "dynamic";
    this.periodMs = Math.round(/** @type {number} */ (attributes.periodStart) * 1000);
    this._track = trackId(description);
    this._type = description.type;
    this._bytesPerSec = (attributes.bandwidth ?? 0) / 8;
    const values = { id: attributes.id ?? "", bandwidth: attributes.bandwidth ?? 0 };
    const addressing = template ?? list ?? base;
    const initialization = addressing?.initialization;
    const named = Boolean(initialization?.sourceURL || initialization?.range);
    this._init = named
      ? location(patternOf(initialization?.sourceURL ?? "", values, attributes.baseUrl), initialization?.range)
      : null;
    const key = indexKey(this._track, this.periodMs);
    this._media = template
      ? byTemplate(template, segmentInfo.segmentTimeline, patternOf(template.media ?? "", values, attributes.baseUrl))
      : list
        ? byList(list, segmentInfo.segmentTimeline, attributes.baseUrl)
        : base
          ? byIndex(patternOf("", values, attributes.baseUrl), base.indexRange, () => indexes.get(key))
          : whole(patternOf("", values, attributes.baseUrl), attributes.periodDuration ?? attributes.sourceDuration ?? 0);
  }

  /** @param {Asked} asked @returns {Found | null} */
  find(asked) {
    if (this._init?.(asked)) return { kind: KIND_INIT, number: INIT_NUMBER, durationSec: 0, first: 0 };
    return this._media(asked);
  }

  /** @param {Found} found @param {Asked} asked @returns {SegmentSource} */
  source({ kind, number, durationSec }, { url, rangeStart, rangeEnd }) {
    const ref = { track: this._track, kind, discontinuity: this.periodMs, number };
    const expectedBytes = Math.round(durationSec * this._bytesPerSec);
    return { ref, url, rangeStart, rangeEnd, durationSec, expectedBytes, live: this.live, type: this._type };
  }
}

/** @param {string} track @param {number} periodMs */
const indexKey = (track, periodMs) => `${track}/${periodMs}`;

/**
 * Representation@id is unique within a period; the rest keeps apart what filtered or changed manifests may call by the same id.
 * @param {RepresentationInfo} info
 * @returns {TrackDescription | null} null for what is not shared: pictures, and periods of which it is not known when they start
 */
function describe({ attributes: { id, bandwidth, mimeType = "", contentType, codecs, width, height, lang, periodStart } }) {
  const [kind] = (contentType ?? mimeType).split("/");
  const type = { video: "video", audio: "audio", text: "subtitles", application: "subtitles" }[kind ?? ""];
  if (!type || id === undefined || periodStart === null || !(periodStart >= 0 && periodStart < 2 ** 42)) return null;
  return /** @type {TrackDescription} */ ({
    type,
    name: id,
    ...(codecs ? { codecs } : {}),
    ...(width && height ? { resolution: `${width}x${height}` } : {}),
    ...(lang ? { language: lang } : {}),
    ...(bandwidth ? { bandwidth: String(bandwidth) } : {}),
  });
}

/** @typedef {(asked: Asked) => Found | null} Matcher */
/** @typedef {NonNullable<RepresentationInfo["segmentInfo"]["segmentTimeline"]>} Timeline */
/** @typedef {ReturnType<typeof patternOf>} Pattern */

/**
 * @param {SegmentAttributes} template @param {Timeline | undefined} timeline @param {Pattern} pattern
 * @returns {Matcher} segments are whole resources
 */
function byTemplate({ startNumber = 1, timescale = 1, duration, presentationTimeOffset = 0 }, timeline, pattern) {
  const times = timeline ? spans(timeline, startNumber) : [];
  return ({ url, path, rangeStart }) => {
    if (rangeStart !== null) return null;
    const match = pattern?.(url, path);
    if (!match) return null;
    const { value, identifier } = match;
    const byTime = identifier === "Time";
    const number = value ?? startNumber;
    const span = times.find((one) => (byTime ? number < one.endTime && number >= one.time : number < one.endNumber));
    const ticks = timeline ? (span ?? times.at(-1))?.ticks : duration;
    const first = byTime ? presentationTimeOffset : startNumber;
    return { kind: KIND_MEDIA, number, durationSec: (ticks ?? 0) / timescale, first };
  };
}

/** Equally long segments of a timeline. @typedef {{ time: number, endTime: number, endNumber: number, ticks: number }} Span  ends exclusive */

/** @param {Timeline} timeline @param {number} startNumber @returns {Span[]} */
function spans(timeline, startNumber) {
  let time = 0;
  let number = startNumber;
  return timeline.map(({ t = time, d, r = 0 }, index) => {
    // Negative: up to where the next begins, or for ever.
    const next = timeline[index + 1]?.t;
    const count = r >= 0 ? r + 1 : next === undefined ? Number.POSITIVE_INFINITY : Math.round((next - t) / d);
    number += count;
    time = t + count * d;
    return { time: t, endTime: time, endNumber: number, ticks: d };
  });
}

/** @param {SegmentAttributes} list @param {Timeline | undefined} timeline @param {string} baseUrl @returns {Matcher} */
function byList({ startNumber = 1, timescale = 1, duration, segmentUrls = [] }, timeline, baseUrl) {
  const times = timeline ? spans(timeline, startNumber) : [];
  const segments = segmentUrls.map(({ media = "", mediaRange }, index) => {
    const number = startNumber + index;
    const ticks = timeline ? times.find(({ endNumber }) => number < endNumber)?.ticks : duration;
    // What is written there is a URL and no template.
    const pattern = patternOf(media.replaceAll("$", "$$$$"), { id: "", bandwidth: 0 }, baseUrl);
    return { matches: location(pattern, mediaRange), number, durationSec: (ticks ?? 0) / timescale };
  });
  return (asked) => {
    const found = segments.find(({ matches }) => matches(asked));
    return found ? { kind: KIND_MEDIA, number: found.number, durationSec: found.durationSec, first: startNumber } : null;
  };
}

/**
 * One file for all: which range of it is which segment its index tells, when it has been loaded.
 * @param {Pattern} pattern @param {string | undefined} indexRange @param {() => IndexedSegment[] | undefined} segments
 * @returns {Matcher}
 */
function byIndex(pattern, indexRange, segments) {
  const isIndex = indexRange ? location(pattern, indexRange) : () => false;
  return (asked) => {
    const { url, path, rangeStart, rangeEnd } = asked;
    if (rangeStart === null || !pattern?.(url, path)) return null;
    if (isIndex(asked)) return { kind: KIND_INIT, number: INDEX_NUMBER, durationSec: 0, first: 0 };
    const segment = segments()?.find((one) => one.rangeStart === rangeStart && one.rangeEnd === rangeEnd);
    return segment ? { kind: KIND_MEDIA, number: segment.number, durationSec: segment.durationSec, first: 0 } : null;
  };
}

/** One file that is one segment. @param {Pattern} pattern @param {number} durationSec @returns {Matcher} */
function whole(pattern, durationSec) {
  return ({ url, path, rangeStart }) =>
    rangeStart === null && pattern?.(url, path) ? { kind: KIND_MEDIA, number: 0, durationSec, first: 0 } : null;
}

/** @param {Pattern} pattern @param {string | undefined} range  "first-last" @returns {(asked: Asked) => boolean} */
function location(pattern, range) {
  const [first, last] = range ? range.split("-").map(Number) : [];
  const start = first ?? null;
  const end = last === undefined ? null : last + 1;
  return ({ url, path, rangeStart, rangeEnd }) => rangeStart === start && rangeEnd === end && pattern?.(url, path) !== null;
}
