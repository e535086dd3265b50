import assert from "node:assert/strict";
import { test } from "node:test";
import { FILE_BLOCK_BYTES as BLOCK } from "../../../static/js/core/constants.js";
import { FileShare } from "../../../static/js/files/file-share.js";

const URL = "https://cdn.example/a.bin";
const FILE = Uint8Array.from({ length: 3 * BLOCK + 100 }, (_, at) => (at * 31) ^ (at >> 9));
const HEADERS = { etag: '"v1"', "content-type": "application/x-file" };

/** @typedef {Partial<{ headers: Record<string, string>, ranges: boolean, fails: number }>} Server */

/** The browser's fetch of a server that has FILE; `asked` is what it was asked for. @param {Server} [server] */
function serverOf({ headers = HEADERS, ranges = true, fails = 0 } = {}) {
  /** @type {string[]} */
  const asked = [];
  /** @param {RequestInfo | URL} input @param {RequestInit} [init] */
  const fetch = async (input, init) => {
    const request = new Request(input, init);
    const range = request.headers.get("range");
    asked.push(`${request.method} ${range}`);
    if (fails) return new Response("no", { status: fails });
    const found = ranges ? /bytes=(\d+)-(\d*)/.exec(range ?? "") : null;
    if (!found) return new Response(FILE.slice(), { headers });
    const [start, end] = [Number(found[1]), Math.min(FILE.length, found[2] ? Number(found[2]) + 1 : FILE.length)];
    const part = { "content-range": `bytes ${start}-${end - 1}/${FILE.length}` };
    return new Response(FILE.slice(start, end), { status: 206, headers: { ...headers, ...part } });
  };
  return { asked, fetch };
}

/** A pool whose engine has all blocks, until it stops. */
function poolOf() {
  const engine = {
    /** @type {number[]} */
    requested: [],
    /** @type {number[]} */
    seeded: [],
    cancelled: 0,
    stopped: false,
    surroundings: () => ({ waitSec: 0.1, rateBps: 8e6, neighbours: 1, members: 2, signed: false }),
    arrived: () => [],
    coming: () => true,
    hasten: () => {},
    cancel: () => engine.cancelled++,
    seed: (/** @type {any} */ { ref }) => engine.seeded.push(ref.number),
    request: (/** @type {any} */ { ref, rangeStart, rangeEnd }, /** @type {number} */ _deadline, /** @type {any} */ events) => {
      engine.requested.push(ref.number);
      queueMicrotask(() => {
        if (engine.stopped) events.refused();
        else events.delivered(FILE.slice(rangeStart, rangeEnd).buffer, {}, rangeEnd - rangeStart);
      });
      return engine.requested.length;
    },
  };
  const pool = {
    active: true,
    options: { fileCacheBytes: 0 },
    players: new Set(),
    engine: () => engine,
    leaveUnused: () => {},
    segmentDelivered: () => {},
  };
  return { engine, pool: /** @type {import("../../../static/js/pool.js").Pool} */ (/** @type {unknown} */ (pool)) };
}

/** @param {Response | null} response */
const bytesOf = async (response) => new Uint8Array(await /** @type {Response} */ (response).arrayBuffer());

test("a reader gets the first block from the CDN, which is passed on, and the others from the pool", async () => {
  const { asked, fetch } = serverOf();
  const { engine, pool } = poolOf();
  /** @type {any[]} */
  const told = [];
  const share = new FileShare(pool, fetch, null);
  const response = await share.answer(new Request(URL), { progress: (one) => told.push(one) });
  assert.equal(response?.status, 200);
  assert.equal(response?.url || URL, URL);
  assert.equal(response?.headers.get("content-length"), String(FILE.length));
  assert.equal(response?.headers.get("content-type"), "application/x-file");
  assert.deepEqual(await bytesOf(response), FILE);
  assert.deepEqual(asked, [`GET bytes=0-${BLOCK - 1}`]);
  assert.deepEqual(engine.seeded, [0]);
  assert.deepEqual(engine.requested, [1, 2, 3]);
  assert.deepEqual(told.at(-1), { loadedBytes: FILE.length, totalBytes: FILE.length, peerBytes: FILE.length - BLOCK });
});

test("a second reader of a known file asks the CDN nothing, and gets the range it wants", async () => {
  const { asked, fetch } = serverOf();
  const { pool } = poolOf();
  const share = new FileShare(pool, fetch, null);
  await bytesOf(await share.answer(new Request(URL)));
  asked.length = 0;
  const response = await share.answer(new Request(URL, { headers: { Range: `bytes=${BLOCK - 10}-${2 * BLOCK + 9}` } }));
  assert.equal(response?.status, 206);
  assert.equal(response?.headers.get("content-range"), `bytes ${BLOCK - 10}-${2 * BLOCK + 9}/${FILE.length}`);
  assert.deepEqual(await bytesOf(response), FILE.slice(BLOCK - 10, 2 * BLOCK + 10));
  assert.deepEqual(asked, []);
});

test("when the pool stops the reader gets the rest from the CDN", async () => {
  const { asked, fetch } = serverOf();
  const { engine, pool } = poolOf();
  engine.stopped = true;
  assert.deepEqual(await bytesOf(await new FileShare(pool, fetch, null).answer(new Request(URL))), FILE);
  assert.deepEqual(asked, [`GET bytes=0-${BLOCK - 1}`, `GET bytes=${BLOCK}-${FILE.length - 1}`]);
});

test("where only what is signed counts the reader gets a file from the CDN alone", async () => {
  const { asked, fetch } = serverOf();
  const { engine, pool } = poolOf();
  const { surroundings } = engine;
  engine.surroundings = () => ({ ...surroundings(), signed: true });
  assert.deepEqual(await bytesOf(await new FileShare(pool, fetch, null).answer(new Request(URL))), FILE);
  assert.equal(asked.length, 2);
  assert.deepEqual(engine.requested, []);
});

test("a reader that aborts gets its own reason, and nothing goes on", async () => {
  const { fetch } = serverOf();
  const { pool } = poolOf();
  const stop = new AbortController();
  const share = new FileShare(pool, fetch, null);
  const response = await share.answer(new Request(URL, { signal: stop.signal }));
  const body = /** @type {Response} */ (response).arrayBuffer();
  stop.abort();
  await assert.rejects(body, { name: "AbortError" });
});

test("a server that ignores ranges, or says no, is heard as it is", async () => {
  const { pool } = poolOf();
  const whole = await new FileShare(pool, serverOf({ ranges: false }).fetch, null).answer(new Request(URL));
  assert.equal(whole?.status, 200);
  assert.deepEqual(await bytesOf(whole), FILE);
  const refusal = await new FileShare(pool, serverOf({ fails: 403 }).fetch, null).answer(new Request(URL));
  assert.equal(refusal?.status, 403);
});

test("what has no validator, or is one viewer's, is left to the browser", async () => {
  for (const headers of /** @type {Record<string, string>[]} */ ([
    {},
    { etag: 'W/"v1"' },
    { etag: '"v1"', "cache-control": "private" },
  ])) {
    const { pool } = poolOf();
    assert.equal(await new FileShare(pool, serverOf({ headers }).fetch, null).answer(new Request(URL)), null);
    assert.equal(pool.players.size, 0);
  }
});
