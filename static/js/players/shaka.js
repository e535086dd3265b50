/**
 * Shaka Player: its manifests are read as they pass, its segments come from the pool. Licences, keys and all else go the way they
 * went before.
 *
 * Shaka loads by scheme plugins, one for all players of a page; a request filter, one for each player, tells whose a request is.
 * Facts this relies on (Shaka 5.2): a filter is called before each attempt with the very request that the plugin is then
 * called with, and a load's own networking engine has the player's filters; retries, and timers for a connection that sends
 * nothing, are the engine's; ABR hears of bytes by `progressUpdated`; an operation that was aborted fails with OPERATION_ABORTED.
 */

import { answerHeaders, isSameOrigin, manifestText, parseRange } from "../core/http-answers.js";
import { now } from "../io/alarm.js";
import { PlayerSession } from "./session.js";

/** @typedef {import("../pool.js").Pool} Pool */
/** @typedef {import("./session.js").SessionRequest} SessionRequest */
/** @typedef {import("./shaka-types.js").ShakaPlayer} ShakaPlayer */
/** @typedef {import("./shaka-types.js").ShakaLibrary} ShakaLibrary */
/** @typedef {import("./shaka-types.js").ShakaContext} ShakaContext */
/** @typedef {import("./shaka-types.js").ShakaRequest} ShakaRequest */
/** @typedef {import("./shaka-types.js").ShakaResponse} ShakaResponse */
/** @typedef {import("./shaka-types.js").ShakaOperation} ShakaOperation */
/** @typedef {import("./shaka-types.js").SchemePlugin} SchemePlugin */
/** @typedef {Parameters<SchemePlugin>} SchemeArguments */

/** As Shaka's own plugin tells of progress. */
const PROGRESS_MS = 100;

/** @param {any} player  an object */
export const isShaka = ({ getNetworkingEngine }) => typeof getNetworkingEngine === "function";

/** Whether it is the library, loaded whole, and has what is used of it. @param {any} library @returns {library is ShakaLibrary} */
export const isShakaLibrary = (library) => Boolean(library?.Player && library.net?.NetworkingEngine?.AdvancedRequestType);

/**
 * Puts a player into the pool; before its `load`, or what it plays then stays as it is.
 * @param {Pool} pool
 * @param {ShakaPlayer} player
 * @param {import("../surface.js").AttachOptions} [options]  `content` names it for this player alone; `shaka` is the library that
 *   made it, by default the page's global
 */
export function attachShaka(pool, player, { content, shaka = /** @type {any} */ (globalThis).shaka } = {}) {
  if (attached.has(player)) return;
  const engine = player.getNetworkingEngine();
  if (!isShakaLibrary(shaka) || !(engine instanceof shaka.net.NetworkingEngine)) {
    reportError(new TypeError("PeerPool: which Shaka library made this player? Say PeerPool.attach(player, { shaka })"));
    return;
  }
  attached.add(player);
  register(shaka);
  const owner = new Owner(pool, player, shaka, content ?? null);
  engine.registerRequestFilter((_type, request, context = {}) => {
    asked.set(request, { owner, context });
  });
  player.addEventListener("unloading", () => owner.close());
}

/** @type {WeakSet<ShakaPlayer>} */
const attached = new WeakSet();
/** @type {WeakSet<ShakaLibrary["net"]["NetworkingEngine"]>} */
const registered = new WeakSet();
/** Whose a request is; those of no player of ours are not in it. @type {WeakMap<ShakaRequest, { owner: Owner, context: ShakaContext }>} */
const asked = new WeakMap();

/** In the place of Shaka's own plugin, which has this priority; one of the page's own has a higher, and stays. @param {ShakaLibrary} shaka */
function register(shaka) {
  const { NetworkingEngine, HttpFetchPlugin, HttpXHRPlugin } = shaka.net;
  if (registered.has(NetworkingEngine)) return;
  registered.add(NetworkingEngine);
  const fetches = HttpFetchPlugin.isSupported();
  /** @type {SchemePlugin} */
  const plain = fetches ? HttpFetchPlugin.parse : HttpXHRPlugin.parse;
  /** @type {SchemePlugin} */
  const plugin = (...args) => {
    const mark = asked.get(args[1]);
    try {
      if (mark && args[1].method === "GET") return mark.owner.load(mark.context, plain, args);
    } catch (error) {
      reportError(error); // ours, and not to be the player's
    }
    return plain(...args);
  };
  for (const scheme of ["http", "https"])
    NetworkingEngine.registerScheme(scheme, plugin, NetworkingEngine.PluginPriority.PREFERRED, fetches);
}

/** A player, and the session of what it has loaded. */
class Owner {
  /** @param {Pool} pool @param {ShakaPlayer} player @param {ShakaLibrary} shaka @param {string | null} name */
  constructor(pool, player, shaka, name) {
    this._pool = pool;
    this._player = player;
    this._shaka = shaka;
    this._name = name;
    /** From the first manifest on. @type {PlayerSession | null} */
    this._session = null;
    /** Low-latency DASH: a segment is appended while it is made, and the whole of it would come too late. */
    this._chunked = false;
  }

  close() {
    this._session?.close();
    this._session = null;
  }

  /** @param {ShakaContext} context @param {SchemePlugin} plain @param {SchemeArguments} args @returns {ShakaOperation} */
  load(context, plain, args) {
    const { RequestType } = this._shaka.net.NetworkingEngine;
    const [, , type] = args;
    // What is loaded ahead is another source's.
    if (context.isPreload) return plain(...args);
    if (type === RequestType.MANIFEST) return this._manifest(context, plain, args);
    if (type === RequestType.SEGMENT) return this._segment(context, plain, args);
    return plain(...args);
  }

  /** @param {ShakaContext} context @param {SchemePlugin} plain @param {SchemeArguments} args */
  _manifest({ type }, plain, args) {
    const { MASTER_PLAYLIST, MEDIA_PLAYLIST, MPD } = this._shaka.net.NetworkingEngine.AdvancedRequestType;
    const [url] = args;
    if (!this._session && (type === MASTER_PLAYLIST || type === MPD)) {
      this._session = new PlayerSession(this._pool, { name: this._name });
      this._session.reset(url);
    }
    const session = this._session;
    if (!session || (type !== MASTER_PLAYLIST && type !== MEDIA_PLAYLIST && type !== MPD)) return plain(...args);
    session.manifestRequested(url);
    const operation = plain(...args);
    operation.promise.then(
      ({ uri, data }) => {
        const text = manifestText(data);
        this._chunked = type === MPD && /availabilityTimeOffset="(?![0.]*")/.test(text ?? "");
        session.manifestLoaded(url, uri, text);
      },
      () => {}, // the player hears of it
    );
    return operation;
  }

  /** @param {ShakaContext} context @param {SchemePlugin} plain @param {SchemeArguments} args */
  _segment({ segment }, plain, args) {
    const session = this._session;
    const range = rangeOf(args[0], args[1]);
    if (!session || !range || this._chunked) return plain(...args);
    const media = this._player.getMediaElement();
    if (media !== session.media) session.watch(media);
    const load = new SegmentLoad(this._shaka, plain, args, range);
    return load.begin(session, segment?.getStartTime() ?? null) ?? watchIndex(session, { url: args[0], ...range }, plain(...args));
  }
}

/**
 * A range that is loaded without us may be the index of DASH that says where segments are.
 * @param {PlayerSession} session @param {{ url: string } & import("../core/http-answers.js").Range} asked @param {ShakaOperation} operation
 */
function watchIndex(session, asked, operation) {
  operation.promise.then(
    ({ status, data }) => status === 206 && data instanceof ArrayBuffer && session.loaded(asked, data),
    () => {}, // the player hears of it
  );
  return operation;
}

/**
 * What to ask the pool for, where its answer would be as good as the server's.
 * @param {string} url @param {ShakaRequest} request
 */
function rangeOf(url, { headers, allowCrossSiteCredentials }) {
  if (allowCrossSiteCredentials && !isSameOrigin(url, location)) return null;
  const { Range = null, ...others } = headers;
  return Object.keys(others).length > 0 ? null : parseRange(Range);
}

/** One segment asked of the pool. */
class SegmentLoad {
  /**
   * @param {ShakaLibrary} shaka @param {SchemePlugin} plain @param {SchemeArguments} args
   * @param {import("../core/http-answers.js").Range} range
   */
  constructor(shaka, plain, args, range) {
    this._shaka = shaka;
    this._plain = plain;
    this._args = args;
    this._range = range;
    /** What Shaka has been told of. */
    this._toldBytes = 0;
    this._toldUntilMs = now();
    this._remainingBytes = 0;
    this._headed = false;
    /** What the browser does after all. @type {ShakaOperation | null} */
    this._other = null;
    /** @type {SessionRequest | null} */
    this._request = null;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this._timeout = undefined;
    /** @type {ReturnType<typeof setInterval> | undefined} */
    this._pulse = undefined;
    /** @type {(response: ShakaResponse | Promise<ShakaResponse>) => void} */
    this._resolve = () => {};
    /** @type {(error: Error) => void} */
    this._reject = () => {};
  }

  /** @param {PlayerSession} session @param {number | null} startSec @returns {ShakaOperation | null} null where the pool does not do it */
  begin(session, startSec) {
    const [url, { retryParameters }, , progressUpdated] = this._args;
    const { Code } = this._shaka.util.Error;
    this._request = session.request(
      { url, ...this._range, startSec },
      {
        progressed: ({ loadedBytes, sizeBytes, startMs }) => this._progressed(loadedBytes, sizeBytes, startMs),
        delivered: (bytes, timing) => this._delivered(bytes, timing),
        failed: ({ status, reason }) => {
          this._end();
          this._reject(status ? this._error(Code.BAD_HTTP_STATUS, status, reason, {}) : this._error(Code.HTTP_ERROR, reason));
        },
        refused: () => this._hand(),
      },
    );
    if (!this._request) return null;
    const promise = new Promise((resolve, reject) => {
      this._resolve = resolve;
      this._reject = reject;
    });
    const { timeout, connectionTimeout, stallTimeout } = retryParameters;
    if (timeout > 0) this._timeout = setTimeout(() => this._cancel(Code.TIMEOUT), timeout);
    // A pause of one neighbour is no dead connection: the pool asks another, or the server, by when it is needed.
    const shortestMs = Math.min(connectionTimeout || Number.POSITIVE_INFINITY, stallTimeout || Number.POSITIVE_INFINITY);
    if (shortestMs < Number.POSITIVE_INFINITY)
      this._pulse = setInterval(() => progressUpdated(0, 0, this._remainingBytes), shortestMs / 2);
    return new this._shaka.util.AbortableOperation(promise, () => this._abort());
  }

  /** @param {number} code @param {...unknown} data  as Shaka's own plugin says it */
  _error(code, ...data) {
    const { Error: ShakaError } = this._shaka.util;
    const [url, , type] = this._args;
    return new ShakaError(ShakaError.Severity.RECOVERABLE, ShakaError.Category.NETWORK, code, url, ...data, type);
  }

  _end() {
    clearTimeout(this._timeout);
    clearInterval(this._pulse);
  }

  /** @param {number} code  of the error it ends with */
  _cancel(code) {
    this._end();
    this._request?.cancel();
    this._reject(this._error(code));
  }

  /** @returns {Promise<unknown>} */
  _abort() {
    if (this._other) return this._other.abort();
    this._cancel(this._shaka.util.Error.Code.OPERATION_ABORTED);
    return Promise.resolve();
  }

  /** The browser does it after all. */
  _hand() {
    this._end();
    this._other = this._plain(...this._args);
    this._resolve(this._other.promise);
  }

  /** @param {number} sizeBytes @returns {Record<string, string>} */
  _headers(sizeBytes) {
    const [url, , , , headersReceived] = this._args;
    const headers = Object.fromEntries(answerHeaders(url, this._range, sizeBytes, isSameOrigin(url, location)));
    if (!this._headed) headersReceived(headers);
    this._headed = true;
    return headers;
  }

  /** @param {number} loadedBytes @param {number | null} sizeBytes @param {number} startMs  asked for, of anybody: perhaps before the player did */
  _progressed(loadedBytes, sizeBytes, startMs) {
    const { minBytesForProgressEvents = 0 } = this._args[5];
    if (sizeBytes === null || loadedBytes >= sizeBytes) return;
    this._headers(sizeBytes);
    if (this._toldBytes === 0) this._toldUntilMs = startMs;
    const bytes = loadedBytes - this._toldBytes;
    if (now() - this._toldUntilMs > PROGRESS_MS && bytes >= minBytesForProgressEvents)
      this._tell(now(), bytes, sizeBytes - loadedBytes);
  }

  /** @param {number} atMs @param {number} bytes @param {number} remainingBytes */
  _tell(atMs, bytes, remainingBytes) {
    const [, , , progressUpdated] = this._args;
    const elapsedMs = Math.max(0, atMs - this._toldUntilMs);
    this._toldBytes += bytes;
    this._toldUntilMs = atMs;
    this._remainingBytes = remainingBytes;
    progressUpdated(elapsedMs, bytes, remainingBytes);
  }

  /** @param {ArrayBuffer} data @param {import("../core/outbox.js").Timing} timing */
  _delivered(data, { startMs, endMs }) {
    this._end();
    const [url, request] = this._args;
    const headers = this._headers(data.byteLength);
    if (this._toldBytes === 0) this._toldUntilMs = startMs;
    this._tell(endMs, data.byteLength - this._toldBytes, 0);
    this._resolve({
      uri: url,
      originalUri: url,
      data,
      status: this._range.rangeStart === null ? 200 : 206,
      headers,
      timeMs: endMs - startMs,
      fromCache: false,
      originalRequest: request,
    });
  }
}
