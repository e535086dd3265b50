/**
 * video.js with VHS, its HLS and DASH engine: its manifests are read as they pass, its segments come from the pool. Keys, steering
 * and unknown URLs go the way they went before.
 *
 * VHS loads everything by `tech.vhs.xhr`, made anew for each source, which sends by an XMLHttpRequest given as `xhr` among the
 * options: ours (intercepted-xhr.js), so that progress, abort and timeouts are those of any request, and the page's hooks
 * (onRequest, onResponse) still see all. Facts this relies on (video.js 8.24): `xhr-hooks-ready` comes before a source's first
 * request; the bandwidth found on a request is taken in place of one measured by when it was sent.
 */

import { manifestText, parseRange } from "../core/http-answers.js";
import { interceptedXhr } from "./intercepted-xhr.js";
import { PlayerSession } from "./session.js";

/** @typedef {import("../pool.js").Pool} Pool */
/** @typedef {import("./videojs-types.js").Vhs} Vhs */
/** @typedef {import("./videojs-types.js").VhsXhr} VhsXhr */
/** @typedef {import("./videojs-types.js").VideojsPlayer} VideojsPlayer */
/** @typedef {import("./videojs-types.js").VideojsLibrary} VideojsLibrary */

/** @param {any} player  an object */
export const isVideojs = ({ tech, on }) => typeof tech === "function" && typeof on === "function";

/** @param {any} library @returns {library is VideojsLibrary} */
export const isVideojsLibrary = (library) => typeof library?.hook === "function" && typeof library.getPlayers === "function";

/**
 * Puts a player into the pool; a source that has its first manifest already stays as it is.
 * @param {Pool} pool
 * @param {VideojsPlayer} player
 * @param {{ content?: string }} [options]  `content` names it for this player alone
 */
export function attachVideojs(pool, player, { content } = {}) {
  if (attached.has(player)) return;
  attached.add(player);
  /** @type {WeakSet<Vhs>} */
  const known = new WeakSet();
  const ready = () => {
    const tech = player.tech(true);
    if (!tech?.vhs || known.has(tech.vhs)) return;
    known.add(tech.vhs);
    share(tech.vhs, new PlayerSession(pool, { name: content ?? null, media: /** @type {HTMLMediaElement | null} */ (tech.el()) }));
  };
  // The first source comes before the player knows its tech: it does when that is made, and the first manifest is on its way.
  player.on("xhr-hooks-ready", () => {
    ready();
    queueMicrotask(ready);
  });
}

/** @type {WeakSet<VideojsPlayer>} */
const attached = new WeakSet();

/** @param {Vhs} vhs  one source of a player @param {PlayerSession} session */
function share(vhs, session) {
  /** Being sent. @type {XMLHttpRequest & { bandwidth?: number } | null} */
  let sending = null;
  const Shared = interceptedXhr(XMLHttpRequest, {
    interested: () => false, // manifests are read below
    read: () => {},
    knows: () => true,
    request: (url, range, events) => {
      const xhr = sending;
      return session.request(
        { url, ...range },
        {
          ...events,
          delivered: (bytes, timing, peerBytes) => {
            if (xhr) xhr.bandwidth = Math.floor((bytes.byteLength * 8000) / Math.max(1, timing.endMs - timing.startMs));
            events.delivered(bytes, timing, peerBytes);
          },
        },
      );
    },
  });
  const asked = (/** @type {string} */ url) => {
    if (session.content === null) session.reset(url);
    session.manifestRequested(url);
  };
  const first = vhs.playlists?.request;
  if (first) {
    const url = absolute(/** @type {XMLHttpRequest & { uri: string }} */ (first).uri);
    asked(url);
    first.addEventListener("readystatechange", () => first.readyState === 4 && readManifest(session, url, first));
  }
  // As itself in all but how it is called: the page's hooks are kept on it.
  vhs.xhr = new Proxy(vhs.xhr, {
    apply(/** @type {VhsXhr} */ xhr, _this, /** @type {Parameters<VhsXhr>} */ [options, callback]) {
      const url = absolute(options.uri);
      if (options.responseType !== "arraybuffer") {
        asked(url);
        return xhr(options, (error, request) => {
          if (!error) readManifest(session, url, request);
          callback(error, request);
        });
      }
      // A range that is loaded without us may be the index of DASH that says where segments are.
      const range = parseRange(options.headers?.Range ?? null);
      const loaded = (/** @type {unknown} */ error, /** @type {XMLHttpRequest} */ request) => {
        const { status, response } = request;
        if (!error && range && status === 206 && response instanceof ArrayBuffer) session.loaded({ url, ...range }, response);
        callback(error, request);
      };
      sending = new Shared();
      try {
        return xhr({ ...options, xhr: sending }, loaded);
      } finally {
        sending = null;
      }
    },
  });
  vhs.on("dispose", () => session.close());
}

/** @param {PlayerSession} session @param {string} url  as it was asked for @param {XMLHttpRequest} request  done */
function readManifest(session, url, request) {
  // A manifest inside a data: URL has no name that others would know it by.
  if (request.status === 200 && /^(text)?$/.test(request.responseType) && url.startsWith("http"))
    session.manifestLoaded(url, request.responseURL, manifestText(request.responseText));
}

/** @param {string} url */
const absolute = (url) => new URL(url, document.baseURI).href;
