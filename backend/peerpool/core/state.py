"""What the tracker knows, and the few operations on it that the rules of both protocols share."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from msgspec import Struct

from peerpool.core.clusters import Cell
from peerpool.core.errors import Full
from peerpool.core.limits import Limits, TokenBucket
from peerpool.core.messages import RelayedFrame, TrackerFrame
from peerpool.core.places import NOWHERE, Level, Place
from peerpool.core.selection import Selection
from peerpool.core.swarm import ConnectionId, Family, Member, Rng, SwarmKey, Swarms
from peerpool.core.torrent_messages import TorrentNotice

# Parts of what was measured. The 15 % aimed at is one of them.
RTT_ERROR_BOUNDS: Final = (0.05, 0.1, 0.15, 0.25, 0.5, 1.0)
# Milliseconds: one town, one country, one continent, the other side of the world, and what is wrong.
TRACKER_RTT_BOUNDS_MS: Final = (10, 25, 50, 100, 200, 400, 800)
# Where bytes came from whose sender is no member any more, or was never named.
UNKNOWN_ORIGIN: Final = "unknown"


class Send(Struct, frozen=True, gc=False):
    """Command: send `message` on `connection`."""

    connection: ConnectionId
    message: TrackerFrame | TorrentNotice


class Close(Struct, frozen=True, gc=False):
    """Command: close `connection`, after what was sent before."""

    connection: ConnectionId
    code: int
    reason: str


class Relayed(Struct, frozen=True):
    """A message of a member to one at another node."""

    content: str
    from_: str
    to: str
    message: RelayedFrame


class Forward(Struct, frozen=True, gc=False):
    """Command: hand a message to another node."""

    node: str
    relayed: Relayed


Command = Send | Close | Forward


class Admission(NamedTuple):
    """Somebody wants to enter a swarm; an admission rule raises Unauthorized or Full to refuse."""

    key: SwarmKey
    token: str | None


AdmissionRule = Callable[[Admission], None]


class Site:
    """All sockets of one address or line: how many, and their common rate. One without sockets is empty."""

    __slots__ = ("bucket", "connections", "empty_since")

    def __init__(self, limits: Limits, now: float) -> None:
        self.connections = 0
        self.bucket = TokenBucket(limits.site_rate, now)
        self.empty_since = now


class Connection:
    """One socket: its family, its place, its rate, its members (a native socket has at most one)."""

    __slots__ = ("bad_frames", "bucket", "family", "heard_at", "id", "members", "place", "rate_strikes", "site")

    def __init__(self, connection_id: ConnectionId, family: Family, limits: Limits, now: float) -> None:
        self.id = connection_id
        self.place = NOWHERE
        self.site: Site | None = None
        self.family = family
        self.bucket = TokenBucket(limits.connection_rate, now)
        self.heard_at = now
        self.bad_frames = 0
        self.rate_strikes = 0
        self.members: dict[tuple[str, str], Member] = {}

    def sole_member(self) -> Member | None:
        """Return the member a native socket speaks for."""
        return next(iter(self.members.values()), None)


@dataclass(slots=True)
class Totals:
    """Counts since the start, for operators. Those of bytes and stalls are what clients claim."""

    joins: int = 0
    leaves: int = 0
    announces: int = 0
    scrapes: int = 0
    hints: int = 0
    connections_opened: int = 0
    relays: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(("offer", "answer", "candidate", "decline"), 0)
    )
    refusals: dict[str, int] = field(default_factory=dict)
    closes: dict[int, int] = field(default_factory=dict)
    reported_bytes: dict[str, int] = field(default_factory=lambda: dict.fromkeys(("peer", "far", "cdn", "sent"), 0))
    # Of peers' bytes, by the tightest place that sender and receiver are both in.
    bytes_by_origin: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys([*(level.name.lower() for level in Level), UNKNOWN_ORIGIN], 0)
    )
    reported_stalls: int = 0
    # Round trips to this tracker, up to TRACKER_RTT_BOUNDS_MS[i], or more than the last; and their sum.
    tracker_rtts: list[int] = field(default_factory=lambda: [0] * (len(TRACKER_RTT_BOUNDS_MS) + 1))
    tracker_rtts_ms: int = 0
    # Round trips reported, by how far off each prediction was: up to RTT_ERROR_BOUNDS[i], or more than the last.
    rtt_errors: list[int] = field(default_factory=lambda: [0] * (len(RTT_ERROR_BOUNDS) + 1))


class State:
    """Swarms, connections and their clocks. Rules change it through the methods below and emit commands."""

    def __init__(
        self,
        limits: Limits,
        selection: Selection,
        rng: Rng,
        admit: AdmissionRule,
        ice_servers: list[dict[str, Any]],
    ) -> None:
        self.limits = limits
        self.selection = selection
        self.rng = rng
        self.admit = admit
        self.ice_servers = ice_servers
        self.swarms = Swarms(limits)
        # Ordered by when they were last heard, so that expiry looks only at those that are due.
        self.connections: dict[Family, OrderedDict[ConnectionId, Connection]] = {f: OrderedDict() for f in Family}
        # By name; those of unknown address have none. Empty ones, in the order in which they became it, are kept until
        # their tokens are back.
        self.sites: dict[str, Site] = {}
        self.empty_sites: OrderedDict[str, Site] = OrderedDict()
        self.torrent_members: OrderedDict[tuple[ConnectionId, str, str], Member] = OrderedDict()
        # Cells of native swarms that have changed since their members were last told.
        self.resized: dict[Cell, None] = {}
        self.totals = Totals()
        self.commands: list[Command] = []

    @property
    def site_memory_s(self) -> float:
        """Seconds after which a site that does nothing has all its tokens."""
        return self.limits.site_rate.tokens / self.limits.site_rate.refill_per_s

    def send(self, connection: ConnectionId, message: TrackerFrame | TorrentNotice) -> None:
        """Emit a message."""
        self.commands.append(Send(connection, message))

    def connect(self, connection_id: ConnectionId, family: Family, place: Place, now: float) -> Connection:
        """Take in a socket."""
        connection = Connection(connection_id, family, self.limits, now)
        connection.place = place
        if place.site:
            connection.site = self._site(place.site, now)
            connection.site.connections += 1
            connection.site.bucket.charge(self.limits.connect_cost, self.limits.site_rate, now)
        self.connections[family][connection_id] = connection
        return connection

    def _site(self, name: str, now: float) -> Site:
        site = self.sites.get(name)
        if site is None:
            known = name in self.empty_sites
            site = self.sites[name] = self.empty_sites.pop(name) if known else Site(self.limits, now)
        return site

    def disconnect(self, connection: Connection, now: float) -> None:
        """Forget a socket and its members."""
        for member in list(connection.members.values()):
            self.leave(connection, member)
        del self.connections[connection.family][connection.id]
        if connection.site is not None:
            connection.site.connections -= 1
            if connection.site.connections == 0:
                self._empty(connection.place.site, now)

    def _empty(self, name: str, now: float) -> None:
        site = self.empty_sites[name] = self.sites.pop(name)
        site.empty_since = now
        if len(self.empty_sites) > self.limits.max_empty_sites:
            self.empty_sites.popitem(last=False)

    def expire_sites(self, now: float) -> None:
        """Forget the sites whose tokens are back by now."""
        while self.empty_sites:
            name, oldest = next(iter(self.empty_sites.items()))
            if oldest.empty_since + self.site_memory_s > now:
                break
            del self.empty_sites[name]

    def enter(self, connection: Connection, key: SwarmKey, peer_id: str, token: str | None, now: float) -> Member:
        """Make `connection` a member of the swarm `key`. Raises Full, or what the admission rule raises."""
        self.admit(Admission(key, token))
        if len(connection.members) >= self.limits.max_connection_members:
            raise Full("this socket is in too many swarms")
        member = self.swarms.enter(key, peer_id, connection.id, now, connection.place)
        connection.members[key.info_hash, peer_id] = member
        self.totals.joins += 1
        self._note_resize(member)
        return member

    def leave(self, connection: Connection, member: Member) -> None:
        """Forget `member` and whatever it offered."""
        key = member.swarm.key
        del connection.members[key.info_hash, member.peer_id]
        self.torrent_members.pop((connection.id, key.info_hash, member.peer_id), None)
        self.swarms.leave(member)
        self.totals.leaves += 1
        self._note_resize(member)
        if len(member.swarm) == 0:  # there may be members at other nodes; nobody here asks for them
            for cell in member.swarm.cells:
                self.resized.pop(cell, None)

    def _note_resize(self, member: Member) -> None:
        if member.swarm.key.family is Family.NATIVE:
            for cell in member.cells:
                self.note_resize(cell)

    def note_resize(self, cell: Cell) -> None:
        """Note a cell whose members may have to hear of its size."""
        if not cell.members:
            self.resized.pop(cell, None)
        elif cell.news:
            self.resized[cell] = None
