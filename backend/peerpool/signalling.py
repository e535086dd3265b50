"""The WebSocket shell of both protocols: moves frames between sockets and the tracker, carries out its commands.

It decides nothing. Rules are in `core/`, encodings in `protocols/`, what happens to slow readers in `outbox.py`.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import sys
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope
from starlette.types import Send as AsgiSend
from starlette.websockets import WebSocket

from peerpool.core.constants import CLOSE_UNSUPPORTED_DATA
from peerpool.core.errors import HostileFrame, TheirError
from peerpool.core.ice import host_in
from peerpool.core.places import NOWHERE, Place
from peerpool.core.sites import MAX_ORIGIN_CHARS
from peerpool.core.state import NO_HANDSHAKE, Close, Command, Forward, Handshake, Send
from peerpool.core.swarm import ConnectionId, Family
from peerpool.core.tracker import Message, Tracker
from peerpool.outbox import Outbox, Sink
from peerpool.protocols import native, webtorrent

log = logging.getLogger("peerpool.signalling")

# The tick runs at least and at most so often (seconds). The lower bound batches hints in a crowd of joins.
TICK_MIN_S: Final = 0.1
TICK_MAX_S: Final = 1.0
# So long connections of an address that was turned away end unread, of so many addresses at most.
TURNED_AWAY_S: Final = 1.0
TURNED_AWAY_MAX: Final = 10_000
# The log hears of one of them so often (seconds): it is not theirs to fill.
COMPLAINT_INTERVAL_S: Final = 60.0
# Key in the ASGI scope's extensions under which `server.py` offers to cut a connection at once.
ABORT_EXTENSION: Final = "peerpool.abort"


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one protocol family looks on the wire."""

    family: Family
    subprotocol: str | None
    decode: Callable[[str | bytes], Message]
    encode: Callable[[Any], bytes]
    is_droppable: Callable[[object], bool]


def _decode_native(frame: str | bytes) -> Message:
    if isinstance(frame, bytes):
        raise HostileFrame("a binary frame", CLOSE_UNSUPPORTED_DATA)
    return native.decode(frame)


NATIVE: Final = Dialect(Family.NATIVE, native.SUBPROTOCOL, _decode_native, native.encode, native.is_droppable)
WEBTORRENT: Final = Dialect(Family.WEBTORRENT, None, webtorrent.decode, webtorrent.encode, webtorrent.is_droppable)
DIALECTS: Final = {dialect.family: dialect for dialect in (NATIVE, WEBTORRENT)}


def nowhere(_address: str) -> Place:
    """Know no places: the locator of a tracker that was given none."""
    return NOWHERE


def handshake_of(origins: Sequence[str], address: str, hosts: Sequence[str] = ()) -> Handshake:
    """Return what is asked of a handshake later; who has no origin, several, or a long one has none.

    `hosts` are headers that say under which name the tracker was reached, the one to be believed first.
    """
    is_one = len(origins) == 1 and len(origins[0]) <= MAX_ORIGIN_CHARS
    # Thousands of sockets have the same: one string is kept for all.
    return Handshake(origins[0] if is_one else "", address, sys.intern(host_in(hosts[0])) if hosts else "")


def _nowhere_else(_command: Forward) -> None:
    """Lose a message for another node: without a bus there is none."""


class Hub:
    """Owns the tracker and the outboxes of all sockets."""

    def __init__(
        self,
        tracker: Tracker,
        max_connections: int,
        locate: Callable[[str], Place] = nowhere,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`locate` says where an address is, and must be quick: it is called for each socket."""
        self.tracker = tracker
        self.locate = locate
        self.loop_lag_s = 0.0
        # Where messages for members at other nodes go; replaced by the bus (bus.py) where there is one.
        self.forward: Callable[[Forward], None] = _nowhere_else
        self.dropped_offers = 0
        self.slow_readers = 0
        # Connections without a WebSocket that were cut (doorway.py): what they owed too long, or that they were many.
        self.cuts = {"head": 0, "answer": 0, "crowd": 0}
        self.max_connections = max_connections
        self._clock = clock
        self._ids = itertools.count(1)
        self._outboxes: dict[ConnectionId, tuple[Sink, Dialect]] = {}
        # Addresses that were turned away because of what their site does, and until when, in that order.
        self._turned_away: OrderedDict[str, float] = OrderedDict()
        self._next_complaint_at = float("-inf")

    def is_shut_out(self, address: str) -> bool:
        """Whether somebody at `address` was turned away a moment ago: another request of it need not be read."""
        until_s = self._turned_away.get(address)
        return until_s is not None and self._clock() < until_s

    def refusal(
        self, dialect: Dialect, subprotocols: Iterable[str], address: str, place: Place
    ) -> tuple[int, str] | None:
        """Return the HTTP status and text with which a new socket is denied, or None when it is welcome."""
        if self.tracker.is_draining:
            return 503, "the tracker is restarting"
        if len(self._outboxes) >= self.max_connections:
            return 503, "the tracker is full"
        if self.tracker.is_crowded(place, self._clock()):
            self._turn_away(address)
            return 429, "too many connections from this address (behind a proxy, set forwarded_allow_ips)"
        gate = self.tracker.gate
        if dialect.family is Family.WEBTORRENT and gate is not None and not gate.admits_torrents:
            return 403, "this tracker serves named sites only (its operator can set open_torrents)"
        if dialect.subprotocol is not None and dialect.subprotocol not in subprotocols:
            return 400, f"this endpoint speaks the WebSocket subprotocol {dialect.subprotocol}"
        return None

    def _turn_away(self, address: str) -> None:
        now = self._clock()
        if now >= self._next_complaint_at:
            self._next_complaint_at = now + COMPLAINT_INTERVAL_S
            log.warning(
                "%s has too many sockets or messages, and is turned away (is it a proxy? then set forwarded_allow_ips)",
                address or "somebody of unknown address",
            )
        self._turned_away.pop(address, None)
        self._turned_away[address] = now + TURNED_AWAY_S
        if len(self._turned_away) > TURNED_AWAY_MAX:
            self._turned_away.popitem(last=False)

    def open(self, dialect: Dialect, outbox: Sink, place: Place, handshake: Handshake = NO_HANDSHAKE) -> ConnectionId:
        """Take in an accepted socket of somebody at `place`."""
        connection_id = next(self._ids)
        self._outboxes[connection_id] = (outbox, dialect)
        self.perform(self.tracker.connection_opened(connection_id, dialect.family, self._clock(), place, handshake))
        return connection_id

    def frame_received(self, connection_id: ConnectionId, dialect: Dialect, frame: str | bytes) -> None:
        """Hand a frame to the tracker."""
        try:
            message = dialect.decode(frame)
        except TheirError as error:
            commands = self.tracker.frame_refused(connection_id, error, self._clock())
        else:
            commands = self.tracker.message_received(connection_id, message, self._clock())
        self.perform(commands)

    def closed(self, connection_id: ConnectionId) -> None:
        """Forget a socket that is gone."""
        outbox, _ = self._outboxes.pop(connection_id)
        outbox.discard()
        self.perform(self.tracker.connection_closed(connection_id, self._clock()))

    def now(self) -> float:
        """Return the tracker's time, in seconds."""
        return self._clock()

    def drain(self) -> None:
        """Send everybody away, because the process ends."""
        self.perform(self.tracker.drain(self._clock()))

    async def run_timer(self) -> None:
        """Tick the tracker for as long as the task lives."""
        while True:
            delay_s = self.tracker.next_deadline() - self._clock()
            delay_s = min(max(delay_s, TICK_MIN_S), TICK_MAX_S)
            due_at = self._clock() + delay_s
            await asyncio.sleep(delay_s)
            self.loop_lag_s = self._clock() - due_at
            self.perform(self.tracker.tick(self._clock()))

    def perform(self, commands: list[Command]) -> None:
        """Carry out what the tracker commands."""
        for command in commands:
            if isinstance(command, Send):
                entry = self._outboxes.get(command.connection)
                if entry is not None:
                    self._deliver(*entry, command.message)
            elif isinstance(command, Close):
                entry = self._outboxes.get(command.connection)
                if entry is not None and command.is_cut:
                    entry[0].abort()
                elif entry is not None:
                    entry[0].close(command.code, command.reason)
            else:
                self.forward(command)

    def _deliver(self, outbox: Sink, dialect: Dialect, message: object) -> None:
        is_droppable = dialect.is_droppable(message)
        if not outbox.put(dialect.encode(message), is_droppable=is_droppable) and is_droppable:
            self.dropped_offers += 1


class SocketEndpoint:
    """ASGI application for one WebSocket path."""

    def __init__(self, hub: Hub, dialect: Dialect) -> None:
        self._hub = hub
        self._dialect = dialect

    async def __call__(self, scope: Scope, receive: Receive, send: AsgiSend) -> None:
        """Serve one socket until it is gone."""
        socket = WebSocket(scope, receive, send)
        client = scope.get("client")  # a trusted proxy's word, where there is one (server.py); None on a Unix socket
        address = client[0] if client else ""
        place = self._hub.locate(address)
        refusal = self._hub.refusal(self._dialect, scope["subprotocols"], address, place)
        if refusal is not None:
            await _deny(socket, *refusal)
            return
        await socket.accept(self._dialect.subprotocol)
        # uvicorn names the port 0 where it took the address from a trusted proxy's header.
        is_forwarded = client is not None and client[1] == 0
        hosts = _headers(scope, b"x-forwarded-host") * is_forwarded + _headers(scope, b"host")
        handshake = handshake_of(_headers(scope, b"origin"), address, hosts)
        await self._serve(scope, receive, send, place, handshake)

    async def _serve(self, scope: Scope, receive: Receive, send: AsgiSend, place: Place, handshake: Handshake) -> None:
        is_aborted = False
        task = asyncio.current_task()
        cut = scope.get("extensions", {}).get(ABORT_EXTENSION)

        def abort() -> None:
            nonlocal is_aborted
            is_aborted = True
            if cut is not None:
                cut()
            elif task is not None:
                task.cancel()  # ends this endpoint, whereupon the server closes the transport

        def count() -> None:
            self._hub.slow_readers += 1

        connection_id = self._hub.open(self._dialect, Outbox(send, abort, count), place, handshake)
        try:
            while (event := await receive())["type"] == "websocket.receive":
                frame = event.get("text")
                self._hub.frame_received(connection_id, self._dialect, event["bytes"] if frame is None else frame)
        except asyncio.CancelledError:
            if not is_aborted:
                raise
        finally:
            self._hub.closed(connection_id)


def _headers(scope: Scope, name: bytes) -> list[str]:
    return [value.decode("latin-1") for header, value in scope["headers"] if header == name]


async def _deny(socket: WebSocket, status: int, text: str) -> None:
    if "websocket.http.response" in socket.scope.get("extensions", {}):
        await socket.send_denial_response(PlainTextResponse(text, status))
    else:
        await socket.close(1008, text)
