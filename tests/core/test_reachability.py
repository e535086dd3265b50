"""Odds of pairs: theory, what attempts teach, and how far liars get."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from peerpool.core.limits import Limits
from peerpool.core.places import Place
from peerpool.core.reachability import (
    BELIEFS,
    HOPELESS_ODDS,
    IPV6_ODDS,
    LIKELY_ODDS,
    OPEN_TO_ALL_UNTIL,
    Mapping,
    Nat,
    Reachability,
)
from peerpool.core.swarm import Family, Member, SwarmKey, Swarms

KEY = SwarmKey(Family.NATIVE, "a" * 40)
EASY = (Mapping.UNKNOWN, Mapping.NONE, Mapping.INDEPENDENT)
nats = st.builds(Nat, st.sampled_from(Mapping), st.booleans())


class Members:
    """Members of one swarm, each on a line of its own unless it is said."""

    def __init__(self, reachability: Reachability) -> None:
        self._swarms = Swarms(Limits())
        self._reachability = reachability
        self._count = itertools.count()

    def make(self, nat: Nat | Mapping = Mapping.UNKNOWN, site: str | None = None) -> Member:
        number = next(self._count)
        place = Place("EU", "DE", "AS1", "", f"site {number}" if site is None else site, "")
        member = self._swarms.enter(KEY, str(number), number, 0.0, place)
        self._reachability.enter(member)
        nat = nat if isinstance(nat, Nat) else Nat(nat)
        if nat.mapping is not Mapping.UNKNOWN:
            self._reachability.told(member, nat)
        return member


@pytest.fixture
def reachability() -> Reachability:
    return Reachability(100)


@pytest.fixture
def members(reachability: Reachability) -> Members:
    return Members(reachability)


def test_beliefs_name_each_pair_but_those_of_whom_nothing_comes_through() -> None:
    talking = [mapping for mapping in Mapping if mapping is not Mapping.BLOCKED]
    assert set(BELIEFS) == set(itertools.combinations_with_replacement(talking, 2))
    assert all(belief.least <= belief.odds <= belief.most for belief in BELIEFS.values())


def test_only_pairs_that_theory_parts_are_hopeless(reachability: Reachability, members: Members) -> None:
    for one, other in itertools.product(Mapping, repeat=2):
        parted = Mapping.BLOCKED in (one, other) or one is other is Mapping.DEPENDENT
        assert reachability.is_hopeless(members.make(one), members.make(other)) is parted, (one, other)


def test_a_line_that_lets_dependent_ones_in_is_told_from_one_that_does_not(
    reachability: Reachability, members: Members
) -> None:
    hard = members.make(Mapping.DEPENDENT)
    lenient, strict = members.make(Mapping.INDEPENDENT), members.make(Mapping.INDEPENDENT)
    for _ in range(4):
        reachability.attempted(hard, lenient, connected=True)
        reachability.attempted(strict, members.make(Mapping.DEPENDENT), connected=False)
    assert reachability.odds(hard, lenient) > LIKELY_ODDS
    assert reachability.odds(hard, strict) < HOPELESS_ODDS
    neighbour_of_strict = members.make(Mapping.INDEPENDENT, site=strict.place.site)
    assert reachability.odds(hard, neighbour_of_strict) < HOPELESS_ODDS


def test_a_newcomer_has_the_nat_of_its_line(reachability: Reachability, members: Members) -> None:
    first = members.make(Nat(Mapping.DEPENDENT))
    reachability.leave(first)
    assert members.make(site=first.place.site).nat.mapping is Mapping.DEPENDENT
    assert members.make().nat.mapping is Mapping.UNKNOWN


def test_a_firewall_on_one_machine_is_not_its_lines(reachability: Reachability, members: Members) -> None:
    first = members.make(Mapping.BLOCKED)
    assert members.make(site=first.place.site).nat.mapping is Mapping.UNKNOWN


def test_those_of_unknown_address_are_no_line(reachability: Reachability, members: Members) -> None:
    members.make(Mapping.DEPENDENT, site="")
    one, other = members.make(site=""), members.make(Mapping.DEPENDENT, site="")
    assert one.nat.mapping is Mapping.UNKNOWN
    assert len(reachability) == 0
    assert reachability.is_hopeless(other, members.make(Mapping.DEPENDENT, site=""))


def test_within_one_network_nothing_is_hopeless(reachability: Reachability, members: Members) -> None:
    for one, other in itertools.product(Mapping, repeat=2):
        pair = members.make(one, site="an office"), members.make(other, site="an office")
        assert not reachability.is_hopeless(*pair)


def test_ipv6_goes_around_nats(reachability: Reachability, members: Members) -> None:
    one, other = (members.make(Nat(Mapping.DEPENDENT, has_ipv6=True)) for _ in range(2))
    assert reachability.odds(one, other) == IPV6_ODDS
    assert reachability.is_hopeless(one, members.make(Mapping.DEPENDENT))


@given(st.lists(st.tuples(nats, nats, st.booleans()), max_size=60), st.integers(1, 5))
def test_liars_part_nobody_whom_theory_joins(attempts: list[tuple[Nat, Nat, bool]], times: int) -> None:
    reachability = Reachability(100)
    members = Members(reachability)
    for one, other, connected in attempts * times:
        reachability.attempted(members.make(one), members.make(other), connected=connected)
    for one_mapping, other_mapping in itertools.combinations_with_replacement(EASY, 2):
        assert not reachability.is_hopeless(members.make(one_mapping), members.make(other_mapping))
    # ... and by class alone not those either of whom it cannot tell.
    fresh = members.make(Mapping.INDEPENDENT), members.make(Mapping.DEPENDENT)
    assert not reachability.is_hopeless(*fresh)


@given(st.lists(st.tuples(st.integers(0, 30), nats), max_size=200))
def test_tables_stay_bounded_and_members_are_counted(told: list[tuple[int, Nat]]) -> None:
    reachability = Reachability(10)
    members = Members(reachability)
    present = []
    for line, nat in told:
        present.append(members.make(nat, site=f"line {line}"))
    assert len(reachability) <= 10
    assert sum(reachability.members.values()) == len(present)
    for member in present:
        reachability.leave(member)
    assert not any(reachability.members.values())


def test_a_choice_prefers_the_likely_and_leaves_out_the_hopeless(reachability: Reachability, members: Members) -> None:
    asker = members.make(Mapping.DEPENDENT)
    opened = [members.make(Mapping.NONE) for _ in range(2)]
    unsure = [members.make(Mapping.INDEPENDENT) for _ in range(2)]
    hard = [members.make(Mapping.DEPENDENT) for _ in range(2)]
    mixed = [*hard, *unsure, *opened]
    assert reachability.sorted_out(asker, mixed, 2) == opened
    assert reachability.sorted_out(asker, mixed, 3) == [*opened, *unsure]
    assert reachability.sorted_out(asker, hard, 1) == []
    relaying = Reachability(100, has_relays=True)
    assert relaying.sorted_out(asker, hard, 1) == hard
    assert relaying.sorted_out(asker, mixed, 6) == [*opened, *unsure]


def test_old_attempts_fade(reachability: Reachability, members: Members) -> None:
    one, other = members.make(Mapping.UNKNOWN), members.make(Mapping.DEPENDENT)
    for _ in range(10_000):
        reachability.attempted(one, other, connected=False)
    worst = reachability.odds(one, other)
    for _ in range(3_000):
        reachability.attempted(one, other, connected=True)
    assert worst == BELIEFS[Mapping.UNKNOWN, Mapping.DEPENDENT].least
    assert reachability.odds(one, other) > LIKELY_ODDS
    assert math.isfinite(sum(reachability.totals.values()))


def test_whom_all_reach_is_left_to_those_who_reach_nobody_else(reachability: Reachability, members: Members) -> None:
    easy, hard = members.make(Mapping.INDEPENDENT), members.make(Mapping.DEPENDENT)
    opened, lenient, strict = members.make(Mapping.NONE), *(members.make(Mapping.INDEPENDENT) for _ in range(2))
    reachability.attempted(hard, lenient, connected=True)
    for one in (opened, lenient, strict):
        one.degree = OPEN_TO_ALL_UNTIL
    all_three = [opened, lenient, strict]
    assert reachability.sorted_out(easy, all_three, 1) == [strict]
    assert reachability.sorted_out(easy, all_three, 2) == [strict, opened, lenient]
    assert reachability.sorted_out(hard, all_three, 2) == [opened, lenient]
    reachability.leave(hard)
    assert reachability.sorted_out(easy, all_three, 1) == all_three  # nobody needs them more
