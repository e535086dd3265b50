"""Whom to introduce to whom.

The tracker asks a `Selection`; the one here knows nothing of places and distances. Locality is another class with the
same method.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, Protocol

from peerpool.core.constants import NEIGHBOURS_MAX
from peerpool.core.swarm import Member, Rng, Swarm

# Candidates drawn for each neighbour wanted. Four make the chance that all of them are crowded small, while a choice
# from a swarm of any size costs tens of microseconds.
DRAWN_PER_WANTED: Final = 4


class Selection(Protocol):
    """Chooses neighbours, best first."""

    def choose(self, swarm: Swarm, asker: Member, count: int, excluded: Collection[str], rng: Rng) -> list[Member]:
        """Return at most `count` members of `swarm`: never `asker`, never one whose peer id is in `excluded`."""


class LeastConnected:
    """Random members: by turns one with few neighbours, so degrees stay even and newcomers are not lonely, and any.

    With those of few neighbours alone, newcomers would meet newcomers: a chain in the order of joining, long for what
    must pass from neighbour to neighbour (docs/adr/0008).
    """

    def choose(self, swarm: Swarm, asker: Member, count: int, excluded: Collection[str], rng: Rng) -> list[Member]:
        """Draw a sample, order half of it by degree; ties stay in random order because sorts are stable."""
        if count <= 0:
            return []
        unwanted = set(excluded)
        unwanted.add(asker.peer_id)
        # Enough are drawn that `count` remain however many of them are unwanted.
        drawn = swarm.draw(count * DRAWN_PER_WANTED + len(unwanted), rng)
        candidates = [member for member in drawn if member.peer_id not in unwanted]
        candidates.sort(key=_full)
        anyone, rest = candidates[: count // 2], candidates[count // 2 :]
        lonely = sorted(rest, key=_degree)[: count - len(anyone)]
        chosen: list[Member] = []
        for turn in range(max(len(lonely), len(anyone))):
            chosen += lonely[turn : turn + 1] + anyone[turn : turn + 1]
        return chosen[:count]


def _full(member: Member) -> bool:
    """Whether it would decline."""
    return member.degree >= NEIGHBOURS_MAX


def _degree(member: Member) -> int:
    return member.degree
