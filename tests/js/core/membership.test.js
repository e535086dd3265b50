import assert from "node:assert/strict";
import { test } from "node:test";
import { seeded } from "../../../bench/sim/random.js";
import { NEIGHBOURS_MAX } from "../../../static/js/core/constants.js";
import { Membership } from "../../../static/js/core/membership.js";
import {
  CONNECT_TIMEOUT_MS,
  DIALS_AT_ONCE,
  FIRST_DIALS,
  MOVED_SILENCE_MS,
  SETTLE_MS,
  WANT_AGAIN_MAX_MS,
  WANT_AGAIN_MS,
} from "../../../static/js/core/tuning.js";

const CONTENT = "ab".repeat(20);
const SESSION = "00".repeat(8);
const US = "5".repeat(20);

/** @param {string | number} digit @returns {string} a peer id */
const peer = (digit) => String(digit).padStart(20, "0");

/** @param {Membership} membership @returns {Record<string, any>[]} */
const commands = (membership) => /** @type {any[]} */ (membership.takeCommands());

/** @param {string[]} neighbours @param {number} [clusterSize] */
const welcome = (neighbours, clusterSize = neighbours.length + 1) => ({
  type: "welcome",
  peer: US,
  neighbours,
  cluster_size: clusterSize,
  ice_servers: [{ urls: "stun:stun.example" }],
  ping_interval_ms: 25_000,
  report_interval_ms: 30_000,
});

/** @param {string[]} neighbours @param {{ wanted?: number, clusterSize?: number, begun?: boolean }} [options] */
function joined(neighbours, { wanted = 8, clusterSize, begun = true } = {}) {
  const membership = new Membership(CONTENT, SESSION, wanted, seeded(1));
  membership.start();
  membership.socketOpened(0);
  membership.messageReceived(welcome(neighbours, clusterSize), 0);
  if (begun) membership.settled(0);
  return membership;
}

/** @param {Membership} membership @param {string} type */
const only = (membership, type) => commands(membership).filter((command) => command.type === type);

test("a joiner says who it is, then dials whom the tracker names, with the tracker's ICE servers", () => {
  const membership = new Membership(CONTENT, SESSION, 8, seeded(1));
  membership.start();
  assert.deepEqual(commands(membership), [{ type: "openSocket" }]);
  membership.socketOpened(0);
  const [join] = commands(membership);
  assert.deepEqual(join?.message, { type: "join", content: CONTENT, session: SESSION, want: 8 });
  membership.messageReceived(welcome([peer(1), peer(2), US]), 5);
  const dials = only(membership, "dial");
  assert.equal(dials.length, 2);
  assert.deepEqual(dials[0]?.iceServers, [{ urls: "stun:stun.example" }]);
});

test("before the player has begun only a few are dialled, and never many at once", () => {
  const names = Array.from({ length: 8 }, (_, index) => peer(index + 1));
  const membership = joined(names, { begun: false });
  assert.equal(only(membership, "dial").length, FIRST_DIALS);
  membership.settled(200);
  assert.equal(only(membership, "dial").length, DIALS_AT_ONCE - FIRST_DIALS);
  membership.linkOpened(1, 300);
  assert.equal(only(membership, "dial").length, 1);
});

test("an offer that comes before the player has begun is taken up when it has", () => {
  const membership = joined([], { begun: false });
  commands(membership);
  membership.messageReceived({ type: "offer", from: peer(9), sdp: "o" }, 10);
  membership.messageReceived({ type: "candidate", from: peer(9), candidate: "c", mid: "0", line: 0 }, 20);
  membership.messageReceived({ type: "offer", from: peer(8), sdp: "o" }, 30);
  membership.messageReceived({ type: "gone", peer: peer(8) }, 40);
  assert.deepEqual(only(membership, "accept"), []);
  membership.settled(300);
  const taken = commands(membership);
  assert.deepEqual(
    taken.map(({ type }) => type),
    ["accept", "candidate"],
  );
});

test("a player that does not begin is not waited for", () => {
  const membership = joined([peer(1), peer(2), peer(3)], { begun: false });
  assert.equal(only(membership, "dial").length, FIRST_DIALS);
  assert.equal(membership.nextTimerMs, SETTLE_MS);
  membership.timerFired(SETTLE_MS);
  assert.equal(only(membership, "dial").length, 1);
});

test("signals go to the peer behind the link, and the answer reaches the link that offered", () => {
  const membership = joined([peer(1)]);
  const [dial] = only(membership, "dial");
  membership.localSignal(dial?.link, { type: "offer", sdp: "o" });
  assert.deepEqual(only(membership, "sendMessage")[0]?.message, { type: "offer", sdp: "o", to: peer(1) });
  membership.messageReceived({ type: "answer", from: peer(1), sdp: "a" }, 1);
  membership.messageReceived({ type: "candidate", from: peer(1), candidate: "c", mid: "0", line: 0 }, 1);
  membership.messageReceived({ type: "answer", from: peer(9), sdp: "not asked" }, 1);
  assert.deepEqual(
    commands(membership).map((command) => command.type),
    ["answered", "candidate"],
  );
});

test("when both dial at once, one connection is left and both know which", () => {
  for (const [them, stands] of /** @type {const} */ ([
    [peer(1), "theirs"],
    ["9".repeat(20), "ours"],
  ])) {
    const membership = joined([them]);
    const [dial] = only(membership, "dial");
    membership.messageReceived({ type: "offer", from: them, sdp: "o" }, 1);
    const after = commands(membership);
    if (stands === "ours") assert.deepEqual(after, []);
    else assert.deepEqual([after[0]?.type, after[0]?.link, after[1]?.type], ["hangUp", dial?.link, "accept"]);
  }
});

test("offers beyond the bound are declined", () => {
  const membership = joined([]);
  for (let index = 0; index < NEIGHBOURS_MAX + 3; index++) {
    membership.messageReceived({ type: "offer", from: peer(index), sdp: "o" }, 1);
  }
  const after = commands(membership);
  assert.equal(after.filter((command) => command.type === "accept").length, NEIGHBOURS_MAX);
  assert.equal(after.filter((command) => command.message?.type === "decline").length, 3);
});

test("a declined, gone or lost peer makes room for the next", () => {
  const membership = joined([peer(1), peer(2), peer(3), peer(4)], { wanted: 1 });
  for (const type of ["decline", "gone"]) {
    const [dial] = only(membership, "dial");
    assert.ok(dial);
    membership.messageReceived(type === "gone" ? { type, peer: peer(2) } : { type, from: peer(1) }, 1);
  }
  const after = only(membership, "dial");
  assert.equal(after.length, 1);
  membership.linkClosed(after[0]?.link, 2);
  assert.equal(only(membership, "dial").length, 1);
});

test("a connection that does not open in time is hung up", () => {
  const membership = joined([peer(1)]);
  membership.timerFired(CONNECT_TIMEOUT_MS - 1);
  assert.equal(only(membership, "hangUp").length, 0);
  membership.timerFired(CONNECT_TIMEOUT_MS);
  assert.equal(only(membership, "hangUp").length, 1);
});

test("too few neighbours in a larger cluster: more are asked for, without those there are", () => {
  const membership = joined([peer(1)], { clusterSize: 9 });
  const [dial] = only(membership, "dial");
  membership.linkOpened(dial?.link, 0);
  for (let nowMs = 0; nowMs <= 20_000; nowMs += 500) membership.timerFired(nowMs);
  const [want] = only(membership, "sendMessage").filter((command) => command.message.type === "want");
  assert.deepEqual(want?.message, { type: "want", count: 7, except: [peer(1)] });
});

/** @param {Membership} membership @param {number} fromMs @param {number} untilMs @param {string[]} [answer] @returns {number[]} when it asked for more */
function asked(membership, fromMs, untilMs, answer = []) {
  const times = [];
  for (let nowMs = fromMs; nowMs < untilMs; nowMs += 500) {
    membership.timerFired(nowMs);
    const types = only(membership, "sendMessage").map(({ message }) => message.type);
    if (types.includes("ping")) membership.messageReceived({ type: "pong" }, nowMs);
    if (!types.includes("want")) continue;
    times.push(nowMs);
    membership.messageReceived({ type: "neighbours", neighbours: answer }, nowMs);
  }
  return times;
}

test("a tracker that has nobody is asked less often, up to once in two minutes; again soon when a neighbour is lost", () => {
  const membership = joined([peer(1)], { clusterSize: 9 });
  const [dial] = only(membership, "dial");
  membership.linkOpened(dial?.link, 0);
  const times = asked(membership, 0, 1_200_000);
  const waits = times.slice(1).map((at, index) => at - /** @type {number} */ (times[index]));
  assert.ok(/** @type {number} */ (times[0]) <= 2 * WANT_AGAIN_MS);
  assert.ok(
    waits.slice(4).every((wait) => wait >= WANT_AGAIN_MAX_MS && wait <= 2 * WANT_AGAIN_MAX_MS + 500),
    String(waits),
  );
  membership.linkClosed(dial?.link, 1_200_000);
  const [next] = asked(membership, 1_200_000, 1_300_000);
  assert.ok(next !== undefined && next <= 1_200_000 + 2 * WANT_AGAIN_MS + 500);
});

test("a tracker that names somebody is asked as often as ever", () => {
  const membership = joined([], { clusterSize: 9 });
  asked(membership, 0, 400_000);
  const [first, second, third] = asked(membership, 400_000, 800_000, [peer(2)]);
  assert.ok(first && second && third && third - second <= 2 * WANT_AGAIN_MS + 500);
});

test("a tracker that dies is met again within ten seconds of its return, and open links stay", () => {
  for (let seed = 0; seed < 200; seed++) {
    const membership = new Membership(CONTENT, SESSION, 8, seeded(seed));
    membership.start();
    membership.socketOpened(0);
    membership.messageReceived(welcome([peer(1)]), 0);
    const [dial] = only(membership, "dial");
    membership.linkOpened(dial?.link, 0);
    const back = 1000 + seed * 200; // away for up to 40 s
    membership.socketClosed(0);
    let nowMs = 0;
    for (;;) {
      nowMs = membership.nextTimerMs;
      membership.timerFired(nowMs);
      const after = commands(membership);
      assert.ok(!after.some((command) => command.type === "hangUp"));
      if (!after.some((command) => command.type === "openSocket")) continue;
      if (nowMs >= back) break;
      membership.socketClosed(nowMs);
    }
    assert.ok(nowMs - back <= 10_000, `seed ${seed}: ${nowMs - back} ms after its return`);
  }
});

test("a tracker that is gone for long is not stormed", () => {
  const membership = joined([]);
  commands(membership);
  let attempts = 0;
  membership.socketClosed(0);
  for (let nowMs = membership.nextTimerMs; nowMs < 3_600_000; nowMs = membership.nextTimerMs) {
    membership.timerFired(nowMs);
    attempts += only(membership, "openSocket").length;
    membership.socketClosed(nowMs);
  }
  assert.ok(attempts < 150, `${attempts} attempts in an hour`);
});

test("a restart is obeyed: the socket closes, and opens again within the window given", () => {
  const membership = joined([]);
  membership.messageReceived({ type: "restart", reconnect_min_ms: 1000, reconnect_max_ms: 3000 }, 100);
  assert.equal(only(membership, "closeSocket").length, 1);
  assert.ok(membership.nextTimerMs >= 1100 && membership.nextTimerMs <= 3100);
});

test("a full tracker is asked again later, when it says; one that does not want us is not asked again", () => {
  const membership = new Membership(CONTENT, SESSION, 8, seeded(1));
  membership.start();
  membership.socketOpened(0);
  membership.messageReceived({ type: "error", code: "full", message: "", retry_after_ms: 7000 }, 10);
  assert.ok(only(membership, "closeSocket").length === 1 && membership.state === "waiting");
  assert.ok(membership.nextTimerMs >= 7010 && membership.nextTimerMs <= 14_010);
  membership.timerFired(membership.nextTimerMs);
  membership.socketOpened(20_000);
  membership.socketClosed(20_001, 4401);
  assert.equal(membership.state, "refused");
  assert.equal(membership.nextTimerMs, Number.POSITIVE_INFINITY);
});

test("a tracker that has forgotten us is joined again on the same socket", () => {
  const membership = joined([]);
  commands(membership);
  membership.messageReceived({ type: "error", code: "not_joined", message: "" }, 10);
  assert.equal(only(membership, "sendMessage")[0]?.message.type, "join");
});

test("a silent tracker is given up", () => {
  const membership = joined([]);
  commands(membership);
  let closed = false;
  for (let nowMs = 0; nowMs < 120_000 && !closed; nowMs = membership.nextTimerMs) {
    membership.timerFired(nowMs);
    closed = only(membership, "closeSocket").length > 0;
  }
  assert.ok(closed);
  assert.equal(membership.state, "waiting");
});

test("a neighbour's new name is used, and it is not dialled again under it", () => {
  const membership = joined([peer(1)], { wanted: 2 });
  const [dial] = only(membership, "dial");
  membership.linkOpened(dial?.link, 0);
  membership.renamed(dial?.link, peer(7));
  membership.messageReceived({ type: "neighbours", neighbours: [peer(7)] }, 5);
  assert.equal(only(membership, "dial").length, 0);
});

test("stop leaves the swarm and hangs up on everybody", () => {
  const membership = joined([peer(1), peer(2)]);
  commands(membership);
  membership.stop();
  const types = commands(membership).map((command) => command.message?.type ?? command.type);
  assert.deepEqual(types, ["leave", "closeSocket", "hangUp", "hangUp"]);
  assert.equal(membership.nextTimerMs, Number.POSITIVE_INFINITY);
});

test("numbers beyond reason are brought within it", () => {
  const membership = joined([]);
  commands(membership);
  for (const clusterSize of [Number.POSITIVE_INFINITY, -5, Number.NaN, "many"]) {
    membership.messageReceived({ type: "hint", cluster_size: clusterSize }, 1);
    assert.ok(membership.clusterSize >= 1 && membership.clusterSize <= 1e7);
  }
  membership.messageReceived({ ...welcome([]), ping_interval_ms: 0, report_interval_ms: -1 }, 2);
  let turns = 0;
  for (let nowMs = membership.nextTimerMs; nowMs < 10_000; nowMs = membership.nextTimerMs) {
    membership.timerFired(nowMs);
    turns++;
  }
  assert.ok(turns < 40, `${turns} turns in 10 s`);
});

test("a name another link has cannot be taken", () => {
  const membership = joined([peer(1), peer(2)]);
  const [first, second] = only(membership, "dial");
  membership.linkOpened(second?.link, 0);
  membership.renamed(second?.link, peer(1));
  membership.messageReceived({ type: "answer", from: peer(1), sdp: "a" }, 1);
  assert.equal(only(membership, "answered")[0]?.link, first?.link);
});

test("whatever a tracker sends, it is survived", () => {
  const membership = joined([peer(1)]);
  const bad = [
    { type: "welcome" },
    { type: "welcome", neighbours: 5, ice_servers: "x", cluster_size: "many" },
    { type: "neighbours", neighbours: [1, null, {}] },
    { type: "offer" },
    { type: "answer" },
    { type: "candidate", from: peer(1) },
    { type: "hint", cluster_size: null },
    { type: "restart" },
    { type: "later-version" },
  ];
  for (const message of bad) membership.messageReceived(message, 1);
  assert.ok(Number.isFinite(membership.nextTimerMs));
});

/** Where the tracker says nothing of it. */
const SPOT = { mode: "spot", keys: new Map(), digests: "" };

test("the tracker says which cells we are in and which of them is our cluster, and again when that changes", () => {
  const membership = new Membership(CONTENT, SESSION, 8, seeded(1));
  membership.start();
  membership.socketOpened(0);
  const cells = [1, -1, "2", 2 ** 32, 1.5, null, 2 ** 32 - 1, 3, 4, 5, 6, 7, 8, 9];
  membership.messageReceived({ ...welcome([], 40), cells, cluster: 3 }, 0);
  assert.deepEqual(only(membership, "joined"), [
    { type: "joined", peer: US, cells: [1, 2 ** 32 - 1, 3, 4, 5, 6, 7, 8], integrity: SPOT, cluster: 3, clusterSize: 40 },
  ]);
  membership.messageReceived({ type: "hint", cluster_size: 50, cluster: 4 }, 0);
  membership.messageReceived({ type: "hint", cluster_size: 500, cluster: "x" }, 0);
  assert.deepEqual(only(membership, "clustered"), [
    { type: "clustered", cluster: 4, clusterSize: 50 },
    { type: "clustered", cluster: null, clusterSize: 500 },
  ]);
});

test("a tracker that knows no places says nothing of them", () => {
  const [command] = only(joined([]), "joined");
  assert.deepEqual([command?.cells, command?.cluster], [[], null]);
});

test("a report names neighbours as the tracker knows them, and none that are gone", () => {
  const membership = joined([peer(1), peer(2)]);
  commands(membership);
  membership.renamed(1, peer(7));
  membership.linkClosed(2, 0);
  membership.report({
    totals: { peer_bytes: 1 },
    rtts: [
      [1, 12],
      [2, 30],
    ],
    received: [
      [1, 100],
      [2, 200],
    ],
    holdings: [],
  });
  const [report] = only(membership, "sendMessage");
  const named = { rtts: { [peer(7)]: 12 }, received: { [peer(7)]: 100 } };
  assert.deepEqual(report?.message, { type: "report", peer_bytes: 1, ...named, holdings: [] });
});

test("a report says how far the tracker is, once a ping was answered", () => {
  const membership = joined([]);
  const pingMs = 25_000;
  membership.timerFired(pingMs);
  assert.ok(only(membership, "sendMessage").some(({ message }) => /** @type {any} */ (message).type === "ping"));
  membership.messageReceived({ type: "pong" }, pingMs + 40);
  membership.report({ totals: {}, rtts: [], received: [], holdings: [] });
  const [report] = only(membership, "sendMessage");
  assert.equal(/** @type {any} */ (report)?.message.tracker_rtt_ms, 40);
});

/** @param {import("../../../static/js/core/membership.js").Terms} terms */
function started(terms) {
  const membership = new Membership(CONTENT, SESSION, 8, seeded(1), terms);
  membership.start();
  return membership;
}

/** @param {Membership} membership */
const sent = (membership) => only(membership, "sendMessage").map(({ message }) => message);

test("what the page claims goes with the join", () => {
  const claims = { site: "news", name: "cdn.example/live.m3u8", token: "t" };
  const membership = started({ claims });
  membership.socketOpened(0);
  assert.deepEqual(sent(membership), [{ type: "join", content: CONTENT, session: SESSION, want: 8, ...claims }]);
});

test("a token that is made for each join is waited for, whichever of it and the socket comes first", () => {
  for (const order of ["socket", "token"]) {
    const membership = started({ claims: { site: "news" }, asksToken: true });
    assert.deepEqual(
      commands(membership).map(({ type }) => type),
      ["openSocket", "needToken"],
    );
    if (order === "socket") membership.socketOpened(0);
    else membership.tokenReady("one");
    assert.deepEqual(sent(membership), []);
    if (order === "socket") membership.tokenReady("one");
    else membership.socketOpened(0);
    assert.equal(sent(membership)[0]?.token, "one");
    membership.messageReceived(welcome([]), 1);
    membership.messageReceived({ type: "error", code: "not_joined", message: "" }, 2);
    assert.equal(only(membership, "needToken").length, 1);
    membership.tokenReady(null);
    const [again] = sent(membership);
    assert.deepEqual([again?.type, again?.site, again?.token], ["join", "news", undefined]);
    membership.tokenReady("late");
    assert.deepEqual(sent(membership), []);
  }
});

test("a refused token is made anew after a second, then later and later, then never; a welcome starts over", () => {
  const membership = started({ asksToken: true });
  let nowMs = 0;
  const refuse = () => {
    commands(membership);
    membership.socketOpened(nowMs);
    membership.tokenReady("bad");
    membership.messageReceived({ type: "error", code: "unauthorized", message: "" }, nowMs);
    assert.equal(only(membership, "closeSocket").length, 1);
    membership.socketClosed(nowMs, 4401);
  };
  for (const leastMs of [1000, 8000, 64_000]) {
    refuse();
    const waitMs = membership.nextTimerMs - nowMs;
    assert.ok(waitMs >= leastMs && waitMs <= 2 * leastMs, `${waitMs} ms`);
    nowMs = membership.nextTimerMs;
    membership.timerFired(nowMs);
    assert.equal(only(membership, "needToken").length, 1);
  }
  refuse();
  assert.deepEqual([membership.state, membership.nextTimerMs], ["refused", Number.POSITIVE_INFINITY]);
});

test("a refused token that does not change is not shown again", () => {
  const membership = started({ claims: { token: "bad" } });
  membership.socketOpened(0);
  membership.messageReceived({ type: "error", code: "unauthorized", message: "", retry_after_ms: 1000 }, 0);
  assert.deepEqual([membership.state, membership.nextTimerMs], ["refused", Number.POSITIVE_INFINITY]);
});

test("who is sent away hangs up, waits for nobody, and comes back when it may and not with all others", () => {
  for (const [message, leastMs] of /** @type {const} */ ([
    [{ type: "error", code: "off", message: "", retry_after_ms: 60_000 }, 60_000],
    [{ type: "error", code: "banned", message: "", retry_after_ms: 60_000 }, 600_000],
    [{ type: "error", code: "banned", message: "", retry_after_ms: 7_200_000 }, 7_200_000],
    [null, 600_000],
  ])) {
    const membership = joined([peer(1), peer(2)]);
    const [open] = only(membership, "dial");
    membership.linkOpened(open?.link, 0);
    commands(membership);
    if (message) membership.messageReceived(message, 10);
    else membership.socketClosed(10, 4403);
    const after = commands(membership);
    assert.equal(after.filter(({ type }) => type === "hangUp").length, 2);
    assert.ok(after.some(({ type, clusterSize }) => type === "clustered" && clusterSize === 1));
    assert.equal(membership.state, message?.code ?? "off");
    membership.socketClosed(11, 4403);
    const waitMs = membership.nextTimerMs - 10;
    assert.ok(waitMs >= leastMs && waitMs <= 1.5 * leastMs, `${waitMs} ms`);
    membership.timerFired(membership.nextTimerMs);
    assert.equal(only(membership, "openSocket").length, 1);
  }
});

test("who is kept to compare with reports, dials nobody, and declines", () => {
  const membership = joined([], { clusterSize: 9 });
  commands(membership);
  membership.messageReceived({ ...welcome([peer(1)], 9), sharing: false }, 5);
  const after = commands(membership);
  assert.ok(!after.some(({ type }) => type === "dial"));
  assert.equal(after.filter(({ type }) => type === "clustered").at(-1)?.clusterSize, 1);
  membership.messageReceived({ type: "offer", from: peer(3), sdp: "o" }, 6);
  assert.deepEqual(sent(membership), [{ type: "decline", to: peer(3) }]);
  membership.messageReceived({ type: "hint", cluster_size: 50 }, 7);
  membership.messageReceived({ type: "neighbours", neighbours: [peer(4)] }, 7);
  for (let nowMs = 10; nowMs < 60_000; nowMs += 1000) {
    membership.timerFired(nowMs);
    membership.messageReceived({ type: "pong" }, nowMs);
  }
  const types = commands(membership).map(({ type, message }) => message?.type ?? type);
  assert.ok(types.includes("reportDue") && !types.includes("want") && !types.includes("dial") && !types.includes("clustered"));
  assert.deepEqual([membership.state, membership.apart], ["joined", "holdout"]);
});

test("where only relays may be used and none is named, nobody is dialled, and it is said", () => {
  for (const [servers, apart] of /** @type {[unknown, string | null][]} */ ([
    [[], "no-relay"],
    [[{ urls: "stun:stun.example" }, null, {}], "no-relay"],
    [[{ urls: ["stun:stun.example", "turns:turn.example"] }], null],
  ])) {
    const membership = started({ relayOnly: true });
    membership.socketOpened(0);
    membership.messageReceived({ ...welcome([peer(1)]), ice_servers: servers }, 0);
    const after = commands(membership).map(({ type }) => type);
    assert.equal(after.includes("noRelay"), apart !== null);
    assert.equal(after.includes("dial"), apart === null);
    assert.equal(membership.apart, apart);
  }
});

test("who sent wrong bytes is accused by the name the tracker knows it by, not by the one it gives itself", () => {
  const membership = joined([peer(1)]);
  commands(membership);
  membership.renamed(1, peer(7));
  membership.banned(1, true);
  const told = only(membership, "sendMessage").map(({ message }) => message);
  assert.deepEqual(told, [{ type: "accuse", peer: peer(1) }]);
  membership.linkClosed(1, 0);
  commands(membership);
  for (const [from, taken] of /** @type {const} */ ([
    [peer(1), 0],
    [peer(7), 1],
  ])) {
    membership.messageReceived({ type: "offer", from, sdp: "v=0" }, 60_000);
    membership.timerFired(60_000);
    assert.equal(only(membership, "accept").length, taken, from);
  }
});

test("who may not have known that it sent wrong bytes is not accused", () => {
  const membership = joined([peer(1)]);
  commands(membership);
  membership.banned(1, false);
  assert.deepEqual(only(membership, "sendMessage"), []);
});

// ---- ways to others ----

const TURN = { urls: "turn:turn.example", username: "u", credential: "c" };
const RELAY = { policy: "fallback", servers: [TURN], ttl_ms: 600_000, rate_bps: 800_000 };

/** @param {string[]} neighbours @param {object} [relay] */
function joinedWithRelay(neighbours, relay = RELAY) {
  const membership = new Membership(CONTENT, SESSION, 8, seeded(1));
  membership.start();
  membership.socketOpened(0);
  membership.messageReceived({ ...welcome(neighbours), relay }, 0);
  membership.settled(0);
  return membership;
}

/** @param {string} fingerprint */
const sdpOf = (fingerprint) => `v=0\r\na=fingerprint:sha-256 ${fingerprint}\r\n`;

/** @param {Membership} membership */
const messages = (membership) => only(membership, "sendMessage").map(({ message }) => message);

test("a member tells the tracker of its NAT, once, and again when it joins again", () => {
  const membership = joined([]);
  commands(membership);
  membership.natSeen({ mapping: "independent", ipv6: true }, 10);
  membership.natSeen({ mapping: "independent", ipv6: true }, 20);
  assert.deepEqual(messages(membership), [{ type: "nat", mapping: "independent", ipv6: true }]);
  membership.socketClosed(30);
  membership.timerFired(5000);
  membership.socketOpened(5000);
  membership.messageReceived(welcome([]), 5000);
  assert.deepEqual(
    messages(membership).filter(({ type }) => type === "nat"),
    [{ type: "nat", mapping: "independent", ipv6: true }],
  );
});

test("whose NAT is hard asks at once for whom it can reach", () => {
  const membership = joined([], { clusterSize: 5 });
  commands(membership);
  membership.natSeen({ mapping: "dependent", ipv6: false }, 10);
  membership.timerFired(membership.nextTimerMs);
  assert.deepEqual(
    messages(membership).map(({ type }) => type),
    ["nat", "want"],
  );
});

test("a peer that cannot be reached is not tried again, and the tracker hears of it", () => {
  const membership = joined([peer(1)], { clusterSize: 9 });
  commands(membership);
  membership.messageReceived({ type: "answer", from: peer(1), sdp: sdpOf("AA") }, 100);
  membership.timerFired(CONNECT_TIMEOUT_MS);
  assert.equal(only(membership, "hangUp").length, 1);
  membership.messageReceived({ type: "neighbours", neighbours: [peer(1), peer(2)] }, CONNECT_TIMEOUT_MS + 1);
  assert.equal(only(membership, "dial").length, 1);
  membership.messageReceived({ type: "answer", from: peer(2), sdp: sdpOf("BB") }, CONNECT_TIMEOUT_MS + 2);
  membership.linkOpened(2, CONNECT_TIMEOUT_MS + 3);
  membership.report({ totals: {}, rtts: [], received: [], holdings: [] });
  const [report] = messages(membership).filter(({ type }) => type === "report");
  assert.deepEqual(report.attempts, { [peer(1)]: false, [peer(2)]: true });
});

test("who never answered says nothing of NATs", () => {
  const membership = joined([peer(1)]);
  membership.timerFired(CONNECT_TIMEOUT_MS);
  membership.messageReceived({ type: "neighbours", neighbours: [peer(1)] }, CONNECT_TIMEOUT_MS + 1);
  assert.equal(only(membership, "dial").length, 2);
});

test("a relay is taken to whom the direct way failed, or leaves no hope, and only then", () => {
  const membership = joinedWithRelay([peer(1), peer(2)]);
  for (const dial of only(membership, "dial")) assert.deepEqual([dial.way, dial.iceServers.length], ["direct", 1]);
  membership.messageReceived({ type: "decline", from: peer(1), why: "nat" }, 50);
  assert.equal(only(membership, "dial").length, 0, "one is still being tried");
  membership.messageReceived({ type: "answer", from: peer(2), sdp: sdpOf("AA") }, 100);
  membership.timerFired(CONNECT_TIMEOUT_MS);
  const dials = only(membership, "dial");
  assert.deepEqual(
    dials.map(({ way, iceServers }) => [way, iceServers.includes(TURN)]),
    [
      ["relay", true],
      ["relay", true],
    ],
  );
  membership.localSignal(dials[0]?.link, { type: "offer", sdp: "o" });
  assert.equal(messages(membership)[0]?.relay, true);
});

test("a declined offer is no reason for a relay", () => {
  const membership = joinedWithRelay([peer(1)]);
  commands(membership);
  membership.messageReceived({ type: "decline", from: peer(1) }, 50);
  membership.timerFired(CONNECT_TIMEOUT_MS);
  assert.deepEqual(only(membership, "dial"), []);
});

test("where all must go through a relay they do", () => {
  const membership = joinedWithRelay([peer(1)], { ...RELAY, policy: "only" });
  assert.equal(only(membership, "dial")[0]?.way, "relay-only");
  membership.messageReceived({ type: "offer", from: peer(9), sdp: "o" }, 10);
  assert.equal(only(membership, "accept")[0]?.way, "relay-only");
});

test("credentials are renewed while there is time", () => {
  const membership = joinedWithRelay([]);
  commands(membership);
  membership.messageReceived({ type: "pong" }, 479_000);
  membership.timerFired(480_000);
  assert.ok(messages(membership).some(({ type }) => type === "ice"));
  membership.messageReceived({ type: "ice", ice_servers: [], relay: RELAY }, 480_100);
  assert.ok(membership.nextTimerMs <= 480_100 + 480_000);
  assert.deepEqual(only(membership, "limitRelayed")[0]?.bytesPerMs, 100);
});

/** Two neighbours: 1 offered by us, 2 by it. */
function connected() {
  const membership = joined([peer(1)]);
  membership.messageReceived({ type: "answer", from: peer(1), sdp: sdpOf("AA") }, 100);
  membership.linkOpened(1, 200);
  membership.messageReceived({ type: "offer", from: peer(2), sdp: sdpOf("BB") }, 300);
  membership.linkOpened(2, 400);
  commands(membership);
  return membership;
}

test("who offered looks for another way when nothing comes through, but not all the time", () => {
  const membership = connected();
  membership.linkDisturbed(1, 1000);
  membership.linkDisturbed(2, 1000);
  membership.linkDisturbed(1, 2000);
  assert.deepEqual(only(membership, "restart"), [{ type: "restart", link: 1 }]);
  membership.localSignal(1, { type: "offer", sdp: sdpOf("CC") });
  membership.messageReceived({ type: "answer", from: peer(1), sdp: sdpOf("AA") }, 2100);
  membership.messageReceived({ type: "candidate", from: peer(1), candidate: "c", mid: "0", line: 0 }, 2200);
  assert.deepEqual(
    commands(membership).map(({ type }) => type),
    ["sendMessage", "answered", "candidate"],
  );
  for (let atMs = 20_000; atMs < 300_000; atMs += 10_000) membership.linkDisturbed(1, atMs);
  assert.ok(only(membership, "restart").length < 10);
});

test("in another network the tracker is asked first, then the neighbours are brought over", () => {
  const membership = connected();
  membership.networkChanged(1000);
  assert.deepEqual(
    messages(membership).map(({ type }) => type),
    ["ping"],
  );
  membership.messageReceived({ type: "pong" }, 1040);
  assert.deepEqual(
    only(membership, "restart").map(({ link }) => link),
    [1, 2],
  );
});

test("a tracker that is silent after that is connected to again, and open links are brought over then", () => {
  const membership = connected();
  membership.networkChanged(1000);
  commands(membership);
  membership.timerFired(1000 + MOVED_SILENCE_MS);
  assert.equal(only(membership, "closeSocket").length, 1);
  const againMs = membership.nextTimerMs;
  membership.timerFired(againMs);
  membership.socketOpened(againMs);
  membership.messageReceived({ ...welcome([]), peer: "4".repeat(20) }, againMs);
  assert.equal(only(membership, "restart").length, 2);
});

test("a neighbour that comes by another network is known by its certificate, under whatever name", () => {
  const membership = connected();
  membership.messageReceived({ type: "offer", from: peer(7), sdp: sdpOf("bb") }, 1000);
  assert.deepEqual(only(membership, "restarted"), [{ type: "restarted", link: 2, sdp: sdpOf("bb") }]);
  membership.localSignal(2, { type: "answer", sdp: sdpOf("DD") });
  assert.equal(messages(membership)[0]?.to, peer(7));
  membership.messageReceived({ type: "candidate", from: peer(7), candidate: "c", mid: "0", line: 0 }, 1100);
  assert.equal(only(membership, "candidate").length, 1);
});

test("an offer with another certificate is a stranger's, and candidates out of season are nobody's", () => {
  const membership = connected();
  membership.messageReceived({ type: "offer", from: peer(7), sdp: sdpOf("EE") }, 1000);
  assert.deepEqual(
    commands(membership).map(({ type }) => type),
    ["accept"],
  );
  membership.messageReceived({ type: "candidate", from: peer(1), candidate: "c", mid: "0", line: 0 }, 1000);
  membership.messageReceived({ type: "answer", from: peer(1), sdp: sdpOf("AA") }, 1000);
  membership.messageReceived({ type: "gone", peer: peer(1) }, 1000);
  assert.deepEqual(commands(membership), []);
});

test("of two that look at once the lower id's offer stands", () => {
  const membership = connected();
  membership.linkDisturbed(1, 1000);
  commands(membership);
  membership.messageReceived({ type: "offer", from: "9".repeat(20), sdp: sdpOf("AA") }, 1100); // above ours
  assert.deepEqual(only(membership, "restarted"), []);
  membership.messageReceived({ type: "offer", from: peer(1), sdp: sdpOf("AA") }, 1200);
  assert.equal(only(membership, "restarted").length, 1);
});

test("nobody can make us look for ways for ever", () => {
  const membership = connected();
  let count = 0;
  for (let atMs = 1000; atMs < 1_000_000; atMs += 10_000) {
    membership.messageReceived({ type: "offer", from: peer(2), sdp: sdpOf("BB") }, atMs);
    count += only(membership, "restarted").length;
  }
  assert.equal(count, 8);
});

test("an offer of whom the direct way did not reach is answered by a relay too", () => {
  const membership = joinedWithRelay([peer(1)]);
  membership.messageReceived({ type: "decline", from: peer(1), why: "nat" }, 50);
  commands(membership); // it dials by a relay itself
  membership.messageReceived({ type: "offer", from: peer(1), sdp: sdpOf("AA") }, 60); // of the lower id: that stands
  assert.equal(only(membership, "accept")[0]?.way, "relay");
});

test("who offers again has given up what both had begun: it is answered, by a relay where there is one", () => {
  const membership = joinedWithRelay([peer(9)]);
  membership.messageReceived({ type: "answer", from: peer(9), sdp: sdpOf("AA") }, 50);
  commands(membership);
  const higher = "9".repeat(20);
  membership.messageReceived({ type: "offer", from: peer(9), sdp: sdpOf("BB") }, 6000);
  assert.equal(only(membership, "accept")[0]?.way, "relay");
  membership.messageReceived({ type: "neighbours", neighbours: [higher] }, 6000);
  membership.messageReceived({ type: "answer", from: higher, sdp: sdpOf("CC") }, 6100);
  membership.messageReceived({ type: "offer", from: higher, sdp: sdpOf("DD") }, 9000);
  assert.equal(only(membership, "accept").length, 1, "though its id is above ours");
});

test("a member that has joined again does not dial itself under its last name", () => {
  const membership = joined([]);
  membership.socketClosed(10);
  membership.timerFired(5000);
  membership.socketOpened(5000);
  commands(membership);
  membership.messageReceived({ ...welcome([US, peer(3)]), peer: "4".repeat(20) }, 5000);
  assert.equal(only(membership, "dial").length, 1);
});
