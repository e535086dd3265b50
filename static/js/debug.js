/**
 * The overlay that PeerPool.debug() opens: a second script. It looks on, and changes nothing.
 *
 * Styled by a constructed style sheet in a shadow tree of its own, as the notice is, so that it needs nothing of the page's policy
 * (docs/csp.md). It begins with what happens once it is open: nothing is recorded before.
 */

import { explain, REASONS } from "./debug/explanations.js";
import { CSS } from "./debug/overlay-style.js";
import { Rates } from "./debug/rates.js";
import { SegmentMap } from "./debug/segment-map.js";

/** @typedef {import("./pool.js").Pool} Pool */

const REFRESH_MS = 1000;
/** What fits a phone's width in a few lines. */
const CELLS_SHOWN = 120;

/** The one there is. @type {(() => void) | null} */
let closeShown = null;

/** @param {Pool} pool @param {string} version @returns {() => void} closes it */
export function openOverlay(pool, version) {
  closeShown?.();
  const overlay = new Overlay(pool, version);
  const timer = setInterval(() => overlay.refresh(), REFRESH_MS);
  const { map } = overlay;
  const heard = (/** @type {import("./surface.js").SegmentEvent} */ event) => map.add(event);
  pool.events.on("segment", heard);
  const close = () => {
    if (closeShown !== close) return;
    closeShown = null;
    clearInterval(timer);
    pool.events.off("segment", heard);
    overlay.remove();
  };
  closeShown = close;
  overlay.show(close);
  return close;
}

class Overlay {
  /** @param {Pool} pool @param {string} version */
  constructor(pool, version) {
    this._pool = pool;
    this.map = new SegmentMap();
    this._rates = new Rates();
    this._before = document.activeElement;
    this._host = make("div");
    this._host.setAttribute("data-peerpool-debug", "");
    const shadow = this._host.attachShadow({ mode: "open" });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(CSS);
    shadow.adoptedStyleSheets = [sheet];
    this._section = make("section");
    this._section.setAttribute("aria-label", "Media PeerPool debugging");
    this._section.tabIndex = -1;
    this._close = make("button", "Close");
    this._why = make("p");
    this._why.setAttribute("role", "status");
    const heading = make("header");
    heading.append(make("h2", `Media PeerPool ${version}`), this._close);
    this._section.append(heading, this._why);
    this._facts = this._part("Totals", "dl");
    this._peers = this._part("Neighbours", "div");
    this._segments = this._part("Segments by source", "div");
    this._reasons = this._part("Why the CDN was asked", "dl");
    this._options = this._part("Options in force", "dl");
    shadow.append(this._section);
  }

  /** @param {string} title @param {"dl" | "div"} tag @returns {HTMLElement} what is filled anew at each refresh */
  _part(title, tag) {
    const body = make(tag);
    this._section.append(make("h3", title), body);
    return body;
  }

  /** @param {() => void} close */
  show(close) {
    this._close.addEventListener("click", close);
    this._section.addEventListener("keydown", (event) => {
      if (event.key === "Escape") close();
    });
    this.refresh();
    document.body.append(this._host);
    this._section.focus({ preventScroll: true });
  }

  remove() {
    const focused = this._host.contains(document.activeElement);
    this._host.remove();
    if (focused && this._before instanceof HTMLElement) this._before.focus({ preventScroll: true });
  }

  refresh() {
    const stats = this._pool.stats();
    const { options, consent, tracker } = this._pool.inspect();
    const { bytes, peers } = stats;
    /** @type {Record<string, number>} */
    const totals = { ...bytes };
    for (const { peer, downBytes, upBytes } of peers)
      Object.assign(totals, { [`${peer} down`]: downBytes, [`${peer} up`]: upBytes });
    this._rates.add(totals, performance.now() / 1000);
    const saver = Boolean(/** @type {any} */ (navigator).connection?.saveData);
    const webrtc = typeof RTCPeerConnection === "function";
    const { fromPeers, toPeers } = bytes;
    const why = explain({
      state: stats.state,
      options,
      consent,
      tracker,
      fromPeersBytes: fromPeers,
      toPeersBytes: toPeers,
      webrtc,
      saver,
    });
    // What has not changed is not said again by a screen reader.
    if (this._why.textContent !== why) this._why.textContent = why;
    this._facts.replaceChildren(...this._totals(stats, tracker));
    this._peers.replaceChildren(this._peerTable(peers));
    this._segments.replaceChildren(...this._map());
    this._reasons.replaceChildren(
      ...terms(
        this.map.reasons.map(({ reason, segments, bytes: sent }) => [
          `${reason}: ${REASONS[reason]}`,
          `${segments} · ${megabytes(sent)}`,
        ]),
      ),
    );
    this._options.replaceChildren(
      ...terms(Object.entries({ ...options, consent: `${options.consent} (${consent})` }).map(shownOption)),
    );
  }

  /** @param {ReturnType<Pool["stats"]>} stats @param {string} tracker */
  _totals({ state, content, peerId, clusterSize, bytes, segments }, tracker) {
    /** @param {keyof typeof bytes} name */
    const moved = (name) => `${megabytes(bytes[name])} · ${rate(this._rates.bps(name))}`;
    return terms([
      ["State", state],
      ["Tracker", tracker],
      ["Content", content ?? "none"],
      ["Our id", peerId ?? "none"],
      ["Viewers in our cluster", String(clusterSize)],
      ["From peers", moved("fromPeers")],
      ["of it from far", moved("fromFar")],
      ["of it by a relay, no saving", moved("relayed")],
      ["From the CDN", moved("fromCdn")],
      ["To peers", moved("toPeers")],
      ["Came twice or too late", megabytes(bytes.wasted)],
      ["Refused as wrong", megabytes(bytes.rejected)],
      ["Segments: peers / both / CDN", `${segments.fromPeers} / ${segments.mixed} / ${segments.fromCdn}`],
    ]);
  }

  /** @param {ReturnType<Pool["stats"]>["peers"]} peers @returns {HTMLElement} */
  _peerTable(peers) {
    if (peers.length === 0) return make("p", "None.");
    const table = make("table");
    table.append(tableRow("th", ["Id", "RTT", "Down", "Up", "State"]));
    for (const { peer, rttSec, far, relayed, uploads, proven, openPieces, downBytes, upBytes } of peers) {
      const state = [
        relayed ? "relayed" : far ? "far" : "near",
        ...(uploads ? [] : ["sends nothing"]),
        ...(proven ? [] : ["not yet checked"]),
        ...(openPieces > 0 ? [`${openPieces} pieces asked`] : []),
      ];
      table.append(
        tableRow("td", [
          peer.slice(0, 8),
          rttSec === null ? "–" : `${Math.round(rttSec * 1000)} ms`,
          `${megabytes(downBytes)} · ${rate(this._rates.bps(`${peer} down`))}`,
          `${megabytes(upBytes)} · ${rate(this._rates.bps(`${peer} up`))}`,
          state.join(", "),
        ]),
      );
    }
    return table;
  }

  /** @returns {HTMLElement[]} */
  _map() {
    const { rows } = this.map;
    if (rows.length === 0) return [make("p", "None since this was opened.")];
    const legend = make("p");
    for (const [name, text] of LEGEND) legend.append(make("i", "", name), `${text} `);
    return [
      legend,
      ...rows.flatMap(({ track, type, cells, peers, both, cdn }) => {
        const label = `${type || "track"} ${track.slice(0, 8)}: ${peers} from peers, ${both} from both, ${cdn} from the CDN`;
        const line = make("div", "", "map");
        line.setAttribute("role", "img");
        line.setAttribute("aria-label", label);
        for (const { number, source, reason, sizeBytes } of cells.slice(-CELLS_SHOWN)) {
          const cell = make("i", "", source);
          cell.title = `${number}: ${source}${reason ? `, ${reason}` : ""}, ${kilobytes(sizeBytes)}`;
          line.append(cell);
        }
        return [make("p", label), line];
      }),
    ];
  }
}

const LEGEND = [
  ["peers", "peers"],
  ["both", "both"],
  ["cdn", "CDN"],
];

/** @param {[string, unknown]} option @returns {[string, string]} */
function shownOption([name, value]) {
  // Whoever looks over a developer's shoulder need not read it.
  if (name === "token") return [name, value === null ? "null" : "set"];
  return [name, value === "" ? "none" : String(value)];
}

/** @param {[string, string][]} pairs */
function terms(pairs) {
  return pairs.flatMap(([term, text]) => [make("dt", term), make("dd", text)]);
}

/** @param {"th" | "td"} tag @param {string[]} texts */
function tableRow(tag, texts) {
  const row = make("tr");
  row.append(...texts.map((text) => make(tag, text)));
  return row;
}

/** @template {keyof HTMLElementTagNameMap} Tag @param {Tag} tag @param {string} [text] @param {string} [name] @returns {HTMLElementTagNameMap[Tag]} */
function make(tag, text = "", name = "") {
  const element = document.createElement(tag);
  element.textContent = text;
  element.className = name;
  return element;
}

/** @param {number} bytes */
const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;
/** @param {number} bytes */
const kilobytes = (bytes) => `${Math.round(bytes / 1e3)} kB`;
/** @param {number} bps */
const rate = (bps) => `${(bps / 1e6).toFixed(1)} Mbit/s`;
