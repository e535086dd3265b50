"""What operators may see of swarms and members: pure views of the tracker's state, as the structs that the API sends.

Bytes, round trips and holdings are what clients claim. A site is named by its number only, for its name is an address.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from peerpool.core.admission import Gate
from peerpool.core.availability import holders
from peerpool.core.clusters import Cell, cluster_of
from peerpool.core.coordinates import predicted_rtt_ms
from peerpool.core.messages import Holding
from peerpool.core.places import Level
from peerpool.core.seats import Account, Counts, Group
from peerpool.core.swarm import Family, Member, Swarm, SwarmKey, Swarms

# Rows of one answer, unless fewer are asked for.
ROWS_MAX: Final = 200


class SiteCounts(Struct, frozen=True):
    """One customer's site: its two groups, and joins refused by code."""

    id: str
    sharing: Counts
    holdout: Counts
    refusals: dict[str, int]


class SiteRow(Struct, frozen=True):
    """One customer's site: its rules, of the secrets only how many, and counts."""

    counts: SiteCounts
    origins: list[str]
    contents: list[str]
    tokens: str
    enabled: bool
    ramp_percent: float
    holdout_percent: float
    max_members: int
    joins_per_minute: int
    integrity: str
    secrets: int


class SiteList(Struct, frozen=True):
    """All sites; none where the tracker is open to anybody."""

    is_open: bool
    sites: list[SiteRow]


class SwarmRow(Struct, frozen=True):
    """A swarm in the list: hex id, protocol family, how many are in it."""

    id: str
    family: str
    members: int
    seeds: int
    clusters: int
    site: str


class SwarmList(Struct, frozen=True):
    """The largest swarms, and how many there are."""

    total: int
    swarms: list[SwarmRow]


class ClusterRow(Struct, frozen=True):
    """A place that stands for itself: names from continent to city, where known; how many of it have none tighter."""

    id: int
    level: str
    place: list[str]
    members: int
    own: int


class TrackRow(Struct, frozen=True):
    """A track that members reported to hold some of: how many, the first and last segment, where playheads are."""

    track: str
    members: int
    first: int
    last: int
    playhead_min: int
    playhead_max: int


class SwarmReport(Struct, frozen=True):
    """One swarm."""

    id: str
    family: str
    members: int
    seeds: int
    clusters: list[ClusterRow]
    tracks: list[TrackRow]


class PeerRow(Struct, frozen=True):
    """A member, as it is listed; `rtt_ms` is predicted, from somebody that was named."""

    id: str
    place: list[str]
    neighbours: int
    rtt_ms: float | None


class HolderList(Struct, frozen=True):
    """Who reported to hold a segment, the nearest first where somebody asks."""

    total: int
    holders: list[PeerRow]


class PeerReport(Struct, frozen=True):
    """One member; `coordinate` is x, y, z, height in ms and the error as a part."""

    id: str
    swarm: str
    family: str
    place: list[str]
    cluster: int
    cluster_level: str
    cluster_members: int
    neighbours: int
    coordinate: list[float] | None
    holdings: list[Holding]


def site_counts(gate: Gate) -> list[SiteCounts]:
    """Return what is counted of each site."""
    return [_counts_of(account) for account in gate.accounts.values()]


def list_sites(gate: Gate | None) -> SiteList:
    """Return all there is to say of sites; of secrets only how many there are."""
    if gate is None:
        return SiteList(True, [])
    rows = [
        SiteRow(
            _counts_of(account),
            rules.origins,
            rules.contents,
            rules.tokens,
            rules.enabled,
            rules.ramp_percent,
            rules.holdout_percent,
            rules.max_members,
            rules.joins_per_minute,
            rules.integrity,
            len(rules.secrets),
        )
        for account in gate.accounts.values()
        if (rules := account.rules) is not None
    ]
    return SiteList(False, rows)


def _counts_of(account: Account) -> SiteCounts:
    groups = account.groups
    return SiteCounts(account.id, groups[Group.SHARING], groups[Group.HOLDOUT], account.refusals)


def list_swarms(swarms: Swarms, limit: int) -> SwarmList:
    """Return the largest swarms."""
    largest = sorted(swarms, key=len, reverse=True)[: min(limit, ROWS_MAX)]
    return SwarmList(len(swarms), [_swarm_row(swarm) for swarm in largest])


def report_swarm(swarm: Swarm) -> SwarmReport:
    """Return all there is to say of one. Looks at every member."""
    row = _swarm_row(swarm)
    own: dict[Cell, int] = {}
    for member in swarm:
        cluster = cluster_of(member)
        own[cluster] = own.get(cluster, 0) + 1
    largest = sorted(own, key=len, reverse=True)[:ROWS_MAX]
    clusters = [ClusterRow(c.id, c.level.name.lower(), _place(c), len(c), own[c]) for c in largest]
    return SwarmReport(row.id, row.family, row.members, row.seeds, clusters, _tracks(swarm))


def find_holders(swarm: Swarm, track: str, number: int, near: Member | None, limit: int) -> HolderList:
    """Return who has a segment; those nearest to `near` first."""
    found = [_peer_row(member, near) for member in holders(swarm, track, number) if member is not near]
    if near is not None:
        found.sort(key=lambda row: float("inf") if row.rtt_ms is None else row.rtt_ms)
    return HolderList(len(found), found[: min(limit, ROWS_MAX)])


def report_peer(member: Member) -> PeerReport:
    """Return all there is to say of a member."""
    cluster = cluster_of(member)
    key = member.swarm.key
    return PeerReport(
        hex_id(member.peer_id, key.family),
        hex_id(key.info_hash, key.family),
        key.family.value,
        _place(member.cells[-1]),
        cluster.id,
        cluster.level.name.lower(),
        len(cluster),
        member.degree,
        None if member.coordinate is None else [round(value, 3) for value in member.coordinate],
        list(member.holdings),
    )


def find_swarm(swarms: Swarms, hex_name: str) -> Swarm | None:
    """Return the swarm of this id in hex digits, of either family; of those of several sites the largest."""
    for family in Family:
        swarm = swarms.get(SwarmKey(family, _from_hex(hex_name, family)))
        if swarm is not None:
            return swarm
    of_sites = [one for one in swarms if one.key.family is Family.NATIVE and one.key.info_hash == hex_name]
    return max(of_sites, key=len, default=None)


def find_peers(swarms: Iterable[Swarm], hex_name: str) -> list[Member]:
    """Return the members of this id; a torrent client has one in each of its swarms."""
    names = {family: _from_hex(hex_name, family) for family in Family}
    found = (swarm.get(names[swarm.key.family]) for swarm in swarms)
    return [member for member in found if member is not None][:ROWS_MAX]


def hex_id(name: str, family: Family) -> str:
    """Return an id in hex digits: those of torrent clients are 20 code points."""
    return name if family is Family.NATIVE else name.encode("latin-1").hex()


def _from_hex(name: str, family: Family) -> str:
    if family is Family.NATIVE:
        return name
    try:
        return bytes.fromhex(name).decode("latin-1")
    except ValueError:
        return ""


def _swarm_row(swarm: Swarm) -> SwarmRow:
    key = swarm.key
    clusters = sum(cell.stands for cell in swarm.cells)
    return SwarmRow(hex_id(key.info_hash, key.family), key.family.value, len(swarm), swarm.seeds, clusters, key.site)


def _place(cell: Cell) -> list[str]:
    return list(cell.path[: Level.METRO])


def _peer_row(member: Member, near: Member | None) -> PeerRow:
    rtt_ms = None
    if near is not None and near.coordinate is not None and member.coordinate is not None:
        rtt_ms = round(predicted_rtt_ms(near.coordinate, member.coordinate), 1)
    name = hex_id(member.peer_id, member.swarm.key.family)
    return PeerRow(name, _place(member.cells[-1]), member.degree, rtt_ms)


def _tracks(swarm: Swarm) -> list[TrackRow]:
    by_track: dict[str, list[Holding]] = {}
    for member in swarm:
        for holding in member.holdings:
            if holding.held:
                by_track.setdefault(holding.track, []).append(holding)
    most = sorted(by_track.items(), key=lambda item: len(item[1]), reverse=True)[:ROWS_MAX]
    return [
        TrackRow(
            track,
            len(holdings),
            min(start for one in holdings for start, _ in one.held),
            max(start + count - 1 for one in holdings for start, count in one.held),
            min(one.playhead for one in holdings),
            max(one.playhead for one in holdings),
        )
        for track, holdings in most
    ]
