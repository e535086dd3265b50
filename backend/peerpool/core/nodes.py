"""What the trackers of one Redis count together: each tells its own totals, and adds up what it heard of late.

Like the digests (federation.py) this is soft state: a node that says nothing for a lease is not counted any more, and
what it had counted is gone with it.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from peerpool.core.federation import LEASE_S
from peerpool.core.state import Totals
from peerpool.core.swarm import Family, Swarms

# More than any installation has; what a stranger on that Redis can make us remember.
NODES_MAX: Final = 256


class NodeTotals(Struct, frozen=True):
    """What one node counts, since it started; members are those it has now. Bytes and stalls are what clients claim."""

    node: str
    members: dict[str, int]
    joins: int
    announces: int
    relays: dict[str, int]
    bytes: dict[str, int]
    stalls: int


def totals_of(node: str, swarms: Swarms, totals: Totals) -> NodeTotals:
    """Return what this node tells."""
    members = {family.value: swarms.member_counts[family] for family in Family}
    return NodeTotals(
        node,
        members,
        totals.joins,
        totals.announces,
        dict(totals.relays),
        dict(totals.reported_bytes),
        totals.reported_stalls,
    )


class Nodes:
    """The other nodes that were heard of late."""

    def __init__(self) -> None:
        self._heard: dict[str, tuple[float, NodeTotals]] = {}

    def heard(self, told: NodeTotals, now: float) -> None:
        """Take what another node tells; what it told before is forgotten."""
        if told.node in self._heard or len(self._heard) < NODES_MAX:
            self._heard[told.node] = (now + LEASE_S, told)

    def alive(self, now: float) -> list[NodeTotals]:
        """Return what those tell that were heard within a lease; forget the others."""
        self._heard = {node: entry for node, entry in self._heard.items() if entry[0] > now}
        return [told for _, told in self._heard.values()]


def sum_of(own: NodeTotals, others: list[NodeTotals]) -> NodeTotals:
    """Add up all nodes; the sum has the name of our own."""
    every = [own, *others]
    return NodeTotals(
        own.node,
        _add([one.members for one in every]),
        sum(one.joins for one in every),
        sum(one.announces for one in every),
        _add([one.relays for one in every]),
        _add([one.bytes for one in every]),
        sum(one.stalls for one in every),
    )


def _add(counts: list[dict[str, int]]) -> dict[str, int]:
    """Add up by our own names: a stranger's are not ours to show."""
    return {name: sum(one.get(name, 0) for one in counts) for name in counts[0]}
