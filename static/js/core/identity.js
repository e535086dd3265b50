/**
 * Who is who, derived from what manifests say and never from which player asks
 * (docs/wire-protocol.md section 1). Frozen by the golden vectors in tests/vectors/identity.json.
 */

import { PROTOCOL } from "./constants.js";
import { sha256 } from "./sha256.js";

export const KIND_MEDIA = 0;
export const KIND_INIT = 1;
export const KIND_PART = 2;
export const KIND_FILE = 3;

/** Parts are numbered as if each segment had so many: the numbers of one segment's parts are a run, and never another's. */
export const PARTS_PER_SEGMENT_MAX = 1024;

/**
 * A segment, the same for every viewer of the content.
 * @typedef {object} SegmentRef
 * @property {string} track  track id, 16 hex digits
 * @property {number} kind  KIND_MEDIA, KIND_INIT, KIND_PART or KIND_FILE
 * @property {number} discontinuity  HLS discontinuity sequence number; of an init segment that of the first segment using it
 * @property {number} number  media sequence number, the init segment's own number, the part's (`partNumber`), or the block's place in its file
 */

/**
 * What a manifest says of one rendition; a field it does not say is left out.
 * @typedef {object} TrackDescription
 * @property {"video" | "audio" | "subtitles" | "only"} type
 * @property {string} [codecs]
 * @property {string} [resolution]  "640x360"
 * @property {string} [frame_rate]
 * @property {string} [language]
 * @property {string} [channels]
 * @property {string} [name]
 * @property {string} [bandwidth]  only where two tracks would otherwise be equal
 * @property {string} [group]  GROUP-ID, only where two tracks would otherwise be equal
 */

const TRACK_KEYS = /** @type {const} */ ([
  "type",
  "codecs",
  "resolution",
  "frame_rate",
  "language",
  "channels",
  "name",
  "bandwidth",
  "group",
]);

/**
 * The name a content has when the page gives it none: host and path of its first manifest.
 * Scheme, query and fragment are left out, for they carry sessions and tokens, and so are tokens in the path that CDNs are known to take
 * away before they look for the file.
 * @param {string} manifestUrl  absolute
 * @returns {string}
 * @throws {TypeError} if the URL is not absolute
 */
export function contentName(manifestUrl) {
  const url = new URL(manifestUrl);
  return url.host + withoutTokens(url.pathname);
}

/** Akamai's hdnts, hdntl and hdnea, and bunny.net's bcdn_token, in a part of the path of their own. */
const PATH_TOKEN = /\/(?:hdn(?:ts|tl|ea)|bcdn_token)=[^/]*(?=\/)/g;

/** @param {string} path @returns {string} */
const withoutTokens = (path) => path.replace(PATH_TOKEN, "");

/**
 * @param {string} name  a content name
 * @returns {string}  content id, 40 hex digits; also the swarm's info hash
 */
export function contentId(name) {
  return hex(sha256(`${PROTOCOL}:content:${name}`).subarray(0, 20));
}

/**
 * @param {TrackDescription} description
 * @returns {string}  the canonical line a track id is the hash of
 */
export function canonicalTrack(description) {
  const pairs = [];
  for (const key of TRACK_KEYS) {
    const value = description[key];
    if (value === undefined || value === "") continue;
    let text = String(value).trim().toLowerCase();
    if (key === "codecs")
      text = text
        .split(",")
        .map((codec) => codec.trim())
        .sort()
        .join(",");
    pairs.push(`${key}=${text}`);
  }
  return pairs.join(";");
}

/**
 * @param {TrackDescription} description
 * @returns {string}  track id, 16 hex digits
 */
export function trackId(description) {
  return hex(sha256(`${PROTOCOL}:track:${canonicalTrack(description)}`).subarray(0, 8));
}

/**
 * @param {string} url  of the init segment, absolute
 * @param {number} offset  first byte of its byte range, 0 without one
 * @returns {number}  its number, 0 to 2^32 - 1
 */
export function initNumber(url, offset) {
  const digest = sha256(`${withoutTokens(new URL(url).pathname)}@${offset}`);
  return new DataView(digest.buffer).getUint32(0);
}

/**
 * @param {number} segment  media sequence number @param {number} place  of the part in its segment, from 0, below PARTS_PER_SEGMENT_MAX
 * @returns {number} its number
 */
export function partNumber(segment, place) {
  return segment * PARTS_PER_SEGMENT_MAX + place;
}

/** @param {SegmentRef} ref  of a segment or part @returns {number} media sequence number of the segment it is or belongs to */
export function segmentNumber({ kind, number }) {
  return kind === KIND_PART ? Math.floor(number / PARTS_PER_SEGMENT_MAX) : number;
}

/**
 * What tells one version of a file from every other.
 * @typedef {object} FileVersion
 * @property {number} sizeBytes
 * @property {string | null} etag  a strong one, with its quotes
 * @property {number | null} modifiedSec  since the epoch; only where there is no etag
 */

/**
 * @param {FileVersion} version
 * @returns {string}  the canonical line a file's track id is the hash of
 */
export function canonicalFile({ sizeBytes, etag, modifiedSec }) {
  return `size=${sizeBytes};${etag === null ? `modified=${modifiedSec}` : `etag=${etag}`}`;
}

/**
 * @param {FileVersion} version
 * @returns {string}  track id of its blocks, 16 hex digits
 */
export function fileTrackId(version) {
  return hex(sha256(`${PROTOCOL}:file:${canonicalFile(version)}`).subarray(0, 8));
}

/**
 * Keys as they were last made: they are asked for many times while a segment is under way, and neighbours' tables share them.
 * @type {(SegmentRef & { key: string })[]}
 */
const KEYS = [];

/** @param {Omit<SegmentRef, "number">} group @param {number} number  -1 for none @param {number} slot  of KEYS @returns {string} */
function keyOf({ track, kind, discontinuity }, number, slot) {
  const known = KEYS[slot];
  if (known?.number === number && known.track === track && known.kind === kind && known.discontinuity === discontinuity)
    return known.key;
  const key = `${track}/${kind}/${discontinuity}${number < 0 ? "" : `/${number}`}`;
  KEYS[slot] = { track, kind, discontinuity, number, key };
  return key;
}

/**
 * @param {SegmentRef} ref
 * @returns {string}  equal for equal references
 */
export function refKey(ref) {
  return keyOf(ref, ref.number, (ref.number + 16 * ref.track.charCodeAt(0)) & 255);
}

/**
 * @param {Omit<SegmentRef, "number">} ref
 * @returns {string}  equal for segments that share a numbering
 */
export function groupKey(ref) {
  return keyOf(ref, -1, 256 + (ref.track.charCodeAt(0) & 15));
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

/** @param {Uint8Array} bytes @returns {string} */
export function hex(bytes) {
  let digits = "";
  for (const byte of bytes) digits += HEX[byte];
  return digits;
}

/** @param {string} digits  an even number of hex digits @returns {Uint8Array<ArrayBuffer>} */
export function unhex(digits) {
  const bytes = new Uint8Array(digits.length / 2);
  for (let index = 0; index < bytes.length; index++) bytes[index] = Number.parseInt(digits.substr(index * 2, 2), 16);
  return bytes;
}
