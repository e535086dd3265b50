/** Which segment came from where, by track along time; and why the CDN was asked. Fed with "segment" events; no I/O, no clock. */

/** @typedef {import("../surface.js").SegmentEvent} SegmentEvent */
/** @typedef {import("../surface.js").FetchReason} FetchReason */

/** @typedef {Pick<SegmentEvent, "number" | "source" | "reason" | "sizeBytes" | "peerBytes">} Cell */
/** @typedef {{ track: string, type: string, cells: Cell[], peers: number, both: number, cdn: number }} Row  `cells` by number; the counts are of all ever */
/** @typedef {{ reason: FetchReason, segments: number, bytes: number }} ReasonRow  `bytes` that the CDN sent */

/** An hour of segments of 6 s; what is older is counted and not drawn. */
export const CELLS_MAX = 600;
/** A page plays a few tracks at a time; the one longest without news goes first. */
export const ROWS_MAX = 16;

export class SegmentMap {
  constructor() {
    /** @type {Map<string, Row>} by track, longest without news first */
    this._rows = new Map();
    /** @type {Map<FetchReason, ReasonRow>} */
    this._reasons = new Map();
  }

  /** @param {SegmentEvent} event */
  add({ track, type, number, source, reason, sizeBytes, peerBytes, init }) {
    if (reason !== null) {
      const row = this._reasons.get(reason) ?? { reason, segments: 0, bytes: 0 };
      row.segments++;
      row.bytes += sizeBytes - peerBytes;
      this._reasons.set(reason, row);
    }
    if (init) return; // has no place in time
    const row = this._rows.get(track) ?? { track, type, cells: [], peers: 0, both: 0, cdn: 0 };
    this._rows.delete(track);
    this._rows.set(track, row);
    row[source]++;
    let at = row.cells.length; // most come in order
    while (at > 0 && /** @type {Cell} */ (row.cells[at - 1]).number >= number) at--;
    const replaces = row.cells[at]?.number === number; // asked for again, as after a seek: the latest counts
    row.cells.splice(at, replaces ? 1 : 0, { number, source, reason, sizeBytes, peerBytes });
    if (row.cells.length > CELLS_MAX) row.cells.shift();
    if (this._rows.size > ROWS_MAX) this._rows.delete(/** @type {string} */ (this._rows.keys().next().value));
  }

  /** @returns {Row[]} by type, then by track: they keep their places */
  get rows() {
    return [...this._rows.values()].sort((one, other) => order(one) - order(other) || (one.track < other.track ? -1 : 1));
  }

  /** @returns {ReasonRow[]} what cost the CDN most first */
  get reasons() {
    return [...this._reasons.values()].sort((one, other) => other.bytes - one.bytes);
  }
}

/** @param {Row} row */
const order = ({ type }) => (["video", "only", "audio", "subtitles"].indexOf(type) + 5) % 5;
