"""A peer that is no browser: it joins at the tracker, dials and answers real viewers, and says what its conduct says.

It speaks docs/wire-protocol.md by the independent codec of tests/wire_reference.py, over aiortc.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import secrets
from collections import Counter
from collections.abc import Iterable
from typing import Any, Final, Protocol

from aiortc import RTCConfiguration, RTCDataChannel, RTCPeerConnection, RTCSessionDescription
from peerpool.core import constants as c
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from tests import wire_reference as wire

HELLO, HAVE, DROP, CLAIM, ABANDON, PROGRESS, REQUEST, CANCEL, REFUSE, PIECE, PING, PONG = range(1, 13)
DIGEST: Final = 16
TRICKLE_S: Final = 1.0  # a browser without STUN servers has all its candidates in some 50 ms
# A flood goes out in portions, with the event loop in between: what answers it must be read.
PORTION: Final = 200

logging.getLogger("aiortc").setLevel(logging.ERROR)
logging.getLogger("aioice").setLevel(logging.ERROR)


class Conduct(Protocol):
    """What a peer says; every frame is bytes, and goes to the channel its type belongs to."""

    def opened(self, session: str) -> Iterable[bytes]:
        """Say what it holds or claims, on a new link, after HELLO; `session` is its own."""

    def received(self, frame: wire.Fields) -> Iterable[bytes]:
        """Answer a frame."""


class Link:
    """One connection to a viewer."""

    def __init__(self, other: str, peer: HostilePeer) -> None:
        self.other = other
        self.is_open = False
        self._peer = peer
        self._connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._control = self._connection.createDataChannel("control", negotiated=True, id=0, ordered=True)
        self._bulk = self._connection.createDataChannel("bulk", negotiated=True, id=1, ordered=False)
        self._candidates: list[str] = []
        self._candidates_ended = asyncio.Event()
        for channel in (self._control, self._bulk):
            channel.on("open", self._opened)
            channel.on("message", self._received)
            channel.on("close", self._closed)
        self._connection.on("connectionstatechange", self._state_changed)

    async def offer(self) -> str:
        """Make our offer; it has all candidates."""
        await self._connection.setLocalDescription(await self._connection.createOffer())
        return str(self._connection.localDescription.sdp)

    async def answer(self, sdp: str) -> str:
        """Take an offer with what is trickled after it, and make our answer."""
        await self.take("offer", sdp)
        await self._connection.setLocalDescription(await self._connection.createAnswer())
        return str(self._connection.localDescription.sdp)

    async def take(self, kind: str, sdp: str) -> None:
        """Take a description once its candidates are there: aioice does not wait for more when it begins."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._candidates_ended.wait(), TRICKLE_S)
        lines = "".join(f"a={line}\r\n" for line in self._candidates)
        await self._connection.setRemoteDescription(RTCSessionDescription(sdp + lines, kind))

    def candidate(self, line: str) -> None:
        """Take a trickled candidate; an empty one ends them."""
        if line:
            self._candidates.append(line.removeprefix("a="))
        else:
            self._candidates_ended.set()

    def send(self, frame: bytes) -> None:
        """Send one frame, on the channel its type belongs to."""
        channel: RTCDataChannel = self._bulk if frame[0] == PIECE else self._control
        if channel.readyState == "open":
            channel.send(frame)
            self._peer.sent[frame[0]] += 1

    def stop_reading(self) -> None:
        """Say for ever that the receive buffer is full (RFC 9260 section 3.3.4): its sender has to keep what it has."""
        transport = self._connection.sctp
        assert transport is not None
        transport._advertised_rwnd = -(1 << 40)  # aiortc has no other way to be this rude

    async def close(self) -> None:
        """Hang up."""
        self.is_open = False
        await self._connection.close()

    def _opened(self) -> None:
        if not self.is_open and self._control.readyState == self._bulk.readyState == "open":
            self.is_open = True
            self._peer.link_opened(self)

    def _received(self, data: bytes | str) -> None:
        if isinstance(data, bytes):
            self._peer.frame_received(self, data)

    def _state_changed(self) -> None:
        if self._connection.connectionState in ("failed", "closed"):
            self._closed()

    def _closed(self) -> None:
        if self.is_open:
            self.is_open = False
            self._peer.link_lost(self)


class HostilePeer:
    """One socket at the tracker and its links.

    It has to do with one viewer, `target`, which it dials: without one the first that the tracker names, or "" for
    whoever offers first. Everybody else is declined. `alias` is the peer id it says it has.
    """

    def __init__(
        self, port: int, content: str, conduct: Conduct, *, target: str | None = None, alias: str = ""
    ) -> None:
        self.conduct, self.target, self.alias = conduct, target, alias
        self.session = secrets.token_hex(8)
        self.peer = "0" * c.PEER_ID_HEX_CHARS
        self.sent: Counter[int] = Counter()  # by frame type
        self.heard: Counter[int] = Counter()
        self.deeds: Counter[str] = Counter()  # links opened and lost, offers and declines after a loss
        self.joined = asyncio.Event()
        self.told_neighbours: list[str] = []
        self._port, self._content = port, content
        self._links: dict[str, Link] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._socket: ClientConnection | None = None

    @property
    def links(self) -> list[Link]:
        """The open ones."""
        return [link for link in self._links.values() if link.is_open]

    async def start(self) -> None:
        """Join; from then on it dials whom the tracker names."""
        self._socket = await connect(
            f"ws://127.0.0.1:{self._port}/signal",
            subprotocols=[Subprotocol(c.PROTOCOL)],
            compression=None,
        )
        await self.signal({"type": "join", "content": self._content, "session": self.session})
        self._spawn(self._listen(self._socket))

    async def stop(self) -> None:
        """Leave, and hang up."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for link in self._links.values():
            await link.close()
        if self._socket is not None:
            await self._socket.close()

    async def signal(self, message: dict[str, Any]) -> None:
        """Say something to the tracker."""
        assert self._socket is not None
        with contextlib.suppress(ConnectionClosed):
            await self._socket.send(json.dumps(message))

    async def flood(self, frames: Iterable[bytes]) -> int:
        """Send frames to all links, as fast as they go; returns how many went before the last link was lost."""
        count = 0
        for frame in frames:
            if not self.links:
                break
            for link in self.links:
                link.send(frame)
            count += 1
            if count % PORTION == 0:
                await asyncio.sleep(0.01)
        return count

    def dial(self) -> None:
        """Offer to the target, first or again."""
        assert self.target
        link = self._links[self.target] = Link(self.target, self)

        async def dial(target: str) -> None:
            await self.signal({"type": "offer", "to": target, "sdp": await link.offer()})

        self._spawn(dial(self.target))

    # ---- from links ----

    def link_opened(self, link: Link) -> None:
        self.deeds["opened"] += 1
        hello = {"type": HELLO, "version": c.WIRE_VERSION, "session": self.session, "flags": 0}
        hello["peer"] = self.alias or self.peer
        for frame in (wire.encode(hello), *self.conduct.opened(self.session)):
            link.send(frame)

    def link_lost(self, link: Link) -> None:
        self.deeds["lost"] += 1

    def frame_received(self, link: Link, data: bytes) -> None:
        self.heard[data[0]] += 1
        try:
            frame = wire.decode(data)
        except wire.Malformed:
            return  # a later version's
        if frame["type"] == PING:
            link.send(wire.encode({"type": PONG, "nonce": frame["nonce"]}))
        for answer in self.conduct.received(frame):
            link.send(answer)

    # ---- from the tracker ----

    async def _listen(self, socket: ClientConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for text in socket:
                self._told(json.loads(text))

    def _told(self, message: dict[str, Any]) -> None:
        other = str(message.get("from", ""))
        match message["type"]:
            case "welcome":
                self.peer, self.told_neighbours = message["peer"], message["neighbours"]
                if self.target is None and message["neighbours"]:
                    self.target = message["neighbours"][0]
                if self.target:
                    self.dial()
                self.joined.set()
            case "offer":
                self.deeds["offers after a loss"] += self.deeds["lost"] > 0 and other == self.target
                self._spawn(self._answer(other, message["sdp"]))
            case "answer" if other in self._links:
                self._spawn(self._links[other].take("answer", message["sdp"]))
            case "candidate" if other in self._links:
                self._links[other].candidate(message["candidate"])
            case "decline":
                self.deeds["declined"] += 1
            case "error":
                self.deeds[f"error {message['code']}"] += 1

    async def _answer(self, other: str, sdp: str) -> None:
        self.target = self.target or other
        if other != self.target:
            await self.signal({"type": "decline", "to": other})
            return
        link = self._links[other] = Link(other, self)
        await self.signal({"type": "answer", "to": other, "sdp": await link.answer(sdp)})

    def _spawn(self, work: Any) -> None:
        task: asyncio.Task[None] = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
