"""Neighbour choice: what is never chosen, and that degrees stay even."""

from __future__ import annotations

import random
import statistics

import pytest
from peerpool.core.constants import NEIGHBOURS_MAX
from peerpool.core.limits import Limits
from peerpool.core.selection import LeastConnected
from peerpool.core.swarm import Family, Member, SwarmKey, Swarms

KEY = SwarmKey(Family.NATIVE, "a" * 40)


def fill(count: int) -> tuple[Swarms, list[Member]]:
    swarms = Swarms(Limits())
    return swarms, [swarms.enter(KEY, str(n), n, 0.0) for n in range(count)]


@pytest.mark.parametrize("count", [-1, 0, 1, 5, 30])
@pytest.mark.parametrize("size", [1, 2, 6, 500])
def test_who_is_chosen(count: int, size: int) -> None:
    _, members = fill(size)
    excluded = [member.peer_id for member in members[1::3]]
    chosen = LeastConnected().choose(members[0].swarm, members[0], count, excluded, random.Random(1))
    ids = [member.peer_id for member in chosen]
    eligible = size - 1 - len(excluded)
    assert len(ids) == len(set(ids)) == max(0, min(count, eligible))
    assert not {"0", *excluded} & set(ids)


def test_degrees_stay_even_as_a_swarm_grows() -> None:
    """Each joiner asks for 8: on average everybody is chosen 8 times, and nobody far more or never."""
    rng = random.Random(3)
    swarms = Swarms(Limits())
    for n in range(1000):
        joiner = swarms.enter(KEY, str(n), n, 0.0)
        for other in LeastConnected().choose(joiner.swarm, joiner, 8, (), rng):
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


def test_members_are_removed_from_anywhere() -> None:
    swarms, members = fill(5)
    swarm = members[0].swarm
    for leaver in (members[0], members[4], members[2]):
        swarms.leave(leaver)
    assert sorted(member.peer_id for member in swarm) == ["1", "3"]
    for leaver in (members[1], members[3]):
        swarms.leave(leaver)
    assert len(swarms) == 0
