import assert from "node:assert/strict";
import { afterEach, mock, test } from "node:test";
import { attachShaka } from "../../../static/js/players/shaka.js";

/** @typedef {import("../../../static/js/engine.js").RequestEvents} RequestEvents */

const BASE = "https://cdn.example/v/";
const PLAYLIST = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nseg0.ts\n#EXTINF:2,\nseg1.ts\n#EXT-X-ENDLIST\n";
const [MANIFEST, SEGMENT, LICENSE] = [0, 1, 2];
const [MEDIA_SEGMENT, MEDIA_PLAYLIST, MASTER_PLAYLIST] = [1, 2, 3];
const ABORTED = 7001;

Object.assign(globalThis, { location: { origin: "https://site.example" } });

/** A player that still waits has timers, for which this process would wait. @type {{ abort(): unknown }[]} */
const operations = [];
afterEach(() => {
  for (const operation of operations.splice(0)) operation.abort();
});

/** What Shaka's library does, as far as our adapter relies on it: an engine that filters, and calls one plugin for all. */
function library() {
  const plain = mock.fn((/** @type {string} */ uri) => ({
    promise: Promise.resolve({ uri, data: new TextEncoder().encode(PLAYLIST).buffer, headers: {} }),
    abort: mock.fn(async () => {}),
  }));
  /** @type {Map<string, { plugin: any, priority: number }>} */
  const schemes = new Map([["https", { plugin: plain, priority: 2 }]]);
  class NetworkingEngine {
    static RequestType = { MANIFEST, SEGMENT };
    static AdvancedRequestType = { MASTER_PLAYLIST, MEDIA_PLAYLIST, MPD: 4 };
    static PluginPriority = { PREFERRED: 2 };
    /** @param {string} scheme @param {any} plugin @param {number} priority */
    static registerScheme(scheme, plugin, priority) {
      if (priority >= (schemes.get(scheme)?.priority ?? 0)) schemes.set(scheme, { plugin, priority });
    }
    filters = /** @type {any[]} */ ([]);
    /** @param {any} filter */
    registerRequestFilter(filter) {
      this.filters.push(filter);
    }
    /** @param {number} type @param {string} url @param {object} [context] @param {object} [request] */
    send(type, url, context = {}, request = {}) {
      const retryParameters = { timeout: 30_000, connectionTimeout: 10_000, stallTimeout: 5000 };
      const made = { method: "GET", headers: {}, allowCrossSiteCredentials: false, retryParameters, ...request };
      for (const filter of this.filters) filter(type, made, context);
      const progress = mock.fn();
      const headers = mock.fn();
      const operation = schemes.get("https")?.plugin(url, made, type, progress, headers, { minBytesForProgressEvents: 0 });
      operations.push(operation);
      operation.promise.catch(() => {});
      return { operation, progress, headers, request: made };
    }
  }
  class AbortableOperation {
    /** @param {Promise<any>} promise @param {() => Promise<any>} onAbort */
    constructor(promise, onAbort) {
      this.promise = promise;
      this.abort = onAbort;
    }
  }
  class ShakaError extends Error {
    static Severity = { RECOVERABLE: 1 };
    static Category = { NETWORK: 1 };
    static Code = { BAD_HTTP_STATUS: 1001, HTTP_ERROR: 1002, TIMEOUT: 1003, OPERATION_ABORTED: ABORTED };
    /** @param {number} severity @param {number} category @param {number} code @param {unknown[]} data */
    constructor(severity, category, code, ...data) {
      super(String(code));
      Object.assign(this, { severity, category, code, data });
    }
  }
  const HttpFetchPlugin = { parse: plain, isSupported: () => true };
  class Player extends EventTarget {
    engine = new NetworkingEngine();
    getNetworkingEngine = () => this.engine;
    getMediaElement = () => null;
  }
  const shaka = { Player, net: { NetworkingEngine, HttpFetchPlugin, HttpXHRPlugin: HttpFetchPlugin } };
  return { shaka: /** @type {any} */ ({ ...shaka, util: { AbortableOperation, Error: ShakaError } }), plain, schemes };
}

/** A player in a pool that takes everything, with its first manifest loaded. */
async function playing() {
  const { shaka, plain, schemes } = library();
  const requests = /** @type {{ source: any, events: RequestEvents, cancelled: boolean }[]} */ ([]);
  const engine = {
    /** @param {any} source @param {number} _deadlineMs @param {RequestEvents} events */
    request: (source, _deadlineMs, events) => requests.push({ source, events, cancelled: false }) - 1,
    /** @param {number} request */
    cancel: (request) => {
      /** @type {any} */ (requests[request]).cancelled = true;
    },
    hasten() {},
  };
  const pool = /** @type {any} */ ({
    options: { content: null },
    players: new Set(),
    engine: () => engine,
    leaveUnused() {},
    segmentDelivered() {},
  });
  const player = new shaka.Player();
  attachShaka(pool, player, { shaka });
  await player.engine.send(MANIFEST, `${BASE}p.m3u8`, { type: MASTER_PLAYLIST }).operation.promise;
  plain.mock.resetCalls();
  const segment = (name = "seg1.ts", request = {}) =>
    player.engine.send(SEGMENT, BASE + name, { type: MEDIA_SEGMENT, segment: { getStartTime: () => 2 } }, request);
  return { shaka, player, pool, plain, schemes, requests, segment };
}

test("a segment of a manifest that passed is asked of the pool; licences, unknown URLs and other players' go Shaka's own way", async () => {
  const { player, shaka, plain, requests, segment } = await playing();
  segment();
  assert.equal(requests[0]?.source.ref.number, 1);
  assert.equal(plain.mock.callCount(), 0);
  player.engine.send(LICENSE, `${BASE}seg1.ts`);
  segment("key.bin");
  new shaka.Player().engine.send(SEGMENT, `${BASE}seg1.ts`);
  assert.deepEqual([requests.length, plain.mock.callCount()], [1, 3]);
});

test("what the server could answer otherwise is not asked of the pool: headers of the page, its credentials, other methods", async () => {
  const { plain, requests, segment } = await playing();
  segment("seg1.ts", { headers: { Authorization: "x" } });
  segment("seg1.ts", { allowCrossSiteCredentials: true });
  segment("seg1.ts", { method: "HEAD" });
  segment("seg1.ts", { headers: { Range: "bytes=0-9" } });
  assert.deepEqual([requests.length, plain.mock.callCount()], [0, 4]);
});

test("what is delivered comes with the time in which it moved, and ABR hears of each byte once", async () => {
  const { requests, segment } = await playing();
  const { operation, progress, headers, request } = segment();
  requests[0]?.events.progressed({
    type: "progress",
    request: 0,
    loadedBytes: 4,
    sizeBytes: 10,
    startMs: performance.now() - 200,
    firstByteMs: 0,
  });
  const endMs = performance.now();
  requests[0]?.events.delivered(new ArrayBuffer(10), { startMs: endMs - 250, firstByteMs: endMs, endMs }, 10, null);
  const response = await operation.promise;
  assert.deepEqual([response.data.byteLength, response.status, response.uri], [10, 200, `${BASE}seg1.ts`]);
  assert.deepEqual([response.timeMs, response.originalRequest], [250, request]);
  assert.equal(headers.mock.callCount(), 1);
  const told = progress.mock.calls.map((/** @type {any} */ call) => call.arguments);
  assert.deepEqual(
    told.map((/** @type {number[]} */ [, bytes, remaining]) => [bytes, remaining]),
    [
      [4, 6],
      [6, 0],
    ],
  );
  assert.ok(told[0]?.[0] >= 200 && told[1]?.[0] >= 0);
});

test("an aborted load fails as Shaka's own does, and is taken back from the pool", async () => {
  const { requests, segment } = await playing();
  const { operation } = segment();
  await operation.abort();
  await assert.rejects(operation.promise, { code: ABORTED });
  assert.ok(requests[0]?.cancelled);
});

test("a failure is the CDN's, with its status, for Shaka to try again", async () => {
  const { requests, segment } = await playing();
  const { operation } = segment();
  requests[0]?.events.failed({ status: 404, reason: "Not Found" });
  await assert.rejects(operation.promise, { code: 1001, severity: 1, data: [`${BASE}seg1.ts`, 404, "Not Found", {}, SEGMENT] });
});

test("a request the pool hands back is Shaka's own from there on, abort included", async () => {
  const { requests, plain, segment } = await playing();
  const { operation } = segment();
  requests[0]?.events.refused();
  assert.equal((await operation.promise).uri, `${BASE}seg1.ts`);
  await operation.abort();
  assert.equal(plain.mock.calls[0]?.result?.abort.mock.callCount(), 1);
});

test("while the pool waits Shaka does not take the connection for dead, and its time for the whole counts", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  const { requests, segment } = await playing();
  const { operation, progress } = segment();
  context.mock.timers.tick(5000);
  assert.equal(progress.mock.callCount(), 2);
  context.mock.timers.tick(25_000);
  await assert.rejects(operation.promise, { code: 1003 });
  assert.ok(requests[0]?.cancelled);
});

test("a player leaves when it unloads, and what it loads ahead is not taken for what it plays", async () => {
  const { player, pool, requests, segment } = await playing();
  assert.deepEqual(
    [...pool.players].map(({ content }) => content),
    ["cdn.example/v/p.m3u8"],
  );
  player.dispatchEvent(new Event("unloading"));
  assert.equal(pool.players.size, 0);
  await player.engine.send(MANIFEST, `${BASE}next.m3u8`, { type: MASTER_PLAYLIST, isPreload: true }).operation.promise;
  segment();
  assert.deepEqual([pool.players.size, requests.length], [0, 0]);
});

test("a scheme plugin of the page's own stays, and so does a player of a library that is not known", () => {
  const { shaka, schemes } = library();
  const own = () => {};
  schemes.set("https", { plugin: own, priority: 3 });
  attachShaka(/** @type {any} */ ({}), new shaka.Player(), { shaka });
  assert.equal(schemes.get("https")?.plugin, own);
  const reported = mock.fn();
  Object.assign(globalThis, { reportError: reported });
  const unknown = new shaka.Player();
  attachShaka(/** @type {any} */ ({}), unknown, {});
  assert.equal(reported.mock.callCount(), 1);
  assert.deepEqual(unknown.engine.filters, []);
});

test("a defect of ours is reported, and the segment is loaded as without us", async () => {
  const { pool, plain, segment } = await playing();
  const [session] = pool.players;
  session.request = () => {
    throw new Error("ours");
  };
  const reported = mock.fn();
  Object.assign(globalThis, { reportError: reported });
  segment();
  assert.deepEqual([reported.mock.callCount(), plain.mock.callCount()], [1, 1]);
});
