"""A tracker core with invented clients and an invented clock."""

from __future__ import annotations

import random
from typing import Any, TypeVar

from peerpool.core import messages as m
from peerpool.core.limits import Limits
from peerpool.core.places import NOWHERE, Place
from peerpool.core.state import NO_HANDSHAKE, Close, Command, Forward, Handshake, Send
from peerpool.core.swarm import Family
from peerpool.core.torrent_messages import Announce, AnnounceReply, Event, TorrentOffer
from peerpool.core.tracker import Message, Tracker

CONTENT = "c" * 40
OTHER_CONTENT = "d" * 40
SESSION = "0123456789abcdef"
HASH = "h" * 20

T = TypeVar("T")


class Driver:
    """Keeps what each connection was sent, and with which code it was closed."""

    def __init__(self, limits: Limits | None = None, seed: int = 1, **options: Any) -> None:
        self.now = 1000.0
        self.tracker = Tracker(random.Random(seed), limits, **options)
        self.inboxes: dict[int, list[object]] = {}
        self.closes: dict[int, int] = {}
        self.forwarded: list[Forward] = []
        self._next_id = 1

    def open(self, family: Family = Family.NATIVE, place: Place = NOWHERE, handshake: Handshake = NO_HANDSHAKE) -> int:
        connection, self._next_id = self._next_id, self._next_id + 1
        self.inboxes[connection] = []
        self.perform(self.tracker.connection_opened(connection, family, self.now, place, handshake))
        return connection

    def say(self, connection: int, *messages: Message) -> None:
        for message in messages:
            self.perform(self.tracker.message_received(connection, message, self.now))

    def hang_up(self, connection: int) -> None:
        self.perform(self.tracker.connection_closed(connection, self.now))

    def wait(self, seconds: float) -> None:
        """Let time pass, ticking whenever the tracker asks for it."""
        until = self.now + seconds
        while (deadline := self.tracker.next_deadline()) <= until:
            self.now = max(self.now, deadline)
            self.perform(self.tracker.tick(self.now))
        self.now = until

    def perform(self, commands: list[Command]) -> None:
        for command in commands:
            if isinstance(command, Forward):
                self.forwarded.append(command)
                continue
            assert command.connection not in self.closes, f"{command} after its connection was closed"
            match command:
                case Send():
                    self.inboxes[command.connection].append(command.message)
                case Close():
                    self.closes[command.connection] = command.code

    def take(self, connection: int) -> list[object]:
        taken, self.inboxes[connection] = self.inboxes[connection], []
        return taken

    def last(self, connection: int, kind: type[T]) -> T:
        found = [message for message in self.inboxes[connection] if isinstance(message, kind)]
        assert found, f"no {kind.__name__} among {self.inboxes[connection]}"
        return found[-1]

    def join(self, content: str = CONTENT, want: int = 8, place: Place = NOWHERE) -> tuple[int, str]:
        """Open a native connection that joins; return it and its peer id."""
        connection = self.open(place=place)
        self.say(connection, m.Join(content, SESSION, want=want))
        return connection, self.last(connection, m.Welcome).peer

    def announce(
        self, connection: int, peer_id: str, event: Event = Event.STARTED, offers: int = 0, *, is_seed: bool = False
    ) -> AnnounceReply:
        made = [TorrentOffer(f"offer {n} of {peer_id}", b'{"sdp":"%d"}' % n) for n in range(offers)]
        self.say(connection, Announce(HASH, peer_id, event, is_seed, made))
        return self.last(connection, AnnounceReply)


def peer(name: str) -> str:
    """Return a torrent peer id: 20 code points."""
    return name.ljust(20, "-")
