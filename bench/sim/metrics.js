/** What came of a run, as plain numbers. Bytes of the CDN are read from its own log, never from what peers say. */

/** @typedef {import("./simulation.js").Simulation} Simulation */
/** @typedef {import("./peer.js").SimPeer} SimPeer */

/** Segments younger than this at the end are still on their way. */
const UNFINISHED_SEC = 20;
/** Who is there for so long should have found somebody. */
const STAYED_MS = 30_000;

/** @param {number} value @param {number} [digits] */
const round = (value, digits = 3) => (Number.isFinite(value) ? Number(value.toFixed(digits)) : null);

/** @param {number[]} values @param {number} share @returns {number} NaN of none */
export function quantile(values, share) {
  if (values.length === 0) return Number.NaN;
  const sorted = [...values].sort((one, other) => one - other);
  return /** @type {number} */ (sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1 + (share === 0 ? 1 : 0))]);
}

/** @param {number[]} values */
const sum = (values) => values.reduce((total, value) => total + value, 0);

/** Of how unequally something is spread: 0 all the same, 1 all with one. @param {number[]} values */
export function gini(values) {
  const sorted = [...values].sort((one, other) => one - other);
  const total = sum(sorted);
  if (total === 0) return 0;
  const weighted = sum(sorted.map((value, index) => (index + 1) * value));
  return (2 * weighted) / (sorted.length * total) - (sorted.length + 1) / sorted.length;
}

/** @param {number[]} values */
const spread = (values) => ({
  median: round(quantile(values, 0.5)),
  p95: round(quantile(values, 0.95)),
  max: round(quantile(values, 1)),
});

/** What a viewer saw: the same with and without the library. @param {Simulation} simulation */
export function experience(simulation) {
  const { viewers, levels, endMs } = simulation;
  const live = levels[0]?.live ?? false;
  const players = viewers.map(({ player }) => player);
  const started = players.filter(({ firstFrameMs }) => firstFrameMs !== null);
  const staying = viewers.filter(
    ({ peer, player, visit }) => !peer.gone && player.firstFrameMs !== null && !visit.player.behindSec,
  );
  const watchedMin = simulation.presentMs / 60_000;
  return {
    viewers: viewers.length,
    concurrent: round(simulation.presentMs / endMs, 1),
    stalls: sum(players.map(({ stalls }) => stalls)),
    stalledViewers: players.filter(({ stalls }) => stalls > 0).length,
    stalledSec: round(sum(players.map(({ stalledMs }) => stalledMs)) / 1000),
    stallsPerViewerHour: round((60 * sum(players.map(({ stalls }) => stalls))) / watchedMin),
    stalledSecPerViewer: round(sum(players.map(({ stalledMs }) => stalledMs)) / 1000 / viewers.length),
    failures: sum(players.map(({ failures }) => failures)),
    wrongSegments: sum(players.map(({ wrongSegments }) => wrongSegments)),
    neverStarted: viewers.filter(({ peer, player }) => player.firstFrameMs === null && !peer.gone).length,
    startupMs: spread(started.map(({ firstFrameMs }) => /** @type {number} */ (firstFrameMs))),
    latencySec: live ? spread(staying.map(({ player }) => player.latencySec)) : null,
    meanKbps: round(
      sum(players.map(({ playedBits }) => playedBits)) /
        1000 /
        sum(players.map((player) => player.playedSegments * player.stream.durationSec)),
      0,
    ),
  };
}

/** @param {Simulation} simulation  with the library */
export function sharing(simulation) {
  const { world } = simulation;
  return {
    ...delivery(simulation),
    spreadMs: dissemination(simulation),
    fetches: fetches(simulation),
    ...traffic(simulation.world.peers),
    ...lies(simulation),
    tracker: { messages: world.tracker?.messages ?? 0, bytes: world.tracker?.bytes ?? 0 },
    neighbours: neighbours(simulation),
    connecting: connecting(simulation),
  };
}

/**
 * What came of attempts, and what viewers behind each kind of NAT have of it: neighbours now and then, the part of their bytes that
 * came of peers, and how many never had a neighbour though they were there for half a minute.
 * @param {Simulation} simulation
 */
function connecting({ world, neighboursByNat, endMs }) {
  const kinds = Object.fromEntries(
    [...neighboursByNat].map(([kind, counts]) => {
      const peers = world.peers.filter(({ nat }) => nat === kind);
      const stayed = peers.filter(({ joinedMs, leftMs }) => Math.min(leftMs, endMs) - joinedMs > STAYED_MS);
      const peerBytes = sum(peers.map(({ ledger }) => ledger.peerBytes));
      const allBytes = peerBytes + sum(peers.map(({ ledger }) => ledger.cdnBytes));
      const alone = stayed.filter(({ ledger }) => ledger.peerBytes === 0).length;
      const neighbours = round(sum(counts) / counts.length, 2);
      return [kind, { viewers: peers.length, neighbours, peerShare: round(peerBytes / allBytes), stayed: stayed.length, alone }];
    }),
  );
  return { ...world.attempts, kinds };
}

/** What became of those who send wrong bytes. @param {Simulation} simulation */
function lies({ viewers, world }) {
  const liars = viewers.filter(({ visit }) => (visit.shape.lies ?? 0) > 0).map(({ peer }) => /** @type {SimPeer} */ (peer));
  const honest = world.peers.filter((peer) => !liars.includes(peer));
  const caught = liars.filter(({ bans }) => bans > 0);
  return {
    liars: liars.length,
    liarsBanned: caught.length,
    honestBanned: honest.filter(({ bans }) => bans > 0).length,
    rejectedShare: round(
      sum(honest.map(({ ledger }) => ledger.rejectedBytes)) / sum(honest.map(({ ledger }) => ledger.peerBytes)),
      5,
    ),
  };
}

/** What the CDN sent. @param {Simulation} simulation */
function delivery(simulation) {
  const { world, warmMs, endMs, levels, warm, consumedBytes } = simulation;
  const stream = /** @type {import("./stream.js").Stream} */ (levels[0]);
  const whole = world.cdn.totals();
  const lastNumber = stream.newest(endMs - UNFINISHED_SEC * 1000);
  const fresh = (/** @type {number} */ number) => stream.appearsMs(number) >= warmMs && number <= lastNumber;
  const steady = world.cdn.totals(stream.live ? fresh : () => true);
  const bound = (/** @type {number} */ presentMs, /** @type {number} */ overMs) => round(1 - overMs / presentMs, 4);
  return {
    copies: round(whole.sent / whole.unique),
    copiesWarm: stream.live ? round(steady.sent / steady.unique) : null,
    copiesOfFirst: stream.live ? null : Array.from({ length: 10 }, (_, index) => copiesOf(simulation, index)),
    offload: round(1 - whole.sent / consumedBytes, 4),
    offloadWarm: round(1 - (whole.sent - warm.originBytes) / (consumedBytes - warm.consumedBytes), 4),
    bound: bound(simulation.presentMs, endMs),
    boundWarm: bound(simulation.warmPresentMs, endMs - warmMs),
    // Every segment once: the least there can be, also where viewers watch different parts at different times.
    boundOnceEach: round(1 - whole.unique / consumedBytes, 4),
    originBytes: whole.sent,
    consumedBytes,
    originRequests: world.cdn.requests,
    worstSegment: worst(simulation, fresh),
  };
}

/** @param {Simulation} simulation @param {number} number */
function copiesOf({ world }, number) {
  const { sent, unique } = world.cdn.totals((other) => other === number);
  return round(sent / unique, 2);
}

/** The segment of which the CDN sent most copies, after the warm-up. @param {Simulation} simulation @param {(number: number) => boolean} fresh */
function worst({ world, levels }, fresh) {
  let copies = 0;
  if (levels[0]?.live)
    for (const [url, { bytes }] of world.cdn.log)
      if (fresh(Number(url.slice(url.lastIndexOf("/") + 1)))) copies = Math.max(copies, bytes / world.resource(url).length);
  return round(copies, 2);
}

/**
 * Live: from a segment's appearance at the origin until half, 95 % and all of those present (all the time, and at the live edge)
 * have it whole; the same from when the first playlist showed it.
 * @param {Simulation} simulation
 */
function dissemination(simulation) {
  const { levels, warmMs, endMs, viewers, heldMs, listedMs } = simulation;
  const stream = /** @type {import("./stream.js").Stream} */ (levels[0]);
  if (!stream.live) return null;
  /** @type {Record<string, number[]>} */
  const delays = { half: [], most: [], all: [], listed: [], halfListed: [], mostListed: [], allListed: [] };
  for (const [number, flat] of heldMs) {
    const bornMs = stream.appearsMs(number);
    const untilMs = bornMs + UNFINISHED_SEC * 1000;
    if (bornMs < warmMs || untilMs > endMs) continue;
    const times = new Map();
    for (let index = 0; index < flat.length; index += 2) times.set(flat[index], flat[index + 1]);
    const present = viewers.filter(
      ({ peer, visit }) => peer.joinedMs + 5000 < bornMs && peer.leftMs > untilMs && !visit.player.behindSec,
    );
    const held = present.map(({ peer }) => (times.get(peer.index) ?? Number.POSITIVE_INFINITY) - bornMs);
    if (held.length === 0) continue;
    const listed = (listedMs.get(number) ?? Number.POSITIVE_INFINITY) - bornMs;
    for (const [name, share] of /** @type {const} */ ([
      ["half", 0.5],
      ["most", 0.95],
      ["all", 1],
    ])) {
      const delay = quantile(held, share);
      delays[name]?.push(delay);
      delays[`${name}Listed`]?.push(delay - listed);
    }
    delays.listed?.push(listed);
  }
  return Object.fromEntries(
    Object.entries(delays).map(([name, values]) => [
      name,
      { median: round(quantile(values, 0.5), 0), p95: round(quantile(values, 0.95), 0) },
    ]),
  );
}

/**
 * Live, after the warm-up: when the CDN was asked for a segment, in milliseconds since it appeared. Early ones are races of
 * those who had not heard of each other, late ones are what peers did not deliver in time.
 * @param {Simulation} simulation
 */
function fetches({ world, levels, warmMs, endMs }) {
  const stream = /** @type {import("./stream.js").Stream} */ (levels[0]);
  if (!stream.live) return null;
  const requests = (world.cdn.history ?? []).filter(({ number }) => {
    const bornMs = stream.appearsMs(number);
    return bornMs >= warmMs && bornMs <= endMs - UNFINISHED_SEC * 1000;
  });
  /** @type {Map<number, number>} */
  const first = new Map();
  for (const { number, atMs } of requests) if (!first.has(number)) first.set(number, atMs);
  const late = requests.map(({ number, atMs }) => atMs - stream.appearsMs(number));
  const early = requests.filter(({ number, atMs }) => atMs - /** @type {number} */ (first.get(number)) < 500).length;
  return {
    perSegment: round(requests.length / first.size, 2),
    within500MsOfFirst: round(early / first.size, 2),
    ranged: round(requests.filter(({ ranged }) => ranged).length / requests.length),
    aborted: round(requests.filter(({ aborted }) => aborted).length / requests.length),
    firstMs: spread([...first].map(([number, atMs]) => atMs - stream.appearsMs(number))),
    atMs: spread(late),
  };
}

/** What peers sent each other. @param {SimPeer[]} peers */
function traffic(peers) {
  const staying = peers.filter(({ joinedMs, leftMs, world }) => Math.min(leftMs, world.clock.nowMs) - joinedMs >= 30_000);
  const ratios = staying.map(({ ledger }) => ledger.sentBytes / Math.max(1, ledger.peerBytes + ledger.cdnBytes));
  const consumed = sum(peers.map(({ ledger }) => ledger.peerBytes + ledger.cdnBytes));
  const bulk = sum(peers.map((peer) => peer.bulk.sentBytes));
  const control = sum(peers.map((peer) => peer.control.sentBytes));
  const cdn = sum(peers.map((peer) => peer.cdnReceivedBytes));
  /** @type {Record<string, number>} */
  const ledger = {};
  for (const peer of peers) for (const [name, value] of Object.entries(peer.ledger)) ledger[name] = (ledger[name] ?? 0) + value;
  return {
    uploadRatio: { ...spread(ratios), gini: round(gini(staying.map((peer) => peer.ledger.sentBytes))) },
    uploadRatios: quantiles(ratios),
    wastedShare: round(sum(peers.map(({ ledger: own }) => own.wastedBytes)) / consumed, 4),
    controlShare: round(control / (control + bulk + cdn), 5),
    controlFrames: sum(peers.map((peer) => peer.control.sentFrames)),
    pieceFrames: sum(peers.map((peer) => peer.bulk.sentFrames)),
    ledger,
  };
}

/** For a plot: every fortieth. @param {number[]} values */
function quantiles(values) {
  return Array.from({ length: 41 }, (_, index) => round(quantile(values, index / 40)));
}

/** @param {Simulation} simulation */
function neighbours({ neighbourCounts }) {
  return {
    min: round(quantile(neighbourCounts, 0)),
    median: round(quantile(neighbourCounts, 0.5)),
    max: round(quantile(neighbourCounts, 1)),
  };
}
