/**
 * ICE candidates (RFC 8839 section 5.1): which of ours a stranger may hear, and to which of a stranger's our browser may send.
 *
 * Whoever is in a swarm can send its members candidates, and a browser sends packets to each of them. So that nobody makes viewers
 * probe their own networks or flood a victim, what cannot be a browser's is not taken: other transports than UDP, ports below 1024
 * (browsers and relays send from above, RFC 8656 section 7.2, and NATs keep it so, RFC 4787 section 4.2.1: 80 and 443 are servers' too),
 * names other than mDNS', addresses that are no host's. A private address is taken where we have one of the same network ourselves.
 */

import { CANDIDATES_MAX } from "./tuning.js";

/** @typedef {"all" | "public" | "relay"} Addresses  which of our addresses neighbours may learn */
/** @typedef {"take" | "wait" | "drop"} Verdict  `wait` until more is known of our own networks */

/** Foundation, component, transport (1), priority, address (2), port (3), type (4), the rest. One line, and all of it. */
const LINE = /^candidate:[\w+/]{1,32} \d{1,5} (\w{1,8}) \d{1,10} (\S{1,64}) (\d{1,5}) typ (host|srflx|prflx|relay)( [^\r\n]*)?$/i;
/** draft-ietf-mmusic-mdns-ice-candidates section 3.1: a UUID, so that no printer's name is one. */
const MDNS = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}\.local$/i;
/**
 * By hex digits of an address, 8 after "v4" or 32 (RFC 6890). Never a host's: this network, link-local, multicast, reserved and broadcast;
 * nor 6to4, Teredo and NAT64 of one's own, which are ways to write another address.
 */
const NEVER = /^(v4(00|a9fe|[ef])|0{32}|fe[89ab]|ff|2002|20010000|0064ff9b)/;
/** Of one's own network or machine: private, shared by a provider's customers, for benchmarks; loopback, which browsers have in tests only. */
const OWN = /^(v4(0a|7f|ac1|c0a8|64[4-7]|c61[23]|c00000)|0{31}1|f[cd]|fe[c-f])/;
/** IPv4 within IPv6: mapped, NAT64, compatible. */
const EMBEDDED_4 = /^(0{20}ffff|0064ff9b0{16}|0{24}(?!0{7}[01]))/;

export class CandidateFilter {
  /** @param {Addresses} addresses */
  constructor(addresses) {
    this._addresses = addresses;
    /** Networks that we have an address of. @type {Set<string>} */
    this._networks = new Set();
    /** Where the browser may send. @type {Set<string>} */
    this._taken = new Set();
  }

  /** The connection looks for another way: by other addresses of the other side. What is known of our own networks stays. */
  renew() {
    this._taken.clear();
  }

  /** @param {string} line  one of ours @returns {string | null} as the other side may hear it; null for not at all */
  ours(line) {
    const [, , address = "", , type = ""] = LINE.exec(line) ?? [];
    const place = networkOf(address);
    if (place && type.toLowerCase() === "host") this._networks.add(place);
    if (this._addresses === "all") return line;
    // Also those behind a reflexive or relayed address: RFC 8839 section 5.1 says what stands in their place.
    return place === "public"
      ? line.replace(/ raddr \S+ rport \d+/i, ` raddr ${address.includes(":") ? "::" : "0.0.0.0"} rport 9`)
      : null;
  }

  /** @param {string} line  one of a stranger's @returns {Verdict} what is taken counts */
  theirs(line) {
    const [, transport = "", address = "", port = ""] = LINE.exec(line) ?? [];
    const place = networkOf(address);
    const target = `${address} ${port}`.toLowerCase();
    if (!place || transport.toLowerCase() !== "udp" || Number(port) < 1024 || Number(port) > 65535) return "drop";
    if (this._taken.has(target) || this._taken.size >= CANDIDATES_MAX) return "drop";
    if (place !== "public") {
      if (this._addresses !== "all") return "drop"; // to send there is to be seen there
      if (place !== "mdns" && !this._networks.has(place)) return "wait";
    }
    this._taken.add(target);
    return "take";
  }
}

/** @param {string} sdp @returns {{ sdp: string, candidates: string[] }} the description without its candidates, and those */
export function splitCandidates(sdp) {
  /** @type {string[]} */
  const candidates = [];
  // Wider than the grammar: what one of the browsers' parsers might take for a candidate is none of the rest.
  const rest = sdp.split(/\r\n?|\n/).filter((line) => {
    const [, candidate] = /^\s*a\s*=\s*((?:end-of-)?candidate.*)/i.exec(line) ?? [];
    if (candidate) candidates.push(candidate);
    return !candidate;
  });
  return { sdp: rest.join("\r\n"), candidates };
}

/** @param {string} sdp  ours @returns {string} without any address in it: neither candidates nor the default one */
export function withoutAddresses(sdp) {
  const { sdp: rest } = splitCandidates(sdp);
  return rest.replace(/^c=.*$/gm, "c=IN IP4 0.0.0.0").replace(/^(m=\w+) \d+/gm, "$1 9");
}

/** @param {string} address @returns {string} "public", "mdns", the network it is of (/24, /64) where that is nobody else's business, or "" for none */
export function networkOf(address) {
  if (MDNS.test(address)) return "mdns";
  const hex = hexOf(address);
  if (!hex || NEVER.test(hex)) return "";
  return OWN.test(hex) ? hex.slice(0, hex.startsWith("v4") ? 8 : 16) : "public";
}

/** @param {string} address @returns {string} its hex digits, "v4" before those of IPv4; "" for what is no address, or written so that not all read it alike */
function hexOf(address) {
  const six = address.includes(":");
  if (!/^[\da-f:.]+$/i.test(address)) return "";
  /** @type {string} */
  let host;
  try {
    host = new URL(`http://${six ? `[${address}]` : address}`).hostname;
  } catch {
    return "";
  }
  if (!six) return host === address && /^[\d.]+$/.test(host) ? `v4${hexBytes(host)}` : "";
  const [before = [], after = []] = host
    .slice(1, -1)
    .split("::")
    .map((half) => half.split(":").filter(Boolean));
  const words = [...before, ...Array(8 - before.length - after.length).fill(""), ...after];
  return words
    .map((word) => word.padStart(4, "0"))
    .join("")
    .replace(EMBEDDED_4, "v4");
}

/** @param {string} dotted @returns {string} */
const hexBytes = (dotted) =>
  dotted
    .split(".")
    .map((part) => Number(part).toString(16).padStart(2, "0"))
    .join("");

/** @param {string} sdp @returns {string} that of the certificate, which is one connection's own (RFC 8122 section 5); "" where there is none */
export const fingerprintOf = (sdp) => /^a=fingerprint:(\S+ \S+)/im.exec(sdp)?.[1]?.toLowerCase() ?? "";
