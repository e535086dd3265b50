"""Who exchanges with whom in one swarm, for an operator who looks at it.

What neighbours members have is in their reports, and is kept only while somebody looks: of a hundred thousand members
it would be most of the tracker's memory. It is whole when everybody has reported once, after half a minute.
"""

from __future__ import annotations

import itertools
from typing import Final

from msgspec import Struct

from peerpool.core.clusters import cluster_of
from peerpool.core.messages import Report
from peerpool.core.places import Level
from peerpool.core.swarm import Member, Swarm

# More cannot be told apart on a screen.
MEMBERS_SHOWN: Final = 150
# Who looks asks again sooner.
LOOKS_FOR_S: Final = 60.0


class GraphMember(Struct, frozen=True):
    """One member; names of what is not known are empty."""

    id: str
    isp: str
    country: str
    cluster: int
    neighbours: int


class GraphLink(Struct, frozen=True):
    """Two members of the list, by their places in it, and the round trip that one of them measured."""

    one: int
    other: int
    rtt_ms: int | None


class SwarmGraph(Struct, frozen=True):
    """Some members of a swarm and what is known of links between them; `reported` of them have said theirs."""

    members_total: int
    members: list[GraphMember]
    links: list[GraphLink]
    reported: int


def look(swarm: Swarm, now: float) -> SwarmGraph:
    """Return the graph, and have reports of the next while kept."""
    swarm.looked_at_until = now + LOOKS_FOR_S
    shown = list(itertools.islice(swarm, MEMBERS_SHOWN))
    places = {member.peer_id: index for index, member in enumerate(shown)}
    links: dict[tuple[int, int], int | None] = {}
    for member in shown:
        for peer_id, rtt_ms in (member.links or {}).items():
            index = places.get(peer_id)
            if index is not None and peer_id != member.peer_id:
                own = places[member.peer_id]
                pair = (min(own, index), max(own, index))
                links[pair] = rtt_ms if rtt_ms is not None else links.get(pair)
    return SwarmGraph(
        len(swarm),
        [_member(member) for member in shown],
        [GraphLink(one, other, rtt_ms) for (one, other), rtt_ms in sorted(links.items())],
        sum(member.links is not None for member in shown),
    )


def note_links(member: Member, report: Report, now: float) -> None:
    """Keep what a report says of neighbours while somebody looks, and forget it when nobody does any more."""
    if now < member.swarm.looked_at_until:
        unmeasured: dict[str, int | None] = dict.fromkeys(report.received)
        member.links = {**unmeasured, **report.rtts}
    elif member.links is not None:
        member.links = None


def _member(member: Member) -> GraphMember:
    names = member.place.path()
    return GraphMember(
        member.peer_id,
        names[Level.ISP - 1],
        names[Level.COUNTRY - 1],
        cluster_of(member).id,
        member.degree,
    )
