"""Following streams over real sockets: records made, given, waited for, refused."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from peerpool import watcher as watching
from peerpool.core.digests import SegmentName, decode
from peerpool.core.errors import ConfigError
from peerpool.core.identity import KIND_MEDIA, content_id, content_name
from peerpool.core.playlists import ONLY_TRACK, Media, Multivariant, read
from peerpool.core.urls import Url
from peerpool.core.watch import State
from peerpool.keys import SigningKey, new_key, verify
from peerpool.settings import WatchedStream
from peerpool.watcher import Crowded, Watcher

from e2e.harness.hostile_origin import SEGMENT, HostileOrigin, hostile_origin
from tests import digest_reference as digest

KEY = new_key()
FIRST = SegmentName(ONLY_TRACK, KIND_MEDIA, 0, 0)
PUBLIC = "https://cdn.example/ok/master.m3u8"
LIVE = b"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nsegment.ts\n"


@asynccontextmanager
async def watched(
    origin: HostileOrigin, url: str = PUBLIC, origins: list[str] | None = None
) -> AsyncIterator[tuple[Watcher, str]]:
    """Follow a stream that viewers find at `url` and the tracker at `origin`; give its content id too."""
    watcher = Watcher([WatchedStream(url, fetch_from=origin.url, origins=origins or [])], [KEY])
    running = asyncio.create_task(watcher.run())
    try:
        yield watcher, content_id(content_name(url))
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


def run(scenario: Callable[[HostileOrigin], Awaitable[None]]) -> None:
    async def act() -> None:
        async with hostile_origin() as origin:
            await scenario(origin)

    asyncio.run(act())


async def until(is_so: Callable[[], bool]) -> None:
    """Let the loop turn until it is."""
    while not is_so():  # noqa: ASYNC110 - the watcher has no event for it
        await asyncio.sleep(0)


def test_a_record_is_of_the_bytes_the_origin_has_and_signed_by_the_key() -> None:
    async def scenario(origin: HostileOrigin) -> None:
        async with watched(origin) as (watcher, content):
            data = await watcher.record(content, FIRST, "line")
        assert isinstance(data, bytes)
        record = decode(data)
        assert (record.content_id.hex(), record.name, record.size_bytes) == (content, FIRST, len(SEGMENT))
        assert list(record.pieces) == digest.piece_hashes(SEGMENT)
        assert verify(record, KEY.public_bytes)
        assert watcher.keys == [KEY.public_hex]

    run(scenario)


def test_many_who_ask_have_one_segment_read_once() -> None:
    async def scenario(origin: HostileOrigin) -> None:
        async with watched(origin) as (watcher, content):
            answers = await asyncio.gather(*(watcher.record(content, FIRST, f"line {n}") for n in range(100)))
            assert len(set(answers)) == 1
            assert isinstance(answers[0], bytes)
            assert await watcher.record(content, FIRST, "line") == answers[0]
            assert origin.asked["/ok/segment.ts"] == 1
            assert watcher.waiting == 0
            assert (watcher.answers["after a wait"], watcher.answers["at once"]) == (100, 1)

    run(scenario)


def test_what_is_not_followed_or_not_named_is_missing() -> None:
    async def scenario(origin: HostileOrigin) -> None:
        async with watched(origin) as (watcher, content):
            assert await watcher.record("00" * 20, FIRST, "line") is State.MISSING
            assert await watcher.record(content, FIRST._replace(number=1), "line") is State.MISSING
            assert await watcher.record(content, FIRST._replace(track_hex="00" * 8), "line") is State.MISSING

    run(scenario)


def test_who_asks_for_the_next_live_segment_is_answered_when_the_playlist_has_it() -> None:
    async def scenario(origin: HostileOrigin) -> None:
        origin.files["master.m3u8"] = LIVE
        async with watched(origin) as (watcher, content):
            assert isinstance(await watcher.record(content, FIRST, "line"), bytes)
            asking = asyncio.create_task(watcher.record(content, FIRST._replace(number=1), "line"))
            await until(lambda: watcher.waiting == 1)
            origin.files["master.m3u8"] = LIVE + b"#EXTINF:2,\nsegment.ts?next\n"
            answer = await asking
            assert isinstance(answer, bytes)
            assert decode(answer).name.number == 1

    run(scenario)


def test_who_waits_for_what_does_not_come_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "HOLD_S", 0.05)

    async def scenario(origin: HostileOrigin) -> None:
        origin.files["master.m3u8"] = LIVE
        async with watched(origin) as (watcher, content):
            while not isinstance(await watcher.record(content, FIRST, "line"), bytes):
                pass
            assert await watcher.record(content, FIRST._replace(number=1), "line") is State.DUE
            assert watcher.waiting == 0

    run(scenario)


def test_few_of_one_line_may_wait_and_others_still_can() -> None:
    async def scenario(origin: HostileOrigin) -> None:
        origin.files["master.m3u8"] = LIVE
        async with watched(origin) as (watcher, content):
            due = FIRST._replace(number=1)
            waiting = [asyncio.create_task(watcher.record(content, due, "a")) for _ in range(64)]
            await until(lambda: watcher.waiting == watching.WAITING_PER_LINE_MAX)
            with pytest.raises(Crowded):
                await watcher.record(content, due, "a")
            other = asyncio.create_task(watcher.record(content, due, "b"))
            await until(lambda: watcher.waiting == watching.WAITING_PER_LINE_MAX + 1)
            for task in (*waiting, other):
                task.cancel()
            await asyncio.gather(*waiting, other, return_exceptions=True)
            assert watcher.waiting == 0

    run(scenario)


@pytest.mark.parametrize("kind", ["silent", "endless", "redirect", "missing"])
def test_a_bad_origin_is_told_of_once_and_those_who_wait_go_on(
    kind: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "HOLD_S", 1.2)
    monkeypatch.setattr(watching, "PLAYLIST_TIMEOUT_S", 0.2)

    async def scenario(origin: HostileOrigin) -> None:
        rest = "http://127.0.0.1:1/" if kind == "redirect" else "master.m3u8"
        async with watched(origin, f"https://cdn.example/{kind}/{rest}") as (watcher, content):
            assert await watcher.record(content, FIRST, "line") is State.DUE
            assert [(is_readable, counts["records"]) for _, is_readable, counts in watcher.streams()] == [(False, 0)]

    with caplog.at_level(logging.WARNING):
        run(scenario)
    assert len(caplog.records) == 1
    assert "what has no record is played from the CDN" in caplog.text


def test_a_stream_that_can_be_read_again_is_told_of(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(origin: HostileOrigin) -> None:
        whole = origin.files["master.m3u8"]
        origin.files["master.m3u8"] = b"<html>"
        async with watched(origin) as (watcher, content):
            asking = asyncio.create_task(watcher.record(content, FIRST, "line"))
            await until(lambda: bool(caplog.records))
            origin.files["master.m3u8"] = whole
            assert isinstance(await asking, bytes)

    run(scenario)
    assert [("again" in record.getMessage()) for record in caplog.records] == [False, True]


def test_a_defect_of_ours_is_logged_and_the_stream_followed_on(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = iter([RuntimeError("of ours")])

    def defective(text: str, base: Url, track: str) -> Media | Multivariant:
        for failure in failures:
            raise failure
        return read(text, base, track)

    monkeypatch.setattr(watching, "read", defective)

    async def scenario(origin: HostileOrigin) -> None:
        async with watched(origin) as (watcher, content):
            assert isinstance(await watcher.record(content, FIRST, "line"), bytes)

    run(scenario)
    assert "please report it" in caplog.text


def test_segments_on_an_origin_that_is_not_named_have_no_record(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "HOLD_S", 0.3)

    async def scenario(origin: HostileOrigin) -> None:
        async with hostile_origin() as other:
            body = f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{other.url}/ok/segment.ts\n#EXT-X-ENDLIST\n"
            origin.files["master.m3u8"] = body.encode()
            async with watched(origin) as (watcher, content):
                assert not isinstance(await watcher.record(content, FIRST, "line"), bytes)
            assert not other.asked

    run(scenario)


def test_a_playlist_cannot_name_the_origin_in_ones_own_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "HOLD_S", 0.3)

    async def scenario(origin: HostileOrigin) -> None:
        body = f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{origin.url}/ok/admin\n#EXT-X-ENDLIST\n"
        origin.files["master.m3u8"] = body.encode()
        async with watched(origin) as (watcher, content):
            assert not isinstance(await watcher.record(content, FIRST, "line"), bytes)
        assert "/ok/admin" not in origin.asked

    run(scenario)


@pytest.mark.parametrize(
    ("stream", "match"),
    [
        (WatchedStream("ftp://cdn.example/a"), "`url`"),
        (WatchedStream(PUBLIC, fetch_from="10.0.0.5"), "`fetch_from`"),
        (WatchedStream(PUBLIC, origins=["https://user@host/"]), "`origins`"),
    ],
)
def test_settings_that_cannot_be_followed_are_refused(stream: WatchedStream, match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        Watcher([stream], [KEY])


def test_two_streams_of_one_content_are_refused() -> None:
    with pytest.raises(ConfigError, match="same content"):
        Watcher([WatchedStream(PUBLIC), WatchedStream(f"{PUBLIC}?token=1")], [KEY])


def test_clients_are_told_all_keys_and_the_first_signs() -> None:
    keys: list[SigningKey] = [new_key(), new_key()]
    assert Watcher([WatchedStream(PUBLIC)], keys).keys == [key.public_hex for key in keys]
