import assert from "node:assert/strict";
import { test } from "node:test";
import { Pool } from "../../static/js/pool.js";

test("an option that does not exist, or cannot be so, is a clear error and changes nothing", () => {
  const pool = new Pool();
  for (const [options, word] of /** @type {[any, RegExp][]} */ ([
    [{ trackr: "https://t.example" }, /no option "trackr"/],
    [{ tracker: "http://[" }, /tracker is a URL/],
    [{ enabled: "yes" }, /enabled/],
    [{ content: "" }, /content/],
    [{ cacheBytes: -1 }, /cacheBytes/],
    [{ uploadLimitBps: Number.NaN }, /uploadLimitBps/],
    [{ uploadRatioMax: -1 }, /uploadRatioMax/],
    [{ neighbours: 17 }, /neighbours/],
  ])) {
    assert.throws(() => pool.configure(options), word);
  }
  assert.deepEqual(pool.options, new Pool().options);
});

test("without WebRTC, a tracker, or leave to share, nothing is shared", () => {
  const pool = new Pool();
  pool.configure({ tracker: "https://tracker.example" });
  assert.equal(pool.active, false); // node has no RTCPeerConnection
  assert.equal(pool.engine("x"), null);
  assert.equal(pool.stats().state, "off");
});

test("a listener's error stays its own", () => {
  const pool = new Pool();
  const heard = /** @type {unknown[]} */ ([]);
  const report = globalThis.reportError;
  globalThis.reportError = (error) => heard.push(error);
  try {
    pool.on("segment", () => {
      throw new Error("the page's");
    });
    pool.on("segment", (event) => heard.push(event.url));
    pool.segmentDelivered({ url: "u", sizeBytes: 1, peerBytes: 0 });
  } finally {
    globalThis.reportError = report;
  }
  assert.equal(String(heard[0]), "Error: the page's");
  assert.equal(heard[1], "u");
});
