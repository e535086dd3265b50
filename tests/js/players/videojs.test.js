import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { attachVideojs } from "../../../static/js/players/videojs.js";

/** @typedef {import("../../../static/js/engine.js").RequestEvents} RequestEvents */

const BASE = "https://cdn.example/v/";
const PLAYLIST = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nseg0.ts\n#EXTINF:2,\nseg1.ts\n#EXT-X-ENDLIST\n";

/** A browser's XMLHttpRequest, as far as ours relies on it; what is sent waits for `answer`. */
class Xhr extends EventTarget {
  static sent = /** @type {Xhr[]} */ ([]);
  url = "";
  responseText = "";
  _status = 0;
  _state = 0;
  _type = "";
  _timeout = 0;
  get readyState() {
    return this._state;
  }
  get status() {
    return this._status;
  }
  get responseURL() {
    return this.url;
  }
  get response() {
    return this.responseText;
  }
  get responseType() {
    return this._type;
  }
  set responseType(type) {
    this._type = type;
  }
  get timeout() {
    return this._timeout;
  }
  set timeout(timeout) {
    this._timeout = timeout;
  }
  get withCredentials() {
    return false;
  }
  /** @param {string} _method @param {string} url */
  open(_method, url) {
    this.url = url;
    this._state = 1;
  }
  setRequestHeader() {}
  send() {
    Xhr.sent.push(this);
  }
  abort() {}
  /** @param {string} text */
  answer(text) {
    this.responseText = text;
    this._status = 200;
    this._state = 4;
    this.dispatchEvent(new Event("readystatechange"));
    this.dispatchEvent(new Event("load"));
  }
}

Object.assign(globalThis, {
  XMLHttpRequest: Xhr,
  ProgressEvent: Event,
  document: { baseURI: "https://site.example/" },
  location: { origin: "https://site.example" },
});

/** A page with one player, in a pool that takes everything. */
function page() {
  Xhr.sent = [];
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
  /** As VHS sends: with an object given, or one of its own. @param {any} options @param {(error: unknown, request: any) => void} callback */
  const send = (options, callback) => {
    const request = options.xhr ?? new Xhr();
    request.uri = options.uri;
    request.open("GET", options.uri);
    if (options.responseType) request.responseType = options.responseType;
    request.addEventListener("load", () => callback(null, request));
    request.send();
    return request;
  };
  const listeners = /** @type {Record<string, () => void>} */ ({});
  const player = {
    /** @type {any} */
    made: undefined,
    tech: () => player.made,
    /** @param {string} event @param {() => void} listener */
    on: (event, listener) => {
      listeners[event] = listener;
    },
  };
  /** A source comes to the player; `late` as the first does, whose tech the player does not know yet. */
  const source = ({ late = false } = {}) => {
    const vhsListeners = /** @type {Record<string, () => void>} */ ({});
    const vhs = /** @type {any} */ ({
      xhr: Object.assign(send.bind(null), { original: true }),
      on: (/** @type {string} */ event, /** @type {() => void} */ listener) => {
        vhsListeners[event] = listener;
      },
      playlists: { request: null },
      dispose: () => vhsListeners.dispose?.(),
    });
    const tech = { vhs, el: () => null };
    if (!late) player.made = tech;
    listeners["xhr-hooks-ready"]?.();
    const first = vhs.xhr({ uri: `${BASE}p.m3u8?t=1` }, () => {});
    vhs.playlists.request = first;
    player.made = tech;
    return { vhs, first };
  };
  attachVideojs(pool, /** @type {any} */ (player));
  return { pool, player, requests, source };
}

/** @param {any} vhs @param {string} name */
function segment(vhs, name) {
  const loaded = mock.fn();
  return { loaded, xhr: vhs.xhr({ uri: BASE + name, responseType: "arraybuffer" }, loaded) };
}

test("a segment of a playlist that passed is asked of the pool, a key is sent as ever", () => {
  const { requests, source } = page();
  const { vhs, first } = source();
  first.answer(PLAYLIST);
  segment(vhs, "seg1.ts");
  assert.equal(requests[0]?.source.ref.number, 1);
  segment(vhs, "key.bin");
  assert.deepEqual([requests.length, Xhr.sent.map(({ url }) => url)], [1, [`${BASE}p.m3u8?t=1`, `${BASE}key.bin`]]);
});

test("the first source, on its way before the player knows its tech, is shared too", async () => {
  const { pool, requests, source } = page();
  const { vhs, first } = source({ late: true });
  await Promise.resolve();
  const [session] = pool.players;
  assert.ok(session.attends(`${BASE}p.m3u8`));
  first.answer(PLAYLIST);
  segment(vhs, "seg0.ts");
  assert.equal(requests.length, 1);
});

test("what is delivered comes with the rate at which it moved, which VHS takes in place of its own measure", () => {
  const { requests, source } = page();
  const { vhs, first } = source();
  first.answer(PLAYLIST);
  const { xhr, loaded } = segment(vhs, "seg0.ts");
  const timing = { startMs: 100, firstByteMs: 150, endMs: 300 };
  requests[0]?.events.delivered(new ArrayBuffer(1000), timing, 1000, null);
  assert.equal(loaded.mock.callCount(), 1);
  assert.deepEqual([xhr.bandwidth, xhr.status, xhr.response.byteLength], [40_000, 200, 1000]);
});

test("an aborted request is taken back from the pool", () => {
  const { requests, source } = page();
  const { vhs, first } = source();
  first.answer(PLAYLIST);
  segment(vhs, "seg0.ts").xhr.abort();
  assert.ok(requests[0]?.cancelled);
});

test("a request the pool hands back is sent by the browser", () => {
  const { requests, source } = page();
  const { vhs, first } = source();
  first.answer(PLAYLIST);
  segment(vhs, "seg0.ts");
  requests[0]?.events.refused();
  assert.equal(Xhr.sent.at(-1)?.url, `${BASE}seg0.ts`);
});

test("hooks that a page sets on the function stay where VHS looks for them", () => {
  const { source } = page();
  const { vhs } = source();
  vhs.xhr.onRequest = () => {};
  assert.deepEqual(Object.keys(vhs.xhr), ["original", "onRequest"]);
  assert.equal(vhs.xhr.original, true);
});

test("a source leaves with the player's next, which is another content", () => {
  const { pool, player, source } = page();
  const { vhs } = source();
  attachVideojs(pool, /** @type {any} */ (player));
  assert.deepEqual(
    [...pool.players].map(({ content }) => content),
    ["cdn.example/v/p.m3u8"],
  );
  vhs.dispose();
  assert.equal(pool.players.size, 0);
  source();
  assert.equal(pool.players.size, 1);
});
