/** `fetch` as the page sees it: the browser's own, but for the segments that the interceptor knows. */

import { answerHeaders, isSameOrigin, looksLikeManifest, parseRange } from "../core/http-answers.js";

/** @typedef {import("./interceptor.js").Interceptor} Interceptor */
/** @typedef {import("../core/http-answers.js").Range} Range */

/**
 * @param {typeof fetch} native @param {Interceptor} interceptor
 * @returns {typeof fetch}
 */
export function interceptedFetch(native, interceptor) {
  /** @param {Parameters<typeof fetch>} args */
  const wrapper = (...args) => {
    const [input, init] = args;
    const plain = () => native.apply(globalThis, args); // none at all is an error of its own
    const asked = askedFor(input, init);
    if (!asked || !interceptor.interested(asked.url)) return plain();
    if (interceptor.knows(asked.url, asked.range)) {
      const request = eligible(input, init);
      const answer = request && new Answer(interceptor, request, asked.url, asked.range, plain).promise;
      if (answer) return answer;
    }
    // Derived, so that a rejection nobody handles is reported as it would be.
    return plain().then((response) => {
      readAlong(response, asked.url, interceptor);
      return response;
    });
  };
  return Object.defineProperties(wrapper, { name: { value: "fetch" }, length: { value: native.length } });
}

/**
 * Without changing what is asked with: a Request could be read only once.
 * @param {RequestInfo | URL} input @param {RequestInit | undefined} init
 * @returns {{ url: string, range: Range } | null} null for what is no plain GET
 */
function askedFor(input, init) {
  try {
    const request = input instanceof Request ? input : null;
    if (/** @type {string} */ (init?.method ?? request?.method ?? "GET").toUpperCase() !== "GET" || init?.body) return null;
    const url = new URL(request ? request.url : String(input), document.baseURI);
    const headers = init?.headers ? new Headers(init.headers) : request?.headers;
    const range = parseRange(headers?.get("range") ?? null);
    return range && /^https?:$/.test(url.protocol) && !url.username ? { url: withoutHash(url.href), range } : null;
  } catch {
    return null; // the browser says what is wrong
  }
}

/**
 * @param {RequestInfo | URL} input @param {RequestInit | undefined} init
 * @returns {Request | null} null for what our answer could not be as good for
 */
function eligible(input, init) {
  const request = requestOf(input, init);
  if (!request) return null;
  const { cache, credentials, integrity, keepalive, mode, redirect, referrer, referrerPolicy, signal } = request;
  const fits =
    mode === "cors" &&
    cache === "default" &&
    redirect === "follow" &&
    !integrity &&
    !keepalive &&
    !signal.aborted &&
    (referrer === "about:client" || referrer === "") &&
    referrerPolicy === "" &&
    (isSameOrigin(request.url, location) ? credentials !== "omit" : credentials !== "include") &&
    [...request.headers.keys()].every((name) => name === "range" || name === "accept");
  return fits ? request : null;
}

/** @param {RequestInfo | URL} input @param {RequestInit | undefined} init @returns {Request | null} null for what the browser refuses */
function requestOf(input, init) {
  try {
    return new Request(input, init);
  } catch {
    return null;
  }
}

/** One answer from the pool. It is given when the first bytes have come, as from a server, and its body when all have. */
class Answer {
  /** @param {Interceptor} interceptor @param {Request} request @param {string} url @param {Range} range @param {() => Promise<Response>} plain */
  constructor(interceptor, request, url, range, plain) {
    this._url = url;
    this._range = range;
    this._signal = request.signal;
    this._plain = plain;
    /** Of the body; once the answer was given. @type {ReadableStreamDefaultController<Uint8Array> | null} */
    this._body = null;
    this._sizeBytes = 0;
    /** @type {(response: Response | Promise<Response>) => void} */
    this._resolve = () => {};
    /** @type {(reason: unknown) => void} */
    this._reject = () => {};
    this._aborted = () => {
      if (!this._request?.cancel()) return;
      this._body ? this._body.error(this._signal.reason) : this._reject(this._signal.reason);
    };
    this._request = interceptor.request(url, range, {
      progressed: ({ sizeBytes }) => {
        if (sizeBytes && !this._body) this._head(sizeBytes);
      },
      delivered: (bytes) => {
        this._ended();
        if (!this._body) this._head(bytes.byteLength);
        if (bytes.byteLength > 0) this._body?.enqueue(new Uint8Array(bytes));
        this._body?.close();
      },
      // What the server says, with its headers and body, is for the server to say.
      failed: () => this._hand(),
      refused: () => this._hand(),
    });
    /** @type {Promise<Response> | null} null where the pool does not do it */
    this.promise = null;
    if (!this._request) return;
    this.promise = new Promise((resolve, reject) => {
      this._resolve = resolve;
      this._reject = reject;
    });
    this._signal.addEventListener("abort", this._aborted);
  }

  _ended() {
    this._signal.removeEventListener("abort", this._aborted);
  }

  /** @param {number} sizeBytes */
  _head(sizeBytes) {
    this._sizeBytes = sizeBytes;
    const body = new ReadableStream({
      start: (controller) => {
        this._body = controller;
      },
      cancel: () => {
        this._ended();
        this._request?.cancel();
      },
    });
    const partial = this._range.rangeStart !== null;
    const response = new Response(body, {
      status: partial ? 206 : 200,
      statusText: partial ? "Partial Content" : "OK",
      headers: answerHeaders(this._url, this._range, sizeBytes, isSameOrigin(this._url, location)),
    });
    this._resolve(dressed(response, this._url, this._signal));
  }

  /** The browser does it after all; what was given of the answer stands. */
  _hand() {
    this._ended();
    const body = this._body;
    if (!body) return this._resolve(this._plain());
    this._plain()
      .then((response) => this._continue(response, body))
      .catch((error) => body.error(this._signal.aborted ? this._signal.reason : error));
  }

  /** @param {Response} response @param {ReadableStreamDefaultController<Uint8Array>} body */
  async _continue(response, body) {
    const length = Number(response.headers.get("content-length") ?? this._sizeBytes);
    if (!response.ok || !response.body || length !== this._sizeBytes) throw new TypeError("network error");
    const reader = response.body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return body.close();
      body.enqueue(value);
    }
  }
}

const READERS = /** @type {const} */ (["arrayBuffer", "blob", "bytes", "formData", "json", "text"]);

/** What a Response made by a script lacks. @param {Response} response @param {string} url @param {AbortSignal} signal @returns {Response} */
function dressed(response, url, signal) {
  const type = isSameOrigin(url, location) ? "basic" : "cors";
  // Chromium has a body that failed for whatever reason fail as the network does: TypeError.
  const readers = READERS.filter((name) => name in response).map((name) => {
    /** @type {() => Promise<unknown>} */
    const read = response[name];
    const failed = (/** @type {unknown} */ error) => {
      throw signal.aborted ? signal.reason : error;
    };
    return [name, () => read.call(response).catch(failed)];
  });
  const clone = () => dressed(Response.prototype.clone.call(response), url, signal);
  return own(response, { url, type, clone, ...Object.fromEntries(readers) });
}

/**
 * Whatever the page reads of it, we read too, and before: no copy is made of what is no manifest, and none waits.
 * @param {Response} response @param {string} url  as it was asked for @param {Interceptor} interceptor
 */
function readAlong(response, url, interceptor) {
  const likely = response.ok && looksLikeManifest(url, response.headers.get("content-type"));
  if (likely === false || response.type === "opaque") return;
  const { text, arrayBuffer, clone } = response;
  /** @param {unknown} read */
  const seen = (read) => {
    interceptor.read(url, response.url, read);
    return read;
  };
  own(response, {
    text: () => text.call(response).then(seen),
    arrayBuffer: () => arrayBuffer.call(response).then(seen),
    clone: () => {
      const copy = clone.call(response);
      readAlong(copy, url, interceptor);
      return copy;
    },
  });
  if (likely)
    alongStream(response, () =>
      clone
        .call(response)
        .text()
        .then(seen, () => {}),
    );
}

/** What is read as a stream or a blob is read from a copy; of a manifest only. @param {Response} response @param {() => void} readCopy */
function alongStream(response, readCopy) {
  const { blob } = response;
  const stream = /** @type {PropertyDescriptor} */ (Object.getOwnPropertyDescriptor(Response.prototype, "body"));
  let copied = false;
  const copy = () => {
    if (!copied && !response.bodyUsed) readCopy();
    copied = true;
  };
  own(response, {
    blob: () => {
      copy();
      return blob.call(response);
    },
  });
  Object.defineProperty(response, "body", {
    configurable: true,
    get: () => {
      copy();
      return stream.get?.call(response);
    },
  });
}

/** @param {Response} response @param {Record<string, unknown>} members @returns {Response} with these in place of its class's */
function own(response, members) {
  for (const [name, value] of Object.entries(members))
    Object.defineProperty(response, name, { configurable: true, writable: true, value });
  return response;
}

/** @param {string} href */
const withoutHash = (href) => /** @type {string} */ (href.split("#", 1)[0]);
