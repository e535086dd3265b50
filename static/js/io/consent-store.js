/**
 * The viewer's answer, kept in localStorage of the page's origin under CONSENT_KEY: "granted" or "denied". No cookie: it is sent
 * nowhere. Where storage is denied it is kept for as long as the page is.
 */

export const CONSENT_KEY = "peerpool.consent";

/** @typedef {"granted" | "denied" | "unasked"} Consent */

export class ConsentStore {
  /** @param {() => void} changed  another page of this origin may have another answer */
  constructor(changed) {
    /** @type {Consent} */
    this._answer = "unasked";
    globalThis.addEventListener?.("storage", ({ key }) => {
      if (key === CONSENT_KEY || key === null) changed();
    });
  }

  /** @returns {Consent} looked up each time: a page may have been frozen while another was asked */
  get state() {
    const stored = attempt(() => localStorage.getItem(CONSENT_KEY));
    return stored === "granted" || stored === "denied" ? stored : this._answer;
  }

  /** @param {boolean} granted */
  answer(granted) {
    this._answer = granted ? "granted" : "denied";
    // Where nothing can be written any more, at least the answer before it is not to stand.
    if (!attempt(() => localStorage.setItem(CONSENT_KEY, this._answer) ?? true))
      attempt(() => localStorage.removeItem(CONSENT_KEY));
  }
}

/** @template T @param {() => T} work @returns {T | undefined} undefined where storage is denied or full */
function attempt(work) {
  try {
    return work();
  } catch {
    return undefined;
  }
}
