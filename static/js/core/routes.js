/**
 * By which way each peer is to be tried: without a relay, through one, or not again for now.
 *
 * A relay costs whoever runs it every byte twice, so it is for who has nobody else: few links, and only to peers to whom the
 * direct way was tried in vain, or which the tracker says leaves no hope.
 */

import { WANT_MAX } from "./constants.js";
import { keepNewest } from "./newest.js";
import {
  CLASSIFYING_LINKS,
  ICE_TTL_MIN_MS,
  INTERVAL_MAX_MS,
  RELAY_BELOW,
  RELAY_LINKS_MAX,
  TRY_AGAIN_MS,
  UNREACHED_MAX,
} from "./tuning.js";

/** @typedef {import("./membership.js").Message} Message */
/** @typedef {import("./nat.js").Nat} Nat */
/** @typedef {"direct" | "relay" | "relay-only"} Way  `relay-only`: no other address may be used */
/** @typedef {{ way: Way, iceServers: RTCIceServer[] }} Route */

export class Routes {
  /** @param {boolean} relayOnly  the page's wish: neighbours may learn no address of ours */
  constructor(relayOnly) {
    this._relayOnly = relayOnly;
    /** @type {RTCIceServer[]} */
    this._servers = [];
    /** The same with one STUN server of each. @type {RTCIceServer[]} */
    this._fewer = [];
    /** Connections that are still to ask all of them, for what they tell of our NAT. */
    this._classifying = 0;
    /** TURN servers for who needs them. @type {RTCIceServer[]} */
    this._relays = [];
    this._policyOnly = false;
    /** What may be sent through them. */
    this.relayBytesPerMs = Number.POSITIVE_INFINITY;
    /** When their credentials are to be renewed. */
    this.renewMs = Number.POSITIVE_INFINITY;
    /** What our NAT does; null while unknown. @type {Nat | null} */
    this.nat = null;
    /** Peers that could not be reached directly: when that was, and whether a relay was tried. @type {Map<string, { triedMs: number, relayed: boolean }>} */
    this._unreached = new Map();
    /** What came of attempts since the last report. @type {Map<string, boolean>} */
    this._attempts = new Map();
  }

  /** @param {Message} message  `welcome` or `ice` @param {number} nowMs */
  configure(message, nowMs) {
    this._servers = Array.isArray(message.ice_servers) ? message.ice_servers : [];
    this._fewer = this._servers.map((server) => fewer(server));
    if (this.nat === null) this._classifying = CLASSIFYING_LINKS;
    const relay = /** @type {Record<string, unknown>} */ (message.relay ?? {});
    this._relays = Array.isArray(relay.servers) ? relay.servers : [];
    this._policyOnly = relay.policy === "only" && this._relays.length > 0;
    const { rate_bps: rateBps, ttl_ms: ttlMs } = relay;
    this.relayBytesPerMs = typeof rateBps === "number" && rateBps > 0 ? rateBps / 8000 : Number.POSITIVE_INFINITY;
    // A while before the end, so that no connection begins with what is over by the time it is used.
    const renewAfterMs = typeof ttlMs === "number" ? Math.min(INTERVAL_MAX_MS * 24, Math.max(ICE_TTL_MIN_MS, 0.8 * ttlMs)) : 0;
    this.renewMs = renewAfterMs > 0 ? nowMs + renewAfterMs : Number.POSITIVE_INFINITY;
  }

  get hasRelays() {
    return this._relays.length > 0;
  }

  /** Whether nothing but a relay may be used, and there is none. */
  get isCutOff() {
    return this._relayOnly && this._relays.length === 0 && !this._servers.some(isRelay);
  }

  /** Whether all connections go through a relay. */
  get _alwaysRelays() {
    return this._relayOnly || this._policyOnly;
  }

  /** @param {boolean} [relay]  the direct way will not do @returns {Route} */
  route(relay = false) {
    const servers = this._classifying > 0 ? this._servers : this._fewer;
    this._classifying--;
    if (this._alwaysRelays) return { way: "relay-only", iceServers: [...servers, ...this._relays] };
    // Over TCP to a relay is the only way out of a network that lets no UDP through.
    const needed = relay || this.nat?.mapping === "blocked";
    if (!needed || this._relays.length === 0) return { way: "direct", iceServers: servers };
    return { way: "relay", iceServers: [...servers, ...this._relays] };
  }

  /** @param {Nat} nat @returns {boolean} whether that is news */
  learned(nat) {
    const known = this.nat;
    this.nat = nat;
    // What was tried with a relay at the other end alone is worth another attempt.
    if (nat.mapping === "blocked" && known?.mapping !== "blocked")
      for (const tried of this._unreached.values()) tried.relayed = false;
    return known?.mapping !== nat.mapping || known.ipv6 !== nat.ipv6;
  }

  /** Another network may have another NAT, and reach whom the last did not. */
  moved() {
    this.nat = null;
    this._classifying = CLASSIFYING_LINKS;
    this._unreached.clear();
  }

  /** An attempt at the direct way has come to its end. @param {string} peer @param {boolean} connected @param {number} nowMs */
  attempted(peer, connected, nowMs) {
    this._attempts.set(peer, connected);
    keepNewest(this._attempts, WANT_MAX);
    if (connected) this._unreached.delete(peer);
    else this.parted(peer, nowMs);
  }

  /** There is no direct way to it, as was found out or as the tracker says. @param {string} peer @param {number} nowMs */
  parted(peer, nowMs) {
    const relayed = this._unreached.get(peer)?.relayed ?? false;
    this._unreached.delete(peer);
    this._unreached.set(peer, { triedMs: nowMs, relayed });
    keepNewest(this._unreached, UNREACHED_MAX);
  }

  /** @param {string} peer @param {number} nowMs @returns {boolean} whether the direct way to it was tried in vain lately */
  isUnreached(peer, nowMs) {
    const tried = this._unreached.get(peer);
    return tried !== undefined && nowMs < tried.triedMs + TRY_AGAIN_MS;
  }

  /** @param {number} nowMs @returns {string[]} all of those, the latest first */
  unreached(nowMs) {
    return [...this._unreached.keys()].filter((peer) => this.isUnreached(peer, nowMs)).reverse();
  }

  /** @param {number} nowMs @returns {string[]} those of them to whom no relay was tried; name one with `relayed` when it is */
  relayable(nowMs) {
    return this.unreached(nowMs).filter((peer) => !this._unreached.get(peer)?.relayed);
  }

  /** @param {string} peer */
  relayed(peer) {
    const tried = this._unreached.get(peer);
    if (tried) tried.relayed = true;
  }

  /**
   * @param {number} open  links that are open @param {number} relayed  of those, and of those being set up, through a relay
   * @returns {boolean} whether it is time for a relay
   */
  wantsRelay(open, relayed) {
    return this._relays.length > 0 && open < RELAY_BELOW && relayed < RELAY_LINKS_MAX;
  }

  /** @returns {Record<string, boolean>} attempts since the last time: whether they came to be */
  takeAttempts() {
    const attempts = Object.fromEntries(this._attempts);
    this._attempts.clear();
    return attempts;
  }
}

/**
 * Browsers ask every STUN server for each connection, and Chromium again every ten seconds: one port of each is enough to be reached.
 * @param {RTCIceServer} server @returns {RTCIceServer} with one URL of each host, where it is for STUN alone
 */
function fewer(server) {
  const urls = Array.isArray(server?.urls) ? server.urls.map(String) : [];
  if (urls.length < 2 || !urls.every((url) => /^stuns?:/i.test(url))) return server;
  const hostOf = (/** @type {string} */ url) => url.replace(/:\d+$/, "");
  const firsts = urls.filter((url, index) => urls.findIndex((other) => hostOf(other) === hostOf(url)) === index);
  return { ...server, urls: firsts };
}

/** Whether it is a TURN server, of which the browser sends through it. @param {RTCIceServer | null} server */
const isRelay = (server) => [server?.urls].flat().some((url) => /^turns?:/i.test(String(url)));
