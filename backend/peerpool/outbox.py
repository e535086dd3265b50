"""What waits to be sent on one WebSocket.

Nobody ever awaits another member's socket: a message for it goes into its outbox, whose own writer sends it when the
socket takes it. The writer exists only while there is something to write. A reader that is too slow loses offers first,
then its connection; no one else notices.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

from starlette.types import Send

# The kernel's share of what waits for one reader; it doubles this for its own bookkeeping.
SEND_BUFFER_BYTES: Final = 65_536
# Beyond the transport's own 64 KiB. Fifty offers: a browser that is behind by so much will not answer them in time.
SOFT_LIMIT_BYTES: Final = 65_536
# Room for what cannot be dropped once offers are.
HARD_LIMIT_BYTES: Final = 131_072
# Whoever has not taken everything for so long (seconds) is cut: it answers no offer in time, and what waits for it is
# our memory. A phone in a tunnel is back before, or has lost its connections anyway.
READ_TIMEOUT_S: Final = 30.0
# How long a close may wait for a socket that takes nothing.
CLOSE_GRACE_S: Final = 5.0


class Sink(Protocol):
    """What the hub sends to: the way to one socket, and it never waits."""

    def put(self, frame: bytes, *, is_droppable: bool) -> bool:
        """Send a text frame, in UTF-8, some time. Returns False when it was dropped."""

    def close(self, code: int, reason: str) -> None:
        """Close after what was put before."""

    def abort(self) -> None:
        """End the connection without waiting for anybody."""

    def discard(self) -> None:
        """Send no more: the connection is over."""


class Arrears:
    """Since when a reader has had something left to take, as far as was seen."""

    __slots__ = ("_since",)

    def __init__(self) -> None:
        self._since: float | None = None

    def too_long(self, waiting_bytes: int, now: float) -> bool:
        """Take note of what waits for it at `now` (seconds); return whether it has been behind for too long."""
        if waiting_bytes == 0:
            self._since = None
        elif self._since is None:
            self._since = now
        return self._since is not None and now >= self._since + READ_TIMEOUT_S


def _count_nothing() -> None:
    """Take no note of a slow reader."""


class Outbox:
    """Bounded queue of text frames and one close. `abort` ends the connection without waiting for anybody."""

    __slots__ = (
        "_abort", "_arrears", "_close", "_frames", "_is_closed", "_on_slow", "_queued_bytes", "_send", "_writer",
    )  # fmt: skip

    def __init__(self, send: Send, abort: Callable[[], None], on_slow: Callable[[], None] = _count_nothing) -> None:
        """`on_slow` is called before the connection of a reader that is too slow is aborted."""
        self._send = send
        self._abort = abort
        self._on_slow = on_slow
        self._arrears = Arrears()
        self._frames: deque[bytes] = deque()
        self._queued_bytes = 0
        self._close: tuple[int, str] | None = None
        self._is_closed = False
        self._writer: asyncio.Task[None] | None = None

    def put(self, frame: bytes, *, is_droppable: bool) -> bool:
        """Queue a text frame. Returns False when it was dropped; aborts the connection when it may not be dropped."""
        if self._is_closed or self._close is not None:
            return False
        if self._arrears.too_long(self._queued_bytes, asyncio.get_running_loop().time()):
            self._on_slow()
            self.abort()
            return False
        queued_bytes = self._queued_bytes + len(frame)
        if queued_bytes > (SOFT_LIMIT_BYTES if is_droppable else HARD_LIMIT_BYTES):
            if not is_droppable:
                self._on_slow()
                self.abort()
            return False
        self._queued_bytes = queued_bytes
        self._frames.append(frame)
        self._wake()
        return True

    def close(self, code: int, reason: str) -> None:
        """Close after what is queued has been sent, or by force when that takes too long."""
        if self._is_closed or self._close is not None:
            return
        self._close = (code, reason)
        asyncio.get_running_loop().call_later(CLOSE_GRACE_S, self.abort)
        self._wake()

    def abort(self) -> None:
        """Drop everything and end the connection. Does nothing the second time."""
        if not self._is_closed:
            self.discard()
            self._abort()

    def discard(self) -> None:
        """Send no more: the connection is over."""
        self._is_closed = True
        self._frames.clear()
        if self._writer is not None:
            self._writer.cancel()

    def _wake(self) -> None:
        if self._writer is None:
            self._writer = asyncio.get_running_loop().create_task(self._write())

    async def _write(self) -> None:
        try:
            while self._frames:
                frame = self._frames.popleft()
                await self._send({"type": "websocket.send", "text": frame.decode()})
                self._queued_bytes -= len(frame)
            if self._close is not None:
                code, reason = self._close
                await self._send({"type": "websocket.close", "code": code, "reason": reason})
        except (OSError, RuntimeError):
            # Gone, or closing on its own account (uvicorn says so with a RuntimeError): `receive` tells the rest.
            self._is_closed = True
        finally:
            self._writer = None
