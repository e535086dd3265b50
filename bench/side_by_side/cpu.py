"""How busy the machine was, and how much of that was somebody else's work, which spoils a run (proc(5); Linux)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
AFTER_NAME_PPID, AFTER_NAME_TIMES = 1, slice(11, 15)  # utime, stime, and both of the children that ended


@dataclass(frozen=True)
class Jiffies:
    """Processor time since boot: of all cores, of that the busy part, and what this process and its descendants had."""

    total: int
    busy: int
    own: int

    def since(self, before: Jiffies) -> tuple[float, float]:
        """Return the busy part since a moment, and the part that was others' work."""
        total = max(1, self.total - before.total)
        busy, own = self.busy - before.busy, self.own - before.own
        return busy / total, max(0, busy - own) / total


def jiffies() -> Jiffies:
    """Read it now."""
    times = [int(value) for value in (PROC / "stat").read_text().splitlines()[0].split()[1:9]]
    return Jiffies(sum(times), sum(times) - times[3] - times[4], _own())


def _own() -> int:
    """Sum over the tree of processes below this one; a process that ended counts with its parent."""
    children: dict[int, list[int]] = {}
    spent: dict[int, int] = {}
    for folder in PROC.glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # it ended just now
            continue
        pid = int(folder.name)
        spent[pid] = sum(int(value) for value in fields[AFTER_NAME_TIMES])
        children.setdefault(int(fields[AFTER_NAME_PPID]), []).append(pid)
    total, waiting = 0, [os.getpid()]
    while waiting:
        pid = waiting.pop()
        total += spent.get(pid, 0)
        waiting += children.get(pid, [])
    return total
