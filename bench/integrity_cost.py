"""What checking costs viewers: one live stream twice, followed and signed by the tracker, and unchecked.

Two browsers with as many viewers each play side by side: CPU, stalls, and from the origin's log the copies of each
segment. Then newcomers come to both swarms by turns: time to the first frame.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final, Literal

from bench.first_frame import SINCE_NAVIGATION
from bench.processes import Machine, cpu_by_kind, processes
from e2e.attack.stage import WELCOME
from e2e.harness import media
from e2e.harness.bed import Bed
from e2e.harness.browsers import Browsers, browsers
from e2e.harness.ledger import Entry, copies_per_segment
from e2e.harness.viewers import Viewer, open_viewer, wait_playing

Kind = Literal["signed", "off"]
KINDS: Final[tuple[Kind, ...]] = ("signed", "off")
MOUNTS: Final = {"signed": "live", "off": "unchecked"}
UNCHECKED: Final = WELCOME.replace("INTEGRITY", '{"mode": "off"}')
WARM_UP_S: Final = 20.0


@dataclass
class Side:
    """One kind's figures."""

    kind: Kind
    first_frame_ms: list[float] = field(default_factory=list)
    cpu_s_per_min: float = 0.0  # of a viewer: its part of every process of its browser
    copies: float = 0.0  # of each segment that came while it was measured
    stalls: int = 0
    from_peers: float = 0.0  # part of the bytes


async def open_one(running: Browsers, bed: Bed, kind: Kind, name: str) -> Viewer:
    """Open a viewer of one kind, without waiting for its first frame."""
    src = f"{bed.origin.url}/{MOUNTS[kind]}/{media.MULTIVARIANT_NAME}"
    scripts = [UNCHECKED] if kind == "off" else []
    return await open_viewer(running, "chromium", bed.demo_url, name, src, parameters={"level": 1}, scripts=scripts)


async def measure(
    viewers: int, minutes: float, runs: int, folder: Path, warm_up_s: float = WARM_UP_S
) -> tuple[list[Side], float]:
    """Return both sides, and the part of the machine that was busy with what is not ours."""
    sides = [Side(kind) for kind in KINDS]
    bed = Bed(folder, mounts={MOUNTS["off"]: folder / "live"}, watched=("live",))
    with bed:
        await asyncio.to_thread(bed.live.wait_playable)
        async with browsers() as first, browsers() as second:
            running = dict(zip(KINDS, (first, second), strict=True))
            open_ones: dict[Kind, list[Viewer]] = {kind: [] for kind in KINDS}
            for number in range(viewers):
                for kind in KINDS:
                    open_ones[kind].append(await open_one(running[kind], bed, kind, f"{kind}-{number}"))
                    await wait_playing(open_ones[kind][-1])
            await asyncio.sleep(warm_up_s)
            others = await _watch(sides, running, open_ones, bed, minutes)
            for kind in KINDS:
                for viewer in open_ones[kind][1:]:  # one of each stays: a newcomer's neighbour
                    await viewer.close()
            for number in range(runs + 1):
                for side in sides if number % 2 else reversed(sides):
                    # All in one browser: two differ by more than what is sought.
                    taken_ms = await _first_frame_ms(first, bed, side.kind, number)
                    if number:  # the first of each warms its browser up
                        side.first_frame_ms.append(taken_ms)
    return sides, others


async def _watch(
    sides: list[Side], running: dict[Kind, Browsers], viewers: dict[Kind, list[Viewer]], bed: Bed, minutes: float
) -> float:
    machine, began_s = Machine.now(), time.time()
    before = {kind: await processes(await running[kind].get("chromium")) for kind in KINDS}
    await asyncio.sleep(minutes * 60)
    after = {kind: await processes(await running[kind].get("chromium")) for kind in KINDS}
    ended_s, spent = time.time(), Machine.now().since(machine)
    entries = await asyncio.to_thread(bed.origin.entries)
    for side in sides:
        mine = viewers[side.kind]
        per_viewer_min = len(mine) * (ended_s - began_s) / 60
        side.cpu_s_per_min = sum(cpu_by_kind(before[side.kind], after[side.kind]).values()) / per_viewer_min
        names = {viewer.name for viewer in mine}
        side.copies = _copies([entry for entry in entries if entry.viewer in names], began_s, ended_s)
        states = [await viewer.status() for viewer in mine]
        side.stalls = sum(state.stalls for state in states)
        moved = sum(state.bytes("fromPeers") + state.bytes("fromCdn") for state in states)
        side.from_peers = sum(state.bytes("fromPeers") for state in states) / max(1, moved)
    return spent.others


def _copies(entries: list[Entry], since_s: float, until_s: float) -> float:
    return copies_per_segment(entries, since_s, until_s)


async def _first_frame_ms(running: Browsers, bed: Bed, kind: Kind, number: int) -> float:
    viewer = await open_one(running, bed, kind, f"new-{kind}-{number}")
    try:
        return float(await viewer.page.evaluate(SINCE_NAVIGATION))
    finally:
        await viewer.close()


def render(sides: list[Side], viewers: int, minutes: float) -> list[str]:
    """Lay it out for people."""
    signed, off = sides
    frames = {side.kind: statistics.median(side.first_frame_ms) for side in sides}
    copies_points = 100 * (signed.copies - off.copies) / viewers
    return [
        f"{viewers} viewers of each kind, {minutes:g} minutes{'':6s}{'signed':>10s} {'unchecked':>10s}",
        f"{'CPU of a viewer, s a minute':40s}{signed.cpu_s_per_min:>10.3f} {off.cpu_s_per_min:>10.3f}"
        f"   {signed.cpu_s_per_min / off.cpu_s_per_min - 1:+.1%}",
        f"{'copies of each segment':40s}{signed.copies:>10.3f} {off.copies:>10.3f}   {-copies_points:+.2f} points",
        f"{'of peers':40s}{signed.from_peers:>10.1%} {off.from_peers:>10.1%}",
        f"{'stalls':40s}{signed.stalls:>10d} {off.stalls:>10d}",
        f"{'first frame of a newcomer, median, ms':40s}{frames['signed']:>10.0f} {frames['off']:>10.0f}"
        f"   {frames['signed'] - frames['off']:+.0f} ms",
    ]


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.integrity_cost", description="What checking costs viewers.")
    parser.add_argument("--viewers", type=int, default=3, help="of each kind")
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--runs", type=int, default=15, help="newcomers of each kind")
    parser.add_argument("--json", type=Path, help="write everything there too")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="integrity-") as folder:
        sides, others = asyncio.run(measure(options.viewers, options.minutes, options.runs, Path(folder)))
    print("\n".join(render(sides, options.viewers, options.minutes)))
    print(f"{others:.0%} of the machine was busy with what is not ours")
    if options.json:
        options.json.write_text(json.dumps([asdict(side) for side in sides], indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
