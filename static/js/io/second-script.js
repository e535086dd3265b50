/** Scripts that only few pages need, from where this one came from; exactly those that it was built with. */

/** Known while the script runs first; a module has no `currentScript`, and a script no `import.meta`. */
const ownUrl = /** @type {HTMLScriptElement | null | undefined} */ (globalThis.document?.currentScript)?.src || import.meta.url;

/** @typedef {typeof import("../notice.js")} Notice */

/**
 * A module preload has an integrity check, as `import` has not, and what is imported is what was preloaded. An element of the page
 * with a script's URL would be refused where Trusted Types are required.
 * @returns {Promise<Notice>}
 * @throws {Error} if it cannot be had, or is not what it should be
 */
export async function loadNotice() {
  const { href } = new URL(PEERPOOL_NOTICE_FILE, ownUrl);
  const link = document.createElement("link");
  Object.assign(link, { rel: "modulepreload", integrity: PEERPOOL_NOTICE_INTEGRITY, crossOrigin: "anonymous", href });
  if (link.relList.supports("modulepreload")) {
    await new Promise((resolve, reject) => {
      link.onload = resolve;
      link.onerror = () => reject(new Error(`PeerPool: ${href} is missing or has been changed`));
      document.head.append(link);
    });
  }
  return import(href);
}
