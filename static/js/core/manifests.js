/**
 * From manifests to segments: which content, track and segment a URL stands for. Fed with every playlist and MPD the player
 * loads; asked for every URL it wants. What was never seen in a manifest (keys, licences, anything else) is unknown, and passes.
 */

import { Parser } from "m3u8-parser";
import {
  canonicalTrack,
  contentName,
  initNumber,
  KIND_INIT,
  KIND_MEDIA,
  KIND_PART,
  PARTS_PER_SEGMENT_MAX,
  partNumber,
  segmentNumber,
  trackId,
} from "./identity.js";

/** @typedef {import("./download.js").SegmentSource} SegmentSource */
/** @typedef {import("./identity.js").TrackDescription} TrackDescription */
/** @typedef {import("m3u8-parser").Manifest} Manifest */
/** Reads a DASH manifest: `readMpd` of mpd.js, which comes in a script of its own. @typedef {typeof import("./mpd.js").readMpd} MpdReader */
/** @typedef {import("m3u8-parser").ByteRange} ByteRange */

/** A live playlist's segments are remembered for this many refreshes: a player may ask for one that has just left it. */
const GENERATIONS = 3;

/** @param {string} text  a manifest */
export const isMpd = (text) => /<MPD[\s>]/.test(text.slice(0, 1024));

export class SegmentTable {
  constructor() {
    /** Host and path of the first manifest; null before one was seen. @type {string | null} */
    this.contentName = null;
    /** @type {Map<string, string>} playlist URL -> track id */
    this._tracks = new Map();
    /** Playlist URL without query, and its path alone -> track id, null where several share it. @type {Map<string, string | null>} */
    this._tracksByPath = new Map();
    /** What the multivariant playlist says of each track; 0 where it does not. @type {Map<string, number>} */
    this._bitratesBps = new Map();
    /** @type {Map<string, string>} track -> its type */
    this._types = new Map();
    /** Where the one media playlist is that is played without a multivariant playlist, without query. @type {Set<string>} */
    this._onlyPaths = new Set();
    /** What the multivariant playlist defines, for media playlists to import (EXT-X-DEFINE). @type {Record<string, string>} */
    this._definitions = {};
    this._multivariant = false;
    /** @type {Map<string, Map<string, SegmentSource>[]>} track id -> segments by location, latest refresh first */
    this._segments = new Map();
    /** DASH manifests, latest refresh first. @type {ReturnType<MpdReader>[]} */
    this._mpds = [];
    /** @type {Parameters<MpdReader>[2]} */
    this._indexes = new Map();
  }

  /** The content's first playlist is about to be loaded. @param {string} url  absolute */
  named(url) {
    this.contentName ??= contentName(url);
  }

  /**
   * @param {string} url  absolute, as it was asked for
   * @param {string} baseUrl  absolute, as it was answered (after redirects)
   * @param {string} text  the manifest; anything else is ignored
   * @param {MpdReader | null} [readMpd]  without it MPDs are ignored too
   */
  observe(url, baseUrl, text, readMpd = null) {
    if (isMpd(text)) {
      this.named(url);
      if (readMpd) this._observeMpd(readMpd(text, baseUrl, this._indexes));
    }
    if (!text.startsWith("#EXTM3U")) return;
    const parser = new Parser({ uri: baseUrl, mainDefinitions: this._definitions });
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
    const { href } = new URL(url);
    for (const mpd of this._mpds) {
      const source = mpd.find(href, rangeStart, rangeEnd);
      if (source) return source;
    }
    const location = locationKey(href, rangeStart, rangeEnd);
    for (const generations of this._segments.values()) {
      for (const segments of generations) {
        const source = segments.get(location);
        if (source) return source;
      }
    }
    return null;
  }

  /** The player has it: what is itself a manifest, as the segment index of DASH is, names more. @param {SegmentSource} source @param {ArrayBuffer} bytes */
  loaded(source, bytes) {
    if (source.ref.kind === KIND_INIT) for (const mpd of this._mpds) mpd.indexed(source, bytes);
  }

  /** @param {ReturnType<MpdReader>} mpd */
  _observeMpd(mpd) {
    this._mpds.unshift(mpd);
    this._mpds.length = Math.min(this._mpds.length, mpd.live ? GENERATIONS : 1);
  }

  /** @param {string} baseUrl @param {Manifest} manifest */
  _observeMultivariant(baseUrl, manifest) {
    this._multivariant = true;
    this._definitions = manifest.definitions ?? {};
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
    // Pictures for seeking pass. One that differs from a variant in nothing but its query is not that variant.
    for (const { uri } of manifest.iFramePlaylists ?? []) if (uri) this._nameByPath(new URL(uri, baseUrl).href, null);
  }

  /** @param {string} url  of a media playlist @param {string} track */
  _name(url, track) {
    this._tracks.set(url, track);
    this._nameByPath(url, track);
  }

  /** @param {string} url @param {string | null} track  null for what is none */
  _nameByPath(url, track) {
    for (const path of [withoutQuery(url), new URL(url).pathname]) {
      const named = this._tracksByPath.get(path);
      this._tracksByPath.set(path, named === undefined || named === track ? track : null);
    }
  }

  /**
   * By its URL; without the query, which refreshed tokens change; or by its path, which a pathway has on another host (EXT-X-CONTENT-STEERING).
   * @param {string} url  as it was asked for @param {string} baseUrl  as it was answered: players may ask for it there from then on
   * @returns {string | null} track id; null when it cannot be told for certain: a wrong name would be other viewers' wrong bytes
   */
  _trackOf(url, baseUrl) {
    const href = withoutDirectives(url);
    const answered = withoutDirectives(baseUrl);
    const path = withoutQuery(href);
    if (!this._multivariant) {
      if (this._onlyPaths.size > 0 && !this._onlyPaths.has(path)) return null;
      this._onlyPaths.add(path).add(withoutQuery(answered));
      return trackId({ type: "only" });
    }
    const byPath = this._tracksByPath;
    const track = this._tracks.get(href) ?? (byPath.has(path) ? byPath.get(path) : byPath.get(new URL(href).pathname)) ?? null;
    if (track !== null && !this._tracks.has(answered)) this._tracks.set(answered, track);
    return track;
  }

  /** @param {string} url @param {string} baseUrl @param {Manifest} manifest */
  _observeMedia(url, baseUrl, manifest) {
    const track = manifest.iFramesOnly ? null : this._trackOf(url, baseUrl);
    if (track === null) return;
    const generations = this._segments.get(track) ?? [];
    const segments = this._read(track, baseUrl, manifest, generations[0] ?? new Map());
    if (!segments) return;
    generations.unshift(segments);
    // What an EVENT playlist lists it lists for ever.
    const isWhole = manifest.endList || manifest.playlistType === "EVENT";
    generations.length = Math.min(generations.length, isWhole ? 1 : GENERATIONS);
    this._segments.set(track, generations);
  }

  /**
   * @param {string} track @param {string} baseUrl @param {Manifest} manifest  of a media playlist
   * @param {Map<string, SegmentSource>} previous  what it said before
   * @returns {Map<string, SegmentSource> | null} by location; null for a delta update that cannot be read for certain
   */
  _read(track, baseUrl, manifest, previous) {
    const oldest = manifest.mediaSequence ?? 0;
    const skipped = manifest.skip?.skippedSegments ?? 0;
    /** @type {Map<string, SegmentSource>} */
    const segments = new Map();
    /** Discontinuity of the last segment that a delta update leaves out: it goes on from there. @type {number | null} */
    let last = null;
    for (const [key, source] of skipped > 0 ? previous : []) {
      const { kind, number } = source.ref;
      if (kind === KIND_INIT || segmentNumber(source.ref) >= oldest) segments.set(key, source);
      if (kind === KIND_MEDIA && number === oldest + skipped - 1) last = source.ref.discontinuity;
    }
    // A byte range that begins where one left out ends would be taken to begin at 0.
    if (skipped > 0 && (last === null || manifest.segments?.[0]?.byterange?.offset === 0)) return null;
    const bytesPerSec = (this._bitratesBps.get(track) ?? 0) / 8;
    const live = !manifest.endList;
    const type = this._types.get(track) ?? "only";
    const missed = last === null ? 0 : last - (manifest.discontinuitySequence ?? 0);

    /** @param {import("./identity.js").SegmentRef} ref @param {string} uri @param {Partial<ByteRange> | undefined} byterange @param {number} durationSec */
    const add = (ref, uri, byterange, durationSec) => {
      const location = locate(uri, baseUrl, byterange);
      const source = { ref, ...location, durationSec, expectedBytes: Math.round(durationSec * bytesPerSec), live, type };
      const key = locationKey(location.url, location.rangeStart, location.rangeEnd);
      if (ref.kind !== KIND_INIT || !segments.has(key)) segments.set(key, source);
    };

    // After the last segment come the parts of the next one.
    const listed = [...(manifest.segments ?? []), ...(manifest.preloadSegment ? [manifest.preloadSegment] : [])];
    for (const [index, { uri, byterange, map, timeline, duration, parts }] of listed.entries()) {
      const discontinuity = (timeline ?? 0) + missed;
      const number = oldest + skipped + index;
      if (map?.uri) {
        const start = map.byterange?.offset ?? 0;
        const ref = { track, kind: KIND_INIT, discontinuity, number: initNumber(new URL(map.uri, baseUrl).href, start) };
        add(ref, map.uri, map.byterange, 0);
      }
      if (uri) add({ track, kind: KIND_MEDIA, discontinuity, number }, uri, byterange, duration || 0);
      for (const [place, part] of (parts ?? []).entries()) {
        if (!part.uri || part.gap || place >= PARTS_PER_SEGMENT_MAX) continue;
        add(
          { track, kind: KIND_PART, discontinuity, number: partNumber(number, place) },
          part.uri,
          part.byterange,
          part.duration ?? 0,
        );
      }
    }
    return segments;
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
 * @param {string} uri @param {string} baseUrl @param {Partial<ByteRange> | undefined} byterange  without an offset it begins at 0
 * @returns {{ url: string, rangeStart: number | null, rangeEnd: number | null }}
 */
function locate(uri, baseUrl, byterange) {
  const url = new URL(uri, baseUrl).href;
  if (!byterange?.length) return { url, rangeStart: null, rangeEnd: null };
  const rangeStart = byterange.offset ?? 0;
  return { url, rangeStart, rangeEnd: rangeStart + byterange.length };
}

/** @param {string} href  normalised @param {number | null} rangeStart @param {number | null} rangeEnd */
function locationKey(href, rangeStart, rangeEnd) {
  return `${href.split("#", 1)[0]} ${rangeStart ?? ""}-${rangeEnd ?? ""}`;
}

/** How it is called without what asks for an update of it (_HLS_msn, _HLS_part, _HLS_skip). @param {string} url @returns {string} normalised */
function withoutDirectives(url) {
  const address = new URL(url);
  const kept = address.search
    .slice(1)
    .split("&")
    .filter((pair) => !pair.startsWith("_HLS_"));
  if (address.search.includes("_HLS_")) address.search = kept.join("&");
  return address.href;
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
