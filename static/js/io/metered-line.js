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
