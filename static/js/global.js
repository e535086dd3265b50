/**
 * The script tag: `window.PeerPool`, the tracker known from the tag's own src, and every player the page makes from the
 * global `Hls` in the pool, whether hls.js is loaded before or after this.
 */

import * as PeerPool from "./index.js";

/** @typedef {import("./players/hlsjs-types.js").HlsClass} HlsClass */

const script = /** @type {HTMLScriptElement | null} */ (document.currentScript);
PeerPool.configure({
  ...(script?.src ? { tracker: new URL(script.src).origin } : {}),
  ...Object.fromEntries(
    ["tracker", "content", "consent", "site", "token", "worker"].flatMap((name) => {
      const value = script?.dataset[name];
      return value ? [[name, value]] : [];
    }),
  ),
});

PeerPool.elements();

/** @type {Window & { PeerPool?: typeof PeerPool, Hls?: HlsClass }} */
const page = window;
page.PeerPool = PeerPool;
hookGlobal("Hls", sharing);

/**
 * A class whose instances are attached as they are made.
 * @param {HlsClass} Hls
 * @returns {HlsClass}
 */
function sharing(Hls) {
  return class extends Hls {
    /** @param {any[]} args  whatever hls.js takes (TS2545 asks for this form) */
    constructor(...args) {
      super(...args);
      try {
        PeerPool.attach(this);
      } catch (error) {
        reportError(error); // another thing of that name, or an hls.js we do not know: it plays without us
      }
    }
  };
}

/**
 * Puts `wrap(value)` in the place of a global, now if it is there, else when it comes.
 * @param {"Hls"} name
 * @param {(value: HlsClass) => HlsClass} wrap
 */
function hookGlobal(name, wrap) {
  let value = page[name] && wrap(page[name]);
  Object.defineProperty(page, name, {
    configurable: true,
    enumerable: true,
    get: () => value,
    set: (assigned) => {
      // Only what looks like hls.js: a class with a static `isSupported`.
      value = typeof assigned === "function" && "isSupported" in assigned ? wrap(assigned) : assigned;
    },
  });
}
