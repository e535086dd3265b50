import assert from "node:assert/strict";
import { test } from "node:test";
import { Pool } from "../../static/js/pool.js";
import { withPage } from "./page.js";

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

test("a listener's error stays its own", () => {
  const pool = new Pool();
  const heard = /** @type {unknown[]} */ ([]);
  const report = globalThis.reportError;
  globalThis.reportError = (error) => heard.push(error);
  try {
    pool.on("segment", () => {
      throw new Error("the page's");
    });
    pool.on("segment", (event) => heard.push(event.url));
    pool.segmentDelivered({ url: "u", sizeBytes: 1, peerBytes: 0 });
  } finally {
    globalThis.reportError = report;
  }
  assert.equal(String(heard[0]), "Error: the page's");
  assert.equal(heard[1], "u");
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

const source = {
  ref: { track: "00".repeat(8), kind: 0, discontinuity: 0, number: 7 },
  url: "https://cdn.example/7.m4s",
  rangeStart: null,
  rangeEnd: null,
  durationSec: 2,
  expectedBytes: 0,
  live: false,
  type: "video",
};

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
