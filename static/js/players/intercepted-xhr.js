/**
 * `XMLHttpRequest` as the page sees it: a subclass, so that every request that is not ours is the browser's own object at work. For a
 * segment of ours that object stays opened and unsent, and state, answer and events are served here, in the standard's order
 * (https://xhr.spec.whatwg.org). Only binary answers are: text and documents depend on headers that peers do not tell.
 */

import { isSameOrigin, looksLikeManifest, parseRange } from "../core/http-answers.js";
import { DONE, Exchange, HEADERS, LOADING, OPENED, UNSENT } from "./xhr-exchange.js";

/** @typedef {import("./interceptor.js").Interceptor} Interceptor */
/** @typedef {import("../core/http-answers.js").Range} Range */

/** What stands behind requests: the page interceptor, or a player's adapter. @typedef {Pick<Interceptor, "interested" | "read" | "knows" | "request">} Answerer */

/**
 * What a page has opened. Kept beside the object, on which pages and other libraries keep things of their own.
 * @typedef {object} Call
 * @property {string} url  absolute; empty for what is never ours
 * @property {Map<string, string>} headers  that the page has set
 * @property {boolean} retyped  overrideMimeType was called
 * @property {Exchange | null} exchange  ours
 * @property {number} told  the state that the page was told of before the browser took it over
 * @property {number} timeout  that the page had set by then, in milliseconds @property {number} shortenedMs  what was left of it; 0 for none
 */

/**
 * @param {typeof XMLHttpRequest} Native @param {Answerer} interceptor
 * @returns {typeof XMLHttpRequest}
 */
export function interceptedXhr(Native, interceptor) {
  /** @type {WeakMap<XMLHttpRequest, Call>} */
  const calls = new WeakMap();
  /** @param {XMLHttpRequest} xhr */
  const exchangeOf = (xhr) => calls.get(xhr)?.exchange ?? null;

  class Intercepted extends Native {
    constructor() {
      super();
      // The first listener: what it reads has been read before the page acts on it.
      this.addEventListener("readystatechange", (event) => {
        const call = calls.get(this);
        if (!call || exchangeOf(this)) return;
        if (event.isTrusted && this.readyState === HEADERS && call.told >= HEADERS) event.stopImmediatePropagation();
        if (this.readyState !== DONE) return;
        if (call.shortenedMs && super.timeout === call.shortenedMs) super.timeout = call.timeout;
        if (call.url) readAlong(this, call.url, interceptor);
      });
      this.addEventListener("loadstart", (event) => {
        if (event.isTrusted && (calls.get(this)?.told ?? 0) > 0) event.stopImmediatePropagation();
      });
    }

    /** @override @param {string} method @param {string | URL} url @param {[boolean?, (string | null)?, (string | null)?]} rest */
    open(method, url, ...rest) {
      const before = exchangeOf(this);
      super.open(method, url, .../** @type {[boolean]} */ (rest)); // throws for what cannot be opened, and nothing has changed
      const [async = true, user] = rest;
      before?.stop();
      const ours = String(method).toUpperCase() === "GET" && async && !user;
      calls.set(this, {
        url: ours ? absolute(url) : "",
        headers: new Map(),
        retyped: false,
        exchange: null,
        told: 0,
        timeout: 0,
        shortenedMs: 0,
      });
      // For the browser it was opened all the time.
      if (before && before.state !== OPENED) this.dispatchEvent(new Event("readystatechange"));
    }

    /** @override @param {string} name @param {string} value */
    setRequestHeader(name, value) {
      if (exchangeOf(this)) throw invalidState("setRequestHeader", "must be opened and not sent");
      super.setRequestHeader(name, value);
      calls.get(this)?.headers.set(String(name).toLowerCase(), String(value));
    }

    /** @override @param {string} type */
    overrideMimeType(type) {
      const exchange = exchangeOf(this);
      if (exchange && exchange.state >= LOADING) throw invalidState("overrideMimeType", "must not be loading or done");
      super.overrideMimeType(type);
      const call = calls.get(this);
      if (call) call.retyped = true;
    }

    /** @override @param {Document | XMLHttpRequestBodyInit | null} [body] */
    send(body = null) {
      const call = calls.get(this);
      if (call?.exchange) throw invalidState("send", "must be opened and not sent");
      if (call?.url && body === null) {
        const range = rangeOf(this, call);
        if (range && interceptor.knows(call.url, range)) {
          const exchange = new Exchange(this, call.url, range, (told, leftMs) => {
            Object.assign(call, { exchange: null, told, timeout: super.timeout, shortenedMs: leftMs });
            if (leftMs) super.timeout = leftMs;
            super.send();
          });
          if (exchange.begin(interceptor, call)) return;
        }
      }
      super.send(body);
    }

    /** @override */
    abort() {
      const exchange = exchangeOf(this);
      exchange ? exchange.abort() : super.abort();
    }

    /** @override @param {string} name */
    getResponseHeader(name) {
      const exchange = exchangeOf(this);
      if (!exchange) return super.getResponseHeader(name);
      return exchange.headers.find(([known]) => known === String(name).toLowerCase())?.[1] ?? null;
    }

    /** @override */
    getAllResponseHeaders() {
      const exchange = exchangeOf(this);
      return exchange ? exchange.headers.map(([name, value]) => `${name}: ${value}\r\n`).join("") : super.getAllResponseHeaders();
    }
  }

  /** @typedef {Partial<Record<keyof XMLHttpRequest, (exchange: Exchange) => unknown>>} Getters */
  /** @type {Getters} */
  const answered = {
    readyState: ({ state }) => state,
    status: ({ status }) => status,
    statusText: ({ status }) => ({ 200: "OK", 206: "Partial Content" })[status] ?? "",
    responseURL: ({ status, url }) => (status ? url : ""),
    response: (exchange) => exchange.response,
  };
  /** What may be set, and what that means for a request of ours. @type {Record<string, (exchange: Exchange, xhr: XMLHttpRequest) => void>} */
  const changed = {
    timeout: (exchange) => exchange.limit(),
    responseType: (exchange, { responseType }) => {
      if (!isBinary(responseType)) exchange.hand();
    },
    withCredentials: () => {},
  };
  /** @type {Record<string, (exchange: Exchange) => boolean>} */
  const forbidden = {
    responseType: ({ state }) => state >= LOADING,
    withCredentials: ({ state }) => state !== UNSENT,
  };
  for (const name of [...Object.keys(answered), ...Object.keys(changed)]) {
    const get = answered[/** @type {keyof Getters} */ (name)];
    const set = changed[name];
    Object.defineProperty(Intercepted.prototype, name, {
      configurable: true,
      enumerable: true,
      /** @this {XMLHttpRequest} */
      get() {
        const exchange = get && exchangeOf(this);
        return exchange ? get(exchange) : Reflect.get(Native.prototype, name, this);
      },
      ...(set && {
        /** @this {XMLHttpRequest} @param {unknown} value */
        set(value) {
          const exchange = exchangeOf(this);
          if (exchange && forbidden[name]?.(exchange)) throw invalidState(name, "cannot be set now");
          Reflect.set(Native.prototype, name, value, this);
          if (exchange) set(exchange, this);
        },
      }),
    });
  }
  Object.defineProperty(Intercepted, "name", { configurable: true, value: Native.name });
  return Intercepted;
}

/**
 * Whether the pool can answer as well as the server, and what to ask it for.
 * @param {XMLHttpRequest} xhr @param {Call} call @returns {Range | null}
 */
function rangeOf({ responseType, withCredentials }, { url, headers, retyped }) {
  if (!isBinary(responseType) || retyped) return null;
  if (withCredentials && !isSameOrigin(url, location)) return null;
  for (const name of headers.keys()) if (name !== "range" && name !== "accept") return null;
  return parseRange(headers.get("range") ?? null);
}

/** @param {XMLHttpRequestResponseType} type */
const isBinary = (type) => type === "arraybuffer" || type === "blob";

/** @param {XMLHttpRequest} xhr  done @param {string} url @param {Answerer} interceptor */
function readAlong(xhr, url, interceptor) {
  const { responseType, status } = xhr;
  if (status !== 200 || !interceptor.interested(url)) return;
  const likely = looksLikeManifest(url, xhr.getResponseHeader("content-type"));
  if (likely === false) return;
  // Only what is there: a document is not written out again, and a blob cannot be read in time.
  const body = responseType === "" || responseType === "text" ? xhr.responseText : responseType === "arraybuffer" && xhr.response;
  interceptor.read(url, xhr.responseURL, body);
}

/** @param {string | URL} url @returns {string} without fragment; empty for what is not HTTP */
function absolute(url) {
  const { href, protocol, username } = new URL(url, document.baseURI);
  return /^https?:$/.test(protocol) && !username ? /** @type {string} */ (href.split("#", 1)[0]) : "";
}

/** @param {string} member @param {string} reason */
function invalidState(member, reason) {
  return new DOMException(`Failed to execute '${member}' on 'XMLHttpRequest': The object's state ${reason}.`, "InvalidStateError");
}
