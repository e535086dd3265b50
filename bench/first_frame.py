"""Time to the first frame: a page with the script and no peers, against the same page without the script.

Runs alternate, each in a fresh browser profile, against a VOD of an origin 20 ms away; the first run of each kind warms
the browser up and is not counted. What is counted starts with the navigation, so that loading the script counts too.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import get_args

from e2e.harness.bed import Bed
from e2e.harness.browsers import BrowserName, Browsers, browsers
from e2e.harness.viewers import open_viewer

LATENCY_MS = 20
# Waits inside the page: asking again and again from outside would slow what is measured.
SINCE_NAVIGATION = """() => new Promise((resolve, reject) => {
  const timer = setInterval(() => {
    if (demo.firstFrameMs !== null) {
      clearInterval(timer);
      resolve(demo.startedAt + demo.firstFrameMs);
    } else if (performance.now() > 30000) {
      reject(new Error(`no first frame; ${demo.errors}`));
    }
  }, 50);
})"""


@dataclass(frozen=True)
class Result:
    """All times in ms, in the order they were taken."""

    browser: BrowserName
    with_script_ms: list[float]
    plain_ms: list[float]

    @property
    def ratio(self) -> float:
        """Median with the script / median without it."""
        return statistics.median(self.with_script_ms) / statistics.median(self.plain_ms)


async def measure_once(bed: Bed, running: Browsers, browser: BrowserName, name: str, script: str) -> float:
    """Open a page, wait for its first frame, and return the ms from navigation to it."""
    # One page at a time: the one before is closed by now, so a page with the script is alone in its swarm.
    parameters: dict[str, str | int] = {"script": script, "level": 1}
    viewer = await open_viewer(running, browser, bed.demo_url, name, bed.src("vod"), parameters=parameters)
    try:
        return float(await viewer.page.evaluate(SINCE_NAVIGATION))
    finally:
        await viewer.close()


async def measure(runs: int, browser: BrowserName) -> Result:
    """Interleave runs with and without the script."""
    result = Result(browser, [], [])
    with tempfile.TemporaryDirectory() as folder, Bed(Path(folder), live=False) as bed:
        latency = {"latency_ms": LATENCY_MS}
        bed.origin.set_rules(classes={"playlist": latency, "init": latency, "media": latency})
        async with browsers() as running:
            for number in range(runs + 1):
                kinds = [("on", result.with_script_ms), ("off", result.plain_ms)]
                for script, times in kinds if number % 2 else reversed(kinds):
                    taken_ms = await measure_once(bed, running, browser, f"{script}-{number}", script)
                    label = "with the script" if script == "on" else "plain hls.js"
                    print(
                        f"  run {number:2d}  {label:16s} {taken_ms:7.0f} ms{'' if number else '  (warm-up)'}",
                        flush=True,
                    )
                    if number:
                        times.append(taken_ms)
    return result


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description="Time to the first frame, with and without the script")
    parser.add_argument("--runs", type=int, default=10, help="counted runs of each kind (default 10)")
    parser.add_argument("--browser", choices=get_args(BrowserName), default="chromium")
    parser.add_argument("--json", type=Path, help="write all times to this file")
    options = parser.parse_args()
    result = asyncio.run(measure(options.runs, options.browser))
    print(f"median with the script  {statistics.median(result.with_script_ms):7.0f} ms")
    print(f"median plain hls.js     {statistics.median(result.plain_ms):7.0f} ms")
    print(f"ratio of medians        {result.ratio:7.3f}")
    if options.json:
        options.json.write_text(json.dumps({**asdict(result), "ratio": result.ratio}, indent=2) + "\n")


if __name__ == "__main__":
    main()
