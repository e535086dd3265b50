"""Swarms and their members: who wants one content, and what each member has offered to whom.

A swarm belongs to one protocol family: native and WebTorrent clients cannot talk to each other, so they are never
introduced, even when they want the same info hash.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import Enum
from typing import Final, NamedTuple, Protocol

from msgspec import Struct

from peerpool.core.clusters import Cell, Cells
from peerpool.core.coordinates import Coordinate
from peerpool.core.errors import Full
from peerpool.core.introductions import Circle
from peerpool.core.limits import Limits, TokenBucket
from peerpool.core.messages import Holding
from peerpool.core.places import NOWHERE, Place
from peerpool.core.reachability import UNKNOWN_NAT, Nat

ConnectionId = int


class Family(Enum):
    """Protocol families. Members of one never meet members of the other."""

    NATIVE = "native"
    WEBTORRENT = "webtorrent"


class SwarmKey(NamedTuple):
    """Names a swarm: 40 hex digits (native) or 20 code points (WebTorrent), and the customer's site, if there are any.

    Viewers of one content at two sites are in two swarms: whom one site admits, the other may not.
    """

    family: Family
    info_hash: str
    site: str = ""


class Rng(Protocol):
    """The part of `random.Random` the core needs; tests pass a seeded one."""

    def randbytes(self, n: int, /) -> bytes:
        """Return `n` random bytes."""

    def random(self) -> float:
        """Return a number from 0 to below 1."""

    def sample(self, population: range, /, k: int) -> list[int]:
        """Return `k` distinct numbers of `population`, in random order."""


class PendingOffer(Struct, gc=False):
    """An offer that was relayed: until `expires_at` (seconds) it may be answered once and candidates may follow it.

    `has_turn` where its sender uses TURN for it: what both NATs do is nothing to it.
    """

    expires_at: float
    is_answered: bool = False
    has_turn: bool = False


# Of members at other nodes, who have none here.
NO_CONNECTION: Final = 0
# Senders at other nodes that no digest has named yet.
STRANGERS_MAX: Final = 256


class RemoteView:
    """What another node said of a swarm last: some of its members, and how many there are at which places."""

    __slots__ = ("expires_at", "members", "sizes")

    def __init__(self) -> None:
        self.expires_at = 0.0
        self.members: dict[str, Member] = {}
        self.sizes: dict[tuple[str, ...], int] = {}


class Member:
    """One member of one swarm, bound to the connection that announced it, or to another node.

    `degree` is how many neighbours it is believed to have: what it reported, plus introductions since.
    `cells` are those it is in, loosest first, and `slots` where in each; `clusters.py` keeps them.
    `sent` is keyed by the receiver (and offer id), oldest first; it exists only once something was offered.
    """

    __slots__ = (
        "announced_at", "cells", "circle", "connection", "coordinate", "degree", "holdings", "is_seed", "line", "links",
        "nat", "node", "peer_id", "place", "sent", "slots", "swarm", "told_cluster", "told_size",
    )  # fmt: skip

    def __init__(self, peer_id: str, connection: ConnectionId, swarm: Swarm, now: float) -> None:
        self.peer_id = peer_id
        self.connection = connection
        self.swarm = swarm
        self.announced_at = now
        self.degree = 0
        self.is_seed = False
        self.told_size = 0
        self.told_cluster: Cell | None = None
        self.cells: tuple[Cell, ...] = ()
        self.slots: list[int] = []
        self.place = NOWHERE
        # Whom its line and itself were introduced to (introductions.py); neither has one of members at other nodes.
        self.line: Circle | None = None
        self.circle: Circle | None = None
        # Which other node it is at; empty for our own.
        self.node = ""
        self.nat: Nat = UNKNOWN_NAT
        # What its reports say; None and empty until the first.
        self.coordinate: Coordinate | None = None
        self.holdings: tuple[Holding, ...] = ()
        # Round trips to its neighbours, where known; only while an operator looks at the swarm (swarm_graph.py).
        self.links: dict[str, int | None] | None = None
        self.sent: dict[str, PendingOffer] | None = None

    def told(self, cluster: Cell) -> None:
        """Note that it was told which cluster it is in, and how large that is."""
        self.told_cluster, self.told_size = cluster, len(cluster)

    def record_offers(self, keys: Iterable[str], limits: Limits, now: float) -> None:
        """Remember an offer under each of `keys`; forget the oldest when there are too many."""
        sent = self.sent
        if sent is None:
            sent = self.sent = {}
        most, expires_at = limits.max_pending_offers, now + limits.offer_timeout_s
        for key in keys:
            sent.pop(key, None)  # a renewed offer is the newest
            if len(sent) >= most:
                del sent[next(iter(sent))]
            sent[key] = PendingOffer(expires_at)

    def live_offer(self, key: str, now: float) -> PendingOffer | None:
        """Return the offer under `key` unless it has expired."""
        offer = self.sent.get(key) if self.sent else None
        return offer if offer is not None and offer.expires_at > now else None

    def forget_offer(self, key: str) -> None:
        """Forget the offer under `key`, if any."""
        if self.sent is not None:
            self.sent.pop(key, None)


class Swarm:
    """All who want one content, and the cells they are in."""

    __slots__ = (
        "_by_id", "bucket", "cells", "completed", "key", "looked_at_until", "seeds", "shown", "strangers", "views",
    )  # fmt: skip

    def __init__(self, key: SwarmKey, limits: Limits, now: float) -> None:
        self.key = key
        self.bucket = TokenBucket(limits.swarm_rate, now)
        # Seconds; an operator looks at whom its members are connected with.
        self.looked_at_until = 0.0
        self.seeds = 0
        self.completed = 0
        self.cells = Cells(limits.cluster_min)
        # By node; and who sent something from one and is in no view of it.
        self.views: dict[str, RemoteView] = {}
        self.strangers: dict[str, Member] = {}
        # Peer ids in our last digest.
        self.shown: list[str] = []
        self._by_id: dict[str, Member] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[Member]:
        return iter(self._by_id.values())

    def get(self, peer_id: str) -> Member | None:
        """Return the member called `peer_id` that is here."""
        return self._by_id.get(peer_id)

    def find(self, peer_id: str) -> Member | None:
        """Return the member called `peer_id`, here or at a node that told of it."""
        found = self._by_id.get(peer_id) or self.strangers.get(peer_id)
        if found is None:
            for view in self.views.values():
                found = view.members.get(peer_id)
                if found is not None:
                    break
        return found

    def make_remote(self, peer_id: str, node: str, place: Place, now: float) -> Member:
        """Put a member that another node told of into its cells."""
        member = self.strangers.pop(peer_id, None) or Member(peer_id, NO_CONNECTION, self, now)
        member.node, member.place = node, place
        self.cells.add(member, place)
        return member

    def remember(self, peer_id: str, node: str, now: float) -> Member:
        """Remember who sent something from another node, so that the answer finds the way back."""
        if len(self.strangers) >= STRANGERS_MAX:
            del self.strangers[next(iter(self.strangers))]
        member = self.strangers[peer_id] = Member(peer_id, NO_CONNECTION, self, now)
        member.node = node
        return member

    def add(self, member: Member, place: Place) -> None:
        """Take in `member`, whose peer id must be new here."""
        member.place = place
        self._by_id[member.peer_id] = member
        self.cells.add(member, place)

    def remove(self, member: Member) -> None:
        """Take out `member`, in constant time."""
        self.cells.remove(member)
        del self._by_id[member.peer_id]
        if member.is_seed:
            self.seeds -= 1

    def set_seed(self, member: Member, *, is_seed: bool) -> None:
        """Count `member` as one that holds everything, or not."""
        self.seeds += is_seed - member.is_seed
        member.is_seed = is_seed


class Swarms:
    """All swarms of the tracker. A swarm exists exactly as long as it has members."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._swarms: dict[SwarmKey, Swarm] = {}
        self.member_counts: dict[Family, int] = dict.fromkeys(Family, 0)

    def __len__(self) -> int:
        return len(self._swarms)

    def __iter__(self) -> Iterator[Swarm]:
        return iter(self._swarms.values())

    def get(self, key: SwarmKey) -> Swarm | None:
        """Return the swarm called `key`."""
        return self._swarms.get(key)

    def enter(
        self, key: SwarmKey, peer_id: str, connection: ConnectionId, now: float, place: Place = NOWHERE
    ) -> Member:
        """Make a member of the swarm `key`, which comes to be if need be. Raises Full."""
        swarm = self._swarms.get(key)
        if swarm is None:
            if len(self._swarms) >= self._limits.max_swarms:
                raise Full("the tracker has no room for another swarm")
            swarm = self._swarms[key] = Swarm(key, self._limits, now)
        elif len(swarm) >= self._limits.max_swarm_members:
            raise Full("the swarm has no room for another member")
        member = Member(peer_id, connection, swarm, now)
        swarm.add(member, place)
        self.member_counts[key.family] += 1
        return member

    def leave(self, member: Member) -> None:
        """Forget `member`, and its swarm when it was the last."""
        swarm = member.swarm
        swarm.remove(member)
        self.member_counts[swarm.key.family] -= 1
        if len(swarm) == 0:
            del self._swarms[swarm.key]
