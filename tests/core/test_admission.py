"""Who may join a tracker with named sites, what they are told, and who goes when the file changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from msgspec import UNSET
from peerpool.core import constants as c
from peerpool.core import messages as m
from peerpool.core.admission import OFF_RETRY_MS, Claims, Gate, SpentTokens
from peerpool.core.errors import Full, Unauthorized
from peerpool.core.ice import Ice, TurnPlan, TurnService
from peerpool.core.identity import content_id
from peerpool.core.limits import Limits
from peerpool.core.seats import Group
from peerpool.core.sites import Site
from peerpool.core.state import Handshake
from peerpool.core.swarm import Family

from tests.core.driver import HASH, SESSION, Driver, peer
from tests.core.test_sites import NAME, SECRET, site

CONTENT = content_id(NAME)
PAGE = Handshake("https://news.example", "::ffff:192.0.2.1")
TOKENS = {
    "any": Claims("*", 60),
    "this": Claims(NAME, 60),
    "by id": Claims(CONTENT, 60),
    "other": Claims("cdn.example/other.m3u8", 60),
    "twice": Claims("*", 60, "j", 2),
    "here": Claims("*", 60, ip="192.0.2.1"),
    "there": Claims("*", 60, ip="192.0.2.2"),
}


def verify(token: str, _site: str, secrets: Sequence[str]) -> Claims:
    if token not in TOKENS or not secrets:
        raise Unauthorized("not good")
    return TOKENS[token]


def tracker(*sites: Site, **options: Any) -> Driver:
    limits, ice = options.pop("limits", None), options.pop("ice", None)
    gate = Gate(verify, sites or [site()], limits=limits, **options)
    return Driver(limits, gate=gate, ice=ice)


def join(driver: Driver, handshake: Handshake = PAGE, **fields: Any) -> int:
    connection = driver.open(handshake=handshake)
    said = {"content": CONTENT, "session": SESSION, "token": "any", "site": "news", "name": NAME} | fields
    driver.say(connection, m.Join(**said))
    return connection


def outcome(driver: Driver, connection: int) -> str | int:
    """Return `welcome`, or the code with which it was refused."""
    if any(isinstance(message, m.Welcome) for message in driver.inboxes[connection]):
        return "welcome"
    return driver.last(connection, m.Error).code


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, "welcome"),
        ({"token": "this"}, "welcome"),
        ({"token": "by id", "name": None}, "welcome"),
        ({"token": "here"}, "welcome"),
        ({"token": "there"}, c.ERROR_UNAUTHORIZED),
        ({"token": "other"}, c.ERROR_UNAUTHORIZED),
        ({"token": "bad"}, c.ERROR_UNAUTHORIZED),
        ({"token": None}, c.ERROR_UNAUTHORIZED),
        ({"site": None}, c.ERROR_UNAUTHORIZED),
        ({"site": "unknown"}, c.ERROR_UNAUTHORIZED),
        ({"handshake": Handshake("https://evil.example", "192.0.2.1")}, c.ERROR_UNAUTHORIZED),
        ({"handshake": Handshake()}, c.ERROR_UNAUTHORIZED),
        ({"name": "cdn.example/other.m3u8"}, c.ERROR_BAD_FRAME),
    ],
)
def test_a_viewer_joins_with_what_its_site_asks_for_only(fields: dict[str, Any], expected: str) -> None:
    driver = tracker()
    connection = join(driver, **fields)
    assert outcome(driver, connection) == expected
    assert len(driver.tracker.swarms) == (expected == "welcome")
    if expected == c.ERROR_UNAUTHORIZED:
        assert driver.closes[connection] == c.CLOSE_UNAUTHORIZED


def test_a_site_admits_its_own_contents_only() -> None:
    driver = tracker(site(contents=["cdn.example/vod/*"]))
    assert outcome(driver, join(driver)) == c.ERROR_UNAUTHORIZED


def test_where_tokens_are_optional_the_origin_is_enough_but_a_bad_token_is_not() -> None:
    driver = tracker(site(tokens="optional"))
    assert outcome(driver, join(driver, token=None)) == "welcome"
    assert outcome(driver, join(driver, token="bad")) == c.ERROR_UNAUTHORIZED


def test_viewers_of_two_sites_never_meet_over_one_content() -> None:
    driver = tracker(site(), site(id="other"))
    one, other = join(driver), join(driver, site="other")
    peer_id = driver.last(one, m.Welcome).peer
    welcome = driver.last(other, m.Welcome)
    assert (welcome.neighbours, welcome.cluster_size) == ([], 1)
    driver.say(other, m.Offer(peer_id, "sdp"))
    assert driver.last(other, m.Gone).peer == peer_id
    assert {swarm.key.info_hash for swarm in driver.tracker.swarms} == {CONTENT}


def test_a_token_of_bounded_use_is_spent_and_a_refused_join_spends_nothing() -> None:
    driver = tracker(site(max_members=1))
    first = join(driver, token="twice")
    assert outcome(driver, join(driver, token="twice")) == c.ERROR_FULL
    driver.hang_up(first)
    second = join(driver, token="twice")
    assert outcome(driver, second) == "welcome"
    driver.hang_up(second)
    assert outcome(driver, join(driver, token="twice")) == c.ERROR_UNAUTHORIZED
    driver.wait(130)
    assert driver.tracker.table_sizes()["spent_tokens"] == 0


def test_a_spent_token_is_not_forgotten_for_a_new_one() -> None:
    spent = SpentTokens(1)
    spent.spend("news", Claims("*", 60, "a", 1), 0)
    for at in (0.5, 1.5, 59.0):
        with pytest.raises(Full):
            spent.spend("news", Claims("*", 60, "b", 1), at)
        with pytest.raises(Unauthorized):
            spent.spend("news", Claims("*", 60 - at, "a", 1), at)
    spent.spend("news", Claims("*", 60, "b", 1), 60.0)
    assert len(spent) == 1


def test_joins_a_minute_are_bounded() -> None:
    driver = tracker(site(joins_per_minute=2))
    assert [outcome(driver, join(driver)) for _ in range(3)] == ["welcome", "welcome", c.ERROR_RATE_LIMITED]
    driver.wait(30)
    assert outcome(driver, join(driver)) == "welcome"


def test_sharing_that_is_off_is_said_with_a_time_to_ask_again() -> None:
    for off in (site(enabled=False), site(ramp_percent=0)):
        driver = tracker(off)
        connection = join(driver)
        error = driver.last(connection, m.Error)
        assert (error.code, error.retry_after_ms) == (c.ERROR_OFF, OFF_RETRY_MS)
        assert driver.closes[connection] == c.CLOSE_OFF


def test_the_holdout_only_reports() -> None:
    turn = TurnPlan([TurnService(["turn:turn.example"], lambda: "s")], lambda: 0.0)
    driver = tracker(site(holdout_percent=50), ice=Ice(turn=turn))
    sessions = [f"{n:016x}" for n in range(40)]
    sockets = [join(driver, session=session) for session in sessions]
    held_out = [one for one in sockets if driver.last(one, m.Welcome).sharing is False]
    sharing = [one for one in sockets if driver.last(one, m.Welcome).sharing is UNSET]
    assert len(held_out) + len(sharing) == 40
    assert min(len(held_out), len(sharing)) > 5
    assert all(driver.last(one, m.Welcome).relay is UNSET for one in held_out)
    assert all(driver.last(one, m.Welcome).relay is not UNSET for one in sharing)
    shown = {one for socket in sockets for one in driver.last(socket, m.Welcome).neighbours}
    assert not shown & {driver.last(one, m.Welcome).peer for one in held_out}
    quiet, loud = held_out[0], sharing[0]
    driver.say(quiet, m.Report(0, 7, 0, 0, 1), m.Want(3), m.Ice(), m.Offer(driver.last(loud, m.Welcome).peer, "sdp"))
    driver.say(loud, m.Offer(driver.last(quiet, m.Welcome).peer, "sdp"), m.Report(5, 6, 0, 0, 0))
    assert driver.last(loud, m.Gone)
    assert [one.code for one in driver.inboxes[quiet] if isinstance(one, m.Error)] == [c.ERROR_NOT_JOINED] * 3
    totals = driver.tracker.totals
    assert (totals.holdout.reported_bytes["cdn"], totals.holdout.stalls) == (7, 1)
    assert (totals.reported_bytes["cdn"], totals.reported_bytes["peer"]) == (6, 5)
    gate = driver.tracker.gate
    assert gate is not None
    groups = gate.accounts["news"].groups
    assert groups[Group.HOLDOUT].members == len(held_out) == totals.holdout.members
    assert groups[Group.SHARING].members == len(sharing)
    driver.say(quiet, m.Leave(), m.Leave())
    assert groups[Group.HOLDOUT].members == len(held_out) - 1
    for one in sockets:
        driver.hang_up(one)
    assert totals.holdout.members == 0


def test_members_of_a_site_that_is_switched_off_leave_a_few_at_a_time() -> None:
    driver = tracker(site(), site(id="other"), limits=Limits(cut_at_once=3))
    doomed = [join(driver) for _ in range(8)]
    stayer = join(driver, site="other")
    driver.tracker.sites_changed([site(enabled=False), site(id="other")])
    driver.perform(driver.tracker.tick(driver.now))
    assert len(driver.closes) == 3
    driver.perform(driver.tracker.tick(driver.now + 0.01))
    assert len(driver.closes) == 3, "not before the next turn"
    driver.wait(1)
    assert driver.closes == dict.fromkeys(doomed, c.CLOSE_OFF)
    assert all(driver.last(one, m.Error).retry_after_ms == OFF_RETRY_MS for one in doomed)
    assert stayer not in driver.closes
    assert driver.tracker.table_sizes()["unreviewed"] == 0


def test_members_of_a_site_that_is_gone_leave_and_it_is_forgotten() -> None:
    driver = tracker(site(), site(id="other"))
    member = join(driver)
    driver.tracker.sites_changed([site(id="other")])
    driver.wait(1)
    assert driver.closes == {member: c.CLOSE_OFF}
    driver.perform(driver.tracker.tick(driver.now))
    assert driver.tracker.gate is not None
    assert list(driver.tracker.gate.accounts) == ["other"]


def test_a_lower_ramp_sends_those_above_it_away_and_a_rotated_secret_nobody() -> None:
    driver = tracker(site(ramp_percent=100))
    sockets = [join(driver, session=f"{n:016x}") for n in range(40)]
    driver.tracker.sites_changed([site(secrets=["n" * 32, SECRET])])
    driver.wait(1)
    assert driver.closes == {}
    driver.tracker.sites_changed([site(ramp_percent=50)])
    driver.wait(1)
    assert 8 < len(driver.closes) < 32
    gate = driver.tracker.gate
    assert gate is not None
    assert gate.accounts["news"].members == 40 - len(driver.closes) == len(sockets) - len(driver.closes)


def test_torrent_clients_share_only_where_the_operator_says_so() -> None:
    for is_open in (False, True):
        driver = tracker(admits_torrents=is_open)
        connection = driver.open(Family.WEBTORRENT)
        if is_open:
            driver.announce(connection, peer("a"))
        else:
            with pytest.raises(AssertionError, match="no AnnounceReply"):
                driver.announce(connection, peer("a"))
        assert len(driver.tracker.swarms) == is_open
        assert HASH


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("auto", m.Integrity("spot")),
        ("signed", m.Integrity("signed", ["04" * 65])),
        ("spot", m.Integrity("spot")),
        ("off", m.Integrity("off")),
    ],
)
def test_the_site_says_how_pieces_are_checked(wanted: str, expected: m.Integrity) -> None:
    asked: list[tuple[str, str]] = []

    def known(content: str, site_id: str) -> m.Integrity:
        asked.append((content, site_id))
        return m.Integrity("spot")

    driver = Driver(gate=Gate(verify, [site(integrity=wanted)]), integrity_of=known, integrity_keys=["04" * 65])
    assert driver.last(join(driver), m.Welcome).integrity == expected
    assert asked == ([(CONTENT, "news")] if wanted == "auto" else [])


def test_an_open_tracker_keeps_nothing_of_a_handshake_and_ignores_the_site() -> None:
    driver = Driver()
    connection = join(driver)
    welcome = driver.last(connection, m.Welcome)
    assert (welcome.sharing, welcome.integrity) == (UNSET, UNSET)
    assert "192.0.2.1" not in repr(vars(driver.tracker))
    [swarm] = driver.tracker.swarms
    assert swarm.key.site == ""
