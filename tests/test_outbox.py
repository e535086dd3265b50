"""One socket's outgoing queue, with a socket that takes frames when told to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from peerpool.outbox import HARD_LIMIT_BYTES, READ_TIMEOUT_S, SOFT_LIMIT_BYTES, Arrears, Outbox
from starlette.types import Message

KIB = b"x" * 1024


class FakeSocket:
    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.aborts = 0
        self.is_open = asyncio.Event()

    async def send(self, message: Message) -> None:
        await self.is_open.wait()
        self.sent.append(message)

    def abort(self) -> None:
        self.aborts += 1


def run(scenario: Callable[[FakeSocket, Outbox], Coroutine[Any, Any, None]]) -> None:
    async def main() -> None:
        socket = FakeSocket()
        await scenario(socket, Outbox(socket.send, socket.abort))

    asyncio.run(main())


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_frames_leave_in_order_then_the_close() -> None:
    async def scenario(socket: FakeSocket, outbox: Outbox) -> None:
        socket.is_open.set()
        outbox.put(b"1", is_droppable=False)
        outbox.put(b"2", is_droppable=True)
        outbox.close(4408, "idle")
        assert not outbox.put(b"late", is_droppable=False)
        await settle()
        assert [message.get("text", message.get("code")) for message in socket.sent] == ["1", "2", 4408]
        outbox.discard()

    run(scenario)


def test_a_slow_reader_loses_offers_then_its_connection() -> None:
    async def scenario(socket: FakeSocket, outbox: Outbox) -> None:
        await settle()
        offers = sum(outbox.put(KIB, is_droppable=True) for _ in range(1000))
        assert offers * len(KIB) == SOFT_LIMIT_BYTES
        others = 0
        while outbox.put(KIB, is_droppable=False):
            others += 1
        assert (offers + others) * len(KIB) == HARD_LIMIT_BYTES
        assert socket.aborts == 1
        assert not outbox.put(b"more", is_droppable=False)
        assert socket.aborts == 1

    run(scenario)


def test_who_is_behind_for_too_long_is_so_until_it_has_taken_everything() -> None:
    arrears = Arrears()
    assert not arrears.too_long(1, 100.0)
    assert not arrears.too_long(1, 99.9 + READ_TIMEOUT_S)
    assert arrears.too_long(1, 100.0 + READ_TIMEOUT_S)
    assert not arrears.too_long(0, 101.0 + READ_TIMEOUT_S)
    assert not arrears.too_long(1, 102.0 + READ_TIMEOUT_S)


def test_who_has_not_read_for_half_a_minute_is_cut_however_little_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(socket: FakeSocket, outbox: Outbox) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        outbox.put(KIB, is_droppable=True)
        await settle()
        for elapsed_s, takes in ((0.0, True), (READ_TIMEOUT_S - 0.1, True), (READ_TIMEOUT_S, False)):
            monkeypatch.setattr(loop, "time", lambda elapsed_s=elapsed_s: now + elapsed_s)
            assert outbox.put(b"pong", is_droppable=False) is takes
        assert socket.aborts == 1

    run(scenario)


def test_what_has_left_makes_room() -> None:
    async def scenario(socket: FakeSocket, outbox: Outbox) -> None:
        socket.is_open.set()
        for _ in range(1000):
            assert outbox.put(KIB, is_droppable=True)
            await settle()
        assert len(socket.sent) == 1000
        outbox.discard()

    run(scenario)


def test_a_socket_that_fails_is_let_go() -> None:
    async def scenario(_socket: FakeSocket, _outbox: Outbox) -> None:
        async def fail(_message: Message) -> None:
            raise OSError("gone")

        outbox = Outbox(fail, lambda: None)
        outbox.put(b"1", is_droppable=False)
        await settle()
        assert not outbox.put(b"2", is_droppable=False)

    run(scenario)
