/** Which requests of a page are for a file that may be shared, and for what part of it. */

/**
 * What of a `Request` counts here.
 * @typedef {object} RequestLike
 * @property {string} url
 * @property {string} method
 * @property {string} mode
 * @property {string} credentials
 * @property {string} cache
 * @property {string} redirect
 * @property {string} integrity
 * @property {Iterable<[string, string]>} headers
 */

/** @typedef {{ url: string, start: number, end: number | null, isRange: boolean }} Wanted  `end` is exclusive, null for the file's */

/** Headers that leave the bytes as they are for everybody. */
const HARMLESS = ["accept", "range"];

/** @param {RequestLike} request @returns {Wanted | null} null for what is the browser's own to do */
export function wantedOf({ url, method, mode, credentials, cache, redirect, integrity, headers }) {
  const { protocol, username } = new URL(url);
  const plain =
    /^https?:$/.test(protocol) &&
    username === "" &&
    method === "GET" &&
    (mode === "cors" || mode === "same-origin") &&
    credentials === "same-origin" &&
    (cache === "default" || cache === "no-store") &&
    redirect === "follow" &&
    integrity === "";
  if (!plain) return null;
  const sent = new Map(headers);
  if ([...sent.keys()].some((name) => !HARMLESS.includes(name))) return null;
  const asked = { url: url.replace(/#.*$/, ""), start: 0, end: null, isRange: false };
  const range = sent.get("range");
  if (range === undefined) return asked;
  const found = /^bytes=(\d+)-(\d*)$/.exec(range);
  if (!found) return null; // the end of a file of unknown size, or several ranges
  const start = Number(found[1]);
  const end = found[2] ? Number(found[2]) + 1 : null;
  return end !== null && end <= start ? null : { ...asked, start, end, isRange: true };
}

/**
 * The head of the answer, as a server would have sent it.
 * @param {Wanted} wanted @param {number} sizeBytes  of the file
 * @returns {{ status: number, statusText: string, headers: Record<string, string> }}
 */
export function headOf({ start, end, isRange }, sizeBytes) {
  const until = Math.min(end ?? sizeBytes, sizeBytes);
  const headers = { "accept-ranges": "bytes", "content-length": String(until - start) };
  if (!isRange) return { status: 200, statusText: "OK", headers };
  const range = { "content-range": `bytes ${start}-${until - 1}/${sizeBytes}` };
  return { status: 206, statusText: "Partial Content", headers: { ...headers, ...range } };
}
