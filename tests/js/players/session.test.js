import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { PlayerSession } from "../../../static/js/players/session.js";

/** @typedef {import("../../../static/js/engine.js").RequestEvents} RequestEvents */

const BASE = "https://cdn.example/v/";
const PLAYLIST = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nseg0.ts\n#EXTINF:2,\nseg1.ts\n#EXT-X-ENDLIST\n";

/** A session that was given a playlist, in a pool that takes everything. */
function playing() {
  const requests = /** @type {{ source: any, deadlineMs: number, events: RequestEvents, cancelled: boolean }[]} */ ([]);
  const engine = {
    /** @param {any} source @param {number} deadlineMs @param {RequestEvents} events */
    request: (source, deadlineMs, events) => requests.push({ source, deadlineMs, events, cancelled: false }) - 1,
    /** @param {number} request */
    cancel: (request) => Object.assign(requests[request] ?? {}, { cancelled: true }),
    hasten: mock.fn(),
    stalled: mock.fn(),
    settled: mock.fn(),
    surroundings: mock.fn(() => ({ signed: false })),
  };
  const pool = {
    options: { content: null },
    players: new Set(),
    engine: () => engine,
    leaveUnused: mock.fn(),
    segmentDelivered: mock.fn(),
  };
  const session = new PlayerSession(/** @type {any} */ (pool));
  session.manifestLoaded(`${BASE}p.m3u8`, "", PLAYLIST);
  /** @param {number | null} startSec */
  const ask = (startSec) => {
    const events = { delivered: mock.fn(), failed: mock.fn(), refused: mock.fn() };
    const request = session.request({ url: `${BASE}seg1.ts`, startSec }, events);
    return { request, events, asked: /** @type {(typeof requests)[number]} */ (requests.at(-1)) };
  };
  /** @param {object} state */
  const watch = (state) => {
    const media = Object.assign(new EventTarget(), { currentTime: 0, playbackRate: 1, played: { length: 0 }, ...state });
    session.watch(/** @type {any} */ (media));
    return media;
  };
  return { session, pool, engine, requests, ask, watch };
}

/** @param {number} start @param {number} end */
const range = (start, end) => ({ length: 1, start: () => start, end: () => end });

/** @param {number} deadlineMs */
const awayMs = (deadlineMs) => deadlineMs - performance.now();

test("the deadline is when the playhead gets there; at once while nothing is buffered around it", () => {
  const { ask, watch } = playing();
  assert.ok(awayMs(ask(7).asked.deadlineMs) <= 0);
  const media = watch({ currentTime: 1, playbackRate: 2, buffered: range(0, 6) });
  assert.ok(Math.abs(awayMs(ask(7).asked.deadlineMs) - 3000) < 200);
  media.currentTime = 20;
  assert.ok(awayMs(ask(27).asked.deadlineMs) <= 0);
});

test("a segment of which the player does not say where it begins is due when what is buffered ends", () => {
  const { ask, watch } = playing();
  watch({ currentTime: 1, buffered: range(0, 6) });
  assert.ok(Math.abs(awayMs(ask(null).asked.deadlineMs) - 5000) < 200);
});

test("while the player seeks into what is buffered, the deadline of the next segment is when the playhead gets there from the target", () => {
  const { ask, watch } = playing();
  watch({ currentTime: 100, seeking: true, buffered: range(100, 102) });
  assert.ok(Math.abs(awayMs(ask(102).asked.deadlineMs) - 2000) < 200);
});

test("a player that shows its first frame and awaits more before it plays by itself gets the next segment at once", () => {
  const { ask, watch } = playing();
  const media = watch({ autoplay: true, paused: true, readyState: 3, buffered: range(0, 2) });
  assert.ok(awayMs(ask(2).asked.deadlineMs) <= 0);
  Object.assign(media, { readyState: 4, paused: false });
  assert.ok(awayMs(ask(2).asked.deadlineMs) > 1800);
});

test("what runs is hastened when the playhead moves, and a stall counts once the player has played", () => {
  const { ask, watch, engine } = playing();
  const media = watch({ buffered: range(0, 2) });
  ask(2);
  media.dispatchEvent(new Event("waiting"));
  assert.equal(engine.stalled.mock.callCount(), 0);
  Object.assign(media, { played: { length: 1 } });
  media.dispatchEvent(new Event("waiting"));
  media.dispatchEvent(new Event("seeking"));
  assert.deepEqual([engine.stalled.mock.callCount(), engine.hasten.mock.callCount()], [1, 3]);
});

test("an answer that only the player can use, and what is handed back, is the player's to load; a failure is told as it is", () => {
  const { ask } = playing();
  const [usable, handed, failed] = [ask(0), ask(0), ask(0)];
  usable.asked.events.failed({ status: 200, reason: "" });
  handed.asked.events.refused();
  failed.asked.events.failed({ status: 404, reason: "Not Found" });
  assert.deepEqual(
    [usable, handed, failed].map(({ events }) => events.refused.mock.callCount()),
    [1, 1, 0],
  );
  assert.deepEqual(failed.events.failed.mock.calls[0]?.arguments, [{ status: 404, reason: "Not Found" }]);
});

test("nothing is told of a request that was cancelled, nor of those of a player that is gone", () => {
  const { session, pool, ask } = playing();
  const [cancelled, left] = [ask(0), ask(0)];
  assert.equal(cancelled.request?.cancel(), true);
  assert.equal(cancelled.request?.cancel(), false);
  session.close();
  for (const { asked, events } of [cancelled, left]) {
    asked.events.delivered(new ArrayBuffer(1), { startMs: 0, firstByteMs: 0, endMs: 0 }, 0, null);
    assert.ok(asked.cancelled);
    assert.equal(events.delivered.mock.callCount(), 0);
  }
  assert.equal(pool.players.size, 0);
});

test("what no manifest named is not asked of the pool; what was asked for as a manifest is attended, whatever its query", () => {
  const { session } = playing();
  const events = { delivered() {}, failed() {}, refused() {} };
  assert.equal(session.request({ url: `${BASE}key.bin` }, events), null);
  session.manifestRequested(`${BASE}live.m3u8?token=1`);
  assert.ok(session.attends(`${BASE}live.m3u8?token=2`));
  session.reset("https://cdn.example/other.m3u8");
  assert.ok(!session.attends(`${BASE}live.m3u8`) && session.attends("https://cdn.example/other.m3u8"));
});

test("an MPD whose reader has not come names the content, and what is asked for meanwhile passes", () => {
  const { session } = playing();
  session.reset();
  session.manifestLoaded(`${BASE}a.mpd`, "", '<?xml version="1.0"?><MPD></MPD>');
  const events = { delivered: mock.fn(), failed: mock.fn(), refused: mock.fn() };
  assert.equal(session.request({ url: `${BASE}seg1.m4s` }, events), null);
  assert.equal(session.content, "cdn.example/v/a.mpd");
});

const PARTS = '#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-PART:DURATION=0.4,URI="0.0.ts"\n#EXT-X-PART:DURATION=0.4,URI="0.1.ts"\n';

test("a part is due after half its length and the player's time for it, whatever is buffered; hastened, it is due no later", () => {
  const { session, engine, requests, watch } = playing();
  session.manifestLoaded(`${BASE}p.m3u8`, "", PARTS);
  watch({ currentTime: 1, buffered: range(0, 9) });
  const request = session.request({ url: `${BASE}0.1.ts`, startSec: 9 }, { delivered() {}, failed() {}, refused() {} });
  const due = /** @type {(typeof requests)[number]} */ (requests.at(-1)).deadlineMs;
  assert.ok(Math.abs(awayMs(due) - 500) < 100, `${awayMs(due)}`);
  request?.hasten();
  assert.equal(engine.hasten.mock.calls[0]?.arguments[1], due);
});

test("a part is the CDN's where only what is signed counts, a segment is not", () => {
  const { session, engine, ask } = playing();
  engine.surroundings = mock.fn(() => ({ signed: true }));
  assert.ok(ask(0).request);
  session.manifestLoaded(`${BASE}p.m3u8`, "", PARTS);
  assert.equal(session.request({ url: `${BASE}0.0.ts` }, { delivered() {}, failed() {}, refused() {} }), null);
});
