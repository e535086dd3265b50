"""uvicorn, set up for many WebSockets, for clients that take their time, and for going away politely."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib.util
import logging
import signal
import socket
from collections.abc import Callable, Generator
from dataclasses import replace
from typing import Final

import uvicorn
from starlette.applications import Starlette
from uvicorn.config import LOGGING_CONFIG
from uvicorn.protocols.http.auto import AutoHTTPProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

from peerpool.core.limits import Limits
from peerpool.doorway import Doorway, guarded
from peerpool.forwarded import TrustedProxies
from peerpool.logs import json_log_config
from peerpool.outbox import SEND_BUFFER_BYTES
from peerpool.protocols.webtorrent import MAX_FRAME_BYTES
from peerpool.settings import Settings
from peerpool.signalling import ABORT_EXTENSION, Hub

# A peer that is gone without a word is noticed after interval + timeout (seconds).
WS_PING_INTERVAL_S: Final = 30.0
WS_PING_TIMEOUT_S: Final = 20.0
# New objects between two looks of the garbage collector. Python's hundreds are a look every few messages; nearly all
# that the tracker makes is gone by then, without cycles.
COLLECT_AFTER: Final = 50_000
# Descriptors that are neither: files, the loop's own, the way to Redis.
OTHER_FILES: Final = 64
# Of the rest so many are for connections without a WebSocket, where that is less than `Limits.max_unfinished`.
UNFINISHED_PART: Final = 8
# A line's part of those.
LINE_PART: Final = 4
# Time for `restart` messages to leave before uvicorn closes what is left (seconds).
DRAIN_S: Final = 0.3


class AbortableProtocol(WebSocketsSansIOProtocol):
    """The stock protocol, but a slow reader holds little, and one that takes nothing can be cut.

    A graceful close would wait for it forever.
    """

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Bound what the kernel buffers for a slow reader: left alone it takes megabytes before we notice."""
        super().connection_made(transport)
        connected = transport.get_extra_info("socket")
        if connected is not None:
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)

    def handle_connect(self, event: Request) -> None:
        """Offer `ABORT_EXTENSION` to the application."""
        super().handle_connect(event)
        if hasattr(self, "scope"):  # absent when the handshake was refused
            extensions: dict[str, object] = self.scope["extensions"]  # type: ignore[assignment]
            extensions[ABORT_EXTENSION] = self.transport.abort


class TheirFaults(logging.Filter):
    """Keeps what clients do wrong out of the log, where uvicorn writes a trace for each: they would fill the disk."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Drop uvicorn's record of a text frame that is not UTF-8; the socket is closed with 1007."""
        return not str(record.msg).startswith("Invalid UTF-8")


class Server(uvicorn.Server):
    """Drains the tracker before uvicorn closes its connections, and ends with exit code 0 when asked to end."""

    def __init__(self, config: uvicorn.Config, drain: Callable[[], None]) -> None:
        super().__init__(config)
        self._drain = drain

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Like uvicorn's, but a signal that was obeyed is not raised again: that would be exit code 143."""
        originals = {one: signal.signal(one, self.handle_exit) for one in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for one, handler in originals.items():
                signal.signal(one, handler)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to serve; what was made until now stays, and need not be looked at again and again."""
        await super().startup(sockets)
        gc.collect()
        gc.freeze()
        gc.set_threshold(COLLECT_AFTER, *gc.get_threshold()[1:])

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop accepting, send everybody away with a time to come back, then let uvicorn finish."""
        for server in self.servers:
            server.close()
        self._drain()
        await asyncio.sleep(DRAIN_S)
        await super().shutdown(sockets)


def socket_protocol(hub: Hub, settings: Settings) -> type[asyncio.Protocol]:
    """Return what serves WebSockets: straight to the hub where picows is installed, else through ASGI."""
    if settings.direct_sockets and importlib.util.find_spec("picows") is not None:
        from peerpool.direct import direct_protocol  # noqa: PLC0415 - optional

        return direct_protocol(hub, settings.forwarded_allow_ips)
    return AbortableProtocol


def within(open_files: int, limits: Limits) -> tuple[int, Limits]:
    """Return how many WebSockets there is room for beside connections without one, and `limits` so that they fit."""
    usable = max(1, open_files - OTHER_FILES)
    most = max(1, min(limits.max_unfinished, usable // UNFINISHED_PART))
    line_most = max(1, min(limits.max_line_unfinished, most // LINE_PART))
    return usable - most, replace(limits, max_unfinished=most, max_line_unfinished=line_most)


def make_server(app: Starlette, settings: Settings, hub: Hub, limits: Limits | None = None) -> Server:
    """Return a server for `app`; `run()` it. `limits` are those of connections, where they are not the tracker's."""
    doorway = Doorway(hub, limits or hub.tracker.limits, TrustedProxies(settings.forwarded_allow_ips))
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=guarded(AutoHTTPProtocol, hub, doorway),
        ws=socket_protocol(hub, settings),
        ws_per_message_deflate=False,  # costs 41 KiB a connection, and SDP is small
        ws_max_size=MAX_FRAME_BYTES,
        ws_ping_interval=WS_PING_INTERVAL_S,
        ws_ping_timeout=WS_PING_TIMEOUT_S,
        timeout_graceful_shutdown=settings.shutdown_timeout_s,
        forwarded_allow_ips=settings.forwarded_allow_ips,
        log_level=settings.log_level,
        log_config=json_log_config(settings.log_level) if settings.log_format == "json" else LOGGING_CONFIG,
        access_log=settings.log_level in ("info", "debug"),
        server_header=False,
    )
    logging.getLogger("uvicorn.error").addFilter(TheirFaults())  # after Config, which sets up logging
    return Server(config, hub.drain)
