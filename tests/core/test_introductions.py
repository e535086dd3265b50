"""A line and a member come to know few others; an honest viewer has whom it needs all the same."""

from __future__ import annotations

import random

import pytest
from peerpool.core import constants as c
from peerpool.core import messages as m
from peerpool.core.introductions import MEMORY_S
from peerpool.core.limits import Limits, Rate
from peerpool.core.places import NOWHERE, Place
from peerpool.core.swarm import Family
from peerpool.core.torrent_messages import Announce, Event, OfferNotice

from tests.core.driver import CONTENT, HASH, OTHER_CONTENT, SESSION, Driver, peer
from tests.core.test_federation import Pair

LIMITS = Limits()
KNOWN = LIMITS.max_known
PER_MATE = LIMITS.max_known_per_mate
# Rates have tests of their own.
FREE = Rate(1e12, 1e12)
UNHURRIED = Limits(connection_rate=FREE, site_rate=FREE, swarm_rate=FREE, idle_timeout_s=1e9)
WANTED = c.WANT_DEFAULT


def line(name: object) -> Place:
    return Place(site=f"line {name}")


class Swarm:
    """Honest members, each on a line of its own unless said otherwise, who said nothing but that they are there."""

    def __init__(self, members: int, limits: Limits = UNHURRIED) -> None:
        self.driver = Driver(limits)
        self.lines = 0
        self.members: dict[int, str] = {}
        for _ in range(members):
            self.come(want=0)

    def come(self, want: int = WANTED, place: Place | None = None) -> int:
        if place is None:
            place, self.lines = line(self.lines), self.lines + 1
        connection, self.members[connection] = self.driver.join(want=want, place=place)
        return connection

    def go(self, connection: int) -> None:
        del self.members[connection]
        self.driver.hang_up(connection)

    def told(self, connection: int) -> list[str]:
        """Return whom the last answer named."""
        answers = [a for a in self.driver.inboxes[connection] if isinstance(a, m.Welcome | m.Neighbours)]
        return answers[-1].neighbours

    def ask(self, connection: int, count: int = WANTED, excluded: tuple[str, ...] = ()) -> list[str]:
        self.driver.say(connection, m.Want(count, list(excluded)))
        return self.told(connection)


def learnt(swarm: Swarm, sockets: int, for_s: float, place: Place, *, rejoins: bool = True) -> set[str]:
    """Return whom the members of one line are told of who ask all the time, and now and then leave and come again."""
    driver = swarm.driver
    own = [driver.open(place=place) for _ in range(sockets)]
    known: set[str] = set()
    ours: set[str] = set()
    for turn in range(int(for_s / 10) + 1):
        for number in range(sockets):
            if turn == 0 or (rejoins and turn % 5 == 0):
                driver.hang_up(own[number])
                own[number] = driver.open(place=place)
                driver.say(own[number], m.Join(CONTENT, SESSION, want=c.WANT_MAX))
                ours.add(driver.last(own[number], m.Welcome).peer)
            else:
                driver.say(own[number], m.Want(c.WANT_MAX))
            known.update(swarm.told(own[number]))
            driver.inboxes[own[number]].clear()
        driver.wait(10)
    return known - ours


@pytest.mark.parametrize("rejoins", [False, True])
@pytest.mark.parametrize(("sockets", "for_s"), [(1, 60.0), (1, MEMORY_S), (20, 60.0), (20, MEMORY_S)])
def test_a_line_that_asks_all_the_time_learns_no_more_than_the_formula_says(
    sockets: int, for_s: float, *, rejoins: bool
) -> None:
    swarm = Swarm(1000)
    known = learnt(swarm, sockets, for_s, line("hostile"), rejoins=rejoins)
    bound = (KNOWN + PER_MATE * (sockets - 1)) * (1 + for_s / MEMORY_S)
    assert len(known) <= bound
    assert len(known) >= KNOWN / 2  # it was told of some


def test_who_is_told_of_nobody_new_is_told_of_those_it_knows() -> None:
    swarm = Swarm(500)
    one = swarm.come(want=c.WANT_MAX)
    first = swarm.told(one)
    assert len(first) == KNOWN // 2
    again = swarm.ask(one)
    assert len(again) == WANTED
    assert set(again) <= set(first)
    connected = tuple(first[: KNOWN // 2 - 3])
    assert set(swarm.ask(one, WANTED, connected)) == set(first) - set(connected)


def test_coming_again_is_no_way_to_be_told_of_others_be_it_by_the_same_socket_or_another() -> None:
    swarm = Swarm(500)
    place = line("home")
    one = swarm.come(want=c.WANT_MAX, place=place)
    first = set(swarm.told(one))
    swarm.driver.say(one, m.Join(CONTENT, SESSION, want=c.WANT_MAX))
    assert set(swarm.told(one)) <= first
    swarm.driver.hang_up(one)
    swarm.driver.wait(30)
    for _ in range(10):
        again = swarm.come(place=place)
        assert len(swarm.told(again)) == WANTED
        assert set(swarm.told(again)) <= first
        swarm.go(again)


def test_a_page_that_reloads_ten_times_in_a_minute_has_neighbours_each_time() -> None:
    swarm = Swarm(100)
    for _ in range(10):
        page = swarm.come(place=line("home"))
        assert len(swarm.told(page)) == WANTED
        swarm.go(page)
        swarm.driver.wait(6)


def test_each_swarm_has_bounds_of_its_own() -> None:
    swarm = Swarm(100)
    swarm.driver.join(OTHER_CONTENT, want=0)
    one = swarm.come(want=c.WANT_MAX)
    swarm.driver.say(one, m.Join(OTHER_CONTENT, SESSION))
    assert len(swarm.told(one)) == 1


def test_who_has_left_makes_room_at_once() -> None:
    swarm = Swarm(300)
    one = swarm.come(want=c.WANT_MAX)
    before = set(swarm.told(one))
    for connection in [at for at, peer_id in swarm.members.items() if peer_id in before]:
        swarm.go(connection)
    swarm.driver.wait(2)
    after = swarm.ask(one, c.WANT_MAX)
    assert len(after) == KNOWN // 2
    assert not before & set(after)


def test_after_four_fifths_have_left_at_once_each_has_as_many_as_it_wants() -> None:
    swarm = Swarm(0)
    everybody = [swarm.come() for _ in range(400)]
    for connection in everybody[::5]:
        swarm.ask(connection, c.WANT_MAX)  # ... also who has been told of as many as may be
    stay = everybody[::5]
    for connection in everybody:
        if connection not in stay:
            swarm.go(connection)
    swarm.driver.wait(5)
    for connection in stay:
        assert len(swarm.ask(connection)) == WANTED
        assert set(swarm.told(connection)) <= set(swarm.members.values())
    newcomer = swarm.come()
    assert len(swarm.told(newcomer)) == WANTED


@pytest.mark.parametrize("lines", [None, 3], ids=["each on its own line", "behind three NATs"])
def test_while_thirty_of_a_hundred_come_and_go_each_minute_nobody_is_told_of_too_few(lines: int | None) -> None:
    swarm = Swarm(0)
    rng = random.Random(1)
    links: dict[int, set[int]] = {}

    def connect(one: int, peer_ids: list[str]) -> None:
        by_id = {peer_id: at for at, peer_id in swarm.members.items()}
        assert set(peer_ids) <= set(by_id), "somebody who has left"
        for other in (by_id[peer_id] for peer_id in peer_ids):
            if len(links[other]) < c.NEIGHBOURS_MAX and rng.random() > 0.2:  # NATs keep one pair of five apart
                links[one].add(other)
                links[other].add(one)

    def come() -> None:
        place = None if lines is None else line(rng.randrange(lines))
        one = swarm.come(place=place)
        links[one] = set()
        connect(one, swarm.told(one))

    for _ in range(200):
        come()
    lonely = 0
    for _ in range(180):  # half an hour, in steps of ten seconds
        for leaver in rng.sample(sorted(swarm.members), 10):
            swarm.go(leaver)
            for other in links.pop(leaver):
                links[other].discard(leaver)
            come()
        for one, others in links.items():
            if len(others) < WANTED:
                ids = tuple(swarm.members[other] for other in others)
                connect(one, swarm.ask(one, WANTED - len(others), ids))
        lonely += sum(len(others) < WANTED // 2 for others in links.values())
        swarm.driver.wait(10)
        for inbox in swarm.driver.inboxes.values():
            inbox.clear()
    assert lonely == 0


def test_thousands_behind_one_address_all_have_whom_they_want() -> None:
    swarm = Swarm(1000)
    nat = line("NAT")
    behind = [swarm.come(place=nat) for _ in range(2000)]
    assert all(len(swarm.told(one)) == WANTED for one in behind)
    assert all(len(swarm.ask(one)) == WANTED for one in behind)


def test_one_of_thousands_behind_one_address_learns_no_more_than_one_alone() -> None:
    swarm = Swarm(500)
    nat = line("NAT")
    for _ in range(500):
        swarm.come(place=nat)
    known = learnt(swarm, 1, MEMORY_S, nat, rejoins=False)
    assert len(known) <= 2 * KNOWN


def test_a_tracker_that_begins_anew_tells_all_who_come_at_once_of_others() -> None:
    swarm = Swarm(0)
    told = [len(swarm.told(swarm.come())) for _ in range(1000)]
    assert told[WANTED:] == [WANTED] * (1000 - WANTED)


def test_newcomers_are_not_told_of_a_line_that_is_known_to_many() -> None:
    swarm = Swarm(60)
    idle, idle_id = swarm.driver.join(want=0, place=line("idle"))
    named = 0
    for _ in range(600):
        newcomer = swarm.come()
        named += idle_id in swarm.told(newcomer)
        swarm.driver.say(idle, m.Report(0, 0, 0, 0, 0))  # a lie: it would be lonely
        assert len(swarm.told(newcomer)) == WANTED
    assert named == KNOWN


def test_a_newcomer_is_told_of_somebody_where_all_are_known_to_many() -> None:
    swarm = Swarm(30, Limits(max_known=4))
    for connection in list(swarm.members):
        swarm.ask(connection)
    for _ in range(60):
        assert swarm.told(swarm.come())


def test_a_torrent_client_s_offers_reach_no_more_than_a_line_may_know() -> None:
    driver = Driver(UNHURRIED)
    others = [driver.open(Family.WEBTORRENT, line(number)) for number in range(300)]
    for number, connection in enumerate(others):
        driver.announce(connection, peer(f"other {number}"))
    place = line("hostile")
    hostile = driver.open(Family.WEBTORRENT, place)
    for turn in range(60):
        if turn % 10 == 9:
            driver.announce(hostile, peer("hostile"), Event.STOPPED)
            driver.hang_up(hostile)
            hostile = driver.open(Family.WEBTORRENT, place)
        driver.announce(hostile, peer("hostile"), Event.UPDATE, offers=10)
    reached = [any(isinstance(one, OfferNotice) for one in driver.inboxes[connection]) for connection in others]
    assert KNOWN // 4 <= sum(reached) <= KNOWN


def test_a_torrent_client_that_goes_on_offering_still_reaches_those_it_knows() -> None:
    driver = Driver(UNHURRIED)
    others = [driver.open(Family.WEBTORRENT, line(number)) for number in range(100)]
    for number, connection in enumerate(others):
        driver.announce(connection, peer(f"other {number}"))
    one = driver.open(Family.WEBTORRENT, line("one"))
    for _ in range(10):
        before = driver.tracker.totals.relays["offer"]
        driver.say(one, Announce(HASH, peer("one"), Event.UPDATE, False, []))
        driver.announce(one, peer("one"), Event.UPDATE, offers=5)
        assert driver.tracker.totals.relays["offer"] == before + 5


def test_a_member_is_told_of_offers_from_other_nodes_up_to_the_bound() -> None:
    pair = Pair(Limits(max_known=4, connection_rate=FREE))
    here, elsewhere = pair.nodes["a"], pair.nodes["b"]
    target, target_id = here.join(want=0, place=line("target"))
    elsewhere.join(want=0, place=line("first"))
    pair.hear()
    senders = [elsewhere.join(want=0, place=line(f"sender {number}"))[0] for number in range(10)]
    for sender in senders:
        elsewhere.say(sender, m.Offer(target_id, "sdp"))
    pair.carry()
    assert sum(isinstance(one, m.OfferFrom) for one in here.inboxes[target]) == 4
    gone = [sender for sender in senders if any(isinstance(one, m.Gone) for one in elsewhere.inboxes[sender])]
    assert len(gone) == 6


def test_a_line_without_members_is_forgotten_after_an_hour() -> None:
    swarm = Swarm(10)
    place = line("home")
    swarm.driver.hang_up(swarm.come(place=place))
    assert swarm.driver.tracker.table_sizes()["empty_lines"] == 1
    swarm.driver.wait(MEMORY_S - 1)
    assert swarm.driver.tracker.table_sizes()["empty_lines"] == 1
    swarm.driver.wait(1)
    assert swarm.driver.tracker.table_sizes()["empty_lines"] == 0


def test_a_line_that_was_told_of_nobody_is_not_remembered_and_those_that_are_are_bounded() -> None:
    driver = Driver(Limits(max_empty_lines=3))
    driver.hang_up(driver.join()[0])
    assert driver.tracker.table_sizes()["empty_lines"] == 0
    driver.join(place=NOWHERE)
    for number in range(5):
        driver.hang_up(driver.join(place=line(number))[0])
    assert driver.tracker.table_sizes()["empty_lines"] == 3
