/** Notices when the page has an element for the pool to load, which most pages have not. */

const MARKED = "[data-peerpool]";

/** @param {() => void} found  called once, as soon as an element has `data-peerpool` */
export function whenMarked(found) {
  if (!globalThis.document?.querySelector) return; // no page
  if (document.querySelector(MARKED)) {
    found();
    return;
  }
  // What changed is looked at, and not the page: a busy one changes all the time.
  const watch = new MutationObserver((changes) => {
    if (!changes.some(({ target, addedNodes }) => isMarked(target) || [...addedNodes].some(holdsMarked))) return;
    watch.disconnect();
    found();
  });
  watch.observe(document, { subtree: true, childList: true, attributeFilter: ["data-peerpool"] });
}

/** @param {Node} node */
const isMarked = (node) => node instanceof Element && node.matches(MARKED);

/** @param {Node} node */
const holdsMarked = (node) => isMarked(node) || (node instanceof Element && node.querySelector(MARKED) !== null);
