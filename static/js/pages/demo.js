// @ts-check
/**
 * The demo page: plays a stream with hls.js as any page would, and shows what comes of it.
 *
 * Nothing here makes the player share: the script tag alone does. `PeerPool` is touched only to show its numbers, and
 * for `?p2p=off`. The page reports its playback in `window.demo`, for tests and the curious:
 *
 *   firstFrameMs  from the start of this script to the first frame shown, by performance.now(); null before it
 *   stalls        times that playback stood still for more than STALL_MS although it should have been playing: after
 *                 the first frame, not paused, not seeking, not ended. Sampled each SAMPLE_MS
 *   stalledMs     how long all of them lasted together, each counted from when the playhead stopped
 *   errors        texts of hls.js errors, fatal ones prefixed with "fatal "; the newest ERRORS_KEPT
 *
 * Query: src, level=N (pins an hls.js level), p2p=off, script=off (the server leaves the script out), name.
 */
(() => {
  const SAMPLE_MS = 100;
  const STALL_MS = 300;
  const PANEL_MS = 500;
  const ERRORS_KEPT = 100;

  const startedAt = performance.now();
  const page = /** @type {any} */ (window);
  const query = new URLSearchParams(location.search);
  const video = /** @type {HTMLVideoElement} */ (document.getElementById("video"));

  const demo = {
    hls: /** @type {any} */ (null),
    video,
    stalls: 0,
    stalledMs: 0,
    firstFrameMs: /** @type {number | null} */ (null),
    errors: /** @type {string[]} */ ([]),
    startedAt,
  };
  page.demo = demo;

  if (query.get("p2p") === "off") page.PeerPool?.configure({ enabled: false });

  play(document.body.dataset.src ?? "");
  watchFirstFrame();
  watchStalls();
  setInterval(showPanel, PANEL_MS);

  /** @param {string} src manifest URL; nothing plays when it is empty */
  function play(src) {
    if (!src) return note("no stream: give a manifest URL below");
    if (!page.Hls?.isSupported()) return note("hls.js cannot play in this browser");
    const hls = new page.Hls();
    demo.hls = hls;
    hls.on(page.Hls.Events.ERROR, (/** @type {string} */ _event, /** @type {any} */ data) => {
      note(`${data.fatal ? "fatal " : ""}${data.details}`);
    });
    const level = Number.parseInt(query.get("level") ?? "", 10);
    if (level >= 0) {
      hls.on(page.Hls.Events.MANIFEST_PARSED, () => {
        hls.currentLevel = Math.min(level, hls.levels.length - 1);
      });
    }
    hls.loadSource(src);
    hls.attachMedia(video);
    video.muted = true;
    video.autoplay = true;
    video.play().catch(() => {}); // rejected while nothing is loaded yet; autoplay starts it then
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
    const { hls } = demo;
    show("first-frame", demo.firstFrameMs === null ? "–" : `${Math.round(demo.firstFrameMs)} ms`);
    show("stalls", demo.stalls ? `${demo.stalls} (${(demo.stalledMs / 1000).toFixed(1)} s)` : "0");
    show("buffer", `${bufferedSec().toFixed(1)} s`);
    show("error", demo.errors.at(-1) ?? "–");
    const level = hls?.levels?.[hls.currentLevel];
    show("level", level ? `${level.height}p · ${Math.round(level.bitrate / 1000)} kbit/s` : "–");
    const isLive = hls?.levels?.[hls.currentLevel]?.details?.live;
    show("latency", isLive && Number.isFinite(hls.latency) ? `${hls.latency.toFixed(1)} s` : "–");
    if (page.PeerPool) showSharing(page.PeerPool.stats());
  }

  /** @param {any} stats see PeerPool.stats() */
  function showSharing(stats) {
    const { bytes, segments } = stats;
    show("state", stats.state);
    show("neighbours", String(stats.neighbours));
    show("cluster", String(stats.clusterSize));
    show("from-peers", megabytes(bytes.fromPeers));
    show("from-cdn", megabytes(bytes.fromCdn));
    show("to-peers", megabytes(bytes.toPeers));
    show("wasted", megabytes(bytes.wasted));
    show("segments", `${segments.fromPeers} / ${segments.mixed} / ${segments.fromCdn}`);
    const total = bytes.fromPeers + bytes.fromCdn || 1;
    widen("bar-peers", bytes.fromPeers / total);
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
})();
