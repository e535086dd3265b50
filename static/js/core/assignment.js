/**
 * Rule 1 of the scheduler: which missing piece to ask of which neighbour now, and which to take back.
 *
 * A piece is asked of the neighbour expected to deliver it first. Each neighbour is asked for as much as keeps it busy for a
 * round trip, except that what only one neighbour has is asked of it at once: it sends first what it has sent least, and knows
 * best how to spread it. When another comes to have such a piece and would be much sooner, it is taken back, and asked of the
 * other when the first has said that it will not come: both sending it would cost more than the round trip.
 */

import { PIECE_BYTES } from "./constants.js";
import { hash32 } from "./suppression.js";
import {
  AHEAD_OF_FETCH_FACTOR,
  AHEAD_OF_FETCH_MS,
  FIRST_PIECES_RACED,
  JUST_IN_TIME_MS,
  MOVE_FACTOR,
  MOVE_MIN_MS,
  MOVE_OF_AGE,
  PIECE_RACERS_MAX,
  RACE_MS,
} from "./tuning.js";

/** @typedef {import("./download.js").Download} Download */
/** @typedef {import("./neighbour.js").Neighbour} Neighbour */
/** @typedef {import("./scheduler.js").Surroundings} Surroundings */

/**
 * @typedef {object} Supplier
 * @property {Neighbour} neighbour
 * @property {import("./range-set.js").RangeSet | null} pieces  it holds; null for all of them, now or soon
 */

/**
 * @typedef {object} Assignment
 * @property {Map<Neighbour, number[]>} asks  pieces to ask for, ascending
 * @property {Map<Neighbour, number[]>} cancels  pieces to take back
 */

/** Most plans are this one. @type {Assignment} */
export const NOTHING_ASKED = { asks: new Map(), cancels: new Map() };

/** @param {Supplier} supplier @param {number} index */
export const supplies = ({ pieces }, index) => pieces === null || pieces.has(index);

/**
 * @param {Download} download  what is asked is noted in it
 * @param {Supplier[]} suppliers
 * @param {Surroundings} surroundings
 * @param {number} nowMs
 * @returns {Assignment}
 */
export function assign(download, suppliers, surroundings, nowMs) {
  if (suppliers.length === 0 || settled(download, suppliers, nowMs) || justInTime(download, surroundings, nowMs))
    return NOTHING_ASKED;
  /** @type {Assignment} */
  const assignment = { asks: new Map(), cancels: new Map() };
  const open = openPieces(download, suppliers, surroundings.session);
  let room = open.length > 0 ? surroundings.roomPieces() : 0;
  for (const index of open) {
    const supplier = fastest(download, index, suppliers);
    if (!supplier) {
      download.waitsForRoom ||= !download.asks.has(index); // all who have it have enough to do
      continue;
    }
    if (!takenFromOthers(download, index, supplier, assignment, nowMs)) continue;
    if (!aheadOfFetch(download, index, supplier, surroundings, nowMs)) continue;
    if (room <= 0) {
      download.waitsForRoom = true;
      continue;
    }
    download.ask(index, supplier, nowMs);
    append(assignment.asks, supplier, index);
    room--;
  }
  for (const indexes of assignment.asks.values()) indexes.sort((a, b) => a - b);
  moveOverdue(download, assignment, nowMs);
  return assignment;
}

/**
 * Whether there is nothing to ask for and nothing to move, as most times: all that suppliers have is on its way, from nobody who
 * would be much later than the soonest of them. Cheaper to tell than whom to ask for what.
 * @param {Download} download @param {Supplier[]} suppliers @param {number} nowMs
 */
function settled({ segment, asks, suspects, likelyPieceCount }, suppliers, nowMs) {
  let etaMs = Number.POSITIVE_INFINITY;
  for (const { neighbour } of suppliers) etaMs = Math.min(etaMs, neighbour.pieceEtaMs);
  for (let index = 0; index < likelyPieceCount; index++) {
    if (segment.has(index) || suspects.has(index)) continue;
    const asked = asks.get(index);
    if (!asked) {
      if (suppliers.some((supplier) => supplies(supplier, index))) return false;
    } else if (asked.length < PIECE_RACERS_MAX) {
      const [ask] = asked;
      if (ask.overdue || (!ask.cancelling && tooLate(ask, etaMs, nowMs))) return false;
    }
  }
  return true;
}

/** @param {import("./download.js").Ask} ask @param {number} etaMs  of another @param {number} nowMs @returns {boolean} whether moving the piece is worth it */
const tooLate = ({ neighbour, sentMs }, etaMs, nowMs) =>
  Math.max(neighbour.queueMs, MOVE_OF_AGE * (nowMs - sentMs)) > MOVE_FACTOR * etaMs + MOVE_MIN_MS;

/**
 * Whether a piece may be asked of a supplier now: nobody else is about to send it, or is overdue with it. One that will be much
 * later than the supplier is told to leave it.
 * @param {Download} download @param {number} index @param {Neighbour} supplier @param {Assignment} assignment
 * @param {number} nowMs
 */
function takenFromOthers(download, index, supplier, { cancels }, nowMs) {
  const asks = download.asks.get(index);
  const [ask] = asks ?? [];
  if (!asks || !ask || asks.some(({ overdue }) => overdue)) return true;
  const worthIt = tooLate(ask, supplier.pieceEtaMs, nowMs);
  const movedAlready = cancels.get(ask.neighbour)?.length ?? 0;
  if (asks.length > 1 || ask.cancelling || !worthIt || movedAlready >= supplier.window) return false;
  ask.cancelling = true;
  append(cancels, ask.neighbour, index);
  return false;
}

/** @param {Map<Neighbour, number[]>} pieces @param {Neighbour} neighbour @param {number} index */
function append(pieces, neighbour, index) {
  const indexes = pieces.get(neighbour) ?? [];
  indexes.push(index);
  pieces.set(neighbour, indexes);
}

/**
 * An overdue piece that was asked again of somebody else is taken back, while there is time to wait for the new one; under pressure
 * both may bring it, and the first wins.
 * @param {Download} download @param {Assignment} assignment @param {number} nowMs
 */
function moveOverdue(download, { asks, cancels }, nowMs) {
  if (download.deadlineMs - nowMs < RACE_MS) return;
  for (const index of [...asks.values()].flat()) {
    for (const { neighbour } of (download.asks.get(index) ?? []).slice(0, -1)) {
      download.unask(index, neighbour);
      append(cancels, neighbour, index);
    }
  }
}

/**
 * Pieces neither held nor on their way, in the order to ask for them: rarest first, ties by a draw of our own so that
 * neighbours ask one source for different pieces; against a running fetch from the far end, where it comes last.
 * @param {Download} download @param {Supplier[]} suppliers @param {string} session
 * @returns {number[]}
 */
function openPieces(download, suppliers, session) {
  /** @type {number[]} */
  const open = [];
  /** @type {number[]} by index */
  const ranks = [];
  const count = download.likelyPieceCount;
  /** @type {number[]} by index, how many have it of those who do not have all */
  const parts = new Array(count).fill(0);
  let whole = 0;
  for (const { pieces } of suppliers) {
    if (pieces) pieces.tally(parts);
    else whole++;
  }
  for (let index = 0; index < count; index++) {
    if (download.segment.has(index) || download.suspects.has(index)) continue;
    if ((download.asks.get(index)?.length ?? 0) >= PIECE_RACERS_MAX) continue;
    const copies = whole + parts[index];
    if (copies === 0) continue;
    ranks[index] = download.fetch ? -index : copies + lot(download, index, session);
    open.push(index);
  }
  return open.sort((a, b) => ranks[a] - ranks[b]);
}

/** Drawn once for each piece. @param {Download} download @param {number} index @param {string} session */
function lot({ lots, ref }, index, session) {
  lots[index] ??= hash32(`${session}/${ref.number}/${index}`) / 2 ** 32;
  return lots[index];
}

/**
 * @param {Download} download @param {number} index @param {Supplier[]} suppliers
 * @returns {Neighbour | null} who was not asked yet and will be first, of those with room in their pipelines; without room the only
 *   one who has it
 */
function fastest(download, index, suppliers) {
  /** @type {Neighbour | null} */
  let best = null;
  /** @type {Neighbour | null} */
  let last = null;
  let holders = 0;
  const asks = download.asks.get(index) ?? [];
  for (const supplier of suppliers) {
    if (!supplies(supplier, index)) continue;
    const { neighbour } = supplier;
    holders++;
    if (asks.some((ask) => ask.neighbour === neighbour)) continue;
    last = neighbour;
    if (neighbour.window > 0 && (!best || neighbour.pieceEtaMs < best.pieceEtaMs)) best = neighbour;
  }
  return best ?? (holders === 1 ? last : null);
}

/**
 * Whether the running fetch will bring all of it and only just, or our line lets nobody bring it sooner: pieces from neighbours would
 * take some of the line from it, and some of them would come twice.
 * @param {Download} download @param {Surroundings} surroundings @param {number} nowMs
 */
function justInTime(download, surroundings, nowMs) {
  const { fetch, likelyPieceCount, deadlineMs, createdMs } = download;
  // Without a frame to show there is nothing to lose, and a CDN that is slow is better raced.
  if (!fetch || deadlineMs <= createdMs) return false;
  const last = Math.min(likelyPieceCount, fetch.endPiece ?? likelyPieceCount) - 1;
  const spareMs = deadlineMs - nowMs - httpEtaMs(download, last, surroundings, nowMs);
  return spareMs < JUST_IN_TIME_MS && (spareMs > 0 || surroundings.lineFull());
}

/**
 * Whether a neighbour is to bring what a running fetch would too. For a player without a frame to show a few pieces are raced: until
 * the CDN answers, whoever is first is first, and the other is told to stop.
 * @param {Download} download @param {number} index @param {Neighbour} supplier @param {Surroundings} surroundings @param {number} nowMs
 */
function aheadOfFetch(download, index, supplier, surroundings, nowMs) {
  const { fetch, asks, deadlineMs, createdMs } = download;
  if (fetch?.firstByteMs === null && deadlineMs <= createdMs && asks.size < FIRST_PIECES_RACED) return true;
  const surelyMs = AHEAD_OF_FETCH_FACTOR * supplier.pieceEtaMs + AHEAD_OF_FETCH_MS;
  return surelyMs < httpEtaMs(download, index, surroundings, nowMs);
}

/**
 * When the running fetch will have brought a piece.
 * @param {Download} download @param {number} index @param {Surroundings} surroundings @param {number} nowMs
 * @returns {number} milliseconds from now; Infinity if it will not
 */
function httpEtaMs(download, index, { httpFirstByteMs, httpRateBytesPerMs }, nowMs) {
  const fetch = download.fetch;
  if (!fetch?.brings(index)) return Number.POSITIVE_INFINITY;
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
