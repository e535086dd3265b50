/**
 * What to do next for one download: which pieces to ask of which neighbour, and whether the CDN must be asked.
 *
 * Neighbours outside our cluster are strangers to these rules: they count only when time or the CDN runs out, or for what is not live
 * and nobody near has. The rules, in the order they are applied:
 *   1. A piece a neighbour holds is asked of the one expected to deliver it first (assignment.js).
 *   2. What nobody holds and nobody claims is fetched by whoever fetched the one before (election.js), else by whoever's backoff
 *      ends first (suppression.js). Who is only just joining waits for neighbours as long as there is time.
 *   3. What peers hold or claim is theirs to deliver until the last moment at which the CDN could still make it.
 *      Then, unless peers will make the deadline after all, the missing range is fetched too, front to back, while peers go
 *      on back to front.
 * No I/O, no state of its own: it reads the download and its surroundings and says what to do.
 */

import { assign, NOTHING_ASKED, supplies } from "./assignment.js";
import { PIECE_BYTES } from "./constants.js";
import { backoffMs, variate } from "./suppression.js";
import {
  BACKOFF_MAX_MS,
  BACKOFF_OF_DURATION,
  BACKOFF_OF_SLACK,
  BETTER_FETCHERS_FACTOR,
  DEADLINE_MARGIN_MS,
  ELECTION_HOLD_MS,
  FAR_AFTER,
  HEDGE_SPREAD,
  HIDDEN_TIMER_MS,
  HTTP_SAFETY,
  PEERS_PACE_MS,
  PEERS_PACE_TRUST,
  SHORTFALL_MIN,
  SPOT_PROVEN_ENOUGH,
} from "./tuning.js";

/** @typedef {import("./download.js").Download} Download */
/** @typedef {import("./neighbour.js").Neighbour} Neighbour */
/** @typedef {import("./assignment.js").Supplier} Supplier */
/** @typedef {import("./rates.js").Average} Average */

/**
 * What the rules look at besides the download.
 * @typedef {object} Surroundings
 * @property {string} session  ours
 * @property {Iterable<Neighbour>} neighbours  those with an open channel
 * @property {number} groupSize  peers that may want what we want, ourselves included
 * @property {number} joiningUntilMs  until then nobody is connected, and somebody is likely to be soon
 * @property {() => boolean} lineFull  whether our own line is the limit of what arrives
 * @property {() => number} roomPieces  how many more may be asked for now, of all neighbours together
 * @property {boolean} uploads  whether what we fetch helps anybody else
 * @property {boolean} hidden  nobody sees our page: our timers are late, and nobody is to depend on them
 * @property {import("./election.js").Election} election
 * @property {number} uplinkBytesPerMs  ours, as measured; 0 while unknown
 * @property {Average} httpFirstByteMs
 * @property {Average} httpRateBytesPerMs
 * @property {(url: string) => boolean} takesRanges  false where a CDN is known to refuse them
 */

/**
 * Why the CDN is asked for (some of) a segment, the first that holds (docs/debugging.md):
 *   unsigned  neighbours are of no use for it: nobody has signed it, or what was signed is not what the CDN has
 *   retry     it was asked before, and failed
 *   alone     nobody is connected
 *   urgent    no neighbour has it, and there is no time to wait for one
 *   leader    no neighbour has it, and we fetched the one before
 *   backoff   no neighbour has it, and our backoff ended first
 *   late      neighbours have it or fetch it, and will not bring it in time
 * @typedef {"unsigned" | "retry" | "alone" | "urgent" | "leader" | "backoff" | "late"} FetchReason
 */

/**
 * @typedef {object} FetchPlan
 * @property {number} startPiece
 * @property {number | null} endPiece  exclusive; null to the end
 * @property {FetchReason} reason
 */

/**
 * @typedef {import("./assignment.js").Assignment & { fetch: FetchPlan | null }} Plan
 *   `fetch` is to start now, and then the rest is to be planned
 */

/**
 * @param {Download} download  its `wakeMs` is set to when it must be looked at again, and whether it `waitsForRoom`
 * @param {Surroundings} surroundings
 * @param {number} nowMs
 * @returns {Plan}
 */
export function plan(download, surroundings, nowMs) {
  if (download.cdnOnly) surroundings = { ...surroundings, neighbours: [] };
  download.wakeMs = null;
  download.waitsForRoom = false;
  const suppliers = findSuppliers(download, surroundings.neighbours, nowMs);
  markOverdue(download, nowMs);
  const fetch = download.fetch ? null : considerFetch(download, suppliers, surroundings, nowMs);
  // First the fetch: what it brings soon is not asked of neighbours too.
  const { asks, cancels } = fetch ? NOTHING_ASKED : assign(download, suppliers, surroundings, nowMs);
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
  const near = [];
  /** @type {Supplier[]} */
  const far = [];
  /** @type {Supplier[]} */
  const unproven = [];
  let proven = 0;
  for (const neighbour of neighbours) if (neighbour.proven) proven++;
  let at = 0;
  for (const neighbour of neighbours) {
    const { holds, fetches, partial } = download.sight(neighbour, at++);
    if (!neighbour.uploads) continue;
    if (nowMs < neighbour.busyUntilMs) {
      download.wake(neighbour.busyUntilMs);
      continue;
    }
    const suppliers = neighbour.far ? far : neighbour.proven || proven < SPOT_PROVEN_ENOUGH ? near : unproven;
    if (holds) {
      suppliers.push({ neighbour, pieces: null });
      continue;
    }
    const fetching = fetches && nowMs < neighbour.claimEndsMs(download.key);
    if (fetching) download.wake(neighbour.claimEndsMs(download.key));
    if (!partial) {
      if (fetching) suppliers.push({ neighbour, pieces: null });
      continue;
    }
    const sizeBytes = download.segment.sizeBytes;
    if (sizeBytes !== null && sizeBytes !== partial.sizeBytes) continue;
    download.declaredBytes = partial.sizeBytes;
    suppliers.push({ neighbour, pieces: fetching ? null : partial.pieces });
  }
  if (unproven.length > 0 && (near.length === 0 || mayAskFar(download, near, nowMs))) near.push(...unproven);
  return far.length > 0 && mayAskFar(download, near, nowMs) ? [...near, ...far] : near;
}

/**
 * Whether who is a last resort may be asked: who is outside our cluster, or was never found right where that is to be compared. Of a live stream each cluster fetches its own: all who have such a neighbour would
 * ask it at once, and the same bytes would come from outside again and again.
 * @param {Download} download @param {Supplier[]} near @param {number} nowMs
 */
function mayAskFar(download, near, nowMs) {
  if (download.failures > 0 || (near.length === 0 && !download.source.live)) return true;
  const { createdMs, deadlineMs } = download;
  const fromMs = createdMs + FAR_AFTER * Math.max(0, deadlineMs - createdMs);
  if (nowMs >= fromMs) return true;
  download.wake(fromMs);
  return false;
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
  if (!othersAtWork) {
    if (!backoffOver(download, surroundings, spareMs, nowMs)) return null;
    return { ...missingSpan(download, surroundings), reason: reasonOf(download, surroundings, spareMs) };
  }
  if (!peersTooLate(download, suppliers, surroundings, spareMs, nowMs)) return null;
  return { ...missingSpan(download, surroundings, shortfallPieces(download, nowMs)), reason: "late" };
}

/** Why rule 2 lets us fetch. @param {Download} download @param {Surroundings} surroundings @param {number} spareMs @returns {FetchReason} */
function reasonOf({ cdnOnly, failures, source, ref }, { neighbours, election }, spareMs) {
  if (cdnOnly) return "unsigned";
  if (failures > 0) return "retry";
  if ([...neighbours].length === 0) return "alone";
  if (spareMs <= 0) return "urgent";
  return source.live && election.turn(ref) === "ours" ? "leader" : "backoff";
}

/** @param {Download} download @param {Surroundings} surroundings @returns {number} */
function httpNeedMs(download, { httpFirstByteMs, httpRateBytesPerMs }) {
  return HTTP_SAFETY * (httpFirstByteMs.value + download.missingBytes / httpRateBytesPerMs.value);
}

/** @param {Download} download @param {Iterable<Neighbour>} neighbours @param {number} nowMs */
function claimAlive(download, neighbours, nowMs) {
  let alive = false;
  for (const neighbour of neighbours) {
    const endsMs = neighbour.claimEndsMs(download.key);
    if (!neighbour.uploads || neighbour.far || nowMs >= endsMs) continue;
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
  if (nowMs < surroundings.joiningUntilMs) {
    download.wake(Math.min(surroundings.joiningUntilMs, nowMs + spareMs));
    return false;
  }
  download.fireAtMs ??= nowMs + Math.min(spareMs, turnMs(download, surroundings, spareMs));
  if (nowMs >= download.fireAtMs) return true;
  download.wake(Math.min(download.fireAtMs, nowMs + spareMs));
  return false;
}

/**
 * How long to wait for others to fetch it.
 * @param {Download} download @param {Surroundings} surroundings @param {number} spareMs @returns {number} milliseconds
 */
function turnMs(download, surroundings, spareMs) {
  const { groupSize, session, election, hidden } = surroundings;
  const durationMs = download.source.durationSec * 1000;
  const turn = download.source.live ? election.turn(download.ref) : "open";
  // Who stands is judged more mildly: it is a measurement that wavers, and a change costs more than a little slowness.
  const lagMs = poorFetcherMs(download, surroundings, turn === "ours" ? durationMs : durationMs / 2);
  if (turn === "ours" && lagMs === 0) return 0;
  const maxMs = Math.min(durationMs * BACKOFF_OF_DURATION, spareMs * BACKOFF_OF_SLACK, BACKOFF_MAX_MS);
  // A hidden page lets all go first that are seen; where none is, one of the hidden comes to stand as ever.
  const afterMs = hidden && download.source.live && groupSize > 1 ? ELECTION_HOLD_MS + maxMs + HIDDEN_TIMER_MS : 0;
  const backoff = backoffMs(variate(session, download.ref, download.attempt++), maxMs, groupSize);
  return afterMs + (turn === "open" ? 0 : ELECTION_HOLD_MS) + backoff + lagMs;
}

/**
 * Who would be a poor fetcher for the others lets them go first: one that fetches, or passes on, slower than the stream plays, or
 * passes on slower than most neighbours would, and one that does not share what it fetched.
 * @param {Download} download @param {Surroundings} surroundings @param {number} allowedMs  for fetching it, and for passing on all of it once
 * @returns {number} milliseconds on top of the backoff; 0 for a good one
 */
function poorFetcherMs(download, surroundings, allowedMs) {
  const { groupSize, uploads, uplinkBytesPerMs, neighbours } = surroundings;
  if (groupSize <= 1) return 0;
  if (!uploads) return Number.POSITIVE_INFINITY;
  const uploadMs = uplinkBytesPerMs > 0 ? download.missingBytes / uplinkBytesPerMs : 0;
  const allowedUploadMs = uplinkBytesPerMs < commonUplink(neighbours) ? allowedMs / BETTER_FETCHERS_FACTOR : allowedMs;
  return Math.max(0, httpNeedMs(download, surroundings) - allowedMs, uploadMs - allowedUploadMs);
}

/** @param {Iterable<Neighbour>} neighbours @returns {number} the median of what their uplinks carry, bytes a millisecond; 0 while none is known */
function commonUplink(neighbours) {
  const known = [...neighbours].map(({ uplinkBytesPerMs }) => uplinkBytesPerMs).filter((rate) => rate > 0);
  return known.sort((one, other) => one - other)[known.length >> 1] ?? 0;
}

/**
 * Rule 3: whether the last moment has come and peers will not make it.
 * @param {Download} download @param {Supplier[]} suppliers @param {Surroundings} surroundings
 * @param {number} spareMs @param {number} nowMs
 */
function peersTooLate(download, suppliers, surroundings, spareMs, nowMs) {
  download.fireAtMs = null;
  const spreadMs = HEDGE_SPREAD * Math.max(0, spareMs + nowMs - download.createdMs);
  download.hedge ??= variate(surroundings.session, download.ref, -1);
  const waitMs = spareMs - spreadMs * download.hedge;
  if (waitMs > 0) {
    download.wake(nowMs + waitMs);
    return false;
  }
  const leftMs = download.deadlineMs - DEADLINE_MARGIN_MS - nowMs;
  if (peersEtaMs(download, suppliers, nowMs) > leftMs) return true;
  download.wake(nowMs + Math.max(20, leftMs / 4));
  return false;
}

/**
 * What is thought of the suppliers is a guess until they have been asked for a while; then their pace is known.
 * @param {Download} download @param {Supplier[]} suppliers @param {number} nowMs
 * @returns {number} milliseconds until peers have delivered all; Infinity if some piece is nowhere among them
 */
function peersEtaMs(download, suppliers, nowMs) {
  if (download.segment.sizeBytes === null) return Number.POSITIVE_INFINITY;
  for (let index = 0; index < download.likelyPieceCount; index++) {
    if (!download.segment.has(index) && !suppliers.some((supplier) => supplies(supplier, index))) return Number.POSITIVE_INFINITY;
  }
  let rate = 0;
  let rttMs = 0;
  for (const { neighbour } of suppliers) {
    rate += neighbour.rateBytesPerMs.value;
    rttMs = Math.max(rttMs, neighbour.rttMs.value);
  }
  const paceKnown = download.askedMs !== null && nowMs >= download.askedMs + PEERS_PACE_MS;
  if (paceKnown) rate = Math.min(rate, download.peerRate.bytesPerMs(nowMs));
  return rttMs + download.missingBytes / rate;
}

/**
 * What peers will not bring in time at their pace.
 * @param {Download} download @param {number} nowMs @returns {number} pieces, at least one
 */
function shortfallPieces(download, nowMs) {
  const leftMs = Math.max(0, download.deadlineMs - DEADLINE_MARGIN_MS - nowMs);
  const comingBytes = PEERS_PACE_TRUST * leftMs * download.peerRate.bytesPerMs(nowMs);
  const { missingBytes } = download;
  return Math.max(1, Math.ceil(Math.max(missingBytes - comingBytes, missingBytes * SHORTFALL_MIN) / PIECE_BYTES));
}

/**
 * The part to fetch: from the first to the last missing piece, or the longest missing run where what is held between
 * would be fetched again for nothing; the whole where the size is unknown or ranges are refused.
 * @param {Download} download @param {Surroundings} surroundings
 * @param {number} [mostPieces]  of it, from its start: peers bring the rest
 * @returns {{ startPiece: number, endPiece: number | null }}
 */
function missingSpan(download, surroundings, mostPieces = Number.POSITIVE_INFINITY) {
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
  const longest = () => gaps.reduce((best, gap) => (gap[1] - gap[0] > best[1] - best[0] ? gap : best));
  const [from, until] = missing * 4 >= (end - start) * 3 ? [start, end] : longest();
  return { startPiece: from, endPiece: Math.min(until, from + mostPieces) };
}
