"""What runs cost the machine: CPU seconds and memory of browsers and of everything we started. Linux only."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from playwright.async_api import Browser

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Process:
    """One process of a browser at one moment."""

    pid: int
    kind: str  # browser, renderer, GPU, utility...
    cpu_s: float  # since it started
    pss_bytes: int  # memory of its own, and its part of what it shares; 0 where /proc does not say


async def processes(browser: Browser) -> list[Process]:
    """List the processes of a Chromium."""
    session = await browser.new_browser_cdp_session()
    try:
        answer = await session.send("SystemInfo.getProcessInfo")
    finally:
        await session.detach()
    return [Process(p["id"], p["type"], p["cpuTime"], _pss_bytes(p["id"])) for p in answer["processInfo"]]


def cpu_by_kind(before: Sequence[Process], after: Sequence[Process]) -> dict[str, float]:
    """CPU seconds since the first look, of the processes alive at the second."""
    start = {process.pid: process.cpu_s for process in before}
    used: defaultdict[str, float] = defaultdict(float)
    for process in after:
        used[process.kind] += process.cpu_s - start.get(process.pid, 0.0)
    return dict(used)


def renderer_bytes(found: Iterable[Process]) -> int:
    """Memory of all renderers together."""
    return sum(process.pss_bytes for process in found if process.kind == "renderer")


@dataclass(frozen=True)
class Machine:
    """CPU seconds of all cores so far: spent, there to spend, and spent by this process and all it started."""

    busy_s: float
    total_s: float
    own_s: float

    @classmethod
    def now(cls) -> Machine:
        """Read /proc."""
        with Path("/proc/stat").open() as stat:
            ticks = [int(value) for value in stat.readline().split()[1:9]]  # user ... steal
        idle = ticks[3] + ticks[4]
        return cls((sum(ticks) - idle) / TICKS_PER_S, sum(ticks) / TICKS_PER_S, _own_ticks() / TICKS_PER_S)

    def since(self, before: Machine) -> Machine:
        """Subtract another moment: what was spent after it."""
        return Machine(self.busy_s - before.busy_s, self.total_s - before.total_s, self.own_s - before.own_s)

    @property
    def busy(self) -> float:
        """Part of the machine that was busy, 0 to 1."""
        return self.busy_s / max(self.total_s, 0.01)

    @property
    def others(self) -> float:
        """Part of the machine that programs took which are none of ours: above a few percent, measure again."""
        return max(0.0, self.busy_s - self.own_s) / max(self.total_s, 0.01)


def cpu_s(pid: int) -> float:
    """Return the seconds of CPU a process has used."""
    fields = _stat_fields(Path(f"/proc/{pid}/stat"))
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def resident_bytes(pid: int) -> int:
    """Return the resident memory of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES


def _stat_fields(stat: Path) -> list[str]:
    # proc(5): what follows the name, which may have anything in it
    return stat.read_text().rpartition(")")[2].split()


def _own_ticks() -> int:
    ticks: dict[int, int] = {}
    children: defaultdict[int, list[int]] = defaultdict(list)
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = _stat_fields(path)
        except OSError:  # it has just ended
            continue
        pid = int(path.parent.name)
        children[int(fields[1])].append(pid)
        ticks[pid] = sum(int(value) for value in fields[11:15])  # proc(5): its own, and of its children that ended
    family, sum_ticks = [os.getpid()], 0
    while family:
        pid = family.pop()
        sum_ticks += ticks.get(pid, 0)
        family += children[pid]
    return sum_ticks


def _pss_bytes(pid: int) -> int:
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:  # it has ended, or belongs to somebody else
        pass
    return 0
