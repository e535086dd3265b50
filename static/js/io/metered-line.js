/** What browsers tell of the line: Chromium alone tells it (https://wicg.github.io/netinfo). Elsewhere nothing is known against it. */

/** @typedef {EventTarget & { saveData?: boolean, type?: string }} Connection */

/** @returns {Connection | undefined} */
const connection = () => /** @type {{ connection?: Connection } | undefined} */ (globalThis.navigator)?.connection;

/** Whether the viewer asked to be spared data. */
export const savesData = () => connection()?.saveData === true;

/** Whether it is likely paid for by volume. */
export const cellular = () => connection()?.type === "cellular";

/** @param {() => void} changed */
export function watchLine(changed) {
  connection()?.addEventListener?.("change", changed);
}

/**
 * Another network, or one again: Chromium tells of both, other browsers of a network that is back only.
 * @param {() => void} changed
 */
export function watchNetwork(changed) {
  const line = connection();
  let type = line?.type;
  line?.addEventListener?.("change", () => {
    if (line.type === type) return; // its quality only
    type = line.type;
    changed();
  });
  globalThis.addEventListener?.("online", changed);
}
