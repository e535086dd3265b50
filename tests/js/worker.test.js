import assert from "node:assert/strict";
import { afterEach, mock, test } from "node:test";

const URL = "https://site.example/film.mp4";
const FILM = Uint8Array.from({ length: 1000 }, (_, at) => (at * 7) & 255);
/** No page is ever slower than this (worker.js). */
const CHUNK_MS = 20_000;

/** @typedef {{ request: Request & { destination: string }, clientId: string, answer?: Promise<Response> }} Asked */

/** What the worker finds around it. Its listeners are one set for all tests: a worker is loaded once. */
const scope = {
  /** @type {Record<string, ((event: any) => void)[]>} */
  listeners: {},
  /** @type {Map<string, any>} */
  pages: new Map(),
  /** @type {string[]} */
  network: [],
  etag: '"v1"',
};
Object.assign(globalThis, {
  location: { pathname: "/sw.js" },
  clients: { get: async (/** @type {string} */ id) => scope.pages.get(id) },
  addEventListener: (/** @type {string} */ name, /** @type {any} */ listener) => {
    scope.listeners[name] = [...(scope.listeners[name] ?? []), listener];
  },
  fetch: async (/** @type {any} */ input, /** @type {RequestInit} */ init) => {
    const range = new Headers(init?.headers).get("range");
    scope.network.push(`${typeof input === "string" ? "rest" : "whole"} ${range}`);
    const [, start = "0", last = "999"] = /(\d+)-(\d+)/.exec(range ?? "") ?? [];
    const bytes = FILM.slice(Number(start), Number(last) + 1);
    return new Response(bytes, { status: range ? 206 : 200, headers: { etag: scope.etag } });
  },
});
/** A script, and not a module for TypeScript. */
const WORKER = "../../static/js/worker.js";
await import(WORKER);

/** Ports that pages were given, which would keep the process alive. @type {MessagePort[]} */
const given = [];
afterEach(() => {
  for (const port of given.splice(0)) port.close();
});

/** @param {string} type @param {Record<string, unknown>} event */
function dispatch(type, event) {
  for (const listener of scope.listeners[type] ?? []) listener(event);
}

/**
 * A page that has marked the film and answers `messages` in turn, one for each question.
 * @param {string} id @param {unknown[]} [messages]  null: it says nothing
 */
function pageOf(id, messages = []) {
  const page = {
    id,
    /** @type {unknown[]} */
    heard: [],
    /** @param {any} question @param {MessagePort[]} ports */
    postMessage: (question, [port]) => {
      page.heard.push(question);
      if (!port) return;
      given.push(port);
      const say = (/** @type {unknown} */ message) => message === null || port.postMessage(message);
      if (question.peerpool === "marked") return say([URL]);
      for (const message of messages.splice(0, 2)) say(message);
      port.onmessage = ({ data }) => {
        page.heard.push(data);
        if (data === "pull") say(messages.shift() ?? null);
      };
    },
  };
  scope.pages.set(id, page);
  scope.network.length = 0;
  scope.etag = '"v1"';
  return page;
}

/** @param {string} id  the page's @param {string} [url] */
async function mark(id, url = URL) {
  const { port1, port2 } = new MessageChannel();
  const told = new Promise((resolve) => {
    port1.onmessage = ({ data }) => resolve(data);
  });
  dispatch("message", { data: { peerpool: "mark", url }, source: { id }, ports: [port2] });
  assert.equal(await told, true);
  port1.close();
}

/** @param {string} clientId @param {{ destination?: string, url?: string, range?: string }} [asked] @returns {Promise<Response> | undefined} undefined: left to the browser */
function request(clientId, { destination = "video", url = URL, range } = {}) {
  const asked = new Request(url, { headers: range ? { range } : {} });
  Object.defineProperty(asked, "destination", { value: destination });
  /** @type {Promise<Response> | undefined} */
  let answer;
  const respondWith = (/** @type {Promise<Response>} */ promise) => {
    answer = promise;
  };
  dispatch("fetch", { request: asked, clientId, respondWith });
  return answer;
}

const HEAD = {
  type: "head",
  status: 206,
  statusText: "Partial Content",
  headers: [
    ["content-range", "bytes 100-999/1000"],
    ["content-length", "900"],
    ["etag", '"v1"'],
  ],
};
/** A message between ports has arrived when this is so. @param {() => boolean} condition */
async function eventually(condition) {
  for (let turn = 0; turn < 1000 && !condition(); turn += 1) await new Promise((resolve) => setImmediate(resolve));
  assert.ok(condition());
}

/** @param {number} start @param {number} end */
const chunk = (start, end) => ({ type: "chunk", bytes: FILM.slice(start, end) });
/** @param {Response | undefined} response */
const bytesOf = async (response) => new Uint8Array(await /** @type {Response} */ (response).arrayBuffer());

test("the worker answers a marked video with what its page sends", async () => {
  const page = pageOf("all", [{ type: "wait" }, HEAD, chunk(100, 500), chunk(500, 1000)]);
  await mark("all");
  const response = await request("all", { range: "bytes=100-", url: `${URL}#t=3` });
  assert.equal(response?.status, 206);
  assert.deepEqual(await bytesOf(response), FILM.slice(100));
  assert.deepEqual(page.heard[0], { peerpool: "open", url: URL, range: "bytes=100-" });
  assert.deepEqual(scope.network, []);
});

test("the worker leaves what is not marked, and what scripts fetch, to the browser", async () => {
  pageOf("others");
  await mark("others");
  assert.equal(request("others", { url: `${URL}?other` }), undefined);
  assert.equal(request("others", { destination: "" }), undefined);
  assert.equal(request("others", { destination: "script" }), undefined);
  assert.equal(request("", {}), undefined);
});

test("the worker asks the network where the page has no answer", async () => {
  pageOf("no", [{ type: "no" }]);
  await mark("no");
  assert.deepEqual(await bytesOf(await request("no")), FILM);
  assert.deepEqual(scope.network, ["whole null"]);
});

test("a worker that was stopped asks the page for its marks, and leaves images alone meanwhile", async () => {
  const page = pageOf("again", [{ type: "no" }]);
  assert.equal(request("again", { destination: "image" }), undefined);
  await request("again");
  assert.deepEqual(page.heard, [{ peerpool: "marked" }, { peerpool: "open", url: URL, range: null }]);
});

test("the worker has the rest from the network when the page stops", async () => {
  const page = pageOf("stops", [{ type: "wait" }, HEAD, chunk(100, 300), { type: "no" }]);
  await mark("stops");
  assert.deepEqual(await bytesOf(await request("stops")), FILM.slice(100));
  assert.deepEqual(scope.network, ["rest bytes=300-999"]);
  await eventually(() => page.heard.at(-1) === "cancel");
});

test("the worker has the rest from the network when the page is gone without a word", async () => {
  pageOf("gone", [{ type: "wait" }, HEAD, chunk(100, 300), null]);
  await mark("gone");
  const response = await request("gone");
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    const whole = bytesOf(response);
    // Messages between ports are not timers: those that are on their way arrive between the ticks.
    for (let tick = 0; tick < 50 && scope.network.length === 0; tick += 1) {
      await new Promise((resolve) => setImmediate(resolve));
      mock.timers.tick(CHUNK_MS / 10);
    }
    assert.deepEqual(await whole, FILM.slice(100));
  } finally {
    mock.timers.reset();
  }
  assert.deepEqual(scope.network, ["rest bytes=300-999"]);
});

test("the worker never joins two versions of a file", async () => {
  pageOf("changed", [{ type: "wait" }, HEAD, chunk(100, 300), { type: "no" }]);
  await mark("changed");
  scope.etag = '"v2"';
  await assert.rejects(bytesOf(await request("changed")), TypeError);
});

test("the worker tells the page when nobody reads on", async () => {
  const page = pageOf("seeks", [{ type: "wait" }, HEAD, chunk(100, 300), chunk(300, 500)]);
  await mark("seeks");
  const response = /** @type {Response} */ (await request("seeks"));
  const body = /** @type {ReadableStream<Uint8Array>} */ (response.body).getReader();
  await body.read();
  await body.cancel();
  await eventually(() => page.heard.at(-1) === "cancel");
  assert.deepEqual(scope.network, []);
});

test("the worker forgets the marks of the oldest pages", async () => {
  pageOf("first", [{ type: "no" }]);
  await mark("first");
  for (let other = 0; other < 64; other += 1) await mark(`page ${other}`);
  const page = pageOf("first", [{ type: "no" }]);
  await request("first");
  assert.deepEqual(page.heard[0], { peerpool: "marked" });
});
