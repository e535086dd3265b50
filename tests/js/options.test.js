import assert from "node:assert/strict";
import { test } from "node:test";
import { checkedOptions, defaultOptions, RULES, tagOptions } from "../../static/js/options.js";

test("there are at most fifteen options, and each default is one that a page may set", () => {
  assert.ok(Object.keys(RULES).length <= 15);
  assert.deepEqual(checkedOptions(defaultOptions()), defaultOptions());
});

test("a small device holds less", () => {
  assert.equal(defaultOptions().cacheBytes, 64 * 2 ** 20);
  assert.equal(defaultOptions(2).cacheBytes, 16 * 2 ** 20);
});

test("an error says what the option is and what it was given, but never a token", () => {
  for (const [options, text] of /** @type {[any, string][]} */ ([
    [{ neighbours: 17 }, "PeerPool: neighbours is a whole number, 1 to 16, not 17"],
    [{ consent: "yes" }, 'PeerPool: consent is "implied" or "required", not "yes"'],
    [{ enabled: { on: true } }, "PeerPool: enabled is true or false, not an object"],
    [{ cacheBytes: "1" }, 'PeerPool: cacheBytes is a number of bytes, 0 or more, not "1"'],
    [{ content: undefined }, "PeerPool: content is a name, or null, not undefined"],
    [{ token: "x".repeat(2049) }, "PeerPool: token is a function that gives one, at most 2048 characters, or null, not string"],
  ])) {
    assert.throws(() => checkedOptions({ ...defaultOptions(), ...options }), { name: "TypeError", message: text });
  }
  for (const name of ["neighbors", "toString", "__proto__x"])
    assert.throws(
      () => checkedOptions(/** @type {any} */ ({ ...defaultOptions(), [name]: 1 })),
      /there is no option .*; there are tracker, enabled/,
    );
});

test("a tracker has a scheme that can be one, or is relative to the page", () => {
  /** @param {unknown} tracker @param {string} [page] */
  const takes = (tracker, page) => () => checkedOptions({ ...defaultOptions(), tracker: /** @type {string} */ (tracker) }, page);
  for (const tracker of ["", "https://t.example", "wss://t.example/x", "http://[::1]:8080"]) assert.doesNotThrow(takes(tracker));
  assert.doesNotThrow(takes("/", "https://site.example/page"));
  for (const tracker of ["t.example", "/", "ftp://t.example", "javascript:1", "http://[", null, 5])
    assert.throws(takes(tracker), /tracker is a URL/);
  assert.throws(takes("/", "about:blank"), /tracker is a URL/);
});

test("limits may be infinite, and are numbers", () => {
  const endless = { ...defaultOptions(), uploadLimitBps: Number.POSITIVE_INFINITY, uploadRatioMax: Number.POSITIVE_INFINITY };
  assert.equal(checkedOptions(endless), endless);
  assert.throws(() => checkedOptions({ ...endless, uploadLimitBps: Number.NaN }), /not NaN/);
});

test("of the script tag's attributes only those of options are read, and those that say something", () => {
  assert.deepEqual(tagOptions(), {});
  assert.deepEqual(
    tagOptions({ site: "news", token: "", content: "channel-1", neighbours: "3", peerpool: "x", consent: "required" }),
    { site: "news", content: "channel-1", consent: "required" },
  );
});
