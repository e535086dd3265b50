"""Connections that have not become a WebSocket: each has so long to ask and to read the answer, or it is cut.

Between requests, and until the first, a connection owes the head of one; from there on until the answer has left for
the client it owes reading it. Whatever it sends meanwhile moves no deadline. Who is cut when there are too many is
decided in `core/unfinished.py`. One timer serves all of them, and only while there are any.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable
from enum import Enum
from typing import Any, Final, cast

from peerpool.core.addresses import line_of
from peerpool.core.limits import Limits
from peerpool.core.unfinished import NO_LINE, Unfinished
from peerpool.forwarded import TrustedProxies
from peerpool.outbox import SEND_BUFFER_BYTES
from peerpool.signalling import Hub

# How often deadlines are looked at (seconds): so much later a connection may be cut.
SWEEP_S: Final = 1.0


class Stage(Enum):
    """What a connection owes; the value is its name in metrics."""

    HEAD = "head"
    ANSWER = "answer"


class Doorway:
    """The connections without a WebSocket, by what they owe."""

    def __init__(
        self, hub: Hub, limits: Limits, proxies: TrustedProxies, clock: Callable[[], float] = time.monotonic
    ) -> None:
        patience_s = {Stage.HEAD: limits.head_timeout_s, Stage.ANSWER: limits.answer_timeout_s}
        self._hub = hub
        self._proxies = proxies
        self._clock = clock
        self._unfinished: Unfinished[GuardedProtocol, Stage] = Unfinished(
            patience_s, limits.max_unfinished, limits.max_line_unfinished
        )
        self._is_sweeping = False

    def enter(self, connection: GuardedProtocol, address: str) -> None:
        """Take in a new connection from `address`, empty where there is none."""
        line = NO_LINE if not address or self._proxies.trusts(address) else line_of(address)
        for crowded in self._unfinished.begin(connection, line, Stage.HEAD, self._clock()):
            self._hub.cuts["crowd"] += 1
            crowded.transport.abort()
        if not self._is_sweeping:
            self._is_sweeping = True
            asyncio.get_running_loop().call_later(SWEEP_S, self._sweep)

    def owes(self, connection: GuardedProtocol, stage: Stage) -> None:
        """Note that from now on `connection` owes something else."""
        self._unfinished.move(connection, stage, self._clock())

    def leave(self, connection: GuardedProtocol) -> None:
        """Forget a connection that is a WebSocket now, or gone."""
        self._unfinished.end(connection)

    def _sweep(self) -> None:
        for late in self._unfinished.overdue(self._clock()):
            self._hub.cuts[late.owed.value] += 1
            late.transport.abort()
        self._is_sweeping = len(self._unfinished) > 0
        if self._is_sweeping:
            asyncio.get_running_loop().call_later(SWEEP_S, self._sweep)


class GuardedProtocol(asyncio.Protocol):
    """What `guarded` makes of uvicorn's HTTP protocols."""

    owed: Stage
    transport: asyncio.Transport


def guarded(base: type[Any], hub: Hub, doorway: Doorway) -> type[GuardedProtocol]:
    """Return uvicorn's HTTP protocol `base`, but `doorway` watches over it, and who was turned away is not listened to.

    Reading a request and answering it is dearer than anything else an address can have the tracker do.
    """

    class Guarded(base, GuardedProtocol):  # type: ignore[misc]
        is_shut_out = False
        owed = Stage.HEAD

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            peer = transport.get_extra_info("peername")
            address = peer[0] if isinstance(peer, tuple) else ""
            self.is_shut_out = hub.is_shut_out(address)
            if self.is_shut_out:
                cast(asyncio.Transport, transport).abort()
                return
            # What the kernel buffers for who does not read is no memory of ours, but it is this machine's.
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
            super().connection_made(transport)
            doorway.enter(self, address)

        def data_received(self, data: bytes) -> None:
            if not self.is_shut_out:
                self._settle()  # the answer before may have been read meanwhile
                super().data_received(data)
                self._settle()

        def eof_received(self) -> None:
            if not self.is_shut_out:
                super().eof_received()

        def connection_lost(self, exc: Exception | None) -> None:
            doorway.leave(self)
            if not self.is_shut_out:
                super().connection_lost(exc)

        def on_response_complete(self) -> None:
            super().on_response_complete()
            self._settle()

        def handle_websocket_upgrade(self, *event: Any) -> None:
            doorway.leave(self)
            super().handle_websocket_upgrade(*event)

        def _settle(self) -> None:
            """Tell the doorway when it owes something else than before; the same again is no reason for more time."""
            is_answered = self.cycle is None or self.cycle.response_complete
            is_read = is_answered and self.transport.get_write_buffer_size() == 0
            owed = Stage.HEAD if is_read else Stage.ANSWER
            if owed is not self.owed:
                self.owed = owed
                doorway.owes(self, owed)

    return Guarded
