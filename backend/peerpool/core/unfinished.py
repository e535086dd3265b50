"""Connections that have yet to do what they came for: how long each may take, how many there may be, who goes first.

    cut = unfinished.begin(key, line, Stage, now)     # -> keys to cut for it, already forgotten
    unfinished.move(key, Stage, now)                  # it goes on, and has the time of that stage from now
    unfinished.end(key)                               # it has done it, or is gone
    cut = unfinished.overdue(now)                     # when next_deadline() has come

Where there are too many, the oldest of the line with the most is cut, so that newcomers always get in and a line that
holds few loses none to one that holds many. Everything is done in constant time.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Hashable, Mapping
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Stage = TypeVar("Stage", bound=Hashable)

# The line of who is not counted: many share the connection of a proxy, and a Unix socket has no address.
NO_LINE = ""


class Unfinished(Generic[Key, Stage]):
    """Keeps the clocks of unfinished connections, and counts them by line. `now` is in seconds, monotonic."""

    def __init__(self, patience_s: Mapping[Stage, float], max_total: int, max_line: int) -> None:
        """`patience_s`: how long each stage may last. Those of no line are in neither maximum."""
        self._patience_s = patience_s
        self._max_total, self._max_line = max_total, max_line
        # By stage, in the order in which their time is up.
        self._clocks: dict[Stage, OrderedDict[Key, float]] = {stage: OrderedDict() for stage in patience_s}
        self._entries: dict[Key, tuple[str, Stage]] = {}
        # Of each line the keys, oldest first; lines by how many they have, and the most that one has.
        self._lines: dict[str, OrderedDict[Key, None]] = {}
        self._lines_of: dict[int, OrderedDict[str, None]] = {}
        self._most = 0
        self._counted = 0

    def __len__(self) -> int:
        """Return how many there are, those of no line included."""
        return len(self._entries)

    def begin(self, key: Key, line: str, stage: Stage, now: float) -> list[Key]:
        """Take in a newcomer; return whom to cut to make room for it. `key` must not be known."""
        self._entries[key] = line, stage
        self._clocks[stage][key] = now
        if line == NO_LINE:
            return []
        keys = self._lines.setdefault(line, OrderedDict())
        keys[key] = None
        self._recount(line, len(keys) - 1, len(keys))
        self._counted += 1
        cut: list[Key] = []
        if len(keys) > self._max_line:
            cut.append(next(iter(keys)))
        elif self._counted > self._max_total:
            crowded = next(iter(self._lines_of[self._most]))
            cut.append(next(iter(self._lines[crowded])))
        for one in cut:
            self.end(one)
        return cut

    def move(self, key: Key, stage: Stage, now: float) -> None:
        """Start the clock of `stage`. Does nothing for one that is not known."""
        entry = self._entries.get(key)
        if entry is not None:
            line, before = entry
            del self._clocks[before][key]
            self._clocks[stage][key] = now
            self._entries[key] = line, stage

    def end(self, key: Key) -> None:
        """Forget one. Does nothing for one that is not known."""
        entry = self._entries.pop(key, None)
        if entry is None:
            return
        line, stage = entry
        del self._clocks[stage][key]
        if line != NO_LINE:
            keys = self._lines[line]
            del keys[key]
            self._recount(line, len(keys) + 1, len(keys))
            self._counted -= 1
            if not keys:
                del self._lines[line]

    def overdue(self, now: float) -> list[Key]:
        """Forget those whose time is up, and return them."""
        due: list[Key] = []
        for stage, clock in self._clocks.items():
            for key, since in clock.items():
                if since + self._patience_s[stage] > now:
                    break
                due.append(key)
        for key in due:
            self.end(key)
        return due

    def next_deadline(self) -> float:
        """Return when the next one's time is up, in seconds; infinity when there is none."""
        deadlines = [
            next(iter(clock.values())) + self._patience_s[stage] for stage, clock in self._clocks.items() if clock
        ]
        return min(deadlines, default=math.inf)

    def _recount(self, line: str, before: int, after: int) -> None:
        """Note that a line has one more or one less."""
        if before:
            peers = self._lines_of[before]
            del peers[line]
            if not peers:
                del self._lines_of[before]
        if after:
            self._lines_of.setdefault(after, OrderedDict())[line] = None
        if after > self._most or (before == self._most and before not in self._lines_of):
            self._most = after
