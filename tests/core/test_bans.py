"""Members whom neighbours on several lines accuse are sent away, and nobody else is."""

from __future__ import annotations

import pytest
from peerpool.core import constants as c
from peerpool.core import messages as m
from peerpool.core.bans import MEMORY_S, SHUT_S, Docket, quorum
from peerpool.core.limits import Limits
from peerpool.core.places import Place

from tests.core.driver import CONTENT, SESSION, Driver
from tests.core.test_federation import Pair


def line(name: str) -> Place:
    return Place("EU", "DE", "AS1", "Berlin", name, "")


class Crowd:
    """A bad member on line `bad`, and others, each of whom it has answered or not."""

    def __init__(self, *lines: str, limits: Limits | None = None) -> None:
        self.driver = Driver(limits)
        self.bad, self.bad_id = self.driver.join(place=line("bad"))
        self.others = [self.connect(name) for name in lines]

    def connect(self, name: str) -> int:
        other, other_id = self.driver.join(place=line(name))
        self.driver.say(other, m.Offer(self.bad_id, "sdp"))
        self.driver.say(self.bad, m.Answer(other_id, "sdp"))
        return other

    def accuse(self, *numbers: int) -> bool:
        """Have some of the others accuse the bad one; return whether it was banned."""
        for number in numbers:
            self.driver.say(self.others[number], m.Accuse(self.bad_id))
        return self.driver.closes.get(self.bad) == c.CLOSE_OFF


@pytest.mark.parametrize(("lines", "needed"), [(1, 2), (2, 2), (3, 2), (4, 2), (5, 3), (6, 3), (7, 3), (100_000, 3)])
def test_the_quorum(lines: int, needed: int) -> None:
    assert quorum(lines) == needed


def test_three_lines_of_many_ban() -> None:
    crowd = Crowd(*"abcdef")
    assert not crowd.accuse(0, 1)
    assert crowd.accuse(2)
    assert crowd.driver.last(crowd.bad, m.Error).code == c.ERROR_BANNED
    assert (crowd.driver.tracker.totals.bans, crowd.driver.tracker.totals.accusations) == (1, 3)
    assert all(isinstance(message, m.Welcome | m.AnswerFrom) for message in crowd.driver.inboxes[crowd.others[0]])


def test_two_lines_of_four_ban() -> None:
    crowd = Crowd(*"abc")
    assert not crowd.accuse(0)
    assert crowd.accuse(1)


def test_one_line_cannot_ban_however_many_it_is_nor_the_accused_s_own() -> None:
    crowd = Crowd(*"aaaa", "bad", "bad", "")
    assert not crowd.accuse(0, 1, 2, 3, 4, 5, 0)


def test_members_of_unknown_lines_are_one_line() -> None:
    crowd = Crowd("", "", "", "")
    assert not crowd.accuse(0, 1, 2, 3)


def test_who_was_not_connected_may_not_accuse_and_who_answered_may() -> None:
    crowd = Crowd(*"abc")
    driver = crowd.driver
    strangers = [driver.join(place=line(name)) for name in "xyz"]
    for stranger, _ in strangers:
        driver.say(stranger, m.Accuse(crowd.bad_id))
        driver.say(stranger, m.Offer(crowd.bad_id, "sdp"), m.Accuse(crowd.bad_id))
    assert driver.tracker.totals.accusations == 0
    for stranger, stranger_id in strangers:
        driver.say(crowd.bad, m.Offer(stranger_id, "sdp"))
        driver.say(stranger, m.Answer(crowd.bad_id, "sdp"), m.Accuse(crowd.bad_id))
    assert driver.closes == {crowd.bad: c.CLOSE_OFF}


def test_an_accusation_is_never_answered_but_one_of_oneself_is_refused() -> None:
    crowd = Crowd("a")
    driver, accuser = crowd.driver, crowd.others[0]
    own_id = driver.last(accuser, m.Welcome).peer
    driver.take(accuser)
    driver.say(accuser, m.Accuse(crowd.bad_id), m.Accuse("f" * c.PEER_ID_HEX_CHARS))
    assert driver.take(accuser) == []
    driver.say(accuser, m.Accuse(own_id))
    assert driver.last(accuser, m.Error).code == c.ERROR_BAD_FRAME


def test_accusations_expire_and_leave_nothing() -> None:
    limits = Limits(idle_timeout_s=10 * MEMORY_S)
    crowd = Crowd(*"abcdef", limits=limits)
    crowd.accuse(0, 1)
    assert crowd.driver.tracker.table_sizes()["accused"] == 1
    crowd.driver.wait(MEMORY_S)
    assert crowd.driver.tracker.table_sizes()["accused"] == 0
    assert not crowd.accuse(2)


def test_a_socket_has_so_many_accusations_and_no_more_by_joining_again() -> None:
    crowd = Crowd("a")
    accuser = crowd.others[0]
    for _ in range(20):
        crowd.driver.wait(1)
        crowd.accuse(0)
    assert crowd.driver.tracker.totals.accusations == Limits().max_accusations == 16
    crowd.driver.say(accuser, m.Join(CONTENT, SESSION))
    own_id = crowd.driver.last(accuser, m.Welcome).peer
    crowd.driver.say(accuser, m.Offer(crowd.bad_id, "sdp"))
    crowd.driver.say(crowd.bad, m.Answer(own_id, "sdp"))
    crowd.accuse(0)
    assert crowd.driver.tracker.totals.accusations == 16


def test_a_line_of_which_three_were_banned_may_not_join_for_a_while() -> None:
    crowd = Crowd(*"abc", limits=Limits(idle_timeout_s=10 * MEMORY_S))
    driver = crowd.driver
    for _ in range(3):
        assert crowd.accuse(0, 1)
        crowd.bad = driver.open(place=line("bad"))
        driver.say(crowd.bad, m.Join(CONTENT, SESSION))
        if crowd.bad in driver.closes:
            break
        crowd.bad_id = driver.last(crowd.bad, m.Welcome).peer
        for other in crowd.others:
            driver.say(other, m.Offer(crowd.bad_id, "sdp"))
            driver.say(crowd.bad, m.Answer(driver.last(other, m.Welcome).peer, "sdp"))
    assert driver.tracker.totals.bans == 3
    error = driver.last(crowd.bad, m.Error)
    assert (error.code, error.retry_after_ms) == (c.ERROR_BANNED, SHUT_S * 1000)
    assert driver.closes[crowd.bad] == c.CLOSE_OFF
    driver.join(place=line("neighbour"))
    driver.wait(SHUT_S)
    driver.join(place=line("bad"))
    assert driver.tracker.table_sizes()["condemned_lines"] == 0


def test_the_tables_are_bounded_and_the_unknown_line_is_never_shut() -> None:
    docket = Docket(Limits(max_accused=3, max_condemned_lines=3))
    for n in range(10):
        docket.accuse(f"peer {n}", "a", 3, n)
        docket.condemn(f"line {n}", n)
        docket.condemn("", n)
    assert docket.sizes() == {"accused": 3, "condemned_lines": 3, "accusers": 0}
    assert docket.shut_for_s("", 10) == 0


def test_a_member_at_another_node_is_banned_by_its_own() -> None:
    pair = Pair()
    bad, bad_id = pair.nodes["b"].join(place=line("bad"))
    accusers = [pair.nodes["a"].join(place=line(name)) for name in "xyz"]
    pair.hear()
    for accuser, accuser_id in accusers:
        pair.nodes["a"].say(accuser, m.Offer(bad_id, "sdp"))
        pair.carry()
        pair.nodes["b"].say(bad, m.Answer(accuser_id, "sdp"))
        pair.carry()
        pair.nodes["a"].say(accuser, m.Accuse(bad_id))
        pair.carry()
    assert pair.nodes["b"].closes == {bad: c.CLOSE_OFF}
