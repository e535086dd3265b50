import assert from "node:assert/strict";
import { afterEach, mock, test } from "node:test";
import { attachHls } from "../../../static/js/players/hlsjs.js";

/** @typedef {import("../../../static/js/players/hlsjs-types.js").LoaderClass} LoaderClass */
/** @typedef {import("../../../static/js/engine.js").RequestEvents} RequestEvents */

const BASE = "https://cdn.example/v/";
const PLAYLIST = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nseg0.ts\n#EXTINF:2,\nseg1.ts\n#EXT-X-ENDLIST\n";
const CONFIG = { loadPolicy: { maxTimeToFirstByteMs: 10_000, maxLoadTimeMs: 120_000 } };

/** A loader that still waits has a timer, for which this process would wait. @type {{ destroy(): void }[]} */
const loaders = [];
afterEach(() => {
  for (const loader of loaders.splice(0)) loader.destroy();
});

/** What hls.js's own loader does, as far as ours relies on it. */
class PlainLoader {
  static loads = /** @type {string[]} */ ([]);
  context = null;
  stats = { loading: { start: 0, first: 0, end: 0 } };

  /** @param {any} context @param {any} _config @param {any} callbacks */
  load(context, _config, callbacks) {
    if (this.stats.loading.start) throw new Error("Loader can only be used once.");
    PlainLoader.loads.push(context.url);
    callbacks.onSuccess(
      { url: context.url, data: context.type === "level" ? PLAYLIST : new ArrayBuffer(1) },
      this.stats,
      context,
      null,
    );
  }
  abort() {}
  destroy() {}
}

/** A page with one player and a pool that says of each request what the test wants. */
function page({ active = true, config = {} } = {}) {
  PlainLoader.loads = [];
  const requests = /** @type {{ source: any, deadlineMs: number, events: RequestEvents, cancelled: boolean }[]} */ ([]);
  const engine = {
    /** @param {any} source @param {number} deadlineMs @param {RequestEvents} events */
    request: (source, deadlineMs, events) => requests.push({ source, deadlineMs, events, cancelled: false }) - 1,
    /** @param {number} request */
    cancel: (request) => {
      /** @type {any} */ (requests[request]).cancelled = true;
    },
    stalled: mock.fn(),
    settled: mock.fn(),
    hasten: mock.fn(),
  };
  const pool = {
    options: { content: null },
    players: new Set(),
    engine: () => (active ? engine : null),
    leaveUnused: mock.fn(),
    segmentDelivered: mock.fn(),
  };
  /** @type {Record<string, (event: string, data?: { url?: string }) => void>} */
  const listeners = {};
  const hls = {
    media: /** @type {any} */ (null),
    config: /** @type {any} */ ({ loader: PlainLoader, ...config }),
    /** @param {string} event @param {(event: string, data?: { url?: string }) => void} listener */
    on: (event, listener) => {
      listeners[event] = listener;
    },
  };
  attachHls(/** @type {any} */ (pool), hls);
  const playlist = new (hls.config.pLoader ?? PlainLoader)(hls.config);
  playlist.load({ url: `${BASE}p.m3u8`, type: "level" }, CONFIG, { onSuccess() {} });
  PlainLoader.loads = [];

  /** @param {string} name @param {object} [context] */
  const load = (name, context = {}) => {
    const loader = new hls.config.fLoader(hls.config);
    loaders.push(loader);
    const callbacks = { onSuccess: mock.fn(), onError: mock.fn(), onTimeout: mock.fn(), onAbort: mock.fn() };
    loader.load({ url: BASE + name, responseType: "arraybuffer", frag: { start: 2 }, ...context }, CONFIG, callbacks);
    return { loader, callbacks };
  };
  return { hls, pool, engine, requests, listeners, load };
}

test("a segment of a playlist that passed is asked of the pool, anything else of the page's own loader", () => {
  const { requests, load } = page();
  load("seg1.ts").loader.destroy();
  assert.equal(requests.length, 1);
  assert.equal(requests[0]?.source.ref.number, 1);
  load("key.bin");
  assert.equal(requests.length, 1);
  assert.deepEqual(PlainLoader.loads, [`${BASE}key.bin`]);
});

test("a fragment that hls.js asks for while it is handed the playlist is asked of the pool; what it asks for is not kept waiting by our joining", async () => {
  const { hls, pool, requests, listeners, load } = page();
  const engine = mock.fn(pool.engine);
  pool.engine = engine;
  listeners.hlsManifestLoading?.("hlsManifestLoading", { url: `${BASE}p.m3u8` });
  assert.equal(engine.mock.callCount(), 0);
  const playlist = new hls.config.pLoader(hls.config);
  playlist.load(
    /** @type {any} */ ({ url: `${BASE}p.m3u8`, type: "level" }),
    CONFIG,
    /** @type {any} */ ({
      onSuccess: () => load("seg1.ts"),
    }),
  );
  assert.deepEqual([requests.length, requests[0]?.source.ref.number], [1, 1]);
  const callsBefore = engine.mock.callCount();
  await Promise.resolve();
  assert.ok(engine.mock.callCount() > callsBefore);
});

test("with nothing to share, or requests that the page changes, hls.js loads as ever", () => {
  for (const active of [false, true]) {
    const { hls, load, requests } = page({ active });
    if (active) hls.config.xhrSetup = () => {};
    const { callbacks } = load("seg1.ts");
    assert.equal(requests.length, 0);
    assert.equal(callbacks.onSuccess.mock.callCount(), 1);
  }
});

test("what is delivered comes with the times at which it moved", () => {
  const { requests, load, pool } = page();
  const { loader, callbacks } = load("seg0.ts");
  requests[0]?.events.progressed({ type: "progress", request: 0, loadedBytes: 5, sizeBytes: 10, startMs: 3, firstByteMs: 4 });
  assert.deepEqual([loader.stats.loaded, loader.stats.total, loader.stats.loading.start], [5, 10, 3]);
  requests[0]?.events.delivered(new ArrayBuffer(10), { startMs: 100, firstByteMs: 120, endMs: 200 }, 10, null);
  assert.deepEqual(loader.stats.loading, { start: 100, first: 120, end: 200 });
  assert.equal(callbacks.onSuccess.mock.calls[0]?.arguments[0].data.byteLength, 10);
  assert.equal(pool.segmentDelivered.mock.callCount(), 1);
});

test("an aborted load says so once, for hls.js waits for it; a destroyed one says nothing", () => {
  const { requests, load } = page();
  const aborted = load("seg0.ts");
  aborted.loader.abort();
  aborted.loader.abort();
  assert.equal(aborted.callbacks.onAbort.mock.callCount(), 1);
  assert.ok(aborted.loader.stats.aborted && requests[0]?.cancelled);
  const destroyed = load("seg0.ts");
  destroyed.loader.destroy();
  assert.equal(destroyed.callbacks.onAbort.mock.callCount(), 0);
  assert.ok(requests[1]?.cancelled);
});

test("a page's own loaders are left alone", () => {
  for (const config of [{ fLoader: class Signing {} }, { fetchSetup() {} }]) {
    const { hls, pool } = page({ config });
    assert.equal(hls.config.fLoader, config.fLoader);
    assert.equal(pool.players.size, 0);
  }
});

test("a seek, a new rate or a stall moves the deadlines of what is on its way", () => {
  const { hls, engine, listeners, load } = page();
  const media = new EventTarget();
  hls.media = Object.assign(media, {
    currentTime: 1,
    playbackRate: 1,
    seeking: false,
    buffered: { length: 1, start: () => 0, end: () => 6 },
    played: { length: 1 },
  });
  listeners.hlsMediaAttached?.("");
  const { loader } = load("seg1.ts", { frag: { start: 6 } });
  media.dispatchEvent(new Event("seeking"));
  media.dispatchEvent(new Event("waiting"));
  assert.equal(engine.hasten.mock.callCount(), 2);
  assert.equal(engine.stalled.mock.callCount(), 1);
  listeners.hlsMediaDetaching?.("");
  media.dispatchEvent(new Event("waiting"));
  assert.equal(engine.stalled.mock.callCount(), 1);
  loader.destroy();
});

test("a request handed back after its loader was destroyed loads nothing", () => {
  const { requests, load } = page();
  load("seg0.ts").loader.destroy();
  requests[0]?.events.refused();
  assert.deepEqual(PlainLoader.loads, []);
});

test("hls.js before 1.4, which has no load policy, is served too", () => {
  const { hls, requests } = page();
  const loader = new hls.config.fLoader(hls.config);
  loader.load({ url: `${BASE}seg0.ts`, frag: { start: 0 } }, { timeout: 20_000 }, {});
  assert.equal(requests.length, 1);
  loader.destroy();
});

test("a failure is the CDN's, with its status", () => {
  const { requests, load } = page();
  const { callbacks } = load("seg0.ts");
  requests[0]?.events.failed({ status: 404, reason: "Not Found" });
  assert.deepEqual(callbacks.onError.mock.calls[0]?.arguments[0], { code: 404, text: "Not Found" });
});

test("a request the pool hands back is loaded by the page's own loader, in the stats hls.js holds", () => {
  const { requests, load } = page();
  const { loader, callbacks } = load("seg0.ts");
  const held = loader.stats;
  requests[0]?.events.refused();
  assert.deepEqual(PlainLoader.loads, [`${BASE}seg0.ts`]);
  assert.equal(callbacks.onSuccess.mock.calls[0]?.arguments[1], held);
});

test("a load that takes too long times out, as the player's policy says", (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const { requests, load } = page();
  const { callbacks } = load("seg0.ts");
  context.mock.timers.tick(CONFIG.loadPolicy.maxLoadTimeMs);
  assert.equal(callbacks.onTimeout.mock.callCount(), 1);
  assert.ok(requests[0]?.cancelled);
});

test("a content has its name before its first playlist has come, where hls.js says its URL", () => {
  const { pool, listeners } = page();
  const [player] = /** @type {any[]} */ ([...pool.players]);
  listeners.hlsManifestLoading?.("", { url: "https://cdn.example/live/index.m3u8?token=1" });
  assert.equal(player.content, "cdn.example/live/index.m3u8");
  listeners.hlsManifestLoading?.("", { url: "not absolute" });
  assert.equal(player.content, null);
});

test("an instance is attached once, and leaves with its player", () => {
  const { hls, pool, listeners } = page();
  const { fLoader } = hls.config;
  attachHls(/** @type {any} */ (pool), hls);
  assert.equal(hls.config.fLoader, fLoader);
  listeners.hlsDestroying?.("");
  assert.equal(pool.players.size, 0);
  assert.equal(pool.leaveUnused.mock.callCount(), 1);
});
