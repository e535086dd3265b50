"""`make demo`: tracker, CDN-like origin and a live stream on this machine, and viewers that share it if wanted."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import shutil
import signal
import sys
import time
from dataclasses import dataclass
from urllib.parse import urlencode

from e2e.harness import media
from e2e.harness.bed import Bed, Stream
from e2e.harness.browsers import BrowserMissing, browsers
from e2e.harness.child import ChildFailed
from e2e.harness.media import MEDIA_ROOT, MediaFailed
from e2e.harness.swarm import Snapshot, Swarm, mix
from e2e.harness.table import render
from e2e.harness.viewers import NeverTrue

FOLDER = MEDIA_ROOT / "demo"
STAGGER_S = 2.0
REDRAW_S = 2.0  # on a terminal
REPRINT_S = 10.0  # elsewhere


@dataclass(frozen=True)
class Options:
    """The command line."""

    viewers: int
    duration_s: float
    stream: Stream
    tracker_port: int
    origin_port: int


class Screen:
    """Prints a block of lines again and again: in place on a terminal, one below the other elsewhere."""

    def __init__(self) -> None:
        self._terminal = sys.stdout.isatty()
        self._drawn = 0
        self.every_s = REDRAW_S if self._terminal else REPRINT_S

    def show(self, lines: list[str]) -> None:
        """Draw the block."""
        if self._terminal and self._drawn:
            print(f"\x1b[{self._drawn}F\x1b[J", end="")
        print("\n".join(lines), flush=True)
        if not self._terminal:
            print(flush=True)
        self._drawn = len(lines)


async def run(options: Options) -> int:
    """Run the demo until it is stopped or its time is up; returns the exit status."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    shutil.rmtree(FOLDER, ignore_errors=True)
    print("starting tracker, origin and live stream", flush=True)
    with Bed(
        FOLDER,
        tracker_port=options.tracker_port,
        origin_port=options.origin_port,
        watched=("live", "vod", "vod-ts"),
        mounts={"forms": media.ensure_other_forms(media.ensure())},
    ) as bed:
        bed.origin.set_rules(validators=True)  # as CDNs are; a file of unknown version is not shared
        forms = f"{bed.origin.url}/forms"
        streams = {"live": bed.src("live"), "VOD": bed.src("vod")}
        streams |= {"DASH": f"{forms}/manifest.mpd", "MP4": f"{forms}/movie.mp4"}
        print()
        for name, src in streams.items():
            print(f"  {name:5} {bed.demo_url}?{urlencode({'src': src})}")
        print("\nThe page lets you choose the player. Open one of them in two tabs or more.")
        print(f"Logs are in {FOLDER}. Ctrl-C stops everything.\n", flush=True)
        if options.viewers:
            await asyncio.to_thread(bed.live.wait_playable)
            return await _watch(options, bed, stop)
        await _wait(stop, options.duration_s or None)
    print("\nstopped")
    return 0


async def _watch(options: Options, bed: Bed, stop: asyncio.Event) -> int:
    async with browsers() as running:
        swarm = Swarm(bed, running, options.stream)
        names = mix(options.viewers)
        print(f"{len(names)} viewers of the {options.stream} stream join, one every {STAGGER_S:.0f} s", flush=True)
        joining = asyncio.create_task(swarm.join_staggered(names, STAGGER_S))
        screen = Screen()
        until = time.monotonic() + options.duration_s if options.duration_s else None
        while not stop.is_set() and (until is None or time.monotonic() < until):
            await _wait(stop, screen.every_s if until is None else min(screen.every_s, until - time.monotonic()))
            if joining.done():
                joining.result()
            if swarm.viewers and not stop.is_set():
                screen.show(render(await swarm.snapshot()))
        joining.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await joining
        if stop.is_set():
            print("\nstopped")
            return 0
        return _verdict(await swarm.snapshot(), len(names))


def _verdict(snapshot: Snapshot, expected: int) -> int:
    silent = [viewer.name for viewer, status in snapshot.rows if status.first_frame_ms is None]
    if silent or len(snapshot.rows) < expected:
        print(f"failed: never played: {', '.join(silent) or 'some viewers, which had no time to join'}")
        return 1
    stalls = sum(status.stalls for _, status in snapshot.rows)
    print(f"{expected} viewers played to the end of the demo, {stalls} stalls after the first frame")
    return 0


async def _wait(stop: asyncio.Event, timeout_s: float | None) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), timeout_s)


def _options() -> Options:
    parser = argparse.ArgumentParser(description="Media PeerPool on this machine")
    parser.add_argument("--viewers", type=int, default=0, help="headless viewers to start (default none)")
    parser.add_argument("--duration", type=float, default=0, help="seconds to run, 0 = until Ctrl-C (default)")
    parser.add_argument("--stream", choices=("live", "vod", "vod-ts"), default="live", help="what the viewers watch")
    parser.add_argument("--tracker-port", type=int, default=8000)
    parser.add_argument("--origin-port", type=int, default=8001)
    given = parser.parse_args()
    return Options(given.viewers, given.duration, given.stream, given.tracker_port, given.origin_port)


def main() -> int:
    """Entry point."""
    try:
        return asyncio.run(run(_options()))
    except (ChildFailed, MediaFailed, BrowserMissing, NeverTrue) as problem:
        print(f"demo: {problem}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
