/**
 * The options of a page: at most fifteen, all of them here. docs/options.md is generated from this file by `peerpool options --write`:
 * reasons from the properties below, which are not shipped, and the rest from the rules.
 */

import { defaultStoreBytes } from "./core/allowance.js";
import { MAX_SITE_CHARS, MAX_TOKEN_CHARS } from "./core/constants.js";

/** Makes a token for one join; null joins without. @typedef {() => string | null | Promise<string | null>} TokenSource */

/**
 * @typedef {object} Options
 * @property {string} tracker  without one nothing is shared. The script tag's is where the script came from. Its path is ignored: the socket is `/signal` of that host
 * @property {boolean} enabled  `false`: all comes from the CDN, and no connection of ours is ever made
 * @property {string | null} content  names the content where the first manifest's host and path would not do: several CDNs, tokens in the path
 * @property {number} cacheBytes  held for neighbours and for playing again: half a minute of 16 Mbit/s. 32 MiB where the browser says that the device has 4 GiB, 16 of 2
 * @property {number} uploadLimitBps  cap of what is sent to neighbours: several viewers at a common bitrate, and a home uplink's own limit is usually below. 0 sends nothing, `Infinity` is no limit
 * @property {number} uploadRatioMax  most bytes sent for each received, once the first 16 MiB are sent: above what a swarm asks of anybody for long, and nobody carries a crowd. `Infinity` is no limit
 * @property {number} neighbours  enough sources that one leaving is not felt, few enough that each is worth its cost
 * @property {"implied" | "required"} consent  `"required"`: nothing is shared, and no connection of ours made, before `PeerPool.consent(true)`. A page that has asked in its own way need not ask again. A no is remembered either way (docs/privacy.md)
 * @property {boolean} uploadOnCellular  sending over a phone's line costs its owner money, more often than not. Browsers that do not say what the line is are taken not to be on one
 * @property {"all" | "public" | "relay"} addresses  what neighbours may learn of the viewer's addresses: who is in one network finds the other there. `"public"`: none of the viewer's own network; `"relay"`: none but that of a TURN server in `ice_servers`
 * @property {"auto" | "off"} intercept  `"auto"`: what a player loads by fetch or XMLHttpRequest is shared too where no adapter knows the player, so that a page with one tag need not know how its player was built
 * @property {number} fileCacheBytes  most bytes of files kept on this device's disk, for the next visit. 0 keeps none: a disk is the viewer's, and the page has to want it
 * @property {string | null} worker  path of the site's file that imports peerpool-sw.js (docs/files.md). `null` registers none: a page's requests are nobody's until it says so
 * @property {string | null} site  public id at a tracker that admits by site (docs/sites.md)
 * @property {string | TokenSource | null} token  for such a tracker. A function is called before each join
 */

/**
 * @template Value
 * @typedef {object} Rule
 * @property {Value} initial  the default
 * @property {string} kinds  what a value is, with its unit and range: the end of the sentence "PeerPool: neighbours is ..."
 * @property {(value: any, pageUrl?: string) => boolean} fits
 * @property {boolean} [onTag]  whether the script tag may have it as an attribute, `data-` and its name
 */

/** @param {...string} words @returns {Pick<Rule<any>, "kinds" | "fits">} */
const oneOf = (...words) => ({ kinds: words.map((word) => `"${word}"`).join(" or "), fits: (value) => words.includes(value) });
const flag = { kinds: "true or false", fits: (/** @type {unknown} */ value) => typeof value === "boolean" };
/** @param {string} unit */
const amount = (unit) => ({
  kinds: `a number${unit}, 0 or more`,
  fits: (/** @type {unknown} */ value) => typeof value === "number" && value >= 0,
});
/** @param {string} what @param {RegExp} [pattern] */
const textOrNull = (what, pattern = /[\s\S]/) => ({
  kinds: `${what}, or null`,
  fits: (/** @type {unknown} */ value) => value === null || (typeof value === "string" && pattern.test(value)),
});

/** @type {{ [Name in keyof Options]: Rule<Options[Name]> }} */
export const RULES = {
  tracker: { initial: "", kinds: "a URL such as https://tracker.example", fits: isTracker, onTag: true },
  enabled: { initial: true, ...flag },
  content: { initial: null, ...textOrNull("a name"), onTag: true },
  cacheBytes: { initial: defaultStoreBytes(), ...amount(" of bytes") },
  uploadLimitBps: { initial: 20e6, ...amount(" of bits a second") },
  uploadRatioMax: { initial: 8, ...amount("") },
  neighbours: {
    initial: 8,
    kinds: "a whole number, 1 to 16",
    fits: (value) => Number.isInteger(value) && value >= 1 && value <= 16,
  },
  consent: { initial: "implied", ...oneOf("implied", "required"), onTag: true },
  uploadOnCellular: { initial: false, ...flag },
  addresses: { initial: "all", ...oneOf("all", "public", "relay") },
  intercept: { initial: "auto", ...oneOf("auto", "off"), onTag: true },
  fileCacheBytes: { initial: 0, ...amount(" of bytes") },
  worker: { initial: null, ...textOrNull("the path of a file of this site"), onTag: true },
  site: {
    initial: null,
    ...textOrNull(`at most ${MAX_SITE_CHARS} letters, digits, _ and -`, new RegExp(`^[\\w-]{1,${MAX_SITE_CHARS}}$`)),
    onTag: true,
  },
  token: {
    initial: null,
    kinds: `a function that gives one, at most ${MAX_TOKEN_CHARS} characters, or null`,
    fits: (value) =>
      value === null || typeof value === "function" || (typeof value === "string" && value.length <= MAX_TOKEN_CHARS),
    onTag: true,
  },
};

const NAMES = /** @type {(keyof Options)[]} */ (Object.keys(RULES));

/** @param {number} [deviceGib]  memory of the device, where the browser tells it @returns {Options} */
export function defaultOptions(deviceGib) {
  const initial = Object.fromEntries(NAMES.map((name) => [name, RULES[name].initial]));
  return /** @type {Options} */ ({ ...initial, cacheBytes: defaultStoreBytes(deviceGib) });
}

/**
 * @param {Options} options
 * @param {string} [pageUrl]  what a relative tracker is relative to
 * @returns {Options} the same
 * @throws {TypeError} for an option that does not exist or a value it cannot have
 */
export function checkedOptions(options, pageUrl) {
  for (const name of /** @type {(keyof Options)[]} */ (Object.keys(options))) {
    if (!NAMES.includes(name)) throw new TypeError(`PeerPool: there is no option "${name}"; there are ${NAMES.join(", ")}`);
    const { kinds, fits } = RULES[name];
    const value = options[name];
    // What was meant as a token is nobody's to read in a log.
    if (!fits(value, pageUrl))
      throw new TypeError(`PeerPool: ${name} is ${kinds}, not ${name === "token" ? typeof value : shown(value)}`);
  }
  return options;
}

/**
 * @param {Record<string, string | undefined>} [dataset]  of the script tag
 * @returns {Partial<Options>} what its attributes say; an empty one says nothing
 */
export function tagOptions(dataset = {}) {
  return Object.fromEntries(NAMES.flatMap((name) => (RULES[name].onTag && dataset[name] ? [[name, dataset[name]]] : [])));
}

/** @param {unknown} value */
function shown(value) {
  return typeof value === "string" ? `"${value.slice(0, 99)}"` : typeof value === "object" && value ? "an object" : String(value);
}

/** @param {unknown} value @param {string} [pageUrl] */
function isTracker(value, pageUrl) {
  if (typeof value !== "string") return false;
  try {
    return value === "" || /^(http|ws)s?:$/.test(new URL(value, pageUrl).protocol);
  } catch {
    return false;
  }
}
