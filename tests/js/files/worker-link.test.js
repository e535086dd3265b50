import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { WorkerLink } from "../../../static/js/files/worker-link.js";

const FILM = "https://site.example/film.mp4";
const BYTES = Uint8Array.from({ length: 500 }, (_, at) => (at * 3) & 255);

/** @type {MessagePort[]} */
const given = [];
afterEach(() => {
  for (const port of given.splice(0)) port.close();
});

/** The browser's container of workers, with one that controls the page and acknowledges marks if it `answers`. */
function workersOf({ answers = true } = {}) {
  const container = {
    /** @type {Record<string, (event: any) => void>} */
    listeners: {},
    /** @type {string[]} */
    registered: [],
    /** @type {any} */
    there: undefined,
    addEventListener: (/** @type {string} */ name, /** @type {any} */ listener) => {
      container.listeners[name] = listener;
    },
    startMessages: () => {},
    getRegistration: async () => container.there,
    register: async (/** @type {string} */ url) => container.registered.push(url),
    controller: {
      postMessage: (/** @type {unknown} */ _message, /** @type {MessagePort[]} */ [port]) => {
        if (port) given.push(port);
        if (answers) port?.postMessage(true);
      },
    },
  };
  return container;
}

/** A share that answers with the film, or with null. @param {{ answered?: boolean, active?: boolean }} [how] */
function shareOf({ answered = true, active = true } = {}) {
  const share = {
    pool: { active },
    /** @type {{ range: string | null, content: string | undefined, signal: AbortSignal }[]} */
    asked: [],
    answer: async (/** @type {Request} */ request, /** @type {{ content?: string }} */ { content }) => {
      share.asked.push({ range: request.headers.get("range"), content, signal: request.signal });
      return answered ? new Response(BYTES.slice(), { status: 206, headers: { etag: '"v1"' } }) : null;
    },
  };
  return share;
}

/** @param {any} share @param {any} workers */
const linkOf = (share, workers) => new WorkerLink(share, workers);

/** The worker's end of a question. @param {any} workers @param {Record<string, unknown>} data */
function ask(workers, data) {
  const { port1, port2 } = new MessageChannel();
  given.push(port1);
  /** @type {any[]} */
  const heard = [];
  /** @type {(() => void)[]} */
  const waiting = [];
  port1.onmessage = (event) => {
    heard.push(event.data);
    waiting.shift()?.();
  };
  workers.listeners.message({ data, ports: [port2] });
  const next = async () => {
    if (heard.length === 0)
      await new Promise((/** @type {(value: void) => void} */ resolve) => {
        waiting.push(resolve);
      });
    return heard.shift();
  };
  return { port: port1, next };
}

test("the page answers a worker's question for a marked film, chunk by chunk", async () => {
  const [share, workers] = [shareOf(), workersOf()];
  const link = linkOf(share, workers);
  assert.equal(await link.mark(`${FILM}#t=1`, "film"), true);
  const { port, next } = ask(workers, { peerpool: "open", url: FILM, range: "bytes=0-" });
  assert.deepEqual(await next(), { type: "wait" });
  const head = await next();
  assert.deepEqual([head.type, head.status], ["head", 206]);
  assert.ok(head.headers.some((/** @type {string[]} */ [name]) => name === "etag"));
  port.postMessage("pull");
  assert.deepEqual((await next()).bytes, BYTES);
  port.postMessage("pull");
  assert.deepEqual(await next(), { type: "end" });
  assert.deepEqual([share.asked[0]?.range, share.asked[0]?.content], ["bytes=0-", "film"]);
});

test("the page says no to what it has not marked", async () => {
  const [share, workers] = [shareOf(), workersOf()];
  linkOf(share, workers);
  assert.deepEqual(await ask(workers, { peerpool: "open", url: FILM, range: null }).next(), { type: "no" });
  assert.deepEqual(share.asked, []);
});

test("the page says no while nothing may be shared", async () => {
  const workers = workersOf();
  await linkOf(shareOf({ active: false }), workers).mark(FILM);
  assert.deepEqual(await ask(workers, { peerpool: "open", url: FILM, range: null }).next(), { type: "no" });
});

test("the page says no to what cannot be shared after all", async () => {
  const workers = workersOf();
  await linkOf(shareOf({ answered: false }), workers).mark(FILM);
  const { next } = ask(workers, { peerpool: "open", url: FILM, range: null });
  assert.deepEqual([await next(), await next()], [{ type: "wait" }, { type: "no" }]);
});

test("the page stops loading what the worker cancels", async () => {
  const [share, workers] = [shareOf(), workersOf()];
  await linkOf(share, workers).mark(FILM);
  const { port, next } = ask(workers, { peerpool: "open", url: FILM, range: null });
  await next();
  await next();
  const { signal } = /** @type {{ signal: AbortSignal }} */ (share.asked[0]);
  const aborted = new Promise((resolve) => signal.addEventListener("abort", resolve));
  port.postMessage("cancel");
  await aborted;
});

test("the page tells a worker that was stopped what it has marked", async () => {
  const workers = workersOf();
  const link = linkOf(shareOf(), workers);
  await link.mark(FILM);
  assert.deepEqual(await ask(workers, { peerpool: "marked" }).next(), [FILM]);
});

test("a worker that is not ours never knows a mark", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const marked = linkOf(shareOf(), workersOf({ answers: false })).mark(FILM);
  t.mock.timers.tick(2000);
  assert.equal(await marked, false);
});

test("the page registers the site's worker, and not over another one", async (t) => {
  Object.assign(globalThis, { location: { href: "https://site.example/watch/" } });
  const warn = t.mock.method(console, "warn", () => {});
  const workers = workersOf();
  const link = linkOf(shareOf(), workers);
  await link.register("../sw.js");
  assert.deepEqual(workers.registered, ["https://site.example/sw.js"]);
  workers.there = { scope: "https://site.example/", active: { scriptURL: "https://site.example/theirs.js" } };
  await link.register("../sw.js");
  assert.equal(workers.registered.length, 1);
  assert.match(String(warn.mock.calls[0]?.arguments[0]), /theirs\.js.*importScripts/);
});

test("without a secure context nothing is controlled or registered", async () => {
  Object.assign(globalThis, { location: { href: "http://site.example/" } });
  const link = linkOf(shareOf(), undefined);
  assert.equal(link.isControlled, false);
  await link.register("/sw.js");
});
