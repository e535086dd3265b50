// One of two pages of bench/goodput.py, which bundles this: `bare` moves messages over a data channel with nothing else
// around it, `pool` moves segments with the library's engine.
import { Engine } from "../../static/js/engine.js";

const MESSAGE_BYTES = 32768; // one piece of ours
// What Chromium 156 is fastest with, of 64 KiB to 12 MiB: with a megabyte and more waiting it is down to half of that.
const HIGH_WATER_BYTES = 256 << 10;
const LOW_WATER_BYTES = 128 << 10;

const now = () => performance.now();
const hex = (bytes) => Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");

let connection;
let channel;
let tally;

// Unordered and reliable, as our bulk channel is.
function connect() {
  connection = new RTCPeerConnection();
  channel = connection.createDataChannel("bare", { negotiated: true, id: 0, ordered: false });
  channel.binaryType = "arraybuffer";
  channel.bufferedAmountLowThreshold = LOW_WATER_BYTES;
  tally = { sizeBytes: 0, firstMs: 0, lastMs: 0 };
  channel.onmessage = ({ data }) => {
    tally.lastMs = now();
    if (tally.firstMs === 0) tally.firstMs = tally.lastMs;
    else tally.sizeBytes += data.byteLength; // the first one only starts the clock
  };
}

async function described(description) {
  await connection.setLocalDescription(description);
  while (connection.iceGatheringState !== "complete") await new Promise((resolve) => setTimeout(resolve, 10));
  return connection.localDescription.sdp;
}

async function until(isTrue, what) {
  const startMs = now();
  while (!isTrue()) {
    if (now() - startMs > 30000) throw new Error(`not within 30 s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

const bare = {
  async offer() {
    connect();
    return described(await connection.createOffer());
  },
  async answer(sdp) {
    connect();
    await connection.setRemoteDescription({ type: "offer", sdp });
    return described(await connection.createAnswer());
  },
  async accept(sdp) {
    await connection.setRemoteDescription({ type: "answer", sdp });
    await until(() => channel.readyState === "open", "the channel opens");
  },
  // As fast as the channel takes it.
  async send(seconds) {
    const message = crypto.getRandomValues(new Uint8Array(MESSAGE_BYTES));
    const endMs = now() + seconds * 1000;
    while (now() < endMs) {
      while (channel.bufferedAmount < HIGH_WATER_BYTES) channel.send(message);
      await new Promise((resolve) => {
        channel.onbufferedamountlow = resolve;
      });
    }
    await until(() => channel.bufferedAmount === 0, "everything is sent");
  },
  received: () => tally,
  close: () => connection.close(),
};

let engine;

function load(source, deadlineMs) {
  return new Promise((resolve, reject) => {
    engine.request(source, deadlineMs, {
      progressed: () => {},
      delivered: (bytes, _timing, peerBytes) => resolve({ bytes, peerBytes }),
      failed: ({ status, reason }) => reject(new Error(`failed: ${status} ${reason}`)),
      refused: () => reject(new Error("refused: the engine broke")),
    });
  });
}

function sourceOf(url, number) {
  return {
    ref: { track: "0123456789abcdef", kind: 0, discontinuity: 0, number },
    url,
    rangeStart: null,
    rangeEnd: null,
    durationSec: 6,
    expectedBytes: 1_000_000,
    live: false,
    type: "file",
  };
}

const pool = {
  join(tracker) {
    const session = hex(crypto.getRandomValues(new Uint8Array(8)));
    const options = { tracker, session, storeBytes: 2 ** 31, uploadBytesPerMs: Number.POSITIVE_INFINITY, neighbours: 8 };
    engine = new Engine("goodput", options);
  },
  leave: () => engine.stop(),
  connected: (count) => until(() => engine.stats().neighbours === count, `${count} neighbours`),
  // Requests all of them, `parallel` at a time, and tells how long the whole took.
  async take(urls, parallel, isHashed) {
    const startMs = now();
    const waiting = [...urls.entries()];
    const taken = [];
    const worker = async () => {
      for (let next = waiting.shift(); next; next = waiting.shift()) {
        const [number, url] = next;
        taken.push({ url, ...(await load(sourceOf(url, number), startMs + 600000)) });
      }
    };
    await Promise.all(Array.from({ length: parallel }, worker));
    const tookMs = now() - startMs;
    const hashes = [];
    for (const { url, bytes } of isHashed ? taken : []) {
      hashes.push([new URL(url).pathname, hex(await crypto.subtle.digest("SHA-256", bytes))]);
    }
    const sum = (pick) => taken.reduce((all, one) => all + pick(one), 0);
    return { tookMs, sizeBytes: sum(({ bytes }) => bytes.byteLength), peerBytes: sum(({ peerBytes }) => peerBytes), hashes };
  },
};

window.goodput = { bare, pool };
