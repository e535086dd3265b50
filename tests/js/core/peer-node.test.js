import assert from "node:assert/strict";
import { test } from "node:test";
import { PIECE_BYTES } from "../../../static/js/core/constants.js";
import { PeerNode } from "../../../static/js/core/peer-node.js";
import { CLAIM_HOPS_MAX, HIDDEN_TIMER_MS, STORE_FLOOR_BYTES } from "../../../static/js/core/tuning.js";
import {
  decodeFrame,
  encodeFrame,
  FRAME,
  REFUSED_CANCELLED,
  REFUSED_NOT_HELD,
  REFUSED_NOT_UPLOADING,
} from "../../../static/js/core/wire.js";
import { ref, source } from "../sources.js";

/** @typedef {import("../../../static/js/core/wire.js").Frame} Frame */

const OURS = "0000000000000001";
const THEIRS = "0000000000000002";

/** @param {Partial<import("../../../static/js/core/peer-node.js").NodeOptions>} [options] */
function nodeOf(options = {}) {
  return new PeerNode({ session: OURS, storeBytes: 1e9, uploadBytesPerMs: Number.POSITIVE_INFINITY, ...options }, 0);
}

/** @param {PeerNode} node @param {number} [link] @param {string} [session] @param {boolean} [offered] */
function greet(node, link = 1, session = THEIRS, offered = true) {
  node.neighbourOpened(link, offered, 0);
  say(node, { type: FRAME.HELLO, version: 2, session, peer: "aa".repeat(10), flags: 0 }, link);
  node.takeCommands();
}

const NAMED = { peer: "bb".repeat(10), cells: /** @type {number[]} */ ([]), cluster: /** @type {number | null} */ (null) };

/** A node in whose swarm nothing is checked. */
function trustingNode() {
  const node = nodeOf();
  node.joined({ ...NAMED, clusterSize: 2, integrity: { mode: "off", keys: new Map(), digests: "" } }, 0);
  return node;
}

/** @param {PeerNode} node @param {Frame} frame @param {number} [link] @param {number} [nowMs] */
function say(node, frame, link = 1, nowMs = 0) {
  node.frameReceived(link, encodeFrame(frame), nowMs);
}

/** @param {PeerNode} node @returns {(Frame & { to: number })[]} what it sent since last asked */
function sent(node) {
  return node.takeCommands().flatMap((command) => {
    const frame = command.type === "send" && decodeFrame(command.bytes);
    return frame ? [{ ...frame, to: command.type === "send" ? command.neighbour : 0 }] : [];
  });
}

/** @param {PeerNode} node @param {string} type */
const commands = (node, type) => node.takeCommands().filter((command) => command.type === type);

/** A node that holds segment 7, of two pieces. @param {Partial<import("../../../static/js/core/peer-node.js").NodeOptions>} [options] */
function holder(options) {
  const node = nodeOf(options);
  node.request(source, 0, 0);
  const [fetch] = commands(node, "fetch");
  assert.ok(fetch?.type === "fetch");
  node.fetchStarted(fetch.job, { partial: false, sizeBytes: PIECE_BYTES + 5 }, 10);
  node.fetchReceived(fetch.job, new Uint8Array(PIECE_BYTES + 5).fill(9), 20);
  node.fetchFinished(fetch.job, 30);
  node.takeCommands();
  return node;
}

test("both sides greet first, and tell what they hold", () => {
  const node = holder();
  node.neighbourOpened(1, true, 40);
  const types = sent(node).map((frame) => frame.type);
  assert.deepEqual(types, [FRAME.HELLO, FRAME.PING, FRAME.HAVE]);
});

test("a neighbour that speaks before its HELLO, another version, or nonsense is dropped", () => {
  const hello = { type: FRAME.HELLO, version: 9, session: THEIRS, peer: "aa".repeat(10), flags: 0 };
  for (const bytes of [encodeFrame({ type: FRAME.PING, nonce: 1 }), encodeFrame(hello), Uint8Array.of(2, 1), new Uint8Array(0)]) {
    const node = nodeOf();
    node.neighbourOpened(1, true, 0);
    node.frameReceived(1, bytes, 0);
    assert.equal(commands(node, "drop").length, 1);
    assert.equal(node.neighbourCount, 0);
  }
});

test("a connection to oneself is dropped", () => {
  const node = nodeOf();
  node.neighbourOpened(1, true, 0);
  say(node, { type: FRAME.HELLO, version: 2, session: OURS, peer: "aa".repeat(10), flags: 0 });
  assert.equal(commands(node, "drop").length, 1);
});

test("of two connections between two browsers both drop the same one", () => {
  /** @param {string} session @param {string} other @param {boolean} offeredFirst @returns {number[]} */
  const dropped = (session, other, offeredFirst) => {
    const node = nodeOf({ session });
    greet(node, 1, other, offeredFirst);
    node.neighbourOpened(2, !offeredFirst, 0);
    say(node, { type: FRAME.HELLO, version: 2, session: other, peer: "aa".repeat(10), flags: 0 }, 2);
    return commands(node, "drop").map((command) => (command.type === "drop" ? command.neighbour : 0));
  };
  // Link 1 was offered by the lower session in one run, by the higher in the other.
  assert.deepEqual(dropped(OURS, THEIRS, true), [2]);
  assert.deepEqual(dropped(THEIRS, OURS, false), [2]);
  assert.deepEqual(dropped(OURS, THEIRS, false), [1]);
  assert.deepEqual(dropped(THEIRS, OURS, true), [1]);
});

test("what is held is served, what is not is refused, what is beyond the end is ignored", () => {
  const node = holder();
  greet(node);
  say(node, { type: FRAME.REQUEST, ref, ranges: [[0, 5]] });
  const pieces = sent(node);
  node.drained(1, 0, 50); // one at a time: what a channel has cannot be taken back
  pieces.push(...sent(node).filter((frame) => frame.type !== FRAME.STATUS));
  assert.deepEqual(
    pieces.map((frame) => frame.type),
    [FRAME.PIECE, FRAME.PIECE],
  );
  say(node, { type: FRAME.REQUEST, ref: { ...ref, number: 8 }, ranges: [[0, 1]] });
  const [refusal] = sent(node);
  assert.ok(refusal?.type === FRAME.REFUSE && refusal.reason === REFUSED_NOT_HELD);
});

test("who does not upload says so, tells nothing and refuses", () => {
  const node = holder({ uploadBytesPerMs: 0 });
  node.neighbourOpened(1, true, 40);
  const [hello, ...rest] = sent(node);
  assert.ok(hello?.type === FRAME.HELLO && hello.flags === 1);
  assert.ok(!rest.some((frame) => frame.type === FRAME.HAVE));
  say(node, { type: FRAME.HELLO, version: 2, session: THEIRS, peer: "aa".repeat(10), flags: 0 });
  say(node, { type: FRAME.REQUEST, ref, ranges: [[0, 1]] });
  const refusal = sent(node).find((frame) => frame.type === FRAME.REFUSE);
  assert.ok(refusal?.type === FRAME.REFUSE && refusal.reason === REFUSED_NOT_UPLOADING);
});

test("a piece nobody asked for is not taken", () => {
  const node = nodeOf();
  greet(node);
  node.request(source, 10_000, 0);
  node.takeCommands();
  say(node, { type: FRAME.PIECE, ref, sizeBytes: 3, index: 0, payload: Uint8Array.of(1, 2, 3) });
  assert.equal(commands(node, "deliver").length, 0);
  assert.equal(node.ledger.wastedBytes, 3);
});

test("what a neighbour holds is asked of it while there is time, and delivered", () => {
  const node = trustingNode();
  greet(node);
  const { number: _, ...group } = ref;
  say(node, { type: FRAME.HAVE, group, ranges: [[7, 1]] });
  node.request(source, 10_000, 0);
  const [request] = sent(node);
  assert.ok(request?.type === FRAME.REQUEST);
  say(node, { type: FRAME.PIECE, ref, sizeBytes: 3, index: 0, payload: Uint8Array.of(1, 2, 3) }, 1, 50);
  const [delivery] = commands(node, "deliver");
  assert.ok(delivery?.type === "deliver");
  assert.deepEqual([...delivery.bytes], [1, 2, 3]);
  assert.equal(delivery.peerBytes, 3);
});

test("a segment that found no room with a busy neighbour is asked for as soon as there is some, before what is needed later", () => {
  const node = nodeOf();
  greet(node);
  const sizeBytes = 12 * PIECE_BYTES;
  const sources = [5, 6, 7].map((number) => ({ ...source, ref: { ...ref, number }, expectedBytes: sizeBytes }));
  const { number: _, ...group } = ref;
  say(node, { type: FRAME.HAVE, group, ranges: [[5, 3]] });
  for (const [at, one] of sources.entries()) node.request(one, 600000 + at, 1);
  /** @type {number[]} */
  const order = [];
  let waiting = sent(node);
  for (let nowMs = 2; waiting.length > 0; nowMs++) {
    assert.ok(nowMs < 100, "every segment is asked for long before its deadline");
    for (const frame of waiting) {
      assert.ok(frame.type === FRAME.REQUEST);
      for (const [first, count] of frame.ranges) {
        for (let index = first; index < first + count; index++) {
          order.push(frame.ref.number);
          say(node, { type: FRAME.PIECE, ref: frame.ref, sizeBytes, index, payload: new Uint8Array(PIECE_BYTES) }, 1, nowMs);
        }
      }
    }
    waiting = sent(node).filter(({ type }) => type === FRAME.REQUEST);
  }
  assert.equal(order.length, 36);
  assert.ok(order.lastIndexOf(5) < order.indexOf(7) && order.lastIndexOf(6) < order.lastIndexOf(7));
});

test("a claim is passed on once, not back, and not for ever", () => {
  const node = nodeOf();
  greet(node, 1, "00000000000000aa");
  greet(node, 2, "00000000000000bb");
  say(node, { type: FRAME.CLAIM, ref, hops: 0, claimant: THEIRS }, 1);
  say(node, { type: FRAME.CLAIM, ref, hops: 1, claimant: THEIRS }, 2);
  const passed = sent(node);
  assert.equal(passed.length, 1);
  assert.ok(passed[0]?.type === FRAME.CLAIM && passed[0].hops === 1 && passed[0].to === 2);
  say(node, { type: FRAME.CLAIM, ref: { ...ref, number: 9 }, hops: CLAIM_HOPS_MAX, claimant: THEIRS }, 1);
  assert.equal(sent(node).length, 0);
});

test("what a neighbour has word of is taken before our own playlist shows it, and never fetched without its URL", () => {
  const node = trustingNode();
  greet(node);
  const live = { ...source, live: true };
  node.request(live, 10_000, 0);
  const next = { ...ref, number: 8 };
  say(node, { type: FRAME.PROGRESS, ref: { ...ref, number: 12 }, sizeBytes: 3, ranges: [[0, 1]] });
  say(node, { type: FRAME.PROGRESS, ref: next, sizeBytes: 3, ranges: [[0, 1]] });
  const asked = sent(node).filter((frame) => frame.type === FRAME.REQUEST);
  assert.deepEqual(
    asked.map((frame) => (frame.type === FRAME.REQUEST ? frame.ref.number : 0)),
    [8],
  );
  say(node, { type: FRAME.PIECE, ref: next, sizeBytes: 3, index: 0, payload: Uint8Array.of(1, 2, 3) }, 1, 50);
  assert.ok(commands(node, "whole").length === 1);
  node.request({ ...live, ref: next, rangeStart: 10, rangeEnd: 13 }, 10_000, 100);
  const [delivery] = commands(node, "deliver");
  assert.ok(delivery?.type === "deliver" && delivery.peerBytes === 3);
});

test("a piece moves to another neighbour when the first has confirmed that it will not send it", () => {
  const node = nodeOf();
  greet(node, 1, "00000000000000aa");
  greet(node, 2, "00000000000000bb");
  const sizeBytes = 40 * PIECE_BYTES;
  say(node, { type: FRAME.PROGRESS, ref, sizeBytes, ranges: [[0, 40]] }, 1);
  node.request(source, 60_000, 0);
  assert.ok(sent(node).some((frame) => frame.type === FRAME.REQUEST && frame.to === 1));
  say(node, { type: FRAME.PROGRESS, ref, sizeBytes, ranges: [[0, 40]] }, 2, 10);
  const [moved, ...rest] = sent(node);
  assert.ok(moved?.type === FRAME.CANCEL && moved.to === 1 && rest.length === 0);
  say(node, { type: FRAME.REFUSE, ref, reason: REFUSED_CANCELLED, ranges: moved.ranges }, 1, 20);
  const again = sent(node).filter((frame) => frame.type === FRAME.REQUEST);
  assert.ok(again.some((frame) => frame.to === 2));
});

test("who lets a segment go hears that we hold it, at a cost that its frame does not set", () => {
  const node = holder();
  greet(node);
  const { number: _, ...group } = ref;
  const ranges = Array.from({ length: 1000 }, (_value, index) => /** @type {[number, number]} */ ([index * 1e9, 5e8]));
  say(node, { type: FRAME.DROP, group, ranges });
  const [told, ...rest] = sent(node);
  assert.ok(told?.type === FRAME.HAVE && told.to === 1 && rest.length === 0);
  assert.deepEqual(told.ranges, [[7, 1]]);
});

test("our own claim that comes round is no news", () => {
  const node = nodeOf();
  greet(node, 1, "00000000000000aa");
  greet(node, 2, "00000000000000bb");
  say(node, { type: FRAME.CLAIM, ref, hops: 1, claimant: OURS }, 1);
  assert.equal(sent(node).length, 0);
});

test("a claim keeps others from the CDN, until it dies or time is short", () => {
  const node = nodeOf();
  greet(node);
  node.joined({ ...NAMED, clusterSize: 2 }, 0);
  say(node, { type: FRAME.CLAIM, ref, hops: 0, claimant: THEIRS });
  node.request(source, 8000, 0);
  assert.equal(commands(node, "fetch").length, 0);
  let fetched = 0;
  for (let nowMs = 0; nowMs < 8000 && fetched === 0; nowMs += 10) {
    node.timerFired(nowMs);
    if (commands(node, "fetch").length > 0) fetched = nowMs;
  }
  assert.ok(fetched >= 1500 && fetched < 7000, `fetched after ${fetched} ms`);
});

test("a CDN failure with nobody to help is told to the player, with its status", () => {
  const node = nodeOf();
  const request = node.request(source, 0, 0);
  const [fetch] = commands(node, "fetch");
  assert.ok(fetch?.type === "fetch");
  node.fetchFailed(fetch.job, { status: 404, reason: "Not Found" }, 5);
  assert.deepEqual(commands(node, "fail"), [{ type: "fail", request, status: 404, reason: "Not Found" }]);
});

test("a neighbour that says it holds what it never sends cannot keep a CDN's failure from the player", () => {
  const node = nodeOf();
  greet(node);
  const { number: _, ...group } = ref;
  say(node, { type: FRAME.HAVE, group, ranges: [[7, 1]] });
  node.request(source, 3000, 0);
  let failedMs = 0;
  for (let nowMs = 0; nowMs < 60_000 && failedMs === 0; nowMs += 50) {
    node.timerFired(nowMs);
    for (let due = node.takeCommands(); due.length > 0; due = node.takeCommands()) {
      for (const command of due) {
        if (command.type === "fetch") node.fetchFailed(command.job, { status: 404, reason: "Not Found" }, nowMs);
        if (command.type === "fail") failedMs = nowMs;
      }
    }
  }
  assert.ok(failedMs > 0 && failedMs <= 12_000, `told after ${failedMs} ms`);
});

test("a CDN that is away for a while is asked again as long as there is time, then the player is told", () => {
  const node = nodeOf();
  node.request(source, 30_000, 0);
  let fetches = 0;
  let failedMs = 0;
  for (let nowMs = 0; nowMs < 30_000 && failedMs === 0; nowMs += 50) {
    node.timerFired(nowMs);
    for (let due = node.takeCommands(); due.length > 0; due = node.takeCommands()) {
      for (const command of due) {
        if (command.type === "fetch") node.fetchFailed(command.job, { status: fetches++ % 2 ? 503 : 0, reason: "" }, nowMs);
        if (command.type === "fail") failedMs = nowMs;
      }
    }
  }
  assert.ok(fetches >= 5 && fetches <= 12, `${fetches} fetches`);
  assert.ok(failedMs > 15_000 && failedMs <= 24_000, `told after ${failedMs} ms`);
});

test("a CDN that falls silent is given up, and the rest of the segment asked again", () => {
  const node = nodeOf();
  node.joined({ ...NAMED, clusterSize: 1 }, 0);
  node.request({ ...source, durationSec: 10 }, 60_000, 0);
  const [first] = commands(node, "fetch");
  assert.ok(first?.type === "fetch");
  node.fetchStarted(first.job, { partial: false, sizeBytes: 3 * PIECE_BYTES }, 10);
  node.fetchReceived(first.job, new Uint8Array(PIECE_BYTES + 5), 20);
  node.takeCommands();
  /** @type {import("../../../static/js/core/outbox.js").Command[]} */
  const after = [];
  for (let nowMs = 20; nowMs < 20_000; nowMs = node.nextTimerMs) {
    node.timerFired(nowMs);
    after.push(...node.takeCommands());
    if (after.some((command) => command.type === "fetch")) break;
  }
  assert.ok(after.some((command) => command.type === "abort" && command.job === first.job));
  const second = after.find((command) => command.type === "fetch");
  assert.ok(second?.type === "fetch");
  assert.deepEqual([second.rangeStart, second.rangeEnd], [PIECE_BYTES, 3 * PIECE_BYTES]);
});

test("a range refused by the CDN is answered by taking the whole", () => {
  const node = trustingNode();
  greet(node);
  say(node, { type: FRAME.PROGRESS, ref, sizeBytes: 3 * PIECE_BYTES, ranges: [[2, 1]] });
  node.request(source, 5000, 0);
  say(node, { type: FRAME.PIECE, ref, sizeBytes: 3 * PIECE_BYTES, index: 2, payload: new Uint8Array(PIECE_BYTES) }, 1, 40);
  node.takeCommands();
  /** @type {import("../../../static/js/core/outbox.js").FetchCommand | undefined} */
  let fetch;
  for (let nowMs = 40; nowMs < 5000 && !fetch; nowMs += 10) {
    node.timerFired(nowMs);
    const [command] = commands(node, "fetch");
    if (command?.type === "fetch") fetch = command;
  }
  assert.deepEqual([fetch?.rangeStart, fetch?.rangeEnd], [0, 2 * PIECE_BYTES]);
  const job = fetch?.job ?? 0;
  node.fetchStarted(job, { partial: false, sizeBytes: 3 * PIECE_BYTES }, 4900);
  node.fetchReceived(job, new Uint8Array(3 * PIECE_BYTES), 4950);
  assert.equal(commands(node, "deliver").length, 1);
});

test("a body longer than it said it was (compressed on its way) is delivered whole", () => {
  const node = nodeOf();
  node.request(source, 0, 0);
  const [fetch] = commands(node, "fetch");
  assert.ok(fetch?.type === "fetch");
  node.fetchStarted(fetch.job, { partial: false, sizeBytes: PIECE_BYTES }, 1);
  node.fetchReceived(fetch.job, new Uint8Array(1000), 2);
  node.fetchReceived(fetch.job, new Uint8Array(2 * PIECE_BYTES), 3);
  node.fetchFinished(fetch.job, 4);
  const [delivery] = commands(node, "deliver");
  assert.equal(delivery?.type === "deliver" && delivery.bytes.length, 2 * PIECE_BYTES + 1000);
});

test("a deadline that comes nearer is acted on", () => {
  const node = nodeOf();
  greet(node);
  say(node, { type: FRAME.CLAIM, ref, hops: 0, claimant: THEIRS });
  const request = node.request(source, 25_000, 0);
  assert.equal(commands(node, "fetch").length, 0);
  node.hasten(request, 500, 100);
  assert.equal(commands(node, "fetch").length, 1);
});

/** Runs a node against a CDN that has `body` and takes ranges or not, until it delivers. @param {PeerNode} node @param {Uint8Array} body @param {{ ranges?: boolean, lengths?: number | null }} [cdn] */
function runToEnd(node, body, { ranges = true, lengths = body.length } = {}) {
  let fetches = 0;
  for (let nowMs = 100; nowMs < 60_000; nowMs += 20) {
    node.timerFired(nowMs);
    for (let due = node.takeCommands(); due.length > 0; due = node.takeCommands()) {
      for (const command of due) {
        if (command.type === "deliver" || command.type === "fail") return { command, fetches };
        if (command.type !== "fetch") continue;
        fetches++;
        const partial = ranges && command.rangeStart !== null;
        const part = partial ? body.subarray(command.rangeStart ?? 0, command.rangeEnd ?? undefined) : body;
        node.fetchStarted(command.job, { partial, sizeBytes: partial ? part.length : lengths }, nowMs);
        for (let at = 0; at < part.length; at += 10_000) node.fetchReceived(command.job, part.slice(at, at + 10_000), nowMs);
        node.fetchFinished(command.job, nowMs);
      }
    }
  }
  return { command: null, fetches };
}

const body = Uint8Array.from({ length: 3 * PIECE_BYTES + 1000 }, (_, index) => index % 251);

test("a size that a neighbour lied about costs a fetch, not the segment", () => {
  const node = nodeOf();
  greet(node);
  say(node, { type: FRAME.PROGRESS, ref, sizeBytes: 10 * PIECE_BYTES + 5, ranges: [[0, 1]] });
  node.request(source, 3000, 0);
  say(node, { type: FRAME.PIECE, ref, sizeBytes: 10 * PIECE_BYTES + 5, index: 0, payload: new Uint8Array(PIECE_BYTES) }, 1, 40);
  node.neighbourClosed(1, 50);
  const { command, fetches } = runToEnd(node, body);
  assert.ok(command?.type === "deliver");
  assert.deepEqual(command.bytes, body);
  assert.ok(fetches <= 3, `${fetches} fetches`);
});

test("a neighbour's size does not cut short what the CDN is sending without saying how much", () => {
  const node = nodeOf();
  greet(node);
  say(node, { type: FRAME.PROGRESS, ref, sizeBytes: 2 * PIECE_BYTES + 100, ranges: [[2, 1]] });
  node.request(source, 0, 0);
  const [fetch] = commands(node, "fetch");
  assert.ok(fetch?.type === "fetch");
  node.fetchStarted(fetch.job, { partial: false, sizeBytes: null }, 10);
  say(node, { type: FRAME.PIECE, ref, sizeBytes: 2 * PIECE_BYTES + 100, index: 2, payload: new Uint8Array(100) }, 1, 20);
  node.fetchReceived(fetch.job, body.slice(0, 2 * PIECE_BYTES), 30);
  assert.equal(commands(node, "deliver").length, 0);
  node.fetchReceived(fetch.job, body.slice(2 * PIECE_BYTES), 40);
  node.fetchFinished(fetch.job, 50);
  const [delivery] = commands(node, "deliver");
  assert.ok(delivery?.type === "deliver");
  assert.deepEqual(delivery.bytes, body);
});

test("a length that is larger than the body (encoded on its way) costs nothing", () => {
  const node = nodeOf();
  node.request(source, 0, 0);
  // The first command was taken by nobody: run it.
  const { command, fetches } = runToEnd(node, body, { lengths: 2 * body.length });
  assert.ok(command?.type === "deliver" && fetches === 1, `${fetches} fetches`);
  assert.deepEqual(command.bytes, body);
});

test("a second HELLO, and a have-map torn to shreds, are dropped; a channel without HELLO is closed in time", () => {
  const twice = nodeOf();
  greet(twice);
  say(twice, { type: FRAME.HELLO, version: 2, session: "00000000000000cc", peer: "aa".repeat(10), flags: 0 });
  assert.equal(commands(twice, "drop").length, 1);

  const torn = nodeOf();
  greet(torn);
  const { number: _, ...group } = ref;
  say(torn, { type: FRAME.HAVE, group, ranges: [[0, 2 ** 40]] });
  for (let part = 0; part < 5; part++) {
    const ranges = Array.from({ length: 1024 }, (_item, index) => /** @type {[number, number]} */ ([part * 2048 + index * 2, 1]));
    say(torn, { type: FRAME.DROP, group, ranges });
  }
  assert.equal(commands(torn, "drop").length, 1);

  const silent = nodeOf();
  silent.neighbourOpened(1, true, 0);
  for (let nowMs = 0; nowMs <= 20_000; nowMs += 1000) silent.timerFired(nowMs);
  assert.equal(commands(silent, "drop").length, 1);
});

test("a player that lets go leaves no request, no fetch and no claim behind", () => {
  const node = nodeOf();
  greet(node);
  const request = node.request(source, 0, 0);
  node.takeCommands();
  node.cancel(request, 5);
  const after = node.takeCommands();
  assert.ok(after.some((command) => command.type === "abort"));
  assert.ok(after.some((command) => command.type === "send" && decodeFrame(command.bytes)?.type === FRAME.ABANDON));
  for (let nowMs = 0; nowMs < 5000; nowMs += 100) node.timerFired(nowMs);
  assert.equal(commands(node, "fetch").length, 0);
});

/** Has a node fetch segments for its player. @param {PeerNode} node @param {number[]} numbers @param {number} sizeBytes */
function fetchAll(node, numbers, sizeBytes) {
  for (const number of numbers) {
    node.request({ ...source, ref: { ...ref, number } }, 0, 0);
    const [fetch] = commands(node, "fetch");
    assert.ok(fetch?.type === "fetch");
    node.fetchReceived(fetch.job, new Uint8Array(new ArrayBuffer(sizeBytes)), 10);
    node.fetchFinished(fetch.job, 20);
  }
}

test("a page that is hidden lets go of what it held longest, and tells its neighbours in one word", () => {
  const node = nodeOf({ uploadBytesPerMs: 2500 });
  greet(node);
  fetchAll(node, [7, 8, 9, 10], STORE_FLOOR_BYTES / 2);
  node.takeCommands();
  node.visibilityChanged(true, 100);
  const frames = sent(node);
  assert.deepEqual(
    frames.map(({ type }) => type),
    [FRAME.DROP],
  );
  assert.ok(frames[0]?.type === FRAME.DROP);
  assert.deepEqual(frames[0].ranges, [[7, 2]]);
  assert.deepEqual(
    [...node.held()].map(({ number }) => number),
    [9, 10],
  );
});

/** Until it fetches a fresh live segment that it need not have for five seconds. @param {boolean} hidden @param {number} [clusterSize] */
function fetchesAfterMs(hidden, clusterSize = 9) {
  const node = nodeOf();
  greet(node);
  node.joined({ ...NAMED, clusterSize: clusterSize }, 0);
  node.visibilityChanged(hidden, 0);
  node.request({ ...source, live: true }, 6000, 0);
  for (let nowMs = 0; nowMs < 6000; nowMs += 10) {
    if (commands(node, "fetch").length > 0) return nowMs;
    node.timerFired(nowMs);
  }
  return Number.POSITIVE_INFINITY;
}

test("a hidden page fetches a fresh segment after all that are seen, and well before its player needs it", () => {
  const seenMs = fetchesAfterMs(false);
  const hiddenMs = fetchesAfterMs(true);
  assert.ok(seenMs <= 1000, `seen: after ${seenMs} ms`);
  assert.ok(hiddenMs >= 1000 + HIDDEN_TIMER_MS && hiddenMs < 6000 - HIDDEN_TIMER_MS, `hidden: after ${hiddenMs} ms`);
});

test("a hidden page that fetched the last segment fetches the next only if nobody else does", () => {
  const node = nodeOf();
  greet(node);
  node.joined({ ...NAMED, clusterSize: 9 }, 0);
  node.request({ ...source, live: true }, 0, 0);
  assert.equal(commands(node, "fetch").length, 1);
  node.request({ ...source, live: true, ref: { ...ref, number: 8 } }, 6000, 10);
  assert.equal(commands(node, "fetch").length, 1); // it stands
  node.visibilityChanged(true, 20);
  node.request({ ...source, live: true, ref: { ...ref, number: 9 } }, 8000, 30);
  assert.equal(commands(node, "fetch").length, 0);
});

/** Runs with no memory for buffers of a size, so many times. @param {number} sizeBytes @param {number} times @param {() => void} run */
function withoutMemory(sizeBytes, times, run) {
  const real = globalThis.Uint8Array;
  let left = times;
  globalThis.Uint8Array = new Proxy(real, {
    construct(target, args, newTarget) {
      if (args[0] === sizeBytes && left-- > 0) throw new RangeError("Array buffer allocation failed");
      return Reflect.construct(target, args, newTarget);
    },
  });
  try {
    run();
  } finally {
    globalThis.Uint8Array = real;
  }
}

test("where memory runs out for what the player is given, all that is held for others goes, and it is delivered", () => {
  const node = nodeOf();
  greet(node);
  fetchAll(node, [5, 6], 100);
  node.takeCommands();
  withoutMemory(PIECE_BYTES + 5, 1, () => fetchAll(node, [7], PIECE_BYTES + 5));
  const after = node.takeCommands();
  const delivered = after.find((command) => command.type === "deliver");
  assert.ok(delivered?.type === "deliver" && delivered.bytes.length === PIECE_BYTES + 5);
  const drop = after
    .map((command) => command.type === "send" && decodeFrame(command.bytes))
    .find((frame) => frame && frame.type === FRAME.DROP);
  assert.ok(drop && drop.type === FRAME.DROP);
  assert.deepEqual(drop.ranges, [[5, 2]]);
  assert.deepEqual(
    [...node.held()].map(({ number }) => number),
    [7],
  );
});

test("where there is none even then, the request is handed back, and the next one is served", () => {
  const node = holder();
  withoutMemory(PIECE_BYTES + 5, 2, () => node.request(source, 0, 40));
  assert.deepEqual(
    node.takeCommands().map((command) => command.type),
    ["refuse"],
  );
  fetchAll(node, [8], 100);
  assert.equal(commands(node, "deliver").length, 1);
});

test("the first that a player shows is raced, and the CDN told to stop when a neighbour was first", () => {
  const node = trustingNode();
  greet(node);
  say(node, { type: FRAME.HAVE, group: ref, ranges: [[7, 1]] });
  node.request({ ...source, expectedBytes: 100 }, 0, 0);
  const begun = node.takeCommands();
  const requested = (/** @type {import("../../../static/js/core/outbox.js").Command} */ command) =>
    command.type === "send" && decodeFrame(command.bytes)?.type === FRAME.REQUEST;
  assert.deepEqual([begun.filter(({ type }) => type === "fetch").length, begun.filter(requested).length], [1, 1]);
  say(node, { type: FRAME.PIECE, ref, sizeBytes: 100, index: 0, payload: new Uint8Array(100) }, 1, 15);
  const done = node.takeCommands().map(({ type }) => type);
  assert.ok(done.includes("deliver") && done.includes("abort"), String(done));
  assert.equal(node.ledger.wastedBytes, 0);
});

test("what is needed at once comes from the CDN, and no piece that the fetch brings soon is asked of a neighbour too", () => {
  const node = nodeOf();
  greet(node);
  say(node, { type: FRAME.HAVE, group: ref, ranges: [[7, 1]] });
  node.request({ ...source, expectedBytes: 20 * PIECE_BYTES }, 0, 0);
  const done = node.takeCommands();
  assert.equal(done.filter(({ type }) => type === "fetch").length, 1);
  const asked = done.flatMap((command) => {
    const frame = command.type === "send" ? decodeFrame(command.bytes) : null;
    return frame?.type === FRAME.REQUEST ? frame.ranges : [];
  });
  assert.ok(asked.length > 0 && asked.every(([first]) => first > 10), JSON.stringify(asked));
});

/** @param {PeerNode} node @param {number[]} cells  of the neighbour */
function greetFrom(node, cells, link = 1, session = THEIRS) {
  greet(node, link, session);
  say(node, { type: FRAME.PLACE, cells }, link);
}

/** @param {PeerNode} node @returns {string[]} what it did about a segment: "fetch", "request" */
const doings = (node) =>
  node.takeCommands().flatMap((command) => {
    if (command.type === "fetch") return ["fetch"];
    return command.type === "send" && decodeFrame(command.bytes)?.type === FRAME.REQUEST ? ["request"] : [];
  });

const BERLIN = { ...NAMED, cells: [1, 2], cluster: 2, clusterSize: 1 };
const liveSource = { ...source, live: true, durationSec: 2, expectedBytes: 100 };

/** @param {number[] | null} cells  of a neighbour that holds the segment; null when it does not say @returns {PeerNode} in Berlin */
function berlinWithHolder(cells) {
  const node = nodeOf();
  if (cells) greetFrom(node, cells);
  else greet(node);
  node.joined(BERLIN, 0);
  say(node, { type: FRAME.HAVE, group: ref, ranges: [[7, 1]] });
  node.takeCommands();
  return node;
}

test("neighbours hear in which cells we are, when they come and when we know", () => {
  const node = nodeOf();
  greet(node);
  node.joined(BERLIN, 0);
  node.neighbourOpened(2, true, 0);
  const places = sent(node).filter((frame) => frame.type === FRAME.PLACE);
  assert.deepEqual(places, [
    { type: FRAME.PLACE, cells: [1, 2], to: 1 },
    { type: FRAME.PLACE, cells: [1, 2], to: 2 },
  ]);
});

test("neighbours are told of our cells again only when the cluster is a new one", () => {
  const node = nodeOf();
  greet(node);
  node.joined(BERLIN, 0);
  node.takeCommands();
  node.clustered({ cluster: 2, clusterSize: 9 }, 0);
  assert.deepEqual(sent(node), []);
  node.clustered({ cluster: 7, clusterSize: 9 }, 0);
  assert.deepEqual(sent(node), [{ type: FRAME.PLACE, cells: [1, 2, 7], to: 1 }]);
});

test("of a live stream what only a neighbour outside the cluster holds is fetched, and asked for when time is running out", () => {
  const node = berlinWithHolder([1, 3]);
  node.request(liveSource, 12_000, 0);
  node.timerFired(node.nextTimerMs);
  assert.deepEqual(doings(node), ["fetch"]);
  node.timerFired(5999);
  assert.deepEqual(doings(node), []);
  node.timerFired(6500);
  assert.deepEqual(doings(node), ["request"]);
});

test("what is not live is taken from outside the cluster when nobody near has it", () => {
  const node = berlinWithHolder([1, 3]);
  node.request({ ...source, expectedBytes: 100 }, 20_000, 0);
  assert.deepEqual(doings(node), ["request"]);
});

test("who is in the cluster, or says no place, is near; and who is far becomes near when the cluster is the whole swarm", () => {
  for (const cells of [[1, 2, 5], null]) {
    const node = berlinWithHolder(cells);
    node.request(liveSource, 20_000, 0);
    assert.deepEqual(doings(node), ["request"], String(cells));
  }
  const node = berlinWithHolder([1, 3]);
  node.clustered({ cluster: null, clusterSize: 2 }, 0);
  node.takeCommands();
  node.request(liveSource, 20_000, 0);
  assert.deepEqual(doings(node), ["request"]);
});

test("a claim from outside the cluster is not waited for, and not passed on", () => {
  const node = nodeOf();
  greetFrom(node, [1, 3]);
  greetFrom(node, [1, 2], 2, "22".repeat(8));
  node.joined({ ...BERLIN, clusterSize: 2 }, 0);
  node.takeCommands();
  say(node, { type: FRAME.CLAIM, ref, hops: 0, claimant: THEIRS });
  assert.deepEqual(sent(node), []);
  node.request(liveSource, 20_000, 0);
  node.timerFired(node.nextTimerMs);
  assert.ok(doings(node).includes("fetch"));
});

test("a cluster that was not among our cells is one of them from then on", () => {
  const node = nodeOf();
  greet(node);
  node.joined(BERLIN, 0);
  node.clustered({ cluster: 9, clusterSize: 50 }, 0);
  const places = sent(node).filter((frame) => frame.type === FRAME.PLACE);
  assert.deepEqual(places.at(-1), { type: FRAME.PLACE, cells: [1, 2, 9], to: 1 });
});

test("a page that stops uploading takes back what it told, refuses what waits, and goes on asking; when it gives again all is told again", () => {
  const node = holder({ uploadBytesPerMs: 1 }); // so slow that the second piece waits
  greet(node);
  say(node, { type: FRAME.REQUEST, ref, ranges: [[0, 2]] });
  say(node, { type: FRAME.HAVE, group: { track: ref.track, kind: 0, discontinuity: 0 }, ranges: [[9, 1]] });
  sent(node);
  node.limitUploads(0);
  const withdrawn = sent(node);
  assert.ok(withdrawn.some((frame) => frame.type === FRAME.DROP));
  const refusal = withdrawn.find((frame) => frame.type === FRAME.REFUSE);
  assert.ok(refusal?.type === FRAME.REFUSE && refusal.reason === REFUSED_NOT_UPLOADING);
  assert.deepEqual(refusal.ranges, [[1, 1]]);
  node.timerFired(10_000);
  assert.ok(!sent(node).some((frame) => frame.type === FRAME.PIECE));

  node.request({ ...source, ref: { ...ref, number: 9 } }, 30_000, 10_000);
  const asked = sent(node);
  assert.ok(asked.some((frame) => frame.type === FRAME.REQUEST));
  assert.ok(!asked.some((frame) => frame.type === FRAME.CLAIM));
  node.visibilityChanged(false, 10_010);
  say(node, { type: FRAME.REQUEST, ref, ranges: [[0, 1]] });
  const [again] = sent(node);
  assert.ok(again?.type === FRAME.REFUSE && again.reason === REFUSED_NOT_UPLOADING);

  node.drained(1, 0, 19_000);
  node.limitUploads(1e6);
  assert.ok(sent(node).some((frame) => frame.type === FRAME.HAVE));
  say(node, { type: FRAME.REQUEST, ref, ranges: [[0, 1]] }, 1, 20_000);
  assert.ok(sent(node).some((frame) => frame.type === FRAME.PIECE));
});

test("a neighbour that refused for good and then tells what it holds is asked again", () => {
  const node = nodeOf();
  greet(node);
  const group = { track: ref.track, kind: 0, discontinuity: 0 };
  say(node, { type: FRAME.REFUSE, ref, reason: REFUSED_NOT_UPLOADING, ranges: [[0, 1]] });
  say(node, { type: FRAME.HAVE, group, ranges: [[7, 1]] });
  node.request(source, 30_000, 0);
  assert.ok(sent(node).some((frame) => frame.type === FRAME.REQUEST));
});

const block = { ...source, ref: { ...ref, kind: 3 }, rangeStart: 0, rangeEnd: PIECE_BYTES + 5, type: "file" };

test("a node tells and gives what the page had from elsewhere, if it is all of it", () => {
  const node = nodeOf();
  greet(node);
  node.seed(block, new Uint8Array(PIECE_BYTES));
  assert.deepEqual(sent(node), [], "a part is no block");
  node.seed(block, new Uint8Array(PIECE_BYTES + 5).fill(7));
  assert.deepEqual(
    sent(node).map(({ type }) => type),
    [FRAME.HAVE],
  );
  say(node, { type: FRAME.REQUEST, ref: block.ref, ranges: [[1, 1]] });
  const piece = sent(node).find(({ type }) => type === FRAME.PIECE);
  assert.ok(piece?.type === FRAME.PIECE && piece.payload.length === 5 && piece.payload[0] === 7);
});

test("a node says what has come of a block on its way, in order, and whether a neighbour is getting it", () => {
  const node = nodeOf();
  node.joined({ ...NAMED, clusterSize: 1 }, 0);
  assert.equal(node.coming(block.ref), false);
  node.request(block, 0, 0);
  const [fetch] = commands(node, "fetch");
  assert.ok(fetch?.type === "fetch");
  node.fetchStarted(fetch.job, { partial: true, sizeBytes: PIECE_BYTES + 5 }, 10);
  node.fetchReceived(fetch.job, new Uint8Array(PIECE_BYTES + 1).fill(3), 20);
  assert.deepEqual(
    node.arrived(block.ref, 0).map(({ length }) => length),
    [PIECE_BYTES],
  );
  assert.deepEqual(node.arrived(block.ref, 1), []);
  greet(node);
  say(node, { type: FRAME.CLAIM, ref: block.ref, hops: 0, claimant: THEIRS });
  assert.equal(node.coming(block.ref), true);
});

test("fetches and comparisons of a file's block name its version", () => {
  const version = { sizeBytes: PIECE_BYTES + 5, etag: '"a"', modifiedSec: null };
  const node = nodeOf();
  node.joined({ ...NAMED, clusterSize: 1 }, 0);
  node.request({ ...block, version }, 0, 0);
  const [fetch] = commands(node, "fetch");
  assert.ok(fetch?.type === "fetch");
  assert.deepEqual(fetch.version, version);
});

test("a delivery says why the CDN was asked: nobody there, no time to wait, or neighbours too late", () => {
  /** @param {PeerNode} node @param {number} deadlineMs */
  const reasonAt = (node, deadlineMs) => {
    node.request(source, deadlineMs, 0);
    for (let nowMs = 0; nowMs <= 20_000; nowMs = Math.max(nowMs + 1, Math.min(node.nextTimerMs, 20_001))) {
      node.timerFired(nowMs);
      for (const command of node.takeCommands()) {
        if (command.type === "fetch") {
          node.fetchStarted(command.job, { partial: command.rangeStart !== null, sizeBytes: 3 }, nowMs);
          node.fetchReceived(command.job, Uint8Array.of(1, 2, 3), nowMs);
          node.fetchFinished(command.job, nowMs);
        }
        if (command.type === "deliver") return command.reason;
      }
    }
    return assert.fail("it is delivered");
  };
  const alone = nodeOf();
  assert.equal(reasonAt(alone, 0), "alone");
  const urgent = nodeOf();
  greet(urgent);
  assert.equal(reasonAt(urgent, 0), "urgent");
  const first = nodeOf();
  greet(first);
  assert.equal(reasonAt(first, 10_000), "backoff");
  const late = nodeOf();
  greet(late);
  const { number: _, ...group } = ref;
  say(late, { type: FRAME.HAVE, group, ranges: [[7, 1]] });
  assert.equal(reasonAt(late, 5000), "late");
});
