"""A client of the tracker without WebRTC: it says what it likes, and tells what it was answered."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from types import TracebackType
from typing import Any, Self

from peerpool.core import constants as c
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Origin, Subprotocol

Message = dict[str, Any]
ANSWER_S = 10.0


class Caller:
    """One socket on /signal, from a page of `origin` and an address of this machine."""

    def __init__(self, port: int, *, origin: str = "", source: str = "127.0.0.1") -> None:
        self.peer = ""
        self._port, self._origin, self._source = port, origin, source
        self._open: ClientConnection | None = None

    @property
    def socket(self) -> ClientConnection:
        """The open socket."""
        assert self._open is not None
        return self._open

    async def __aenter__(self) -> Self:
        self._open = await connect(
            f"ws://127.0.0.1:{self._port}/signal",
            subprotocols=[Subprotocol(c.PROTOCOL)],
            origin=Origin(self._origin) if self._origin else None,
            compression=None,
            close_timeout=1,
            ping_interval=None,
            local_addr=(self._source, 0),
        )
        return self

    async def __aexit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        await self.socket.close()

    async def join(self, content: str, **fields: Any) -> Message:
        """Join; return the answer, whatever it is."""
        await self.say({"type": "join", "content": content, "session": secrets.token_hex(8), **fields})
        answer = await self.hear(ANSWER_S)
        if answer is None:
            return {"type": "closed", "code": self.socket.close_code}
        self.peer = answer.get("peer", "")
        return answer

    async def say(self, message: Message) -> None:
        """Send; on a socket that is closed already it does nothing."""
        try:
            await self.socket.send(json.dumps(message))
        except ConnectionClosed:
            return

    async def hear(self, timeout_s: float) -> Message | None:
        """Return the next message, or None when there is none in time, or no more."""
        try:
            return dict(json.loads(await asyncio.wait_for(self.socket.recv(), timeout_s)))
        except (TimeoutError, ConnectionClosed):
            return None

    async def hear_of(self, kinds: set[str], timeout_s: float) -> Message | None:
        """Return the next message of some types, passing over others."""
        until = time.monotonic() + timeout_s
        while (left_s := until - time.monotonic()) > 0:
            message = await self.hear(left_s)
            if message is None or message["type"] in kinds:
                return message
        return None

    async def close_code(self, timeout_s: float) -> int | None:
        """Wait until the tracker has closed it; None when it has not in time."""
        while await self.hear(timeout_s) is not None:
            pass
        return self.socket.close_code
