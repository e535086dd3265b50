/**
 * Named scenarios: who watches what, from when to when, over which lines. Data only; population.js draws the viewers and
 * simulation.js runs them.
 */

/**
 * @typedef {object} Content
 * @property {number[]} bitratesBps  one, or a ladder for ABR
 * @property {number} segmentSec
 * @property {number | null} windowSegments  of a live playlist; null for VOD
 * @property {number | null} segments  of a VOD
 */

/**
 * @typedef {object} Audience
 * @property {number} peers  who come; with `arrivalsPerMin` how many there are on average
 * @property {number} joinOverSec  within which they come, evenly
 * @property {boolean} poisson  instead they come and go all the time: `peers` / `staySec` a second
 * @property {number} staySec  mean of an exponential; Infinity stays to the end
 * @property {number} churnPerMin  share replaced by newcomers each minute
 * @property {number} vanish  share of leavers that go without a word
 * @property {{ atSec: number, share: number, overSec: number } | null} departure
 * @property {number} behind  share that plays `behindSec` behind the live edge
 * @property {number} behindSec
 * @property {number} seekEverySec  VOD: mean time between seeks; 0 for none
 * @property {number} bufferSec
 * @property {number} storeBytes
 * @property {number} neighbours
 * @property {"signed" | "spot" | "off"} integrity  how what neighbours send is checked
 * @property {number} liars  share that changes a byte in `lies` of the pieces it sends
 * @property {number} lies
 * @property {number} liesAfter  pieces that a liar sends before it lies
 * @property {number} providers  of which the viewers are customers, the second half as many as the first, the third a third; 0 for unknown
 */

/**
 * @typedef {object} Lines
 * @property {number} uplink  median, in multiples of the (middle) bitrate
 * @property {number} uplinkSigma
 * @property {number} downlink  median, likewise
 * @property {number} downlinkSigma
 * @property {number} freeRiders  share that uploads nothing
 * @property {number} slow  share with an uplink of 0.3 bitrates
 * @property {number} lossy  share whose lines carry half of what they should
 * @property {number} unreachable  share of pairs that NATs keep apart, whatever they are
 * @property {Partial<Record<import("./nats.js").NatKind, number>> | null} nats  shares of kinds, of which it depends who meets whom; null for none
 * @property {boolean} tellsNat  viewers tell the tracker what their NAT does, and what came of attempts
 * @property {number} cdnBps  a connection's rate
 * @property {number | null} cdnCapacity  of all transfers together, in multiples of peers x bitrate; null for no limit
 * @property {[fromSec: number, untilSec: number] | null} originDown
 */

/** @typedef {{ name: string, minutes: number, seed: number, content: Content, audience: Audience, lines: Lines }} Scenario */

/** @type {Content} */
const LIVE = { bitratesBps: [1_600_000], segmentSec: 2, windowSegments: 15, segments: null };
/** @type {Content} */
const VOD = { bitratesBps: [1_600_000], segmentSec: 2, windowSegments: null, segments: 300 };

/** @type {Audience} */
const AUDIENCE = {
  peers: 10,
  joinOverSec: 60,
  poisson: false,
  staySec: Number.POSITIVE_INFINITY,
  churnPerMin: 0,
  vanish: 0,
  departure: null,
  behind: 0,
  behindSec: 30,
  seekEverySec: 0,
  bufferSec: 30,
  storeBytes: 64 << 20,
  neighbours: 8,
  integrity: "off",
  liars: 0,
  lies: 1,
  liesAfter: 0,
  providers: 0,
};

/**
 * Of large live swarms: 80 s of the stream, more than its playlist names. What viewers fetch themselves is not shared between
 * them in the simulator's memory, and 64 MiB each of that would not fit into a common machine.
 */
const LARGE_SWARM_STORE_BYTES = 16 << 20;

/** @type {Lines} */
const LINES = {
  uplink: 5,
  uplinkSigma: 0.5,
  downlink: 20,
  downlinkSigma: 0.5,
  freeRiders: 0,
  slow: 0,
  lossy: 0,
  unreachable: 0,
  nats: null,
  tellsNat: true,
  cdnBps: 50e6,
  cdnCapacity: null,
  originDown: null,
};

/**
 * NATs as published: 64 % of peers are behind one through which hole punching should work (Halkes and Pouwelse, "UDP NAT and
 * Firewall Puncturing in the Wild", 2011), and 82 % of NATs map so (Ford, Srisuresh and Kegel, 2005), which leaves 14 % behind one
 * that does not. That three of four of the former filter by port, and 3 % let no UDP through, is assumed.
 * @type {Partial<Record<import("./nats.js").NatKind, number>>}
 */
const PUBLISHED_NATS = { strict: 0.48, lenient: 0.16, dependent: 0.14, blocked: 0.03, none: 0.19 };
/** Many on mobile networks: so many map dependently that they meet each other all the time. @type {typeof PUBLISHED_NATS} */
const MOBILE_NATS = { strict: 0.36, lenient: 0.04, dependent: 0.45, blocked: 0.05, none: 0.1 };

/**
 * @param {string} name @param {number} minutes @param {Content} content @param {Partial<Audience>} audience @param {Partial<Lines>} [lines]
 * @returns {Scenario}
 */
function scenario(name, minutes, content, audience, lines = {}) {
  return { name, minutes, seed: 1, content, audience: { ...AUDIENCE, ...audience }, lines: { ...LINES, ...lines } };
}

/** @type {Map<string, Scenario>} */
export const SCENARIOS = new Map(
  [
    scenario("live-10", 5, LIVE, { peers: 10 }),
    scenario("live-30", 5, LIVE, { peers: 30 }),
    scenario("live-100", 5, LIVE, { peers: 100 }),
    scenario("live-300", 5, LIVE, { peers: 300, storeBytes: LARGE_SWARM_STORE_BYTES }),
    scenario("live-1000", 5, LIVE, { peers: 1000, storeBytes: LARGE_SWARM_STORE_BYTES }),
    scenario("live-flash-200", 3, LIVE, { peers: 200, joinOverSec: 10 }),
    scenario("vod-poisson", 15, VOD, { peers: 50, poisson: true, staySec: 300 }),
    scenario("vod-flash-200", 5, VOD, { peers: 200, joinOverSec: 10 }),
    scenario(
      "churn",
      5,
      LIVE,
      { peers: 100, joinOverSec: 30, churnPerMin: 0.3, vanish: 0.3 },
      { freeRiders: 0.5, unreachable: 0.2, slow: 0.1 },
    ),
    scenario("mass-departure", 4, LIVE, { peers: 200, joinOverSec: 30, departure: { atSec: 120, share: 0.8, overSec: 1 } }),
    scenario("behind", 4, { ...LIVE, windowSegments: 30 }, { peers: 100, joinOverSec: 30, behind: 0.5 }),
    scenario(
      "abr",
      5,
      { ...LIVE, bitratesBps: [400_000, 800_000, 1_600_000, 3_200_000] },
      { peers: 100, joinOverSec: 30 },
      { downlink: 4, downlinkSigma: 0.8 },
    ),
    scenario("nats", 5, LIVE, { peers: 200, joinOverSec: 60, churnPerMin: 0.2 }, { nats: PUBLISHED_NATS }),
    scenario("nats-mobile", 5, LIVE, { peers: 200, joinOverSec: 60, churnPerMin: 0.2 }, { nats: MOBILE_NATS }),
    scenario("providers", 4, LIVE, { peers: 200, joinOverSec: 60, providers: 4 }),
    scenario("signed-100", 3, LIVE, { peers: 100, integrity: "signed" }),
    scenario("liars-100", 3, LIVE, { peers: 100, integrity: "signed", liars: 0.5 }),
    scenario("spot-100", 3, LIVE, { peers: 100, integrity: "spot" }),
    scenario("liars-spot", 3, LIVE, { peers: 100, integrity: "spot", liars: 0.1 }),
    scenario("liars-spot-rare", 3, LIVE, { peers: 100, integrity: "spot", liars: 0.1, lies: 0.05 }),
    scenario("liars-spot-late", 3, LIVE, { peers: 100, integrity: "spot", liars: 0.1, liesAfter: 200 }),
    scenario("origin-half", 4, LIVE, { peers: 8, joinOverSec: 20 }, { cdnCapacity: 0.5 }),
    scenario("origin-outage", 3, VOD, { peers: 20, joinOverSec: 40 }, { originDown: [60, 90] }),
  ].map((entry) => [entry.name, entry]),
);

/** The bitrate lines are measured by. @param {Content} content */
export function middleBps({ bitratesBps }) {
  return /** @type {number} */ (bitratesBps[bitratesBps.length >> 1]);
}
