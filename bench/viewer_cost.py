"""What the script costs a viewer: CPU, memory and long tasks, against the same page without it, at the same time.

Two browsers, one with as many viewers with the script as the other has without, play one live stream side by side.
Memory is read after a garbage collection, in both. The script's own store fills up to its `cacheBytes`, which is
growth that ends; `--cache-mb` makes it end sooner, so that the slope of the second half shows leaks.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlencode

from playwright.async_api import Browser, CDPSession, Page

from bench.processes import Machine, Process, cpu_by_kind, processes, renderer_bytes
from e2e.harness.bed import Bed
from e2e.harness.browsers import Browsers, browsers

Kind = Literal["script", "plain"]
KINDS: tuple[Kind, ...] = ("script", "plain")
WARM_UP_S = 20
SAMPLE_S = 15
WATCH = """(() => {
  window.longTasks = [];
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) longTasks.push(duration);
  }).observe({ type: "longtask" });
})();"""
# Before the script's own line runs: options are read when a swarm is joined.
CACHE = """((cacheBytes) => {
  let pool;
  Object.defineProperty(window, "PeerPool", {
    get: () => pool,
    set: (value) => {
      pool = value;
      pool.configure({ cacheBytes });
    },
  });
})(%d);"""
READ = """() => ({
  played_s: demo.video.currentTime,
  stalls: demo.stalls,
  long_tasks: longTasks.length,
  long_tasks_ms: longTasks.reduce((sum, ms) => sum + ms, 0),
  from_peers: window.PeerPool?.stats().bytes.fromPeers ?? 0,
  from_cdn: window.PeerPool?.stats().bytes.fromCdn ?? 0,
  neighbours: window.PeerPool?.stats().neighbours ?? 0,
})"""


@dataclass(frozen=True)
class Sample:
    """One kind's viewers at one moment; all figures are of one viewer, the mean of them."""

    at_s: float
    heap_bytes: float  # JavaScript objects
    buffers_bytes: float  # ArrayBuffers and what else stands behind objects
    renderer_bytes: float  # the whole process, media included


@dataclass
class Side:
    """One browser with its viewers."""

    kind: Kind
    browser: Browser
    pages: list[Page] = field(default_factory=list)
    sessions: list[CDPSession] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)

    async def open(self, running: Browsers, bed: Bed, name: str, cache_mb: float | None) -> None:
        """Open one more viewer."""
        context = await running.new_context("chromium")
        await context.add_init_script(WATCH)
        if self.kind == "script" and cache_mb is not None:
            await context.add_init_script(CACHE % round(cache_mb * 10**6))
        page = await context.new_page()
        script = "on" if self.kind == "script" else "off"
        query = {"src": f"{bed.src('live')}?viewer={name}", "name": name, "script": script, "level": 1}
        await page.goto(f"{bed.demo_url}?{urlencode(query)}", wait_until="domcontentloaded")
        session = await context.new_cdp_session(page)
        await session.send("Performance.enable")
        self.pages.append(page)
        self.sessions.append(session)

    async def sample(self) -> None:
        """Collect garbage and read memory."""
        usages = []
        for session in self.sessions:
            await session.send("HeapProfiler.collectGarbage")
            usages.append(await session.send("Runtime.getHeapUsage"))
        heap = statistics.mean(usage["usedSize"] + usage.get("embedderHeapUsedSize", 0) for usage in usages)
        buffers = statistics.mean(usage.get("backingStorageSize", 0) for usage in usages)
        whole = renderer_bytes(await processes(self.browser)) / len(self.pages)
        self.samples.append(Sample(time.time(), heap, buffers, whole))

    async def moment(self) -> Moment:
        """Read what grows: CPU time and what the pages count."""
        main_s = 0.0
        for session in self.sessions:
            metrics = (await session.send("Performance.getMetrics"))["metrics"]
            main_s += next(float(metric["value"]) for metric in metrics if metric["name"] == "TaskDuration")
        return Moment(main_s, await processes(self.browser), [await page.evaluate(READ) for page in self.pages])


@dataclass(frozen=True)
class Moment:
    """Counters of one side."""

    main_thread_s: float
    processes: Sequence[Process]
    pages: Sequence[dict[str, Any]]

    def sum(self, name: str) -> float:
        """Sum a counter of the pages."""
        return sum(float(page[name]) for page in self.pages)


@dataclass(frozen=True)
class Cost:
    """One viewer of one kind, the mean of them. CPU is in seconds a minute, slopes are of the second half."""

    renderer_cpu_s: float
    main_thread_s: float  # within tasks, waiting for a core included
    all_cpu_s: float  # its part of every process of its browser
    heap_mb: float
    buffers_mb: float
    renderer_mb: float
    heap_mb_per_min: float
    buffers_mb_per_min: float
    renderer_mb_per_min: float
    long_tasks_per_min: float
    long_tasks_ms_per_min: float
    stalls: float
    played_s: float
    from_peers: float  # part of the bytes


def slope_per_min(samples: Sequence[Sample], name: str) -> float:
    """Fit a line through the second half of the samples, in MB a minute."""
    half = samples[len(samples) // 2 :]
    if len(half) < 2:
        return float("nan")
    values = [getattr(sample, name) / 1e6 for sample in half]
    return statistics.linear_regression([sample.at_s / 60 for sample in half], values).slope


def cost(side: Side, before: Moment, after: Moment, minutes: float) -> Cost:
    """Make one side's figures."""
    per_viewer_min = len(side.pages) * minutes
    cpu_s = cpu_by_kind(before.processes, after.processes)
    half = side.samples[len(side.samples) // 2 :]

    def gained(name: str) -> float:
        return after.sum(name) - before.sum(name)

    moved = gained("from_peers") + gained("from_cdn")
    return Cost(
        renderer_cpu_s=cpu_s.get("renderer", 0.0) / per_viewer_min,
        main_thread_s=(after.main_thread_s - before.main_thread_s) / per_viewer_min,
        all_cpu_s=sum(cpu_s.values()) / per_viewer_min,
        heap_mb=statistics.median(sample.heap_bytes for sample in half) / 1e6,
        buffers_mb=statistics.median(sample.buffers_bytes for sample in half) / 1e6,
        renderer_mb=statistics.median(sample.renderer_bytes for sample in half) / 1e6,
        heap_mb_per_min=slope_per_min(side.samples, "heap_bytes"),
        buffers_mb_per_min=slope_per_min(side.samples, "buffers_bytes"),
        renderer_mb_per_min=slope_per_min(side.samples, "renderer_bytes"),
        long_tasks_per_min=gained("long_tasks") / per_viewer_min,
        long_tasks_ms_per_min=gained("long_tasks_ms") / per_viewer_min,
        stalls=gained("stalls") / len(side.pages),
        played_s=gained("played_s") / len(side.pages),
        from_peers=gained("from_peers") / moved if moved else 0.0,
    )


@dataclass(frozen=True)
class Result:
    """Both kinds' figures."""

    viewers: int
    minutes: float
    costs: dict[str, Cost]
    machine_busy: float
    others_busy: float


async def measure(viewers: int, minutes: float, cache_mb: float | None, folder: Path) -> Result:
    """Play, and watch."""
    with Bed(folder) as bed:
        bed.live.wait_playable()
        async with browsers() as with_script, browsers() as without:
            running = dict(zip(KINDS, (with_script, without), strict=True))
            sides = [Side(kind, await running[kind].get("chromium")) for kind in KINDS]
            for number in range(viewers):
                for side in sides:
                    await side.open(running[side.kind], bed, f"{side.kind}-{number}", cache_mb)
                    await asyncio.sleep(1)
            await asyncio.sleep(WARM_UP_S)
            machine, began_s = Machine.now(), time.time()
            before = [await side.moment() for side in sides]
            while (left_s := began_s + minutes * 60 - time.time()) > 0:
                for side in sides:
                    await side.sample()
                await asyncio.sleep(min(SAMPLE_S, left_s))
            after = [await side.moment() for side in sides]
            took_min, spent = (time.time() - began_s) / 60, Machine.now().since(machine)
    costs = {str(s.kind): cost(s, b, a, took_min) for s, b, a in zip(sides, before, after, strict=True)}
    return Result(viewers, took_min, costs, spent.busy, spent.others)


def render(result: Result) -> list[str]:
    """Lay the result out in lines: both kinds, their difference and their ratio."""
    script, plain = (asdict(result.costs[kind]) for kind in KINDS)
    lines = [f"{'one viewer of ' + str(result.viewers):24s} {'script':>10s} {'plain':>10s} {'more':>10s} {'ratio':>7s}"]
    for name, ours in script.items():
        ratio = f"{ours / plain[name]:7.3f}" if plain[name] > 0 else "      -"
        lines.append(f"{name:24s} {ours:10.3f} {plain[name]:10.3f} {ours - plain[name]:+10.3f} {ratio}")
    busy = f"{result.machine_busy:.0%} busy, of it {result.others_busy:.0%} with what is not ours"
    return [*lines, f"{result.minutes:.1f} minutes; machine {busy}"]


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description="CPU and memory of a viewer, with and without the script")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--viewers", type=int, default=4, help="of each kind")
    parser.add_argument("--cache-mb", type=float, help="the script's cacheBytes (default: its own)")
    parser.add_argument("--json", type=Path, help="write everything to this file")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = asyncio.run(measure(options.viewers, options.minutes, options.cache_mb, Path(folder)))
    print("\n".join(render(result)))
    if options.json:
        options.json.write_text(json.dumps(asdict(result), indent=2) + "\n")


if __name__ == "__main__":
    main()
