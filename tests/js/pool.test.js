import assert from "node:assert/strict";
import { test } from "node:test";
import { CONSENT_KEY } from "../../static/js/io/consent-store.js";
import { Pool } from "../../static/js/pool.js";
import { withPage } from "./page.js";
import { source } from "./sources.js";

test("an option that does not exist, or cannot be so, is a clear error and changes nothing", () => {
  const pool = new Pool();
  for (const [options, word] of /** @type {[any, RegExp][]} */ ([
    [{ trackr: "https://t.example" }, /no option "trackr"/],
    [{ tracker: "http://[" }, /tracker is a URL/],
    [{ enabled: "yes" }, /enabled/],
    [{ content: "" }, /content/],
    [{ cacheBytes: -1 }, /cacheBytes/],
    [{ uploadLimitBps: Number.NaN }, /uploadLimitBps/],
    [{ uploadRatioMax: -1 }, /uploadRatioMax/],
    [{ neighbours: 17 }, /neighbours/],
    [{ consent: "maybe" }, /consent/],
    [{ uploadOnCellular: 1 }, /uploadOnCellular/],
    [{ addresses: "none" }, /addresses/],
    [{ fileCacheBytes: -1 }, /fileCacheBytes/],
    [{ worker: "" }, /worker/],
    [{ site: "a b" }, /site/],
    [{ site: "s".repeat(65) }, /site/],
    [{ token: "t".repeat(2049) }, /token/],
    [{ token: 5 }, /token/],
  ])) {
    assert.throws(() => pool.configure(options), word);
  }
  assert.deepEqual(pool.options, new Pool().options);
});

test("without WebRTC, a tracker, or leave to share, nothing is shared", () => {
  const pool = new Pool();
  pool.configure({ tracker: "https://tracker.example" });
  assert.equal(pool.active, false); // node has no RTCPeerConnection
  assert.equal(pool.engine("x"), null);
  assert.equal(pool.stats().state, "off");
});

/** A tracker's socket that opens never. */
class DeafSocket {
  static OPEN = 1;
  readyState = 0;
  close() {
    DeafSocket.open.delete(this);
  }
  constructor() {
    DeafSocket.open.add(this);
  }
  /** @type {Set<DeafSocket>} */
  static open = new Set();
}

/** Runs with a pool on a page of a browser that can share. @param {(pool: Pool, page: import("./page.js").Page) => Promise<void> | void} run */
async function withPool(run) {
  const globals = /** @type {Record<string, unknown>} */ (/** @type {unknown} */ (globalThis));
  const { WebSocket, reportError } = globals;
  Object.assign(globals, { WebSocket: DeafSocket, RTCPeerConnection: class {}, reportError: () => {} });
  try {
    await withPage(async (page) => {
      const pool = new Pool();
      pool.configure({ tracker: "https://tracker.example" });
      await run(pool, page);
      pool.stop();
    });
  } finally {
    Object.assign(globals, { WebSocket, reportError });
    delete globals.RTCPeerConnection;
  }
}

/** @param {string[]} heard @returns {import("../../static/js/engine.js").RequestEvents} */
const answers = (heard) => ({
  progressed: () => {},
  delivered: () => heard.push("delivered"),
  failed: () => heard.push("failed"),
  refused: () => heard.push("refused"),
});

const turnOfEvents = () => new Promise((resolve) => setTimeout(resolve, 0));

for (const [away, back] of [
  ["pagehide", "pageshow"],
  ["freeze", "resume"],
]) {
  test(`a page at ${away} leaves its swarm and begins no request; at ${back} it joins again, and the player loads what it asked for`, async () => {
    await withPool(async (pool, page) => {
      const tell = (/** @type {string} */ event) => (event.startsWith("page") ? page.tell(event) : page.tellDocument(event));
      pool.players.add({ content: "a" });
      const engine = pool.engine("a");
      /** @type {string[]} */
      const heard = [];
      engine?.request(source, performance.now() + 60_000, answers(heard));
      assert.equal(DeafSocket.open.size, 1);
      tell(String(away));
      await turnOfEvents();
      assert.equal(DeafSocket.open.size, 0);
      assert.equal(pool.engine("a"), null);
      assert.deepEqual(heard, []);
      tell(String(back));
      await turnOfEvents();
      assert.equal(DeafSocket.open.size, 1);
      assert.deepEqual(heard, ["refused"]);
      assert.notEqual(pool.engine("a"), engine);
    });
  });
}

test("a page that comes back with no player joins nothing, and one that was never away changes nothing", async () => {
  await withPool((pool, page) => {
    page.tell("pageshow");
    assert.equal(DeafSocket.open.size, 0);
    const engine = pool.engine("a");
    page.tell("pageshow");
    assert.equal(pool.engine("a"), engine);
    page.tell("pagehide");
    page.tell("pageshow");
    assert.equal(DeafSocket.open.size, 0);
  });
});

test("an engine that memory has run out for hands its requests back, and the next does with less", async () => {
  await withPool(async (pool) => {
    const engine = pool.engine("a");
    assert.ok(engine);
    /** @type {string[]} */
    const heard = [];
    engine.request(source, performance.now() + 60_000, answers(heard));
    const real = globalThis.Uint8Array;
    globalThis.Uint8Array = new Proxy(real, {
      construct() {
        throw new RangeError("Array buffer allocation failed");
      },
    });
    try {
      // It is due: a claim is to be encoded.
      engine.request({ ...source, ref: { ...source.ref, number: 8 } }, 0, answers(heard));
    } finally {
      globalThis.Uint8Array = real;
    }
    await turnOfEvents();
    assert.deepEqual(heard, ["refused", "refused"]);
    const next = pool.engine("a");
    assert.ok(next && next !== engine);
    assert.equal(pool.engine("a"), next);
  });
});

/** localStorage of one origin, as one of its pages sees it. */
class FakeStorage {
  /** @type {Map<string, string>} */
  values = new Map();
  denied = false;
  full = false;
  _touch(writes = false) {
    if (this.denied || (writes && this.full)) throw new DOMException("denied", writes ? "QuotaExceededError" : "SecurityError");
  }
  /** @param {string} key */
  getItem(key) {
    this._touch();
    return this.values.get(key) ?? null;
  }
  /** @param {string} key @param {string} value */
  setItem(key, value) {
    this._touch(true);
    this.values.set(key, value);
  }
  /** @param {string} key */
  removeItem(key) {
    this._touch();
    this.values.delete(key);
  }
}

/** @param {(given: { pool: Pool, page: import("./page.js").Page, storage: FakeStorage }) => Promise<void> | void} run */
async function withStorage(run) {
  const globals = /** @type {Record<string, unknown>} */ (/** @type {unknown} */ (globalThis));
  const storage = new FakeStorage();
  globals.localStorage = storage;
  try {
    await withPool((pool, page) => run({ pool, page, storage }));
  } finally {
    delete globals.localStorage;
  }
}

test("where consent is required nothing is opened before it is given, and a player that runs shares from then on", async () => {
  await withStorage(({ pool, storage }) => {
    pool.configure({ consent: "required" });
    pool.players.add({ content: "a" });
    assert.equal(pool.engine("a"), null);
    assert.deepEqual([DeafSocket.open.size, pool.consent(), pool.stats().state], [0, "unasked", "off"]);
    assert.equal(pool.consent(true), "granted");
    assert.equal(DeafSocket.open.size, 1);
    assert.equal(storage.values.get(CONSENT_KEY), "granted");
  });
});

test("who declines is out at once, is remembered, and the player loads what it asked for", async () => {
  await withStorage(async ({ pool, storage }) => {
    const engine = pool.engine("a");
    /** @type {string[]} */
    const heard = [];
    engine?.request(source, performance.now() + 60_000, answers(heard));
    assert.equal(DeafSocket.open.size, 1);
    assert.equal(pool.consent(false), "denied");
    assert.equal(DeafSocket.open.size, 0);
    await turnOfEvents();
    assert.deepEqual(heard, ["refused"]);
    assert.equal(pool.engine("a"), null);
    assert.equal(storage.values.get(CONSENT_KEY), "denied");
    const next = new Pool(); // the next page: an opt-out holds where consent is implied, too
    next.configure({ tracker: "https://tracker.example", consent: "implied" });
    assert.deepEqual([next.engine("a"), next.consent()], [null, "denied"]);
  });
});

test("what is no yes is none", async () => {
  await withStorage(({ pool }) => {
    assert.equal(pool.consent(/** @type {any} */ ("yes")), "denied");
  });
});

test("pages of one origin follow each other's answer", async () => {
  await withStorage(({ pool, page, storage }) => {
    pool.players.add({ content: "a" });
    pool.engine("a");
    storage.values.set(CONSENT_KEY, "denied");
    page.tellStorage("other");
    assert.equal(DeafSocket.open.size, 1);
    page.tellStorage(CONSENT_KEY);
    assert.equal(DeafSocket.open.size, 0);
    storage.values.set(CONSENT_KEY, "granted");
    page.tellStorage(CONSENT_KEY);
    assert.equal(DeafSocket.open.size, 1);
    pool.configure({ consent: "required" });
    storage.values.clear();
    page.tellStorage(null);
    assert.equal(DeafSocket.open.size, 0);
  });
});

test("where storage is denied or full the answer holds for the page, and an older one does not stand", async () => {
  await withStorage(({ pool, storage }) => {
    pool.consent(true);
    storage.full = true;
    assert.equal(pool.consent(false), "denied");
    assert.equal(storage.values.has(CONSENT_KEY), false);
    storage.denied = true;
    assert.equal(pool.consent(), "denied");
    assert.equal(pool.consent(true), "granted");
    assert.ok(pool.engine("a"));
  });
});

test("on a line paid by volume nothing is uploaded unless the page says so, and none is used where data is saved", async () => {
  const line = Object.assign(new EventTarget(), { type: "wifi", saveData: false });
  const original = Object.getOwnPropertyDescriptor(globalThis, "navigator");
  Object.defineProperty(globalThis, "navigator", { configurable: true, value: { connection: line } });
  const change = (/** @type {Partial<typeof line>} */ values) => {
    Object.assign(line, values);
    line.dispatchEvent(new Event("change"));
  };
  try {
    await withPool((pool) => {
      pool.players.add({ content: "a" });
      const limits = /** @type {number[]} */ ([]);
      const engine = pool.engine("a");
      assert.ok(engine);
      engine.limitUploads = (bytesPerMs) => void limits.push(bytesPerMs);
      change({ type: "cellular" });
      change({ type: "wifi" });
      assert.deepEqual(limits, [0, pool.options.uploadLimitBps / 8000]);
      pool.configure({ uploadOnCellular: true });
      change({ type: "cellular" });
      assert.equal(limits.at(-1), pool.options.uploadLimitBps / 8000);
      change({ saveData: true });
      assert.deepEqual([DeafSocket.open.size, pool.engine("a")], [0, null]);
      change({ saveData: false });
      assert.equal(DeafSocket.open.size, 1);
    });
  } finally {
    if (original) Object.defineProperty(globalThis, "navigator", original);
    else delete (/** @type {Record<string, unknown>} */ (/** @type {unknown} */ (globalThis)).navigator);
  }
});

/** A tracker's socket that opens at once and keeps what it is sent. */
class OpenSocket {
  static OPEN = 1;
  /** @type {Record<string, unknown>[]} */
  static sent = [];
  readyState = 1;
  /** @type {() => void} */
  onopen = () => {};
  constructor() {
    setTimeout(() => this.onopen(), 0);
  }
  /** @param {string} text */
  send(text) {
    OpenSocket.sent.push(JSON.parse(text));
  }
  close() {}
}

test("site and token go to the tracker, and a token that cannot be made is none", async () => {
  const reported = /** @type {unknown[]} */ ([]);
  for (const [token, told] of /** @type {[import("../../static/js/pool.js").Options["token"], unknown][]} */ ([
    ["fixed", "fixed"],
    [() => "made", "made"],
    [async () => "fetched", "fetched"],
    [() => null, undefined],
    [() => Promise.reject(new Error("the page's")), undefined],
    [() => "t".repeat(2049), undefined],
    [/** @type {any} */ (() => 7), undefined],
  ])) {
    await withPool(async (pool) => {
      const globals = /** @type {Record<string, unknown>} */ (/** @type {unknown} */ (globalThis));
      Object.assign(globals, { WebSocket: OpenSocket, reportError: (/** @type {unknown} */ error) => reported.push(error) });
      OpenSocket.sent = [];
      pool.configure({ site: "news", token });
      pool.engine("cdn.example/a.m3u8");
      await new Promise((resolve) => setTimeout(resolve, 5));
      const [join] = OpenSocket.sent;
      assert.deepEqual([join?.type, join?.site, join?.name, join?.token], ["join", "news", "cdn.example/a.m3u8", told]);
    });
  }
  assert.equal(reported.length, 3);
  await withPool(async (pool) => {
    Object.assign(globalThis, { WebSocket: OpenSocket });
    OpenSocket.sent = [];
    pool.engine("cdn.example/a.m3u8");
    await new Promise((resolve) => setTimeout(resolve, 5));
    const [join] = OpenSocket.sent;
    assert.ok(join && !("name" in join) && !("site" in join), "an open tracker learns the hash of the name only");
  });
});
