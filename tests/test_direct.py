"""What the sockets without ASGI do beyond what test_signalling.py asks of both kinds."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest
from peerpool.core import constants as c
from peerpool.core.places import NOWHERE
from peerpool.core.tracker import Tracker
from peerpool.direct import DirectSocket, Turn, text_header
from peerpool.outbox import HARD_LIMIT_BYTES, READ_TIMEOUT_S, SOFT_LIMIT_BYTES
from peerpool.protocols.webtorrent import MAX_FRAME_BYTES
from peerpool.signalling import NATIVE, Hub
from websockets import Subprotocol
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Frame, Opcode
from websockets.streams import StreamReader
from websockets.sync.client import connect

from tests.databases import provider, write_mmdb
from tests.servers import RECV_TIMEOUT_S, ServerProcess, close_code, running_server, stuck_client

JOIN = json.dumps({"type": "join", "content": "d" * 40, "session": "0" * 16, "want": 0})


@pytest.fixture(scope="module")
def direct(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    database = write_mmdb(tmp_path_factory.mktemp("geoip") / "asn.mmdb", {"93.184.0.0/16": provider(7)})
    with running_server(geoip_databases=json.dumps([str(database)]), admin_token="t") as running:
        yield running


def test_a_frame_in_parts_is_put_together(direct: ServerProcess) -> None:
    with direct.native() as client:
        client.send(iter([JOIN[:10], JOIN[10:30], JOIN[30:]]))
        assert json.loads(client.recv(RECV_TIMEOUT_S))["type"] == "welcome"
        client.send(json.dumps({"type": "ping"}))
        assert json.loads(client.recv(RECV_TIMEOUT_S))["type"] == "pong"


def test_pings_are_answered(direct: ServerProcess) -> None:
    with direct.native() as client:
        assert client.ping().wait(RECV_TIMEOUT_S)


def test_parts_without_end_are_cut_off(direct: ServerProcess) -> None:
    with direct.torrent() as client:
        with pytest.raises(ConnectionClosed):
            client.send(iter(["x" * 1000] * (MAX_FRAME_BYTES // 1000 + 50)))
            client.recv(RECV_TIMEOUT_S)
        assert client.close_code == c.CLOSE_TOO_BIG


@pytest.mark.parametrize("size", [c.MAX_SIGNAL_FRAME_BYTES + 1, 3 * c.MAX_SIGNAL_FRAME_BYTES, 1_000_000])
def test_a_frame_that_is_too_long_closes_the_socket(direct: ServerProcess, size: int) -> None:
    with direct.native() as client:
        client.send("x" * size)
        assert close_code(client) == c.CLOSE_TOO_BIG


def test_text_that_is_not_utf8_closes_the_socket(direct: ServerProcess) -> None:
    with direct.native() as client:
        client.send(b"\xff\xfe", text=True)
        assert close_code(client) == 1007


@pytest.mark.parametrize("path", ["/", "/demo", "/signals", "/%2fsignal"])
def test_other_paths_serve_no_websocket(direct: ServerProcess, path: str) -> None:
    with pytest.raises(InvalidStatus) as caught:
        connect(f"{direct.ws_base}{path}", compression=None)
    assert caught.value.response.status_code == 404


def test_a_query_does_not_matter(direct: ServerProcess) -> None:
    with connect(f"{direct.ws_base}/announce?x=1", compression=None) as client:
        assert client.ping().wait(RECV_TIMEOUT_S)


def test_a_trusted_proxy_says_where_the_client_is(direct: ServerProcess) -> None:
    headers = {"X-Forwarded-For": "93.184.1.2, 127.0.0.1"}
    subprotocols = [Subprotocol("peerpool.1")]
    with connect(
        f"{direct.ws_base}/signal", subprotocols=subprotocols, additional_headers=headers, compression=None
    ) as client:
        client.send(JOIN)
        peer = json.loads(client.recv(RECV_TIMEOUT_S))["peer"]
        answer = httpx.get(f"{direct.base}/api/peers/{peer}", headers={"Authorization": "Bearer t"}, trust_env=False)
        assert answer.json()["place"] == ["", "", "AS7", ""]


def test_who_goes_without_a_word_is_forgotten(direct: ServerProcess) -> None:
    def connections() -> int:
        return int(httpx.get(f"{direct.base}/stats", trust_env=False).json()["connections"])

    before = connections()
    for _ in range(20):
        with stuck_client(direct, "e" * 40):
            pass
    with direct.native() as client:
        while connections() > before + 1:
            assert client.ping().wait(RECV_TIMEOUT_S)


class Line:
    """A connection's stream: one that takes all at once, or nothing."""

    def __init__(self, *, takes: bool) -> None:
        self.takes = takes
        self.writes: list[bytes] = []
        self.is_aborted = False

    def write(self, data: bytes) -> None:
        self.writes.append(data)

    def get_write_buffer_size(self) -> int:
        return 0 if self.takes else sum(map(len, self.writes))

    def is_closing(self) -> bool:
        return self.is_aborted

    def abort(self) -> None:
        self.is_aborted = True


def opened(line: Line) -> DirectSocket:
    """Open a socket over `line`."""
    hub = Hub(Tracker(random.Random(1)), 10)
    opened = DirectSocket(hub, Turn(), NATIVE, NOWHERE, set())
    opened.on_ws_connected(cast(Any, SimpleNamespace(underlying_transport=line)))
    return opened


@pytest.mark.parametrize("length", [0, 125, 126, 65_535, 65_536])
def test_a_frame_is_what_any_client_reads(length: int) -> None:
    stream = StreamReader()
    stream.feed_data(text_header(length) + b"x" * length)
    parsing = Frame.parse(stream.read_exact, mask=False)
    with pytest.raises(StopIteration) as parsed:
        next(parsing)
    frame: Frame = parsed.value.value
    assert (frame.opcode, frame.fin, len(frame.data)) == (Opcode.TEXT, True, length)


def test_all_that_is_put_in_one_turn_is_written_at_once() -> None:
    async def turn() -> list[bytes]:
        line = Line(takes=True)
        receiver = opened(line)
        for frame in (b"one", b"two"):
            assert receiver.put(frame, is_droppable=True)
        assert line.writes == []
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return line.writes

    assert asyncio.run(turn()) == [b"\x81\x03one\x81\x03two"]


def test_who_is_sent_much_in_one_turn_is_not_taken_for_slow() -> None:
    async def turn() -> int:
        line = Line(takes=True)
        receiver = opened(line)
        assert all(receiver.put(b"x" * 10_000, is_droppable=False) for _ in range(2 * HARD_LIMIT_BYTES // 10_000))
        assert all(receiver.put(b"x" * 10_000, is_droppable=True) for _ in range(2 * SOFT_LIMIT_BYTES // 10_000))
        receiver.flush()
        return sum(map(len, line.writes))

    assert asyncio.run(turn()) > 2 * HARD_LIMIT_BYTES


def test_who_takes_nothing_gets_no_more_offers_and_is_cut_at_the_end() -> None:
    async def turn() -> None:
        line = Line(takes=False)
        receiver = opened(line)
        while receiver.put(b"x" * 1000, is_droppable=True):
            pass
        assert SOFT_LIMIT_BYTES - 2000 < line.get_write_buffer_size() <= SOFT_LIMIT_BYTES + 100 * 10
        assert not line.is_aborted
        while receiver.put(b"x" * 1000, is_droppable=False):
            pass
        assert line.is_aborted
        assert line.get_write_buffer_size() <= HARD_LIMIT_BYTES + 100 * 10

    asyncio.run(turn())


def test_who_has_not_read_for_half_a_minute_is_cut_however_little_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    async def turns() -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        line = Line(takes=False)
        receiver = opened(line)
        for elapsed_s, takes in ((0.0, True), (1.0, True), (READ_TIMEOUT_S, True), (READ_TIMEOUT_S + 1.0, False)):
            monkeypatch.setattr(loop, "time", lambda elapsed_s=elapsed_s: now + elapsed_s)
            assert receiver.put(b"pong", is_droppable=False) is takes
            receiver.flush()
        assert line.is_aborted

    asyncio.run(turns())
