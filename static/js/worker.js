/**
 * The service worker, peerpool-sw.js: media elements and images that a page has marked are answered by that page, from its swarm. It is
 * imported by a file of the site's own (docs/files.md). Whatever goes wrong is a request to the network, as without it.
 */

/** @typedef {{ type: "wait" | "no" | "end" } | { type: "head", status: number, statusText: string, headers: [string, string][] } | { type: "chunk", bytes: Uint8Array<ArrayBuffer> }} PageMessage */

/**
 * Of `ServiceWorkerGlobalScope` what is used: TypeScript's library for pages does not know it.
 * @typedef {object} WorkerScope
 * @property {Location} location
 * @property {() => Promise<void>} skipWaiting
 * @property {{ claim: () => Promise<void>, get: (id: string) => Promise<Client | undefined> }} clients
 * @property {(name: string, listener: (event: any) => void) => void} addEventListener
 */

/** @typedef {{ id: string, postMessage: (message: unknown, transfer: Transferable[]) => void }} Client */

const scope = /** @type {WorkerScope} */ (/** @type {unknown} */ (globalThis));

/** A page that runs says within this that it is at it. */
const ACK_MS = 500;
/** ... and the head follows within this: what is asked of the CDN for it is no slower than what the network would be asked. */
const HEAD_MS = 10_000;
/** A page that sends nothing for so long is gone, or waits for a CDN that is. */
const CHUNK_MS = 20_000;
/** Pages' marks are kept for so many pages, the newest. */
const CLIENTS_MAX = 64;

/** URLs that a page has marked, by its client id. Gone when the browser stops the worker, and asked for again then. @type {Map<string, Set<string>>} */
const marks = new Map();

// A site's own worker, which imports this one, has its own ways; one that is there for us alone takes over at once.
if (scope.location.pathname.endsWith("/peerpool-sw.js")) {
  scope.addEventListener("install", () => void scope.skipWaiting());
  scope.addEventListener("activate", (event) => event.waitUntil(scope.clients.claim()));
}

scope.addEventListener("message", ({ data, source, ports: [port] }) => {
  if (data?.peerpool !== "mark" || !source) return;
  marksOf(source.id).add(data.url);
  port?.postMessage(true);
});

scope.addEventListener("fetch", (event) => {
  const { request, clientId } = event;
  // Elements' requests only: what scripts fetch is theirs, and ours, which are not to come back to us.
  if (!clientId || !/^(video|audio|image)$/.test(request.destination) || !/^https?:/.test(request.url)) return;
  const known = marks.get(clientId);
  // A worker that was stopped has forgotten the marks. Media can wait for them; a page's images are not to.
  const unsure = !known && request.destination !== "image";
  if (known?.has(bare(request.url)) || unsure) event.respondWith(answer(request, clientId));
});

/** @param {string} clientId @returns {Set<string>} */
function marksOf(clientId) {
  const known = marks.get(clientId) ?? new Set();
  marks.delete(clientId);
  marks.set(clientId, known);
  for (const oldest of marks.keys()) {
    if (marks.size <= CLIENTS_MAX) break;
    marks.delete(oldest);
  }
  return known;
}

/** @param {Request} request @param {string} clientId @returns {Promise<Response>} */
async function answer(request, clientId) {
  try {
    const client = await scope.clients.get(clientId);
    if (client && (await isMarked(request.url, client))) {
      const response = await ask(client, request);
      if (response) return response;
    }
  } catch {
    // of ours
  }
  return fetch(request);
}

/** @param {string} url @param {Client} client */
async function isMarked(url, client) {
  if (!marks.has(client.id)) {
    const { port1, port2 } = new MessageChannel();
    const answered = nextMessage(port1, ACK_MS);
    client.postMessage({ peerpool: "marked" }, [port2]);
    const urls = await answered.catch(() => []); // a page without our script
    for (const one of urls) marksOf(client.id).add(one);
    marksOf(client.id);
  }
  return marks.get(client.id)?.has(bare(url));
}

/** @param {Client} client @param {Request} request @returns {Promise<Response | null>} null where the page has no answer */
async function ask(client, request) {
  const { port1, port2 } = new MessageChannel();
  const first = nextMessage(port1, ACK_MS);
  client.postMessage({ peerpool: "open", url: bare(request.url), range: request.headers.get("range") }, [port2]);
  /** @type {PageMessage} */
  const ack = await first;
  if (ack.type !== "wait") return null;
  /** @type {PageMessage} */
  const head = await nextMessage(port1, HEAD_MS).catch((error) => {
    port1.postMessage("cancel");
    throw error;
  });
  if (head.type !== "head") return null;
  const { status, statusText, headers } = head;
  return new Response(bodyFrom(port1, request, new Headers(headers)), { status, statusText, headers });
}

/**
 * What the page sends, a chunk for each that is wanted; if it stops, the rest from the network.
 * @param {MessagePort} port @param {Request} request @param {Headers} headers  of the answer
 */
function bodyFrom(port, request, headers) {
  let position = Number(/^bytes (\d+)/.exec(headers.get("content-range") ?? "")?.[1] ?? 0);
  const end = position + Number(headers.get("content-length"));
  /** @type {Promise<ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>> | null} */
  let network = null;
  let cancelled = false;
  /** @returns {Promise<Uint8Array<ArrayBuffer> | undefined>} undefined at the end */
  const next = async () => {
    if (!network) {
      const message = nextMessage(port, CHUNK_MS);
      port.postMessage("pull");
      /** @type {PageMessage | null} */
      const told = await message.catch(() => null);
      if (told?.type === "chunk") return told.bytes;
      if (told?.type === "end" || cancelled) return undefined;
      port.postMessage("cancel");
      network = rest(request, position, end, headers);
    }
    return (await (await network).read()).value;
  };
  return new ReadableStream(
    {
      async pull(controller) {
        const bytes = await next();
        if (cancelled) return;
        if (bytes) controller.enqueue(bytes);
        position += bytes?.length ?? 0;
        if (!bytes || position >= end) controller.close();
      },
      cancel() {
        cancelled = true;
        port.postMessage("cancel");
        network?.then((reader) => reader.cancel()).catch(() => {});
      },
    },
    { highWaterMark: 0 },
  );
}

/**
 * @param {Request} request @param {number} position @param {number} end @param {Headers} headers  of what was sent of it so far
 * @throws {TypeError} if what is there now is another file
 */
async function rest({ url }, position, end, headers) {
  const response = await fetch(url, { headers: { Range: `bytes=${position}-${end - 1}` }, cache: "no-store" });
  const etag = response.headers.get("etag");
  const isSame = etag === null || etag === headers.get("etag");
  if (response.status !== 206 || !response.body || !isSame) throw new TypeError("the rest of it cannot be had");
  return response.body.getReader();
}

/** @param {MessagePort} port @param {number} timeoutMs @returns {Promise<any>} rejected if none comes in time */
function nextMessage(port, timeoutMs) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error("no answer of the page")), timeoutMs);
    port.onmessage = ({ data }) => {
      clearTimeout(timer);
      resolve(data);
    };
  });
}

/** @param {string} url @returns {string} without its fragment */
function bare(url) {
  return url.replace(/#.*$/, "");
}
