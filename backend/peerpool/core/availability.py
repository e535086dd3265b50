"""Who holds what, as members report it: how much one has that another will want, and who has a given segment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from peerpool.core.messages import Holding
from peerpool.core.swarm import Member, Swarm

# Segments from the playhead on that count: what a player of files buffers ahead, half a minute of 2 to 4 s segments.
WANTED_AHEAD: Final = 10


def supply(wants: Sequence[Holding], has: Sequence[Holding]) -> float:
    """Return which part of what a reporter of `wants` will ask for next is in `has`, 0 to 1; of the best track.

    Where the two reported no track in common nothing is known: 0.
    """
    return max((_part(want, offer) for want in wants for offer in has if want.track == offer.track), default=0.0)


def _part(want: Holding, offer: Holding) -> float:
    first, end = want.playhead, want.playhead + WANTED_AHEAD
    covered = sum(max(0, min(start + count, end) - max(start, first)) for start, count in offer.held)
    return min(1.0, covered / WANTED_AHEAD)  # runs may overlap: they are a client's word


def holders(swarm: Swarm, track: str, number: int) -> Iterator[Member]:
    """Yield the members that reported to hold a segment. Looks at all: for operators, not for every message."""
    for member in swarm:
        for holding in member.holdings:
            if holding.track == track and any(start <= number < start + count for start, count in holding.held):
                yield member
                break
