/** One `XMLHttpRequest` that the pool answers: its state, answer and events, in the standard's order (https://xhr.spec.whatwg.org). */

import { answerHeaders, isSameOrigin } from "../core/http-answers.js";
import { now } from "../io/alarm.js";

/** @typedef {import("./interceptor.js").Interceptor} Interceptor */
/** @typedef {import("../core/http-answers.js").Range} Range */

/** The standard's: progress is told at most this often. */
const PROGRESS_MS = 50;
/** The standard's states. */
export const [UNSENT, OPENED, HEADERS, LOADING, DONE] = /** @type {const} */ ([0, 1, 2, 3, 4]);

export class Exchange {
  /** @param {XMLHttpRequest} xhr @param {string} url @param {Range} range @param {(told: number, leftMs: number) => void} send  by the browser */
  constructor(xhr, url, range, send) {
    this._xhr = xhr;
    this.url = url;
    this._range = range;
    this._send = send;
    /** @type {0 | 1 | 2 | 3 | 4} */
    this.state = OPENED;
    this.status = 0;
    /** @type {[string, string][]} */
    this.headers = [];
    /** @type {ArrayBuffer | Blob | null} */
    this.response = null;
    this._loaded = 0;
    this._total = 0;
    this._startMs = now();
    this._toldMs = 0;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this._timer = undefined;
    /** @type {import("./session.js").SessionRequest | null} */
    this._request = null;
  }

  /** @param {Pick<Interceptor, "request">} interceptor @param {{ exchange: Exchange | null }} call  this is its from here on @returns {boolean} false where the pool does not do it */
  begin(interceptor, call) {
    this._request = interceptor.request(this.url, this._range, {
      progressed: ({ loadedBytes, sizeBytes }) => sizeBytes && this._progressed(loadedBytes, sizeBytes),
      delivered: (bytes) => this._delivered(bytes),
      // What the server says, with its headers and body, is for the server to say.
      failed: () => this.hand(),
      refused: () => this.hand(),
    });
    if (!this._request) return false;
    call.exchange = this;
    this.limit();
    this._tell("loadstart");
    return true;
  }

  /** The page has set how long it may take, from when it was sent. */
  limit() {
    clearTimeout(this._timer);
    const { timeout } = this._xhr;
    if (timeout > 0 && this._runs()) this._timer = setTimeout(() => this._fail("timeout"), this._startMs + timeout - now());
  }

  /** The browser does it after all. */
  hand() {
    const { state } = this;
    this.stop();
    const { timeout } = this._xhr;
    this._send(state, timeout > 0 ? Math.max(1, Math.ceil(this._startMs + timeout - now())) : 0);
  }

  /** Without a word. */
  stop() {
    clearTimeout(this._timer);
    this._request?.cancel();
    this._request = null;
  }

  abort() {
    if (this._runs()) this._fail("abort");
    if (this.state === DONE) {
      this.state = UNSENT;
      this._forget();
    }
  }

  _runs() {
    return this._request !== null;
  }

  /** The standard's "request error steps". @param {"abort" | "timeout"} event */
  _fail(event) {
    this.stop();
    this._forget();
    this._enter(DONE) && this._tell(event) && this._tell("loadend");
  }

  /** A network error has no status, headers or body. */
  _forget() {
    this.status = this._loaded = this._total = 0;
    this.headers = [];
    this.response = null;
  }

  /** @param {number} sizeBytes @returns {boolean} whether it is still wanted */
  _head(sizeBytes) {
    if (this.state >= HEADERS) return true;
    this._total = sizeBytes;
    this.status = this._range.rangeStart === null ? 200 : 206;
    this.headers = answerHeaders(this.url, this._range, sizeBytes, isSameOrigin(this.url, location));
    return this._enter(HEADERS);
  }

  /** @param {number} loadedBytes @param {number} sizeBytes */
  _progressed(loadedBytes, sizeBytes) {
    if (!this._head(sizeBytes) || loadedBytes === 0 || loadedBytes === sizeBytes || now() - this._toldMs < PROGRESS_MS) return;
    this._toldMs = now();
    this._loaded = loadedBytes;
    this._enter(LOADING) && this._tell("progress");
  }

  /** @param {ArrayBuffer} bytes */
  _delivered(bytes) {
    // No longer to be cancelled, and not yet told: what the page does meanwhile counts.
    if (!this._head(bytes.byteLength)) return;
    this._loaded = this._total = bytes.byteLength;
    if (!this._enter(LOADING) || !this._tell("progress")) return;
    this.stop();
    const type = this.headers.find(([name]) => name === "content-type")?.[1] ?? "";
    this.response = this._xhr.responseType === "blob" ? new Blob([bytes], { type }) : bytes;
    this._enter(DONE) && this._tell("load") && this._tell("loadend");
  }

  /** @param {0 | 1 | 2 | 3 | 4} state @returns {boolean} as `_tell` */
  _enter(state) {
    this.state = state;
    this._xhr.dispatchEvent(new Event("readystatechange"));
    return this.state === state && this._current();
  }

  /** @param {string} event @returns {boolean} whether the page has done nothing meanwhile that ends it */
  _tell(event) {
    const { state, _loaded: loaded, _total: total } = this;
    this._xhr.dispatchEvent(new ProgressEvent(event, { lengthComputable: total > 0, loaded, total }));
    return this.state === state && this._current();
  }

  /** Whether it is still what the object stands for: opened again, another one is. */
  _current() {
    return this._xhr.readyState === this.state;
  }
}
