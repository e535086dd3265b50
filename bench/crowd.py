"""A crowd on few cores: viewers without a screen, many to a page, each with real connections to its neighbours.

They load a live stream of random bytes at a low bitrate, on hls.js's schedule and with hls.js's deadlines, and decode
nothing (crowd/viewer.js). What is read from the origin's log is what a CDN would bill. `--plain` has the same viewers
without the library, for the latency and the stalls to compare with. When the machine is near 100% busy, or tasks above
50 ms are common, the figures are of the machine and no longer of the library: what costs is packets, and they grow with
viewers x neighbours. Two cores take 60 viewers with the library's own wish of 8 neighbours, and 100 with 4.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import random
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from playwright.async_api import Page

from bench.crowd_figures import Cost, Observed, Plan, Result, Viewer, evaluate, render
from bench.processes import Machine, cpu_by_kind, processes
from bench.scripts import BENCH, bundle, open_page
from e2e.harness.bed import PAGES
from e2e.harness.browsers import Browsers, browsers
from e2e.harness.origin_client import Origin
from e2e.harness.synthetic import PLAYLIST_NAME, SyntheticLive
from e2e.harness.tracker import Tracker
from e2e.harness.viewers import wait_until

TAIL_SEGMENTS = 4  # waited for after the window, so that its last segment has reached everybody


@dataclass
class Crowd:
    """What runs while a crowd does."""

    plan: Plan
    running: Browsers
    origin: Origin
    tracker: Tracker
    pages: list[Page] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    async def open(self, script: Path) -> None:
        """Open as many pages as the viewers need; the origin is near from now on, and no nearer."""
        for _ in range(math.ceil(self.plan.viewers / self.plan.per_page)):
            # A context each: a renderer process and HTTP connections of its own.
            context = await self.running.new_context("chromium")
            self.pages.append(await open_page(context, self.origin, script, self.problems))
        latency = {"latency_ms": self.plan.latency_ms}
        self.origin.set_rules(classes={"playlist": latency, "media": latency})

    async def join(self) -> None:
        """Have all viewers join, at random moments; returns when each has its first segment."""
        for index, page in enumerate(self.pages):
            numbers = range(index, self.plan.viewers, len(self.pages))
            await page.evaluate("(list) => crowd.join(list)", [self._viewer(number) for number in numbers])

        async def everybody() -> bool:
            started = [int(await page.evaluate("() => crowd.started()")) for page in self.pages]
            return sum(started) == self.plan.viewers

        await wait_until(everybody, self.plan.stagger_s + 60, "every viewer has its first segment", every_s=0.5)

    async def report(self) -> tuple[list[Viewer], list[tuple[float, float]]]:
        """Read all viewers, and the long tasks of all pages: when, in seconds since the epoch, and how many ms."""
        reports = await asyncio.gather(*(page.evaluate("() => crowd.report()") for page in self.pages))
        viewers = [Viewer.from_json(said) for report in reports for said in report["viewers"]]
        return viewers, [(at_ms / 1000, took_ms) for report in reports for at_ms, took_ms in report["longTasks"]]

    async def watch(self) -> Result:
        """Join, wait for everybody, watch, and tell."""
        plan, browser = self.plan, await self.running.get("chromium")
        began_s = time.time()
        await self.join()
        joined, _ = await self.report()
        joined_s, machine, before = time.time(), Machine.now(), await processes(browser)
        await asyncio.sleep(plan.segments * plan.segment_s)
        ended_s, spent, after = time.time(), Machine.now().since(machine), await processes(browser)
        await asyncio.sleep(TAIL_SEGMENTS * plan.segment_s)
        viewers, all_tasks = await self.report()
        tasks = [took_ms for at_s, took_ms in all_tasks if joined_s <= at_s < ended_s]
        cpu_s = cpu_by_kind(before, after)
        took = (len(tasks), sum(tasks), max(tasks, default=0.0))
        cost = Cost(ended_s - joined_s, cpu_s, spent.busy, spent.others, *took)
        log = self.origin.entries(), self.origin.digests()
        return evaluate(plan, Observed(began_s, joined_s, ended_s, joined, viewers, *log, self.problems), cost)

    def _viewer(self, number: int) -> dict[str, Any]:
        """Make the options of one `Viewer` of viewer.js; the engine's are the library's defaults."""
        return {
            "name": f"v{number}",
            "index": number,
            "src": f"{self.origin.url}/live/{PLAYLIST_NAME}?viewer=v{number}",
            "content": "crowd",
            "isPlain": self.plan.plain,
            "hashEvery": self.plan.hash_every,
            "delayMs": random.uniform(0, self.plan.stagger_s * 1000),
            "engineOptions": {
                "tracker": f"ws://127.0.0.1:{self.tracker.port}/signal",
                "storeBytes": 64 * 2**20,
                "uploadBytesPerMs": 20e6 / 8000,
                "neighbours": self.plan.neighbours,
            },
        }


async def measure(plan: Plan, running: Browsers, folder: Path) -> Result:
    """Run one crowd from start to end, with a stream, an origin and a tracker of its own, in `folder`."""
    live = SyntheticLive(folder / "live", segment_s=plan.segment_s, bitrate_kbps=plan.bitrate_kbps)
    origin = Origin({"live": live.folder, "pages": PAGES}, folder)
    tracker = Tracker(folder)
    parts: list[SyntheticLive | Origin | Tracker] = [live, origin, tracker]
    with ExitStack() as stack:
        for part in parts:
            stack.callback(part.stop)
            part.start()
        crowd = Crowd(plan, running, origin, tracker)
        await crowd.open(bundle(BENCH / "crowd" / "viewer.js", folder))
        return await crowd.watch()


async def run(plan: Plan) -> Result:
    """Measure in a browser of its own."""
    with tempfile.TemporaryDirectory() as folder:
        async with browsers() as running:
            return await measure(plan, running, Path(folder))


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description="Many viewers without a screen on one live stream")
    parser.add_argument("--viewers", type=int, default=100)
    parser.add_argument("--segments", type=int, default=Plan.segments, help="counted after everybody joined")
    parser.add_argument("--per-page", type=int, default=Plan.per_page, help="viewers in one page")
    parser.add_argument("--stagger-s", type=float, default=Plan.stagger_s, help="joins are spread over this")
    parser.add_argument("--segment-s", type=float, default=Plan.segment_s)
    parser.add_argument("--bitrate-kbps", type=float, default=Plan.bitrate_kbps)
    parser.add_argument("--latency-ms", type=float, default=Plan.latency_ms, help="of the origin")
    parser.add_argument("--neighbours", type=int, default=Plan.neighbours)
    parser.add_argument("--plain", action="store_true", help="the same viewers without the library")
    parser.add_argument("--json", type=Path, help="write everything to this file")
    options = vars(parser.parse_args())
    target: Path | None = options.pop("json")
    result = asyncio.run(run(Plan(**options)))
    print("\n".join(render(result)))
    if target:
        target.write_text(json.dumps(asdict(result), indent=2) + "\n")
    sys.exit(1 if result.hashes_wrong or result.broken else 0)


if __name__ == "__main__":
    main()
