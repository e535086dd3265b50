/**
 * hls.js: its playlists are read as they pass, its fragments come from the pool. Everything else (keys, steering,
 * unknown URLs) goes the way it went before.
 *
 * hls.js makes a loader for each request: a class in its config, `pLoader` for playlists, `fLoader` for fragments, called
 * with (context, config, callbacks). Facts this relies on (hls.js 1.x): `stats` must exist at construction;
 * `rangeEnd` is exclusive; ABR reads stats.loading.{start,first,end} and stats.loaded; delivered buffers are transferred
 * to a worker, so they must be nobody else's.
 */

import { SegmentTable } from "../core/manifests.js";
import { now } from "../io/alarm.js";

/** @typedef {import("../pool.js").Pool} Pool */
/** @typedef {import("../engine.js").Engine} Engine */
/** @typedef {import("../core/download.js").SegmentSource} SegmentSource */

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
  const session = new HlsSession(pool, hls, content ?? null);
  const base = config.loader;
  config.pLoader = playlistLoader(config.pLoader ?? base, session);
  config.fLoader = fragmentLoader(base, session);
  pool.players.add(session);
  hls.on("hlsManifestLoading", (_event, data) => session.reset(data?.url));
  hls.on("hlsMediaAttached", () => session.watch(hls.media));
  hls.on("hlsMediaDetaching", () => session.watch(null));
  hls.on("hlsDestroying", () => {
    session.watch(null);
    pool.players.delete(session);
    pool.leaveUnused();
  });
}

/** So that a page that attaches an instance the script tag attached already changes nothing. @type {WeakSet<HlsLike>} */
const attached = new WeakSet();

/** One hls.js instance in the pool. */
class HlsSession {
  /** @param {Pool} pool @param {HlsLike} hls @param {string | null} name  of its content, or null for the pool's choice */
  constructor(pool, hls, name) {
    this.pool = pool;
    this._hls = hls;
    this._name = name;
    this.table = new SegmentTable();
    /** Playlists that hls.js was given and we have not read. @type {{ url: string, answeredUrl: string, text: string }[]} */
    this._unread = [];
    /** Requests not yet answered. @type {Set<FragmentRequest>} */
    this.running = new Set();
    /** @type {HTMLMediaElement | null} */
    this._media = null;
    /** What changes when the playhead gets where it is going. @type {Record<string, () => void>} */
    this._reactions = {
      waiting: () => {
        this._waited();
        this._hasten();
      },
      loadeddata: () => {
        this.engine?.settled();
        this._hasten();
      },
      seeking: () => this._hasten(),
      ratechange: () => this._hasten(),
    };
  }

  /** @param {HTMLMediaElement | null} media  the one it plays in now */
  watch(media) {
    for (const [event, reaction] of Object.entries(this._reactions)) {
      this._media?.removeEventListener(event, reaction);
      media?.addEventListener(event, reaction);
    }
    this._media = media;
  }

  /** The deadlines of what is on its way are not what they were. */
  _hasten() {
    for (const request of this.running) request.hasten();
  }

  /** Another source is loaded into the same instance. @param {string} [url]  its first playlist's, where hls.js says it */
  reset(url) {
    this.table = new SegmentTable();
    // Its URL is its name: joining now, and not when it has come, gains a round trip to the CDN.
    if (url && /^https?:/i.test(url)) this.table.named(url);
    this._unread = [];
    this.pool.leaveUnused();
    this._later(() => this._join());
  }

  /** When hls.js has sent the requests it is about to send: what may wait does not make them wait. @param {() => void} work */
  _later(work) {
    queueMicrotask(() => this.pool.players.has(this) && work());
  }

  /** Joins the swarm, as soon as there is a name to join by. */
  _join() {
    void this.engine;
  }

  /** The media element waits for data. Before its first frame and while it seeks that is no stall. */
  _waited() {
    if (this._media && !this._media.seeking && this._media.played.length > 0) this.engine?.stalled();
  }

  /** Name of its content; null before a manifest was seen. */
  get content() {
    return this.table.contentName && (this._name ?? this.pool.options.content ?? this.table.contentName);
  }

  /** @returns {Engine | null} null while nothing may be shared, or no manifest was seen */
  get engine() {
    return this.content === null ? null : this.pool.engine(this.content);
  }

  /**
   * When the playhead reaches a fragment; now, while nothing can play. While it seeks it is already said to be where it goes to, and
   * what is buffered there will play, as after the first fragment of a live stream.
   * @param {{ start: number } | undefined} fragment
   * @returns {number} on the clock of `now`
   */
  deadlineMs(fragment) {
    const { media } = this._hls;
    if (!media || !fragment || !bufferedAt(media, media.currentTime) || awaitsMore(media)) return now();
    const rate = media.playbackRate > 0 ? media.playbackRate : 1;
    return now() + (Math.max(0, fragment.start - media.currentTime) / rate) * 1000;
  }

  /** @param {LoaderContext} context @returns {SegmentSource | null} what it asks for, if a playlist named it */
  find({ url, rangeStart, rangeEnd }) {
    return this.table.find(url, rangeEnd ? (rangeStart ?? 0) : null, rangeEnd || null);
  }

  /** @param {string} url @param {string} answeredUrl @param {unknown} text */
  playlistLoaded(url, answeredUrl, text) {
    if (typeof text !== "string") return;
    this._unread.push({ url, answeredUrl: answeredUrl || url, text });
    this._later(() => {
      this.catchUp();
      this._join();
    });
  }

  /** Reads the playlists that have come. */
  catchUp() {
    const unread = this._unread;
    this._unread = [];
    for (const { url, answeredUrl, text } of unread) {
      try {
        this.table.observe(url, answeredUrl, text);
      } catch (error) {
        reportError(error); // a playlist that only we cannot read is no reason not to play it
      }
    }
  }
}

/**
 * Whether it shows its first frame and waits for more before it plays: with `autoplay`, and nobody calling play(), Firefox and Safari
 * begin when they expect not to run dry. Chromium begins with the first frame.
 * @param {HTMLMediaElement} media
 */
function awaitsMore({ autoplay, paused, played, readyState }) {
  return autoplay && paused && played.length === 0 && readyState > 1 && readyState < 4;
}

/** @param {HTMLMediaElement} media @param {number} time */
function bufferedAt(media, time) {
  for (let index = 0; index < media.buffered.length; index++) {
    // A tenth of a second: players seek to the start of a range that is not exactly there.
    if (media.buffered.start(index) - 0.1 <= time && time < media.buffered.end(index)) return true;
  }
  return false;
}

/** @param {LoaderClass} Base @param {HlsSession} session @returns {LoaderClass} that also shows us what it loads */
function playlistLoader(Base, session) {
  return class PeerPoolPlaylistLoader extends Base {
    /** @override @param {LoaderContext} context @param {LoaderConfig} config @param {LoaderCallbacks} callbacks */
    load(context, config, callbacks) {
      /** @type {LoaderCallbacks} */
      const watched = {
        ...callbacks,
        onSuccess: (response, ...rest) => {
          session.playlistLoaded(context.url, response.url, response.data);
          callbacks.onSuccess(response, ...rest);
        },
      };
      super.load(context, config, watched);
    }
  };
}

/** @param {LoaderClass} Base @param {HlsSession} session @returns {LoaderClass} */
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
      session.catchUp();
      const { engine } = session;
      const source = engine && session.find(context);
      if (!engine || !source || changesRequests(this._hlsConfig)) plain();
      else this._request = new FragmentRequest(this, session, engine, source, config, callbacks, plain);
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

/** One fragment asked of the engine on behalf of a loader. */
class FragmentRequest {
  /**
   * @param {{ stats: LoaderStats, context: LoaderContext | null }} loader
   * @param {HlsSession} session
   * @param {Engine} engine
   * @param {SegmentSource} source
   * @param {LoaderConfig} config
   * @param {LoaderCallbacks} callbacks
   * @param {() => void} refused  the engine will not do it
   */
  constructor(loader, session, engine, source, config, callbacks, refused) {
    this._loader = loader;
    this._session = session;
    this._engine = engine;
    this._source = source;
    this._callbacks = callbacks;
    this._over = false;
    const context = /** @type {LoaderContext} */ (loader.context);
    loader.stats.loading.start = now();
    session.running.add(this);
    // hls.js before 1.4 has `timeout` in place of a policy.
    this._timeout = setTimeout(() => this._timedOut(), config.loadPolicy?.maxLoadTimeMs ?? config.timeout);
    this._request = engine.request(source, session.deadlineMs(context.frag), {
      progressed: ({ loadedBytes, sizeBytes, startMs, firstByteMs }) => {
        this._loader.stats.loading.start = startMs;
        this._loader.stats.loading.first = firstByteMs;
        this._loader.stats.loaded = loadedBytes;
        this._loader.stats.total = sizeBytes ?? 0;
      },
      delivered: (bytes, timing, peerBytes) => this._delivered(bytes, timing, peerBytes),
      failed: ({ status, reason }) => {
        if (this._over) return;
        this._end();
        // An answer that we cannot use and the player may: the whole of a resource in place of a range of it.
        if (status >= 200 && status < 300) {
          refused();
          return;
        }
        this._callbacks.onError({ code: status, text: reason }, context, null, loader.stats);
      },
      refused: () => {
        if (this._over) return;
        this._end();
        refused();
      },
    });
  }

  /** Lets go of it without a word, as destroying a loader does. @returns {boolean} whether it was still running */
  cancel() {
    if (this._over) return false;
    this._end();
    this._engine.cancel(this._request);
    this._loader.stats.aborted = true;
    return true;
  }

  /** Lets go of it and says so: hls.js waits for the word before it loads anything else. */
  abort() {
    const { stats, context } = this._loader;
    if (this.cancel() && context) this._callbacks.onAbort?.(stats, context, null);
  }

  hasten() {
    this._engine.hasten(this._request, this._session.deadlineMs(this._loader.context?.frag));
  }

  _end() {
    this._over = true;
    this._session.running.delete(this);
    clearTimeout(this._timeout);
  }

  _timedOut() {
    const { stats, context } = this._loader;
    if (!this.cancel() || !context) return;
    stats.aborted = false; // timed out is not given up
    this._callbacks.onTimeout(stats, context, null);
  }

  /** @param {ArrayBuffer} bytes @param {import("../core/outbox.js").Timing} timing @param {number} peerBytes */
  _delivered(bytes, timing, peerBytes) {
    if (this._over) return;
    this._end();
    const { stats } = this._loader;
    const context = /** @type {LoaderContext} */ (this._loader.context);
    stats.loading.start = timing.startMs;
    stats.loading.first = timing.firstByteMs;
    stats.loading.end = timing.endMs;
    stats.loaded = stats.total = bytes.byteLength;
    stats.bwEstimate = (stats.total * 8000) / Math.max(1, timing.endMs - timing.firstByteMs);
    this._session.pool.segmentDelivered({ url: this._source.url, sizeBytes: bytes.byteLength, peerBytes });
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
