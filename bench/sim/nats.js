/**
 * What viewers' NATs do, and who meets whom through them by UDP hole punching (RFC 5128 section 3.3): all but those behind two
 * NATs that map dependently, and those behind one of these and one that lets in only what comes from where it sent to.
 */

import { GATHERING_PATIENCE_MS } from "../../static/js/core/tuning.js";

/** @typedef {import("../../static/js/core/nat.js").Mapping} Mapping */
/** @typedef {"none" | "lenient" | "strict" | "dependent" | "blocked"} NatKind  lenient and strict map independently; strict filters by port */

/** @type {Record<NatKind, Mapping>} what a page can see of each: browsers hide its own addresses, so that no NAT looks like a lenient one */
const MAPPINGS = { none: "independent", lenient: "independent", strict: "independent", dependent: "dependent", blocked: "blocked" };
/** Gathering is over after a round trip to the STUN server, or when we have given it up. */
const GATHERED_MS = 60;

/** @param {NatKind} kind @returns {import("../../static/js/core/nat.js").Nat} */
export const natOf = (kind) => ({ mapping: MAPPINGS[kind], ipv6: false });

/** @param {NatKind} kind @returns {number} from the first connection's beginning until it is known */
export const gatheredMs = (kind) => (kind === "blocked" ? GATHERING_PATIENCE_MS : GATHERED_MS);

/** @param {NatKind} one @param {NatKind} other */
export function meet(one, other) {
  if (one === "blocked" || other === "blocked") return false;
  if (one !== "dependent" && other !== "dependent") return true;
  return one !== other && one !== "strict" && other !== "strict";
}

/** @param {Partial<Record<NatKind, number>>} shares  that add up to 1 @param {number} drawn  from 0 to below 1 @returns {NatKind} */
export function drawKind(shares, drawn) {
  let left = drawn;
  for (const [kind, share] of Object.entries(shares)) {
    left -= share;
    if (left < 0) return /** @type {NatKind} */ (kind);
  }
  return "none";
}
