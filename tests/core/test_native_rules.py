"""The native protocol's rules, one test a rule."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import UNSET
from peerpool.core import constants as c
from peerpool.core import messages as m
from peerpool.core.coordinates import beside, predicted_rtt_ms
from peerpool.core.errors import BadFrame, HostileFrame, Unauthorized
from peerpool.core.ice import Ice
from peerpool.core.limits import Limits, Rate
from peerpool.core.places import Place
from peerpool.core.state import Admission
from peerpool.core.swarm import Family, SwarmKey
from peerpool.core.tracker import TOLD_STRIKES

from tests.core.driver import CONTENT, OTHER_CONTENT, SESSION, Driver

NOBODY = "f" * c.PEER_ID_HEX_CHARS


def test_join_is_welcomed_with_an_id_and_the_members_before_it() -> None:
    driver = Driver(ice=Ice([{"urls": "stun:stun.example"}]))
    _, first = driver.join()
    second, _ = driver.join()
    welcome = driver.last(second, m.Welcome)
    assert len(welcome.peer) == c.PEER_ID_HEX_CHARS
    assert welcome.neighbours == [first]
    assert welcome.cluster_size == 2
    assert welcome.ice_servers == [{"urls": "stun:stun.example"}]
    assert (welcome.ping_interval_ms, welcome.report_interval_ms) == (c.PING_INTERVAL_MS, c.REPORT_INTERVAL_MS)


def test_a_join_that_wants_nobody_gets_nobody() -> None:
    driver = Driver()
    driver.join()
    second, _ = driver.join(want=0)
    assert driver.last(second, m.Welcome).neighbours == []


def test_members_of_other_swarms_are_never_introduced() -> None:
    driver = Driver()
    driver.join(OTHER_CONTENT)
    mine, _ = driver.join(CONTENT)
    assert driver.last(mine, m.Welcome).neighbours == []


def test_a_second_join_leaves_the_first_swarm() -> None:
    driver = Driver()
    mover, old_id = driver.join(CONTENT)
    other, _ = driver.join(CONTENT)
    driver.say(mover, m.Join(OTHER_CONTENT, SESSION))
    assert driver.last(mover, m.Welcome).peer != old_id
    driver.say(other, m.Offer(old_id, "sdp"))
    assert driver.last(other, m.Gone).peer == old_id


def test_offer_answer_and_candidates_reach_the_other_with_the_senders_id() -> None:
    driver = Driver()
    a, a_id = driver.join()
    b, b_id = driver.join()
    driver.say(b, m.Offer(a_id, "offer"))
    driver.say(b, m.Candidate(a_id, "candidate 1", "0", 0))
    driver.say(a, m.Answer(b_id, "answer"), m.Candidate(b_id, "", None, None))
    assert driver.take(a)[1:] == [m.OfferFrom(b_id, "offer"), m.CandidateFrom(b_id, "candidate 1", "0", 0)]
    assert driver.take(b)[1:] == [m.AnswerFrom(a_id, "answer"), m.CandidateFrom(a_id, "", None, None)]


def test_an_answer_needs_a_pending_offer_and_serves_once() -> None:
    driver = Driver()
    a, a_id = driver.join()
    b, b_id = driver.join()
    driver.take(b)
    driver.say(a, m.Answer(b_id, "uninvited"))
    assert driver.take(b) == []
    driver.say(b, m.Offer(a_id, "offer"))
    driver.say(a, m.Answer(b_id, "first"), m.Answer(b_id, "second"))
    assert driver.take(b) == [m.AnswerFrom(a_id, "first")]


def test_an_offer_expires() -> None:
    driver = Driver()
    a, a_id = driver.join()
    b, b_id = driver.join()
    driver.say(b, m.Offer(a_id, "offer"))
    driver.now += c.OFFER_TIMEOUT_MS / 1000
    driver.take(b)
    driver.say(a, m.Answer(b_id, "late"), m.Candidate(b_id, "late", None, None))
    assert driver.take(b) == []


def test_candidates_need_an_offer_between_the_two() -> None:
    driver = Driver()
    a, _ = driver.join()
    b, b_id = driver.join()
    driver.take(b)
    driver.say(a, m.Candidate(b_id, "candidate", None, None))
    assert driver.take(b) == []


def test_a_declined_offer_is_over() -> None:
    driver = Driver()
    a, a_id = driver.join()
    b, b_id = driver.join()
    driver.say(b, m.Offer(a_id, "offer"))
    driver.take(b)
    driver.say(a, m.Decline(b_id), m.Decline(b_id), m.Answer(b_id, "after all"))
    assert driver.take(b) == [m.DeclineFrom(a_id)]


@pytest.mark.parametrize(
    "message",
    [
        m.Offer(NOBODY, "sdp"),
        m.Answer(NOBODY, "sdp"),
        m.Candidate(NOBODY, "candidate", None, None),
        m.Decline(NOBODY),
    ],
    ids=lambda message: type(message).__name__,
)
def test_a_message_for_a_stranger_comes_back_as_gone(message: m.ClientMessage) -> None:
    driver = Driver()
    connection, _ = driver.join()
    driver.say(connection, message)
    assert driver.last(connection, m.Gone).peer == NOBODY


def test_a_member_of_another_swarm_looks_gone() -> None:
    driver = Driver()
    other, other_id = driver.join(OTHER_CONTENT)
    mine, _ = driver.join(CONTENT)
    driver.take(other)
    driver.say(mine, m.Offer(other_id, "sdp"))
    assert driver.last(mine, m.Gone).peer == other_id
    assert driver.take(other) == []


def test_a_message_to_oneself_is_a_bad_frame() -> None:
    driver = Driver()
    connection, own_id = driver.join()
    driver.say(connection, m.Offer(own_id, "sdp"))
    assert driver.last(connection, m.Error).code == c.ERROR_BAD_FRAME


@pytest.mark.parametrize(
    "message",
    [m.Offer(NOBODY, "sdp"), m.Want(1), m.Report(0, 0, 0, 0, 0), m.Leave(), m.Decline(NOBODY)],
    ids=lambda message: type(message).__name__,
)
def test_only_members_may(message: m.ClientMessage) -> None:
    driver = Driver()
    connection = driver.open()
    driver.say(connection, message)
    assert driver.last(connection, m.Error).code == c.ERROR_NOT_JOINED


def test_ping_needs_no_membership() -> None:
    driver = Driver()
    connection = driver.open()
    driver.say(connection, m.Ping())
    assert driver.take(connection) == [m.Pong()]


def test_what_came_through_turn_is_not_counted_as_of_peers() -> None:
    driver = Driver()
    sender, sender_id = driver.join()
    receiver, _ = driver.join()
    report = m.Report(100, 0, 0, 1, 0, far_bytes=90, relayed_bytes=30, received={sender_id: 100})
    driver.say(receiver, report, m.Report(5, 0, 0, 1, 0, relayed_bytes=2**40))
    totals = driver.tracker.totals
    assert totals.reported_bytes == {"peer": 70, "far": 70, "relayed": 35, "cdn": 0, "sent": 0}
    assert sum(totals.bytes_by_origin.values()) == 70
    del sender


def test_want_gives_others_than_those_excepted() -> None:
    driver = Driver()
    ids = [driver.join()[1] for _ in range(5)]
    connection, _ = driver.join(want=0)
    driver.say(connection, m.Want(30, ids[:3]))
    assert sorted(driver.last(connection, m.Neighbours).neighbours) == sorted(ids[3:])


def test_leave_keeps_the_socket() -> None:
    driver = Driver()
    connection, old_id = driver.join()
    driver.say(connection, m.Leave())
    assert len(driver.tracker.swarms) == 0
    driver.say(connection, m.Join(CONTENT, SESSION))
    assert driver.last(connection, m.Welcome).peer != old_id


def test_reports_add_up() -> None:
    driver = Driver()
    connection, _ = driver.join()
    driver.say(connection, m.Report(5, 7, 11, 3, 1, far_bytes=2), m.Report(5, 7, 11, 3, 0))
    assert driver.tracker.totals.reported_bytes == {"peer": 10, "far": 2, "relayed": 0, "cdn": 14, "sent": 22}
    assert driver.tracker.totals.reported_stalls == 1


def test_those_with_few_neighbours_are_given_first() -> None:
    driver = Driver()
    crowded, crowded_id = driver.join()
    lonely, lonely_id = driver.join(want=0)
    driver.say(crowded, m.Report(0, 0, 0, 12, 0))
    driver.say(lonely, m.Report(0, 0, 0, 0, 0))
    joiner, _ = driver.join()
    assert driver.last(joiner, m.Welcome).neighbours == [lonely_id, crowded_id]


def test_a_growing_swarm_is_hinted_at_most_each_interval() -> None:
    driver = Driver()
    first, _ = driver.join()
    driver.take(first)
    driver.join()
    driver.wait(0.1)
    assert driver.take(first) == [m.Hint(2)]
    driver.join()
    driver.wait(c.HINT_INTERVAL_MS / 1000 - 0.2)
    assert driver.take(first) == []
    driver.wait(0.2)
    assert driver.take(first) == [m.Hint(3)]


def test_a_small_change_is_not_worth_a_hint() -> None:
    driver = Driver()
    first, _ = driver.join()
    for _ in range(9):
        driver.join()
    driver.wait(10)
    driver.take(first)
    driver.join()
    driver.join()
    driver.wait(10)
    assert driver.take(first) == []  # 12 instead of 10
    driver.join()
    driver.wait(10)
    assert driver.take(first) == [m.Hint(13)]


def test_an_idle_socket_is_closed_and_forgotten() -> None:
    driver = Driver()
    connection, _ = driver.join()
    driver.wait(c.IDLE_TIMEOUT_MS / 1000 - 1)
    assert connection not in driver.closes
    driver.wait(2)
    assert driver.closes[connection] == c.CLOSE_IDLE
    assert len(driver.tracker.swarms) == 0


def test_pings_keep_a_socket() -> None:
    driver = Driver()
    connection, _ = driver.join()
    for _ in range(10):
        driver.wait(c.PING_INTERVAL_MS / 1000)
        driver.say(connection, m.Ping())
    assert driver.closes == {}


def test_too_many_bad_frames_close_the_socket() -> None:
    driver = Driver()
    connection = driver.open()
    for _ in range(c.MAX_BAD_FRAMES):
        assert connection not in driver.closes
        driver.perform(driver.tracker.frame_refused(connection, BadFrame("no"), driver.now))
    assert driver.closes[connection] == c.CLOSE_BAD_FRAMES


def test_a_hostile_frame_closes_at_once() -> None:
    driver = Driver()
    connection, _ = driver.join()
    error = HostileFrame("binary", c.CLOSE_UNSUPPORTED_DATA)
    driver.perform(driver.tracker.frame_refused(connection, error, driver.now))
    assert driver.closes[connection] == c.CLOSE_UNSUPPORTED_DATA
    assert len(driver.tracker.swarms) == 0


def test_a_flood_is_limited_then_cut() -> None:
    limits = Limits(connection_rate=Rate(10, 10), max_rate_strikes=3)
    driver = Driver(limits)
    connection = driver.open()
    driver.say(connection, *[m.Ping()] * 11)
    error = driver.last(connection, m.Error)
    assert (error.code, error.retry_after_ms) == (c.ERROR_RATE_LIMITED, 100)
    driver.now += 0.1
    driver.say(connection, m.Ping())
    assert driver.take(connection)[-1] == m.Pong()
    driver.say(connection, *[m.Ping()] * 3)
    assert driver.closes[connection] == c.CLOSE_RATE


def test_full_swarms_and_full_trackers_refuse() -> None:
    driver = Driver(Limits(max_swarm_members=1, max_swarms=1))
    driver.join(CONTENT)
    for content in (CONTENT, OTHER_CONTENT):
        late = driver.open()
        driver.say(late, m.Join(content, SESSION))
        assert driver.last(late, m.Error).code == c.ERROR_FULL
    assert len(driver.tracker.swarms) == 1


def test_pending_offers_are_bounded_and_the_oldest_goes() -> None:
    driver = Driver(Limits(max_pending_offers=2))
    others = [driver.join() for _ in range(3)]
    offerer, offerer_id = driver.join()
    driver.say(offerer, *[m.Offer(peer_id, "sdp") for _, peer_id in others])
    driver.take(offerer)
    for connection, _ in others:
        driver.say(connection, m.Answer(offerer_id, "answer"))
    assert driver.take(offerer) == [m.AnswerFrom(peer_id, "answer") for _, peer_id in others[1:]]


def test_an_admission_rule_is_asked_and_may_refuse() -> None:
    asked: list[Admission] = []

    def refuse(admission: Admission) -> None:
        asked.append(admission)
        raise Unauthorized("no")

    driver = Driver(admit=refuse)
    connection = driver.open()
    driver.say(connection, m.Join(CONTENT, SESSION, token="t"))
    assert [(one.key.info_hash, one.token) for one in asked] == [(CONTENT, "t")]
    assert driver.last(connection, m.Error).code == c.ERROR_UNAUTHORIZED
    assert driver.closes[connection] == c.CLOSE_UNAUTHORIZED
    assert len(driver.tracker.swarms) == 0


def test_drain_sends_everybody_away_and_takes_nobody_more() -> None:
    driver = Driver()
    native, _ = driver.join()
    torrent = driver.open(Family.WEBTORRENT)
    driver.perform(driver.tracker.drain(driver.now))
    restart = driver.last(native, m.Restart)
    assert 0 < restart.reconnect_min_ms < restart.reconnect_max_ms
    late = driver.open()
    assert {native, torrent, late} == {one for one, code in driver.closes.items() if code == c.CLOSE_SERVICE_RESTART}


def test_the_restart_window_grows_with_the_audience() -> None:
    driver = Driver(Limits(rejoins_per_s=1, restart_min_ms=500, restart_window_min_ms=2000))
    connections = [driver.join()[0] for _ in range(20)]
    driver.perform(driver.tracker.drain(driver.now))
    assert driver.last(connections[0], m.Restart) == m.Restart(500, 20_500)


def test_unknown_connections_are_ignored() -> None:
    driver = Driver()
    driver.say(99, m.Ping())
    driver.hang_up(99)
    driver.perform(driver.tracker.frame_refused(99, BadFrame("no"), driver.now))


BERLIN = Place("EU", "DE", "AS1", "Berlin", "", "")
PARIS = Place("EU", "FR", "AS2", "Paris", "", "")


def test_members_hear_their_cells_and_which_of_them_is_their_cluster() -> None:
    driver = Driver(Limits(cluster_min=4))
    driver.join(place=PARIS)
    berlin = [driver.join(place=BERLIN)[0] for _ in range(4)]
    first, last = (driver.last(connection, m.Welcome) for connection in (berlin[0], berlin[-1]))
    assert isinstance(last.cells, list)
    assert len(last.cells) == 4
    assert last.cells == first.cells
    assert (first.cluster, first.cluster_size) == (UNSET, 2)  # there were too few of Berlin yet
    assert (last.cluster, last.cluster_size) == (last.cells[-1], 4)
    driver.wait(5)
    for connection in berlin[:-1]:
        hint = driver.last(connection, m.Hint)
        assert (hint.cluster, hint.cluster_size) == (last.cells[-1], 4)


def test_of_unknown_places_nothing_is_said() -> None:
    driver = Driver()
    welcome = driver.last(driver.join()[0], m.Welcome)
    assert (welcome.cells, welcome.cluster) == (UNSET, UNSET)


def test_a_cluster_that_shrinks_goes_back_into_the_one_around_it() -> None:
    driver = Driver(Limits(cluster_min=4))
    paris = driver.join(place=PARIS)[0]
    berlin = [driver.join(place=BERLIN)[0] for _ in range(4)]
    driver.wait(5)
    assert driver.last(berlin[0], m.Hint).cluster_size == 4
    driver.hang_up(berlin.pop())
    driver.wait(5)
    assert driver.last(berlin[0], m.Hint).cluster_size == 3  # of four: it stands still
    driver.hang_up(berlin.pop())
    driver.wait(10)
    assert driver.last(berlin[0], m.Hint).cluster_size == 3  # the two of Berlin and the one of Paris
    assert driver.last(paris, m.Hint).cluster_size == 3


def report(**fields: Any) -> m.Report:
    totals = dict.fromkeys(("peer_bytes", "cdn_bytes", "sent_bytes", "neighbours", "stalls"), 0)
    return m.Report(**{**totals, **fields})


def test_reported_round_trips_give_members_coordinates() -> None:
    driver = Driver()
    (one, one_id), (other, other_id) = driver.join(), driver.join()
    swarm = driver.tracker.swarms.get(SwarmKey(Family.NATIVE, CONTENT))
    assert swarm is not None
    driver.say(one, report(rtts={other_id: 40, one_id: 1, NOBODY: 9}))
    for _ in range(20):
        driver.say(other, report(rtts={one_id: 40}))
        driver.say(one, report(rtts={other_id: 40}))
    here, there = (member.coordinate for member in swarm)
    assert here is not None
    assert there is not None
    assert predicted_rtt_ms(here, there) == pytest.approx(40, rel=0.1)
    assert sum(driver.tracker.totals.rtt_errors) == 40


def test_who_joins_later_begins_beside_somebody_of_its_place() -> None:
    driver = Driver()
    (mate, _), (far, far_id), (late, _) = (driver.join(place=place) for place in (BERLIN, PARIS, BERLIN))
    driver.say(far, report(rtts={}))
    for connection in (far, mate, mate, mate):
        driver.say(connection, report(rtts={far_id: 100}))
    swarm = driver.tracker.swarms.get(SwarmKey(Family.NATIVE, CONTENT))
    assert swarm is not None
    driver.say(late, report(rtts={NOBODY: 5}))
    coordinates = {member.connection: member.coordinate for member in swarm}
    known = coordinates[mate]
    assert known is not None
    assert coordinates[late] == beside(known)


def test_bytes_are_counted_by_the_place_that_sender_and_receiver_share() -> None:
    driver = Driver()
    one, _ = driver.join(place=BERLIN)
    _, in_berlin = driver.join(place=BERLIN)
    _, in_germany = driver.join(place=BERLIN._replace(isp="AS3", metro="Hamburg"))
    _, in_japan = driver.join(place=Place("AS", "JP", "AS4", "Tokyo"))
    received = {in_berlin: 50, in_germany: 30, in_japan: 10, NOBODY: 7}
    driver.say(one, report(peer_bytes=100, received=received))
    counted = {name: size for name, size in driver.tracker.totals.bytes_by_origin.items() if size}
    assert counted == {"metro": 50, "country": 30, "world": 10, "unknown": 10}


def test_bytes_by_place_are_never_more_than_came_of_peers_at_all() -> None:
    driver = Driver()
    one, _ = driver.join(place=BERLIN)
    _, other = driver.join(place=BERLIN)
    driver.say(one, report(peer_bytes=100, received={other: 2**40}))
    assert sum(driver.tracker.totals.bytes_by_origin.values()) == 100


def test_round_trips_to_the_tracker_are_counted() -> None:
    driver = Driver()
    connection, _ = driver.join()
    for rtt_ms in (10, 11, 60_000):
        driver.say(connection, report(tracker_rtt_ms=rtt_ms))
    driver.say(connection, report())
    totals = driver.tracker.totals
    assert (totals.tracker_rtts, totals.tracker_rtts_ms) == ([1, 1, 0, 0, 0, 0, 0, 1], 60_021)


def test_what_is_held_is_remembered_until_the_next_report() -> None:
    driver = Driver()
    connection, _ = driver.join()
    holding = m.Holding("a" * 16, 7, [(3, 5)])
    driver.say(connection, report(holdings=[holding]))
    swarm = driver.tracker.swarms.get(SwarmKey(Family.NATIVE, CONTENT))
    assert swarm is not None
    assert [member.holdings for member in swarm] == [(holding,)]
    driver.say(connection, report())
    assert [member.holdings for member in swarm] == [()]


LINE = Place("", "", "", "", "192.0.2.1/32", "")


def test_sockets_of_one_address_share_a_rate_and_are_not_cut_for_it() -> None:
    driver = Driver(Limits(site_rate=Rate(40, 1), connect_cost=0, max_rate_strikes=1))
    one, other = driver.open(place=LINE), driver.open(place=LINE)
    elsewhere = driver.open(place=LINE._replace(site="192.0.2.2/32"))
    for connection in (one, other, elsewhere):
        driver.say(connection, m.Join(CONTENT, SESSION))
    driver.say(one, *[m.Ping()] * 20)
    driver.say(other, m.Ping())
    refused = driver.last(other, m.Error)
    assert (refused.code, refused.retry_after_ms) == (c.ERROR_RATE_LIMITED, 1000)
    driver.say(elsewhere, m.Ping())
    driver.last(elsewhere, m.Pong)
    assert not driver.closes
    driver.wait(2)
    driver.say(other, m.Ping())
    driver.last(other, m.Pong)


def test_a_swarm_s_flood_is_slowed_and_leaves_others_alone() -> None:
    driver = Driver(Limits(swarm_rate=Rate(25, 1)))
    one, other = driver.join()[0], driver.join(OTHER_CONTENT)[0]
    driver.say(one, *[m.Ping()] * 30)
    assert driver.last(one, m.Error).code == c.ERROR_RATE_LIMITED
    driver.say(other, m.Ping())
    driver.last(other, m.Pong)


def test_an_address_has_a_bound_of_sockets_and_is_forgotten_with_the_last() -> None:
    driver = Driver(Limits(max_site_connections=2))
    one, other = driver.open(place=LINE), driver.open(place=LINE)
    assert driver.tracker.is_crowded(LINE, driver.now)
    assert not driver.tracker.is_crowded(Place(), driver.now)
    driver.hang_up(one)
    assert not driver.tracker.is_crowded(LINE, driver.now)
    driver.hang_up(other)
    assert driver.tracker.table_sizes()["sites"] == 0


def test_who_hangs_up_and_comes_back_has_no_more_tokens_than_before() -> None:
    driver = Driver(Limits(site_rate=Rate(100, 10), connect_cost=30))
    for _ in range(3):
        assert not driver.tracker.is_crowded(LINE, driver.now)
        driver.hang_up(driver.open(place=LINE))
    assert driver.tracker.is_crowded(LINE, driver.now)
    assert not driver.tracker.is_crowded(LINE._replace(site="192.0.2.2/32"), driver.now)
    driver.wait(2)
    assert not driver.tracker.is_crowded(LINE, driver.now)
    driver.wait(10)
    assert driver.tracker.table_sizes()["empty_sites"] == 0


def test_frames_that_cannot_be_read_cost_their_site_s_tokens() -> None:
    driver = Driver(Limits(site_rate=Rate(100, 10), connect_cost=10, bad_frame_cost=50))
    babbler = driver.open(place=LINE)
    driver.perform(driver.tracker.frame_refused(babbler, BadFrame("no"), driver.now))
    assert not driver.tracker.is_crowded(LINE, driver.now)
    driver.perform(driver.tracker.frame_refused(babbler, BadFrame("no"), driver.now))
    assert driver.tracker.is_crowded(LINE, driver.now)


def test_who_goes_on_and_on_although_its_site_has_no_tokens_is_closed() -> None:
    driver = Driver(Limits(site_rate=Rate(20, 1), connect_cost=0, max_rate_strikes=1, max_crowd_strikes=5))
    one, other = driver.open(place=LINE), driver.open(place=LINE)
    driver.say(one, *[m.Ping()] * 20)
    driver.say(other, *[m.Ping()] * 4)
    assert other not in driver.closes
    driver.say(other, m.Ping())
    assert driver.closes[other] == c.CLOSE_RATE


def test_who_goes_on_without_tokens_is_answered_a_few_times_and_again_when_it_has_some() -> None:
    driver = Driver(Limits(connection_rate=Rate(5, 1)))
    connection = driver.open()
    driver.say(connection, *[m.Ping()] * 50)
    answers = driver.take(connection)
    assert [type(one) for one in answers] == [m.Pong] * 5 + [m.Error] * TOLD_STRIKES
    driver.wait(1)
    driver.say(connection, m.Ping(), m.Ping())
    assert [type(one) for one in driver.take(connection)] == [m.Pong, m.Error]


def test_a_socket_that_pings_and_never_joins_is_closed_after_a_minute_and_one_that_joins_is_not() -> None:
    driver = Driver()
    mute, (member, _) = driver.open(place=LINE), driver.join(place=LINE)
    for _ in range(2):
        driver.wait(29)
        driver.say(mute, m.Ping())
        driver.say(member, m.Ping())
    assert driver.closes == {}
    driver.wait(2)
    assert driver.closes == {mute: c.CLOSE_IDLE}
    assert driver.tracker.totals.unjoined == {"join": 1, "join_crowd": 0}
    assert driver.tracker.table_sizes()["unjoined"] == 0


def test_of_too_many_who_have_not_joined_a_site_s_oldest_is_cut_and_members_and_other_sites_stay() -> None:
    driver = Driver(Limits(max_unfinished=4, max_line_unfinished=2))
    member, elsewhere = driver.join(place=LINE)[0], driver.open(place=LINE._replace(site="192.0.2.2/32"))
    mute = [driver.open(place=LINE) for _ in range(5)]
    assert list(driver.closes) == mute[:3]
    assert driver.tracker.totals.unjoined == {"join": 0, "join_crowd": 3}
    for connection in (member, elsewhere, mute[3], mute[4]):
        driver.say(connection, m.Ping())
        driver.last(connection, m.Pong)


def test_sites_without_sockets_are_bounded() -> None:
    driver = Driver(Limits(max_empty_sites=3))
    for number in range(5):
        driver.hang_up(driver.open(place=LINE._replace(site=f"192.0.2.{number}/32")))
    assert driver.tracker.table_sizes()["empty_sites"] == 3


def test_a_site_s_number_is_told_only_where_it_is_a_cluster() -> None:
    driver = Driver(Limits(cluster_min=2))
    alone, _ = driver.join(place=BERLIN._replace(site="192.0.2.1/32"))
    welcome = driver.last(alone, m.Welcome)
    assert isinstance(welcome.cells, list)
    assert len(welcome.cells) == 4
    office = [driver.join(place=BERLIN._replace(site="192.0.2.2/32"))[0] for _ in range(2)]
    welcome = driver.last(office[1], m.Welcome)
    assert isinstance(welcome.cells, list)
    assert len(welcome.cells) == 5
    assert welcome.cluster == welcome.cells[-1]
    driver.wait(5)
    assert driver.last(office[0], m.Hint).cluster == welcome.cluster


def told_nats(driver: Driver, *mappings: str) -> list[tuple[int, str]]:
    """Members on lines of their own whose NATs are known."""
    found = []
    for number, mapping in enumerate(mappings):
        connection, peer = driver.join(place=Place(site=f"line {number}"), want=0)
        driver.say(connection, m.Nat(mapping))  # type: ignore[arg-type]
        found.append((connection, peer))
    return found


def test_whom_nats_part_are_not_introduced() -> None:
    driver = Driver()
    told_nats(driver, "dependent", "blocked", "none", "independent")
    hard, _ = driver.join(place=Place(site="line 0"))  # known by its line
    welcome = driver.last(hard, m.Welcome)
    assert len(welcome.neighbours) == 3  # not the blocked one; its own line's is on its network


def test_an_offer_without_hope_is_declined_at_once_but_not_one_by_a_relay() -> None:
    driver = Driver()
    (one, _), (other, other_peer) = told_nats(driver, "dependent", "dependent")
    driver.say(one, m.Offer(other_peer, "sdp"))
    assert driver.last(one, m.DeclineFrom) == m.DeclineFrom(other_peer, "nat")
    assert not [message for message in driver.take(other) if isinstance(message, m.OfferFrom)]
    driver.say(one, m.Offer(other_peer, "sdp", relay=True))
    assert driver.last(other, m.OfferFrom).sdp == "sdp"
    driver.take(one)
    driver.say(one, m.Nat("dependent"))  # said again, it changes nothing for what goes by a relay
    assert [message for message in driver.take(one) if isinstance(message, m.DeclineFrom)] == []


def test_attempts_end_when_a_nat_turns_out_to_leave_no_hope() -> None:
    driver = Driver()
    (one, one_peer), (other, other_peer) = told_nats(driver, "independent", "dependent")
    driver.say(one, m.Offer(other_peer, "sdp"))
    driver.say(one, m.Nat("dependent"))
    assert driver.last(one, m.DeclineFrom) == m.DeclineFrom(other_peer, "nat")
    assert driver.last(other, m.DeclineFrom) == m.DeclineFrom(one_peer, "nat")


def test_attempts_count_that_were_answered_only() -> None:
    driver = Driver()
    (one, one_peer), (other, other_peer), (_, third_peer) = told_nats(driver, "independent", "dependent", "dependent")
    driver.say(one, m.Offer(other_peer, "sdp"))
    driver.say(other, m.Answer(one_peer, "sdp"))
    driver.say(one, m.Offer(third_peer, "sdp"))
    attempts = {other_peer: False, third_peer: True, NOBODY: True, one_peer: True}
    driver.say(one, m.Report(0, 0, 0, 0, 0, attempts=attempts))
    totals = driver.tracker.reachability.totals
    assert [(key[2], count) for key, count in totals.items()] == [(False, 1)]
