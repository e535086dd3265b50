/**
 * What the head of an answer says of a file: which version it is, how large, and whether viewers may share it. Pure: headers are read by a
 * function, for a page may not see all that were sent (CORS).
 */

/** @typedef {import("./identity.js").FileVersion} FileVersion */
/** A header's value, or null where there is none or the page may not see it. @typedef {(name: string) => string | null} Header */

/** Last-Modified counts seconds: a file written twice within one has two versions of one date. RFC 9110 (8.8.2.2) asks for one, its forerunner for 60. */
const SETTLED_SEC = 60;

/**
 * @typedef {object} Part  what a 206 brings
 * @property {number} start
 * @property {number} end  exclusive
 * @property {number | null} sizeBytes  of the whole file, where it was said
 */

/** @param {Header} header @returns {Part | null} null where it is not said, or not to be seen */
export function contentRange(header) {
  const found = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(header("content-range") ?? "");
  if (!found) return null;
  const [start, last, size] = found.slice(1).map(Number);
  return { start: Number(start), end: Number(last) + 1, sizeBytes: Number.isSafeInteger(size) ? Number(size) : null };
}

/**
 * @param {Header} header  of an answer
 * @param {number} sizeBytes  of the whole file
 * @param {number} nowSec  since the epoch, where the answer has no Date that may be seen
 * @returns {FileVersion | null} null where nothing tells this version from another for certain
 */
export function versionOf(header, sizeBytes, nowSec) {
  const etag = header("etag");
  if (etag && /^"[^"]*"$/.test(etag)) return { sizeBytes, etag, modifiedSec: null };
  const modifiedSec = httpDateSec(header("last-modified"));
  if (modifiedSec === null || modifiedSec + SETTLED_SEC > (httpDateSec(header("date")) ?? nowSec)) return null;
  return { sizeBytes, etag: null, modifiedSec };
}

/** @param {Header} header  of an answer @returns {boolean} whether all who ask get the same bytes, as far as it says */
export function isForAll(header) {
  const encoding = header("content-encoding") ?? "identity";
  return (
    !/\b(private|no-store)\b/i.test(header("cache-control") ?? "") &&
    !/\*|\b(cookie|authorization)\b/i.test(header("vary") ?? "") &&
    encoding.toLowerCase() === "identity" &&
    !/^multipart\//i.test(header("content-type") ?? "")
  );
}

/**
 * @param {FileVersion} version @param {Header} header  of an answer with a part of the file
 * @returns {boolean} whether nothing that it says is of another version
 */
export function isOfVersion(version, header) {
  const { sizeBytes = null } = contentRange(header) ?? {};
  if (sizeBytes !== null && sizeBytes !== version.sizeBytes) return false;
  if (version.etag !== null) return (header("etag") ?? version.etag) === version.etag;
  return httpDateSec(header("last-modified")) === version.modifiedSec;
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** @param {string | null} text  a date in the form that servers must send (RFC 9110, 5.6.7) @returns {number | null} seconds since the epoch */
export function httpDateSec(text) {
  const found = /^\w{3}, (\d\d) (\w{3}) (\d{4}) (\d\d):(\d\d):(\d\d) GMT$/.exec(text ?? "");
  if (!found) return null;
  const month = MONTHS.indexOf(/** @type {string} */ (found[2]));
  const [day = 0, , year = 0, hour = 0, minute = 0, second = 0] = found.slice(1).map(Number);
  if (month < 0) return null;
  // Days since the epoch with years that begin in March, so that a leap day is a year's last (Howard Hinnant, days_from_civil).
  const shifted = month < 2 ? year - 1 : year;
  const dayOfYear = Math.floor((153 * ((month + 10) % 12) + 2) / 5) + day - 1;
  const days = 365 * shifted + Math.floor(shifted / 4) - Math.floor(shifted / 100) + Math.floor(shifted / 400) + dayOfYear - 719468;
  return ((days * 24 + hour) * 60 + minute) * 60 + second;
}
