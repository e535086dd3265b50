"""Two trackers, one swarm: who is elsewhere is introduced, reached, counted, and forgotten when its node is silent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import json
from peerpool.core import messages as m
from peerpool.core.federation import LEASE_S, SAMPLE_MAX, Digest
from peerpool.core.limits import Limits
from peerpool.core.places import Place
from peerpool.core.state import Relayed
from peerpool.core.swarm import Family, SwarmKey

from tests.core.driver import CONTENT, OTHER_CONTENT, Driver

BERLIN = Place("EU", "DE", "AS1", "Berlin", "", "")
KEY = SwarmKey(Family.NATIVE, CONTENT)


class Pair:
    """Two nodes that hear each other when the test says so; what goes between them goes through its encoding."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.nodes = {"a": Driver(limits, seed=1), "b": Driver(limits, seed=2)}

    def hear(self, *, only_from: str = "") -> None:
        for name, driver in self.nodes.items():
            if only_from in ("", name):
                for digest in driver.tracker.digests(name):
                    copy = json.decode(json.encode(digest), type=Digest)
                    other = self.other(name)
                    other.perform(other.tracker.digest_received(copy, other.now))

    def carry(self) -> None:
        """Carry messages until there are none."""
        while any(driver.forwarded for driver in self.nodes.values()):
            for name, driver in self.nodes.items():
                commands, driver.forwarded = driver.forwarded, []
                for command in commands:
                    assert self.nodes[command.node] is self.other(name)
                    copy = json.decode(json.encode(command.relayed), type=Relayed)
                    other = self.other(name)
                    other.perform(other.tracker.relay_received(name, copy, other.now))

    def other(self, name: str) -> Driver:
        return self.nodes["b" if name == "a" else "a"]


@pytest.fixture
def pair() -> Pair:
    return Pair()


def connected(pair: Pair) -> tuple[int, str, int, str]:
    """Return a member of each node who knows the other."""
    one, one_id = pair.nodes["a"].join()
    other, other_id = pair.nodes["b"].join()
    pair.hear()
    return one, one_id, other, other_id


def test_members_of_another_node_are_introduced_and_counted(pair: Pair) -> None:
    _, one_id, other, _ = connected(pair)
    late, _ = pair.nodes["b"].join()
    welcome = pair.nodes["b"].last(late, m.Welcome)
    assert one_id in welcome.neighbours
    assert welcome.cluster_size == 3
    pair.nodes["b"].wait(5)
    assert pair.nodes["b"].last(other, m.Hint).cluster_size == 3


def test_an_offer_its_answer_and_candidates_find_their_way(pair: Pair) -> None:
    one, one_id, other, other_id = connected(pair)
    a, b = pair.nodes["a"], pair.nodes["b"]
    a.say(one, m.Offer(other_id, "v=0 offer"), m.Candidate(other_id, "c1", "0", 0))
    pair.carry()
    assert b.take(other)[-2:] == [m.OfferFrom(one_id, "v=0 offer"), m.CandidateFrom(one_id, "c1", "0", 0)]
    b.say(other, m.Answer(one_id, "v=0 answer"), m.Candidate(one_id, "c2", "0", 0), m.Answer(one_id, "twice"))
    pair.carry()
    assert a.take(one)[-2:] == [m.AnswerFrom(other_id, "v=0 answer"), m.CandidateFrom(other_id, "c2", "0", 0)]


def test_who_declines_is_heard(pair: Pair) -> None:
    one, one_id, other, other_id = connected(pair)
    pair.nodes["a"].say(one, m.Offer(other_id, "v=0"))
    pair.carry()
    pair.nodes["b"].say(other, m.Decline(one_id))
    pair.carry()
    assert pair.nodes["a"].take(one)[-1] == m.DeclineFrom(other_id)


def test_who_has_left_meanwhile_is_gone(pair: Pair) -> None:
    one, _, other, other_id = connected(pair)
    pair.nodes["b"].join()
    pair.nodes["b"].hang_up(other)
    pair.nodes["a"].say(one, m.Offer(other_id, "v=0"))
    pair.carry()
    assert pair.nodes["a"].take(one)[-1] == m.Gone(other_id)


def test_an_answer_nobody_waits_for_is_not_delivered(pair: Pair) -> None:
    one, one_id, _, other_id = connected(pair)
    a = pair.nodes["a"]
    a.take(one)
    for message in (m.AnswerFrom(other_id, "v=0"), m.CandidateFrom(other_id, "c", None, None), m.DeclineFrom(other_id)):
        a.perform(a.tracker.relay_received("b", Relayed(CONTENT, other_id, one_id, message), a.now))
    assert a.take(one) == []


def test_a_node_cannot_speak_for_our_own_members(pair: Pair) -> None:
    one, one_id, _, _ = connected(pair)
    a = pair.nodes["a"]
    victim, victim_id = a.join()
    a.take(victim)
    a.perform(a.tracker.relay_received("b", Relayed(CONTENT, one_id, victim_id, m.OfferFrom(one_id, "v=0")), a.now))
    assert a.take(victim) == []
    assert one


def test_an_offer_of_who_was_never_named_can_be_answered(pair: Pair) -> None:
    one, one_id = pair.nodes["a"].join()
    pair.nodes["b"].join()
    other, other_id = pair.nodes["b"].join()
    pair.hear(only_from="b")  # a knows b's members, b knows none of a's
    pair.nodes["a"].say(one, m.Offer(other_id, "v=0"))
    pair.carry()
    pair.nodes["b"].say(other, m.Answer(one_id, "v=0"))
    pair.carry()
    assert pair.nodes["a"].take(one)[-1] == m.AnswerFrom(other_id, "v=0")


def test_a_silent_node_is_forgotten_after_its_lease(pair: Pair) -> None:
    one, _, _, other_id = connected(pair)
    a = pair.nodes["a"]
    a.wait(LEASE_S - 1)
    a.perform(a.tracker.expire_views(a.now))
    a.say(one, m.Offer(other_id, "v=0"))
    assert a.forwarded
    a.wait(2)
    a.perform(a.tracker.expire_views(a.now))
    a.say(one, m.Offer(other_id, "v=0"))
    assert a.take(one)[-1] == m.Gone(other_id)
    a.wait(5)
    late, _ = a.join()
    assert a.last(late, m.Welcome).cluster_size == 2


def test_clusters_count_members_elsewhere() -> None:
    pair = Pair(Limits(cluster_min=6))
    for driver in pair.nodes.values():
        for _ in range(4):
            driver.join(place=BERLIN)
        driver.join()
    pair.hear()
    late, _ = pair.nodes["a"].join(place=BERLIN)
    welcome = pair.nodes["a"].last(late, m.Welcome)
    assert welcome.cluster_size == 9
    assert isinstance(welcome.cells, list)
    assert welcome.cluster == welcome.cells[-1]


def test_other_swarms_and_torrents_are_not_told_of(pair: Pair) -> None:
    pair.nodes["a"].join(OTHER_CONTENT)
    pair.nodes["a"].announce(pair.nodes["a"].open(Family.WEBTORRENT), "t" * 20)
    pair.nodes["b"].join()
    assert {digest.content for digest in pair.nodes["a"].tracker.digests("a")} == {OTHER_CONTENT}
    pair.hear()
    late, _ = pair.nodes["b"].join()
    assert pair.nodes["b"].last(late, m.Welcome).cluster_size == 2


def test_a_digest_is_bounded_and_its_sample_stays(pair: Pair) -> None:
    for _ in range(3 * SAMPLE_MAX):
        pair.nodes["a"].join(want=0)
    (first,), (second,) = pair.nodes["a"].tracker.digests("a"), pair.nodes["a"].tracker.digests("a")
    assert len(first.sample) == SAMPLE_MAX
    assert first.sample == second.sample
    assert {tuple(path): count for path, count in first.sizes} == {(): 3 * SAMPLE_MAX}


def test_the_last_of_a_swarm_takes_what_was_known_of_others_with_it(pair: Pair) -> None:
    one, _, _, _ = connected(pair)
    a = pair.nodes["a"]
    a.hang_up(one)
    assert a.tracker.table_sizes() == dict.fromkeys(a.tracker.table_sizes(), 0)
    pair.hear()
    assert len(a.tracker.swarms) == 0


@given(st.lists(st.tuples(st.sampled_from("abhcx"), st.integers(0, 99)), max_size=40))
def test_sizes_are_what_they_are_once_all_have_been_heard(steps: list[tuple[str, int]]) -> None:
    pair = Pair(Limits(cluster_min=3))
    members: dict[str, list[int]] = {"a": [], "b": []}
    for step, pick in steps:
        if step in "ab":
            place = BERLIN if pick % 2 else Place()
            members[step].append(pair.nodes[step].join(place=place, want=4)[0])
        elif step == "h":
            pair.hear()
        elif step == "c":
            pair.carry()
        else:
            name = "ab"[pick % 2]
            if members[name]:
                pair.nodes[name].hang_up(members[name].pop(pick % len(members[name])))
    pair.hear()
    for name, driver in pair.nodes.items():
        swarm = driver.tracker.swarms.get(KEY)
        if swarm is None:
            assert not members[name]
            continue
        # A node that has nobody there says nothing, and is believed for its lease.
        if members["a"] and members["b"]:
            assert len(swarm.cells.world) == len(members["a"]) + len(members["b"])
        for cell in swarm.cells:
            assert all(cell in member.cells for member in cell.members)
