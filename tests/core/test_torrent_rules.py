"""The WebTorrent tracker protocol's rules, one test a rule."""

from __future__ import annotations

from peerpool.core import constants as c
from peerpool.core import messages as m
from peerpool.core.limits import Limits, Rate
from peerpool.core.places import Place
from peerpool.core.swarm import Family
from peerpool.core.torrent_messages import (
    Announce,
    AnnounceReply,
    AnswerNotice,
    Event,
    Failure,
    OfferNotice,
    Scrape,
    ScrapeReply,
    SwarmCounts,
    TorrentAnswer,
    TorrentOffer,
)

from tests.core.driver import HASH, SESSION, Driver, peer

A, B, C = peer("a"), peer("b"), peer("c")


def torrent(driver: Driver) -> int:
    return driver.open(Family.WEBTORRENT)


def test_an_announce_is_answered_with_counts_and_interval() -> None:
    driver = Driver()
    seed, leech = torrent(driver), torrent(driver)
    assert driver.announce(seed, A, is_seed=True) == AnnounceReply(HASH, 1, 0, 30)
    assert driver.announce(leech, B) == AnnounceReply(HASH, 1, 1, 30)


def test_offers_go_to_other_members_one_each() -> None:
    driver = Driver()
    connections = [torrent(driver) for _ in range(3)]
    for connection, peer_id in zip(connections, (A, B, C), strict=True):
        driver.announce(connection, peer_id)
        driver.take(connection)
    driver.announce(connections[0], A, Event.UPDATE, offers=5)
    relayed = [message for one in connections[1:] for message in driver.take(one)]
    assert len(relayed) == 2
    assert {(one.peer_id, one.info_hash) for one in relayed if isinstance(one, OfferNotice)} == {(A, HASH)}
    assert all(isinstance(message, AnnounceReply) for message in driver.take(connections[0]))


def test_an_answer_goes_to_the_offerer_once() -> None:
    driver = Driver()
    a, b = torrent(driver), torrent(driver)
    driver.announce(b, B)
    driver.announce(a, A, offers=1)
    offer = driver.last(b, OfferNotice)
    driver.take(a)
    answer = TorrentAnswer(HASH, B, A, offer.offer_id, b'{"sdp":"answer"}')
    driver.say(b, answer, answer)
    assert driver.take(a) == [AnswerNotice(HASH, B, offer.offer_id, b'{"sdp":"answer"}')]


def test_an_answer_without_an_offer_goes_nowhere() -> None:
    driver = Driver()
    a, b = torrent(driver), torrent(driver)
    driver.announce(a, A)
    driver.announce(b, B)
    driver.take(a)
    driver.say(b, TorrentAnswer(HASH, B, A, "invented", b"{}"))
    assert driver.take(a) == []


def test_an_offer_can_be_answered_only_by_who_got_it() -> None:
    driver = Driver()
    a, b = torrent(driver), torrent(driver)
    driver.announce(b, B)
    driver.announce(a, A, offers=1)
    offer = driver.last(b, OfferNotice)
    thief = torrent(driver)
    driver.announce(thief, C)
    driver.take(a)
    driver.say(thief, TorrentAnswer(HASH, C, A, offer.offer_id, b"{}"))
    assert driver.take(a) == []


def test_a_peer_id_belongs_to_its_connection() -> None:
    driver = Driver()
    owner, thief = torrent(driver), torrent(driver)
    driver.announce(owner, A)
    for event in (Event.STARTED, Event.STOPPED):
        driver.say(thief, Announce(HASH, A, event, False, []))
        assert driver.last(thief, Failure).info_hash == HASH
    driver.hang_up(owner)
    assert driver.announce(thief, A).incomplete == 1


def test_one_socket_carries_several_peers_up_to_a_bound() -> None:
    driver = Driver(Limits(max_connection_swarm_members=2))
    socket = torrent(driver)
    driver.announce(socket, A)
    assert driver.announce(socket, B, offers=1).incomplete == 2
    assert driver.last(socket, OfferNotice).peer_id == B
    driver.say(socket, Announce(HASH, C, Event.STARTED, False, []))
    assert "too many" in driver.last(socket, Failure).reason


def test_a_socket_is_in_a_bounded_number_of_swarms() -> None:
    driver = Driver(Limits(max_connection_members=2))
    socket = torrent(driver)
    for n in range(3):
        driver.say(socket, Announce(str(n) * 20, A, Event.STARTED, False, []))
    assert "too many swarms" in driver.last(socket, Failure).reason
    assert len(driver.tracker.swarms) == 2


def test_stopped_is_answered_and_forgets() -> None:
    driver = Driver()
    socket = torrent(driver)
    driver.announce(socket, A)
    assert driver.announce(socket, A, Event.STOPPED) == AnnounceReply(HASH, 0, 0, 30)
    assert driver.announce(socket, A, Event.STOPPED) == AnnounceReply(HASH, 0, 0, 30)
    assert len(driver.tracker.swarms) == 0


def test_completed_counts() -> None:
    driver = Driver()
    socket = torrent(driver)
    driver.announce(socket, A)
    driver.announce(socket, A, Event.COMPLETED)
    driver.announce(socket, A, Event.UPDATE)
    driver.announce(socket, A, Event.COMPLETED)
    driver.say(socket, Scrape([HASH, "x" * 20]))
    swarms = driver.last(socket, ScrapeReply).swarms
    assert swarms == [SwarmCounts(HASH, 1, 0, 1), SwarmCounts("x" * 20, 0, 0, 0)]


def test_a_long_scrape_is_refused() -> None:
    driver = Driver(Limits(max_scrape_hashes=2))
    socket = torrent(driver)
    driver.say(socket, Scrape(["x" * 20] * 3))
    assert driver.last(socket, Failure).action == "scrape"


def test_offers_beyond_the_bound_are_dropped() -> None:
    driver = Driver(Limits(max_announce_offers=2))
    others = [torrent(driver) for _ in range(5)]
    for n, connection in enumerate(others):
        driver.announce(connection, peer(str(n)))
    driver.announce(torrent(driver), A, offers=5)
    assert driver.tracker.totals.relays["offer"] == 2


def test_offers_cost_their_sender() -> None:
    driver = Driver(Limits(connection_rate=Rate(5, 50)))
    socket = torrent(driver)
    offers = [TorrentOffer(str(n), b"{}") for n in range(5)]
    driver.say(socket, Announce(HASH, A, Event.STARTED, False, offers))
    assert "wait" in driver.last(socket, Failure).reason
    assert len(driver.tracker.swarms) == 0


def test_the_interval_grows_with_the_crowd() -> None:
    driver = Driver(Limits(announces_per_s=0.1, announce_interval_max_s=45))
    intervals = [driver.announce(torrent(driver), peer(str(n))).interval_s for n in range(6)]
    assert intervals == [30, 30, 30, 40, 45, 45]


def test_a_silent_member_expires_though_its_socket_lives() -> None:
    limits = Limits()
    driver = Driver(limits)
    socket = torrent(driver)
    driver.announce(socket, A)
    driver.now += limits.torrent_idle_s / 2
    driver.say(socket, Announce("y" * 20, A, Event.STARTED, False, []))
    driver.wait(limits.torrent_idle_s / 2 + 1)
    assert [swarm.key.info_hash for swarm in driver.tracker.swarms] == ["y" * 20]
    assert driver.closes == {}
    driver.wait(limits.torrent_idle_s)
    assert driver.closes == {socket: c.CLOSE_IDLE}
    assert len(driver.tracker.swarms) == 0


def test_who_connects_and_announces_later_has_two_minutes_and_stays_then() -> None:
    driver = Driver()
    mute, late = torrent(driver), torrent(driver)
    driver.wait(119)
    driver.announce(late, A)
    driver.wait(300)
    assert driver.closes == {mute: c.CLOSE_IDLE}


def test_families_never_meet_even_over_one_info_hash() -> None:
    driver = Driver()
    info_hash = "a" * 40
    native = driver.open()
    driver.say(native, m.Join(info_hash, SESSION))
    driver.take(native)
    socket = torrent(driver)
    driver.say(socket, Announce(info_hash, A, Event.STARTED, False, [TorrentOffer("1", b"{}")]))
    assert driver.take(native) == []
    assert len(driver.tracker.swarms) == 2


def test_offers_go_to_members_of_the_same_place_first() -> None:
    driver = Driver(Limits(cluster_min=3))
    berlin, paris = (Place("EU", country, isp) for country, isp in (("DE", "AS1"), ("FR", "AS2")))
    near = [driver.open(Family.WEBTORRENT, berlin) for _ in range(3)]
    far = [driver.open(Family.WEBTORRENT, paris) for _ in range(30)]
    for number, connection in enumerate(near + far):
        driver.announce(connection, peer(f"p{number}"))
    driver.announce(near[0], peer("p0"), Event.UPDATE, offers=2)
    taken = {connection: driver.take(connection) for connection in near + far}
    offered = [one for one, messages in taken.items() if any(isinstance(message, OfferNotice) for message in messages)]
    assert offered == near[1:]
