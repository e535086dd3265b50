"""Runs the swarm simulator's scenarios against the shipped tracker core, and writes figures, a table and plots.

The peers run in node (bench/sim), the tracker here (tracker_bridge.py), joined by two pipes. `--short` is a minute's
worth of it for tests; `--seeds 3` repeats each scenario and shows every run.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.simulate_report import plots, table
from bench.tracker_bridge import TrackerBridge

ROOT = Path(__file__).parents[1]
RUN_JS = ROOT / "bench" / "sim" / "run.js"
OUT = ROOT / "build" / "sim"

Report = dict[str, Any]


@dataclass(frozen=True)
class Run:
    """A scenario with what differs from its defaults."""

    scenario: str
    seed: int = 1
    options: tuple[str, ...] = ()


# The largest first, so that the small ones fill the other core.
SCENARIOS: Sequence[str] = (
    "live-1000", "live-300", "vod-flash-200", "live-flash-200", "mass-departure", "vod-poisson", "churn", "live-100",
    "behind", "abr", "nats", "nats-mobile", "live-30", "origin-outage", "live-10", "origin-half",
)  # fmt: skip
SHORT: Sequence[Run] = (
    Run("live-10", options=("--minutes=2",)),
    Run("live-100", options=("--peers=30", "--minutes=1.5", "--set=audience.joinOverSec=20")),
    Run("vod-flash-200", options=("--peers=20", "--minutes=1", "--set=content.segments=60")),
    Run("churn", options=("--peers=20", "--minutes=1.5")),
)


def simulate(run: Run, *, progress: bool = False) -> Report:
    """Run one scenario in a process of its own. Raises CalledProcessError with what node said when it fails."""
    requests, to_tracker = os.pipe()
    from_tracker, answers = os.pipe()
    command = [_node(), str(RUN_JS), run.scenario, f"--seed={run.seed}", *run.options]
    command += [f"--pipes={to_tracker},{from_tracker}", *(["--progress"] if progress else [])]
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        said = None if progress else errors
        process = subprocess.Popen(command, stdout=output, stderr=said, pass_fds=(to_tracker, from_tracker), cwd=ROOT)
        os.close(to_tracker)
        os.close(from_tracker)
        try:
            _serve(TrackerBridge(run.seed), requests, answers)
            process.wait()
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        if process.returncode != 0:
            errors.seek(0)
            print(errors.read().decode(errors="replace"), file=sys.stderr)
            raise subprocess.CalledProcessError(process.returncode, command)
        output.seek(0)
        report: Report = json.loads(output.read())
    return report


def _serve(bridge: TrackerBridge, requests: int, answers: int) -> None:
    """Answer until the other side closes."""
    with os.fdopen(requests, "rb") as lines, os.fdopen(answers, "wb", buffering=0) as out:
        for line in lines:
            with contextlib.suppress(BrokenPipeError):
                view = memoryview(bridge.line_received(line))
                while view:
                    view = view[out.write(view) :]


def _node() -> str:
    node = shutil.which("node")
    if node is None:
        raise FileNotFoundError("the simulator needs node 20 or newer in the PATH")
    return node


def comparable(report: Report) -> Report:
    """Return `report` without what differs between two runs of the same seed: what they cost."""
    return {name: value for name, value in report.items() if name != "cost"}


def summary(report: Report) -> str:
    """Return one line for people."""
    pool, cost = report["pool"], report["cost"]
    plain = report["plain"] or {"stalls": "-", "stalledSec": "-"}
    copies = pool["copies"] if pool["copiesWarm"] is None else pool["copiesWarm"]
    return (
        f"{report['scenario']:15s} seed {report['seed']}: {report['peers']:5d} viewers, {copies} copies, "
        f"offload {pool['offloadWarm']} of {pool['boundWarm']}, stalls {pool['stalls']} in {pool['stalledSec']} s "
        f"(plain {plain['stalls']} in {plain['stalledSec']} s), {cost['wallSec']} s, "
        f"{cost['cpuMsPerPeerSec']} CPU ms a peer-second"
    )


def simulate_all(runs: Sequence[Run], at_once: int, out: Path, *, progress: bool) -> list[Report]:
    """Run all, `at_once` at a time; each is printed and written down as it ends, for the largest take long."""
    done: dict[Run, Report] = {}
    lock = threading.Lock()

    def one(run: Run) -> None:
        report = simulate(run, progress=progress)
        with lock:
            done[run] = report
            print(summary(report), flush=True)
            write([done[run] for run in runs if run in done], out)

    with ThreadPoolExecutor(at_once) as pool:
        list(pool.map(one, runs))
    return [done[run] for run in runs]


def write(reports: Sequence[Report], out: Path) -> None:
    """Write figures and table."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "results.json").write_text(json.dumps(reports, indent=1) + "\n", encoding="utf-8")
    (out / "table.md").write_text(table(reports), encoding="utf-8")


def main() -> None:
    """Run what was asked for and write it down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scenarios", nargs="*", help="all of them by default")
    parser.add_argument("--short", action="store_true", help="small runs of a few, in under 90 s")
    parser.add_argument("--seeds", type=int, default=1, help="runs of each scenario")
    parser.add_argument("--at-once", type=int, default=2, help="processes")
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--progress", action="store_true", help="say every ten virtual seconds how far each run is")
    parser.add_argument("--set", action="append", default=[], help="lines.uplink=1: change a scenario")
    args = parser.parse_args()
    if args.short:
        runs = list(SHORT)
    else:
        options = tuple(f"--set={assignment}" for assignment in args.set)
        names = args.scenarios or SCENARIOS
        runs = [Run(name, seed, options) for name in names for seed in range(1, args.seeds + 1)]
    started = time.monotonic()
    reports = simulate_all(runs, args.at_once, args.out, progress=args.progress)
    plots(reports, args.out)
    print(f"{len(reports)} runs in {time.monotonic() - started:.0f} s; figures, table and plots in {args.out}")


if __name__ == "__main__":
    main()
