"""Cells and clusters: whatever comes and goes, everybody is where they are, and who is many stands alone."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from peerpool.core.clusters import FALLS_AT, Cells, cluster_of
from peerpool.core.limits import Limits
from peerpool.core.places import NOWHERE, Level, Place
from peerpool.core.swarm import Family, Member, SwarmKey, Swarms

KEY = SwarmKey(Family.NATIVE, "a" * 40)
MIN = 4
CITIES = [
    Place("EU", "DE", "AS1", "Berlin", "", ""),
    Place("EU", "DE", "AS1", "Hamburg", "", ""),
    Place("EU", "DE", "AS2", "Berlin", "", ""),
    Place("EU", "FR", "AS1", "Paris", "", ""),
    Place("NA", "US", "AS3", "", "", ""),
    Place("", "", "AS4", "", "x", ""),
    NOWHERE,
]


class Crowd:
    def __init__(self, cluster_min: int = MIN) -> None:
        self.swarms = Swarms(Limits(cluster_min=cluster_min))
        self.members: list[Member] = []
        self.entered = 0

    def enter(self, place: Place, count: int = 1) -> Member:
        for _ in range(count):
            self.entered += 1
            self.members.append(self.swarms.enter(KEY, str(self.entered), 1, 0.0, place))
        return self.members[-1]

    def leave(self, member: Member) -> None:
        self.members.remove(member)
        self.swarms.leave(member)

    @property
    def cells(self) -> Cells:
        return self.members[0].swarm.cells


def test_a_place_of_few_is_merged_into_the_one_around_it() -> None:
    crowd = Crowd()
    berlin, hamburg = crowd.enter(CITIES[0], 2), crowd.enter(CITIES[1], 1)
    assert cluster_of(berlin).level is Level.WORLD
    crowd.enter(CITIES[1])
    assert [cluster_of(one).level for one in (berlin, hamburg)] == [Level.ISP, Level.ISP]
    crowd.enter(CITIES[0], 2)
    assert [cluster_of(one).level for one in (berlin, hamburg)] == [Level.METRO, Level.ISP]
    assert len(cluster_of(berlin)) == 4
    assert len(cluster_of(hamburg)) == 6  # with those of Berlin, whom it has as neighbours too


def test_who_is_in_a_cluster_is_the_asker_s_view() -> None:
    crowd = Crowd()
    berlin, hamburg = crowd.enter(CITIES[0], 4), crowd.enter(CITIES[1], 2)
    assert cluster_of(hamburg) in berlin.cells
    assert cluster_of(berlin) not in hamburg.cells


def test_a_cell_has_the_same_id_at_every_tracker() -> None:
    one, two = Crowd().enter(CITIES[0]), Crowd().enter(CITIES[0])
    assert [cell.id for cell in one.cells] == [cell.id for cell in two.cells]
    assert len({cell.id for member in (one, Crowd().enter(CITIES[2])) for cell in member.cells[2:]}) == 5


def test_a_cluster_falls_only_when_it_has_become_much_smaller() -> None:
    crowd = Crowd(cluster_min=8)
    crowd.enter(CITIES[2], 8)
    other = crowd.enter(CITIES[3], 8)
    crowd.leave(crowd.members[0])
    crowd.leave(crowd.members[0])
    crowd.leave(crowd.members[0])
    assert cluster_of(crowd.members[0]).level is Level.METRO
    assert cluster_of(other).level is Level.METRO
    crowd.leave(crowd.members[0])
    assert cluster_of(crowd.members[0]).level is Level.CONTINENT


def test_the_same_city_of_two_providers_is_two_places() -> None:
    crowd = Crowd()
    one, two = crowd.enter(CITIES[0], 4), crowd.enter(CITIES[2], 4)
    assert cluster_of(one) is not cluster_of(two)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 1000)), max_size=80))
def test_cells_are_what_members_make_them(steps: list[tuple[bool, int]]) -> None:
    crowd = Crowd()
    stood: set[tuple[str, ...]] = set()
    for enters, pick in steps:
        if enters or not crowd.members:
            crowd.enter(CITIES[pick % len(CITIES)])
        else:
            crowd.leave(crowd.members[pick % len(crowd.members)])
        if not crowd.members:
            stood = set()
            assert len(crowd.swarms) == 0
            continue
        seen = {cell.path: cell for member in crowd.members for cell in member.cells}
        assert len(crowd.cells) == len(seen | {(): crowd.cells.world})
        for path, cell in seen.items():
            assert {*cell.members} == {member for member in crowd.members if cell in member.cells}
            if path:
                assert cell.stands == (len(cell) >= (FALLS_AT * MIN if path in stood else MIN))
        for cell, own in crowd.cells.clusters():
            assert own == sum(cluster_of(member) is cell for member in crowd.members)
        stood = {path for path, cell in seen.items() if cell.stands}
        for member in crowd.members:
            assert all(cell.members[slot] is member for cell, slot in zip(member.cells, member.slots, strict=True))
            assert cluster_of(member).stands
            assert all(
                outer.path == inner.path[: len(outer.path)]
                for outer, inner in zip(member.cells, member.cells[1:], strict=False)
            )
