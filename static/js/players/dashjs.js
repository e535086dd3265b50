/**
 * dash.js: its manifests are read as they pass, and the segments they name come from the pool. Everything else (licences, clocks,
 * steering, unknown URLs) goes the way it went before.
 *
 * The loader of XMLHttpRequests is extended. Facts this relies on (dash.js 5): the first extension of a name stays; with `override` its methods
 * take the place of the parent's, on the parent itself; `customData` has callbacks like those of an XMLHttpRequest; ABR reads `traces`, one an
 * event of progress, all but the first, and takes what took less than 50 ms for cached. Segments that are still being made
 * (availabilityTimeComplete="false", low latency) are loaded by another loader, and pass: whole ones would be later.
 */

import { loadMpdReader } from "./mpd-reader.js";
import { PlayerSession } from "./session.js";

/** @typedef {import("../pool.js").Pool} Pool */
/** @typedef {import("./dashjs-types.js").DashjsPlayer} DashjsPlayer */
/** @typedef {import("./dashjs-types.js").MediaRequest} MediaRequest */
/** @typedef {import("./dashjs-types.js").MediaResponse} MediaResponse */
/** @typedef {import("./dashjs-types.js").XhrLoader} XhrLoader */
/** @typedef {import("./session.js").SessionRequest} SessionRequest */

/** @param {any} player */
export const isDashjs = ({ attachSource, extend }) => typeof attachSource === "function" && typeof extend === "function";

/** @type {WeakSet<DashjsPlayer>} */
const attached = new WeakSet();

/**
 * Puts a dash.js player into the pool; before its source is given, or its manifest is not seen.
 * @param {Pool} pool
 * @param {DashjsPlayer} player
 * @param {{ content?: string }} [options]  `content` names it for this player alone
 */
export function attachDashjs(pool, player, { content } = {}) {
  if (attached.has(player)) return;
  attached.add(player);
  const session = new PlayerSession(pool, { name: content ?? null });
  if (pool.active) loadMpdReader();
  const { initialize, attachView, attachSource, reset, destroy } = player;
  const begin = (/** @type {unknown} */ source) => {
    // Not before: the first extension stays, and the page may have one of its own.
    player.extend("XHRLoader", sharingLoader(session), true);
    session.reset(typeof source === "string" ? new URL(source, document.baseURI).href : undefined);
  };
  Object.assign(
    player,
    /** @type {Partial<DashjsPlayer>} */ ({
      initialize: (view, source, ...rest) => {
        if (source) begin(source);
        initialize(view, source, ...rest);
        session.watch(elementOf(player));
      },
      attachView: (view) => {
        attachView(view);
        session.watch(elementOf(player));
      },
      attachSource: (source, ...rest) => {
        begin(source);
        attachSource(source, ...rest);
      },
      reset: () => {
        reset();
        session.watch(null);
        session.reset();
      },
      destroy: () => {
        destroy();
        session.close();
      },
    }),
  );
}

/** @param {DashjsPlayer} player */
function elementOf(player) {
  try {
    return player.getVideoElement();
  } catch {
    return null;
  }
}

/** @param {PlayerSession} session @returns {(this: { parent: XhrLoader }) => XhrLoader} */
function sharingLoader(session) {
  return function () {
    // A copy: its methods are about to be replaced by ours.
    const parent = { ...this.parent };
    /** @type {Set<Exchange>} */
    const running = new Set();
    const endAll = () => {
      for (const exchange of running) exchange.cancel();
    };
    return {
      load: (request, response) => {
        if (request.customData.request.type === "MPD") watchManifest(session, request, response);
        else if (isPlain(request) && new Exchange(session, running, request, response, () => parent.load(request, response)).taken)
          return;
        parent.load(request, response);
      },
      abort: (request) => {
        const own = request && [...running].find((exchange) => exchange.request === request);
        if (own) own.cancel();
        else parent.abort(request);
      },
      reset: () => {
        endAll();
        parent.reset();
      },
      resetInitialSettings: () => {
        endAll();
        parent.resetInitialSettings();
      },
    };
  };
}

/** Whether the request has nothing of its own that ours would lack: credentials, headers. @param {MediaRequest} request */
function isPlain({ method, responseType, credentials, headers = {} }) {
  const own = Object.keys(headers).filter((name) => headers[name] && name !== "Range");
  return method === "GET" && responseType === "arraybuffer" && credentials !== "include" && own.length === 0;
}

/** @param {PlayerSession} session @param {MediaRequest} request @param {MediaResponse} response */
function watchManifest(session, request, response) {
  const { customData, url } = request;
  const { onloadend } = customData;
  session.manifestRequested(url);
  customData.onloadend = () => {
    if (response.status >= 200 && response.status < 300) session.manifestLoaded(url, response.url ?? "", response.data);
    onloadend?.();
  };
}

/** One request of dash.js that the pool may answer. */
class Exchange {
  /**
   * @param {PlayerSession} session
   * @param {Set<Exchange>} running  it is in there while the pool has it
   * @param {MediaRequest} request
   * @param {MediaResponse} response
   * @param {() => void} plain  loads it as without us
   */
  constructor(session, running, request, response, plain) {
    this.request = request;
    this._response = response;
    this._running = running;
    this._startedAt = Date.now();
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this._timeout = undefined;
    const { customData, headers, url, timeout } = request;
    const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(headers?.Range ?? "") ?? [];
    const range = first && last ? { rangeStart: Number(first), rangeEnd: Number(last) + 1 } : {};
    const { startTime } = customData.request;
    // A range of another form is nobody's segment.
    const knowable = Boolean(first) || !headers?.Range;
    /** @type {SessionRequest | null} */
    this._asked =
      (knowable || null) &&
      session.request(
        { url, ...range, startSec: Number.isFinite(startTime) ? /** @type {number} */ (startTime) : null },
        {
          progressed: ({ loadedBytes, sizeBytes }) =>
            customData.onprogress?.({ loaded: loadedBytes, total: sizeBytes ?? 0, lengthComputable: sizeBytes !== null }),
          delivered: (bytes, timing) => this._delivered(bytes, timing),
          failed: ({ status, reason }) => this._answer({ status, statusText: reason }),
          refused: () => {
            this._end();
            plain();
          },
        },
      );
    if (!this._asked) {
      if (first) watchIndex(session, { url, ...range }, request, response);
      return;
    }
    running.add(this);
    if (timeout > 0) this._timeout = setTimeout(() => this._timedOut(), timeout);
    customData.abort = () => {
      if (this.cancel()) customData.onabort?.();
    };
  }

  /** Whether the pool does it. */
  get taken() {
    return this._asked !== null;
  }

  /** @returns {boolean} whether it was still running */
  cancel() {
    this._end();
    return Boolean(this._asked?.cancel());
  }

  _end() {
    clearTimeout(this._timeout);
    this._running.delete(this);
  }

  _timedOut() {
    if (!this.cancel()) return;
    this.request.customData.ontimeout?.({ loaded: 0, total: 0, lengthComputable: false });
    this.request.customData.onloadend?.();
  }

  /** @param {ArrayBuffer} data @param {import("../core/outbox.js").Timing} timing */
  _delivered(data, { startMs, firstByteMs, endMs }) {
    const { customData, headers } = this.request;
    const fragment = customData.request;
    const total = data.byteLength;
    const latency = Math.max(1, firstByteMs - startMs);
    // What came by when it was told is one thing, how long it was on its way another: ABR measures by the second.
    fragment.traces.length = 0;
    customData.onprogress?.({ loaded: 0, total, lengthComputable: true, time: latency });
    customData.onprogress?.({ loaded: total, total, lengthComputable: true, time: Math.max(1, endMs - firstByteMs) });
    fragment.firstByteDate = new Date(this._startedAt + latency);
    // The browser's own timing of this URL would be that of what of it we fetched.
    this.request.range = true;
    this._answer({ status: headers?.Range ? 206 : 200, statusText: "OK", data });
  }

  /** @param {MediaResponse} answer */
  _answer(answer) {
    this._end();
    Object.assign(this._response, { url: this.request.url, headers: {} }, answer);
    this.request.customData.onloadend?.();
  }
}

/**
 * A range that is loaded without us may be the index that says where segments are.
 * @param {PlayerSession} session @param {{ url: string, rangeStart?: number, rangeEnd?: number }} asked
 * @param {MediaRequest} request @param {MediaResponse} response
 */
function watchIndex(session, asked, { customData }, response) {
  const { onloadend } = customData;
  customData.onloadend = () => {
    if (response.status === 206 && response.data instanceof ArrayBuffer) session.loaded(asked, response.data);
    onloadend?.();
  };
}
