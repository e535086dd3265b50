/**
 * What our NAT does, from the candidates that a connection gathers anyway: no packet is sent for it.
 *
 * A NAT that gives each destination another port (address- or port-dependent mapping, RFC 4787 section 4.1) shows the same socket
 * to two STUN ports as two; a browser tells of both, and of one that looks the same only once (RFC 8445 section 5.1.3). Which
 * packets it lets in (its filtering) cannot be seen from within a page.
 */

import { networkOf } from "./candidates.js";

/** @typedef {"none" | "independent" | "dependent" | "blocked"} Mapping  `blocked`: nothing comes back over UDP */
/** @typedef {{ mapping: Mapping, ipv6: boolean }} Nat  ipv6: with a public address of it */

/** RFC 8839 section 5.1, as far as it is of use: foundation, address, port, type, and the socket behind it. */
const LINE = /^candidate:(\S+) \d+ udp \d+ (\S+) (\d+) typ (host|srflx)(?: raddr (\S+) rport (\d+))?/i;
/** What browsers say in place of a port that they keep to themselves. */
const HIDDEN_PORTS = ["0", "9"];

/** One connection's gathering, from its beginning to its end. */
export class Gathering {
  /** @param {RTCIceServer[]} servers  that it was given */
  constructor(servers) {
    this._stunUrls = servers.flatMap(({ urls }) => urls).filter((url) => /^stuns?:/i.test(url)).length;
    /** Of those, which did not answer at some interface. @type {Set<string>} */
    this._silent = new Set();
    /** What the world sees of each socket, over IPv4. @type {Map<string, Set<string>>} */
    this._seen = new Map();
    /** Public IPv4 addresses of our own. @type {Set<string>} */
    this._own = new Set();
    this._ipv6 = false;
    this._timedOut = false;
  }

  /** @param {string} line  one of ours */
  candidate(line) {
    const [, foundation = "", address = "", port = "", type = "", base = "", basePort = ""] = LINE.exec(line) ?? [];
    if (networkOf(address) !== "public") return;
    if (address.includes(":")) this._ipv6 = true;
    else if (type === "host") this._own.add(address);
    else {
      // Of one address have one foundation where the socket is not told (RFC 8445 section 5.1.1.3).
      const socket = HIDDEN_PORTS.includes(basePort) ? foundation : `${base} ${basePort}`;
      const seen = this._seen.get(socket) ?? new Set();
      this._seen.set(socket, seen.add(`${address} ${port}`));
    }
  }

  /** @param {string} url  of a STUN server that did not answer */
  failed(url) {
    if (/^stuns?:/i.test(url)) this._silent.add(url);
  }

  /** Time is up: who heard nothing at all will not. Chromium goes on asking for 50 s, and tells of nothing until then. */
  expired() {
    if (this._seen.size > 0) return;
    this._timedOut = true;
  }

  /** @returns {Nat | null} by now; null where it cannot be told */
  get nat() {
    const mapping = this._mapping;
    return mapping && { mapping, ipv6: this._ipv6 };
  }

  /** @returns {Mapping | null} */
  get _mapping() {
    const answered = this._timedOut ? 0 : this._stunUrls - this._silent.size;
    const sockets = [...this._seen.values()];
    if (sockets.some((seen) => seen.size > 1)) return "dependent";
    const [[first = ""] = []] = sockets;
    if (first && this._own.has(first.slice(0, first.indexOf(" ")))) return "none";
    if (first) return answered > 1 ? "independent" : null;
    // One that looks from without as from within is not told of twice.
    if (this._own.size > 0) return answered > 0 ? "none" : null;
    return this._stunUrls > 0 && answered <= 0 && !this._ipv6 ? "blocked" : null;
  }
}
