"""`python -m bench.side_by_side`: do the runs, and write side-by-side.json, .md and .svg."""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import json
import shlex
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench.side_by_side import report
from bench.side_by_side.cases import CASES, PRODUCTS, QUICK_CASES, SCALED_CASE, Plan, plans, rotated
from bench.side_by_side.run import run_once
from bench.side_by_side.setup import ground
from bench.side_by_side.store import Store, open_store

OVERHEAD_S = 8.0  # of a run, besides joining and watching: a browser starts and stops
SETUP_S = 40.0  # before the first run: a whole window of the live stream
INCOMPLETE = 3  # exit status: the time was up, call it again with --resume
WATCH_S = 50.0
QUICK_WATCH_S = 45.0


def options(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.side_by_side", description=__doc__)
    parser.add_argument("--runs", type=int, help="repeats of everything (default 5)")
    parser.add_argument("--cases", nargs="+", choices=CASES, metavar="CASE", help=f"of: {', '.join(CASES)} (all)")
    parser.add_argument("--products", nargs="+", choices=PRODUCTS, default=list(PRODUCTS), metavar="PRODUCT")
    parser.add_argument("--viewers", type=int, default=8, help="of each run (default 8)")
    parser.add_argument("--scaling", nargs="*", type=int, help=f"{SCALED_CASE} with these too (default 2 4)")
    parser.add_argument("--watch", type=float, help=f"seconds after the last join (default {WATCH_S:.0f})")
    parser.add_argument(
        "--quick", action="store_true", help=f"one run of {', '.join(QUICK_CASES)}, unless said otherwise"
    )
    parser.add_argument("--out", type=Path, default=Path("build/side-by-side"), help="folder of the results")
    parser.add_argument("--resume", action="store_true", help="go on with the runs that the results there do not have")
    parser.add_argument(
        "--minutes", type=float, default=float("inf"), help=f"begin no run later; status {INCOMPLETE} then"
    )
    parser.add_argument("--render", action="store_true", help="only write table and picture again, from the JSON")
    chosen = parser.parse_args(arguments)
    quick = chosen.quick
    chosen.runs = chosen.runs or (1 if quick else 5)
    chosen.cases = chosen.cases or list(QUICK_CASES if quick else CASES)
    chosen.scaling = ([] if quick else [2, 4]) if chosen.scaling is None else chosen.scaling
    chosen.watch = chosen.watch or (QUICK_WATCH_S if quick else WATCH_S)
    return chosen


def duration_s(plan: Plan, watch_s: float) -> float:
    """How long a run takes, about."""
    return plan.case.joins_s + watch_s + OVERHEAD_S


async def measure(store: Store, todo: Sequence[tuple[Plan, int]], watch_s: float, until_s: float) -> bool:
    """Do the runs in order; False when the time was up before all were done."""
    with tempfile.TemporaryDirectory() as folder, ground(Path(folder)) as ready:
        for number, (plan, repeat) in enumerate(todo, start=1):
            if time.monotonic() + duration_s(plan, watch_s) > until_s:
                return False
            print(f"run {number} of {len(todo)}: {plan.label}, repeat {repeat + 1} ...", flush=True)
            tag = f"{plan.case.name}-{plan.product.name}-{plan.viewers}-{repeat}"
            run = store.add(plan, repeat, await run_once(ready, plan, tag, watch_s))
            print(f"  {report.one_line(run)}", flush=True)
            for text in run["error_samples"]:
                print(f"  ! {text}", flush=True)
    return True


def render(json_path: Path) -> None:
    """Write the table, and the picture where matplotlib is installed."""
    store = json.loads(json_path.read_text())
    json_path.with_suffix(".md").write_text(report.markdown(store))
    if importlib.util.find_spec("matplotlib") is None:
        print("no picture: matplotlib is not installed")
        return
    from bench.side_by_side.plot import draw  # noqa: PLC0415 - the figures do not need it

    draw(store, json_path.with_suffix(".svg"))


def main() -> None:
    """Entry point."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that no browser is left behind
    chosen = options(sys.argv[1:])
    path = chosen.out / "side-by-side.json"
    if not chosen.render:
        begun = time.monotonic()
        said = [item for item in sys.argv[1:] if item != "--resume"]
        command = shlex.join(["python", "-m", "bench.side_by_side", *said])
        store = open_store(path, command, chosen.watch, resume=chosen.resume)
        wanted = plans(chosen.cases, chosen.products, chosen.viewers, chosen.scaling)
        order = [(plan, repeat) for repeat in range(chosen.runs) for plan in rotated(wanted, repeat)]
        todo = [(plan, repeat) for plan, repeat in order if not store.has(plan, repeat)]
        minutes = (SETUP_S + sum(duration_s(plan, chosen.watch) for plan, _ in todo)) / 60
        print(f"{len(todo)} runs, about {minutes:.0f} minutes; results in {chosen.out}", flush=True)
        complete = not todo or asyncio.run(measure(store, todo, chosen.watch, begun + chosen.minutes * 60))
        if not path.exists():
            sys.exit(INCOMPLETE)
    render(path)
    print(f"{path.with_suffix('.md')} written")
    if not chosen.render and not complete:
        sys.exit(INCOMPLETE)


if __name__ == "__main__":
    main()
