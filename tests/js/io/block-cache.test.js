import assert from "node:assert/strict";
import { test } from "node:test";
import { FILE_BLOCK_BYTES as BLOCK } from "../../../static/js/core/constants.js";
import { BlockCache } from "../../../static/js/io/block-cache.js";

/** A browser's cache as far as it is used: entries in the order they were put. */
function disk() {
  /** @type {Map<string, ArrayBuffer>} */
  const entries = new Map();
  const cache = {
    keys: async () => [...entries.keys()].map((url) => ({ url })),
    delete: async (/** @type {{ url: string }} */ { url }) => entries.delete(url),
    match: async (/** @type {string} */ url) => (entries.has(url) ? new Response(entries.get(url)) : undefined),
    put: async (/** @type {string} */ url, /** @type {Response} */ response) => {
      entries.delete(url);
      entries.set(url, await response.arrayBuffer());
    },
  };
  return { entries, storage: /** @type {CacheStorage} */ (/** @type {unknown} */ ({ open: async () => cache })) };
}

const bytes = Uint8Array.of(1, 2, 3);

test("a block that was kept comes back, and is of its version alone", async () => {
  const { storage } = disk();
  const cache = new BlockCache("https://site.example", storage, async () => ({ quota: 100 * BLOCK, usage: 0 }));
  assert.equal(await cache.knows("content"), false);
  await cache.put("content", "track", 3, bytes, 10 * BLOCK);
  assert.deepEqual(await cache.get("content", "track", 3), bytes);
  assert.equal(await cache.get("content", "other", 3), null);
  assert.equal(await cache.knows("content"), true);
});

test("beyond the cap the oldest go", async () => {
  const { entries, storage } = disk();
  const cache = new BlockCache("https://site.example", storage, async () => ({ quota: 100 * BLOCK, usage: 0 }));
  for (let number = 0; number < 5; number++) cache.put("content", "track", number, bytes, 3 * BLOCK);
  await cache.put("content", "track", 5, bytes, 3 * BLOCK);
  assert.deepEqual(
    [...entries.keys()].map((url) => url.split("/").pop()),
    ["3", "4", "5"],
  );
});

test("half of what the browser would grant is left to the page", async () => {
  const { entries, storage } = disk();
  const cache = new BlockCache("https://site.example", storage, async () => ({
    quota: BLOCK * (5 + entries.size),
    usage: BLOCK * entries.size,
  }));
  for (let number = 0; number < 3; number++) await cache.put("content", "track", number, bytes, 100 * BLOCK);
  assert.equal(entries.size, 3);
  const poor = new BlockCache("https://site.example", storage, async () => ({ quota: BLOCK, usage: BLOCK }));
  await poor.put("content", "track", 9, bytes, 100 * BLOCK);
  assert.equal(entries.size, 3, "the oldest made room");
  assert.ok(!entries.has("https://site.example/.peerpool/content/track/0"));
});

test("a disk that fails holds nothing, and does no harm", async () => {
  const storage = /** @type {CacheStorage} */ (/** @type {unknown} */ ({ open: () => Promise.reject(new Error("full")) }));
  const cache = new BlockCache("https://site.example", storage, async () => ({}));
  await cache.put("content", "track", 1, bytes, BLOCK);
  assert.equal(await cache.get("content", "track", 1), null);
  assert.equal(await cache.knows("content"), false);
});
