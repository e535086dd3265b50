/**
 * hls.js: its playlists are read as they pass, its fragments come from the pool. Everything else (keys, steering,
 * unknown URLs) goes the way it went before.
 *
 * hls.js makes a loader for each request: a class in its config, `pLoader` for playlists, `fLoader` for fragments, called
 * with (context, config, callbacks). Facts this relies on (hls.js 1.x): `stats` must exist at construction;
 * `rangeEnd` is exclusive; ABR reads stats.loading.{start,first,end} and stats.loaded; delivered buffers are transferred
 * to a worker, so they must be nobody else's.
 */

import { now } from "../io/alarm.js";
import { PlayerSession } from "./session.js";

/** @typedef {import("../pool.js").Pool} Pool */

/** What is used of hls.js; an instance of any 1.x fits. @typedef {import("./hlsjs-types.js").HlsLike} HlsLike */
/** @typedef {import("./hlsjs-types.js").HlsConfig} HlsConfig */
/** @typedef {import("./hlsjs-types.js").Loader} Loader */
/** @typedef {import("./hlsjs-types.js").LoaderClass} LoaderClass */
/** @typedef {import("./hlsjs-types.js").LoaderContext} LoaderContext */
/** @typedef {import("./hlsjs-types.js").LoaderCallbacks} LoaderCallbacks */
/** @typedef {import("./hlsjs-types.js").LoaderConfig} LoaderConfig */
/** @typedef {import("./hlsjs-types.js").LoaderStats} LoaderStats */

/**
 * Puts an hls.js instance into the pool; before its loadSource, or its first playlists are not seen.
 * @param {Pool} pool
 * @param {HlsLike} hls
 * @param {{ content?: string }} [options]  `content` names it for this player alone
 */
export function attachHls(pool, hls, { content } = {}) {
  if (attached.has(hls)) return;
  attached.add(hls);
  const { config } = hls;
  if (!config?.loader || customised(hls)) return;
  const session = new PlayerSession(pool, { name: content ?? null, media: hls.media });
  const base = config.loader;
  config.pLoader = playlistLoader(config.pLoader ?? base, session);
  config.fLoader = fragmentLoader(base, session);
  hls.on("hlsManifestLoading", (_event, data) => session.reset(data?.url));
  hls.on("hlsMediaAttached", () => session.watch(hls.media));
  hls.on("hlsMediaDetaching", () => session.watch(null));
  hls.on("hlsDestroying", () => session.close());
}

/** So that a page that attaches an instance the script tag attached already changes nothing. @type {WeakSet<HlsLike>} */
const attached = new WeakSet();

/** @param {LoaderClass} Base @param {PlayerSession} session @returns {LoaderClass} that also shows us what it loads */
function playlistLoader(Base, session) {
  return class PeerPoolPlaylistLoader extends Base {
    /** @override @param {LoaderContext} context @param {LoaderConfig} config @param {LoaderCallbacks} callbacks */
    load(context, config, callbacks) {
      session.manifestRequested(context.url);
      /** @type {LoaderCallbacks} */
      const watched = {
        ...callbacks,
        onSuccess: (response, ...rest) => {
          session.manifestLoaded(context.url, response.url, response.data);
          callbacks.onSuccess(response, ...rest);
        },
      };
      super.load(context, config, watched);
    }
  };
}

/** @param {LoaderClass} Base @param {PlayerSession} session @returns {LoaderClass} */
function fragmentLoader(Base, session) {
  return class PeerPoolFragmentLoader {
    /** @param {HlsConfig} hlsConfig */
    constructor(hlsConfig) {
      this._hlsConfig = hlsConfig;
      /** @type {LoaderContext | null} */
      this.context = null;
      /** @type {LoaderStats} */
      this.stats = freshStats();
      /** The page's own loader, where the pool is not asked. @type {Loader | null} */
      this._plain = null;
      /** @type {FragmentRequest | null} */
      this._request = null;
    }

    destroy() {
      this._request?.cancel();
      this._plain?.destroy();
      this._request = this._plain = null;
    }

    abort() {
      this._plain?.abort();
      this._request?.abort();
    }

    /** @param {LoaderContext} context @param {LoaderConfig} config @param {LoaderCallbacks} callbacks */
    load(context, config, callbacks) {
      this.context = context;
      const plain = () => this._loadPlain(context, config, callbacks);
      if (changesRequests(this._hlsConfig)) {
        plain();
        return;
      }
      const request = new FragmentRequest(this, session, config, callbacks, plain);
      if (request.taken) this._request = request;
      else plain();
    }

    /** The way it would have gone without us. @param {LoaderContext} context @param {LoaderConfig} config @param {LoaderCallbacks} callbacks */
    _loadPlain(context, config, callbacks) {
      this._request = null;
      Object.assign(this.stats.loading, { start: 0, first: 0, end: 0 }); // a loader refuses stats that were used
      this._plain = new Base(this._hlsConfig);
      this._plain.stats = this.stats; // hls.js has already taken hold of ours
      this._plain.load(context, config, callbacks);
    }

    getCacheAge() {
      return this._plain?.getCacheAge?.() ?? null;
    }

    /** @param {string} name */
    getResponseHeader(name) {
      return this._plain?.getResponseHeader?.(name) ?? null;
    }
  };
}

/**
 * Whether the page loads fragments in a way of its own (signing, decrypting, CMCD), which ours would pass over.
 * @param {HlsLike} hls
 */
function customised(hls) {
  const { config } = hls;
  const stock = /** @type {{ DefaultConfig?: HlsConfig }} */ (hls.constructor).DefaultConfig?.loader;
  return config.fLoader !== undefined || (stock !== undefined && config.loader !== stock) || changesRequests(config);
}

/** Whether the page adds something to requests (headers, credentials) that ours would lack. @param {HlsConfig} config */
function changesRequests({ xhrSetup, fetchSetup }) {
  return Boolean(xhrSetup || fetchSetup);
}

/** One fragment asked of the pool on behalf of a loader. */
class FragmentRequest {
  /**
   * @param {{ stats: LoaderStats, context: LoaderContext | null }} loader
   * @param {PlayerSession} session
   * @param {LoaderConfig} config
   * @param {LoaderCallbacks} callbacks
   * @param {() => void} refused  the pool will not do it after all
   */
  constructor(loader, session, config, callbacks, refused) {
    this._loader = loader;
    this._callbacks = callbacks;
    const { stats } = loader;
    const context = /** @type {LoaderContext} */ (loader.context);
    const { url, rangeStart, rangeEnd, frag, part } = context;
    stats.loading.start = now();
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this._timeout = undefined;
    const range = rangeEnd ? { rangeStart: rangeStart ?? 0, rangeEnd } : {};
    this._request = session.request(
      { url, ...range, startSec: (part ?? frag)?.start ?? null },
      {
        progressed: ({ loadedBytes, sizeBytes, startMs, firstByteMs }) => {
          stats.loading.start = startMs;
          stats.loading.first = firstByteMs;
          stats.loaded = loadedBytes;
          stats.total = sizeBytes ?? 0;
        },
        delivered: (bytes, timing) => this._delivered(bytes, timing),
        failed: ({ status, reason }) => {
          clearTimeout(this._timeout);
          callbacks.onError({ code: status, text: reason }, context, null, stats);
        },
        refused: () => {
          clearTimeout(this._timeout);
          refused();
        },
      },
    );
    // hls.js before 1.4 has `timeout` in place of a policy.
    const timeoutMs = config.loadPolicy?.maxLoadTimeMs ?? config.timeout;
    if (this._request) this._timeout = setTimeout(() => this._timedOut(), timeoutMs);
  }

  /** Whether the pool does it. */
  get taken() {
    return this._request !== null;
  }

  /** Lets go of it without a word, as destroying a loader does. @returns {boolean} whether it was still running */
  cancel() {
    clearTimeout(this._timeout);
    if (!this._request?.cancel()) return false;
    this._loader.stats.aborted = true;
    return true;
  }

  /** Lets go of it and says so: hls.js waits for the word before it loads anything else. */
  abort() {
    const { stats, context } = this._loader;
    if (this.cancel() && context) this._callbacks.onAbort?.(stats, context, null);
  }

  _timedOut() {
    const { stats, context } = this._loader;
    if (!this.cancel() || !context) return;
    stats.aborted = false; // timed out is not given up
    this._callbacks.onTimeout(stats, context, null);
  }

  /** @param {ArrayBuffer} bytes @param {import("../core/outbox.js").Timing} timing */
  _delivered(bytes, timing) {
    clearTimeout(this._timeout);
    const { stats } = this._loader;
    const context = /** @type {LoaderContext} */ (this._loader.context);
    stats.loading.start = timing.startMs;
    stats.loading.first = timing.firstByteMs;
    stats.loading.end = timing.endMs;
    stats.loaded = stats.total = bytes.byteLength;
    stats.bwEstimate = (stats.total * 8000) / Math.max(1, timing.endMs - timing.firstByteMs);
    this._callbacks.onProgress?.(stats, context, bytes, null);
    this._callbacks.onSuccess({ url: context.url, data: bytes, code: 200 }, stats, context, null);
  }
}

/** @returns {LoaderStats} */
function freshStats() {
  return {
    aborted: false,
    loaded: 0,
    retry: 0,
    total: 0,
    chunkCount: 0,
    bwEstimate: 0,
    loading: { start: 0, first: 0, end: 0 },
    parsing: { start: 0, end: 0 },
    buffering: { start: 0, first: 0, end: 0 },
  };
}
