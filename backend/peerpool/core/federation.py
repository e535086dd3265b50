"""Several trackers, one swarm: what each tells the others of its members, and how messages find their way to them.

State is soft. Every two seconds a node sends a digest of each swarm in which it has members: how many there are at
which places, and a sample of them, which the others introduce like their own. A digest is whole, so none is waited for
and none is asked for again; the view of a node that says nothing is forgotten after its lease. So a node that dies, or
a bus that is away, is nothing special: what cannot be heard is not there.

Only native swarms are shared. Where the load balancer sends all of a content to one node, nothing is, and that is
cheaper (docs/operations.md).
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from msgspec import Struct

from peerpool.core import messages as m
from peerpool.core.constants import NEIGHBOURS_MAX
from peerpool.core.coordinates import Coordinate
from peerpool.core.introductions import take_offer
from peerpool.core.places import Place
from peerpool.core.relays import accuse, relay, relayed_to
from peerpool.core.state import Accusation, Forward, Relayed, State
from peerpool.core.swarm import Family, Member, RemoteView, Swarm, SwarmKey

DIGEST_INTERVAL_S: Final = 2.0
# Three chances to be heard.
LEASE_S: Final = 7.0
# Members of a swarm in one digest: some for each place, and no more than an SDP's worth of bytes.
SAMPLE_MAX: Final = 32
# Places in one digest, the largest; of sites nothing is said, for there are as many as members.
PLACES_MAX: Final = 64


class Introduction(Struct, frozen=True, array_like=True):
    """A member that others may be introduced to."""

    peer_id: str
    place: tuple[str, str, str, str, str, str]
    degree: int
    coordinate: tuple[float, float, float, float, float] | None


class Digest(Struct, frozen=True):
    """What a node says of one of its swarms: members by place, loosest first, and some of them."""

    node: str
    content: str
    sizes: list[tuple[list[str], int]]
    sample: list[Introduction]
    site: str = ""


def digests(state: State, node: str) -> list[Digest]:
    """Return a digest of each native swarm that has members here."""
    return [_digest(state, swarm, node) for swarm in state.swarms if swarm.key.family is Family.NATIVE]


def _digest(state: State, swarm: Swarm, node: str) -> Digest:
    remote = _sampled(swarm)
    sizes = Counter({cell.path: len(cell.members) - remote[cell.path] for cell in swarm.cells.areas()})
    largest = [(list(path), count) for path, count in sizes.most_common(PLACES_MAX) if count]
    # Those who were in the last one and have room stay in: the others need not take out and put in the same again.
    known = [member for member in (swarm.get(peer_id) for peer_id in swarm.shown) if member is not None]
    open_ones = [member for member in known if member.degree < NEIGHBOURS_MAX]
    if len(open_ones) < SAMPLE_MAX:
        drawn = swarm.cells.world.draw(2 * SAMPLE_MAX, state.rng)
        seen = {member.peer_id for member in open_ones}
        open_ones += [one for one in drawn if not one.node and one.peer_id not in seen and one.degree < NEIGHBOURS_MAX]
    sample = open_ones[:SAMPLE_MAX]
    swarm.shown = [member.peer_id for member in sample]
    introductions = [_introduction(member) for member in sample]
    return Digest(node, swarm.key.info_hash, largest, introductions, swarm.key.site)


def _introduction(member: Member) -> Introduction:
    coordinate = None if member.coordinate is None else tuple(round(value, 2) for value in member.coordinate)
    return Introduction(member.peer_id, tuple(member.place), member.degree, coordinate)  # type: ignore[arg-type]


def digest_received(state: State, digest: Digest, now: float) -> None:
    """Take what another node says of a swarm; what it said before is forgotten."""
    swarm = state.swarms.get(SwarmKey(Family.NATIVE, digest.content, digest.site))
    if swarm is None:
        return
    view = swarm.views.get(digest.node)
    if view is None:
        view = swarm.views[digest.node] = RemoteView()
    view.expires_at = now + LEASE_S
    introduced = {one.peer_id: one for one in digest.sample[:SAMPLE_MAX] if swarm.get(one.peer_id) is None}
    for peer_id in [peer_id for peer_id in view.members if peer_id not in introduced]:
        swarm.cells.remove(view.members.pop(peer_id))
    for peer_id, one in introduced.items():
        member = view.members.get(peer_id)
        if member is None:
            member = view.members[peer_id] = swarm.make_remote(peer_id, digest.node, Place(*one.place), now)
        member.degree = one.degree
        member.coordinate = None if one.coordinate is None else Coordinate(*one.coordinate)
    view.sizes = {tuple(path): count for path, count in digest.sizes[:PLACES_MAX]}
    _recount(state, swarm)


def expire(state: State, now: float) -> None:
    """Forget the nodes that were not heard for a lease."""
    for swarm in state.swarms:
        silent = [node for node, view in swarm.views.items() if now >= view.expires_at]
        for node in silent:
            for member in swarm.views.pop(node).members.values():
                swarm.cells.remove(member)
        if silent:
            _recount(state, swarm)


def _recount(state: State, swarm: Swarm) -> None:
    """Say of each area how many of its members are elsewhere and not in a sample."""
    sampled = _sampled(swarm)
    elsewhere: Counter[tuple[str, ...]] = Counter()
    for view in swarm.views.values():
        elsewhere.update(view.sizes)
    for cell in swarm.cells.areas():
        cell.elsewhere = max(0, elsewhere[cell.path] - sampled[cell.path])
        swarm.cells.settle(cell)
        state.note_resize(cell)


def _sampled(swarm: Swarm) -> Counter[tuple[str, ...]]:
    """Return how many members of other nodes are in each cell."""
    members = (member for view in swarm.views.values() for member in view.members.values())
    return Counter(cell.path for member in members for cell in member.cells)


def relay_received(state: State, node: str, relayed: Relayed, now: float) -> None:
    """Pass a message of a member elsewhere on to one of ours, by the rules that hold between our own."""
    swarm = state.swarms.get(SwarmKey(Family.NATIVE, relayed.content, relayed.site))
    to = swarm.get(relayed.to) if swarm is not None else None
    if swarm is None or to is None:
        if not isinstance(relayed.message, m.Gone | Accusation):
            gone = Relayed(relayed.content, relayed.to, relayed.from_, m.Gone(relayed.to), relayed.site)
            state.commands.append(Forward(node, gone))
        return
    if swarm.get(relayed.from_) is not None:
        return  # one of ours is not elsewhere
    if isinstance(relayed.message, Accusation):
        accuse(state, relayed.message.line, relayed.from_, to, now)
        return
    sender = swarm.find(relayed.from_) or swarm.remember(relayed.from_, node, now)
    if isinstance(relayed.message, m.OfferFrom) and not take_offer(state, sender, to, now):
        state.commands.append(Forward(node, relayed_to(sender, to.peer_id, m.Gone(to.peer_id))))
        return
    relay(state, sender, to, relayed.message, now)
