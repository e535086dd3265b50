import assert from "node:assert/strict";
import { test } from "node:test";
import { Gathering } from "../../../static/js/core/nat.js";

const SERVERS = [{ urls: ["stun:stun.example:3478", "stun:stun.example:3479"] }];
const MDNS = "1f0b4a1c-9c2e-4d53-8a77-0123456789ab.local";

/** @param {string} address @param {number} [port] */
const host = (address, port = 50_000) => `candidate:1 1 udp 2113937151 ${address} ${port} typ host generation 0`;

/** @param {string} seen  address and port @param {string} base @param {string} [foundation] */
const reflexive = (seen, base, foundation = "2") => {
  const [address, port] = base.split(" ");
  return `candidate:${foundation} 1 UDP 1677729535 ${seen} typ srflx raddr ${address} rport ${port} generation 0 ufrag a`;
};

/** @param {string[]} lines @param {{ silent?: string[], servers?: RTCIceServer[], expired?: boolean }} [circumstances] */
function natOf(lines, { silent = [], servers = SERVERS, expired = false } = {}) {
  const gathering = new Gathering(servers);
  for (const line of lines) gathering.candidate(line);
  for (const url of silent) gathering.failed(url);
  if (expired) gathering.expired();
  return gathering.nat;
}

const HIDDEN = "0.0.0.0 0";
const SILENT = /** @type {string[]} */ (SERVERS.flatMap(({ urls }) => urls));

test("one port for both STUN servers is a mapping that does not depend on the destination", () => {
  const expected = { mapping: "independent", ipv6: false };
  assert.deepEqual(natOf([host("192.168.1.7"), reflexive("203.0.113.9 61000", "192.168.1.7 50000")]), expected);
  assert.deepEqual(natOf([host(MDNS), reflexive("203.0.113.9 61000", HIDDEN)]), expected);
});

test("another port for each is one that does, whether the browser tells of its socket or not", () => {
  for (const base of ["192.168.1.7 50000", HIDDEN]) {
    const lines = [reflexive("203.0.113.9 61000", base), reflexive("203.0.113.9 61001", base)];
    assert.equal(natOf(lines)?.mapping, "dependent");
  }
  const byAddress = [reflexive("203.0.113.9 61000", "10.0.0.2 5000", "8"), reflexive("203.0.113.9 61001", "10.0.0.2 5000", "9")];
  assert.equal(natOf(byAddress)?.mapping, "dependent");
});

test("two interfaces that look different are no such mapping", () => {
  const open = [reflexive("203.0.113.9 61000", "192.168.1.7 50000"), reflexive("198.51.100.4 61001", "10.8.0.2 50001", "3")];
  const hidden = [reflexive("203.0.113.9 61000", HIDDEN, "4"), reflexive("198.51.100.4 61001", HIDDEN, "5")];
  for (const lines of [open, hidden]) assert.equal(natOf(lines)?.mapping, "independent");
});

test("an address that looks the same from without is none", () => {
  assert.equal(natOf([host("203.0.113.9"), reflexive("203.0.113.9 50000", "203.0.113.9 50000")])?.mapping, "none");
  assert.equal(natOf([host("203.0.113.9")])?.mapping, "none");
});

test("who hears nothing of any STUN server is behind what lets no UDP through", () => {
  assert.equal(natOf([host("192.168.1.7")], { silent: SILENT })?.mapping, "blocked");
  assert.equal(natOf([host(MDNS)], { silent: SILENT })?.mapping, "blocked");
});

test("who has heard nothing when time is up is so too, and who has heard one of two is not judged", () => {
  assert.equal(natOf([host(MDNS)], { expired: true })?.mapping, "blocked");
  assert.equal(natOf([host("203.0.113.9")], { expired: true }), null);
  const one = [host("192.168.1.7"), reflexive("203.0.113.9 61000", "192.168.1.7 50000")];
  assert.equal(natOf(one, { expired: true })?.mapping, "independent", "two were asked, and none is known to be silent");
  assert.equal(natOf(one, { expired: true, silent: SILENT.slice(1) }), null);
});

test("what cannot be told is not", () => {
  const one = [host("192.168.1.7"), reflexive("203.0.113.9 61000", "192.168.1.7 50000")];
  assert.equal(natOf(one, { silent: [/** @type {string} */ (SILENT[0])] }), null);
  assert.equal(natOf(one, { servers: [{ urls: "stun:stun.example" }] }), null);
  assert.equal(natOf([host("192.168.1.7")], { servers: [] }), null);
  assert.equal(natOf([host("203.0.113.9")], { silent: SILENT }), null);
  assert.equal(natOf([host("2001:db9::7")], { silent: SILENT }), null, "IPv6 alone, and a STUN server without it");
  assert.equal(natOf([]), null);
});

test("a TURN server is no STUN server", () => {
  const servers = [...SERVERS, { urls: "turn:turn.example", username: "u", credential: "c" }];
  const found = natOf([host("192.168.1.7")], { servers, silent: [...SILENT, "turn:turn.example"] });
  assert.equal(found?.mapping, "blocked");
});

test("a public IPv6 address is told of, and has no part in the mapping", () => {
  const lines = [
    host("192.168.1.7"),
    host("2a00:1450::7"),
    reflexive("203.0.113.9 61000", "192.168.1.7 50000"),
    reflexive("2a00:1450::7 50000", "2a00:1450::7 50000", "7"),
  ];
  assert.deepEqual(natOf(lines), { mapping: "independent", ipv6: true });
  assert.equal(natOf([host("fd00::7"), reflexive("203.0.113.9 61000", "192.168.1.7 50000")])?.ipv6, false);
});

test("other lines are nothing to it", () => {
  for (const line of ["", "candidate:", "x".repeat(2000), "candidate:1 1 tcp 1 203.0.113.9 9 typ host tcptype active"]) {
    assert.equal(natOf([line]), null);
  }
});
