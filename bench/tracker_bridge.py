"""The shipped tracker core, for a simulator that runs in another process.

The simulator (bench/sim/tracker.js) says what happened on which connection at which virtual time, and is told what to
send and when to tick. Frames are the native protocol's own, so decoding, bounds and rates are the real ones too.
"""

from __future__ import annotations

import math
import random
from typing import Literal

import msgspec
from peerpool.core.errors import TheirError
from peerpool.core.places import Place
from peerpool.core.state import Close, Command, Send
from peerpool.core.swarm import Family
from peerpool.core.tracker import Tracker
from peerpool.protocols import native


class Happening(msgspec.Struct, frozen=True):
    """What happened; `now` is in virtual seconds."""

    event: Literal["open", "message", "close", "tick"]
    connection: int
    now: float
    frame: str = ""
    place: list[str] = []  # msgspec makes each its own


class Reaction(msgspec.Struct, frozen=True, omit_defaults=True):
    """A frame to send on a connection, or the code to close it with."""

    connection: int
    frame: str | None = None
    close: int | None = None


class Answer(msgspec.Struct, frozen=True):
    """What to do, and when to tick; None for never."""

    commands: list[Reaction]
    deadline: float | None


class TrackerBridge:
    """A tracker that is spoken to in lines of JSON. Same seed, same happenings, same answers."""

    def __init__(self, seed: int) -> None:
        self.tracker = Tracker(random.Random(seed))
        self._decoder = msgspec.json.Decoder(Happening)
        self._encoder = msgspec.json.Encoder()

    def line_received(self, line: bytes) -> bytes:
        """Return the answer to one line, with its own newline."""
        return self._encoder.encode(self.handle(self._decoder.decode(line))) + b"\n"

    def handle(self, happening: Happening) -> Answer:
        """Tell the tracker, and return what it commands."""
        commands = self._told(happening)
        # A deadline may be in the past, even minus infinity: a swarm that was never told its size.
        deadline = max(self.tracker.next_deadline(), happening.now)
        return Answer([_reaction(command) for command in commands], None if deadline == math.inf else deadline)

    def _told(self, happening: Happening) -> list[Command]:
        tracker, connection, now = self.tracker, happening.connection, happening.now
        match happening.event:
            case "open":
                return tracker.connection_opened(connection, Family.NATIVE, now, Place(*happening.place))
            case "message":
                try:
                    message = native.decode(happening.frame)
                except TheirError as error:
                    return tracker.frame_refused(connection, error, now)
                return tracker.message_received(connection, message, now)
            case "close":
                return tracker.connection_closed(connection, now)
            case "tick":
                return tracker.tick(now)


def _reaction(command: Command) -> Reaction:
    if isinstance(command, Send):
        return Reaction(command.connection, frame=native.encode(command.message).decode())  # type: ignore[arg-type]
    assert isinstance(command, Close)  # of one node nothing is forwarded
    return Reaction(command.connection, close=command.code)
