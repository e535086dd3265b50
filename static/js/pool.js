/**
 * What a page has one of: its options, its engines (one a content), its events and totals.
 */

import { storeAllowance } from "./core/allowance.js";
import { hex } from "./core/identity.js";
import { Engine } from "./engine.js";
import { Events, segmentEvent } from "./events.js";
import { ConsentStore } from "./io/consent-store.js";
import { cellular, savesData, watchLine, watchNetwork } from "./io/metered-line.js";
import { deviceMemoryGib, pageHidden, watchPage } from "./io/page-lifecycle.js";
import { checkedOptions, defaultOptions } from "./options.js";

/** @typedef {import("./options.js").Options} Options */
/** @typedef {Omit<import("./surface.js").Stats, "version">} PoolStats */

export class Pool {
  constructor() {
    /** @type {Options} */
    this.options = defaultOptions(deviceMemoryGib());
    this.session = hex(randomBytes(8));
    /** Those in the pool; each knows the name of its content, once it has one. @type {Set<{ content: string | null }>} */
    this.players = new Set();
    /** @type {Map<string, Engine>} by content name */
    this._engines = new Map();
    /** Totals of engines that are gone. @type {Totals[]} */
    this._past = [];
    this.events = new Events();
    /** Memory has run out once: what is left is not for others. */
    this._scarce = false;
    this._unseen = false;
    /** The state that listeners were told. */
    this._told = "off";
    /** Until the page runs again; null while it does. @type {Promise<void> | null} */
    this._suspended = null;
    this._wake = () => {};
    this._consent = new ConsentStore(() => this._obey());
    watchLine(() => {
      for (const engine of this._engines.values()) engine.limitUploads(this._uploadBytesPerMs);
      this._obey();
    });
    watchNetwork(() => {
      for (const engine of this._engines.values()) engine.networkChanged();
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
    this.options = checkedOptions({ ...this.options, ...options }, globalThis.location?.href);
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
    if (!this.active) this.stop();
    else {
      this.leaveUnused();
      for (const { content } of this.players) if (content) this.engine(content);
    }
    this._stateChanged();
  }

  /** A player plays what only its Worker loads, and nothing of it passes here. */
  get unseen() {
    return this._unseen;
  }

  set unseen(unseen) {
    this._unseen = unseen;
    this._stateChanged();
  }

  /** @returns {import("./surface.js").State} of the latest content */
  get state() {
    const latest = [...this._engines.values()].at(-1);
    return latest?.state ?? (this.active ? (this._unseen ? "unseen" : "idle") : "off");
  }

  _stateChanged() {
    const { state } = this;
    if (state === this._told) return;
    this._told = state;
    this._tell("state", { state });
  }

  /** In a task of its own: no page is to be called from inside our turn. @template {keyof import("./surface.js").PoolEvents} Name @param {Name} name @param {import("./surface.js").PoolEvents[Name]} event */
  _tell(name, event) {
    queueMicrotask(() => this.events.emit(name, event));
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
      onlooker: {
        peerChanged: (peer, connected) => this._tell("peer", { peer, state: connected ? "connected" : "closed" }),
        stateChanged: () => this._stateChanged(),
      },
    });
    this._engines.set(name, engine);
    this._stateChanged();
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
    this._stateChanged();
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

  /** @returns {PoolStats} totals over all contents; state and ids of the latest */
  stats() {
    const running = [...this._engines.values()].map((engine) => engine.stats());
    const latest = running.at(-1);
    return {
      enabled: this.options.enabled,
      state: this.state,
      content: latest?.content ?? null,
      peerId: latest?.peerId ?? null,
      neighbours: latest?.neighbours ?? 0,
      clusterSize: latest?.clusterSize ?? 0,
      peers: [...this._engines.values()].flatMap(({ peers }) => peers),
      ...total([...this._past, ...running]),
    };
  }

  /** What the debugging overlay shows besides `stats`. */
  inspect() {
    return {
      options: this.options,
      consent: this._consent.state,
      tracker: [...this._engines.values()].at(-1)?.tracker ?? "none",
    };
  }

  /**
   * A player was given a segment.
   * @param {import("./core/download.js").SegmentSource} source @param {number} sizeBytes @param {number} peerBytes
   * @param {import("./surface.js").FetchReason | null} reason
   */
  segmentDelivered(source, sizeBytes, peerBytes, reason) {
    this.events.emit("segment", segmentEvent(source, sizeBytes, peerBytes, reason));
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
      relayed: sum(({ bytes }) => bytes.relayed),
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

/** @param {string} tracker  that may be one @returns {string} the URL of its signalling socket */
function signalUrl(tracker) {
  const { href } = new URL(tracker, globalThis.location?.href);
  return new URL("/signal", href.replace(/^http/, "ws")).href;
}

/** @param {number} count @returns {Uint8Array} */
function randomBytes(count) {
  return crypto.getRandomValues(new Uint8Array(count));
}
