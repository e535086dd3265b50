/**
 * Scripts that only few pages need. A built file loads them from where it came from, exactly those that it was built with; in the npm
 * package they are parts that the page's own bundler finds, and that come from where it puts them.
 */

/** Known while the script runs first; a module has no `currentScript`, and a script no `import.meta`. */
const ownUrl = /** @type {HTMLScriptElement | null | undefined} */ (globalThis.document?.currentScript)?.src || import.meta.url;

/** @returns {Promise<typeof import("../notice.js")>} */
export const loadNotice = () =>
  PEERPOOL_IS_PACKAGE ? import("../notice.js") : load(PEERPOOL_NOTICE_FILE, PEERPOOL_NOTICE_INTEGRITY);

/** @returns {Promise<typeof import("../crypto.js")>} */
export const loadCrypto = () =>
  PEERPOOL_IS_PACKAGE ? import("../crypto.js") : load(PEERPOOL_CRYPTO_FILE, PEERPOOL_CRYPTO_INTEGRITY);

/** @returns {Promise<typeof import("../files.js")>} */
export const loadFiles = () => (PEERPOOL_IS_PACKAGE ? import("../files.js") : load(PEERPOOL_FILES_FILE, PEERPOOL_FILES_INTEGRITY));

/** @returns {Promise<typeof import("../dash.js")>} */
export const loadDash = () => (PEERPOOL_IS_PACKAGE ? import("../dash.js") : load(PEERPOOL_DASH_FILE, PEERPOOL_DASH_INTEGRITY));

/** @returns {Promise<typeof import("../debug.js")>} */
export const loadDebug = () => (PEERPOOL_IS_PACKAGE ? import("../debug.js") : load(PEERPOOL_DEBUG_FILE, PEERPOOL_DEBUG_INTEGRITY));

/**
 * A module preload has an integrity check, as `import` has not, and what is imported is what was preloaded. An element of the page
 * with a script's URL would be refused where Trusted Types are required.
 * @param {string} file @param {string} integrity
 * @throws {Error} if it cannot be had, or is not what it should be
 */
async function load(file, integrity) {
  const { href } = new URL(file, ownUrl);
  const link = document.createElement("link");
  Object.assign(link, { rel: "modulepreload", integrity, crossOrigin: "anonymous", href });
  if (link.relList.supports("modulepreload")) {
    await new Promise((resolve, reject) => {
      link.onload = resolve;
      link.onerror = () => reject(new Error(`PeerPool: ${href} is missing or has been changed`));
      document.head.append(link);
    });
  }
  return import(href);
}
