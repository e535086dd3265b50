import assert from "node:assert/strict";
import { test } from "node:test";
import { isRelayed, PeerConnection } from "../../../static/js/io/peer-connection.js";

/** @typedef {import("../../../static/js/io/peer-connection.js").Signal} Signal */

/** A browser's connection that writes down what it is given. */
class FakeConnection {
  /** @type {FakeConnection | null} */
  static last = null;
  /** @type {string[]} */
  candidates = [];
  /** @type {{ type: string, sdp: string } | null} */
  remoteDescription = null;
  /** @type {{ sdp: string } | null} */
  localDescription = null;
  /** @type {((event: { candidate: unknown }) => void) | null} */
  onicecandidate = null;
  /** @param {RTCConfiguration} configuration */
  constructor(configuration) {
    this.configuration = configuration;
    FakeConnection.last = this;
  }
  createDataChannel() {
    return {};
  }
  createOffer() {
    return Promise.resolve({ sdp: OURS });
  }
  createAnswer() {
    return Promise.resolve({ sdp: OURS });
  }
  /** @param {{ sdp: string }} description */
  setLocalDescription(description) {
    this.localDescription = description;
    return Promise.resolve();
  }
  /** @param {{ type: string, sdp: string }} description */
  setRemoteDescription(description) {
    this.remoteDescription = description;
    return Promise.resolve();
  }
  /** @param {{ candidate: string }} init */
  addIceCandidate({ candidate }) {
    this.candidates.push(candidate);
    return Promise.resolve();
  }
  close() {}
}

/** @param {string} address @param {string} [type] */
const line = (address, type = "host") => `candidate:1 1 udp 2113937151 ${address} 50000 typ ${type}`;
const MDNS = "1f0b4a1c-9c2e-4d53-8a77-0123456789ab.local";
const OURS = `v=0\r\nm=application 50000 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 192.168.1.7\r\na=${line("192.168.1.7")}\r\n`;
const THEIRS = `v=0\r\na=${line("127.0.0.1")}\r\na=${line("192.168.1.20")}\r\na=${line("198.51.100.7")}\r\na=end-of-candidates\r\n`;

/** @param {import("../../../static/js/core/candidates.js").Addresses} addresses */
function connectionOf(addresses) {
  const globals = /** @type {Record<string, unknown>} */ (/** @type {unknown} */ (globalThis));
  globals.RTCPeerConnection = FakeConnection;
  /** @type {Signal[]} */
  const signals = [];
  const nothing = () => {};
  const events = { signal: (/** @type {Signal} */ signal) => void signals.push(signal) };
  const connection = new PeerConnection(
    [],
    {
      opened: nothing,
      gathered: nothing,
      routed: nothing,
      disturbed: nothing,
      received: nothing,
      drained: nothing,
      closed: nothing,
      ...events,
    },
    addresses,
  );
  delete globals.RTCPeerConnection;
  const browser = /** @type {FakeConnection} */ (FakeConnection.last);
  const gather = (/** @type {string} */ candidate) =>
    browser.onicecandidate?.({ candidate: { candidate, sdpMid: "0", sdpMLineIndex: 0 } });
  return { connection, browser, signals, gather };
}

const turnOfEvents = () => new Promise((resolve) => setTimeout(resolve, 0));

test("a stranger's description and candidates reach the browser without what it must not send to", async () => {
  const { connection, browser, gather } = connectionOf("all");
  connection.candidate(line("10.0.0.1"), "0", 0); // before the offer
  connection.candidate(line("203.0.113.9"), "0", 0);
  connection.answer(THEIRS);
  await turnOfEvents();
  assert.equal(browser.remoteDescription?.sdp, "v=0\r\n");
  assert.deepEqual(browser.candidates, [line("203.0.113.9"), line("198.51.100.7")]);
  gather(line("192.168.1.7")); // now we are known to be in that network ourselves
  assert.deepEqual(browser.candidates.slice(2), [line("192.168.1.20")]);
  connection.candidate("", "0", 0);
  assert.equal(browser.candidates.length, 3);
});

test("all of our own is told by default", async () => {
  const { connection, browser, signals, gather } = connectionOf("all");
  connection.offer();
  await turnOfEvents();
  gather(line(MDNS));
  browser.onicecandidate?.({ candidate: null });
  assert.equal(browser.configuration.iceTransportPolicy, "all");
  assert.deepEqual(
    signals.map((signal) => (signal.type === "candidate" ? signal.candidate : signal.sdp)),
    [OURS, line(MDNS), ""],
  );
});

test("what is to stay private is in no signal of ours", async () => {
  for (const mode of /** @type {const} */ (["public", "relay"])) {
    const { connection, browser, signals, gather } = connectionOf(mode);
    connection.offer();
    await turnOfEvents();
    for (const address of [MDNS, "192.168.1.7", "fd00::7"]) gather(line(address));
    gather(`${line("198.51.100.7", "srflx")} raddr 192.168.1.7 rport 50000`);
    const told = JSON.stringify(signals);
    assert.ok(!told.includes("192.168") && !told.includes(".local") && !told.includes("fd00"), told);
    assert.ok(told.includes("198.51.100.7"));
    assert.equal(browser.configuration.iceTransportPolicy, mode === "relay" ? "relay" : "all");
  }
});

/** @param {Record<string, object>} stats @returns {RTCStatsReport} */
const reportOf = (stats) => /** @type {RTCStatsReport} */ (/** @type {unknown} */ (new Map(Object.entries(stats))));

test("a connection is relayed when either end of its chosen pair is, as each browser tells of it", () => {
  const candidates = { us: { candidateType: "host" }, turn: { candidateType: "relay" }, them: { candidateType: "srflx" } };
  const pair = { type: "candidate-pair", localCandidateId: "us", remoteCandidateId: "them" };
  const relayed = { ...pair, localCandidateId: "turn" };
  const transport = { type: "transport", selectedCandidatePairId: "p" };
  assert.equal(isRelayed(reportOf({ ...candidates, p: pair, q: relayed, transport })), false);
  assert.equal(isRelayed(reportOf({ ...candidates, p: relayed, q: pair, transport })), true);
  assert.equal(isRelayed(reportOf({ ...candidates, p: { ...pair, remoteCandidateId: "turn" }, transport })), true);
  assert.equal(isRelayed(reportOf({ ...candidates, p: { ...relayed, selected: true }, q: pair })), true);
  assert.equal(isRelayed(reportOf({ ...candidates, p: relayed, q: { ...pair, selected: true } })), false);
  assert.equal(isRelayed(reportOf({})), false);
});
