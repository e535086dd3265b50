"""Two trackers and a real Redis: members of both meet; a node that dies and a Redis that goes cost nobody a place."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import pytest
from peerpool import cli
from peerpool.core.federation import LEASE_S
from websockets.sync.client import ClientConnection

from e2e.harness.redis_server import RedisServer
from tests.servers import ServerProcess, join, receive, running_server, send

pytestmark = pytest.mark.skipif(shutil.which("redis-server") is None, reason="needs redis-server")

# A digest's interval, a pause before Redis is tried again, and what both take on a busy machine.
HEARD_WITHIN_S = 20.0


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    process = RedisServer(tmp_path_factory.mktemp("redis"))
    process.start()
    yield process
    process.stop()


@pytest.fixture
def nodes(redis: RedisServer) -> Iterator[tuple[ServerProcess, ServerProcess]]:
    with running_server(redis_url=redis.url) as one, running_server(redis_url=redis.url) as other:
        yield one, other


def neighbours(client: ClientConnection) -> list[str]:
    # As if each it was told of before had declined: who has neighbours enough is not named to others.
    send(client, type="report", peer_bytes=0, cdn_bytes=0, sent_bytes=0, neighbours=0, stalls=0)
    send(client, type="want", count=8)
    found: list[str] = receive(client, "neighbours")["neighbours"]
    return found


def wait_for_neighbour(client: ClientConnection, peer: str, *, gone: bool = False) -> float:
    """Ask until the tracker names `peer`, or does not any more; return how long that took."""
    begun = time.monotonic()
    while (peer in neighbours(client)) is gone:
        assert time.monotonic() < begun + HEARD_WITHIN_S
        time.sleep(0.3)  # a question costs ten tokens of fifty a second
    return time.monotonic() - begun


def exchange(one: ClientConnection, one_id: str, other: ClientConnection, other_id: str) -> None:
    """Offer and answer across."""
    send(one, type="offer", to=other_id, sdp="v=0 offer")
    assert receive(other, "offer") == {"type": "offer", "from": one_id, "sdp": "v=0 offer"}
    send(other, type="answer", to=one_id, sdp="v=0 answer")
    assert receive(one, "answer") == {"type": "answer", "from": other_id, "sdp": "v=0 answer"}
    send(one, type="candidate", to=other_id, candidate="c", mid="0", line=0)
    assert receive(other, "candidate")["from"] == one_id


def test_members_of_two_nodes_meet(nodes: tuple[ServerProcess, ServerProcess]) -> None:
    with nodes[0].native() as one, nodes[1].native() as other:
        one_id, other_id = join(one, "a" * 40)["peer"], join(other, "a" * 40)["peer"]
        wait_for_neighbour(one, other_id)
        wait_for_neighbour(other, one_id)
        exchange(one, one_id, other, other_id)
        with nodes[0].native() as late:
            welcome = join(late, "a" * 40)
            assert welcome["cluster_size"] == 3
            assert {one_id, other_id} == {*welcome["neighbours"]}


def test_each_node_tells_what_all_count(nodes: tuple[ServerProcess, ServerProcess]) -> None:
    with nodes[0].native() as one, nodes[1].native() as other:
        join(one, "e" * 40)
        join(other, "f" * 40)
        until = time.monotonic() + HEARD_WITHIN_S
        while True:
            stats = [httpx.get(f"{node.base}/stats", trust_env=False).json() for node in nodes]
            members = [told["all_nodes"]["members"]["native"] for told in stats]
            if members == [sum(told["members"]["native"] for told in stats)] * 2:
                break
            assert time.monotonic() < until, stats
            time.sleep(0.2)
        assert members[0] >= 2
        assert [len(told["nodes"]) for told in stats] == [2, 2]


def test_a_node_that_is_killed_is_forgotten_and_its_members_come_back(redis: RedisServer) -> None:
    content = "b" * 40
    with ExitStack() as stack:
        survivor = stack.enter_context(running_server(redis_url=redis.url))
        victim = stack.enter_context(running_server(redis_url=redis.url))
        one = stack.enter_context(survivor.native())
        other = stack.enter_context(victim.native())
        join(one, content)
        other_id = join(other, content)["peer"]
        wait_for_neighbour(one, other_id)
        victim.process.kill()
        begun = time.monotonic()
        with survivor.native() as again:  # as a browser does, by way of the load balancer
            welcome = join(again, content)
            assert time.monotonic() - begun < 10
            assert welcome["cluster_size"] >= 2
        assert wait_for_neighbour(one, other_id, gone=True) < LEASE_S + 3


def test_without_redis_each_goes_on_alone_and_with_it_they_meet_again(
    nodes: tuple[ServerProcess, ServerProcess], redis: RedisServer
) -> None:
    content = "c" * 40
    with nodes[0].native() as one, nodes[1].native() as other:
        one_id, other_id = join(one, content)["peer"], join(other, content)["peer"]
        wait_for_neighbour(one, other_id)
        redis.stop()
        try:
            with nodes[0].native() as here:
                here_id = join(here, content)["peer"]
                exchange(one, one_id, here, here_id)
            wait_for_neighbour(one, other_id, gone=True)
        finally:
            redis.start()
        wait_for_neighbour(one, other_id)
        wait_for_neighbour(other, one_id)
        exchange(other, other_id, one, one_id)


def test_junk_on_redis_breaks_nothing(nodes: tuple[ServerProcess, ServerProcess], redis: RedisServer) -> None:
    content = "d" * 40
    with nodes[0].native() as one, nodes[1].native() as other:
        join(one, content)
        other_id = join(other, content)["peer"]
        wait_for_neighbour(one, other_id)
        for junk in ("", "{", "[]", '{"node":"x"}', "x" * 100_000):
            command = ["redis-cli", "-p", str(redis.port), "publish", f"peerpool.1:swarm:{content}", junk]
            assert subprocess.run(command, check=True, capture_output=True).stdout.strip() == b"2"
        assert other_id in neighbours(one)


def test_what_is_no_redis_is_an_error_of_the_settings(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["serve", "--port", "0", "--redis", "localhost:6379"]) == 2
    assert "redis_url: Redis URL must specify" in capsys.readouterr().err
