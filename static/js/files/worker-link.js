/**
 * The page's side of the service worker: which URLs it may ask for, and the answers. A question comes with a port of its own, on which the
 * page says `wait`, then the head, then a chunk for each `pull`. docs/files.md has the table.
 */

/** @typedef {import("./file-share.js").FileShare} FileShare */

/** A worker that runs answers at once; one that is not ours never does. */
const ACK_MS = 2000;

export class WorkerLink {
  /** @param {FileShare} share @param {ServiceWorkerContainer | undefined} workers  undefined without a secure context */
  constructor(share, workers) {
    this._share = share;
    this._workers = workers;
    /** URL, without fragment, to the content's name where the page gave one. @type {Map<string, string | undefined>} */
    this._marked = new Map();
    /** Another worker controls the page now. */
    this.controlled = () => {};
    workers?.addEventListener("controllerchange", () => this.controlled());
    workers?.addEventListener("message", ({ data, ports: [port] }) => {
      if (data?.peerpool === "marked") port?.postMessage([...this._marked.keys()]);
      else if (data?.peerpool === "open" && port) this._opened(data, port);
    });
    workers?.startMessages();
  }

  get isControlled() {
    return Boolean(this._workers?.controller);
  }

  /**
   * Registers the site's worker, unless the site has another one at that scope.
   * @param {string} path
   */
  async register(path) {
    const url = new URL(path, location.href);
    const scope = new URL("./", url).href;
    const there = await this._workers?.getRegistration(scope);
    const script = there?.scope === scope ? (there.active ?? there.waiting ?? there.installing)?.scriptURL : undefined;
    if (script && script !== url.href) {
      // biome-ignore lint/suspicious/noConsole: for whoever set up the page
      console.warn(`PeerPool: ${scope} has the service worker ${script}; put importScripts("…/peerpool-sw.js") into that one`);
    } else await this._workers?.register(url.href);
  }

  /** @param {string} url @param {string} [content] @returns {Promise<boolean>} whether the worker knows now, and is ours */
  mark(url, content) {
    const bare = withoutFragment(url);
    this._marked.set(bare, content);
    const { port1, port2 } = new MessageChannel();
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), ACK_MS);
      port1.onmessage = () => {
        clearTimeout(timer);
        resolve(true);
      };
      this._workers?.controller?.postMessage({ peerpool: "mark", url: bare }, [port2]);
    });
  }

  /** @param {{ url: string, range: string | null }} asked @param {MessagePort} port */
  async _opened({ url, range }, port) {
    if (!this._marked.has(url) || !this._share.pool.active) {
      port.postMessage({ type: "no" });
      return;
    }
    port.postMessage({ type: "wait" });
    const stop = new AbortController();
    /** @type {import("./reading.js").ByteReader | null} */
    let reader = null;
    port.onmessage = ({ data }) => {
      if (data === "cancel") stop.abort();
      else if (data === "pull" && reader) sendChunk(reader, port);
    };
    try {
      const request = new Request(url, { headers: range ? { Range: range } : {}, signal: stop.signal });
      const content = this._marked.get(url);
      const response = await this._share.answer(request, { urgent: true, ...(content ? { content } : {}) });
      if (!response?.body || !response.ok) throw new TypeError("not shared");
      reader = response.body.getReader();
      const { status, statusText, headers } = response;
      port.postMessage({ type: "head", status, statusText, headers: [...headers] });
    } catch {
      stop.abort();
      port.postMessage({ type: "no" });
    }
  }
}

/** @param {import("./reading.js").ByteReader} reader @param {MessagePort} port */
async function sendChunk(reader, port) {
  try {
    const { done, value } = await reader.read();
    if (done) port.postMessage({ type: "end" });
    else port.postMessage({ type: "chunk", bytes: value });
  } catch {
    port.postMessage({ type: "no" });
  }
}

/** @param {string} url @returns {string} */
export const withoutFragment = (url) => url.replace(/#.*$/, "");
