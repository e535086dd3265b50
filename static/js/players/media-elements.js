/** Which media elements of a page play what a script gives them, by Media Source Extensions. */

/**
 * @param {Document | ShadowRoot} [root]
 * @returns {HTMLMediaElement[]} those of the page, open shadow trees included. An element in no document is not found
 */
export function scriptedMedia(root = document) {
  const found = [.../** @type {NodeListOf<HTMLMediaElement>} */ (root.querySelectorAll("video,audio"))].filter(isScripted);
  for (const { shadowRoot } of root.querySelectorAll("*")) if (shadowRoot) found.push(...scriptedMedia(shadowRoot));
  return found;
}

/** Whether its source is one that a script fills. @param {HTMLMediaElement} media */
export function isScripted({ currentSrc, src, srcObject }) {
  const fromCamera = typeof MediaStream === "function" && srcObject instanceof MediaStream;
  return srcObject ? !fromCamera : (currentSrc || src).startsWith("blob:");
}
