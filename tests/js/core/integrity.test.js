/** What becomes of pieces that are wrong, seen from outside: a PeerNode, and somebody who computes what it asks to be computed. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { PIECE_BYTES } from "../../../static/js/core/constants.js";
import { Digest } from "../../../static/js/core/digest.js";
import { integrityPolicy } from "../../../static/js/core/integrity.js";
import { PeerNode } from "../../../static/js/core/peer-node.js";
import { DIGEST_PATIENCE_MS, DIGEST_RETRY_MS, SPOT_PAUSE_MS } from "../../../static/js/core/tuning.js";
import { decodeFrame, encodeFrame, FRAME } from "../../../static/js/core/wire.js";
import { OTHER_KEY, recordOf, TEST_KEY } from "../records.js";
import { source as anySource, ref } from "../sources.js";

/** @typedef {import("../../../static/js/core/wire.js").Frame} Frame */
/** @typedef {import("../../../static/js/core/outbox.js").Command} Command */

const CONTENT = "ab".repeat(20);
const OTHER = "0000000000000002";
const source = { ...anySource, url: "https://cdn.example/a/7.m4s?token=1" };
const BYTES = Uint8Array.from({ length: PIECE_BYTES + 100 }, (_, index) => (index * 31 + (index >> 8)) & 255);
const RECORD = recordOf(CONTENT, ref, BYTES);
const SIGNED = { mode: "signed", keys: [TEST_KEY.public], digests: "" };
/** Far off: nothing is in a hurry. */
const LATER_MS = 60_000;

/** @param {number} index @returns {Uint8Array} */
const piece = (index) => BYTES.slice(index * PIECE_BYTES, (index + 1) * PIECE_BYTES);

/** A node, and what its shell would do for it. */
class Bench {
  /** @param {object} [integrity]  of the welcome @param {() => number} [random] */
  constructor(integrity = SIGNED, random = () => 1) {
    const options = { session: "0000000000000001", content: CONTENT, storeBytes: 1e9, uploadBytesPerMs: Number.POSITIVE_INFINITY };
    this.node = new PeerNode({ ...options, random }, 0);
    this.node.joined({ peer: "bb".repeat(10), cells: [], cluster: null, clusterSize: 3, integrity: integrityPolicy(integrity) }, 0);
    /** @type {Command[]} */
    this.commands = [];
    this.nowMs = 0;
  }

  /** Hashes and checks signatures as they are asked for; keeps the other commands. */
  settle() {
    for (let commands = this.node.takeCommands(); commands.length > 0; commands = this.node.takeCommands()) {
      for (const command of commands) {
        if (command.type === "hash") {
          this.node.hashed(command.ticket, createHash("sha256").update(command.bytes).digest(), this.nowMs);
        } else if (command.type === "verify") {
          assert.equal(command.key, TEST_KEY.public);
          this.node.verified(command.ticket, Buffer.from(command.signature).equals(RECORD.slice(-64)), this.nowMs);
        } else this.commands.push(command);
      }
    }
  }

  /** @template {Command["type"]} T @param {T} type @returns {Extract<Command, { type: T }>[]} those since last asked */
  take(type) {
    this.settle();
    const found = this.commands.filter((command) => command.type === type);
    this.commands = this.commands.filter((command) => command.type !== type);
    return /** @type {Extract<Command, { type: T }>[]} */ (found);
  }

  /** @param {number} link @returns {Frame[]} sent to it since last asked */
  sentTo(link) {
    const sends = this.take("send");
    this.commands.push(...sends.filter((command) => command.neighbour !== link));
    return sends.filter((command) => command.neighbour === link).flatMap(({ bytes }) => decodeFrame(bytes) ?? []);
  }

  /** @param {number} link @param {string} [session] */
  greet(link, session = OTHER) {
    this.node.neighbourOpened(link, true, this.nowMs);
    this.say(link, { type: FRAME.HELLO, version: 2, session, peer: "aa".repeat(10), flags: 0 });
  }

  /** @param {number} link @param {Frame} frame */
  say(link, frame) {
    this.node.frameReceived(link, encodeFrame(frame), this.nowMs);
    this.settle();
  }

  /** A neighbour that holds segment 7, and our player that wants it. @param {number} [link] @param {string} [session] */
  holder(link = 1, session = OTHER) {
    this.greet(link, session);
    const { number, ...group } = ref;
    this.say(link, { type: FRAME.HAVE, group, ranges: [[number, 1]] });
  }

  want(deadlineMs = LATER_MS) {
    this.node.request(source, deadlineMs, this.nowMs);
    this.settle();
  }

  /** @param {number} link @param {number} index @param {Uint8Array} [payload] @param {number} [sizeBytes] */
  give(link, index, payload = piece(index), sizeBytes = BYTES.length) {
    this.say(link, { type: FRAME.PIECE, ref, sizeBytes, index, payload });
  }

  /** @param {number} nowMs */
  wait(nowMs) {
    this.nowMs = nowMs;
    this.node.timerFired(nowMs);
    this.settle();
  }

  delivered() {
    return this.take("deliver").map(({ bytes }) => Buffer.from(bytes).equals(BYTES));
  }
}

test("pieces that match the signed digest are played", () => {
  const bench = new Bench();
  bench.holder();
  bench.want();
  bench.say(1, { type: FRAME.DIGEST, record: RECORD });
  bench.give(1, 0);
  bench.give(1, 1);
  assert.deepEqual(bench.delivered(), [true]);
});

test("pieces that come before their digest wait for it", () => {
  const bench = new Bench();
  bench.holder();
  bench.want();
  bench.give(1, 0);
  bench.give(1, 1);
  assert.deepEqual(bench.delivered(), []);
  bench.say(1, { type: FRAME.DIGEST, record: RECORD });
  assert.deepEqual(bench.delivered(), [true]);
});

test("nothing that is not checked yet is told or given to others", () => {
  const bench = new Bench();
  bench.holder();
  bench.greet(2, "0000000000000003");
  bench.want();
  bench.give(1, 0);
  bench.sentTo(2);
  bench.say(2, { type: FRAME.REQUEST, ref, ranges: [[0, 1]] });
  bench.wait(100);
  assert.deepEqual(
    bench.sentTo(2).filter(({ type }) => type === FRAME.PIECE || type === FRAME.PROGRESS),
    [],
  );
});

/** @type {[string, (bench: Bench) => void][]} */
const LIES = [
  [
    "a flipped bit",
    (bench) =>
      bench.give(
        1,
        0,
        piece(0).map((byte, at) => (at === 5 ? byte ^ 1 : byte)),
      ),
  ],
  ["another place's bytes", (bench) => bench.give(1, 1, piece(0).subarray(0, 100))],
  ["a shorter segment", (bench) => bench.give(1, 1, piece(1).subarray(0, 50), BYTES.length - 50)],
  ["a longer segment", (bench) => bench.give(1, 1, new Uint8Array(PIECE_BYTES), 2 * PIECE_BYTES)],
  ["a piece beyond the end", (bench) => bench.give(1, 1, new Uint8Array(PIECE_BYTES), 9 * PIECE_BYTES)],
];
for (const [name, lie] of LIES) {
  test(`who sends ${name} is banned, and others or the CDN bring the rest`, () => {
    const bench = new Bench();
    bench.holder();
    bench.want();
    bench.say(1, { type: FRAME.DIGEST, record: RECORD });
    lie(bench);
    assert.deepEqual(
      bench.take("banned").map(({ neighbour }) => neighbour),
      [1],
    );
    assert.equal(bench.take("drop").length, 1);
    assert.ok(bench.node.ledger.rejectedBytes > 0);
    bench.holder(2, "0000000000000003");
    bench.wait(200);
    bench.give(2, 0);
    bench.give(2, 1);
    assert.deepEqual(bench.delivered(), [true]);
  });
}

test("who was banned is not greeted again", () => {
  const bench = new Bench();
  bench.holder();
  bench.want();
  bench.say(1, { type: FRAME.DIGEST, record: RECORD });
  bench.give(1, 0, new Uint8Array(PIECE_BYTES));
  bench.take("drop");
  bench.greet(2);
  assert.equal(bench.take("drop").length, 1);
});

test("a digest whose signature is wrong bans its sender; another may send the right one", () => {
  const bench = new Bench();
  bench.holder();
  bench.holder(2, "0000000000000003");
  bench.want();
  const forged = RECORD.slice();
  forged[60] = /** @type {number} */ (forged[60]) ^ 1;
  forged[forged.length - 1] = /** @type {number} */ (forged[forged.length - 1]) ^ 1;
  bench.say(1, { type: FRAME.DIGEST, record: forged });
  assert.equal(bench.take("banned").length, 1);
  bench.say(2, { type: FRAME.DIGEST, record: RECORD });
  bench.give(2, 0);
  bench.give(2, 1);
  assert.deepEqual(bench.delivered(), [true]);
});

test("digests of other keys, contents and segments count for nothing", () => {
  const bench = new Bench();
  bench.holder();
  bench.want();
  bench.say(1, { type: FRAME.DIGEST, record: recordOf(CONTENT, ref, BYTES, OTHER_KEY) });
  bench.say(1, { type: FRAME.DIGEST, record: recordOf("cd".repeat(20), ref, BYTES) });
  bench.say(1, { type: FRAME.DIGEST, record: recordOf(CONTENT, { ...ref, number: 6 }, BYTES) });
  bench.give(1, 0);
  bench.give(1, 1);
  assert.deepEqual(bench.delivered(), []);
  assert.equal(bench.take("banned").length, 0);
});

test("where the digest is withheld it is asked for beside the media, and then the pieces are played", () => {
  const bench = new Bench();
  bench.holder();
  bench.want();
  bench.give(1, 0);
  bench.give(1, 1);
  assert.deepEqual(bench.take("digest"), []);
  bench.wait(DIGEST_PATIENCE_MS + 1);
  const [digest] = bench.take("digest");
  assert.equal(digest?.url, "https://cdn.example/a/7.m4s.ppd?token=1");
  bench.node.digestFetched(digest?.ticket ?? 0, 200, RECORD, bench.nowMs);
  assert.deepEqual(bench.delivered(), [true]);
});

test("who fetches a segment asks the tracker for its digest, and gives it to who asks for pieces", () => {
  const bench = new Bench({ ...SIGNED, digests: "/digests" });
  bench.greet(1);
  bench.want(0);
  const [fetch] = bench.take("fetch");
  const [digest] = bench.take("digest");
  assert.equal(digest?.url, `/digests/${CONTENT}/${ref.track}/0/0/7`);
  bench.sentTo(1);
  bench.say(1, { type: FRAME.REQUEST, ref, ranges: [[0, 2]] });
  assert.ok(!bench.sentTo(1).some(({ type }) => type === FRAME.DIGEST));
  bench.node.digestFetched(digest?.ticket ?? 0, 200, RECORD, 5);
  const [told] = bench.sentTo(1).filter(({ type }) => type === FRAME.DIGEST);
  assert.ok(told?.type === FRAME.DIGEST && Buffer.from(told.record).equals(RECORD));
  bench.say(1, { type: FRAME.REQUEST, ref, ranges: [[1, 1]] });
  assert.ok(!bench.sentTo(1).some(({ type }) => type === FRAME.DIGEST), "told once");
  bench.node.fetchStarted(fetch?.job ?? 0, { partial: false, sizeBytes: BYTES.length }, 6);
  bench.node.fetchReceived(fetch?.job ?? 0, BYTES, 7);
  bench.node.fetchFinished(fetch?.job ?? 0, 8);
  assert.deepEqual(bench.delivered(), [true]);
});

test("who fetches what a neighbour holds asks for its digest once somebody wants the pieces", () => {
  const bench = new Bench({ ...SIGNED, digests: "/digests" });
  bench.holder();
  bench.greet(2, "0000000000000003");
  bench.want(0);
  const [fetch] = bench.take("fetch");
  assert.ok(fetch, "there is no time to ask the neighbour");
  assert.deepEqual(bench.take("digest"), []);
  bench.say(2, { type: FRAME.REQUEST, ref, ranges: [[0, 2]] });
  assert.equal(bench.take("digest").length, 1);
});

test("an error that may pass is met by asking again, a missing digest by the CDN alone", () => {
  const bench = new Bench({ ...SIGNED, digests: "/digests" });
  bench.holder();
  bench.want();
  bench.give(1, 0);
  bench.wait(DIGEST_PATIENCE_MS + 1);
  const [first] = bench.take("digest");
  bench.node.digestFetched(first?.ticket ?? 0, 503, new Uint8Array(0), bench.nowMs);
  bench.wait(bench.nowMs + DIGEST_RETRY_MS + 1);
  bench.say(1, { type: FRAME.PROGRESS, ref, sizeBytes: BYTES.length, ranges: [[0, 1]] });
  bench.wait(bench.nowMs + 100);
  const [second] = bench.take("digest");
  assert.ok(second, "asked again");
  bench.node.digestFetched(second.ticket, 404, new Uint8Array(0), bench.nowMs);
  bench.sentTo(1);
  bench.give(1, 1);
  bench.wait(LATER_MS);
  assert.equal(bench.take("fetch").length, 1);
  assert.ok(!bench.sentTo(1).some(({ type }) => type === FRAME.REQUEST));
  assert.deepEqual(bench.delivered(), []);
});

test("what the CDN sends us is played whatever was signed, and is not shared where it is another", () => {
  const bench = new Bench({ ...SIGNED, digests: "/digests" });
  bench.greet(1);
  bench.want(0);
  const [fetch] = bench.take("fetch");
  const [digest] = bench.take("digest");
  bench.node.digestFetched(digest?.ticket ?? 0, 200, RECORD, 5);
  const ours = BYTES.map((byte) => byte ^ 1);
  bench.node.fetchStarted(fetch?.job ?? 0, { partial: false, sizeBytes: ours.length }, 6);
  bench.node.fetchReceived(fetch?.job ?? 0, ours, 7);
  bench.settle();
  bench.node.fetchFinished(fetch?.job ?? 0, 8);
  const [delivered] = bench.take("deliver");
  assert.ok(delivered && Buffer.from(delivered.bytes).equals(ours));
  assert.deepEqual([...bench.node.held()], []);
  assert.ok(bench.sentTo(1).some(({ type }) => type === FRAME.ABANDON));
});

test("where it cannot be told what a piece hashes to nobody is banned and the CDN is asked", () => {
  const bench = new Bench();
  bench.holder();
  bench.want();
  bench.say(1, { type: FRAME.DIGEST, record: RECORD });
  bench.node.frameReceived(1, encodeFrame({ type: FRAME.PIECE, ref, sizeBytes: BYTES.length, index: 0, payload: piece(0) }), 0);
  for (const command of bench.node.takeCommands()) if (command.type === "hash") bench.node.hashed(command.ticket, null, 0);
  bench.wait(LATER_MS);
  assert.equal(bench.take("banned").length, 0);
  assert.equal(bench.take("fetch").length, 1);
});

/** @param {Bench} bench @param {number} [status] @param {Uint8Array} [bytes]  in place of the true ones */
function answer(bench, status = 206, bytes = undefined) {
  const [asked] = bench.take("compare");
  assert.ok(asked, "nothing is compared");
  bench.node.compared(
    asked.ticket,
    status,
    status === 206 ? (bytes ?? BYTES.slice(asked.rangeStart, asked.rangeEnd)) : new Uint8Array(0),
    bench.nowMs,
  );
  bench.settle();
}

const WRONG = piece(0).map((byte, at) => (at === 5 ? byte ^ 1 : byte));
const SPOT = { mode: "spot" };

test("without signatures nothing of a neighbour counts before its first piece was compared with the CDN", () => {
  const bench = new Bench(SPOT);
  bench.holder();
  bench.greet(2, "0000000000000003");
  bench.want();
  bench.give(1, 0);
  bench.give(1, 1);
  const asked = bench.take("compare");
  assert.deepEqual(
    asked.map(({ url, rangeStart, rangeEnd }) => [url, rangeStart, rangeEnd]),
    [[source.url, 0, PIECE_BYTES]],
  );
  bench.wait(100);
  assert.ok(!bench.sentTo(2).some(({ type }) => type === FRAME.PROGRESS));
  assert.deepEqual(bench.delivered(), []);
  bench.node.compared(asked[0]?.ticket ?? 0, 206, piece(0), 150);
  assert.deepEqual(bench.delivered(), [true]);
  assert.equal(bench.node.ledger.cdnBytes, PIECE_BYTES);
});

test("without signatures, of whom the first piece is wrong nothing is played, and it is not greeted again", () => {
  const bench = new Bench(SPOT);
  bench.holder();
  bench.want();
  bench.give(1, 0, WRONG);
  bench.give(1, 1);
  answer(bench);
  assert.deepEqual(
    bench.take("banned").map(({ neighbour, proven }) => [neighbour, proven]),
    [[1, false]],
  );
  assert.equal(bench.node.ledger.rejectedBytes, BYTES.length);
  bench.take("drop");
  bench.greet(2);
  assert.equal(bench.take("drop").length, 1);
  bench.wait(LATER_MS);
  assert.equal(bench.take("fetch").length, 1);
  assert.deepEqual(bench.delivered(), []);
});

test("a comparison that comes after the CDN has brought the segment still finds out who lied", () => {
  const bench = new Bench(SPOT);
  bench.holder();
  bench.want();
  bench.give(1, 0, WRONG);
  const [asked] = bench.take("compare");
  bench.wait(LATER_MS);
  const [fetch] = bench.take("fetch");
  bench.node.cancel(1, bench.nowMs);
  assert.ok(fetch);
  bench.node.compared(asked?.ticket ?? 0, 206, piece(0), bench.nowMs);
  assert.equal(bench.take("banned").length, 1);
});

test("a piece that a running fetch brings too is compared with that, for nothing", () => {
  for (const [payload, banned] of /** @type {[Uint8Array, number][]} */ ([
    [piece(0), 0],
    [WRONG, 1],
  ])) {
    const bench = new Bench(SPOT);
    bench.holder();
    bench.want(0);
    bench.give(1, 0, payload);
    assert.equal(bench.take("compare").length, 0);
    const [fetch] = bench.take("fetch");
    bench.node.fetchStarted(fetch?.job ?? 0, { partial: false, sizeBytes: BYTES.length }, 5);
    bench.node.fetchReceived(fetch?.job ?? 0, BYTES, 6);
    bench.node.fetchFinished(fetch?.job ?? 0, 7);
    assert.deepEqual(bench.delivered(), [true]);
    assert.equal(bench.take("banned").length, banned);
  }
});

/** A neighbour that was found right, and our player has segment 7 of it. @param {() => number} [random] */
function proven(random = () => 1) {
  const bench = new Bench(SPOT, random);
  bench.holder();
  bench.want();
  bench.give(1, 0);
  bench.give(1, 1);
  answer(bench);
  assert.deepEqual(bench.delivered(), [true]);
  return bench;
}

/** @param {Bench} bench @param {number} deadlineMs @param {number} [number] */
function wantNext(bench, deadlineMs, number = 8) {
  const next = { ...ref, number };
  bench.say(1, { type: FRAME.HAVE, group: { track: ref.track, kind: 0, discontinuity: 0 }, ranges: [[number, 1]] });
  bench.node.request({ ...source, ref: next, url: `https://cdn.example/a/${number}.m4s` }, deadlineMs, bench.nowMs);
  bench.settle();
  return (/** @type {number} */ index, payload = piece(index)) =>
    bench.say(1, { type: FRAME.PIECE, ref: next, sizeBytes: BYTES.length, index, payload });
}

test("who was found right is believed, but for pieces that are drawn: they wait for their comparison", () => {
  const draws = [1, 0];
  const bench = proven(() => draws.shift() ?? 1);
  const give = wantNext(bench, LATER_MS);
  give(0);
  give(1);
  assert.deepEqual(bench.delivered(), []);
  answer(bench);
  assert.deepEqual(bench.delivered(), [true]);
});

test("without signatures, who is caught later loses all it sent: what is not finished, and what is held", () => {
  const draws = [1, 0];
  const bench = proven(() => draws.shift() ?? 1);
  const give = wantNext(bench, LATER_MS);
  give(0);
  give(1, new Uint8Array(100));
  answer(bench, 206, piece(1));
  assert.equal(bench.take("banned").length, 1);
  assert.deepEqual([...bench.node.held()], []);
  assert.equal(bench.node.ledger.rejectedBytes, BYTES.length);
});

test("a drawn piece that is needed soon is played at once, and compared all the same", () => {
  const draws = [1, 0];
  const bench = proven(() => draws.shift() ?? 1);
  const give = wantNext(bench, 1000);
  give(0);
  give(1, new Uint8Array(100));
  assert.deepEqual(bench.delivered(), [false]);
  answer(bench, 206, piece(1));
  assert.equal(bench.take("banned").length, 1);
});

test("while the CDN does not say what it has, who was never compared is left alone, and who was is believed", () => {
  const bench = new Bench(SPOT);
  bench.holder();
  bench.want();
  bench.give(1, 0);
  answer(bench, 503);
  bench.sentTo(1);
  bench.wait(SPOT_PAUSE_MS - 1);
  assert.ok(!bench.sentTo(1).some(({ type }) => type === FRAME.REQUEST));
  assert.equal(bench.take("fetch").length, 1, "the CDN is asked, as if nobody had it");
  const draws = [0];
  const other = proven(() => draws.shift() ?? 1);
  const give = wantNext(other, LATER_MS);
  give(0);
  give(1);
  answer(other, 503);
  assert.deepEqual(other.delivered(), [true]);
});

test("where the CDN refuses ranges nothing can be compared, and neighbours are believed", () => {
  const bench = new Bench(SPOT);
  bench.holder();
  bench.want();
  bench.give(1, 0);
  answer(bench, 200);
  bench.give(1, 1);
  assert.deepEqual(bench.delivered(), [true]);
  assert.equal(bench.take("compare").length, 0);
});

test("switched off, pieces are believed as they come", () => {
  const bench = new Bench({ mode: "off" }, () => 0);
  bench.holder();
  bench.want();
  bench.give(1, 0, new Uint8Array(PIECE_BYTES));
  bench.give(1, 1);
  assert.deepEqual(bench.delivered(), [false]);
});

test("what a tracker says of integrity is believed where it is of the right shape, else it is spot checks", () => {
  const { mode, keys, digests } = integrityPolicy({ mode: "signed", keys: [TEST_KEY.public, "04ff", 7], digests: "/digests" });
  assert.deepEqual([mode, [...keys], digests], ["signed", [[new Digest(RECORD).keyId, TEST_KEY.public]], "/digests"]);
  for (const told of [undefined, null, 7, "signed", {}, { mode: "none", keys: 3, digests: 4 }]) {
    assert.deepEqual(integrityPolicy(told), { mode: "spot", keys: new Map(), digests: "" });
  }
});
