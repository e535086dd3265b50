"""Fetches that cannot be led astray, against an origin that tries, over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from peerpool.core.errors import FetchFailed, FetchRefused
from peerpool.core.fetch_rules import Origins
from peerpool.core.urls import Url, parse
from peerpool.safe_fetch import SafeFetcher

from e2e.harness.hostile_origin import PLAYLIST, SEGMENT, HostileOrigin, hostile_origin

MAX_BYTES = 200_000
Scenario = Callable[[HostileOrigin], Awaitable[None]]


def run(scenario: Scenario) -> None:
    async def act() -> None:
        async with hostile_origin() as origin:
            await scenario(origin)

    asyncio.run(act())


async def fetch(
    origin: HostileOrigin,
    path: str,
    *,
    span: tuple[int, int] | None = None,
    timeout_s: float = 5.0,
    also: frozenset[str] = frozenset(),
) -> tuple[Url, bytes]:
    fetcher = SafeFetcher(Origins(frozenset(), frozenset({origin.url, *also})))
    chunks: list[bytes] = []
    try:
        url = await fetcher.fetch(
            parse(origin.url + path), chunks.append, max_bytes=MAX_BYTES, timeout_s=timeout_s, span=span
        )
    finally:
        await fetcher.close()
        assert sum(map(len, chunks)) <= MAX_BYTES
    return url, b"".join(chunks)


def test_a_body_and_a_range_come_whole() -> None:
    async def scenario(origin: HostileOrigin) -> None:
        assert await fetch(origin, "/ok/segment.ts") == (parse(f"{origin.url}/ok/segment.ts"), SEGMENT)
        assert (await fetch(origin, "/ok/segment.ts", span=(100, 40_000)))[1] == SEGMENT[100:40_000]

    run(scenario)


def test_a_redirect_on_the_list_is_followed_and_its_url_returned() -> None:
    async def scenario(origin: HostileOrigin) -> None:
        url, body = await fetch(origin, "/redirect//redirect//ok/master.m3u8")
        assert (url.path, body) == ("/ok/master.m3u8", PLAYLIST)

    run(scenario)


def test_a_redirect_off_the_list_is_refused_and_nothing_is_asked_there() -> None:
    async def scenario(origin: HostileOrigin) -> None:
        async with hostile_origin() as secret:
            with pytest.raises(FetchRefused, match="not among the origins"):
                await fetch(origin, f"/redirect/{secret.url}/ok/master.m3u8")
            assert not secret.asked

    run(scenario)


def test_a_circle_of_redirects_ends() -> None:
    async def scenario(origin: HostileOrigin) -> None:
        with pytest.raises(FetchRefused, match="redirects"):
            await fetch(origin, "/loop/x")
        assert origin.asked.total() == 4

    run(scenario)


@pytest.mark.parametrize(
    ("path", "match"),
    [
        ("/endless/x", "more than"),
        ("/large/x", "more than"),
        ("/headers/x", "cannot be read"),
        ("/short/segment.ts", "cannot be read"),
        ("/compressed/segment.ts", "compressed"),
        ("/missing/x", "404"),
    ],
)
def test_an_answer_that_is_not_what_was_asked_for_fails(path: str, match: str) -> None:
    async def scenario(origin: HostileOrigin) -> None:
        with pytest.raises(FetchFailed, match=match):
            await fetch(origin, path)
        assert origin.sent_bytes.total() < 20_000_000

    run(scenario)


@pytest.mark.parametrize("path", ["/silent/x", "/slow/segment.ts"])
def test_an_answer_that_takes_too_long_fails(path: str) -> None:
    async def scenario(origin: HostileOrigin) -> None:
        with pytest.raises(FetchFailed, match=r"within 0\.3 s"):
            await fetch(origin, path, timeout_s=0.3)

    run(scenario)


@pytest.mark.parametrize(
    ("path", "match"), [("/other-range/segment.ts", "another range"), ("/redirect//short/x", "200")]
)
def test_a_range_that_is_another_or_the_whole_fails(path: str, match: str) -> None:
    async def scenario(origin: HostileOrigin) -> None:
        with pytest.raises(FetchFailed, match=match):
            await fetch(origin, path, span=(0, 1000))

    run(scenario)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]", "0.0.0.0"])
def test_a_private_address_is_refused_however_it_is_written(host: str) -> None:
    async def scenario(origin: HostileOrigin) -> None:
        url = parse(f"http://{host}:{origin.port}/ok/master.m3u8")
        fetcher = SafeFetcher(Origins(frozenset({url.origin})))
        with pytest.raises(FetchFailed):
            await fetcher.fetch(url, lambda _: None, max_bytes=100, timeout_s=5)
        await fetcher.close()
        assert not origin.asked

    run(scenario)


def test_a_name_that_leads_elsewhere_the_second_time_is_connected_to_where_it_was_judged() -> None:
    asked: list[str] = []

    async def rebinding(host: str, _port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) > 1 else ["192.88.99.1"]  # RFC 7526: routed by nobody any more

    async def scenario(origin: HostileOrigin) -> None:
        url = parse(f"http://rebinding.example:{origin.port}/ok/master.m3u8")
        fetcher = SafeFetcher(Origins(frozenset({url.origin})), rebinding)
        for _ in range(2):  # judged good, then judged bad; never connected to unjudged
            with pytest.raises(FetchFailed):
                await fetcher.fetch(url, lambda _: None, max_bytes=100, timeout_s=0.5)
        await fetcher.close()
        assert len(asked) == 2
        assert not origin.asked

    run(scenario)


def test_a_name_that_does_not_resolve_fails() -> None:
    async def scenario(_origin: HostileOrigin) -> None:
        url = parse("http://nowhere.invalid/")
        fetcher = SafeFetcher(Origins(frozenset({url.origin})))
        with pytest.raises(FetchFailed, match="cannot be resolved"):
            await fetcher.fetch(url, lambda _: None, max_bytes=100, timeout_s=10)
        await fetcher.close()

    run(scenario)
