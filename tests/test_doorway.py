"""Connections without a WebSocket: real sockets, uvicorn's two HTTP protocols, a clock of the test's own."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from peerpool import doorway as module
from peerpool.core.limits import Limits
from peerpool.core.tracker import Tracker
from peerpool.doorway import Doorway, guarded
from peerpool.forwarded import TrustedProxies
from peerpool.signalling import Hub
from starlette.types import Receive, Scope, Send
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from e2e.harness.raw_frames import HANDSHAKE

SWEEP_S = 0.01
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
STRANGER, OTHER, PROXY = "127.0.0.2", "127.0.0.3", "127.0.0.1"
# More than the kernel takes for who does not read: of the server 128 KiB, of the client less.
LARGE_BYTES = 4 << 20

Opened = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Place:
    """A server in this process, and what time it is for it."""

    def __init__(self, base: type[asyncio.Protocol], limits: Limits, body: bytes) -> None:
        self.now = 100.0
        self.hub = Hub(Tracker(random.Random(1), limits), 10)
        doorway = Doorway(self.hub, limits, TrustedProxies(PROXY), lambda: self.now)
        config = Config(self._answer, interface="asgi3", ws=asyncio.Protocol, timeout_keep_alive=1000)
        config.load()
        config.ws_protocol_class = Silent
        state, protocol = ServerState(), guarded(base, self.hub, doorway)
        self._body = body
        self._port = 0
        self._transports: list[asyncio.WriteTransport] = []
        self._writers: list[asyncio.StreamWriter] = []

        class Noted(protocol):  # type: ignore[misc, valid-type]
            def connection_made(noted, transport: asyncio.Transport) -> None:
                self._transports.append(transport)
                super().connection_made(transport)

        self._make: Callable[[], Any] = lambda: Noted(config=config, server_state=state, app_state={})

    async def start(self) -> asyncio.Server:
        server = await asyncio.get_running_loop().create_server(self._make, "127.0.0.1", 0)
        self._port = server.sockets[0].getsockname()[1]
        return server

    async def open(self, source: str = STRANGER, sends: bytes = b"") -> Opened:
        raw = socket.socket()
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.setblocking(False)
        raw.bind((source, 0))
        await asyncio.get_running_loop().sock_connect(raw, ("127.0.0.1", self._port))
        reader, writer = await asyncio.open_connection(sock=raw, limit=1024)
        self._writers.append(writer)
        writer.write(sends)
        return reader, writer

    async def end(self) -> None:
        for transport in [*self._transports, *(writer.transport for writer in self._writers)]:
            transport.abort()
        await asyncio.sleep(0)  # they close in the next turn

    async def swept(self) -> None:
        """Wait until deadlines have been looked at, and who was cut has noticed."""
        await asyncio.sleep(5 * SWEEP_S)

    async def _answer(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        length = str(len(self._body)).encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]})
        await send({"type": "http.response.body", "body": self._body})


class Silent(asyncio.Protocol):
    """A WebSocket that says nothing."""

    def __init__(self, **_: Any) -> None: ...


async def is_open(opened: Opened) -> bool:
    """Whether the server holds the connection; what it has sent is passed over."""
    reader, _ = opened
    try:
        while await asyncio.wait_for(reader.read(65_536), 0.02):
            pass
    except TimeoutError:
        return True
    except ConnectionError:
        return False
    return False


Scenario = Callable[[Place], Awaitable[None]]


@pytest.fixture(params=[HttpToolsProtocol, H11Protocol], ids=["httptools", "h11"])
def play(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Run a scenario against a server."""
    monkeypatch.setattr(module, "SWEEP_S", SWEEP_S)

    @asynccontextmanager
    async def serving(limits: Limits, body: bytes) -> AsyncIterator[Place]:
        place = Place(request.param, limits, body)
        server = await place.start()
        try:
            yield place
        finally:
            server.close()
            await place.end()

    def run(scenario: Scenario, limits: Limits | None = None, body: bytes = b"hello") -> None:
        async def whole() -> None:
            async with serving(limits or Limits(), body) as place:
                await scenario(place)

        asyncio.run(whole())

    return run


@pytest.mark.parametrize("sends", [b"", b"GET / HTTP/1.1\r\nX: ", HANDSHAKE.format(path="/signal").encode()[:-2]])
def test_who_has_not_asked_in_ten_seconds_is_cut(play: Callable[..., None], sends: bytes) -> None:
    async def scenario(place: Place) -> None:
        slow = await place.open(sends=sends)
        await place.swept()
        place.now += 9.9
        await place.swept()
        slow[1].write(b"x" if sends else b"")  # another byte is not another chance
        assert await is_open(slow)
        place.now += 0.1
        await place.swept()
        assert not await is_open(slow)
        assert place.hub.cuts == {"head": 1, "answer": 0, "crowd": 0}

    play(scenario)


def test_each_request_has_its_own_time(play: Callable[..., None]) -> None:
    async def scenario(place: Place) -> None:
        client = await place.open()
        for _ in range(3):
            place.now += 9
            client[1].write(GET)
            assert (await client[0].readuntil(b"hello")).startswith(b"HTTP/1.1 200")
            await place.swept()
        client[1].write(GET[:-2])
        await place.swept()
        place.now += 10
        await place.swept()
        assert not await is_open(client)

    play(scenario)


def test_a_body_that_trickles_in_after_its_answer_is_no_request(play: Callable[..., None]) -> None:
    async def scenario(place: Place) -> None:
        client = await place.open(sends=b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n")
        await client[0].readuntil(b"hello")
        for _ in range(2):
            place.now += 5
            client[1].write(b"x")
            await place.swept()
        assert not await is_open(client)

    play(scenario)


def test_an_answer_that_is_not_read_in_a_minute_is_cut_whatever_else_is_asked(play: Callable[..., None]) -> None:
    async def scenario(place: Place) -> None:
        deaf = await place.open(sends=GET)
        await place.swept()
        for _ in range(2):
            place.now += 29.9
            deaf[1].write(GET)
            await place.swept()
        assert place.hub.cuts["answer"] == 0
        place.now += 0.2
        await place.swept()
        assert place.hub.cuts == {"head": 0, "answer": 1, "crowd": 0}

    play(scenario, body=b"x" * LARGE_BYTES)


def test_who_reads_slowly_but_in_time_gets_all_of_it(play: Callable[..., None]) -> None:
    async def scenario(place: Place) -> None:
        reader, _ = await place.open(sends=GET)
        await reader.readuntil(b"\r\n\r\n")
        for _ in range(4):
            place.now += 14
            await reader.readexactly(LARGE_BYTES // 4)
            await place.swept()
        assert place.hub.cuts["answer"] == 0

    play(scenario, body=b"x" * LARGE_BYTES)


def test_who_reads_one_large_answer_after_another_has_time_for_each(play: Callable[..., None]) -> None:
    async def scenario(place: Place) -> None:
        reader, writer = await place.open()
        for _ in range(4):
            writer.write(GET)
            await reader.readuntil(b"\r\n\r\n")
            place.now += 25
            await reader.readexactly(LARGE_BYTES)
            await place.swept()
        assert place.hub.cuts == {"head": 0, "answer": 0, "crowd": 0}

    play(scenario, body=b"x" * LARGE_BYTES)


def test_a_line_with_many_makes_room_with_its_oldest_and_others_are_not_asked(play: Callable[..., None]) -> None:
    async def scenario(place: Place) -> None:
        honest = await place.open(OTHER)
        many = [await place.open(STRANGER) for _ in range(5)]
        await place.swept()
        assert [await is_open(one) for one in many] == [False, False, False, True, True]
        honest[1].write(GET)
        newcomer = await place.open(STRANGER, GET)
        for opened in (honest, newcomer):
            assert (await opened[0].readuntil(b"hello")).startswith(b"HTTP/1.1 200")
        assert place.hub.cuts["crowd"] == 4

    play(scenario, Limits(max_unfinished=4, max_line_unfinished=2))


def test_a_proxy_s_connections_are_not_counted_but_have_their_deadlines(play: Callable[..., None]) -> None:
    async def scenario(place: Place) -> None:
        many = [await place.open(PROXY) for _ in range(5)]
        await place.swept()
        assert all([await is_open(one) for one in many])
        place.now += 10
        await place.swept()
        assert place.hub.cuts == {"head": 5, "answer": 0, "crowd": 0}

    play(scenario, Limits(max_unfinished=1, max_line_unfinished=1))


def test_a_websocket_is_not_the_doorway_s(play: Callable[..., None]) -> None:
    async def scenario(place: Place) -> None:
        upgraded = await place.open(sends=HANDSHAKE.format(path="/signal").encode())
        await place.swept()
        place.now += 1000
        await place.open()  # so that deadlines are looked at
        await place.swept()
        assert await is_open(upgraded)

    play(scenario)
