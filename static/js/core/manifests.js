/**
 * From manifests to segments: which content, track and segment a URL stands for. Fed with every playlist the player
 * loads; asked for every URL it wants. What was never seen in a playlist (keys, licences, anything else) is unknown, and passes.
 */

import { Parser } from "m3u8-parser";
import { canonicalTrack, contentName, initNumber, KIND_INIT, KIND_MEDIA, trackId } from "./identity.js";

/** @typedef {import("./download.js").SegmentSource} SegmentSource */
/** @typedef {import("./identity.js").TrackDescription} TrackDescription */
/** @typedef {import("m3u8-parser").Manifest} Manifest */
/** @typedef {import("m3u8-parser").ManifestSegment} ManifestSegment */

/** A live playlist's segments are remembered for this many refreshes: a player may ask for one that has just left it. */
const GENERATIONS = 3;

export class SegmentTable {
  constructor() {
    /** Host and path of the first manifest; null before one was seen. @type {string | null} */
    this.contentName = null;
    /** @type {Map<string, string>} playlist URL -> track id */
    this._tracks = new Map();
    /** Playlist URL without query -> track id, null where several share it. @type {Map<string, string | null>} */
    this._tracksByPath = new Map();
    /** What the multivariant playlist says of each track; 0 where it does not. @type {Map<string, number>} */
    this._bitratesBps = new Map();
    /** @type {Map<string, string>} track -> its type */
    this._types = new Map();
    /** Path of the one media playlist played without a multivariant playlist. @type {string | null} */
    this._onlyPath = null;
    this._multivariant = false;
    /** @type {Map<string, Map<string, SegmentSource>[]>} track id -> segments by location, latest refresh first */
    this._segments = new Map();
  }

  /** The content's first playlist is about to be loaded. @param {string} url  absolute */
  named(url) {
    this.contentName ??= contentName(url);
  }

  /**
   * @param {string} url  absolute, as it was asked for
   * @param {string} baseUrl  absolute, as it was answered (after redirects)
   * @param {string} text  the playlist; anything else is ignored
   */
  observe(url, baseUrl, text) {
    if (!text.startsWith("#EXTM3U")) return;
    const parser = new Parser({ uri: baseUrl });
    parser.push(text);
    parser.end();
    const manifest = parser.manifest;
    this.contentName ??= contentName(url);
    if (manifest.playlists && manifest.playlists.length > 0) this._observeMultivariant(baseUrl, manifest);
    else this._observeMedia(url, baseUrl, manifest);
  }

  /**
   * @param {string} url  absolute
   * @param {number | null} rangeStart  first byte, null for the whole resource
   * @param {number | null} rangeEnd  exclusive
   * @returns {SegmentSource | null} null for what no playlist named
   */
  find(url, rangeStart, rangeEnd) {
    const location = locationKey(new URL(url).href, rangeStart, rangeEnd);
    for (const generations of this._segments.values()) {
      for (const segments of generations) {
        const source = segments.get(location);
        if (source) return source;
      }
    }
    return null;
  }

  /** @param {string} baseUrl @param {Manifest} manifest */
  _observeMultivariant(baseUrl, manifest) {
    this._multivariant = true;
    const found = [...variants(baseUrl, manifest), ...renditions(baseUrl, manifest)];
    for (const { url, description, tieBreak } of found) {
      const line = canonicalTrack(description);
      const twins = found.filter((other) => canonicalTrack(other.description) === line);
      const ties = new Set(twins.map((twin) => canonicalTrack({ ...description, ...twin.tieBreak })));
      if (!this._tracks.has(url)) this._name(url, trackId(ties.size > 1 ? { ...description, ...tieBreak } : description));
      const track = /** @type {string} */ (this._tracks.get(url));
      this._bitratesBps.set(track, Number(tieBreak.bandwidth) || 0);
      this._types.set(track, String(description.type));
    }
  }

  /** @param {string} url  of a media playlist @param {string} track */
  _name(url, track) {
    this._tracks.set(url, track);
    const path = withoutQuery(url);
    const named = this._tracksByPath.get(path);
    this._tracksByPath.set(path, named === undefined || named === track ? track : null);
  }

  /**
   * By its URL, or without the query, which refreshed tokens and low-latency directives (_HLS_msn) change.
   * @param {string} url
   * @returns {string | null} track id; null when it cannot be told for certain: a wrong name would be other viewers' wrong bytes
   */
  _trackOf(url) {
    const { href } = new URL(url);
    const path = withoutQuery(href);
    if (this._multivariant) return this._tracks.get(href) ?? this._tracksByPath.get(path) ?? null;
    this._onlyPath ??= path;
    return path === this._onlyPath ? trackId({ type: "only" }) : null;
  }

  /** @param {string} url @param {string} baseUrl @param {Manifest} manifest */
  _observeMedia(url, baseUrl, manifest) {
    const track = this._trackOf(url);
    if (track === null) return;
    const generations = this._segments.get(track) ?? [];
    const oldest = manifest.mediaSequence ?? 0;
    const bytesPerSec = (this._bitratesBps.get(track) ?? 0) / 8;
    const type = this._types.get(track) ?? "only";
    const live = !manifest.endList;
    const skipped = manifest.skip?.skippedSegments ?? 0;
    /** @type {Map<string, SegmentSource>} */
    const segments = new Map();
    // A delta update leaves out what the one before it had.
    for (const [key, source] of skipped > 0 ? (generations[0] ?? []) : []) {
      if (source.ref.kind === KIND_INIT || source.ref.number >= oldest) segments.set(key, source);
    }
    for (const [index, segment] of (manifest.segments ?? []).entries()) {
      if (!segment.uri) continue;
      const discontinuity = segment.timeline ?? 0;
      addInit(segments, track, baseUrl, segment.map, discontinuity, live, type);
      const ref = { track, kind: KIND_MEDIA, discontinuity, number: oldest + skipped + index };
      const durationSec = segment.duration || 0;
      const expectedBytes = Math.round(durationSec * bytesPerSec);
      const source = { ref, ...locate(segment.uri, baseUrl, segment.byterange), durationSec, expectedBytes, live, type };
      segments.set(locationKey(source.url, source.rangeStart, source.rangeEnd), source);
    }
    generations.unshift(segments);
    generations.length = Math.min(generations.length, manifest.endList ? 1 : GENERATIONS);
    this._segments.set(track, generations);
  }
}

/**
 * A playlist that a multivariant playlist names.
 * @typedef {object} Named
 * @property {string} url
 * @property {TrackDescription} description
 * @property {{ bandwidth?: string, group?: string }} tieBreak  what tells it from another of the same description. Two that agree
 *   in this too are the same track on two CDNs
 */

/** @param {string} baseUrl @param {Manifest} manifest @returns {Named[]} */
function variants(baseUrl, manifest) {
  return (manifest.playlists ?? []).flatMap(({ uri, attributes = {} }) => {
    if (!uri) return [];
    const bandwidth = String(attributes.BANDWIDTH ?? "");
    return [{ url: new URL(uri, baseUrl).href, description: describeVariant(attributes), tieBreak: { bandwidth } }];
  });
}

/** Sound and subtitles. @param {string} baseUrl @param {Manifest} manifest @returns {Named[]} */
function renditions(baseUrl, manifest) {
  /** @type {Named[]} */
  const found = [];
  for (const [kind, type] of /** @type {const} */ ([
    ["AUDIO", "audio"],
    ["SUBTITLES", "subtitles"],
  ])) {
    for (const [group, members] of Object.entries(manifest.mediaGroups?.[kind] ?? {})) {
      for (const [name, { uri, language }] of Object.entries(members)) {
        if (!uri) continue;
        const description = { type, name, ...(language ? { language } : {}) };
        found.push({ url: new URL(uri, baseUrl).href, description, tieBreak: { group } });
      }
    }
  }
  return found;
}

/**
 * @param {Map<string, SegmentSource>} segments @param {string} track @param {string} baseUrl
 * @param {ManifestSegment["map"]} map @param {number} discontinuity  of the first segment that uses it @param {boolean} live @param {string} type
 */
function addInit(segments, track, baseUrl, map, discontinuity, live, type) {
  if (!map?.uri) return;
  const location = locate(map.uri, baseUrl, map.byterange);
  const key = locationKey(location.url, location.rangeStart, location.rangeEnd);
  if (segments.has(key)) return;
  const ref = { track, kind: KIND_INIT, discontinuity, number: initNumber(location.url, location.rangeStart ?? 0) };
  segments.set(key, { ref, ...location, durationSec: 0, expectedBytes: 0, live, type });
}

/**
 * @param {string} uri @param {string} baseUrl @param {{ length: number, offset: number } | undefined} byterange
 * @returns {{ url: string, rangeStart: number | null, rangeEnd: number | null }}
 */
function locate(uri, baseUrl, byterange) {
  const url = new URL(uri, baseUrl).href;
  if (!byterange) return { url, rangeStart: null, rangeEnd: null };
  return { url, rangeStart: byterange.offset, rangeEnd: byterange.offset + byterange.length };
}

/** @param {string} href  normalised @param {number | null} rangeStart @param {number | null} rangeEnd */
function locationKey(href, rangeStart, rangeEnd) {
  return `${href.split("#", 1)[0]} ${rangeStart ?? ""}-${rangeEnd ?? ""}`;
}

/** @param {string} url */
const withoutQuery = (url) => /** @type {string} */ (url.split(/[?#]/, 1)[0]);

/** @param {NonNullable<import("m3u8-parser").ManifestPlaylist["attributes"]>} attributes @returns {TrackDescription} */
function describeVariant({ CODECS, RESOLUTION, NAME, "FRAME-RATE": frameRate }) {
  return {
    type: "video",
    ...(CODECS ? { codecs: CODECS } : {}),
    ...(RESOLUTION ? { resolution: `${RESOLUTION.width}x${RESOLUTION.height}` } : {}),
    ...(frameRate ? { frame_rate: String(frameRate) } : {}),
    ...(NAME ? { name: NAME } : {}),
  };
}
