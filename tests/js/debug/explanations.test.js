import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { explain, REASONS } from "../../../static/js/debug/explanations.js";
import { Pool } from "../../../static/js/pool.js";

const { options } = new Pool();
const tracker = "https://tracker.example";

/** @param {Partial<import("../../../static/js/debug/explanations.js").Situation>} what */
function said(what) {
  return explain({
    state: "off",
    options: { ...options, tracker },
    consent: "unasked",
    tracker: "none",
    fromPeersBytes: 0,
    toPeersBytes: 0,
    webrtc: true,
    saver: false,
    ...what,
  });
}

test("each cause of sharing nothing has words of its own", () => {
  const sentences = [
    said({ options: { ...options, tracker, enabled: false } }),
    said({ options }),
    said({ consent: "denied" }),
    said({ options: { ...options, tracker, consent: "required" } }),
    said({ webrtc: false }),
    said({ saver: true }),
    said({ tracker: "off" }),
    said({ state: "idle" }),
    said({ state: "unseen" }),
    said({ state: "alone" }),
    said({ state: "joining" }),
    said({ state: "joining", tracker: "waiting" }),
    said({ state: "holdout" }),
    said({ state: "no-relay" }),
    said({ state: "refused" }),
    said({ state: "banned" }),
    said({ state: "sharing" }),
    said({ state: "sharing", fromPeersBytes: 1 }),
    said({ state: "sharing", options: { ...options, tracker, uploadLimitBps: 0 } }),
  ];
  assert.equal(new Set(sentences).size, sentences.length);
  assert.ok(sentences.every((sentence) => /^[A-Za-z].*\.$/.test(sentence)));
});

test("the page about debugging lists every reason and every state", () => {
  const page = readFileSync(new URL("../../../docs/debugging.md", import.meta.url), "utf8");
  const states = "sharing alone joining holdout no-relay refused banned off idle unseen".split(" ");
  for (const word of [...Object.keys(REASONS), ...states]) assert.ok(page.includes(`\`${word}\``), word);
});
