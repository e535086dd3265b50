"""What following a live stream costs the tracker, and how late a record is.

For each bitrate: a live stream of random bytes, a tracker that follows it, and one viewer who asks for each record the
moment that the origin lists its segment, as a fetcher with a fresh playlist would. Lag is from the listing to the
record; the tracker waits for its next look at the playlist, reads the segment, hashes and signs.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import httpx
from peerpool.core.identity import KIND_MEDIA, content_id
from peerpool.core.playlists import ONLY_TRACK

from bench.processes import cpu_s, resident_bytes
from e2e.harness.origin_client import Origin
from e2e.harness.synthetic import PLAYLIST_NAME, SyntheticLive
from e2e.harness.tracker import Tracker

SEGMENT_S: Final = 2.0
LISTED_EVERY_S: Final = 0.01
MIB: Final = 1 << 20
BYTES_PER_MBIT: Final = 125_000


@dataclass(frozen=True)
class Result:
    """One bitrate."""

    bitrate_mbps: float  # as it was read
    segments: int
    lag_ms_median: float
    lag_ms_max: float
    cpu_percent: float  # of one core, of the tracker with nobody else on it
    cpu_percent_per_mbps: float  # idle taken off
    memory_mib: float


def measure(folder: Path, bitrate_kbps: float, seconds: float, idle_s: float = 5.0) -> Result:
    """Run one stream."""
    stream = SyntheticLive(folder / "live", segment_s=SEGMENT_S, bitrate_kbps=bitrate_kbps)
    origin = Origin({"live": stream.folder}, folder)
    watch = [{"url": f"{origin.url}/live/{PLAYLIST_NAME}", "content": "bench", "fetch_from": origin.url}]
    tracker = Tracker(folder, env={"PEERPOOL_WATCH": json.dumps(watch)})
    stream.start()
    try:
        origin.start()
        tracker.start()
        idle = _idle_cpu_percent(tracker, idle_s)
        begun_s, cpu_before = time.monotonic(), cpu_s(tracker.pid)
        read_before = _bytes_read(tracker)
        lags_ms = _lags_ms(stream.folder / PLAYLIST_NAME, tracker, begun_s + seconds)
        took_s = time.monotonic() - begun_s
        mbps = (_bytes_read(tracker) - read_before) / BYTES_PER_MBIT / took_s
        cpu = 100 * (cpu_s(tracker.pid) - cpu_before) / took_s
        memory = resident_bytes(tracker.pid) / MIB
    finally:
        tracker.stop()
        origin.stop()
        stream.stop()
    return Result(
        mbps, len(lags_ms), statistics.median(lags_ms), max(lags_ms), cpu, max(0.0, cpu - idle) / mbps, memory
    )


def _idle_cpu_percent(tracker: Tracker, seconds: float) -> float:
    before = cpu_s(tracker.pid)
    time.sleep(seconds)
    return 100 * (cpu_s(tracker.pid) - before) / seconds


def _bytes_read(tracker: Tracker) -> float:
    text = httpx.get(f"{tracker.url}/metrics", trust_env=False).text
    line = next(line for line in text.splitlines() if line.startswith("peerpool_watch_bytes_total{"))
    return float(line.split()[-1])


def _lags_ms(playlist: Path, tracker: Tracker, until_s: float) -> list[float]:
    """Ask for each segment's record as it is listed; the first, for which the playlist is read, is not counted."""
    lags_ms: list[float] = []
    last = _newest(playlist)
    with httpx.Client(base_url=tracker.url, trust_env=False, timeout=10) as client:
        while time.monotonic() < until_s:
            newest = _newest(playlist)
            if newest == last:
                time.sleep(LISTED_EVERY_S)
                continue
            last, listed_s = newest, time.monotonic()
            path = f"/digests/{content_id('bench')}/{ONLY_TRACK}/{KIND_MEDIA}/0/{newest}"
            client.get(path).raise_for_status()
            lags_ms.append(1000 * (time.monotonic() - listed_s))
    return lags_ms[1:]


def _newest(playlist: Path) -> int:
    """Return the number of the last segment listed: files are named by it."""
    return int(playlist.read_text().rstrip().rpartition("\n")[2].removesuffix(".m4s"))


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.watch", description="What following a stream costs.")
    parser.add_argument("--bitrates", type=float, nargs="+", default=[1, 8, 32], metavar="MBPS")
    parser.add_argument("--seconds", type=float, default=60.0, help="of each")
    parser.add_argument("--json", type=Path, help="write it there too")
    options = parser.parse_args()
    results = []
    print("   Mbit/s  segments  lag median     max   CPU of a core  per Mbit/s   memory")
    for mbps in options.bitrates:
        with tempfile.TemporaryDirectory(prefix="watch-") as folder:
            one = measure(Path(folder), mbps * 1000, options.seconds)
        results.append(asdict(one))
        print(
            f"{one.bitrate_mbps:>9.2f} {one.segments:>9} {one.lag_ms_median:>8.0f} ms {one.lag_ms_max:>4.0f} ms"
            f" {one.cpu_percent:>13.2f} % {one.cpu_percent_per_mbps:>9.3f} % {one.memory_mib:>4.0f} MiB",
            flush=True,
        )
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
