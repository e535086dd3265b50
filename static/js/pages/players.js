/**
 * Starts each of the players that the demo offers, as their own documentation says. Nothing here makes them share.
 *
 * Their scripts are loaded by the page's HTML; each leaves a global.
 */

/**
 * @typedef {object} Played
 * @property {() => string} level  what is played now, in words
 * @property {() => number | null} latencySec  behind the live edge; null where it is not live, or not known
 * @property {any} [hls]  the hls.js instance, for tests
 */

/** @typedef {(problem: string) => void} Note */
/** @typedef {{ src: string, video: HTMLVideoElement, note: Note, level: number }} Wanted  `level` pins one, or is NaN */

const page = /** @type {any} */ (window);
/** A first visit has no service worker yet; what takes longer plays without it. */
const WORKER_WAIT_MS = 3000;

/** @type {Record<string, (wanted: Wanted) => Played | Promise<Played>>} */
export const PLAYERS = { hls: playHls, shaka: playShaka, dash: playDash, videojs: playVideoJs, video: playFile };

/** @param {Wanted} wanted @returns {Played} */
function playHls({ src, video, note, level }) {
  const { Hls } = page;
  if (!Hls?.isSupported()) throw new Error("hls.js cannot play in this browser");
  const hls = new Hls();
  hls.on(Hls.Events.ERROR, (/** @type {string} */ _event, /** @type {any} */ data) => {
    note(`${data.fatal ? "fatal " : ""}${data.details}`);
  });
  if (level >= 0) {
    hls.on(Hls.Events.MANIFEST_PARSED, () => {
      hls.currentLevel = Math.min(level, hls.levels.length - 1);
    });
  }
  hls.loadSource(src);
  hls.attachMedia(video);
  const current = () => hls.levels?.[hls.currentLevel];
  return {
    hls,
    level: () => (current() ? inWords(current().height, current().bitrate) : "–"),
    latencySec: () => (current()?.details?.live && Number.isFinite(hls.latency) ? hls.latency : null),
  };
}

/** @param {Wanted} wanted @returns {Played} */
function playShaka({ src, video, note }) {
  const { shaka } = page;
  shaka.polyfill.installAll();
  if (!shaka.Player.isBrowserSupported()) throw new Error("Shaka cannot play in this browser");
  const player = new shaka.Player();
  const failed = (/** @type {any} */ error) => note(`${error.severity === 2 ? "fatal " : ""}Shaka error ${error.code ?? error}`);
  player.addEventListener("error", (/** @type {any} */ event) => failed(event.detail));
  player
    .attach(video)
    .then(() => player.load(src))
    .catch(failed);
  return {
    level: () => {
      const track = player.getVariantTracks().find((/** @type {any} */ { active }) => active);
      return track ? inWords(track.height, track.bandwidth) : "–";
    },
    latencySec: () => (player.isLive() ? player.seekRange().end - video.currentTime : null),
  };
}

/** @param {Wanted} wanted @returns {Played} */
function playDash({ src, video, note }) {
  const { dashjs } = page;
  const player = dashjs.MediaPlayer().create();
  player.on(dashjs.MediaPlayer.events.ERROR, (/** @type {any} */ { error }) => note(`fatal ${error?.message ?? error}`));
  player.initialize(video, src, true);
  return {
    level: () => {
      const track = player.isReady() && player.getCurrentRepresentationForType("video");
      return track ? inWords(track.height, track.bandwidth) : "–";
    },
    latencySec: () => (player.isReady() && player.isDynamic() ? player.getCurrentLiveLatency() : null),
  };
}

/** @param {Wanted} wanted @returns {Played} */
function playVideoJs({ src, video, note }) {
  video.classList.add("video-js", "vjs-fill");
  const player = page.videojs(video, { controls: true, html5: { vhs: { overrideNative: true } } });
  player.on("error", () => note(`fatal ${player.error()?.message}`));
  player.src({ src, type: mediaType(src) });
  return {
    level: () => (video.videoHeight ? `${video.videoHeight}p` : "–"),
    latencySec: () => {
      const { seekable } = video;
      return video.duration === Number.POSITIVE_INFINITY && seekable.length > 0
        ? seekable.end(seekable.length - 1) - video.currentTime
        : null;
    },
  };
}

/** The browser itself, of a file; the service worker answers it from the swarm. @param {Wanted} wanted @returns {Promise<Played>} */
async function playFile({ src, video, note }) {
  video.addEventListener("error", () => note(`fatal ${video.error?.message || "the browser cannot play this"}`));
  video.crossOrigin = "anonymous";
  video.dataset.peerpool = ""; // has the worker registered
  await workerThere();
  video.src = src;
  return { level: () => (video.videoHeight ? `${video.videoHeight}p` : "–"), latencySec: () => null };
}

/** When the page's service worker answers for it, or after a while. */
async function workerThere() {
  const { serviceWorker } = navigator;
  if (!serviceWorker || serviceWorker.controller || !page.PeerPool) return;
  await new Promise((resolve) => {
    serviceWorker.addEventListener("controllerchange", resolve, { once: true });
    setTimeout(resolve, WORKER_WAIT_MS);
  });
}

/** @param {string} src */
function mediaType(src) {
  const { pathname } = new URL(src);
  if (pathname.endsWith(".mpd")) return "application/dash+xml";
  return /\.(mp4|m4v|mov)$/.test(pathname) ? "video/mp4" : "application/x-mpegURL";
}

/** @param {number} height @param {number} bitrateBps */
const inWords = (height, bitrateBps) => `${height}p · ${Math.round(bitrateBps / 1000)} kbit/s`;
