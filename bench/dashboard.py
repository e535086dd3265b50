"""What the dashboard costs a large tracker, and how large its history becomes.

A tracker of the shipped core with many swarms and members, all of whom report in every half minute; the dashboard's
endpoints are asked meanwhile, through Starlette and without sockets. Then a history takes what it is given by a tracker
of some contents each minute of a year, and is asked too.

    python -m bench.dashboard --swarms 10000 --members 100000
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import resource
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx
from peerpool.access import Access
from peerpool.core import messages as m
from peerpool.core.figures import Prices, Tier
from peerpool.core.identity import content_id
from peerpool.core.ledger import LedgerKey, Sums
from peerpool.core.limits import Limits
from peerpool.core.seats import Group
from peerpool.core.swarm import Family
from peerpool.core.tracker import Tracker
from peerpool.dashboard import Dashboard
from peerpool.history import DAY_S, HOUR_S, MINUTE_S
from peerpool.pages import Pages
from peerpool.randomness import TrackerRandom
from peerpool.recorder import Recorder
from peerpool.settings import Settings
from peerpool.signalling import Hub
from peerpool.sqlite_history import SqliteHistory
from starlette.applications import Starlette

from bench.locality import Internet

TOKEN = "a token for the benchmark"
ENDPOINTS = ("now", "history?range=1h", "history?range=24h", "history?range=1y", "history.csv?range=24h")
P95 = 0.95


@dataclass(frozen=True)
class Plan:
    """Sizes."""

    swarms: int = 10_000
    members: int = 100_000
    requests: int = 40  # of each endpoint
    contents: int = 10  # in the history
    days: int = 366
    history_mb: int = 512


@dataclass(frozen=True)
class Result:
    """What was measured; times in ms."""

    p50_ms: dict[str, float]
    p95_ms: dict[str, float]
    largest_answer_bytes: dict[str, int]
    take_ms: float  # of the sums, all in the tracker's thread but what the history does
    stall_ms: float  # the longest that the tracker's loop stood still in it
    report_us: float  # one report, as the core takes it
    memory_mb: float  # that the recorder added with all its takings
    year_mb: float
    year_minutes: int  # steps of a minute that are in it, and of hours and days
    year_hours: int
    year_days: int
    add_ms: float  # one write to it


def crowd(plan: Plan, hub: Hub) -> list[tuple[int, str]]:
    """Join everybody: the audience of contents falls off as 1/rank, and each has somebody."""
    rng = random.Random(1)
    weights = [1 / (rank + 1) for rank in range(plan.swarms)]
    wanted = list(range(plan.swarms)) + rng.choices(range(plan.swarms), weights, k=plan.members - plan.swarms)
    internet = Internet(rng)
    joined = []
    for connection, number in enumerate(wanted, 1):
        place = internet.viewer(connection).place
        name = f"cdn.example/{number}/index.m3u8"
        hub.tracker.connection_opened(connection, Family.NATIVE, hub.now(), place)
        hub.tracker.message_received(connection, m.Join(content_id(name), "0" * 16, name=name), hub.now())
        joined.append((connection, name))
    return joined


def everybody_reports(hub: Hub, connections: Sequence[int]) -> float:
    """Return how long one report took, in µs."""
    began_s = time.perf_counter()
    report = m.Report(5_000_000, 200_000, 5_000_000, 8, 0, first_frame_ms=600, tracker_rtt_ms=30)
    for connection in connections:
        hub.tracker.message_received(connection, report, hub.now())
    return (time.perf_counter() - began_s) / len(connections) * 1e6


def fill(plan: Plan, history: SqliteHistory, now_s: int) -> float:
    """Write a year as a tracker would, a minute at a time; return how long one write took, in ms."""
    keys = [LedgerKey("", f"{number:040x}", Group.SHARING) for number in range(plan.contents)]
    rng = random.Random(2)
    began_s = time.perf_counter()
    minutes = plan.days * DAY_S // MINUTE_S
    for minute in range(minutes):
        rows = {
            key: Sums(
                viewer_ms=60_000_000, joins=50, reports=2_000, stalls=3, site_bytes=rng.randrange(10**10),
                isp_bytes=rng.randrange(10**11), far_bytes=10**10, cdn_bytes=10**10, possible_bytes=10**11,
                sent_bytes=10**11, connected=100, failed=20, first_frame_ms=25_000, frames_400=20, frames_700=30,
            )
            for key in keys
        }  # fmt: skip
        history.add(now_s - (minutes - minute) * MINUTE_S, rows)
    return (time.perf_counter() - began_s) / minutes * 1e3


async def ask(plan: Plan, app: Starlette) -> tuple[dict[str, list[float]], dict[str, int]]:
    """Ask each endpoint again and again; return times in ms, and the size of the largest answer."""
    times: dict[str, list[float]] = {name: [] for name in ENDPOINTS}
    sizes = dict.fromkeys(ENDPOINTS, 0)
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://t", headers=headers) as client:
        for _ in range(plan.requests):
            for name in ENDPOINTS:
                began_s = time.perf_counter()
                answer = await client.get(f"/dashboard/{name}")
                times[name].append((time.perf_counter() - began_s) * 1e3)
                sizes[name] = max(sizes[name], len(answer.raise_for_status().content))
    return times, sizes


async def longest_stall_ms(work: Any) -> tuple[float, float]:
    """Return how long `work` took, and the longest that other work on the loop had to wait meanwhile, in ms."""
    longest_s = 0.0

    async def watch() -> None:
        nonlocal longest_s
        while True:
            before_s = time.perf_counter()
            await asyncio.sleep(0)
            longest_s = max(longest_s, time.perf_counter() - before_s)

    watching = asyncio.create_task(watch())
    began_s = time.perf_counter()
    await work
    took_s = time.perf_counter() - began_s
    watching.cancel()
    return took_s * 1e3, longest_s * 1e3


async def measure(plan: Plan, folder: Path) -> Result:
    """Measure everything."""
    limits = Limits(max_swarms=10**6, max_swarm_members=10**6)
    hub = Hub(Tracker(TrackerRandom(), limits), 10**6)
    # Until half past the next hour: it has what is asked for, and as many hours whatever time it is.
    now_s = (int(time.time()) // HOUR_S + 1) * HOUR_S + HOUR_S // 2
    history = SqliteHistory(str(folder / "history.db"), plan.history_mb * 10**6)
    add_ms = fill(plan, history, now_s)
    history.sweep(now_s)
    steps = {
        span_s: history._db.execute("SELECT COUNT(DISTINCT at_s) FROM sums WHERE span_s = ?", (span_s,)).fetchone()[0]
        for span_s in (60, 3_600, 86_400)
    }
    year_mb = history.size_bytes() / 1e6
    joined = crowd(plan, hub)
    recorder = Recorder(hub, history)
    await recorder.take()
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    report_us = everybody_reports(hub, [connection for connection, _ in joined])
    takes = [await longest_stall_ms(recorder.take()) for _ in range(15)]
    after_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    prices = Prices("EUR", [Tier(0.02)])
    app = Starlette(routes=Dashboard(recorder, Access(TOKEN), Pages(Settings()), prices).routes())
    times, sizes = await ask(plan, app)
    return Result(
        {name: round(statistics.median(all_ms), 1) for name, all_ms in times.items()},
        {name: round(sorted(all_ms)[int(P95 * (len(all_ms) - 1))], 1) for name, all_ms in times.items()},
        sizes,
        round(statistics.median(took for took, _ in takes), 1),
        round(max(stall for _, stall in takes), 1),
        round(report_us, 1),
        round((after_kb - before_kb) / 1024, 1),
        round(year_mb, 1),
        steps[60],
        steps[3_600],
        steps[86_400],
        round(add_ms, 2),
    )


def render(plan: Plan, result: Result) -> list[str]:
    """Say it for people."""
    return [
        f"{plan.swarms} swarms, {plan.members} members:",
        *(
            f"  /dashboard/{name:22} median {result.p50_ms[name]:6.1f} ms, p95 {result.p95_ms[name]:6.1f} ms,"
            f" {result.largest_answer_bytes[name] / 1e3:7.1f} kB"
            for name in ENDPOINTS
        ),
        f"  taking the sums {result.take_ms:.1f} ms each 5 s; others wait for {result.stall_ms:.1f} ms at most",
        f"  a report {result.report_us:.1f} µs in the core; the recorder adds {result.memory_mb:.1f} MB at its highest",
        f"{plan.days} days of {plan.contents} contents a minute: {result.year_mb:.1f} MB of {plan.history_mb} allowed"
        f" ({result.year_minutes} minutes, {result.year_hours} hours, {result.year_days} days kept),"
        f" {result.add_ms:.2f} ms a write",
    ]


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description="What the dashboard costs a large tracker")
    for name, default in asdict(Plan()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=default)
    parser.add_argument("--json", type=Path, help="write everything to this file")
    options = vars(parser.parse_args())
    target: Path | None = options.pop("json")
    plan = Plan(**options)
    with tempfile.TemporaryDirectory() as folder:
        result = asyncio.run(measure(plan, Path(folder)))
    print("\n".join(render(plan, result)))
    if target:
        target.write_text(json.dumps({"plan": asdict(plan), **asdict(result)}, indent=2) + "\n")


if __name__ == "__main__":
    main()
