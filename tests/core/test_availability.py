"""What members hold, and of what use that is to others."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from peerpool.core.availability import WANTED_AHEAD, holders, supply
from peerpool.core.limits import Limits
from peerpool.core.messages import Holding
from peerpool.core.swarm import Family, SwarmKey, Swarms

VIDEO, SOUND = "a" * 16, "b" * 16


def holding(track: str, playhead: int, *held: tuple[int, int]) -> Holding:
    return Holding(track, playhead, list(held))


@pytest.mark.parametrize(
    ("wants", "has", "part"),
    [
        (holding(VIDEO, 10), holding(VIDEO, 90, (10, 10)), 1.0),
        (holding(VIDEO, 10), holding(VIDEO, 90, (0, 15), (18, 2)), 0.7),
        (holding(VIDEO, 10), holding(VIDEO, 90, (0, 10), (20, 50)), 0.0),
        (holding(VIDEO, 10), holding(SOUND, 90, (10, 10)), 0.0),
        (holding(VIDEO, 10), holding(VIDEO, 90, (10, 10), (10, 10)), 1.0),
    ],
)
def test_supply_is_the_part_of_what_comes_next(wants: Holding, has: Holding, part: float) -> None:
    assert supply([wants], [has]) == pytest.approx(part)


def test_the_best_track_counts_and_unknown_is_nothing() -> None:
    wants = [holding(VIDEO, 0), holding(SOUND, 0)]
    assert supply(wants, [holding(VIDEO, 0, (0, 1)), holding(SOUND, 0, (0, 5))]) == pytest.approx(5 / WANTED_AHEAD)
    assert supply([], wants) == supply(wants, []) == 0.0


@given(
    st.integers(0, 50),
    st.lists(st.tuples(st.integers(0, 60), st.integers(1, 20)), max_size=8),
)
def test_supply_is_a_part(playhead: int, held: list[tuple[int, int]]) -> None:
    assert 0 <= supply([holding(VIDEO, playhead)], [holding(VIDEO, 0, *held)]) <= 1


def test_holders_of_a_segment() -> None:
    swarms = Swarms(Limits())
    key = SwarmKey(Family.NATIVE, "c" * 40)
    for name, number in (("one", 1), ("two", 2), ("three", 3)):
        member = swarms.enter(key, name, number, 0.0)
        member.holdings = (holding(SOUND, 0, (0, 9)), holding(VIDEO, 0, (number, 2)))
    assert [member.peer_id for member in holders(member.swarm, VIDEO, 3)] == ["two", "three"]
    assert [member.peer_id for member in holders(member.swarm, VIDEO, 5)] == []
