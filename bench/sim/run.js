/**
 * Runs a scenario with the library, and again without it: the same viewers, lines and times.
 *
 *   node bench/sim/run.js live-100 [--peers 50] [--minutes 2] [--seed 7] [--set lines.uplink=1 --set audience.behind=0.2]
 *     --no-plain     leaves the twin without the library out
 *     --pipes=3,4    the tracker is asked over one inherited descriptor and answers over the other (bench/simulate.py does that);
 *                    else a stand-in introduces
 *     --progress     says how far it is, on standard error
 *
 * Figures go to standard output as JSON, one line for people to standard error. Same seed, same figures, but for `cost`.
 */

import { parseArgs } from "node:util";
import { experience, sharing } from "./metrics.js";
import { mix, seeded } from "./random.js";
import { SCENARIOS } from "./scenarios.js";
import { Simulation } from "./simulation.js";
import { LocalBackend, PipeBackend } from "./tracker.js";

/** @typedef {import("./scenarios.js").Scenario} Scenario */

/** @param {string[]} args */
function parse(args) {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      peers: { type: "string" },
      minutes: { type: "string" },
      seed: { type: "string" },
      set: { type: "string", multiple: true, default: [] },
      "no-plain": { type: "boolean", default: false },
      pipes: { type: "string" },
      progress: { type: "boolean", default: false },
    },
  });
  const known = SCENARIOS.get(positionals[0] ?? "");
  if (!known) throw new Error(`no scenario ${positionals[0]}; there are ${[...SCENARIOS.keys()].join(", ")}`);
  const scenario = structuredClone(known);
  if (values.peers) scenario.audience.peers = Number(values.peers);
  if (values.minutes) scenario.minutes = Number(values.minutes);
  if (values.seed) scenario.seed = Number(values.seed);
  for (const assignment of values.set) set(scenario, assignment);
  return { scenario, plain: !values["no-plain"], pipes: values.pipes, progress: values.progress };
}

/** @param {Record<string, any>} scenario @param {string} assignment  "lines.uplink=2"; the value is JSON */
function set(scenario, assignment) {
  const [path = "", value = ""] = assignment.split("=");
  const names = path.split(".");
  const last = /** @type {string} */ (names.pop());
  const target = names.reduce((inside, name) => inside?.[name], scenario);
  if (!target || !(last in target)) throw new Error(`scenarios have no ${path}`);
  target[last] = JSON.parse(value);
}

/** @param {Simulation} simulation @param {{ user: number, system: number }} cpu @param {number} wallMs */
function cost(simulation, cpu, wallMs) {
  const peerSec = simulation.presentMs / 1000;
  const cpuMs = (cpu.user + cpu.system) / 1000;
  const { effort, clock } = simulation.world;
  return {
    wallSec: Math.round(wallMs / 100) / 10,
    cpuSec: Math.round(cpuMs / 100) / 10,
    events: clock.events,
    peerSec: Math.round(peerSec),
    // All of the process: the model's own work and garbage collection included.
    cpuMsPerPeerSec: Number((cpuMs / peerSec).toFixed(3)),
    // Of the wall time, inside the cores, by a clock around each call.
    coreShare: Number((effort.coreMs / wallMs).toFixed(3)),
    maxRssMiB: Math.round(process.resourceUsage().maxRSS / 1024),
    coreCallsPerPeerSec: Number((effort.turns / peerSec).toFixed(1)),
  };
}

function main() {
  const { scenario, plain, pipes, progress } = parse(process.argv.slice(2));
  const say = progress ? (/** @type {string} */ text) => process.stderr.write(`  ${scenario.name}: ${text}\n`) : () => {};
  const started = performance.now();
  const cpu = process.cpuUsage();
  const [outFd = 3, inFd = 4] = pipes?.split(",").map(Number) ?? [];
  const backend = pipes ? new PipeBackend(outFd, inFd) : new LocalBackend(seeded(mix(scenario.seed, 0x7ac)));
  const pool = new Simulation(scenario, backend);
  pool.run(say);
  const report = {
    scenario: scenario.name,
    seed: scenario.seed,
    minutes: scenario.minutes,
    peers: scenario.audience.peers,
    tracker: pipes ? "shipped" : "stand-in",
    pool: { ...experience(pool), ...sharing(pool) },
    plain: /** @type {ReturnType<typeof experience> | null} */ (null),
    cost: cost(pool, process.cpuUsage(cpu), performance.now() - started),
  };
  if (plain) {
    const twin = new Simulation(scenario, null);
    twin.run(say);
    report.plain = experience(twin);
  }
  console.log(JSON.stringify(report));
  process.stderr.write(`${line(report)}\n`);
}

/** @param {any} report */
function line({ scenario, peers, minutes, pool, plain, cost: { wallSec, cpuMsPerPeerSec } }) {
  const copies = pool.copiesWarm === null ? `${pool.copies}` : `${pool.copies} (${pool.copiesWarm} after warm-up)`;
  const spread = pool.spreadMs ? `, 95 % have it after ${pool.spreadMs.most.median} ms` : "";
  const latency = pool.latencySec ? `, ${pool.latencySec.median} s behind (${plain?.latencySec.median})` : "";
  return (
    `${scenario}: ${peers} viewers, ${minutes} min: ${copies} copies, offload ${pool.offloadWarm} of ${pool.boundWarm}, ` +
    `stalls ${pool.stalls} in ${pool.stalledSec} s (plain ${plain?.stalls} in ${plain?.stalledSec} s), ` +
    `start ${pool.startupMs.median}/${pool.startupMs.p95} ms (${plain?.startupMs.median}/${plain?.startupMs.p95})${latency}${spread}, ` +
    `upload max ${pool.uploadRatio.max}, wasted ${pool.wastedShare}; ${wallSec} s, ${cpuMsPerPeerSec} CPU ms a peer-second`
  );
}

main();
