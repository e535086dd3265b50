import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { attachDashjs } from "../../../static/js/players/dashjs.js";

/** @typedef {import("../../../static/js/engine.js").RequestEvents} RequestEvents */
/** @typedef {import("../../../static/js/players/dashjs-types.js").XhrLoader} XhrLoader */

const BASE = "https://cdn.example/v/";
// Any manifest will do here: MPDs are read by a script of its own, which mpd.test.js is about.
const MANIFEST =
  "#EXTM3U\n#EXTINF:2,\nseg0.m4s\n#EXTINF:2,\nseg1.m4s\n#EXT-X-BYTERANGE:100@50\n#EXTINF:2,\nall.mp4\n#EXT-X-ENDLIST\n";

beforeEach(() => {
  Object.assign(globalThis, { document: { baseURI: "https://site.example/page/" } });
});
afterEach(() => {
  mock.timers.reset();
  delete (/** @type {any} */ (globalThis).document);
});

/** A dash.js player as far as the adapter relies on it, in a pool that says of each request what the test wants. */
function page({ active = true } = {}) {
  const requests = /** @type {{ source: any, deadlineMs: number, events: RequestEvents, cancelled: boolean }[]} */ ([]);
  const engine = {
    /** @param {any} source @param {number} deadlineMs @param {RequestEvents} events */
    request: (source, deadlineMs, events) => requests.push({ source, deadlineMs, events, cancelled: false }) - 1,
    /** @param {number} request */
    cancel: (request) => Object.assign(requests[request] ?? {}, { cancelled: true }),
    stalled: mock.fn(),
    settled: mock.fn(),
    hasten: mock.fn(),
  };
  const pool = {
    active: false,
    options: { content: null },
    players: new Set(),
    engine: () => (active ? engine : null),
    leaveUnused: mock.fn(),
    segmentDelivered: mock.fn(),
  };
  const plain = /** @type {string[]} */ ([]);
  const loader = {
    /** @param {any} request @param {any} response */
    load: (request, response) => {
      plain.push(request.url);
      const data = request.customData.request.type === "MPD" ? MANIFEST : new ArrayBuffer(1);
      Object.assign(response, { url: request.url, status: 200, data });
      request.customData.onloadend();
    },
    abort: mock.fn(),
    reset: mock.fn(),
    resetInitialSettings: mock.fn(),
  };
  const player = {
    extend: mock.fn((_name, extension) => {
      // As dash.js merges an extension: over the methods of the parent that it was given.
      Object.assign(loader, extension.call({ parent: loader }));
    }),
    initialize: mock.fn(),
    attachView: mock.fn(),
    attachSource: mock.fn(),
    reset: mock.fn(),
    destroy: mock.fn(),
    getVideoElement: () => {
      throw new Error("no element");
    },
  };
  const own = { ...player };
  attachDashjs(/** @type {any} */ (pool), /** @type {any} */ (player));

  /** @param {string} name @param {object} [changes] @param {object} [fragment] */
  const load = (name, changes = {}, fragment = {}) => {
    const callbacks = { onloadend: mock.fn(), onprogress: mock.fn(), onabort: mock.fn(), ontimeout: mock.fn() };
    const request = {
      ...{ url: BASE + name, method: "GET", responseType: "arraybuffer", headers: {}, credentials: "omit", timeout: 0 },
      customData: { request: { type: "MediaSegment", startTime: 2, traces: [{}], firstByteDate: null, ...fragment }, ...callbacks },
      ...changes,
    };
    const response = /** @type {any} */ ({ status: 0 });
    /** @type {any} */ (loader).load(request, response);
    return { request: /** @type {any} */ (request), response, callbacks };
  };
  const begin = () => {
    player.attachSource("movie.mpd");
    load("movie.mpd", {}, { type: "MPD" });
    plain.length = 0;
  };
  return { player, own, pool, engine, requests, plain, loader, load, begin };
}

test("a segment of a manifest that passed is asked of the pool, anything else of dash.js's own loader", () => {
  const { begin, load, requests, plain } = page();
  begin();
  load("seg1.m4s");
  assert.equal(requests[0]?.source.ref.number, 1);
  load("licence");
  load("seg1.m4s", { headers: { Range: "bytes=5-" } });
  load("seg1.m4s", { headers: { Authorization: "me" } });
  load("seg1.m4s", { credentials: "include" });
  load("seg1.m4s", { method: "HEAD" });
  assert.equal(requests.length, 1);
  assert.deepEqual(plain, [`${BASE}licence`, ...Array(4).fill(`${BASE}seg1.m4s`)]);
});

test("while nothing may be shared dash.js loads as without us", () => {
  const { begin, load, plain } = page({ active: false });
  begin();
  const { callbacks, response } = load("seg1.m4s");
  assert.deepEqual(plain, [`${BASE}seg1.m4s`]);
  assert.equal(response.status, 200);
  assert.equal(callbacks.onloadend.mock.callCount(), 1);
});

test("the loader is extended when a source is given, and not before: the page may do so too, and the first stays", () => {
  const { player, own } = page();
  player.initialize(undefined, null, true);
  assert.equal(own.extend.mock.callCount(), 0);
  player.attachSource("a.mpd");
  const [name, , override] = /** @type {any[]} */ (own.extend.mock.calls[0]?.arguments ?? []);
  assert.deepEqual([name, override], ["XHRLoader", true]);
  assert.deepEqual(own.attachSource.mock.calls[0]?.arguments, ["a.mpd"]);
});

test("what is delivered is an answer, and its traces say how long its bytes were on their way", () => {
  const { begin, load, requests } = page();
  begin();
  const { request, response, callbacks } = load("all.mp4", { headers: { Range: "bytes=50-149" } });
  assert.deepEqual([requests[0]?.source.rangeStart, requests[0]?.source.rangeEnd], [50, 150]);
  requests[0]?.events.progressed?.({
    type: "progress",
    request: 0,
    loadedBytes: 40,
    sizeBytes: 100,
    startMs: 1000,
    firstByteMs: 1010,
  });
  assert.deepEqual(callbacks.onprogress.mock.calls[0]?.arguments[0], { loaded: 40, total: 100, lengthComputable: true });
  const bytes = new ArrayBuffer(100);
  requests[0]?.events.delivered(bytes, { startMs: 1000, firstByteMs: 1010, endMs: 1250 }, 100, null);
  assert.deepEqual(request.customData.request.traces, []);
  assert.deepEqual(
    callbacks.onprogress.mock.calls.slice(1).map((call) => call.arguments[0]),
    [
      { loaded: 0, total: 100, lengthComputable: true, time: 10 },
      { loaded: 100, total: 100, lengthComputable: true, time: 240 },
    ],
  );
  assert.deepEqual([response.status, response.url, response.data], [206, `${BASE}all.mp4`, bytes]);
  assert.equal(callbacks.onloadend.mock.callCount(), 1);
  assert.ok(request.range, "the browser's timing of that URL is not looked up");
});

test("what the CDN answers to us is what dash.js is told", () => {
  const { begin, load, requests } = page();
  begin();
  const { response, callbacks } = load("seg1.m4s");
  requests[0]?.events.failed({ status: 404, reason: "Not Found" });
  assert.deepEqual([response.status, response.statusText], [404, "Not Found"]);
  assert.equal(callbacks.onloadend.mock.callCount(), 1);
});

test("what the pool refuses is loaded plainly, once", () => {
  const { begin, load, requests, plain } = page();
  begin();
  const { callbacks } = load("seg1.m4s");
  requests[0]?.events.refused();
  assert.deepEqual(plain, [`${BASE}seg1.m4s`]);
  assert.equal(callbacks.onloadend.mock.callCount(), 1);
});

test("dash.js gives a request up: it is cancelled and told of, once", () => {
  const { begin, load, requests } = page();
  begin();
  const { request, callbacks } = load("seg1.m4s");
  request.customData.onloadend = request.customData.onprogress = undefined;
  request.customData.abort();
  request.customData.abort();
  assert.equal(requests[0]?.cancelled, true);
  assert.equal(callbacks.onabort.mock.callCount(), 1);
});

test("a loader that is ended, or told to abort one, ends what the pool does for it, and its own", () => {
  const { begin, load, requests, loader } = page();
  const { abort, reset } = loader;
  begin();
  const { request, callbacks } = load("seg0.m4s");
  load("seg1.m4s");
  /** @type {any} */ (loader).abort(request);
  assert.deepEqual([requests[0]?.cancelled, requests[1]?.cancelled, abort.mock.callCount()], [true, false, 0]);
  loader.reset();
  assert.deepEqual([requests[1]?.cancelled, reset.mock.callCount()], [true, 1]);
  assert.equal(callbacks.onloadend.mock.callCount(), 0);
});

test("a request that takes longer than dash.js allows ends as its own would", () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const { begin, load, requests } = page();
  begin();
  const { callbacks, response } = load("seg1.m4s", { timeout: 5000 });
  mock.timers.tick(5000);
  assert.equal(requests[0]?.cancelled, true);
  assert.deepEqual([callbacks.ontimeout.mock.callCount(), callbacks.onloadend.mock.callCount(), response.status], [1, 1, 0]);
});

test("a manifest is attended from when it is asked for; a player that is destroyed leaves the pool", () => {
  const { player, pool } = page();
  const [session] = /** @type {any[]} */ ([...pool.players]);
  player.attachSource("movie.mpd?token=1");
  assert.equal(session.attends("https://site.example/page/movie.mpd"), true);
  assert.equal(session.content, "site.example/page/movie.mpd");
  player.destroy();
  assert.equal(pool.players.size, 0);
});
