/**
 * Who comes when, with which lines, and goes when and how: drawn before the run, each viewer from a generator of its own, so
 * that a run with the library and its twin without it have the very same viewers.
 */

import { drawKind } from "./nats.js";
import { exponential, lognormal, mix, normal, seeded } from "./random.js";
import { middleBps } from "./scenarios.js";

/** @typedef {import("./scenarios.js").Scenario} Scenario */
/** @typedef {import("./peer.js").PeerShape} PeerShape */

/**
 * @typedef {object} Visit
 * @property {number} index
 * @property {number} joinMs
 * @property {number} leaveMs  Infinity stays to the end
 * @property {boolean} vanishes  goes without a word
 * @property {PeerShape} shape
 * @property {boolean} uploads
 * @property {import("./player.js").PlayerOptions} player
 */

/** Places are in milliseconds of round trip: most viewers in one region, some far away. */
const REGION_MS = 12;
const FAR_MS = 60;
const FAR_SHARE = 0.1;
/** Providers' networks are so far apart. */
const PROVIDER_MS = 15;
/** One way from a home to its network's edge: median and sigma. */
const ACCESS_MS = 5;
const ACCESS_SIGMA = 0.6;
/** One way from there to the CDN's edge, and to the tracker. */
const CDN_MS = 5;
const TRACKER_MS = 10;
const SLOW_UPLINK = 0.3;

/** @param {Scenario} scenario @returns {Visit[]} in order of coming */
export function population(scenario) {
  const { audience, minutes, seed } = scenario;
  const random = seeded(mix(seed, 0x9e37));
  const endMs = minutes * 60_000;
  /** @type {{ joinMs: number, leaveMs: number }[]} */
  const stays = audience.poisson ? poissonStays(audience, endMs, random) : evenStays(audience, random);
  if (audience.churnPerMin > 0) stays.push(...replacements(audience, stays, endMs, random));
  if (audience.departure) depart(audience.departure, stays, random);
  stays.sort((one, other) => one.joinMs - other.joinMs);
  return stays.map(({ joinMs, leaveMs }, index) => visit(scenario, index, joinMs, leaveMs));
}

/** @param {import("./scenarios.js").Audience} audience @param {() => number} random */
function evenStays({ peers, joinOverSec, staySec }, random) {
  const everyMs = (joinOverSec * 1000) / peers;
  return Array.from({ length: peers }, (_, index) => {
    const joinMs = (index + random()) * everyMs;
    return { joinMs, leaveMs: staySec === Number.POSITIVE_INFINITY ? staySec : joinMs + exponential(random, staySec * 1000) };
  });
}

/** @param {import("./scenarios.js").Audience} audience @param {number} endMs @param {() => number} random */
function poissonStays({ peers, staySec }, endMs, random) {
  const stays = [];
  const everyMs = (staySec * 1000) / peers;
  for (let joinMs = exponential(random, everyMs); joinMs < endMs; joinMs += exponential(random, everyMs)) {
    stays.push({ joinMs, leaveMs: joinMs + exponential(random, staySec * 1000) });
  }
  return stays;
}

/**
 * Some of those who are there go, and as many come.
 * @param {import("./scenarios.js").Audience} audience @param {{ joinMs: number, leaveMs: number }[]} stays @param {number} endMs @param {() => number} random
 */
function replacements({ peers, churnPerMin, joinOverSec }, stays, endMs, random) {
  const present = [...stays];
  const newcomers = [];
  const everyMs = 60_000 / (peers * churnPerMin);
  for (let atMs = joinOverSec * 1000; atMs < endMs; atMs += exponential(random, everyMs)) {
    const chosen = Math.floor(random() * present.length);
    const leaver = present[chosen];
    if (leaver) leaver.leaveMs = atMs;
    const newcomer = { joinMs: atMs + random() * 2000, leaveMs: Number.POSITIVE_INFINITY };
    present[chosen] = newcomer;
    newcomers.push(newcomer);
  }
  return newcomers;
}

/** @param {{ atSec: number, share: number, overSec: number }} departure @param {{ leaveMs: number }[]} stays @param {() => number} random */
function depart({ atSec, share, overSec }, stays, random) {
  for (const stay of stays) {
    if (random() < share) stay.leaveMs = Math.min(stay.leaveMs, (atSec + random() * overSec) * 1000);
  }
}

/** @param {Scenario} scenario @param {number} index @param {number} joinMs @param {number} leaveMs @returns {Visit} */
function visit({ audience, content, lines, seed }, index, joinMs, leaveMs) {
  const random = seeded(mix(seed, 0x51ed, index));
  const bitrate = middleBps(content);
  const uploads = random() >= lines.freeRiders;
  const slow = random() < lines.slow;
  const throughput = random() < lines.lossy ? 0.5 : 1;
  const spread = random() < FAR_SHARE ? FAR_MS : REGION_MS;
  const accessMs = lognormal(random, ACCESS_MS, ACCESS_SIGMA);
  const place = { x: spread * normal(random), y: spread * normal(random) };
  const provider = audience.providers > 0 ? byRank(audience.providers, random) : null;
  if (provider !== null) place.x += PROVIDER_MS * provider;
  const uplinkBps = throughput * bitrate * (slow ? SLOW_UPLINK : lognormal(random, lines.uplink, lines.uplinkSigma));
  const downlinkBps = throughput * bitrate * Math.max(1.1, lognormal(random, lines.downlink, lines.downlinkSigma));
  const behind = random() < audience.behind;
  const liar = audience.liars > 0 && mix(seed, 0x11a7, index) / 2 ** 32 < audience.liars;
  return {
    index,
    joinMs,
    leaveMs,
    vanishes: random() < audience.vanish,
    uploads,
    shape: {
      ...place,
      uplinkBps,
      downlinkBps,
      accessMs,
      cdnBps: lines.cdnBps,
      cdnMs: accessMs + CDN_MS,
      trackerMs: accessMs + TRACKER_MS + Math.hypot(place.x, place.y) / 2,
      storeBytes: audience.storeBytes,
      neighbours: audience.neighbours,
      seed: mix(seed, 0x7a11, index),
      // Each on a line of its own: what the tracker bounds by line is bounded here too.
      place:
        provider === null
          ? ["", "", "", "", `line ${index}`, ""]
          : ["EU", "DE", `AS${provider}`, "", `line ${index}`, `subnet ${index}`],
      ...(uploads ? {} : { uploadLimitBps: 0 }),
      ...(lines.nats ? { nat: drawKind(lines.nats, mix(seed, 0x9a7, index) / 2 ** 32), tellsNat: lines.tellsNat } : {}),
      ...(liar ? { lies: audience.lies, liesAfter: audience.liesAfter } : {}),
    },
    player: {
      ...(behind ? { behindSec: audience.behindSec } : {}),
      ...(audience.seekEverySec > 0 ? { seekEverySec: audience.seekEverySec } : {}),
      bufferSec: audience.bufferSec,
    },
  };
}

/** @param {number} count @param {() => number} random @returns {number} 0 to count - 1, each as likely as 1 / (itself + 1) */
function byRank(count, random) {
  const weights = Array.from({ length: count }, (_, rank) => 1 / (rank + 1));
  let left = random() * weights.reduce((all, weight) => all + weight, 0);
  const rank = weights.findIndex((weight) => {
    left -= weight;
    return left < 0;
  });
  return rank < 0 ? count - 1 : rank;
}
