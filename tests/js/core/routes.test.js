import assert from "node:assert/strict";
import { test } from "node:test";
import { WANT_MAX } from "../../../static/js/core/constants.js";
import { Routes } from "../../../static/js/core/routes.js";
import { RELAY_BELOW, RELAY_LINKS_MAX, TRY_AGAIN_MS, UNREACHED_MAX } from "../../../static/js/core/tuning.js";

const STUN = { urls: "stun:stun.example" };
const TURN = { urls: ["turn:turn.example"], username: "1:a", credential: "c" };

/** @param {object} [relay] @param {boolean} [relayOnly] */
function routesOf(relay, relayOnly = false) {
  const routes = new Routes(relayOnly);
  routes.configure({ type: "welcome", ice_servers: [STUN], ...(relay ? { relay } : {}) }, 0);
  return routes;
}

const FALLBACK = { policy: "fallback", servers: [TURN], ttl_ms: 600_000, rate_bps: 800_000 };

test("connections begin without a relay, and take it when they have to", () => {
  const routes = routesOf(FALLBACK);
  assert.deepEqual(routes.route(), { way: "direct", iceServers: [STUN] });
  assert.deepEqual(routes.route(true), { way: "relay", iceServers: [STUN, TURN] });
  assert.deepEqual(routesOf().route(true), { way: "direct", iceServers: [STUN] });
});

test("who gets no UDP through takes it at once", () => {
  const routes = routesOf(FALLBACK);
  routes.learned({ mapping: "blocked", ipv6: false });
  assert.equal(routes.route().way, "relay");
  routes.moved();
  assert.equal(routes.route().way, "direct");
});

test("where nothing but a relay may be used all go through it", () => {
  for (const routes of [routesOf({ ...FALLBACK, policy: "only" }), routesOf(FALLBACK, true)]) {
    assert.deepEqual(routes.route(), { way: "relay-only", iceServers: [STUN, TURN] });
    assert.equal(routes.isCutOff, false);
  }
  assert.equal(routesOf(undefined, true).isCutOff, true);
  assert.equal(routesOf({ policy: "only", servers: [] }).route().way, "direct");
});

test("a page that wants relays only may have them of the servers that all are given", () => {
  const routes = new Routes(true);
  routes.configure({ type: "welcome", ice_servers: [TURN] }, 0);
  assert.equal(routes.isCutOff, false);
});

test("credentials are renewed before they end, and what a tracker says of that is bounded", () => {
  const routes = routesOf(FALLBACK);
  assert.equal(routes.renewMs, 480_000);
  assert.equal(routes.relayBytesPerMs, 100);
  for (const [ttl, leastMs, mostMs] of [
    [1, 60_000, 60_000],
    [1e18, 60_000, 24 * 3_600_000],
    ["soon", Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY],
  ]) {
    const { renewMs } = routesOf({ ...FALLBACK, ttl_ms: ttl });
    assert.ok(renewMs >= Number(leastMs) && renewMs <= Number(mostMs), `${ttl}: ${renewMs}`);
  }
  assert.equal(routesOf({ ...FALLBACK, rate_bps: -1 }).relayBytesPerMs, Number.POSITIVE_INFINITY);
});

test("who could not be reached is not tried again for a while, and by a relay once", () => {
  const routes = routesOf(FALLBACK);
  routes.attempted("a", false, 0);
  routes.parted("b", 10);
  assert.deepEqual(routes.unreached(20), ["b", "a"]);
  assert.deepEqual(routes.relayable(20), ["b", "a"]);
  routes.relayed("b");
  routes.parted("b", 30);
  assert.deepEqual(routes.relayable(40), ["a"]);
  assert.equal(routes.isUnreached("a", TRY_AGAIN_MS), false);
  assert.equal(routes.isUnreached("b", TRY_AGAIN_MS), true);
  routes.attempted("b", true, 50);
  assert.equal(routes.isUnreached("b", 60), false);
});

test("attempts are told once, and tables are bounded", () => {
  const routes = routesOf(FALLBACK);
  for (let index = 0; index < 10 * UNREACHED_MAX; index++) routes.attempted(`p${index}`, index % 2 === 0, index);
  assert.ok(routes.unreached(0).length <= UNREACHED_MAX);
  assert.equal(Object.keys(routes.takeAttempts()).length, WANT_MAX); // more the tracker would refuse
  assert.deepEqual(routes.takeAttempts(), {});
});

test("relays are for who has nearly nobody, and few", () => {
  const routes = routesOf(FALLBACK);
  assert.equal(routes.wantsRelay(0, 0), true);
  assert.equal(routes.wantsRelay(RELAY_BELOW, 0), false);
  assert.equal(routes.wantsRelay(0, RELAY_LINKS_MAX), false);
  assert.equal(routesOf().wantsRelay(0, 0), false);
});

test("another network is another chance, and a known NAT is no news", () => {
  const routes = routesOf(FALLBACK);
  routes.parted("a", 0);
  assert.equal(routes.learned({ mapping: "dependent", ipv6: false }), true);
  assert.equal(routes.learned({ mapping: "dependent", ipv6: false }), false);
  assert.equal(routes.learned({ mapping: "dependent", ipv6: true }), true);
  routes.moved();
  assert.equal(routes.isUnreached("a", 1), false);
  assert.equal(routes.learned({ mapping: "dependent", ipv6: true }), true);
});

test("the first connections ask both STUN ports, all others one, and again in another network", () => {
  const both = { urls: ["stun:s.example:3478", "stun:s.example:3479"] };
  const routes = new Routes(false);
  routes.configure({ type: "welcome", ice_servers: [both, STUN] }, 0);
  const asked = () => routes.route().iceServers.map(({ urls }) => [urls].flat().length);
  assert.deepEqual([asked(), asked(), asked()], [[2, 1], [2, 1], [1, 1]]); // biome-ignore format: a table
  routes.moved();
  assert.deepEqual(asked(), [2, 1]);
  const turn = { ...TURN, urls: ["turn:t.example", "turn:t.example?transport=tcp"] };
  routes.configure({ type: "ice", ice_servers: [turn] }, 0);
  assert.equal(asked()[0], 2, "those of TURN are ways, not questions");
  const hosts = { urls: ["stun:a.example:3478", "stun:a.example:3479", "stun:[2001:db8::1]:3478", "stun:[2001:db8::1]:3479"] };
  const dual = new Routes(false);
  dual.configure({ type: "welcome", ice_servers: [hosts] }, 0);
  for (let index = 0; index < 2; index++) dual.route();
  assert.deepEqual(dual.route().iceServers[0]?.urls, ["stun:a.example:3478", "stun:[2001:db8::1]:3478"]);
});
