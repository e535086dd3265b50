"""Goodput between two viewers: our engine against a bare data channel, in the same two pages, by turns.

Bare: 32 KiB messages, as fast as the channel takes them. Ours: one page holds segments of a VOD, the other takes all
of them from it while its CDN is silent; one at a time, as hls.js asks, and several at once. What is taken is compared
with the origin's bytes, after the clock has stopped.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from playwright.async_api import Page

from bench.processes import Machine
from bench.scripts import BENCH, bundle, open_page
from e2e.harness.bed import PAGES
from e2e.harness.browsers import Browsers, browsers
from e2e.harness.origin_client import Origin
from e2e.harness.tracker import Tracker

SILENT_MS = 600_000  # the taker's CDN never answers within a run
SETTLE_S = 0.5  # between a connection and the clock: the have-map has arrived
WAYS = ("bare channel", "one at a time", "several at once")


@dataclass(frozen=True)
class Plan:
    """What is to be measured."""

    runs: int = 5
    seconds: float = 10
    megabytes: int = 64
    segment_bytes: int = 1 << 20
    parallel: int = 4


@dataclass
class Result:
    """Bits a second, in the order they were taken; `others_busy` is the part of the machine that others took."""

    plan: Plan
    goodput_bps: dict[str, list[float]] = field(default_factory=lambda: {way: [] for way in WAYS})
    others_busy: float = 0
    segments_checked: int = 0
    segments_wrong: int = 0
    cdn_bytes: int = 0
    problems: list[str] = field(default_factory=list)

    def ratio(self, way: str) -> float:
        """Median over the rounds of a way / the bare channel: what else the machine did then slowed both."""
        pairs = zip(self.goodput_bps[way], self.goodput_bps[WAYS[0]], strict=True)
        return statistics.median(ours / bare_bps for ours, bare_bps in pairs)


async def bare(sender: Page, receiver: Page, seconds: float) -> float:
    """Goodput in bytes a second of a channel with nothing around it."""
    offer = await sender.evaluate("() => goodput.bare.offer()")
    answer = await receiver.evaluate("(sdp) => goodput.bare.answer(sdp)", offer)
    await sender.evaluate("(sdp) => goodput.bare.accept(sdp)", answer)
    await asyncio.sleep(SETTLE_S)
    await sender.evaluate("(seconds) => goodput.bare.send(seconds)", seconds)
    await asyncio.sleep(SETTLE_S)
    tally = await receiver.evaluate("() => goodput.bare.received()")
    for page in (sender, receiver):
        await page.evaluate("() => goodput.bare.close()")
    return float(tally["sizeBytes"] / (tally["lastMs"] - tally["firstMs"]) * 1000)


async def join(page: Page, tracker: Tracker) -> None:
    """Make a page's engine."""
    await page.evaluate("(url) => goodput.pool.join(url)", f"ws://127.0.0.1:{tracker.port}/signal")


async def take(page: Page, urls: list[str], parallel: int, *, hashed: bool) -> dict[str, Any]:
    """Have a page's engine load all of these."""
    arguments = [urls, parallel, hashed]
    taken: dict[str, Any] = await page.evaluate("([urls, n, hashed]) => goodput.pool.take(urls, n, hashed)", arguments)
    return taken


async def shared(result: Result, pages: tuple[Page, Page], origin: Origin, tracker: Tracker, parallel: int) -> float:
    """Goodput in bytes a second of segments that the first page holds and a fresh engine of the second wants."""
    holder, taker = pages
    await join(taker, tracker)
    for page in (taker, holder):
        await page.evaluate("() => goodput.pool.connected(1)")
    await asyncio.sleep(SETTLE_S)
    taken = await take(taker, segment_urls(result.plan, origin, "taker"), parallel, hashed=True)
    await taker.evaluate("() => goodput.pool.leave()")
    await holder.evaluate("() => goodput.pool.connected(0)")
    digests = origin.digests()
    result.segments_checked += len(taken["hashes"])
    result.segments_wrong += sum(digests.get(path) != digest for path, digest in taken["hashes"])
    result.cdn_bytes += taken["sizeBytes"] - taken["peerBytes"]
    return float(taken["sizeBytes"] / taken["tookMs"] * 1000)


def segment_urls(plan: Plan, origin: Origin, viewer: str) -> list[str]:
    """List the segments' URLs for one viewer."""
    count = plan.megabytes * 10**6 // plan.segment_bytes
    return [f"{origin.url}/vod/{number}.m4s?viewer={viewer}" for number in range(count)]


async def measure(plan: Plan, running: Browsers, folder: Path) -> Result:
    """Interleave the ways; the first round warms up and is not counted."""
    result = Result(plan)
    (folder / "vod").mkdir()
    for number in range(plan.megabytes * 10**6 // plan.segment_bytes):
        (folder / "vod" / f"{number}.m4s").write_bytes(os.urandom(plan.segment_bytes))
    script = bundle(BENCH / "goodput" / "peer.js", folder)
    origin, tracker = Origin({"vod": folder / "vod", "pages": PAGES}, folder), Tracker(folder)
    with ExitStack() as stack:
        parts: list[Origin | Tracker] = [origin, tracker]
        for part in parts:
            stack.callback(part.stop)
            part.start()
        origin.set_rules(viewers={"taker": {"latency_ms": SILENT_MS}})
        contexts = [await running.new_context("chromium") for _ in range(2)]
        holder, taker = [await open_page(context, origin, script, result.problems) for context in contexts]
        await join(holder, tracker)
        await take(holder, segment_urls(plan, origin, "holder"), 4, hashed=False)
        machine = Machine.now()
        for number in range(plan.runs + 1):
            measured = {
                WAYS[0]: await bare(holder, taker, plan.seconds),
                WAYS[1]: await shared(result, (holder, taker), origin, tracker, 1),
                WAYS[2]: await shared(result, (holder, taker), origin, tracker, plan.parallel),
            }
            values = ", ".join(f"{way} {bytes_per_s / 1e6:6.1f} MB/s" for way, bytes_per_s in measured.items())
            print(f"  run {number}  {values}{'' if number else '  (warm-up)'}", flush=True)
            for way, bytes_per_s in measured.items() if number else ():
                result.goodput_bps[way].append(bytes_per_s * 8)
        result.others_busy = Machine.now().since(machine).others
    return result


async def run(plan: Plan) -> Result:
    """Measure in a browser of its own."""
    with tempfile.TemporaryDirectory() as folder:
        async with browsers() as running:
            return await measure(plan, running, Path(folder))


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description="Goodput of our engine against that of a bare data channel")
    parser.add_argument("--runs", type=int, default=Plan.runs, help="counted rounds (default 5)")
    parser.add_argument("--seconds", type=float, default=Plan.seconds, help="of the bare channel, in each round")
    parser.add_argument("--megabytes", type=int, default=Plan.megabytes, help="moved by our engine, in each round")
    parser.add_argument("--segment-bytes", type=int, default=Plan.segment_bytes)
    parser.add_argument("--parallel", type=int, default=Plan.parallel, help="requests at once, of the third way")
    parser.add_argument("--json", type=Path, help="write everything to this file")
    options = vars(parser.parse_args())
    target: Path | None = options.pop("json")
    result = asyncio.run(run(Plan(**options)))
    for way, values in result.goodput_bps.items():
        print(f"{way:16s} median {statistics.median(values) / 1e6:7.1f} Mbit/s  ratio {result.ratio(way):.3f}")
    print(f"{result.segments_checked} segments checked against the origin, {result.segments_wrong} differ;", end=" ")
    print(f"{result.cdn_bytes} bytes from the CDN; {result.others_busy:.0%} of the machine was not ours")
    print("\n".join(f"page: {problem}" for problem in result.problems))
    if target:
        ratios = {way: result.ratio(way) for way in WAYS[1:]}
        target.write_text(json.dumps({**asdict(result), "ratios": ratios}, indent=2) + "\n")
    sys.exit(1 if result.segments_wrong else 0)


if __name__ == "__main__":
    main()
