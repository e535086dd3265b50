"""What the dashboard shows of now: pure views of the tracker and of the sums of the last minute, bounded in rows.

Bytes, stalls and first frames are what clients claim; viewers, joins and refusals are what the tracker saw.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from msgspec import Struct

from peerpool.core.figures import Figures, figures_of
from peerpool.core.ledger import LedgerKey, Sums, total
from peerpool.core.places import Level
from peerpool.core.seats import Group
from peerpool.core.swarm import Family, Swarm
from peerpool.core.tracker import Tracker

# Contents with figures of their own, in the history and on the dashboard; the others are summed.
CONTENTS_KEPT: Final = 50
# There are 249 codes.
COUNTRIES_MAX: Final = 300


class ContentNow(Struct, frozen=True):
    """One content, or with an empty `content` all of a site that are too many to show."""

    site: str
    content: str
    name: str
    figures: Figures


class Clusters(Struct, frozen=True):
    """Clusters of one level, and members that are in none tighter."""

    level: str
    clusters: int
    members: int


class Attempts(Struct, frozen=True):
    """Attempts to connect without a relay since the start, by what both NATs do."""

    nats: list[str]
    connected: int
    failed: int


class Machine(Struct, frozen=True):
    """What is of the tracker and not of one site; absent from what a site is shown."""

    connections: int
    connections_max: int
    loop_lag_ms: float
    torrent_members: int
    countries: dict[str, int]
    clusters: list[Clusters]
    nats: dict[str, int]
    attempts: list[Attempts]
    turn_credentials: int


class Overview(Struct, frozen=True):
    """Now. `sharing` and `held_out` are of the last `window_s`, refusals and incidents since the start."""

    at_s: int
    window_s: float
    site: str | None  # of whom alone it is
    is_open: bool
    sites: list[str]
    viewers: int
    held_out_viewers: int
    swarms: int
    sharing: Figures
    held_out: Figures
    contents: list[ContentNow]
    refusals: dict[str, int]
    accusations: int
    bans: int
    notices: list[str]
    machine: Machine | None


class Census:
    """Who is where, counted swarm by swarm, so that the shell can do other work in between."""

    def __init__(self) -> None:
        self.clusters = {level: [0, 0] for level in Level}
        self.countries: Counter[str] = Counter()

    def count(self, swarm: Swarm) -> None:
        """Count the members of one swarm."""
        swarm.cells.count(self.clusters)
        for cell in swarm.cells.areas():
            if cell.level is Level.COUNTRY:
                self.countries[cell.path[Level.COUNTRY - 1]] += len(cell.members)


class Recent(Struct):
    """The sums of the last minute or so: of the largest contents, and their names."""

    window_s: float
    sums: dict[LedgerKey, Sums]
    names: dict[str, str]


class Surroundings(NamedTuple):
    """What the shell knows: the time of the epoch, and what it is about to run out of or complains of."""

    at_s: int
    connections_max: int = 0
    loop_lag_ms: float = 0.0
    notices: Sequence[str] = ()


def overview(
    tracker: Tracker, recent: Recent, census: Census, around: Surroundings, site: str | None = None
) -> Overview:
    """Return what there is to see, of one site alone where `site` is given."""
    gate, totals = tracker.gate, tracker.totals
    sums = {key: one for key, one in recent.sums.items() if site is None or key.site == site}
    refusals, viewers, held_out = totals.refusals, tracker.swarms.member_counts[Family.NATIVE], totals.holdout.members
    swarms = len(tracker.swarms)
    if site is not None:
        account = gate.accounts.get(site) if gate is not None else None
        refusals = account.refusals if account is not None else {}
        viewers = account.groups[Group.SHARING].members if account is not None else 0
        held_out = account.groups[Group.HOLDOUT].members if account is not None else 0
        swarms = len({key.content for key in sums if key.group is Group.SHARING})
    groups = {group: total(one for key, one in sums.items() if key.group is group) for group in Group}
    return Overview(
        at_s=around.at_s,
        window_s=recent.window_s,
        site=site,
        is_open=gate is None,
        sites=sorted(gate.accounts) if gate is not None and site is None else [],
        viewers=viewers,
        held_out_viewers=held_out,
        swarms=swarms,
        sharing=figures_of(groups[Group.SHARING], recent.window_s),
        held_out=figures_of(groups[Group.HOLDOUT], recent.window_s),
        contents=_contents(sums, recent),
        refusals=dict(refusals),
        accusations=totals.accusations if site is None else 0,
        bans=totals.bans if site is None else 0,
        notices=list(around.notices) if site is None else [],
        machine=_machine(tracker, census, around) if site is None else None,
    )


def _contents(sums: Mapping[LedgerKey, Sums], recent: Recent) -> list[ContentNow]:
    own = {key: one for key, one in sums.items() if key.group is Group.SHARING}
    most = sorted(own, key=lambda key: (own[key].viewer_ms, key), reverse=True)[: CONTENTS_KEPT + 1]
    return [
        ContentNow(key.site, key.content, recent.names.get(key.content, ""), figures_of(own[key], recent.window_s))
        for key in most
    ]


def _machine(tracker: Tracker, census: Census, around: Surroundings) -> Machine:
    reachability = tracker.reachability
    pairs: dict[tuple[str, str], list[int]] = {}
    for (low, high, connected), count in sorted(reachability.totals.items()):
        pairs.setdefault((low.name.lower(), high.name.lower()), [0, 0])[not connected] += count
    return Machine(
        connections=tracker.connection_count,
        connections_max=around.connections_max,
        loop_lag_ms=around.loop_lag_ms,
        torrent_members=tracker.swarms.member_counts[Family.WEBTORRENT],
        countries=dict(census.countries.most_common(COUNTRIES_MAX)),
        clusters=[
            Clusters(level.name.lower(), clusters, members) for level, (clusters, members) in census.clusters.items()
        ],
        nats={mapping.name.lower(): count for mapping, count in reachability.members.items() if count},
        attempts=[Attempts(list(nats), connected, failed) for nats, (connected, failed) in pairs.items()],
        turn_credentials=tracker.totals.turn_credentials,
    )
