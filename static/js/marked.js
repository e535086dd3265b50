/** Notices when the page has an element for the pool to load, which most pages have not. */

/** @param {() => void} found  called once, as soon as an element has `data-peerpool` */
export function whenMarked(found) {
  if (!globalThis.document?.querySelector) return; // no page
  const look = () => {
    if (!document.querySelector("[data-peerpool]")) return false;
    watch.disconnect();
    found();
    return true;
  };
  const watch = new MutationObserver(look);
  if (!look()) watch.observe(document, { subtree: true, childList: true, attributeFilter: ["data-peerpool"] });
}
