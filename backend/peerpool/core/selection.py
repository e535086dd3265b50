"""Whom to introduce to whom.

Half of a member's neighbours are the nearest there are: by place, then by predicted round trip and by what they hold.
Half are any of its cluster, and one or two of them from anywhere. The near ones keep bytes where they cost nothing;
with them alone a cluster would fall into knots, and a segment would need many hops or never arrive. The links to
anywhere join the clusters, serve who is cut off from its own, and keep those who crowd around somebody from being all
it knows.

All are drawn the same way: by turns one with few neighbours, so degrees stay even and newcomers are not lonely, and
any, so newcomers do not meet newcomers only: a chain in the order of joining (docs/adr/0008).
"""

from __future__ import annotations

from collections.abc import Collection
from operator import attrgetter
from typing import Final, Protocol

from peerpool.core.availability import supply
from peerpool.core.clusters import Cell, cluster_of
from peerpool.core.constants import NEIGHBOURS_MAX
from peerpool.core.coordinates import predicted_rtt_ms
from peerpool.core.places import Level
from peerpool.core.reachability import Reachability
from peerpool.core.swarm import Member, Rng, Swarm

# Candidates drawn for each neighbour wanted. Four make the chance that all of them are crowded small, while a choice
# from a swarm of any size costs tens of microseconds.
DRAWN_PER_WANTED: Final = 4
# Where nearness counts more are looked at, and of the nearest so many for each one wanted are drawn.
DRAWN_PER_NEAR: Final = 8
KEPT_PER_NEAR: Final = 2
# Somebody who holds all that the asker will want next is worth a detour of so much round trip.
SUPPLY_WORTH_MS: Final = 200.0
# Of whom nothing was measured yet: an ordinary round trip within a continent.
UNKNOWN_RTT_MS: Final = 50.0
# Of so many neighbours one is from outside the cluster ...
WANTED_PER_LONG_LINK: Final = 4
# ... up to two: the swarm's clusters are one graph with far fewer.
LONG_LINKS_MAX: Final = 2
# Of one line or office, and of one subnet: who leaves or fails with the others must not be all there is.
SAME_SITE_MAX: Final = 2
SAME_SUBNET_MAX: Final = 3


class Selection(Protocol):
    """Chooses neighbours, best first."""

    def choose(self, swarm: Swarm, asker: Member, count: int, excluded: Collection[str], rng: Rng) -> list[Member]:
        """Return at most `count` members of `swarm`: never `asker`, never one whose peer id is in `excluded`."""


class Nearest:
    """By place: the tightest cells first, then the cluster, then anywhere. Never who is known to be out of reach."""

    def __init__(self, reachability: Reachability | None = None) -> None:
        """Without `reachability` all are taken for reachable."""
        self._reachability = reachability

    def choose(self, swarm: Swarm, asker: Member, count: int, excluded: Collection[str], rng: Rng) -> list[Member]:
        """Return at most `count`; fewer only where there are fewer."""
        if count <= 0:
            return []
        choice = _Choice(asker, excluded, rng, self._reachability)
        cluster = cluster_of(asker)
        outsiders = len(swarm.cells.world) - len(cluster)
        long_links = min(LONG_LINKS_MAX, count // WANTED_PER_LONG_LINK, outsiders)
        inside = count - long_links
        for cell in reversed(asker.cells):
            if cell is cluster:
                break
            choice.take(cell, min(len(choice.taken) + _most_of(cell), inside - inside // 2), near=True, diverse=True)
        choice.take(cluster, inside - inside // 2, near=True)
        choice.take(cluster, inside)
        if len(choice.taken) < inside:
            for cell in reversed(asker.cells):  # too few here: whoever is next
                choice.take(cell, inside)
        if len(choice.taken) < count:
            choice.take(swarm.cells.world, count, outside=cluster)
            choice.take(swarm.cells.world, count)
        return choice.taken


class LeastConnected:
    """Anybody of the swarm, wherever: what locality is compared with."""

    def choose(self, swarm: Swarm, asker: Member, count: int, excluded: Collection[str], rng: Rng) -> list[Member]:
        """Return at most `count`; fewer only where there are fewer."""
        choice = _Choice(asker, excluded, rng)
        choice.take(swarm.cells.world, count)
        return choice.taken


class _Choice:
    """Who was chosen so far for one asker."""

    def __init__(
        self, asker: Member, excluded: Collection[str], rng: Rng, reachability: Reachability | None = None
    ) -> None:
        self.taken: list[Member] = []
        self._asker = asker
        self._unwanted = {*excluded, asker.peer_id}
        self._rng = rng
        self._reachability = reachability
        # To who has reported nothing, as to every torrent client, all are as near.
        self._knows_nearness = asker.coordinate is not None or bool(asker.holdings)

    def take(
        self, cell: Cell, until: int, *, near: bool = False, diverse: bool = False, outside: Cell | None = None
    ) -> None:
        """Take members of `cell` until there are `until` in all, none of `outside`.

        With `near` the nearest of those drawn; with `diverse` no more of one subnet than its share.
        """
        wanted = until - len(self.taken)
        if wanted <= 0 or len(cell) <= 1:
            return
        # Enough are drawn that `wanted` remain however many of them are unwanted.
        near = near and self._knows_nearness
        per_wanted = DRAWN_PER_NEAR if near else DRAWN_PER_WANTED
        drawn = cell.draw(wanted * per_wanted + len(self._unwanted), self._rng)
        candidates = [
            member
            for member in drawn
            if member.peer_id not in self._unwanted and (outside is None or outside not in member.cells)
        ]
        if self._reachability is not None:
            candidates = self._reachability.sorted_out(self._asker, candidates, wanted)
        if near:
            candidates = self._nearest(candidates, wanted)
        for member in _by_turns(candidates, wanted):
            if diverse and self._is_crowded(member):
                continue
            self._unwanted.add(member.peer_id)
            self.taken.append(member)

    def _nearest(self, candidates: list[Member], wanted: int) -> list[Member]:
        """Return the nearest, some for each wanted; where all are as near, as far as is known, that is all."""
        count = wanted * KEPT_PER_NEAR
        if len(candidates) <= count:
            return candidates
        costs_ms = [self._cost_ms(member) for member in candidates]
        limit_ms = sorted(costs_ms)[count - 1]
        ranked = list(zip(candidates, costs_ms, strict=True))
        nearer = [member for member, cost_ms in ranked if cost_ms < limit_ms]
        return nearer if len(nearer) >= wanted else [member for member, cost_ms in ranked if cost_ms <= limit_ms]

    def _cost_ms(self, member: Member) -> float:
        own, other = self._asker.coordinate, member.coordinate
        rtt_ms = UNKNOWN_RTT_MS if own is None or other is None else predicted_rtt_ms(own, other)
        return rtt_ms - SUPPLY_WORTH_MS * supply(self._asker.holdings, member.holdings)

    def _is_crowded(self, member: Member) -> bool:
        subnet = member.place.subnet
        return subnet != "" and sum(other.place.subnet == subnet for other in self.taken) >= SAME_SUBNET_MAX


def _most_of(cell: Cell) -> int:
    return SAME_SITE_MAX if cell.level is Level.SITE else len(cell)


def _by_turns(candidates: list[Member], count: int) -> list[Member]:
    """Choose `count` of candidates in random order: by turns one of few neighbours, and any; full ones last."""
    welcoming = [member for member in candidates if member.degree < NEIGHBOURS_MAX]
    if len(welcoming) < len(candidates):  # a full one would decline
        candidates = welcoming + [member for member in candidates if member.degree >= NEIGHBOURS_MAX]
    anyone, rest = candidates[: count // 2], candidates[count // 2 :]
    rest.sort(key=_DEGREE)  # stable: ties stay in random order
    lonely = rest[: count - len(anyone)]
    chosen: list[Member] = []
    for turn, member in enumerate(lonely):
        chosen.append(member)
        if turn < len(anyone):
            chosen.append(anyone[turn])
    chosen += anyone[len(lonely) :]
    return chosen[:count]


_DEGREE: Final = attrgetter("degree")
