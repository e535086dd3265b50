/**
 * The demo page: plays a stream with the player that was chosen, as any page would, and shows what comes of it.
 *
 * Nothing here makes the player share: the script tag alone does. `PeerPool` is touched only to show its numbers, and
 * for `?p2p=off`. The page reports its playback in `window.demo`, for tests and the curious:
 *
 *   firstFrameMs  from the start of this script to the first frame shown, by performance.now(); null before it
 *   stalls        times that playback stood still for more than STALL_MS although it should have been playing: after
 *                 the first frame, not paused, not seeking, not ended. Sampled each SAMPLE_MS
 *   stalledMs     how long all of them lasted together, each counted from when the playhead stopped
 *   errors        texts of the player's errors, fatal ones prefixed with "fatal "; the newest ERRORS_KEPT
 *   chart, graph  what is drawn; null with charts=off
 *
 * Query: src, player (the server loads its script), level=N (pins an hls.js level), p2p=off, script=off (the server leaves the script
 * out), charts=off, name.
 */

import { RateChart } from "./chart.js";
import { NeighbourGraph } from "./neighbour-graph.js";
import { PLAYERS } from "./players.js";

const SAMPLE_MS = 100;
const STALL_MS = 300;
const PANEL_MS = 500;
const CHART_MS = 1000;
const ERRORS_KEPT = 100;

const startedAt = performance.now();
const page = /** @type {any} */ (window);
const query = new URLSearchParams(location.search);
const video = /** @type {HTMLVideoElement} */ (document.getElementById("video"));

const demo = {
  hls: /** @type {any} */ (null),
  played: /** @type {import("./players.js").Played | null} */ (null),
  chart: /** @type {RateChart | null} */ (null),
  graph: /** @type {NeighbourGraph | null} */ (null),
  video,
  stalls: 0,
  stalledMs: 0,
  firstFrameMs: /** @type {number | null} */ (null),
  errors: /** @type {string[]} */ ([]),
  startedAt,
};
page.demo = demo;

if (query.get("p2p") === "off") page.PeerPool?.configure({ enabled: false });

play(document.body.dataset.src ?? "", document.body.dataset.player ?? "");
watchFirstFrame();
watchStalls();
setInterval(showPanel, PANEL_MS);
if (page.PeerPool && query.get("charts") !== "off") drawCharts();

/** @param {string} src  nothing plays when it is empty @param {string} name  of the player */
async function play(src, name) {
  if (!src) return note("no stream: give a URL below");
  video.muted = true;
  video.autoplay = true;
  const level = Number.parseInt(query.get("level") ?? "", 10);
  try {
    demo.played = (await PLAYERS[name]?.({ src, video, note, level })) ?? null;
  } catch (error) {
    return note(String(error));
  }
  demo.hls = demo.played?.hls ?? null;
  video.play().catch(() => {}); // rejected while nothing is loaded yet; autoplay starts it then
}

/** They cost a viewer's time: drawn once a second, and not where nobody sees the page. */
function drawCharts() {
  const { PeerPool } = page;
  demo.chart = new RateChart(/** @type {HTMLElement} */ (document.getElementById("chart")));
  demo.graph = new NeighbourGraph(/** @type {HTMLElement} */ (document.getElementById("graph")));
  const draw = () => {
    const stats = PeerPool.stats();
    demo.chart?.add((performance.now() - startedAt) / 1000, stats.bytes);
    if (!document.hidden) demo.graph?.show(stats);
  };
  setInterval(draw, CHART_MS);
  PeerPool.on("peer", draw);
  document.getElementById("debug")?.addEventListener("click", () => PeerPool.debug());
}

/** @param {string} text */
function note(text) {
  demo.errors.push(text);
  if (demo.errors.length > ERRORS_KEPT) demo.errors.shift();
}

function watchFirstFrame() {
  const seen = () => {
    demo.firstFrameMs ??= performance.now() - startedAt;
  };
  if ("requestVideoFrameCallback" in video) {
    video.requestVideoFrameCallback(seen);
  } else {
    const shown = /** @type {HTMLVideoElement} */ (video);
    shown.addEventListener("timeupdate", () => shown.currentTime > 0 && seen());
  }
}

function watchStalls() {
  let lastTime = -1;
  let movedAt = performance.now();
  let sampledAt = movedAt;
  let isStalled = false;
  setInterval(() => {
    const now = performance.now();
    const shouldPlay = demo.firstFrameMs !== null && !video.paused && !video.seeking && !video.ended;
    // A late sample (a busy machine, a hidden tab) says nothing about the playhead in between.
    const isLate = now - sampledAt > STALL_MS;
    if (!shouldPlay || isLate || video.currentTime !== lastTime) {
      lastTime = video.currentTime;
      movedAt = now;
      isStalled = false;
    } else if (isStalled) {
      demo.stalledMs += now - sampledAt;
    } else if (now - movedAt > STALL_MS) {
      isStalled = true;
      demo.stalls += 1;
      demo.stalledMs += now - movedAt;
    }
    sampledAt = now;
  }, SAMPLE_MS);
}

function showPanel() {
  const { played } = demo;
  show("first-frame", demo.firstFrameMs === null ? "–" : `${Math.round(demo.firstFrameMs)} ms`);
  show("stalls", demo.stalls ? `${demo.stalls} (${(demo.stalledMs / 1000).toFixed(1)} s)` : "0");
  show("buffer", `${bufferedSec().toFixed(1)} s`);
  show("error", demo.errors.at(-1) ?? "–");
  show("level", played?.level() ?? "–");
  const latencySec = played?.latencySec() ?? null;
  show("latency", latencySec === null ? "–" : `${latencySec.toFixed(1)} s`);
  if (page.PeerPool) showSharing(page.PeerPool.stats());
}

/** @param {any} stats see PeerPool.stats() */
function showSharing(stats) {
  const { bytes, segments } = stats;
  show("state", stats.state);
  show("neighbours", String(stats.neighbours));
  show("cluster", String(stats.clusterSize));
  const relayed = bytes.relayed > 0 ? ` (${megabytes(bytes.relayed)} by a relay)` : "";
  show("from-peers", megabytes(bytes.fromPeers) + relayed);
  show("from-cdn", megabytes(bytes.fromCdn));
  show("to-peers", megabytes(bytes.toPeers));
  show("wasted", megabytes(bytes.wasted));
  show("segments", `${segments.fromPeers} / ${segments.mixed} / ${segments.fromCdn}`);
  const total = bytes.fromPeers + bytes.fromCdn || 1;
  widen("bar-peers", (bytes.fromPeers - bytes.relayed) / total); // a relay is paid for, as the CDN is
  widen("bar-cdn", bytes.fromCdn / total);
}

function bufferedSec() {
  const { buffered, currentTime } = video;
  for (let i = 0; i < buffered.length; i++) {
    if (buffered.start(i) <= currentTime && currentTime <= buffered.end(i)) return buffered.end(i) - currentTime;
  }
  return 0;
}

/** @param {number} bytes */
function megabytes(bytes) {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

/** @param {string} id @param {string} text */
function show(id, text) {
  const element = document.getElementById(id);
  if (element && element.textContent !== text) element.textContent = text;
}

/** @param {string} id @param {number} ratio */
function widen(id, ratio) {
  const element = document.getElementById(id);
  if (element) element.style.width = `${(ratio * 100).toFixed(1)}%`;
}
