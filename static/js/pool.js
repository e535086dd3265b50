/**
 * What a page has one of: its options, its engines (one a content), its events and totals.
 */

import { defaultStoreBytes, storeAllowance } from "./core/allowance.js";
import { MAX_SITE_CHARS, MAX_TOKEN_CHARS } from "./core/constants.js";
import { hex } from "./core/identity.js";
import { Engine } from "./engine.js";
import { ConsentStore } from "./io/consent-store.js";
import { cellular, savesData, watchLine } from "./io/metered-line.js";
import { deviceMemoryGib, pageHidden, watchPage } from "./io/page-lifecycle.js";

/**
 * @typedef {object} Options
 * @property {string} tracker  URL of the tracker, http(s) or ws(s); by default where the script came from
 * @property {boolean} enabled  false: everything comes from the CDN, no connection of ours is ever made
 * @property {string | null} content  names the content where the first manifest's host and path would not do
 * @property {number} cacheBytes  most bytes held for neighbours and for playing again
 * @property {number} uploadLimitBps  most bits a second sent to neighbours; 0 sends nothing, Infinity is no limit
 * @property {number} uploadRatioMax  most bytes sent for each received; Infinity is no limit
 * @property {number} neighbours  connections wanted, 1 to 16
 * @property {"implied" | "required"} consent  required: nothing is shared, and no connection of ours made, before the viewer has said yes
 * @property {boolean} uploadOnCellular  whether anything is sent to neighbours over a line of a phone, where the browser tells which it is
 * @property {import("./core/candidates.js").Addresses} addresses  that neighbours may learn: all; public, none of the viewer's own network;
 *   relay, none but that of the tracker's TURN server
 * @property {number} fileCacheBytes  most bytes of files kept on this device's disk, for the next visit; 0 keeps none
 * @property {string | null} worker  path of the site's file that imports peerpool-sw.js (docs/files.md); null registers none
 * @property {string | null} site  public id at a tracker that admits by site, at most 64 characters
 * @property {string | import("./engine.js").TokenSource | null} token  for such a tracker, at most 2048 characters; a function is called before each join
 */

/** @type {Options} */
const DEFAULTS = {
  tracker: "",
  enabled: true,
  content: null,
  cacheBytes: defaultStoreBytes(deviceMemoryGib()),
  uploadLimitBps: 20e6, // several viewers at a common bitrate; a home uplink's own limit is usually below
  uploadRatioMax: 8, // above what a swarm asks of anybody for long; nobody is to carry a crowd
  neighbours: 8, // enough sources that one leaving is not felt, few enough that each is worth its cost
  consent: "implied", // a page that has asked in its own way need not ask again
  uploadOnCellular: false, // it is paid for by volume, more often than not
  addresses: "all", // who is in one network finds the other there
  fileCacheBytes: 0, // a disk is the viewer's: the page has to want it
  worker: null, // a page's requests are nobody's until it says so
  site: null,
  token: null,
};

/** @typedef {"segment"} EventName */

/**
 * @typedef {object} SegmentEvent  one segment was handed to a player
 * @property {string} url
 * @property {number} sizeBytes
 * @property {number} peerBytes  how many of them neighbours sent
 */

export class Pool {
  constructor() {
    /** @type {Options} */
    this.options = { ...DEFAULTS };
    this.session = hex(randomBytes(8));
    /** Those in the pool; each knows the name of its content, once it has one. @type {Set<{ content: string | null }>} */
    this.players = new Set();
    /** @type {Map<string, Engine>} by content name */
    this._engines = new Map();
    /** Totals of engines that are gone. @type {Totals[]} */
    this._past = [];
    /** @type {Map<EventName, Set<(event: SegmentEvent) => void>>} */
    this._listeners = new Map();
    /** Memory has run out once: what is left is not for others. */
    this._scarce = false;
    /** Until the page runs again; null while it does. @type {Promise<void> | null} */
    this._suspended = null;
    this._wake = () => {};
    this._consent = new ConsentStore(() => this._obey());
    watchLine(() => {
      for (const engine of this._engines.values()) engine.limitUploads(this._uploadBytesPerMs);
      this._obey();
    });
    watchPage({
      visibilityChanged: (hidden) => {
        for (const engine of this._engines.values()) engine.visibilityChanged(hidden);
      },
      suspended: () => this.suspend(),
      resumed: () => this.resume(),
    });
  }

  /**
   * @param {Partial<Options>} options  to change; the rest stays
   * @throws {TypeError} for an option that does not exist or a value it cannot have
   */
  configure(options) {
    this.options = checked({ ...this.options, ...options });
    this._obey();
  }

  /**
   * The viewer's answer. It is obeyed at once, by other pages of this origin too, and remembered.
   * @param {boolean} [granted]  without one nothing changes
   * @returns {import("./io/consent-store.js").Consent} what is remembered now
   */
  consent(granted) {
    if (granted !== undefined) {
      this._consent.answer(granted === true); // what is no yes is none
      this._obey();
    }
    return this._consent.state;
  }

  /** Whether anything may be shared: switched on, agreed to, a tracker known, no data to be saved, and WebRTC there. */
  get active() {
    const { enabled, consent, tracker } = this.options;
    const { state } = this._consent;
    const agreed = state === "granted" || (state === "unasked" && consent === "implied");
    return !this._suspended && enabled && agreed && tracker !== "" && !savesData() && typeof RTCPeerConnection === "function";
  }

  /** What is shared is what may be shared now. */
  _obey() {
    if (!this.active) return this.stop();
    this.leaveUnused();
    for (const { content } of this.players) if (content) this.engine(content);
  }

  get _uploadBytesPerMs() {
    return cellular() && !this.options.uploadOnCellular ? 0 : this.options.uploadLimitBps / 8000;
  }

  /**
   * @param {string} name  content name
   * @returns {Engine | null} that content's, started if need be; null when nothing may be shared
   */
  engine(name) {
    if (!this.active) return null;
    const existing = this._engines.get(name);
    if (existing?.starved) {
      this._scarce = true;
      this._retire(name, existing);
    } else if (existing) return existing.broken ? null : existing;
    const { tracker, cacheBytes, uploadRatioMax, neighbours, addresses, site, token } = this.options;
    const engine = new Engine(name, {
      tracker: signalUrl(tracker),
      session: this.session,
      storeBytes: storeAllowance(cacheBytes, this._scarce),
      uploadBytesPerMs: this._uploadBytesPerMs,
      uploadRatioMax,
      neighbours,
      addresses,
      site,
      token,
    });
    this._engines.set(name, engine);
    if (pageHidden()) engine.visibilityChanged(true);
    return engine;
  }

  /** Leaves the swarms that no player of this page needs any more. */
  leaveUnused() {
    const needed = new Set([...this.players].map((player) => player.content));
    for (const [name, engine] of this._engines) {
      if (!needed.has(name)) this._retire(name, engine);
    }
  }

  /** @param {string} name @param {Engine} engine @param {Promise<void>} [when]  what it was asked for is refused then */
  _retire(name, engine, when) {
    this._past.push(engine.stats());
    engine.stop(when);
    this._engines.delete(name);
    // Two of the past are one: what a long-lived page remembers of its many streams does not grow.
    if (this._past.length > 1) this._past = [total(this._past)];
  }

  /** Leaves every swarm; a player that asks again joins again. @param {Promise<void>} [when] */
  stop(when) {
    for (const [name, engine] of [...this._engines]) this._retire(name, engine, when);
  }

  /**
   * The page is frozen, kept for the way back, or gone. Neighbours hear at once that they need not wait for it, all memory is
   * released, and no request is begun: one on its way can cost a page its place among those kept.
   */
  suspend() {
    this._suspended ??= new Promise((resolve) => {
      this._wake = resolve;
    });
    this.stop(this._suspended);
  }

  /** The page runs again: what was asked for before is the player's to load, what comes next is shared. */
  resume() {
    if (!this._suspended) return;
    this._suspended = null;
    this._wake();
    this._obey();
  }

  /** Totals over all contents; state and ids of the latest. */
  stats() {
    const running = [...this._engines.values()].map((engine) => engine.stats());
    const latest = running.at(-1);
    return {
      enabled: this.options.enabled,
      state: latest?.state ?? (this.active ? "idle" : "off"),
      content: latest?.content ?? null,
      peerId: latest?.peerId ?? null,
      neighbours: latest?.neighbours ?? 0,
      clusterSize: latest?.clusterSize ?? 0,
      ...total([...this._past, ...running]),
    };
  }

  /** @param {EventName} name @param {(event: SegmentEvent) => void} listener */
  on(name, listener) {
    const listeners = this._listeners.get(name) ?? new Set();
    listeners.add(listener);
    this._listeners.set(name, listeners);
  }

  /** @param {EventName} name @param {(event: SegmentEvent) => void} listener */
  off(name, listener) {
    this._listeners.get(name)?.delete(listener);
  }

  /** @param {SegmentEvent} event */
  segmentDelivered(event) {
    for (const listener of this._listeners.get("segment") ?? []) {
      try {
        listener(event);
      } catch (error) {
        reportError(error); // the page's bug, and not to be the player's
      }
    }
  }
}

/** @typedef {Pick<ReturnType<Engine["stats"]>, "bytes" | "segments">} Totals */

/** @param {Totals[]} parts @returns {Totals} */
function total(parts) {
  /** @param {(part: Totals) => number} pick */
  const sum = (pick) => parts.reduce((all, part) => all + pick(part), 0);
  return {
    bytes: {
      fromPeers: sum(({ bytes }) => bytes.fromPeers),
      fromFar: sum(({ bytes }) => bytes.fromFar),
      fromCdn: sum(({ bytes }) => bytes.fromCdn),
      toPeers: sum(({ bytes }) => bytes.toPeers),
      wasted: sum(({ bytes }) => bytes.wasted),
      rejected: sum(({ bytes }) => bytes.rejected),
    },
    segments: {
      fromPeers: sum(({ segments }) => segments.fromPeers),
      fromCdn: sum(({ segments }) => segments.fromCdn),
      mixed: sum(({ segments }) => segments.mixed),
    },
  };
}

/** @param {Options} options @returns {Options} */
function checked(options) {
  for (const key of Object.keys(options)) {
    if (!(key in DEFAULTS))
      throw new TypeError(`PeerPool: there is no option "${key}"; there are ${Object.keys(DEFAULTS).join(", ")}`);
  }
  const { tracker, enabled, content, cacheBytes, uploadLimitBps, uploadRatioMax, neighbours } = options;
  const { consent, uploadOnCellular, addresses, fileCacheBytes, worker, site, token } = options;
  if (tracker !== "") signalUrl(tracker);
  if (typeof enabled !== "boolean") throw new TypeError("PeerPool: enabled is true or false");
  if (content !== null && (typeof content !== "string" || content === ""))
    throw new TypeError("PeerPool: content is a name or null");
  if (!(cacheBytes >= 0)) throw new TypeError("PeerPool: cacheBytes is a number of bytes, 0 or more");
  if (!(uploadLimitBps >= 0)) throw new TypeError("PeerPool: uploadLimitBps is a number of bits a second, 0 or more");
  if (!(uploadRatioMax >= 0)) throw new TypeError("PeerPool: uploadRatioMax is a number, 0 or more");
  if (!Number.isInteger(neighbours) || neighbours < 1 || neighbours > 16) throw new TypeError("PeerPool: neighbours is 1 to 16");
  if (!["implied", "required"].includes(consent)) throw new TypeError("PeerPool: consent is implied or required");
  if (typeof uploadOnCellular !== "boolean") throw new TypeError("PeerPool: uploadOnCellular is true or false");
  if (!["all", "public", "relay"].includes(addresses)) throw new TypeError("PeerPool: addresses is all, public or relay");
  if (!(fileCacheBytes >= 0)) throw new TypeError("PeerPool: fileCacheBytes is a number of bytes, 0 or more");
  if (worker !== null && (typeof worker !== "string" || worker === ""))
    throw new TypeError("PeerPool: worker is the path of a file of this site, or null");
  if (site !== null && (!/^[\w-]+$/.test(site) || site.length > MAX_SITE_CHARS))
    throw new TypeError(`PeerPool: site is at most ${MAX_SITE_CHARS} letters, digits, _ and -, or null`);
  if (token !== null && typeof token !== "function" && !(typeof token === "string" && token.length <= MAX_TOKEN_CHARS))
    throw new TypeError(`PeerPool: token is a function, a string of at most ${MAX_TOKEN_CHARS} characters, or null`);
  return options;
}

/** @param {string} tracker @returns {string} the URL of its signalling socket @throws {TypeError} */
function signalUrl(tracker) {
  /** @type {URL} */
  let url;
  try {
    url = new URL(tracker, globalThis.location?.href);
  } catch {
    throw new TypeError(`PeerPool: tracker is a URL such as https://tracker.example, not "${tracker}"`);
  }
  return new URL("/signal", url.href.replace(/^http/, "ws")).href;
}

/** @param {number} count @returns {Uint8Array} */
function randomBytes(count) {
  return crypto.getRandomValues(new Uint8Array(count));
}
