/**
 * Drives bittorrent-tracker's own client, unchanged, against a tracker: `node bittorrent_client.mjs ws://host/announce`.
 *
 * Only WebRTC is invented (its native module is not built here): a peer that makes recognisable offers and answers.
 * Prints one line a check; exits with 1 at the first that fails.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { register } from "node:module";

const STUB_PEER = `
import { EventEmitter } from "node:events";
let made = 0;
export default class Peer extends EventEmitter {
  static WEBRTC_SUPPORT = true;
  constructor({ initiator = false } = {}) {
    super();
    this.name = \`\${initiator ? "offer" : "answer"} \${++made}\`;
    if (initiator) queueMicrotask(() => this.emit("signal", { type: "offer", sdp: this.name }));
  }
  signal(description) {
    this.heard = description;
    if (description.type === "offer") this.emit("signal", { type: "answer", sdp: this.name + " to " + description.sdp });
    else this.emit("connect");
  }
  destroy() { this.removeAllListeners(); }
}`;
const STUB_URL = `data:text/javascript,${encodeURIComponent(STUB_PEER)}`;
const HOOK = `export const resolve = (name, context, next) =>
  name === "@thaunknown/simple-peer/lite.js" ? { url: ${JSON.stringify(STUB_URL)}, shortCircuit: true } : next(name, context);`;
register(`data:text/javascript,${encodeURIComponent(HOOK)}`);

const { default: Client } = await import("bittorrent-tracker/client");

const tracker = process.argv[2];
// Bytes that JSON escapes, that UTF-8 makes two bytes of, and zero.
const infoHash = "00010a1f225c7f80a0adc8d8e9fafbfcfdfeff41";
const sockets = { own: (name) => `${tracker}?${name}` }; // another URL is another socket: clients pool them by URL
const timeout = setTimeout(() => fail(new Error("timed out")), 20_000);
const clients = [];
let checks = 0;

/** @param {string} name of 8 bytes @param {string} url */
function client(name, url) {
  const made = new Client({
    infoHash,
    peerId: Buffer.from(`-WW0001-${name}`.padEnd(20, "\xff"), "latin1"),
    announce: [url],
    port: 6881,
  });
  made.on("error", fail);
  made.on("warning", fail);
  clients.push(made);
  return made;
}

/** @param {any} emitter @param {string} event @param {() => void} act waits for `event` after `act` */
async function after(emitter, event, act) {
  const happened = once(emitter, event);
  act();
  return (await happened)[0];
}

function pass(text) {
  checks += 1;
  console.log(`ok ${checks} ${text}`);
}

function fail(error) {
  console.error(error);
  process.exit(1);
}

process.on("unhandledRejection", fail);

const a = client("aaaaaaaa", sockets.own("a"));
const b = client("bbbbbbbb", sockets.own("b"));

let update = await after(a, "update", () => a.start());
assert.deepEqual([update.complete, update.incomplete, update.infoHash], [0, 1, infoHash]);
assert.ok(update.interval >= 30);
pass("start is answered with counts and interval");

const aMeets = once(a, "peer");
const bMeets = once(b, "peer");
update = await after(b, "update", () => b.start());
assert.equal(update.incomplete, 2);
pass("a second client is counted");

const [[offered], [answered]] = await Promise.all([aMeets, bMeets]);
assert.equal(offered.id, b.peerId);
assert.match(offered.heard.sdp, /^offer \d+$/);
pass("an offer reaches the other client with its sender's peer id");
assert.equal(answered.id, a.peerId);
assert.equal(answered.heard.sdp, `${offered.name} to ${answered.name}`);
pass("the answer reaches the client whose offer it answers");

let scraped = await after(a, "scrape", () => a.scrape());
assert.deepEqual([scraped.complete, scraped.incomplete, scraped.infoHash], [0, 2, infoHash]);
pass("scrape");

update = await after(a, "update", () => a.complete());
assert.deepEqual([update.complete, update.incomplete], [1, 1]);
pass("completed");

const other = "ff".repeat(20);
scraped = await new Promise((resolve, reject) => {
  Client.scrape({ infoHash: [infoHash, other], announce: sockets.own("s"), port: 6881 }, (error, data) =>
    error ? reject(error) : resolve(data),
  );
});
assert.deepEqual([scraped[infoHash].complete, scraped[infoHash].downloaded, scraped[other].incomplete], [1, 1, 0]);
pass("scrape of several");

// Two clients of one page share a socket, and can meet over it.
const c = client("cccccccc", sockets.own("shared"));
const d = client("dddddddd", sockets.own("shared"));
await after(c, "update", () => c.start());
const met = once(c, "peer");
await after(d, "update", () => d.start());
await met;
scraped = await after(a, "scrape", () => a.scrape());
assert.equal(scraped.incomplete, 3);
pass("two clients on one socket are two members");

update = await after(b, "update", () => b.stop());
assert.deepEqual([update.complete, update.incomplete], [1, 2]);
pass("stopped is answered");

await Promise.all(clients.map((one) => new Promise((resolve) => one.destroy(resolve))));
pass("destroyed");

const late = client("eeeeeeee", sockets.own("late"));
do {
  scraped = await after(late, "scrape", () => late.scrape());
} while (scraped.complete + scraped.incomplete > 0); // closed sockets are forgotten as their closing arrives
pass("a closed socket's members are forgotten");
await new Promise((resolve) => late.destroy(resolve));
clearTimeout(timeout);
