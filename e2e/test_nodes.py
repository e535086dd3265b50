"""Viewers of two trackers that share their swarms over Redis: what happens to a tracker or to Redis is not theirs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from e2e.conftest import Run
from e2e.harness.bed import Bed
from e2e.harness.browsers import Browsers
from e2e.harness.redis_server import RedisServer
from e2e.harness.swarm import Swarm
from e2e.harness.tracker import Tracker
from e2e.harness.viewers import wait_until
from e2e.test_faults import assert_no_stalls, sharing

AWAY_S = 8  # longer than a node's lease


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def nodes(redis: RedisServer, tmp_path: Path) -> Iterator[tuple[Tracker, Tracker]]:
    opened = []
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        opened.append(Tracker(tmp_path / name, env={"PEERPOOL_REDIS_URL": redis.url}))
    for tracker in opened:
        tracker.start()
    yield opened[0], opened[1]
    for tracker in opened:
        tracker.stop()


def members_of_all(tracker: Tracker) -> int:
    stats: dict[str, Any] = httpx.get(f"{tracker.url}/stats", timeout=5, trust_env=False).json()
    return int(stats["all_nodes"]["members"]["native"])


async def connections(swarm: Swarm) -> list[tuple[int, int]]:
    """List what each viewer has open, and has ever made."""
    rows = (await swarm.snapshot()).rows
    return [(status.neighbours, status.peer_connections) for _, status in rows]


def test_a_node_is_killed_and_redis_goes_and_no_channel_is_lost(
    run: Run, browsers: Browsers, bed: Bed, nodes: tuple[Tracker, Tracker], redis: RedisServer
) -> None:
    one, other = nodes

    async def scenario() -> None:
        swarm = Swarm(bed, browsers, "live")
        for name, tracker in (("here-1", one), ("there", other), ("here-2", one)):
            await swarm.join("chromium", name, demo_url=f"{tracker.url}/demo", level=0)
        await swarm.all_joined()
        await sharing(swarm, timeout_s=40)  # who joined within a digest's interval is told of the others later

        async def all_connected() -> bool:
            return all(is_open == len(swarm.viewers) - 1 for is_open, _ in await connections(swarm))

        await wait_until(all_connected, 40, "everybody has a channel to everybody")
        before = await connections(swarm)

        other.kill()
        shared_before = await swarm.peer_bytes()
        await asyncio.sleep(AWAY_S)
        assert await connections(swarm) == before
        assert await swarm.peer_bytes() > shared_before
        await asyncio.to_thread(other.start)

        async def rejoined() -> bool:
            return await asyncio.to_thread(other.members) == 1

        took_s = await wait_until(rejoined, 10, "the killed node's viewer rejoins")

        redis.stop()
        shared_before = await swarm.peer_bytes()
        await asyncio.sleep(AWAY_S)
        assert await swarm.peer_bytes() > shared_before
        redis.start()

        async def counted() -> bool:
            return await asyncio.to_thread(members_of_all, one) == len(swarm.viewers)

        heard_s = await wait_until(counted, 20, "the nodes hear each other again")
        after = await connections(swarm)
        assert [is_open for is_open, _ in after] == [was_open for was_open, _ in before]
        print(f"\nrejoined after {took_s:.1f} s, nodes together after {heard_s:.1f} s")
        print(f"channels open and ever made: {before} before, {after} after")
        await assert_no_stalls(swarm)

    run(scenario())
