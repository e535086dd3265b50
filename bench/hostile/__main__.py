"""What hostile clients do to the tracker: `python -m bench.hostile --minutes 10 --sockets 200`.

The hostile ones are a process of their own (attackers.py), all at one address. Meanwhile honest members of another
address join, one after another. Told at the end: how long joins took with and without the others, what the log says,
and how much memory the tracker has before and after.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.typing import Subprotocol

from bench.processes import resident_bytes
from e2e.harness.child import REPOSITORY
from e2e.harness.tracker import Tracker

JOIN_EVERY_S: Final = 0.25
SETTLE_S: Final = 3.0
# Without the map all of this machine is one site.
SITES: Final = "network,site\n127.0.0.0/16,theirs\n127.9.0.0/16,ours\n"
HONEST_ADDRESS: Final = "127.9.0.9"


@dataclass
class Figures:
    """What was seen; of the attackers what they tell (attackers.Deeds)."""

    quiet_ms: list[float] = field(default_factory=list)
    under_attack_ms: list[float] = field(default_factory=list)
    deeds: dict[str, Any] = field(default_factory=dict)
    failed_joins: int = 0
    before_bytes: int = 0
    peak_bytes: int = 0
    after_bytes: int = 0

    def p99_ms(self, name: str) -> float:
        """Return the 99th percentile of joins, in ms."""
        values = self.quiet_ms if name == "quiet" else self.under_attack_ms
        return statistics.quantiles(values, n=100)[98] if len(values) > 1 else float("nan")


def tracker_of_two_sites(folder: Path, *, direct: bool) -> Tracker:
    """Return a tracker to which attackers and honest members are not one and the same office."""
    sites = folder / "sites.csv"
    sites.write_text(SITES)
    return Tracker(folder, env={"PEERPOOL_DIRECT_SOCKETS": str(direct).lower(), "PEERPOOL_SITE_MAP": str(sites)})


async def honest(port: int, took_ms: list[float], figures: Figures, until_s: float) -> None:
    """Join, again and again, and leave."""
    while time.monotonic() < until_s:
        begun = time.monotonic()
        try:
            async with connect(
                f"ws://127.0.0.1:{port}/signal",
                subprotocols=[Subprotocol("peerpool.1")],
                compression=None,
                close_timeout=1,
                local_addr=(HONEST_ADDRESS, 0),
            ) as socket:
                await socket.send(json.dumps({"type": "join", "content": "b" * 40, "session": "1" * 16}))
                welcome = json.loads(await asyncio.wait_for(socket.recv(), 10))
                if welcome["type"] != "welcome":
                    raise TimeoutError
                took_ms.append((time.monotonic() - begun) * 1000)
        except (OSError, TimeoutError, InvalidStatus, WebSocketException):
            figures.failed_joins += 1
        await asyncio.sleep(JOIN_EVERY_S)


async def attack(tracker: Tracker, sockets: int, seconds: float, quiet_s: float, seed: int) -> Figures:
    """Measure in quiet, then under attack, then after it."""
    figures = Figures()
    os.sched_setaffinity(tracker.pid, {0})
    await honest(tracker.port, [], figures, time.monotonic() + 1)  # whatever is made once is made
    figures.before_bytes = resident_bytes(tracker.pid)
    await honest(tracker.port, figures.quiet_ms, figures, time.monotonic() + quiet_s)
    arguments = [str(tracker.port), str(sockets), str(seconds), str(seed)]
    attackers = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.hostile.attackers", *arguments, cwd=REPOSITORY, stdout=asyncio.subprocess.PIPE
    )
    joins = asyncio.create_task(honest(tracker.port, figures.under_attack_ms, figures, time.monotonic() + seconds))
    said = asyncio.create_task(attackers.communicate())
    while not said.done():
        figures.peak_bytes = max(figures.peak_bytes, resident_bytes(tracker.pid))
        await asyncio.wait([said], timeout=1)
    await joins
    figures.deeds = json.loads((await said)[0])
    await asyncio.sleep(SETTLE_S)
    figures.after_bytes = resident_bytes(tracker.pid)
    return figures


def report(figures: Figures, log: str) -> list[str]:
    """Return lines for people."""
    mib, attacks = 2**20, figures.deeds["attacks"]
    return [
        f"attacks {sum(attacks.values())}, of {len(attacks)} kinds; turned away {figures.deeds['refused']}",
        f"honest joins: {len(figures.quiet_ms)} in quiet, p99 {figures.p99_ms('quiet'):.1f} ms; "
        f"{len(figures.under_attack_ms)} under attack, p99 {figures.p99_ms('attack'):.1f} ms "
        f"({figures.p99_ms('attack') / figures.p99_ms('quiet'):.2f}x); failed {figures.failed_joins}",
        f"memory {figures.before_bytes / mib:.1f} MiB before, {figures.peak_bytes / mib:.1f} at most, "
        f"{figures.after_bytes / mib:.1f} after",
        f"HTTP answers 5xx: {figures.deeds['server_errors']}; tracebacks in the log: {log.count('Traceback')}",
    ]


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="python -m bench.hostile", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--sockets", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--asgi", action="store_true", help="sockets through ASGI")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        tracker = tracker_of_two_sites(Path(name), direct=not chosen.asgi)
        tracker.start()
        try:
            figures = asyncio.run(attack(tracker, chosen.sockets, chosen.minutes * 60, 30, chosen.seed))
        finally:
            tracker.stop()
        log = tracker.log.read_text(errors="replace")
        print("\n".join(report(figures, log)))
        if "Traceback" in log:
            print(log[log.index("Traceback") - 500 :][:5000])


if __name__ == "__main__":
    main()
