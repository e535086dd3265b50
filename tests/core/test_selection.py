"""Neighbour choice: what is never chosen, and that degrees stay even."""

from __future__ import annotations

import random
import statistics

import pytest
from peerpool.core.constants import NEIGHBOURS_MAX
from peerpool.core.coordinates import Coordinate
from peerpool.core.limits import Limits
from peerpool.core.messages import Holding
from peerpool.core.places import Place
from peerpool.core.selection import LONG_LINKS_MAX, SAME_SITE_MAX, LeastConnected, Nearest, Selection
from peerpool.core.swarm import Family, Member, SwarmKey, Swarms

KEY = SwarmKey(Family.NATIVE, "a" * 40)


def place(provider: int, site: int = 0) -> Place:
    return Place("EU", "DE", f"AS{provider}", "", f"site {provider}/{site}", f"subnet {provider}/{site}")


def fill(count: int, places: int = 1) -> tuple[Swarms, list[Member]]:
    """Enter `count` members, each provider in turn, each at a site of its own."""
    swarms = Swarms(Limits())
    return swarms, [swarms.enter(KEY, str(n), n, 0.0, place(n % places, n)) for n in range(count)]


@pytest.mark.parametrize("count", [-1, 0, 1, 5, 30])
@pytest.mark.parametrize("size", [1, 2, 6, 500])
@pytest.mark.parametrize("selection", [LeastConnected(), Nearest()], ids=["least connected", "nearest"])
@pytest.mark.parametrize("places", [1, 3, 40])
def test_who_is_chosen(count: int, size: int, selection: Selection, places: int) -> None:
    _, members = fill(size, places)
    excluded = [member.peer_id for member in members[1::3]]
    chosen = selection.choose(members[0].swarm, members[0], count, excluded, random.Random(1))
    ids = [member.peer_id for member in chosen]
    eligible = size - 1 - len(excluded)
    assert len(ids) == len(set(ids)) == max(0, min(count, eligible))
    assert not {"0", *excluded} & set(ids)


@pytest.mark.parametrize("selection", [LeastConnected(), Nearest()], ids=["least connected", "nearest"])
@pytest.mark.parametrize("places", [1, 5])
def test_degrees_stay_even_as_a_swarm_grows(selection: Selection, places: int) -> None:
    """Each joiner asks for 8: on average everybody is chosen 8 times, and nobody far more or never."""
    rng = random.Random(3)
    swarms = Swarms(Limits())
    for n in range(1000):
        joiner = swarms.enter(KEY, str(n), n, 0.0, place(n % places))
        for other in selection.choose(joiner.swarm, joiner, 8, (), rng):
            other.degree += 1
            joiner.degree += 1
    degrees = [member.degree for member in joiner.swarm]
    assert max(degrees) <= 24
    assert min(degrees) >= 8
    assert statistics.pstdev(degrees) < 3


def test_newcomers_meet_old_members_too_and_nobody_who_would_decline() -> None:
    """With those of few neighbours alone a swarm grows into a chain in the order of joining."""
    _, members = fill(41)
    for member in members[1:21]:
        member.degree = 8
    for member in members[21:31]:
        member.degree = NEIGHBOURS_MAX
    old = full = 0
    for seed in range(50):
        chosen = LeastConnected().choose(members[0].swarm, members[0], 8, (), random.Random(seed))
        old += sum(member.degree == 8 for member in chosen)
        full += sum(member.degree == NEIGHBOURS_MAX for member in chosen)
    assert old > 50
    assert full == 0


def providers_of(chosen: list[Member]) -> list[str]:
    return [member.cells[3].path[2] for member in chosen]


def test_neighbours_are_of_the_cluster_but_for_one_or_two() -> None:
    _, members = fill(400, places=4)
    for asker in members[:40]:
        chosen = Nearest().choose(asker.swarm, asker, 8, (), random.Random(1))
        own = asker.cells[3].path[2]
        assert providers_of(chosen).count(own) == 8 - LONG_LINKS_MAX
        assert own not in providers_of(chosen[-LONG_LINKS_MAX:]), "the links to anywhere come last"


def test_a_provider_of_few_comes_first_and_others_fill_up() -> None:
    _, members = fill(90, places=30)
    chosen = Nearest().choose(members[0].swarm, members[0], 8, (), random.Random(1))
    assert providers_of(chosen)[:2] == ["AS0", "AS0"]
    assert len(chosen) == 8


def test_of_one_site_only_a_few_are_chosen() -> None:
    swarms = Swarms(Limits())
    members = [swarms.enter(KEY, str(n), n, 0.0, place(1, 0 if n < 20 else n)) for n in range(200)]
    for seed in range(20):
        chosen = Nearest().choose(members[0].swarm, members[0], 8, (), random.Random(seed))
        near = chosen[:4]
        assert sum(member.place.subnet == members[0].place.subnet for member in near) <= SAME_SITE_MAX + 1


def test_without_places_the_nearest_by_round_trip_are_chosen_and_some_of_the_others() -> None:
    swarms = Swarms(Limits())
    members = [swarms.enter(KEY, str(n), n, 0.0) for n in range(200)]
    for member in members:
        member.coordinate = Coordinate(x=200.0 * (member.connection % 2))
    near = 0
    for seed in range(50):
        chosen = Nearest().choose(members[0].swarm, members[0], 8, (), random.Random(seed))
        assert all(member.connection % 2 == 0 for member in chosen[:4])
        near += sum(member.connection % 2 == 0 for member in chosen)
    assert 5 * 50 < near < 7 * 50


def test_who_holds_what_the_asker_will_want_is_nearer() -> None:
    swarms = Swarms(Limits())
    members = [swarms.enter(KEY, str(n), n, 0.0) for n in range(60)]
    members[0].holdings = (Holding("a" * 16, 100, []),)
    for member in members[1:]:
        member.holdings = (Holding("a" * 16, 0, [(100, 10)] if member.connection % 3 == 0 else [(0, 10)]),)
    for seed in range(20):
        chosen = Nearest().choose(members[0].swarm, members[0], 8, (), random.Random(seed))
        assert all(member.connection % 3 == 0 for member in chosen[:4])


def test_members_are_removed_from_anywhere() -> None:
    swarms, members = fill(5)
    swarm = members[0].swarm
    for leaver in (members[0], members[4], members[2]):
        swarms.leave(leaver)
    assert sorted(member.peer_id for member in swarm) == ["1", "3"]
    for leaver in (members[1], members[3]):
        swarms.leave(leaver)
    assert len(swarms) == 0
