/** The reader of DASH manifests, loaded when the first of them is asked for. */

import { loadDash } from "../io/second-script.js";

/** @typedef {import("../core/manifests.js").MpdReader} MpdReader */

/** @type {Promise<void> | null} */
let loading = null;

/** Null until it is there. @type {MpdReader | null} */
export let mpdReader = null;

/** Says once what kept it from loading: DASH then plays without us. @returns {Promise<void>} when it is there, or will not be */
export function loadMpdReader() {
  loading ??= loadDash().then(({ readMpd }) => {
    mpdReader = readMpd;
  }, reportError);
  return loading;
}
