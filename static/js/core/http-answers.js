/** What HTTP says of an answer, as far as it can be told beforehand, or by who was not the server. */

/** First byte, and exclusive end; both null for the whole. @typedef {{ rangeStart: number | null, rangeEnd: number | null }} Range */

/**
 * Whether an answer is a manifest, by what is known before it is read.
 * @param {string} url @param {string | null} type  its Content-Type
 * @returns {boolean | null} null where only its first characters can tell
 */
export function looksLikeManifest(url, type) {
  const [kind = ""] = (type ?? "").toLowerCase().split(";", 1);
  if (/mpegurl|dash\+xml/.test(kind) || /\.(m3u8?|mpd)$/i.test(url.split(/[?#]/, 1)[0] ?? "")) return true;
  return /^\s*$|text\/plain|\/xml|octet-stream/.test(kind) ? null : false;
}

/** A day of two-second segments with signed URLs is about as long; anything longer is no manifest. */
const MANIFEST_MAX_CHARS = 16 << 20;

/** @param {unknown} body  text, or bytes @returns {string | null} null for what is no manifest, or too long for one */
export function manifestText(body) {
  if (typeof body === "string") return body.length <= MANIFEST_MAX_CHARS && isManifest(body.slice(0, 1024)) ? body : null;
  if (!(body instanceof ArrayBuffer) || body.byteLength > MANIFEST_MAX_CHARS) return null;
  const decoder = new TextDecoder();
  return isManifest(decoder.decode(new Uint8Array(body, 0, Math.min(1024, body.byteLength)))) ? decoder.decode(body) : null;
}

/** @param {string} start  with a byte order mark, which counts as space, or without */
const isManifest = (start) => /^\s*(#EXTM3U|<MPD[\s>]|<[?!][\s\S]*<MPD[\s>])/.test(start);

/**
 * @param {string | null} header  of a request
 * @returns {Range | null} null for a range that no manifest writes
 */
export function parseRange(header) {
  if (header === null) return { rangeStart: null, rangeEnd: null };
  const [, first, last] = /^bytes=(\d+)-(\d+)$/i.exec(header) ?? [];
  return first && last ? { rangeStart: Number(first), rangeEnd: Number(last) + 1 } : null;
}

/** Of what peers deliver the type is not told: it is taken from the name, as servers take it. */
const TYPES = /** @type {Record<string, string>} */ ({
  ts: "video/mp2t",
  mp4: "video/mp4",
  m4s: "video/mp4",
  m4v: "video/mp4",
  cmfv: "video/mp4",
  m4a: "audio/mp4",
  cmfa: "audio/mp4",
  aac: "audio/aac",
  webm: "video/webm",
});

/**
 * What can be known of the answer's headers; of another origin a page sees fewer.
 * @param {string} url @param {Range} range @param {number} sizeBytes @param {boolean} sameOrigin  as the page
 * @returns {[string, string][]} in order of their names
 */
export function answerHeaders(url, { rangeStart }, sizeBytes, sameOrigin) {
  const { pathname } = new URL(url);
  const type = TYPES[/\.(\w+)$/.exec(pathname)?.[1]?.toLowerCase() ?? ""];
  /** @type {[string, string][]} */
  const headers = [];
  if (sameOrigin) {
    headers.push(["accept-ranges", "bytes"]);
    headers.push(["content-length", String(sizeBytes)]);
    // The whole's size is not known.
    if (rangeStart !== null) headers.push(["content-range", `bytes ${rangeStart}-${rangeStart + sizeBytes - 1}/*`]);
  } else headers.push(["content-length", String(sizeBytes)]);
  if (type) headers.push(["content-type", type]);
  return headers;
}

/** @param {string} url  absolute @param {{ origin: string }} page  its location */
export const isSameOrigin = (url, { origin }) => new URL(url).origin === origin;
