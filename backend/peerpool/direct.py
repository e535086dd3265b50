"""The WebSocket shell without ASGI: frames go from the socket straight to the hub, and back, in one call.

picows parses and writes frames; nothing here waits, and no task is made for a socket or a message. It is handed to
uvicorn in place of its own WebSocket protocol, which keeps HTTP on the same port. picows says nothing of being used
like this (its server makes its own sockets), so its version is pinned, and everything it is asked for is in this
module. Without picows `server.py` takes the ASGI shell (`signalling.py`), and the hub knows no difference.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from http import HTTPStatus
from typing import Any, Final, cast

from picows import (
    WSAutoPingStrategy,
    WSCloseCode,
    WSFrame,
    WSListener,
    WSMsgType,
    WSTransport,
    WSUpgradeResponse,
    WSUpgradeResponseWithListener,
)
from picows.picows import WSProtocol  # type: ignore[attr-defined]  # not promised to anybody
from uvicorn.config import Config
from uvicorn.server import ServerState

from peerpool.core.constants import CLOSE_SERVICE_RESTART, MAX_SIGNAL_FRAME_BYTES
from peerpool.core.places import Place
from peerpool.core.state import NO_HANDSHAKE, Handshake
from peerpool.core.swarm import ConnectionId
from peerpool.forwarded import TrustedProxies
from peerpool.outbox import CLOSE_GRACE_S, HARD_LIMIT_BYTES, SEND_BUFFER_BYTES, SOFT_LIMIT_BYTES, Arrears
from peerpool.protocols.webtorrent import MAX_FRAME_BYTES
from peerpool.signalling import NATIVE, WEBTORRENT, Dialect, Hub, handshake_of

# A request line and headers; more is no browser.
MAX_REQUEST_BYTES: Final = 16_384
# A client that asks to upgrade has sent all of its request.
HANDSHAKE_TIMEOUT_S: Final = 10.0
# A peer that is gone without a word: asked by the kernel after so long, so often, so many times (seconds).
KEEPALIVE_IDLE_S: Final = 30
KEEPALIVE_INTERVAL_S: Final = 10
KEEPALIVE_COUNT: Final = 3
READ_BUFFER_BYTES: Final = 2_048
# From here on a frame's length has two bytes of its own.
EXTENDED_16: Final = 126
# Longest frame by path; native frames beyond their bound are refused with a reason before this one cuts them off.
DIALECTS: Final = {b"/signal": (NATIVE, 2 * MAX_SIGNAL_FRAME_BYTES), b"/announce": (WEBTORRENT, MAX_FRAME_BYTES)}

_QUIET: Final = logging.getLogger("peerpool.direct")
_QUIET.setLevel(logging.CRITICAL)  # picows tells of every connection, and of what clients do wrong


def text_header(length: int) -> bytes:
    """Return the header of a whole, unmasked text frame with `length` bytes after it (RFC 6455, section 5.2)."""
    if length < EXTENDED_16:
        return b"\x81%c" % length
    if length < 1 << 16:
        return b"\x81\x7e" + length.to_bytes(2)
    return b"\x81\x7f" + length.to_bytes(8)


class Turn:
    """One turn of the event loop: whatever is put into a socket in it goes to the kernel at its end, at once.

    In a crowd a turn has the messages of hundreds, and each of them several for the same receivers: a system call for
    each would be most of what the tracker does. (Neither picows nor uvloop waits for the end of a turn.)
    """

    def __init__(self) -> None:
        self._sockets: list[DirectSocket] = []

    def add(self, sender: DirectSocket) -> None:
        """Flush `sender` at the end of this turn."""
        if not self._sockets:
            asyncio.get_running_loop().call_soon(self._end)
        self._sockets.append(sender)

    def _end(self) -> None:
        sockets, self._sockets = self._sockets, []
        for sender in sockets:
            sender.flush()


class DirectSocket(WSListener):
    """One open socket: the hub's outbox for it, and picows' listener."""

    def __init__(
        self,
        hub: Hub,
        turn: Turn,
        dialect: Dialect,
        place: Place,
        connections: set[Any],
        *,
        handshake: Handshake = NO_HANDSHAKE,
    ) -> None:
        self._hub = hub
        self._dialect = dialect
        self._place = place
        self._handshake = handshake
        self._connections = connections
        self._transport: WSTransport | None = None
        self._stream: asyncio.Transport | None = None
        self._turn = turn
        # Headers and frames that were put in this turn of the loop.
        self._unsent: list[bytes] = []
        # With these, what the reader has not taken.
        self._waiting_bytes = 0
        self._arrears = Arrears()
        self._id: ConnectionId = 0
        self._is_closed = False
        self._parts: list[bytes] = []
        self._parts_bytes = 0

    # ---- picows ----

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Take part."""
        self._transport = transport
        self._stream = transport.underlying_transport
        self._connections.add(self)
        self._id = self._hub.open(self._dialect, self, self._place, self._handshake)
        self._handshake = NO_HANDSHAKE

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Hand a frame to the hub. What comes in parts is put together first."""
        if self._is_closed:
            if frame.msg_type == WSMsgType.CLOSE:
                transport.disconnect()
            return
        kind = frame.msg_type
        if kind == WSMsgType.TEXT and frame.fin and not self._parts:
            try:
                text = frame.get_payload_as_utf8_text()
            except UnicodeDecodeError:
                self.close(WSCloseCode.INVALID_TEXT, "not UTF-8")  # type: ignore[arg-type]
                return
            self._hub.frame_received(self._id, self._dialect, text)
        elif kind == WSMsgType.BINARY and frame.fin and not self._parts:
            self._hub.frame_received(self._id, self._dialect, frame.get_payload_as_bytes())
        elif kind == WSMsgType.CLOSE:
            self._is_closed = True
            transport.send_close(frame.get_close_code())
            transport.disconnect()
        elif kind in (WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.CONTINUATION):
            self._part_received(frame)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Be forgotten."""
        del transport
        self._is_closed = True
        self._connections.discard(self)
        if self._id:
            self._hub.closed(self._id)

    def _part_received(self, frame: WSFrame) -> None:
        """No browser sends frames in parts, but it may: RFC 6455, section 5.4. All of it is taken as text."""
        begins = frame.msg_type != WSMsgType.CONTINUATION
        if begins == bool(self._parts):
            self.close(WSCloseCode.PROTOCOL_ERROR, "a part out of turn")  # type: ignore[arg-type]
            return
        self._parts_bytes += frame.payload_size
        if self._parts_bytes > MAX_FRAME_BYTES:
            self.close(WSCloseCode.MESSAGE_TOO_BIG, "too long")  # type: ignore[arg-type]
            return
        self._parts.append(frame.get_payload_as_bytes())
        if not frame.fin:
            return
        whole, self._parts, self._parts_bytes = b"".join(self._parts), [], 0
        try:
            self._hub.frame_received(self._id, self._dialect, whole.decode())
        except UnicodeDecodeError:
            self.close(WSCloseCode.INVALID_TEXT, "not UTF-8")  # type: ignore[arg-type]

    # ---- the hub's outbox ----

    def put(self, frame: bytes, *, is_droppable: bool) -> bool:
        """Send a frame, unless the reader is too far behind for it; one that cannot take what it must is cut."""
        stream = self._stream
        if self._is_closed or stream is None or stream.is_closing():
            return False
        length = len(frame)
        room_bytes = (SOFT_LIMIT_BYTES if is_droppable else HARD_LIMIT_BYTES) - length
        if self._unsent and self._waiting_bytes > room_bytes:
            self.flush()  # much for one turn is not the reader's fault
        is_slow = False
        if not self._unsent:
            self._waiting_bytes = stream.get_write_buffer_size()
            is_slow = self._arrears.too_long(self._waiting_bytes, asyncio.get_running_loop().time())
        if is_slow or self._waiting_bytes > room_bytes:
            if is_slow or not is_droppable:
                self._hub.slow_readers += 1
                self.abort()
            return False
        if not self._unsent:
            self._turn.add(self)
        self._unsent += (text_header(length), frame)
        self._waiting_bytes += length
        return True

    def flush(self) -> None:
        """Hand what was put to the kernel."""
        unsent, self._unsent = self._unsent, []
        if unsent and self._stream is not None and not self._stream.is_closing():
            self._stream.write(b"".join(unsent))

    def close(self, code: int, reason: str) -> None:
        """Say goodbye; by force when that is not answered."""
        transport = self._transport
        if self._is_closed or transport is None:
            return
        self._is_closed = True
        self._parts = []
        self.flush()
        transport.send_close(code, reason.encode())  # type: ignore[arg-type]
        asyncio.get_running_loop().call_later(CLOSE_GRACE_S, self.abort)

    def abort(self) -> None:
        """End the connection without waiting for anybody."""
        self._is_closed = True
        self._unsent = []
        if self._transport is not None:
            self._transport.underlying_transport.abort()

    def discard(self) -> None:
        """Send no more: the connection is over."""
        self._is_closed = True

    def shutdown(self) -> None:
        """Uvicorn stops, and the tracker's goodbye did not end this one."""
        self.close(CLOSE_SERVICE_RESTART, "restarting")


class DirectProtocol(asyncio.Protocol):
    """What uvicorn hands a socket to when a request asks to upgrade it."""

    hub: Hub
    turn: Turn
    trusted: TrustedProxies

    def __init__(self, config: Config, server_state: ServerState, app_state: dict[str, Any], **_: Any) -> None:
        del config, app_state
        self._connections: set[Any] = server_state.connections
        self._transport: asyncio.Transport | None = None
        self._inner: WSProtocol | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Bound what the kernel buffers for a slow reader, and have it notice who is gone."""
        self._transport = cast(asyncio.Transport, transport)
        connected = transport.get_extra_info("socket")
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_IDLE_S)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, KEEPALIVE_COUNT)

    def data_received(self, data: bytes) -> None:
        """Take the request, which uvicorn has put together again, and from then on what the client sends."""
        if self._inner is None:
            self._inner = self._begin(cast(asyncio.Transport, self._transport), data)
            # Uvicorn makes this the socket's protocol when it returns; after that the inner one takes over.
            asyncio.get_running_loop().call_soon(self._hand_over)
        offered = memoryview(data)
        while offered:
            room = self._inner.get_buffer(-1)
            taken = min(len(room), len(offered))
            room[:taken] = offered[:taken]
            self._inner.buffer_updated(taken)
            offered = offered[taken:]

    def connection_lost(self, exc: Exception | None) -> None:
        """Pass it on, if it comes before the inner protocol has taken over."""
        if self._inner is not None:
            self._inner.connection_lost(exc)

    def _hand_over(self) -> None:
        transport, inner = self._transport, self._inner
        if transport is not None and inner is not None and not transport.is_closing():
            transport.set_protocol(inner)

    def _begin(self, transport: asyncio.Transport, request: bytes) -> WSProtocol:
        path = request.split(b" ", 2)[1].partition(b"?")[0]
        dialect, max_frame_bytes = DIALECTS.get(path, (None, MAX_REQUEST_BYTES))
        inner = WSProtocol(
            None,
            None,
            False,
            lambda upgrade: self._answer(transport, upgrade, dialect),
            _QUIET,
            True,
            HANDSHAKE_TIMEOUT_S,
            False,
            HANDSHAKE_TIMEOUT_S,
            HANDSHAKE_TIMEOUT_S,
            WSAutoPingStrategy.PING_WHEN_IDLE,
            True,
            max_frame_bytes,
            None,
            READ_BUFFER_BYTES,
        )
        inner.connection_made(transport)
        return inner

    def _answer(self, transport: asyncio.Transport, upgrade: Any, dialect: Dialect | None) -> Any:
        if dialect is None:
            return _denial(HTTPStatus.NOT_FOUND, "no WebSocket is served here")
        offered = [part.strip() for part in upgrade.headers.get("Sec-WebSocket-Protocol", "").split(",")]
        peer = transport.get_extra_info("peername")
        nearest = peer[0] if isinstance(peer, tuple) else ""
        address = self.trusted.client(nearest, upgrade.headers.getall("X-Forwarded-For", []))
        place = self.hub.locate(address)
        refusal = self.hub.refusal(dialect, offered, address, place)
        if refusal is not None:
            return _denial(*refusal)
        headers = {"Sec-WebSocket-Protocol": dialect.subprotocol} if dialect.subprotocol else {}
        response = WSUpgradeResponse.create_101_response(headers)
        forwarded = upgrade.headers.getall("X-Forwarded-Host", []) if self.trusted.trusts(nearest) else []
        hosts = [*forwarded, *upgrade.headers.getall("Host", [])]
        handshake = handshake_of(upgrade.headers.getall("Origin", []), address, hosts)
        return WSUpgradeResponseWithListener(
            response, DirectSocket(self.hub, self.turn, dialect, place, self._connections, handshake=handshake)
        )


def _denial(status: int, text: str) -> WSUpgradeResponseWithListener:
    return WSUpgradeResponseWithListener(WSUpgradeResponse.create_error_response(status, text.encode()), None)


def direct_protocol(hub: Hub, forwarded_allow_ips: str) -> type[DirectProtocol]:
    """Return the class to give to uvicorn as `ws`. Raises ConfigError."""
    trusted = TrustedProxies(forwarded_allow_ips)
    return type("DirectProtocolOfHub", (DirectProtocol,), {"hub": hub, "turn": Turn(), "trusted": trusted})
