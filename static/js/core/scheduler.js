/**
 * What to do next for one download: which pieces to ask of which neighbour, and whether the CDN must be asked.
 *
 * The rules, in the order they are applied:
 *   1. A piece a neighbour holds is asked of the one expected to deliver it first, within that neighbour's pipeline.
 *   2. What nobody holds and nobody claims is fetched by whoever's backoff ends first (suppression.js).
 *   3. What peers hold or claim is theirs to deliver until the last moment at which the CDN could still make it.
 *      Then, unless peers will make the deadline after all, the missing range is fetched too, front to back, while peers go
 *      on back to front.
 * No I/O, no state of its own: it reads the download and its surroundings and says what to do.
 */

import { PIECE_BYTES } from "./constants.js";
import { backoffMs, hash32, variate } from "./suppression.js";
import {
  BACKOFF_MAX_MS,
  BACKOFF_OF_DURATION,
  BACKOFF_OF_SLACK,
  DEADLINE_MARGIN_MS,
  HEDGE_SPREAD,
  HTTP_SAFETY,
  PIECE_RACERS_MAX,
  RACE_MS,
} from "./tuning.js";

/** @typedef {import("./download.js").Download} Download */
/** @typedef {import("./neighbour.js").Neighbour} Neighbour */
/** @typedef {import("./rates.js").Average} Average */

/**
 * What the rules look at besides the download.
 * @typedef {object} Surroundings
 * @property {string} session  ours
 * @property {Iterable<Neighbour>} neighbours  those with an open channel
 * @property {number} groupSize  peers that may want what we want, ourselves included
 * @property {boolean} uploads  whether what we fetch helps anybody else
 * @property {Average} httpFirstByteMs
 * @property {Average} httpRateBytesPerMs
 * @property {(url: string) => boolean} takesRanges  false where a CDN is known to refuse them
 */

/**
 * @typedef {object} Plan
 * @property {Map<Neighbour, number[]>} asks  pieces to ask for, ascending
 * @property {Map<Neighbour, number[]>} cancels  pieces no longer wanted of one who is overdue with them
 * @property {{ startPiece: number, endPiece: number | null } | null} fetch  to start now; endPiece is exclusive
 */

/** @typedef {{ neighbour: Neighbour, holds: (index: number) => boolean }} Supplier */

/**
 * @param {Download} download  its `wakeMs` is set to when it must be looked at again
 * @param {Surroundings} surroundings
 * @param {number} nowMs
 * @returns {Plan}
 */
export function plan(download, surroundings, nowMs) {
  download.wakeMs = null;
  const suppliers = findSuppliers(download, surroundings.neighbours, nowMs);
  markOverdue(download, nowMs);
  const asks = assign(download, suppliers, surroundings, nowMs);
  const cancels = moveOverdue(download, asks, nowMs);
  const fetch = download.fetch ? null : considerFetch(download, suppliers, surroundings, nowMs);
  // Never at once again: a wait too short for the clock to show would repeat for ever.
  if (download.wakeMs !== null) download.wakeMs = Math.max(download.wakeMs, nowMs + 1);
  return { asks, cancels, fetch };
}

/**
 * @param {Download} download
 * @param {Iterable<Neighbour>} neighbours
 * @param {number} nowMs
 * @returns {Supplier[]} who holds some of it and serves
 */
function findSuppliers(download, neighbours, nowMs) {
  /** @type {Supplier[]} */
  const suppliers = [];
  for (const neighbour of neighbours) {
    if (!neighbour.uploads) continue;
    if (nowMs < neighbour.busyUntilMs) {
      download.wake(neighbour.busyUntilMs);
      continue;
    }
    if (neighbour.holds(download.ref)) {
      suppliers.push({ neighbour, holds: () => true });
      continue;
    }
    const partial = neighbour.partial(download.ref);
    const sizeBytes = download.segment.sizeBytes;
    if (partial && (sizeBytes === null || sizeBytes === partial.sizeBytes)) {
      download.declaredBytes = partial.sizeBytes;
      suppliers.push({ neighbour, holds: (index) => partial.pieces.has(index) });
    }
  }
  return suppliers;
}

/** @param {Download} download @param {number} nowMs */
function markOverdue(download, nowMs) {
  for (const asks of download.asks.values()) {
    for (const ask of asks) {
      if (!ask.overdue && nowMs >= ask.dueMs) {
        ask.overdue = true;
        ask.neighbour.late();
      }
      if (!ask.overdue) download.wake(ask.dueMs);
    }
  }
}

/**
 * Rule 1.
 * @param {Download} download @param {Supplier[]} suppliers @param {Surroundings} surroundings @param {number} nowMs
 * @returns {Map<Neighbour, number[]>}
 */
function assign(download, suppliers, surroundings, nowMs) {
  /** @type {Map<Neighbour, number[]>} */
  const assigned = new Map();
  if (suppliers.length === 0) return assigned;
  for (const index of openPieces(download, suppliers, surroundings.session)) {
    const supplier = fastest(download, index, suppliers);
    if (!supplier) continue;
    if (supplier.pieceEtaMs >= httpEtaMs(download, index, surroundings, nowMs)) continue;
    download.ask(index, supplier, nowMs);
    append(assigned, supplier, index);
  }
  for (const indexes of assigned.values()) indexes.sort((a, b) => a - b);
  return assigned;
}

/** @param {Map<Neighbour, number[]>} pieces @param {Neighbour} neighbour @param {number} index */
function append(pieces, neighbour, index) {
  const indexes = pieces.get(neighbour) ?? [];
  indexes.push(index);
  pieces.set(neighbour, indexes);
}

/**
 * A piece asked again of somebody else is taken back from whom it is overdue, while there is time to wait for the new one;
 * under pressure both may bring it, and the first wins.
 * @param {Download} download @param {Map<Neighbour, number[]>} asks  just made @param {number} nowMs
 * @returns {Plan["cancels"]}
 */
function moveOverdue(download, asks, nowMs) {
  /** @type {Plan["cancels"]} */
  const cancels = new Map();
  if (download.deadlineMs - nowMs < RACE_MS) return cancels;
  for (const index of [...asks.values()].flat()) {
    for (const { neighbour, overdue } of download.asks.get(index) ?? []) {
      if (!overdue) continue;
      download.unask(index, neighbour);
      append(cancels, neighbour, index);
    }
  }
  return cancels;
}

/**
 * Pieces neither held nor on their way, in the order to ask for them: rarest first, ties by a draw of our own so that
 * neighbours ask one source for different pieces; against a running fetch from the far end, where it comes last.
 * @param {Download} download @param {Supplier[]} suppliers @param {string} session
 * @returns {number[]}
 */
function openPieces(download, suppliers, session) {
  /** @type {{ index: number, rank: number }[]} */
  const open = [];
  for (let index = 0; index < download.likelyPieceCount; index++) {
    if (download.segment.has(index)) continue;
    const asks = download.asks.get(index) ?? [];
    if (asks.length >= PIECE_RACERS_MAX || asks.some((ask) => !ask.overdue)) continue;
    let copies = 0;
    for (const supplier of suppliers) if (supplier.holds(index)) copies++;
    if (copies === 0) continue;
    const rank = download.fetch ? -index : copies + hash32(`${session}/${download.ref.number}/${index}`) / 2 ** 32;
    open.push({ index, rank });
  }
  return open.sort((a, b) => a.rank - b.rank).map(({ index }) => index);
}

/**
 * @param {Download} download @param {number} index @param {Supplier[]} suppliers
 * @returns {Neighbour | null} who has room in its pipeline, was not asked yet, and will be first
 */
function fastest(download, index, suppliers) {
  /** @type {Neighbour | null} */
  let best = null;
  const asks = download.asks.get(index) ?? [];
  for (const { neighbour, holds } of suppliers) {
    if (neighbour.window <= 0 || !holds(index) || asks.some((ask) => ask.neighbour === neighbour)) continue;
    if (!best || neighbour.pieceEtaMs < best.pieceEtaMs) best = neighbour;
  }
  return best;
}

/**
 * When the running fetch will have brought a piece.
 * @param {Download} download @param {number} index @param {Surroundings} surroundings @param {number} nowMs
 * @returns {number} milliseconds from now; Infinity if it will not
 */
function httpEtaMs(download, index, { httpFirstByteMs, httpRateBytesPerMs }, nowMs) {
  const fetch = download.fetch;
  if (!fetch || index < fetch.currentPiece || index >= (fetch.endPiece ?? Number.POSITIVE_INFINITY))
    return Number.POSITIVE_INFINITY;
  const waitMs = fetch.firstByteMs === null ? Math.max(httpFirstByteMs.value, nowMs - fetch.startedMs) : 0;
  return waitMs + ((index + 1) * PIECE_BYTES - fetch.nextOffset) / fetchRate(fetch, httpRateBytesPerMs.value, nowMs);
}

/**
 * A running fetch's own rate, once it has run for long enough to have one.
 * @param {import("./download.js").Fetch} fetch @param {number} typical @param {number} nowMs
 */
function fetchRate(fetch, typical, nowMs) {
  if (fetch.firstByteMs === null || nowMs - fetch.firstByteMs < 200) return typical;
  return Math.max(0.1, fetch.receivedBytes / (nowMs - fetch.firstByteMs));
}

/**
 * Rules 2 and 3.
 * @param {Download} download @param {Supplier[]} suppliers @param {Surroundings} surroundings @param {number} nowMs
 * @returns {Plan["fetch"]}
 */
function considerFetch(download, suppliers, surroundings, nowMs) {
  if (download.requests.size === 0) return null;
  if (download.retryAtMs !== null && nowMs < download.retryAtMs) {
    download.wake(download.retryAtMs);
    return null;
  }
  const spareMs = download.deadlineMs - DEADLINE_MARGIN_MS - httpNeedMs(download, surroundings) - nowMs;
  const othersAtWork = suppliers.length > 0 || claimAlive(download, surroundings.neighbours, nowMs);
  const due = othersAtWork
    ? peersTooLate(download, suppliers, surroundings, spareMs, nowMs)
    : backoffOver(download, surroundings, spareMs, nowMs);
  return due ? missingSpan(download, surroundings) : null;
}

/** @param {Download} download @param {Surroundings} surroundings @returns {number} */
function httpNeedMs(download, { httpFirstByteMs, httpRateBytesPerMs }) {
  return HTTP_SAFETY * (httpFirstByteMs.value + download.missingBytes / httpRateBytesPerMs.value);
}

/** @param {Download} download @param {Iterable<Neighbour>} neighbours @param {number} nowMs */
function claimAlive(download, neighbours, nowMs) {
  let alive = false;
  for (const neighbour of neighbours) {
    const endsMs = neighbour.claimEndsMs(download.ref);
    if (!neighbour.uploads || nowMs >= endsMs) continue;
    alive = true;
    download.wake(endsMs);
  }
  return alive;
}

/**
 * Rule 2: nobody has it, nobody says they will.
 * @param {Download} download @param {Surroundings} surroundings @param {number} spareMs @param {number} nowMs
 */
function backoffOver(download, surroundings, spareMs, nowMs) {
  if (spareMs <= 0) return true;
  if (download.fireAtMs === null) {
    const durationMs = download.source.durationSec * 1000;
    const maxMs = Math.min(durationMs * BACKOFF_OF_DURATION, spareMs * BACKOFF_OF_SLACK, BACKOFF_MAX_MS);
    const uniform = variate(surroundings.session, download.ref, download.attempt++);
    const waitMs = backoffMs(uniform, maxMs, surroundings.groupSize) + lagMs(download, surroundings, durationMs);
    download.fireAtMs = nowMs + Math.min(spareMs, waitMs);
  }
  if (nowMs >= download.fireAtMs) return true;
  download.wake(Math.min(download.fireAtMs, nowMs + spareMs));
  return false;
}

/**
 * Who would be a poor fetcher for the others lets them go first: one that fetches slower than the stream plays, and one that
 * does not share what it fetched.
 * @param {Download} download @param {Surroundings} surroundings @param {number} durationMs
 * @returns {number} milliseconds on top of the backoff
 */
function lagMs(download, surroundings, durationMs) {
  if (surroundings.groupSize <= 1) return 0;
  if (!surroundings.uploads) return Number.POSITIVE_INFINITY;
  return Math.max(0, httpNeedMs(download, surroundings) - durationMs / 2);
}

/**
 * Rule 3: whether the last moment has come and peers will not make it.
 * @param {Download} download @param {Supplier[]} suppliers @param {Surroundings} surroundings
 * @param {number} spareMs @param {number} nowMs
 */
function peersTooLate(download, suppliers, surroundings, spareMs, nowMs) {
  download.fireAtMs = null;
  const spreadMs = HEDGE_SPREAD * Math.max(0, spareMs + nowMs - download.createdMs);
  const waitMs = spareMs - spreadMs * variate(surroundings.session, download.ref, -1);
  if (waitMs > 0) {
    download.wake(nowMs + waitMs);
    return false;
  }
  const leftMs = download.deadlineMs - DEADLINE_MARGIN_MS - nowMs;
  if (peersEtaMs(download, suppliers) > leftMs) return true;
  download.wake(nowMs + Math.max(20, leftMs / 4));
  return false;
}

/**
 * @param {Download} download @param {Supplier[]} suppliers
 * @returns {number} milliseconds until peers have delivered all; Infinity if some piece is nowhere among them
 */
function peersEtaMs(download, suppliers) {
  if (download.segment.sizeBytes === null) return Number.POSITIVE_INFINITY;
  let rate = 0;
  let rttMs = 0;
  for (const { neighbour } of suppliers) {
    rate += neighbour.rateBytesPerMs.value;
    rttMs = Math.max(rttMs, neighbour.rttMs.value);
  }
  for (let index = 0; index < download.likelyPieceCount; index++) {
    if (!download.segment.has(index) && !suppliers.some(({ holds }) => holds(index))) return Number.POSITIVE_INFINITY;
  }
  return rttMs + download.missingBytes / rate;
}

/**
 * The part to fetch: from the first to the last missing piece, or the longest missing run where what is held between
 * would be fetched again for nothing; the whole where the size is unknown or ranges are refused.
 * @param {Download} download @param {Surroundings} surroundings
 * @returns {{ startPiece: number, endPiece: number | null }}
 */
function missingSpan(download, surroundings) {
  const { segment } = download;
  const count = segment.pieceCount;
  if (count === null || segment.heldCount === 0 || !surroundings.takesRanges(download.source.url)) {
    return { startPiece: 0, endPiece: null };
  }
  /** @type {[start: number, end: number][]} */
  const gaps = [];
  let cursor = 0;
  for (const [first, length] of [...segment.held.ranges(), /** @type {[number, number]} */ ([count, 1])]) {
    if (first > cursor) gaps.push([cursor, first]);
    cursor = first + length;
  }
  const start = /** @type {[number, number]} */ (gaps[0])[0];
  const end = /** @type {[number, number]} */ (gaps.at(-1))[1];
  const missing = count - segment.heldCount;
  if (missing * 4 >= (end - start) * 3) return { startPiece: start, endPiece: end };
  const [longestStart, longestEnd] = gaps.reduce((best, gap) => (gap[1] - gap[0] > best[1] - best[0] ? gap : best));
  return { startPiece: longestStart, endPiece: longestEnd };
}
