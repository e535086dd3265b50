/**
 * The script tag: `window.PeerPool`, the tracker known from the tag's own src, and every player in the pool that the page makes from
 * the globals `Hls`, `dashjs`, `shaka` and `videojs`, whether their scripts are loaded before or after this.
 */

import * as PeerPool from "./index.js";
import { tagOptions } from "./options.js";
import { isShakaLibrary } from "./players/shaka.js";
import { isVideojsLibrary } from "./players/videojs.js";

const script = /** @type {HTMLScriptElement | null} */ (document.currentScript);
PeerPool.configure({
  ...(script?.src ? { tracker: new URL(script.src).origin } : {}),
  ...tagOptions(script?.dataset),
});

PeerPool.elements();

/** @type {Window & { PeerPool?: typeof PeerPool } & Record<string, any>} */
const page = /** @type {any} */ (window);
page.PeerPool = PeerPool;
if (script?.dataset.intercept !== "off") PeerPool.intercept();
hookGlobal("Hls", (Hls) => (typeof Hls === "function" && "isSupported" in Hls ? sharing(Hls) : Hls));
hookGlobal("shaka", (shaka) => (isShakaLibrary(shaka) ? Object.assign(shaka, { Player: sharing(shaka.Player) }) : shaka));
hookGlobal("videojs", (videojs) => {
  if (isVideojsLibrary(videojs)) videojs.hook("setup", attach);
  return videojs;
});
hookGlobal("dashjs", (dashjs) => {
  if (typeof dashjs?.MediaPlayer === "function") dashjs.MediaPlayer = making(dashjs.MediaPlayer);
  return dashjs; // it puts itself there twice, at first without anything in it
});

/** @param {any} player */
function attach(player) {
  try {
    PeerPool.attach(player);
  } catch (error) {
    reportError(error); // a version that we do not know: it plays without us
  }
}

/**
 * A class whose instances are attached as they are made.
 * @template {new (...args: any[]) => object} Class
 * @param {Class} Player
 * @returns {Class}
 */
function sharing(Player) {
  return class extends Player {
    /** @param {any[]} args  whatever the player takes (TS2545 asks for this form) */
    constructor(...args) {
      super(...args);
      attach(this);
    }
  };
}

/**
 * A factory of dash.js whose players are attached as they are made; what else is on it stays.
 * @param {(...args: any[]) => { create: (...args: any[]) => object }} MediaPlayer
 */
function making(MediaPlayer) {
  return new Proxy(MediaPlayer, {
    apply: (target, self, args) => {
      const factory = Reflect.apply(target, self, args);
      const create = (/** @type {any[]} */ ...given) => {
        const player = factory.create(...given);
        attach(player);
        return player;
      };
      return { ...factory, create };
    },
  });
}

/**
 * Has a player's script met as it puts itself into a global: now if it is there, else when it comes.
 * @param {string} name
 * @param {(value: any) => any} met  what stands there then; what does not look like that player is to stay as it is
 */
function hookGlobal(name, met) {
  const safely = (/** @type {any} */ value) => {
    try {
      return value && met(value);
    } catch (error) {
      reportError(error); // it cannot be changed: its players are the interceptor's
      return value;
    }
  };
  let value = safely(page[name]);
  const declared = Object.getOwnPropertyDescriptor(page, name);
  // Declared by `var` it is there to stay.
  if (declared?.configurable === false) {
    if (declared.writable) page[name] = value;
    return;
  }
  Object.defineProperty(page, name, {
    configurable: true,
    enumerable: true,
    get: () => value,
    set: (assigned) => {
      value = safely(assigned);
    },
  });
}
