"""An origin that does to who reads from it what origins should not: by path, over real sockets, in this process."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import unquote

PLAYLIST: Final = b"#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\nsegment.ts\n#EXT-X-ENDLIST\n"
SEGMENT: Final = bytes(range(256)) * 512  # four pieces
CHUNK: Final = bytes(65_536)
# What is sent first, and what ever after.
FLOODS: Final = {
    "endless": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"%x\r\n%b\r\n" % (len(CHUNK), CHUNK)),
    "large": (b"HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\n\r\n", CHUNK),
    "headers": (b"HTTP/1.1 200 OK\r\n", b"X-More: " + b"x" * 1000 + b"\r\n"),
}


class HostileOrigin:
    """Serves `/KIND/NAME`: what NAME is, in the manner of KIND; counts what it was asked for and what it sent."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.files = dict(files)
        self.asked: Counter[str] = Counter()
        self.sent_bytes: Counter[str] = Counter()
        self.port = 0

    @property
    def url(self) -> str:
        """Its own."""
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                target = head.split(" ", 2)[1]
                _, kind, rest = target.split("/", 2)
                self.asked[target] += 1
                await self._answer(kind, rest, head.lower(), writer, target)
        except (asyncio.IncompleteReadError, ConnectionError, ValueError, asyncio.LimitOverrunError):
            pass
        finally:
            writer.close()

    async def _answer(self, kind: str, rest: str, head: str, writer: asyncio.StreamWriter, target: str) -> None:
        body = self.files.get(rest.partition("?")[0].rpartition("/")[2], b"")
        if kind in FLOODS:
            opening, more = FLOODS[kind]
            writer.write(opening)
            while True:
                writer.write(more)
                self.sent_bytes[target] += len(more)
                await writer.drain()
        if kind == "silent":
            await asyncio.Event().wait()
        if kind == "slow":
            writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode())
            for at in range(len(body)):
                writer.write(body[at : at + 1])
                await writer.drain()
                await asyncio.sleep(0.5)
        elif kind == "short":
            writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body) + 1}\r\n\r\n".encode() + body)
            writer.close()
        else:
            await self._send(writer, target, *_answer_of(kind, target, rest, head, body))

    async def _send(self, writer: asyncio.StreamWriter, target: str, head: str, body: bytes) -> None:
        writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        self.sent_bytes[target] += len(body)
        await writer.drain()


def _answer_of(kind: str, target: str, rest: str, head: str, body: bytes) -> tuple[str, bytes]:
    """Return head, without length, and body."""
    answers = {
        "redirect": (f"HTTP/1.1 302 Found\r\nLocation: {unquote(rest)}\r\n", b""),
        "loop": (f"HTTP/1.1 302 Found\r\nLocation: {target}x\r\n", b""),
        "compressed": ("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n", body),
        "other-range": (f"HTTP/1.1 206 P\r\nContent-Range: bytes 1-{len(body) - 1}/{len(body)}\r\n", body[1:]),
        "missing": ("HTTP/1.1 404 Not Found\r\n", b"no"),
    }
    return answers[kind] if kind in answers else _honest(head, body)


def _honest(head: str, body: bytes) -> tuple[str, bytes]:
    marked = head.partition("\r\nrange: bytes=")[2].partition("\r\n")[0]
    if not marked:
        return "HTTP/1.1 200 OK\r\n", body
    first, final = map(int, marked.split("-"))
    return f"HTTP/1.1 206 P\r\nContent-Range: bytes {first}-{final}/{len(body)}\r\n", body[first : final + 1]


@asynccontextmanager
async def hostile_origin(files: Mapping[str, bytes] | None = None) -> AsyncIterator[HostileOrigin]:
    """Run one on a free port of 127.0.0.1, for as long as the block runs."""
    origin = HostileOrigin(files or {"master.m3u8": PLAYLIST, "segment.ts": SEGMENT})
    tasks: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(origin.serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    origin.port = server.sockets[0].getsockname()[1]
    try:
        yield origin
    finally:
        server.close()
        for task in [*tasks]:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
