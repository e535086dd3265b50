"""`python -m bench.tracker`: ours with both kinds of sockets and both protocols, and bittorrent-tracker, by turns.

The tracker runs on the first core and the generator on the second. Compare within one run: the machine is not still.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench.processes import cpu_s, resident_bytes
from e2e.harness.child import REPOSITORY, Child, free_port, listens

TORRENT_TRACKER: Final = REPOSITORY / "bench" / "side_by_side" / "torrent_tracker.js"
SETTLE_S: Final = 1.0


@dataclass(frozen=True)
class Contender:
    """A tracker and the protocol it is spoken to in."""

    name: str
    command: Sequence[str]  # the port comes after its first part's arguments, in place of PORT
    protocol: str
    path: str


def ours(kind: str, protocol: str) -> Contender:
    """Return our tracker with one kind of sockets."""
    path = "/announce" if protocol == "webtorrent" else "/signal"
    command = [sys.executable, "-m", "bench.tracker.server", "PORT", kind]
    return Contender(f"Media PeerPool, {kind}, {protocol}", command, protocol, path)


CONTENDERS: Final = (
    Contender("bittorrent-tracker", ["node", str(TORRENT_TRACKER), "PORT"], "webtorrent", "/"),
    ours("direct", "webtorrent"),
    ours("asgi", "webtorrent"),
    ours("direct", "native"),
    ours("asgi", "native"),
)


@contextlib.contextmanager
def running(contender: Contender, folder: Path) -> Iterator[tuple[int, str]]:
    """Start a tracker on the first core; yield its process id and URL."""
    port = free_port()
    command = ["taskset", "-c", "0", *(str(port) if part == "PORT" else part for part in contender.command)]
    child = Child(contender.name, command, folder / "tracker.log")
    child.start()
    try:
        child.wait_ready(lambda: listens(port), timeout_s=20)
        yield child.pid, f"ws://127.0.0.1:{port}{contender.path}"
    finally:
        child.stop()


def generator(url: str, contender: Contender, peers: int, seconds: float) -> list[str]:
    """Return the generator's command, on the second core."""
    core = str(max(os.sched_getaffinity(0)))
    arguments = [url, contender.protocol, str(peers), str(seconds)]
    return ["taskset", "-c", core, sys.executable, "-m", "bench.tracker.load", *arguments]


def load(contender: Contender, peers: int, seconds: float, folder: Path) -> dict[str, Any]:
    """Measure one tracker at saturation."""
    with running(contender, folder) as (pid, url):
        before_s, begun = cpu_s(pid), time.monotonic()
        done = subprocess.run(
            generator(url, contender, peers, seconds), cwd=REPOSITORY, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise SystemExit(f"the generator failed against {contender.name}:\n{done.stderr[-2000:]}")
        result: dict[str, Any] = json.loads(done.stdout)
        result["tracker_cpu"] = (cpu_s(pid) - before_s) / (time.monotonic() - begun)
    return result


def memory(contender: Contender, peers: int, folder: Path) -> float:
    """Return KiB a member that only is there."""
    with running(contender, folder) as (pid, url):
        before = resident_bytes(pid)
        command = generator(url, contender, peers, 0)
        pipe = subprocess.PIPE
        with subprocess.Popen(command, cwd=REPOSITORY, stdin=pipe, stdout=pipe, text=True) as process:
            assert process.stdout is not None
            if process.stdout.readline().strip() != "joined":
                raise SystemExit(f"the generator could not join {peers} peers to {contender.name}")
            time.sleep(SETTLE_S)
            after = resident_bytes(pid)
            process.communicate("\n")
    return (after - before) / peers / 1024


def table(results: dict[str, Any]) -> list[str]:
    """Return lines of Markdown."""
    base = results["bittorrent-tracker"]
    lines = [
        "| tracker | rounds/s | relays/s | rounds of theirs | relay p50, p99 ms | p99 of theirs | idle member, KiB |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, row in results.items():
        rounds, p99 = row["rounds_per_s"] / base["rounds_per_s"], row["relay_p99_ms"] / base["relay_p99_ms"]
        kib = ", ".join(f"{value:.1f} at {peers}" for peers, value in row.get("idle_kib", {}).items())
        lines.append(
            f"| {name} | {row['rounds_per_s']:.0f} | {row['relays_per_s']:.0f} | {rounds:.2f} "
            f"| {row['relay_p50_ms']:.0f}, {row['relay_p99_ms']:.0f} | {p99:.2f} | {kib} |"
        )
    return lines


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="python -m bench.tracker", description=__doc__)
    parser.add_argument("--peers", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--runs", type=int, default=3, help="of each, by turns; the median counts")
    parser.add_argument("--idle", type=int, nargs="*", default=[5000, 20_000], help="members of the memory runs")
    parser.add_argument("--out", type=Path, help="JSON file")
    chosen = parser.parse_args()
    runs: dict[str, list[dict[str, Any]]] = {contender.name: [] for contender in CONTENDERS}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number in range(chosen.runs):
            for contender in CONTENDERS:
                result = load(contender, chosen.peers, chosen.seconds, folder)
                runs[contender.name].append(result)
                shown = ", ".join(f"{key} {value:.2f}" for key, value in result.items())
                print(f"run {number + 1}: {contender.name}: {shown}", flush=True)
        results: dict[str, Any] = {
            name: {key: statistics.median(run[key] for run in own) for key in own[0]} for name, own in runs.items()
        }
        for contender in CONTENDERS:
            idle = {peers: memory(contender, peers, folder) for peers in chosen.idle}
            results[contender.name]["idle_kib"] = idle
            print(f"{contender.name}: " + ", ".join(f"{kib:.1f} KiB at {peers}" for peers, kib in idle.items()))
    print("\n".join(table(results)))
    if chosen.out:
        chosen.out.write_text(json.dumps({"peers": chosen.peers, "results": results, "runs": runs}, indent=1) + "\n")


if __name__ == "__main__":
    main()
