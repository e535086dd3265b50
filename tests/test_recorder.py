"""The recorder: the last minute, what goes to the history, and what happens when that cannot be written."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from peerpool.core import messages as m
from peerpool.core.identity import content_id
from peerpool.core.limits import Limits
from peerpool.core.overview import CONTENTS_KEPT
from peerpool.core.swarm import Family
from peerpool.core.tracker import Tracker
from peerpool.history import MEMORY, Scope
from peerpool.randomness import TrackerRandom
from peerpool.recorder import TAKE_INTERVAL_S, WINDOW_TAKINGS, Recorder
from peerpool.signalling import Hub
from peerpool.sqlite_history import SqliteHistory

AT_S = 1_700_000_000
EVER = Scope(0, 2 * AT_S)


class World:
    """A hub and its recorder, whose clock stands until it is moved."""

    def __init__(self, history: SqliteHistory) -> None:
        self.now = 100.0
        self.hub = Hub(Tracker(TrackerRandom(), Limits()), 1_000, clock=lambda: self.now)
        self.recorder = Recorder(self.hub, history, clock=lambda: AT_S + self.now)
        self._connections = 0

    def join(self, name: str) -> int:
        self._connections += 1
        self.hub.tracker.connection_opened(self._connections, Family.NATIVE, self.now)
        self.say(m.Join(content_id(name), "0" * 32, name=name), self._connections)
        return self._connections

    def say(self, message: m.ClientMessage, connection: int = 1) -> None:
        self.hub.tracker.message_received(connection, message, self.now)

    def take(self, count: int = 1) -> None:
        for _ in range(count):
            self.now += TAKE_INTERVAL_S
            asyncio.run(self.recorder.take())


@pytest.fixture
def world() -> World:
    return World(SqliteHistory(MEMORY, 10**9))


def test_what_is_now_is_of_the_last_minute(world: World) -> None:
    for name in ("a film", "a film", "news"):
        world.join(name)
    world.take()
    world.say(m.Report(30, 10, 0, 1, 1, first_frame_ms=500))
    world.take(2)
    now = world.recorder.overview()
    assert (now.viewers, now.swarms, now.window_s) == (3, 2, 3 * TAKE_INTERVAL_S)
    assert (now.sharing.offload, now.sharing.bound, now.sharing.copies) == (0.75, 0.5, 0.5)
    assert [(one.name, round(one.figures.viewers, 2)) for one in now.contents] == [("a film", 1.33), ("news", 0.67)]
    assert now.machine is not None
    assert now.machine.connections_max == 1_000
    world.take(WINDOW_TAKINGS)
    later = world.recorder.overview()
    assert (later.sharing.offload, later.sharing.stalls, later.window_s) == (None, 0, WINDOW_TAKINGS * TAKE_INTERVAL_S)
    assert [one.name for one in later.contents] == ["a film", "news"]


def test_everything_goes_to_the_history_once(world: World) -> None:
    world.join("a film")
    for _ in range(4):
        world.say(m.Report(3, 1, 0, 1, 0))
        world.take(2)
    points = world.recorder.history.series(EVER, AT_S)
    assert sum(point.sums.far_bytes for point in points) == 12
    assert sum(point.sums.viewer_ms for point in points) == 7 * TAKE_INTERVAL_S * 1_000
    (row,) = world.recorder.history.contents(EVER, AT_S)
    assert (row.name, row.content, row.sums.joins) == ("a film", content_id("a film"), 1)


def test_refusals_and_incidents_become_events(world: World) -> None:
    world.join("a film")
    world.take()
    for _ in range(3):
        world.say(m.Offer("a" * 20, ""))  # to nobody
    world.say(m.Leave())
    world.say(m.Want(1))
    world.take()
    world.say(m.Want(1))
    world.take(2)
    assert world.recorder.history.events(EVER, AT_S) == {"refused:not_joined": 2}


def test_many_contents_are_the_largest_and_the_rest(world: World) -> None:
    for number in range(CONTENTS_KEPT + 20):
        world.join(f"content {number}")
    world.join("content 7")
    world.take(2)
    now = world.recorder.overview()
    assert len(now.contents) == CONTENTS_KEPT + 1
    assert {one.name for one in now.contents if one.figures.viewers > 0.9} == {"content 7", ""}
    assert len(world.recorder.history.contents(EVER, AT_S)) <= CONTENTS_KEPT + 1


def test_what_cannot_be_written_is_kept_and_written_later(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    history = SqliteHistory(str(tmp_path / "history.db"), 10**9)
    world = World(history)
    world.join("a film")
    world.take()
    history._db.execute("PRAGMA query_only = 1")
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            world.say(m.Report(5, 0, 0, 1, 0))
            world.take()
    assert len(caplog.records) == 1, "said once a minute"
    assert any("cannot be written" in notice for notice in world.recorder.overview().notices)
    history._db.execute("PRAGMA query_only = 0")
    world.take()
    assert sum(point.sums.far_bytes for point in history.series(EVER, AT_S)) == 15
    assert not any("cannot be written" in notice for notice in world.recorder.overview().notices)


def test_a_recorder_that_is_ended_writes_what_it_has(tmp_path: Path) -> None:
    path = str(tmp_path / "history.db")

    async def scenario(world: World) -> None:
        task = asyncio.create_task(world.recorder.run())
        await asyncio.sleep(0)
        world.join("a film")
        world.say(m.Report(5, 0, 0, 1, 0))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(scenario(World(SqliteHistory(path, 10**9))))
    assert sum(point.sums.far_bytes for point in SqliteHistory(path, 10**9).series(EVER, AT_S)) == 5


def test_a_recorder_that_is_ended_while_it_writes_counts_everything_once(tmp_path: Path) -> None:
    path = str(tmp_path / "history.db")
    is_writing, may_write = threading.Event(), threading.Event()

    class Slow(SqliteHistory):
        def add(self, *arguments: Any, **more: Any) -> None:
            is_writing.set()
            assert may_write.wait(10)
            super().add(*arguments, **more)

    async def scenario(world: World) -> None:
        task = asyncio.create_task(world.recorder.run())
        world.join("a film")
        world.say(m.Report(5, 0, 0, 1, 0))
        await asyncio.to_thread(is_writing.wait, 10)
        world.say(m.Report(7, 0, 0, 1, 0))
        task.cancel()
        threading.Timer(0.2, may_write.set).start()
        with pytest.raises(asyncio.CancelledError):
            await task

    world = World(Slow(path, 10**9))
    world.recorder._takes_every_s = 0.01
    asyncio.run(scenario(world))
    found = SqliteHistory(path, 10**9)
    assert sum(point.sums.far_bytes for point in found.series(EVER, AT_S)) == 12
    assert sum(point.sums.joins for point in found.series(EVER, AT_S)) == 1


def test_whoever_waits_for_news_is_told(world: World) -> None:
    async def scenario() -> None:
        async def news() -> None:
            async with world.recorder.changed:
                await world.recorder.changed.wait()

        waiting = asyncio.create_task(news())
        await asyncio.sleep(0)
        await world.recorder.take()
        await asyncio.wait_for(waiting, 5)

    asyncio.run(scenario())


def test_who_looks_at_a_swarm_sees_who_exchanges_with_whom(world: World) -> None:
    peers: Callable[[], list[str]] = lambda: [member.peer_id for swarm in world.hub.tracker.swarms for member in swarm]  # noqa: E731
    world.join("a film")
    world.join("a film")
    one, other = peers()
    world.say(m.Report(0, 0, 0, 1, 0, rtts={other: 20}))
    content = content_id("a film")
    graph = world.recorder.graph("", content)
    assert graph is not None
    assert (len(graph.members), graph.links, graph.reported) == (2, [], 0), "nothing is kept before somebody looks"
    world.say(m.Report(1, 0, 0, 1, 0, rtts={other: 20}, received={other: 1, "f" * 20: 1}))
    world.say(m.Report(1, 0, 0, 1, 0, received={one: 1}), 2)
    graph = world.recorder.graph("", content)
    assert graph is not None
    assert [(link.one, link.other, link.rtt_ms) for link in graph.links] == [(0, 1, 20)]
    assert graph.reported == 2
    world.now += 120
    world.say(m.Report(0, 0, 0, 1, 0, rtts={other: 20}))
    graph = world.recorder.graph("", content)
    assert graph is not None
    assert graph.reported == 1, "forgotten when nobody looked"
    assert world.recorder.graph("", "0" * 40) is None
