"""Any order of anything: invented clients of both protocols against the tracker core, with a model of who is where."""

from __future__ import annotations

import random

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule
from peerpool.core import constants as c
from peerpool.core import messages as m
from peerpool.core.errors import BadFrame
from peerpool.core.introductions import MEMORY_S
from peerpool.core.limits import Limits
from peerpool.core.places import NOWHERE, Place
from peerpool.core.state import Close, Command, Forward, Send
from peerpool.core.swarm import Family
from peerpool.core.torrent_messages import (
    Announce,
    AnswerNotice,
    Event,
    OfferNotice,
    Scrape,
    TorrentAnswer,
    TorrentOffer,
)
from peerpool.core.tracker import Message, Tracker

from tests.core.driver import SESSION

LIMITS = Limits(
    cluster_min=2,
    max_swarms=5,
    max_swarm_members=4,
    max_connection_members=3,
    max_connection_swarm_members=2,
    max_pending_offers=3,
    max_announce_offers=2,
    max_rate_strikes=10,
)
PLACES = [NOWHERE, Place("EU", "DE", "AS1", "Berlin", "a", "s"), Place("EU", "DE", "AS2", "Berlin", "b", "s")]
CONTENTS = ["a" * 40, "b" * 40]
HASHES = ["h" * 20, "i" * 20]
TORRENT_PEERS = [name * 20 for name in "pqrs"]


class TrackerMachine(RuleBasedStateMachine):
    """Model: for each open native connection its (content, peer id); for each torrent connection its memberships."""

    natives = Bundle("natives")
    torrents = Bundle("torrents")

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.tracker = Tracker(random.Random(7), LIMITS)
        self.next_id = 1
        self.open: dict[int, Family] = {}
        self.joined: dict[int, tuple[str, str]] = {}
        self.announced: dict[int, set[tuple[str, str]]] = {}
        self.torrent_offers: dict[str, tuple[int, str]] = {}  # offer id -> receiver, offerer's peer id
        self.offers_made = 0

    def connect(self, family: Family) -> int:
        connection, self.next_id = self.next_id, self.next_id + 1
        self.open[connection] = family
        self.announced[connection] = set()
        place = PLACES[connection % len(PLACES)]
        self.obey(connection, self.tracker.connection_opened(connection, family, self.now, place))
        return connection

    def say(self, connection: int, message: Message) -> None:
        self.obey(connection, self.tracker.message_received(connection, message, self.now))

    def obey(self, speaker: int | None, commands: list[Command]) -> None:
        """Check every command against the model, and follow it."""
        for command in commands:
            assert not isinstance(command, Forward), "there is no other node"
            assert command.connection in self.open, "a command for a connection that is not open"
            if isinstance(command, Close):
                self.forget(command.connection)
                continue
            assert isinstance(command, Send)
            match command.message:
                case m.Welcome(peer=peer_id, neighbours=neighbours):
                    assert command.connection == speaker
                    content = self.joining
                    self.joined[command.connection] = (content, peer_id)
                    self.check_neighbours(command.connection, neighbours)
                case m.Neighbours(neighbours=neighbours):
                    assert command.connection == speaker
                    self.check_neighbours(command.connection, neighbours)
                case m.OfferFrom() | m.AnswerFrom() | m.CandidateFrom() | m.DeclineFrom() as relayed:
                    assert speaker is not None
                    content, own_id = self.joined[speaker]
                    assert relayed.from_ == own_id, "the sender's id is the tracker's word, not the client's"
                    assert self.joined[command.connection][0] == content, "a relay between swarms"
                    assert command.connection != speaker
                case m.Hint():
                    assert command.connection in self.joined
                case OfferNotice() as notice:
                    assert any(one[0] == notice.info_hash for one in self.announced[command.connection])
                    self.torrent_offers[notice.offer_id] = (command.connection, notice.peer_id)
                case AnswerNotice() as notice:
                    receiver, offerer = self.torrent_offers[notice.offer_id]
                    assert receiver == speaker, "an answer from who was not asked"
                    assert (notice.info_hash, offerer) in self.announced[command.connection]
                case _:
                    assert command.connection == speaker, "a reply to somebody else"

    def check_neighbours(self, connection: int, neighbours: list[str]) -> None:
        content, own_id = self.joined[connection]
        members = {peer_id for one, peer_id in self.joined.values() if one == content}
        assert own_id not in neighbours
        assert len(set(neighbours)) == len(neighbours)
        assert set(neighbours) <= members

    def forget(self, connection: int) -> None:
        self.open.pop(connection, None)
        self.joined.pop(connection, None)
        self.announced.pop(connection, None)

    def some_peer(self, pick: int) -> str:
        ids = sorted(peer_id for _, peer_id in self.joined.values())
        return ids[pick % len(ids)] if ids else "f" * c.PEER_ID_HEX_CHARS

    @rule(target=natives)
    def open_native(self) -> int:
        return self.connect(Family.NATIVE)

    @rule(target=torrents)
    def open_torrent(self) -> int:
        return self.connect(Family.WEBTORRENT)

    @rule(connection=natives, content=st.sampled_from(CONTENTS), want=st.integers(0, 30))
    def join(self, connection: int, content: str, want: int) -> None:
        self.joined.pop(connection, None)  # a join leaves first, and may then be refused
        self.joining = content
        self.say(connection, m.Join(content, SESSION, want=want))

    @rule(connection=natives, pick=st.integers(0, 20), kind=st.integers(0, 4))
    def signal(self, connection: int, pick: int, kind: int) -> None:
        to = self.some_peer(pick)
        messages: list[m.ClientMessage] = [
            m.Offer(to, "sdp"),
            m.Answer(to, "sdp"),
            m.Candidate(to, "candidate", "0", 0),
            m.Decline(to),
            m.Want(5, [to]),
        ]
        self.say(connection, messages[kind])

    @rule(connection=natives, neighbours=st.integers(0, 100))
    def report(self, connection: int, neighbours: int) -> None:
        self.say(connection, m.Report(1, 2, 3, neighbours, 0))
        self.say(connection, m.Ping())

    @rule(connection=natives)
    def leave(self, connection: int) -> None:
        self.say(connection, m.Leave())
        self.joined.pop(connection, None)

    @rule(
        connection=torrents,
        info_hash=st.sampled_from(HASHES),
        peer_id=st.sampled_from(TORRENT_PEERS),
        event=st.sampled_from(Event),
        offers=st.integers(0, 4),
        is_seed=st.booleans(),
    )
    def announce(
        self, connection: int, info_hash: str, peer_id: str, *, event: Event, offers: int, is_seed: bool
    ) -> None:
        made = [TorrentOffer(f"offer {self.offers_made + n}", b"{}") for n in range(offers)]
        self.offers_made += offers
        self.say(connection, Announce(info_hash, peer_id, event, is_seed, made))
        self.learn_torrents()

    @rule(connection=torrents, pick=st.integers(0, 30), to=st.sampled_from(TORRENT_PEERS), data=st.data())
    def answer(self, connection: int, pick: int, to: str, data: st.DataObject) -> None:
        known = sorted(self.torrent_offers)
        offer_id = known[pick % len(known)] if known else "none"
        own = data.draw(st.sampled_from(TORRENT_PEERS))
        self.say(connection, TorrentAnswer(data.draw(st.sampled_from(HASHES)), own, to, offer_id, b"{}"))

    @rule(connection=torrents)
    def scrape(self, connection: int) -> None:
        self.say(connection, Scrape(HASHES))

    @rule(connection=st.one_of(natives, torrents))
    def babble(self, connection: int) -> None:
        self.obey(connection, self.tracker.frame_refused(connection, BadFrame("babble"), self.now))

    @rule(connection=st.one_of(consumes(natives), consumes(torrents)))
    def hang_up(self, connection: int) -> None:
        self.obey(None, self.tracker.connection_closed(connection, self.now))
        self.forget(connection)

    @rule(seconds=st.sampled_from([0.0, 0.01, 1.0, 30.0, 61.0, 700.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.obey(None, self.tracker.tick(self.now))
        self.learn_torrents()
        assert self.tracker.next_deadline() > self.now, "tick left something undone"

    def learn_torrents(self) -> None:
        """Read torrent memberships from the tracker: bounds may refuse them, time may end them."""
        for known in self.announced.values():
            known.clear()
        for swarm in self.tracker.swarms:
            if swarm.key.family is Family.WEBTORRENT:
                for member in swarm:
                    self.announced[member.connection].add((swarm.key.info_hash, member.peer_id))

    @invariant()
    def members_are_those_who_joined(self) -> None:
        members = {
            (swarm.key.info_hash, member.peer_id, member.connection)
            for swarm in self.tracker.swarms
            if swarm.key.family is Family.NATIVE
            for member in swarm
        }
        assert members == {(content, peer_id, conn) for conn, (content, peer_id) in self.joined.items()}

    @invariant()
    def counts_agree_and_bounds_hold(self) -> None:
        tracker = self.tracker
        assert tracker.connection_count == len(self.open)
        assert len(tracker.swarms) <= LIMITS.max_swarms
        assert sum(tracker.swarms.member_counts.values()) == sum(len(swarm) for swarm in tracker.swarms)
        for swarm in tracker.swarms:
            assert 0 < len(swarm) <= LIMITS.max_swarm_members
            assert swarm.seeds == sum(member.is_seed for member in swarm)
            for member in swarm:
                for cell, slot in zip(member.cells, member.slots, strict=True):
                    assert cell.members[slot] is member
                assert swarm.get(member.peer_id) is member
                assert member.connection in self.open
                assert len(member.sent or ()) <= LIMITS.max_pending_offers
                assert member.line is not None
                assert member.line.members == sum(one.line is member.line for one in swarm)

    def teardown(self) -> None:
        """After everybody has left, and an hour later, nothing is left."""
        for connection in list(self.open):
            self.obey(None, self.tracker.connection_closed(connection, self.now))
        tracker = self.tracker
        tracker.tick(self.now + MEMORY_S)
        assert len(tracker.swarms) == 0
        assert tracker.connection_count == 0
        assert not any(tracker.swarms.member_counts.values())
        assert tracker.table_sizes() == dict.fromkeys(tracker.table_sizes(), 0)
        assert tracker.next_deadline() == float("inf")


TestTracker = TrackerMachine.TestCase
TestTracker.settings = settings(
    max_examples=150, stateful_step_count=60, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
