/**
 * Elements of the page that are marked with `data-peerpool`: links are downloaded through the pool, the URLs of media and images told to the
 * service worker, which asks this page for them.
 */

/** @typedef {import("./file-share.js").FileShare} FileShare */
/** @typedef {import("./worker-link.js").WorkerLink} WorkerLink */

const MARKED = "[data-peerpool]";

export class Elements {
  /** @param {FileShare} share @param {typeof globalThis.fetch} fetch  the browser's own @param {WorkerLink} link */
  constructor(share, fetch, link) {
    this._share = share;
    this._fetch = fetch;
    this._link = link;
    /** Sources as they were last told. @type {WeakMap<Element, string>} */
    this._told = new WeakMap();
    document.addEventListener("click", (event) => this._clicked(event));
    const watch = new MutationObserver(() => this.look());
    watch.observe(document, { subtree: true, childList: true, attributeFilter: ["data-peerpool", "src"] });
    link.controlled = () => {
      this._told = new WeakMap();
      this.look();
    };
    this.look();
  }

  /** Tells the worker what is new. */
  look() {
    for (const element of document.querySelectorAll(MARKED)) {
      const url = sourceOf(element);
      if (!url || this._told.get(element) === url || !this._link.isControlled) continue;
      this._told.set(element, url);
      this._link.mark(url, contentOf(element)).then((known) => {
        if (known && sourceOf(element) === url) loadAgain(element);
      });
    }
  }

  /** @param {MouseEvent} event */
  _clicked(event) {
    const link = event.target instanceof Element ? event.target.closest(`a${MARKED}`) : null;
    if (!(link instanceof HTMLAnchorElement) || event.defaultPrevented) return;
    // Another tab, a window, a menu: the browser's.
    if (event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    if (!this._share.pool.active || !/^https?:/.test(link.href)) return;
    event.preventDefault();
    this._download(link).catch(() => location.assign(link.href));
  }

  /** @param {HTMLAnchorElement} link @throws {TypeError} if it cannot be had */
  async _download(link) {
    const { href } = link;
    const name = link.download || decodeURIComponent(new URL(href).pathname.split("/").pop() ?? "");
    const content = contentOf(link);
    const progress = (/** @type {import("./reading.js").FileProgress} */ detail) =>
      link.dispatchEvent(new CustomEvent("peerpool-progress", { detail, bubbles: true }));
    const options = { progress, ...(content ? { content } : {}) };
    const response = (await this._share.answer(new Request(href), options)) ?? (await this._fetch(href));
    if (!response.ok) throw new TypeError(`HTTP ${response.status}`);
    const url = URL.createObjectURL(await response.blob());
    const save = document.createElement("a");
    Object.assign(save, { href: url, download: name });
    save.click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000); // a browser that asks where to save it reads it later
  }
}

/** @param {Element} element @returns {string | undefined} its content's name, where the page gives it one */
const contentOf = (element) => element.getAttribute("data-content") || undefined;

/** @param {Element} element @returns {string} what it loads, absolute, or nothing */
function sourceOf(element) {
  if (element instanceof HTMLMediaElement) return element.currentSrc || element.src || element.querySelector("source")?.src || "";
  return element instanceof HTMLImageElement ? element.currentSrc || element.src : "";
}

/** What began to load before the worker knew of it begins anew, unless it is seen already. @param {Element} element */
function loadAgain(element) {
  if (element instanceof HTMLMediaElement && element.played.length === 0 && element.currentTime === 0) {
    const wasPlaying = !element.paused;
    element.load();
    if (wasPlaying) element.play().catch(() => {});
  } else if (element instanceof HTMLImageElement && !element.complete) {
    const { src } = element;
    element.src = src;
  }
}
