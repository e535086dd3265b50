"""Any order of joins, tokens, accusations and reloads against a tracker with sites: nobody is where it may not be."""

from __future__ import annotations

import random

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule
from peerpool.core import messages as m
from peerpool.core.admission import Gate
from peerpool.core.limits import Limits
from peerpool.core.sites import Site, draw
from peerpool.core.state import Close, Command, Forward, Handshake, Send
from peerpool.core.swarm import Family
from peerpool.core.tracker import Tracker

from tests.core.test_admission import CONTENT, TOKENS, verify
from tests.core.test_bans import line
from tests.core.test_sites import NAME, site

LIMITS = Limits(
    cluster_min=2, max_spent_tokens=1, max_accused=2, max_condemned_lines=2, cut_at_once=2, review_interval_s=0.1
)
IDS = ["news", "other"]
SESSIONS = [f"{n:016x}" for n in range(6)]
PAGES = ["https://news.example", "https://evil.example", ""]
GOOD_TOKENS = {name for name, claims in TOKENS.items() if name not in ("other", "there")}


class AdmissionMachine(RuleBasedStateMachine):
    """Model: what each open socket is, by what it was told; the rules of the sites as they were last read."""

    sockets = Bundle("sockets")

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.in_force = {name: site(id=name) for name in IDS}
        self.tracker = Tracker(random.Random(3), LIMITS, gate=Gate(verify, list(self.in_force.values()), limits=LIMITS))
        self.next_id = 1
        self.pages: dict[int, str] = {}
        self.joined: dict[int, tuple[str, str, bool]] = {}  # site, peer id, shares
        self.joining: m.Join | None = None

    def obey(self, speaker: int | None, commands: list[Command]) -> None:
        for command in commands:
            assert not isinstance(command, Forward)
            if isinstance(command, Close):
                self.forget(command.connection)
                continue
            assert isinstance(command, Send)
            assert command.connection in self.pages
            match command.message:
                case m.Welcome() as welcome:
                    self.welcomed(command.connection, welcome)
                case m.Neighbours(neighbours=neighbours):
                    self.check(command.connection, neighbours)
                case m.OfferFrom() | m.AnswerFrom() as relayed:
                    assert speaker is not None
                    name, peer_id, shares = self.joined[speaker]
                    assert shares
                    assert relayed.from_ == peer_id
                    assert self.joined[command.connection][0] == name, "a relay between sites"
                    assert self.joined[command.connection][2], "a relay to the holdout"

    def welcomed(self, connection: int, welcome: m.Welcome) -> None:
        asked = self.joining
        assert asked is not None
        assert self.pages[connection] == PAGES[0]
        rules = self.in_force[asked.site or ""]
        assert rules.enabled
        assert asked.token in GOOD_TOKENS or (asked.token is None and rules.tokens == "optional")
        drawn = draw(rules.id, asked.session)
        shares = welcome.sharing is not False
        assert shares is not drawn.is_held_out(rules)
        assert not (shares and drawn.is_above_ramp(rules))
        self.joined[connection] = (rules.id, welcome.peer, shares)
        if not shares:
            assert (welcome.neighbours, welcome.cluster_size) == ([], 1)
        self.check(connection, welcome.neighbours)

    def check(self, connection: int, neighbours: list[str]) -> None:
        name, own_id, _ = self.joined[connection]
        sharing = {peer_id for one, peer_id, shares in self.joined.values() if one == name and shares}
        assert set(neighbours) <= sharing - {own_id}

    def forget(self, connection: int) -> None:
        self.pages.pop(connection, None)
        self.joined.pop(connection, None)

    @rule(target=sockets, page=st.sampled_from([*PAGES, PAGES[0], PAGES[0]]))
    def connect(self, page: str) -> int:
        return self._connect(page)

    def _connect(self, page: str) -> int:
        connection, self.next_id = self.next_id, self.next_id + 1
        self.pages[connection] = page
        place, handshake = line(f"line {connection % 4}"), Handshake(page, "192.0.2.1")
        self.obey(None, self.tracker.connection_opened(connection, Family.NATIVE, self.now, place, handshake))
        return connection

    @rule(
        connection=sockets,
        name=st.sampled_from([*IDS, "unknown", None]),
        session=st.sampled_from(SESSIONS),
        token=st.sampled_from([*TOKENS, "bad", None, "any"]),
        is_named=st.booleans(),
    )
    def join(self, connection: int, name: str | None, session: str, token: str | None, *, is_named: bool) -> None:
        self._join(connection, m.Join(CONTENT, session, token, 8, name, NAME if is_named else None))

    def _join(self, connection: int, message: m.Join) -> None:
        self.joined.pop(connection, None)  # a join leaves first, and may then be refused
        self.joining = message
        self.obey(connection, self.tracker.message_received(connection, message, self.now))

    @rule(
        target=sockets,
        name=st.sampled_from(IDS),
        session=st.sampled_from(SESSIONS),
        token=st.sampled_from(["any", "twice"]),
    )
    def connect_and_join(self, name: str, session: str, token: str) -> int:
        """Do all as a viewer does: most are welcome."""
        connection = self._connect(PAGES[0])
        self._join(connection, m.Join(CONTENT, session, token, 8, name, NAME))
        return connection

    @rule(one=sockets, other=sockets)
    def meet_and_accuse(self, one: int, other: int) -> None:
        """Have one of two be answered by the other and accuse it, as far as they may."""
        if one in self.joined and other in self.joined and one != other:
            ids = [self.joined[each][1] for each in (one, other)]
            said = ((one, m.Offer(ids[1], "s")), (other, m.Answer(ids[0], "s")), (one, m.Accuse(ids[1])))
            for connection, message in said:
                self.obey(connection, self.tracker.message_received(connection, message, self.now))

    @rule(connection=sockets, pick=st.integers(0, 20), kind=st.integers(0, 4))
    def say(self, connection: int, pick: int, kind: int) -> None:
        ids = sorted(peer_id for _, peer_id, _ in self.joined.values()) or ["f" * 20]
        to = ids[pick % len(ids)]
        messages: list[m.ClientMessage] = [
            m.Offer(to, "s"), m.Answer(to, "s"), m.Accuse(to), m.Want(5), m.Report(1, 2, 3, 4, 0)
        ]  # fmt: skip
        self.obey(connection, self.tracker.message_received(connection, messages[kind], self.now))

    @rule(connection=sockets)
    def leave(self, connection: int) -> None:
        self.joined.pop(connection, None)
        self.obey(connection, self.tracker.message_received(connection, m.Leave(), self.now))

    @rule(connection=consumes(sockets))
    def hang_up(self, connection: int) -> None:
        self.obey(None, self.tracker.connection_closed(connection, self.now))
        self.forget(connection)

    @rule(
        ids=st.sets(st.sampled_from(IDS), min_size=1),
        enabled=st.booleans(),
        tokens=st.sampled_from(["required", "optional"]),
        ramp=st.sampled_from([0, 50, 100]),
        holdout=st.sampled_from([0, 50]),
    )
    def reload(self, ids: set[str], *, enabled: bool, tokens: str, ramp: int, holdout: int) -> None:
        self.in_force = {
            name: site(id=name, enabled=enabled, tokens=tokens, ramp_percent=ramp, holdout_percent=holdout)
            for name in sorted(ids)
        }
        self.tracker.sites_changed(list(self.in_force.values()))

    @rule(seconds=st.sampled_from([0.0, 0.1, 1.0, 61.0]))
    def wait(self, seconds: float) -> None:
        """Let time pass; after some of it nobody is left who has no seat any more."""
        self.now += seconds
        for _ in range(30):
            self.obey(None, self.tracker.tick(self.now))
            self.now += LIMITS.review_interval_s
        self.obey(None, self.tracker.tick(self.now))
        assert self.tracker.next_deadline() > self.now, "tick left something undone"
        for connection, (name, _, _) in self.joined.items():
            rules: Site | None = self.in_force.get(name)
            assert rules is not None, connection
            assert rules.enabled

    @invariant()
    def only_the_admitted_are_in_swarms(self) -> None:
        members = {
            (swarm.key.site, member.peer_id, member.connection) for swarm in self.tracker.swarms for member in swarm
        }
        assert members == {(name, peer_id, one) for one, (name, peer_id, shares) in self.joined.items() if shares}

    @invariant()
    def counts_agree_and_tables_are_bounded(self) -> None:
        gate = self.tracker.gate
        assert gate is not None
        assert sum(account.members for account in gate.accounts.values()) == len(self.joined)
        sizes = self.tracker.table_sizes()
        assert sizes["spent_tokens"] <= LIMITS.max_spent_tokens
        assert sizes["accused"] <= min(LIMITS.max_accused, len(self.joined)), "what is said of who is gone is forgotten"
        assert sizes["condemned_lines"] <= LIMITS.max_condemned_lines
        assert sizes["accusers"] <= len(self.pages)
        assert len(gate.accounts) <= len(IDS)

    def teardown(self) -> None:
        """When all have gone, and all time is over, nothing is left."""
        for connection in list(self.pages):
            self.obey(None, self.tracker.connection_closed(connection, self.now))
        for later in (100.0, 700.0, 1400.0, 4000.0):
            self.tracker.tick(self.now + later)
        assert self.tracker.table_sizes() == dict.fromkeys(self.tracker.table_sizes(), 0)


AdmissionMachine.TestCase.settings = settings(
    max_examples=150, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestAdmission = AdmissionMachine.TestCase
