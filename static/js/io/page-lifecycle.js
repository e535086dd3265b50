/**
 * What browsers tell of their page and its device. None tells that memory is short: Compute Pressure is about the CPU, and
 * performance.measureUserAgentSpecificMemory measures only, on isolated pages only. What they do about it is to freeze and to
 * discard pages that are hidden, so that is what is listened to: https://developer.chrome.com/docs/web-platform/page-lifecycle-api
 */

/**
 * @typedef {object} PageEvents
 * @property {(hidden: boolean) => void} visibilityChanged
 * @property {() => void} suspended  nothing of the page will run for a while, or ever again; may be told twice
 * @property {() => void} resumed  also told of a page that was never suspended: when it is first shown
 */

/** @param {PageEvents} events */
export function watchPage({ visibilityChanged, suspended, resumed }) {
  const { document } = globalThis;
  if (!document) return; // rendered on a server
  document.addEventListener("visibilitychange", () => visibilityChanged(pageHidden()));
  // Chromium freezes hidden pages; all browsers keep pages for the way back, and of that Firefox and Safari tell only these.
  document.addEventListener("freeze", suspended);
  document.addEventListener("resume", resumed);
  addEventListener("pagehide", suspended);
  addEventListener("pageshow", resumed);
}

/** Whether nobody can see the page. */
export function pageHidden() {
  return globalThis.document?.visibilityState === "hidden";
}

/** @returns {number | undefined} GiB, a power of two; Chromium alone tells it, and on https only */
export function deviceMemoryGib() {
  return /** @type {{ deviceMemory?: number } | undefined} */ (globalThis.navigator)?.deviceMemory;
}
