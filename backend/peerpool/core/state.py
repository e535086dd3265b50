"""What the tracker knows, and the few operations on it that the rules of both protocols share."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from msgspec import Struct

from peerpool.core import constants as c
from peerpool.core.bans import Docket
from peerpool.core.clusters import Cell
from peerpool.core.errors import Full
from peerpool.core.ice import Ice
from peerpool.core.introductions import Lines
from peerpool.core.ledger import OTHERS, Ledger, LedgerKey
from peerpool.core.limits import Limits, TokenBucket
from peerpool.core.messages import Integrity, RelayedFrame, TrackerFrame
from peerpool.core.places import NOWHERE, Level, Place
from peerpool.core.reachability import Reachability
from peerpool.core.seats import SOURCES, Counts, Group, Seat
from peerpool.core.selection import Selection
from peerpool.core.swarm import ConnectionId, Family, Member, Rng, SwarmKey, Swarms
from peerpool.core.torrent_messages import TorrentNotice
from peerpool.core.unfinished import Unfinished

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
    """Command: close `connection`, after what was sent before; without a goodbye where it `is_cut`."""

    connection: ConnectionId
    code: int
    reason: str
    is_cut: bool = False


class Accusation(Struct, frozen=True, tag="accusation"):
    """A member at another node accuses one here; `line` is the accuser's."""

    line: str


class Relayed(Struct, frozen=True):
    """A message of a member to one at another node."""

    content: str
    from_: str
    to: str
    message: RelayedFrame | Accusation
    site: str = ""


class Forward(Struct, frozen=True, gc=False):
    """Command: hand a message to another node."""

    node: str
    relayed: Relayed


Command = Send | Close | Forward


class Handshake(NamedTuple):
    """What is known of a socket: the page's origin and the client's address, which only an admission rule asks for.

    `host` is the name under which the tracker was reached, as it stands in URLs.
    """

    origin: str = ""
    address: str = ""
    host: str = ""


NO_HANDSHAKE: Final = Handshake()


class Admission(NamedTuple):
    """Somebody wants to enter a swarm, whose key says no site yet. Text that is not known is empty."""

    key: SwarmKey
    token: str | None
    site: str = ""
    name: str | None = None
    session: str = ""
    origin: str = ""
    address: str = ""
    now: float = 0.0


# Raises Unauthorized, Off, Full or Crowded to refuse; returns a seat at a site, or None where sites are nothing to it.
AdmissionRule = Callable[[Admission], Seat | None]
# Content id, site id (empty on an open tracker) -> what `welcome` says of integrity.
IntegrityRule = Callable[[str, str], Integrity | None]


def admit_everyone(admission: Admission) -> None:
    """Refuse nobody: the admission rule of an open tracker."""


def nothing_of_integrity(_content: str, _site: str) -> None:
    """Say nothing of integrity: clients compare samples."""


class Site:
    """All sockets of one address or line: how many, and their common rate. One without sockets is empty."""

    __slots__ = ("bucket", "connections", "empty_since")

    def __init__(self, limits: Limits, now: float) -> None:
        self.connections = 0
        self.bucket = TokenBucket(limits.site_rate, now)
        self.empty_since = now


class Connection:
    """One socket: its family, its place, its rate, its members (a native socket has at most one).

    `seat` is its place at a customer's site. One with a seat and no member is in the holdout: it only reports.
    """

    __slots__ = (
        "bad_frames", "bucket", "family", "handshake", "heard_at", "host", "id", "members", "place", "rate_strikes",
        "seat", "site",
    )  # fmt: skip

    def __init__(self, connection_id: ConnectionId, family: Family, limits: Limits, now: float) -> None:
        self.id = connection_id
        self.place = NOWHERE
        self.site: Site | None = None
        self.handshake = NO_HANDSHAKE
        self.host = ""
        self.seat: Seat | None = None
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
    # Sockets closed because they did not join: in time, or before others who had not either became too many.
    unjoined: dict[str, int] = field(default_factory=lambda: dict.fromkeys(("join", "join_crowd"), 0))
    reported_bytes: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SOURCES, 0))
    # Of peers' bytes, by the tightest place that sender and receiver are both in.
    bytes_by_origin: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys([*(level.name.lower() for level in Level), UNKNOWN_ORIGIN], 0)
    )
    reported_stalls: int = 0
    # Of those who never share, apart from all above.
    holdout: Counts = field(default_factory=Counts)
    # Times that a member was given credentials for TURN.
    turn_credentials: int = 0
    accusations: int = 0
    bans: int = 0
    # Round trips to this tracker, up to TRACKER_RTT_BOUNDS_MS[i], or more than the last; and their sum.
    tracker_rtts: list[int] = field(default_factory=lambda: [0] * (len(TRACKER_RTT_BOUNDS_MS) + 1))
    tracker_rtts_ms: int = 0
    # Round trips reported, by how far off each prediction was: up to RTT_ERROR_BOUNDS[i], or more than the last.
    rtt_errors: list[int] = field(default_factory=lambda: [0] * (len(RTT_ERROR_BOUNDS) + 1))


def ledger_key(content: str, seat: Seat | None) -> LedgerKey:
    """Return whose sums those of a native viewer are; who is in a holdout is of no content."""
    if seat is None:
        return LedgerKey("", content, Group.SHARING)
    return LedgerKey(seat.account.id, content if seat.group is Group.SHARING else OTHERS, seat.group)


class State:
    """Swarms, connections and their clocks. Rules change it through the methods below and emit commands."""

    def __init__(
        self,
        limits: Limits,
        selection: Selection,
        rng: Rng,
        admit: AdmissionRule,
        ice: Ice,
        *,
        integrity_of: IntegrityRule = nothing_of_integrity,
        integrity_keys: Sequence[str] = (),
        reachability: Reachability | None = None,
    ) -> None:
        self.limits = limits
        self.selection = selection
        self.rng = rng
        self.admit = admit
        self.ice = ice
        self.integrity_of = integrity_of
        self.integrity_keys = list(integrity_keys)
        self.swarms = Swarms(limits)
        # Ordered by when they were last heard, so that expiry looks only at those that are due.
        self.connections: dict[Family, OrderedDict[ConnectionId, Connection]] = {f: OrderedDict() for f in Family}
        # By name; those of unknown address have none. Empty ones, in the order in which they became it, are kept until
        # their tokens are back.
        self.sites: dict[str, Site] = {}
        self.empty_sites: OrderedDict[str, Site] = OrderedDict()
        # Sockets that have never been in a swarm, nor in a holdout.
        patience_s = {Family.NATIVE: limits.join_timeout_s, Family.WEBTORRENT: limits.torrent_join_timeout_s}
        self.unjoined: Unfinished[ConnectionId, Family] = Unfinished(
            patience_s, limits.max_unfinished, limits.max_line_unfinished
        )
        self.torrent_members: OrderedDict[tuple[ConnectionId, str, str], Member] = OrderedDict()
        # Cells of native swarms that have changed since their members were last told.
        self.resized: dict[Cell, None] = {}
        self.docket = Docket(limits)
        self.lines = Lines(limits)
        self.reachability = reachability or Reachability(limits.max_nat_lines)
        self.totals = Totals()
        self.ledger = Ledger()
        self.commands: list[Command] = []

    @property
    def site_memory_s(self) -> float:
        """Seconds after which a site that does nothing has all its tokens."""
        return self.limits.site_rate.tokens / self.limits.site_rate.refill_per_s

    def send(self, connection: ConnectionId, message: TrackerFrame | TorrentNotice) -> None:
        """Emit a message."""
        self.commands.append(Send(connection, message))

    def connect(
        self, connection_id: ConnectionId, family: Family, place: Place, handshake: Handshake, now: float
    ) -> Connection:
        """Take in a socket. An open tracker keeps nothing of the handshake but the host."""
        connection = Connection(connection_id, family, self.limits, now)
        connection.place = place
        connection.host = handshake.host
        if self.admit is not admit_everyone:
            connection.handshake = handshake
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
            self.leave(connection, member, now)
        self.unseat(connection)
        self.unjoined.end(connection.id)
        self.docket.forget_socket(connection.id)
        del self.connections[connection.family][connection.id]
        if connection.site is not None:
            connection.site.connections -= 1
            if connection.site.connections == 0:
                self._empty(connection.place.site, now)

    def close(self, connection: Connection, code: int, reason: str, now: float, *, is_cut: bool = False) -> None:
        """Forget a socket, and have it closed."""
        self.disconnect(connection, now)
        self.totals.closes[code] = self.totals.closes.get(code, 0) + 1
        self.commands.append(Close(connection.id, code, reason, is_cut))

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

    def enter(self, connection: Connection, asked: Admission, peer_id: str, now: float) -> Member | None:
        """Make `connection` a member of the swarm it asks for; None if it is in the holdout, and so in no swarm.

        An empty `peer_id` is made up. Raises Full, or what the admission rule raises.
        """
        if len(connection.members) >= self.limits.max_connection_members:
            raise Full("this socket is in too many swarms")
        seat = self.admit(asked)
        self.unjoined.end(connection.id)
        member = None
        if seat is None or seat.group is Group.SHARING:
            key = asked.key if seat is None else asked.key._replace(site=seat.account.id)
            name = peer_id or self.new_peer_id(key)
            member = self.swarms.enter(key, name, connection.id, now, connection.place)
            connection.members[key.info_hash, name] = member
            self.lines.enter(member, now)
            self.reachability.enter(member)
            self.totals.joins += 1
            self._note_resize(member)
        if seat is not None:
            connection.seat = seat
            seat.take()
            self.totals.holdout.members += member is None
        if asked.key.family is Family.NATIVE:
            self.ledger.joined(ledger_key(asked.key.info_hash, seat), asked.name)
        return member

    def new_peer_id(self, key: SwarmKey) -> str:
        """Make up a peer id that nobody in a swarm has."""
        swarm = self.swarms.get(key)
        while True:  # a clash of 80 random bits does not happen; a seeded rng in a test may make it so
            peer_id = self.rng.randbytes(c.PEER_ID_HEX_CHARS // 2).hex()
            if swarm is None or swarm.get(peer_id) is None:
                return peer_id

    def unseat(self, connection: Connection) -> None:
        """Give back the seat of a connection, if it has one."""
        seat = connection.seat
        if seat is not None:
            connection.seat = None
            seat.give_back()
            self.totals.holdout.members -= seat.group is Group.HOLDOUT

    def leave(self, connection: Connection, member: Member, now: float) -> None:
        """Forget `member` and whatever it offered."""
        key = member.swarm.key
        del connection.members[key.info_hash, member.peer_id]
        self.torrent_members.pop((connection.id, key.info_hash, member.peer_id), None)
        self.swarms.leave(member)
        self.lines.leave(member, now)
        self.reachability.leave(member)
        self.unseat(connection)
        self.docket.forget_member(member.peer_id)
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
