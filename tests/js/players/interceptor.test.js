import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { Interceptor } from "../../../static/js/players/interceptor.js";
import { PlayerSession } from "../../../static/js/players/session.js";

const BASE = "https://cdn.example/v/";
const PLAYLIST = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nseg0.ts\n#EXTINF:2,\nseg1.ts\n#EXT-X-ENDLIST\n";
const MULTIVARIANT = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,RESOLUTION=2x1\nlow.m3u8\n";
const WHOLE = { rangeStart: null, rangeEnd: null };

/** An interceptor in a page without media elements, and a pool that takes everything. */
function intercepting({ active = true, intercept = "auto" } = {}) {
  Object.assign(globalThis, { document: { querySelectorAll: () => [] } });
  const engine = { request: mock.fn(() => 1), cancel: mock.fn(), hasten: mock.fn(), stalled() {}, settled() {} };
  const pool = {
    options: { content: null, intercept, enabled: true },
    players: new Set(),
    active,
    unseen: false,
    engine: () => engine,
    leaveUnused: mock.fn(),
    segmentDelivered: mock.fn(),
  };
  const interceptor = new Interceptor(/** @type {any} */ (pool));
  test.after(() => {
    for (const session of interceptor._sessions) interceptor._close(session);
  });
  return { interceptor, pool, engine };
}

const events = { delivered() {}, failed() {}, refused() {} };

test("a segment of a playlist that the page has read is asked of the pool, anything else is not", () => {
  const { interceptor, engine } = intercepting();
  assert.equal(interceptor.knows(`${BASE}seg1.ts`, WHOLE), false);
  interceptor.read(`${BASE}p.m3u8`, "", PLAYLIST);
  assert.equal(interceptor.knows(`${BASE}seg1.ts`, WHOLE), true);
  assert.ok(interceptor.request(`${BASE}seg1.ts`, WHOLE, events));
  assert.equal(interceptor.request(`${BASE}key.bin`, WHOLE, events), null);
  assert.equal(interceptor.knows(`${BASE}seg1.ts`, { rangeStart: 0, rangeEnd: 5 }), false);
  assert.equal(engine.request.mock.callCount(), 1);
});

test("playlists that one names are of its content; another multivariant playlist is another content", () => {
  const { interceptor, pool } = intercepting();
  interceptor.read(`${BASE}all.m3u8`, "", MULTIVARIANT);
  interceptor.read(`${BASE}low.m3u8?token=1`, "", PLAYLIST);
  assert.equal(pool.players.size, 1);
  interceptor.read(`${BASE}other.m3u8`, "", MULTIVARIANT);
  assert.equal(pool.players.size, 2);
  interceptor.read(`${BASE}all.m3u8`, "", MULTIVARIANT);
  assert.equal(pool.players.size, 2);
});

test("what an adapter attends is not the interceptor's, neither its manifests nor the segments it hands back", () => {
  const { interceptor, pool } = intercepting();
  const adapter = new PlayerSession(/** @type {any} */ (pool));
  adapter.manifestRequested(`${BASE}p.m3u8`);
  assert.equal(interceptor.interested(`${BASE}p.m3u8?t=1`), false);
  interceptor.read(`${BASE}p.m3u8`, "", PLAYLIST);
  assert.equal(pool.players.size, 1);
  // A page that loads the same stream twice, once by an adapter.
  interceptor.read(`${BASE}again.m3u8`, "", PLAYLIST);
  adapter.manifestLoaded(`${BASE}p.m3u8`, "", PLAYLIST);
  adapter.catchUp();
  assert.equal(interceptor.knows(`${BASE}seg1.ts`, WHOLE), false);
});

test("while nothing may be shared, or interception is off, nothing is the interceptor's", () => {
  const inactive = intercepting({ active: false }).interceptor;
  inactive.read(`${BASE}p.m3u8`, "", PLAYLIST);
  assert.equal(inactive.knows(`${BASE}seg1.ts`, WHOLE), false);
  const off = intercepting({ intercept: "off" });
  off.interceptor.read(`${BASE}p.m3u8`, "", PLAYLIST);
  assert.equal(off.pool.players.size, 0);
});

test("a page is wrapped once, and unwrapped where nobody has wrapped it since", () => {
  const { interceptor } = intercepting();
  class XMLHttpRequest extends EventTarget {}
  class Worker {}
  const fetch = async () => {};
  const document = { addEventListener() {}, removeEventListener() {} };
  const page = /** @type {any} */ ({ fetch, XMLHttpRequest, Worker, document });
  const uninstall = interceptor.install(page);
  const wrapped = page.fetch;
  assert.notEqual(wrapped, fetch);
  assert.ok(page.XMLHttpRequest.prototype instanceof XMLHttpRequest);
  new Interceptor(/** @type {any} */ ({})).install(page);
  assert.equal(page.fetch, wrapped);
  const later = () => {};
  page.fetch = later;
  uninstall();
  assert.deepEqual([page.fetch, page.XMLHttpRequest, page.Worker], [later, XMLHttpRequest, Worker]);
});
