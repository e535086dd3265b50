/** Whole small runs with the stand-in tracker: peers meet, part, and play as well as without the library. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { experience, sharing } from "../../../bench/sim/metrics.js";
import { seeded } from "../../../bench/sim/random.js";
import { SCENARIOS } from "../../../bench/sim/scenarios.js";
import { Simulation } from "../../../bench/sim/simulation.js";
import { LocalBackend } from "../../../bench/sim/tracker.js";

/**
 * @param {Partial<import("../../../bench/sim/scenarios.js").Audience>} audience
 * @param {Partial<import("../../../bench/sim/scenarios.js").Lines>} [lines]
 * @param {Partial<import("../../../bench/sim/scenarios.js").Content>} [content]
 * @returns {import("../../../bench/sim/scenarios.js").Scenario}
 */
function small(audience, lines = {}, content = {}) {
  const base = structuredClone(/** @type {import("../../../bench/sim/scenarios.js").Scenario} */ (SCENARIOS.get("live-10")));
  return {
    ...base,
    minutes: 0.75,
    content: { ...base.content, ...content },
    audience: { ...base.audience, peers: 6, joinOverSec: 6, ...audience },
    lines: { ...base.lines, ...lines },
  };
}

/** @param {import("../../../bench/sim/scenarios.js").Scenario} scenario */
function run(scenario) {
  const simulation = new Simulation(scenario, new LocalBackend(seeded(1)));
  simulation.run();
  return simulation;
}

test("peers who meet at a tracker know each other, and the same seed is the same run", () => {
  const [one, two] = [run(small({})), run(small({}))];
  assert.deepEqual(sharing(one), sharing(two));
  assert.deepEqual(experience(one), experience(two));
  assert.equal(sharing(one).neighbours.median, 5);
  assert.equal(experience(one).stalls, 0);
});

test("where NATs keep all apart nobody meets, and all play", () => {
  const simulation = run(small({}, { unreachable: 1 }));
  assert.equal(sharing(simulation).neighbours.max, 0);
  assert.equal(experience(simulation).stalls, 0);
  // Abandoned transfers may cost a little more than one copy a viewer.
  assert.ok(Number(sharing(simulation).copies) > 5, `${sharing(simulation).copies}`);
});

test("those who left are nobody's neighbours, whether they said so or not", () => {
  for (const vanish of [0, 1]) {
    const simulation = run(small({ vanish, departure: { atSec: 20, share: 0.5, overSec: 1 } }));
    const { alive } = simulation.world;
    assert.ok(alive.length < 6);
    for (const peer of alive) assert.equal(peer.node.neighbourCount, alive.length - 1);
  }
});

test("a viewer leaves early, seeks, and changes levels without asking for what is not there", () => {
  const vod = { windowSegments: null, segments: 40, bitratesBps: [400_000, 1_600_000] };
  const simulation = run(small({ staySec: 30, seekEverySec: 8 }, { downlink: 3 }, vod));
  assert.equal(experience(simulation).failures, 0);
  assert.ok(Number(experience(simulation).meanKbps) > 400);
});

test("the twin without the library plays the same stream for the same viewers", () => {
  const scenario = small({});
  const plain = new Simulation(scenario, null);
  plain.run();
  const pool = experience(run(scenario));
  const figures = experience(plain);
  assert.equal(figures.viewers, pool.viewers);
  assert.equal(figures.stalls, 0);
  assert.equal(Math.round(plain.world.cdn.sentBytes / plain.consumedBytes), 1);
});

test("among peers of whom half send wrong bytes, what is signed is played right, they are banned, and nobody stalls", () => {
  const simulation = run(small({ peers: 10, integrity: "signed", liars: 0.5 }));
  const { liars, liarsBanned, honestBanned } = sharing(simulation);
  const { wrongSegments, stalls } = experience(simulation);
  assert.deepEqual([wrongSegments, stalls, honestBanned], [0, 0, 0]);
  assert.ok(liars >= 3 && liarsBanned === liars, `${liarsBanned} of ${liars}`);
});

test("where nobody signs, who sends only wrong bytes has none of them played, and nobody honest pays for it", () => {
  const simulation = run(small({ peers: 10, integrity: "spot", liars: 0.5 }));
  const { liars, liarsBanned, honestBanned } = sharing(simulation);
  const { wrongSegments, stalls } = experience(simulation);
  assert.deepEqual([wrongSegments, stalls, honestBanned], [0, 0, 0]);
  assert.ok(liars >= 3 && liarsBanned === liars, `${liarsBanned} of ${liars}`);
});

test("without checks the same peers would have been played to", () => {
  const { wrongSegments } = experience(run(small({ peers: 10, integrity: "off", liars: 0.5 })));
  assert.ok(wrongSegments > 20, `${wrongSegments}`);
});

test("signatures cost neither copies nor stalls", () => {
  const [signed, unsigned] = [run(small({ integrity: "signed" })), run(small({}))];
  assert.equal(experience(signed).stalls, 0);
  assert.ok(Number(sharing(signed).offloadWarm) >= Number(sharing(unsigned).offloadWarm) - 0.01);
});

test("where nobody signs, some pieces are compared with the CDN, at the cost of a point", () => {
  const [spot, unchecked] = [run(small({ integrity: "spot" })), run(small({}))];
  assert.equal(experience(spot).stalls, 0);
  assert.ok(Number(sharing(spot).fetches?.ranged ?? 1) > 0);
  assert.ok(Number(sharing(spot).offloadWarm) >= Number(sharing(unchecked).offloadWarm) - 0.02);
});
