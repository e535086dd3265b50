"""Viewers of several networks on one machine: ways to the tracker on which they come from other loopback addresses."""

from __future__ import annotations

import asyncio
import itertools
from types import TracebackType
from typing import Self

CHUNK_BYTES = 65_536


class Source:
    """Forwards connections to a port of 127.0.0.1, each from the next address of 127.`network`.0.0/16."""

    def __init__(self, network: int, port: int, listen: tuple[str, int] = ("127.0.0.1", 0)) -> None:
        """`listen` is the address and port to listen on."""
        self._network, self._port, self._listen = network, port, listen
        self._hosts = itertools.count(1)
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """Where it listens."""
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, *self._listen)
        return self

    async def __aexit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host = next(self._hosts)
        address = f"127.{self._network}.{host >> 8}.{host & 255}"
        on_reader, on_writer = await asyncio.open_connection("127.0.0.1", self._port, local_addr=(address, 0))
        for one, other in ((reader, on_writer), (on_reader, writer)):
            task = asyncio.create_task(_pump(one, other))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while chunk := await reader.read(CHUNK_BYTES):
            writer.write(chunk)
            await writer.drain()
    except OSError:
        pass  # one side is gone: so is the other, now
    finally:
        writer.close()
