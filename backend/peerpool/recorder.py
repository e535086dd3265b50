"""Takes the tracker's sums every few seconds, writes them to the history, and keeps those of the last minute."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from peerpool.core.ledger import LedgerKey, Sums, largest, merge
from peerpool.core.limits import MS_PER_S
from peerpool.core.overview import CONTENTS_KEPT, Census, Overview, Recent, Surroundings, overview
from peerpool.core.seats import Group
from peerpool.core.swarm import Family, SwarmKey
from peerpool.core.swarm_graph import SwarmGraph, look
from peerpool.history import History
from peerpool.signalling import Hub

log = logging.getLogger("peerpool.recorder")

# What a tracker that is killed loses of its history at most (seconds).
TAKE_INTERVAL_S: Final = 5.0
# Clients report every half a minute: in so many takings everybody did twice.
WINDOW_TAKINGS: Final = 12
# Swarms that are counted before others have their turn: a few milliseconds.
SWARMS_AT_ONCE: Final = 200
COMPLAINT_INTERVAL_S: Final = 60.0

Events = dict[tuple[str, str], int]


class Recorder:
    """What is known of the last minute, and the way to what was before."""

    def __init__(
        self,
        hub: Hub,
        history: History,
        *,
        takes_every_s: float = TAKE_INTERVAL_S,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`clock` is that of the epoch."""
        self.history = history
        self._hub = hub
        self._takes_every_s = takes_every_s
        self._clock = clock
        # The writer's; what all see of it is `_recent`, which is replaced and never changed.
        self._takings: deque[tuple[float, dict[LedgerKey, Sums]]] = deque(maxlen=WINDOW_TAKINGS)
        self._recent = Recent(1.0, {}, {})
        self._names: dict[str, str] = {}
        self._told: Events = {}
        # One thread, so that what it keeps is written once and in order.
        self._writer = ThreadPoolExecutor(1, "history")
        # What could not be written yet; the writer's.
        self._unwritten: dict[LedgerKey, Sums] = {}
        self._unwritten_names: dict[str, str] = {}
        self._unwritten_events: Events = {}
        self._problem = ""
        self._complained_at = float("-inf")
        self.census = Census()
        # Told when there is something new to see.
        self.changed = asyncio.Condition()

    @property
    def is_ending(self) -> bool:
        """Whether the tracker sends everybody away."""
        return self._hub.tracker.is_draining

    async def run(self) -> None:
        """Take again and again; when it is cancelled once more, so that a clean end loses nothing."""
        try:
            while True:
                await asyncio.sleep(self._takes_every_s)
                await self.take()
        finally:
            # After what is under way, for there is one writer.
            self._writer.submit(self._keep, *self._sums(), self._new_events()).result()
            self._writer.shutdown()
            self.history.close()

    async def take(self) -> None:
        """Take once."""
        census = Census()
        for number, swarm in enumerate(list(self._hub.tracker.swarms)):
            census.count(swarm)
            if number % SWARMS_AT_ONCE == SWARMS_AT_ONCE - 1:
                await asyncio.sleep(0)
        self.census = census
        # Nothing is awaited between: what was taken is the writer's, whoever is cancelled meanwhile.
        taken = (*self._sums(), self._new_events())
        await asyncio.get_running_loop().run_in_executor(self._writer, self._keep, *taken)
        async with self.changed:
            self.changed.notify_all()

    def overview(self, site: str | None = None) -> Overview:
        """Return what there is to see now, of one site alone where one is given."""
        hub = self._hub
        around = Surroundings(
            int(self._clock()), hub.max_connections, round(hub.loop_lag_s * MS_PER_S, 1), self._notices()
        )
        return overview(hub.tracker, self._recent, self.census, around, site)

    def graph(self, site: str, content: str) -> SwarmGraph | None:
        """Return who exchanges with whom in a swarm; None where there is none."""
        swarm = self._hub.tracker.swarms.get(SwarmKey(Family.NATIVE, content, site))
        return None if swarm is None else look(swarm, self._hub.now())

    def _notices(self) -> list[str]:
        notices = []
        if self._hub.tracker.gate is None:
            notices.append("The tracker is open: anybody may join any swarm. Name your sites (docs/sites.md).")
        if not self.history.is_lasting:
            notices.append(
                "The history is in memory and ends with this process. Name a file: history in peerpool.toml."
            )
        if self._problem:
            notices.append(self._problem)
        return notices

    def _sums(self) -> tuple[dict[LedgerKey, Sums], dict[str, str]]:
        tracker = self._hub.tracker
        accounts = tracker.gate.accounts if tracker.gate is not None else {}
        holdouts = {name: account.groups[Group.HOLDOUT].members for name, account in accounts.items()}
        return tracker.ledger.take(tracker.swarms, holdouts, self._hub.now())

    def _keep(self, sums: dict[LedgerKey, Sums], names: dict[str, str], events: Events) -> None:
        """Keep what is largest for the last minute, and write it to the history."""
        kept = largest(sums, CONTENTS_KEPT)
        self._takings.append((self._hub.now(), kept))
        shown = {key.content for _, taking in self._takings for key in taking}
        self._names = {content: name for content, name in {**self._names, **names}.items() if content in shown}
        self._recent = self._summed()
        merge(self._unwritten, kept.items())
        self._unwritten_names |= {key.content: name for key in kept if (name := self._names.get(key.content))}
        for event, count in events.items():
            self._unwritten_events[event] = self._unwritten_events.get(event, 0) + count
        self._write()

    def _write(self) -> None:
        try:
            self.history.add(int(self._clock()), self._unwritten, self._unwritten_names, self._unwritten_events)
        except OSError as error:
            self._problem = str(error)
            self._unwritten = largest(self._unwritten, CONTENTS_KEPT)
            if self._hub.now() >= self._complained_at + COMPLAINT_INTERVAL_S:
                self._complained_at = self._hub.now()
                log.warning("%s; what is counted meanwhile is kept, and written when it can be", error)
        else:
            self._problem = ""
            self._unwritten, self._unwritten_names, self._unwritten_events = {}, {}, {}
            self._sweep()

    def _sweep(self) -> None:
        try:
            self.history.sweep_in_time(int(self._clock()))
        except OSError as error:
            log.warning("%s; what is too old stays for now", error)

    def _new_events(self) -> Events:
        """Return what came since the last call."""
        totals, gate = self._hub.tracker.totals, self._hub.tracker.gate
        now: Events = {("", "accusations"): totals.accusations, ("", "bans"): totals.bans}
        if gate is None:
            now |= {("", f"refused:{code}"): count for code, count in totals.refusals.items()}
        else:
            now |= {
                (name, f"refused:{code}"): count
                for name, account in gate.accounts.items()
                for code, count in account.refusals.items()
            }
        added = {key: count - self._told.get(key, 0) for key, count in now.items()}
        self._told = now
        return {key: count for key, count in added.items() if count > 0}

    def _summed(self) -> Recent:
        """Return what was taken in the last minute: once for all who look."""
        since_s = self._takings[0][0] - self._takes_every_s
        sums: dict[LedgerKey, Sums] = {}
        for _, taking in self._takings:
            merge(sums, taking.items())
        return Recent(max(self._takings[-1][0] - since_s, 1.0), largest(sums, CONTENTS_KEPT), self._names)
