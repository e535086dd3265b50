"""`GET /digests/...` of a real server that follows a stream."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator

import httpx
import pytest
from peerpool.app import create_app
from peerpool.core.digests import NUMBER_MAX, decode
from peerpool.core.errors import ConfigError
from peerpool.core.identity import content_id
from peerpool.core.playlists import ONLY_TRACK
from peerpool.settings import Settings, WatchedStream

from e2e.harness.hostile_origin import HostileOrigin, hostile_origin
from tests.servers import ServerProcess, join, running_server

CONTENT = content_id("big-movie")


@pytest.fixture(scope="module")
def origin() -> Iterator[HostileOrigin]:
    """Run one in a thread: the server is in a process of its own."""
    ready, over, loop = threading.Event(), asyncio.Event(), asyncio.new_event_loop()
    served: list[HostileOrigin] = []

    async def serve() -> None:
        async with hostile_origin() as one:
            served.append(one)
            ready.set()
            await over.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    assert ready.wait(10)
    yield served[0]
    loop.call_soon_threadsafe(over.set)
    thread.join()
    loop.close()


@pytest.fixture(scope="module")
def watching(origin: HostileOrigin) -> Iterator[ServerProcess]:
    stream = {"url": "https://cdn.example/ok/master.m3u8", "content": "big-movie", "fetch_from": origin.url}
    with running_server(watch=json.dumps([stream])) as server:
        yield server


def ask(server: ServerProcess, *parts: object) -> httpx.Response:
    path = "/".join(str(part) for part in parts)
    return httpx.get(f"{server.base}/digests/{path}", trust_env=False, timeout=10)


def test_a_record_is_given_to_any_page_and_kept_by_caches_for_a_while(watching: ServerProcess) -> None:
    answer = ask(watching, CONTENT, ONLY_TRACK, 0, 0, 0)
    assert answer.status_code == 200
    assert decode(answer.content).content_id.hex() == CONTENT
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["Cache-Control"] == "public, max-age=60"
    assert answer.headers["Content-Type"] == "application/octet-stream"


@pytest.mark.parametrize(
    "parts",
    [
        ("00" * 20, ONLY_TRACK, 0, 0, 0),
        (CONTENT, ONLY_TRACK, 0, 0, 1),
        (CONTENT, ONLY_TRACK, 0, 1, 0),
        (CONTENT, ONLY_TRACK, 2, 0, 0),
        (CONTENT, ONLY_TRACK, 0, 0, "00"),
        (CONTENT, ONLY_TRACK, 0, 0, -1),
        (CONTENT, ONLY_TRACK, 0, 0, NUMBER_MAX + 1),
        (CONTENT, ONLY_TRACK, 0, 0, "9" * 400),
        (CONTENT, ONLY_TRACK.upper() + "x", 0, 0, 0),
        (CONTENT[:-1], ONLY_TRACK, 0, 0, 0),
        (CONTENT, "..", 0, 0, "%00"),
    ],
)
def test_names_of_no_segment_have_no_record(watching: ServerProcess, parts: tuple[object, ...]) -> None:
    answer = ask(watching, *parts)
    assert answer.status_code == 404
    assert answer.headers.get("Cache-Control", "no-store") == "no-store"


def test_a_viewer_of_a_followed_stream_is_told_where_records_are_and_of_another_nothing(
    watching: ServerProcess,
) -> None:
    with watching.native() as socket:
        told = join(socket, CONTENT)["integrity"]
        assert (told["mode"], told["digests"], len(told["keys"])) == ("signed", "/digests", 1)
        assert told["keys"][0].startswith("04")
    with watching.native() as socket:
        assert "integrity" not in join(socket, "ab" * 20)


def test_what_is_followed_is_counted(watching: ServerProcess) -> None:
    ask(watching, CONTENT, ONLY_TRACK, 0, 0, 0)
    text = httpx.get(f"{watching.base}/metrics", trust_env=False).text
    assert 'peerpool_watch_readable{content="big-movie"} 1.0' in text
    assert 'peerpool_watch_records_total{content="big-movie"} 1.0' in text
    assert "peerpool_watch_waiting 0.0" in text


def test_trackers_that_share_swarms_need_a_key_that_is_the_same_on_all() -> None:
    settings = Settings(watch=[WatchedStream("https://cdn.example/a.m3u8")], redis_url="redis://127.0.0.1:1/0")
    with pytest.raises(ConfigError, match="digest_keys"):
        create_app(settings)
