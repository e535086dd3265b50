"""What the tracker does with each message of the native protocol (docs/wire-protocol.md, section 2).

`RULES` is the protocol: which messages need membership, what they cost, which function carries them out. Relays go only
between members of one swarm, answers only to a pending offer, candidates only between two with an offer between them.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from msgspec import UNSET, UnsetType

from peerpool.core import constants as c
from peerpool.core import messages as m
from peerpool.core.bans import were_connected
from peerpool.core.clusters import cluster_of
from peerpool.core.coordinates import Coordinate, Sample, beside, corrected, surprise
from peerpool.core.errors import BadFrame, Banned, NotJoined
from peerpool.core.identity import content_id
from peerpool.core.introductions import introduce
from peerpool.core.ledger import OTHERS
from peerpool.core.limits import MS_PER_S
from peerpool.core.places import Level
from peerpool.core.reachability import Mapping as NatMapping
from peerpool.core.reachability import Nat
from peerpool.core.relays import accuse, relay
from peerpool.core.seats import add_bytes, relayed_part
from peerpool.core.state import (
    RTT_ERROR_BOUNDS,
    TRACKER_RTT_BOUNDS_MS,
    UNKNOWN_ORIGIN,
    Admission,
    Connection,
    State,
    ledger_key,
)
from peerpool.core.swarm import Family, Member, SwarmKey
from peerpool.core.swarm_graph import note_links

# Of each place so many are looked at for a coordinate to begin beside: most have one after half a minute.
MATES_ASKED: Final = 4
MAPPINGS: Final = {mapping.name.lower(): mapping for mapping in NatMapping}


class Rule(NamedTuple):
    """`handle` gets the member, or None where `needs_member` is false; `cost` is in tokens."""

    handle: Callable[[State, Connection, Any, Any, float], None]
    needs_member: bool
    cost: float


def obey(state: State, connection: Connection, message: m.ClientMessage, now: float) -> None:
    """Carry out `message`. Raises TheirError when it may not be done."""
    rule = RULES[type(message)]
    member = connection.sole_member()
    if member is None and rule.needs_member:
        _obey_held_out(state, connection, message)
    else:
        rule.handle(state, connection, member, message, now)


def _obey_held_out(state: State, connection: Connection, message: m.ClientMessage) -> None:
    """Take a report or a farewell from who is in the holdout. Raises NotJoined for all else, and from anybody else."""
    seat = connection.seat
    if seat is None:
        raise NotJoined("join a swarm first")
    match message:
        case m.Report():
            seat.counts.add(message)
            state.totals.holdout.add(message)
            state.ledger.reported(ledger_key(OTHERS, seat), message, {})
        case m.Leave():
            state.unseat(connection)
        case _:
            raise NotJoined("sharing is off for this viewer: it may only report")


def cost_of(message: m.ClientMessage) -> float:
    """Return the tokens `message` takes."""
    return RULES[type(message)].cost


def _join(state: State, connection: Connection, member: Member | None, message: m.Join, now: float) -> None:
    if message.name is not None and content_id(message.name) != message.content:
        raise BadFrame("`content` is not the hash of `name`")
    if member is not None:
        state.leave(connection, member, now)
    state.unseat(connection)
    shut_for_s = state.docket.shut_for_s(connection.place.site, now)
    if shut_for_s > 0:
        raise Banned("viewers on this line sent wrong bytes", math.ceil(shut_for_s * MS_PER_S))
    asked = Admission(
        SwarmKey(Family.NATIVE, message.content),
        message.token,
        message.site or "",
        message.name,
        message.session,
        connection.handshake.origin,
        connection.handshake.address,
        now,
    )
    joined = state.enter(connection, asked, "", now)
    integrity = _integrity(state, connection, message.content)
    servers = state.ice.servers(connection.host)
    if joined is None:
        alone = m.Welcome(state.new_peer_id(asked.key), [], 1, servers, sharing=False, integrity=integrity)
        state.send(connection.id, alone)
        return
    neighbours = _introduce(state, joined, message.want, (), now)
    cluster = cluster_of(joined)
    joined.told(cluster)
    # A site's number could be turned back into an address by trying all: it is told where many share it only.
    shown = [cell.id for cell in joined.cells[1:] if cell.level < Level.SITE or cell.stands]
    welcome = m.Welcome(
        joined.peer_id,
        neighbours,
        len(cluster),
        servers,
        cells=shown or UNSET,
        cluster=m.cluster_id(cluster),
        integrity=integrity,
        relay=_relay(state, joined),
    )
    state.send(connection.id, welcome)


def _relay(state: State, member: Member) -> m.Relay | UnsetType:
    """Give `member` credentials for TURN, where there is any."""
    relay = state.ice.relay(member.peer_id, member.place)
    if relay is None:
        return UNSET
    state.totals.turn_credentials += 1
    return relay


def _ice(state: State, connection: Connection, member: Member, _message: m.Ice, _now: float) -> None:
    state.send(connection.id, m.IceServers(state.ice.servers(connection.host), _relay(state, member)))


def _integrity(state: State, connection: Connection, content: str) -> m.Integrity | UnsetType:
    """Return what the site wants, else what is known of the content, else nothing."""
    rules = connection.seat.account.rules if connection.seat is not None else None
    if rules is None or rules.integrity == "auto":
        return state.integrity_of(content, "" if rules is None else rules.id) or UNSET
    if rules.integrity == "signed":
        return m.Integrity("signed", state.integrity_keys)  # records are beside the media
    return m.Integrity("spot" if rules.integrity == "spot" else "off")


def _introduce(state: State, member: Member, count: int, excluded: Sequence[str], now: float) -> list[str]:
    chosen = introduce(state, member, count, excluded, now)
    for other in chosen:
        other.degree += 1  # it will hear from us; its next report corrects this
    member.degree += len(chosen)
    return [other.peer_id for other in chosen]


def _find(state: State, member: Member, peer_id: str) -> Member | None:
    """Return the member `peer_id` of the same swarm, or tell the sender that it is gone."""
    if peer_id == member.peer_id:
        raise BadFrame("a message to oneself")
    other = member.swarm.find(peer_id)
    if other is None:
        state.send(member.connection, m.Gone(peer_id))
    return other


def _offer(state: State, _connection: Connection, member: Member, message: m.Offer, now: float) -> None:
    other = _find(state, member, message.to)
    if other is None:
        return
    if not message.relay and state.reachability.is_hopeless(member, other):
        state.send(member.connection, m.DeclineFrom(other.peer_id, "nat"))
    else:
        relay(state, member, other, m.OfferFrom(member.peer_id, message.sdp), now)
        offer = member.live_offer(other.peer_id, now)
        if offer is not None:
            offer.has_turn = message.relay


def _answer(state: State, _connection: Connection, member: Member, message: m.Answer, now: float) -> None:
    other = _find(state, member, message.to)
    if other is not None:
        relay(state, member, other, m.AnswerFrom(member.peer_id, message.sdp), now)


def _candidate(state: State, _connection: Connection, member: Member, message: m.Candidate, now: float) -> None:
    other = _find(state, member, message.to)
    if other is not None:
        candidate = m.CandidateFrom(member.peer_id, message.candidate, message.mid, message.line)
        relay(state, member, other, candidate, now)


def _decline(state: State, _connection: Connection, member: Member, message: m.Decline, now: float) -> None:
    other = _find(state, member, message.to)
    if other is not None:
        relay(state, member, other, m.DeclineFrom(member.peer_id), now)


def _want(state: State, connection: Connection, member: Member, message: m.Want, now: float) -> None:
    state.send(connection.id, m.Neighbours(_introduce(state, member, message.count, message.except_, now)))


def _nat(state: State, _connection: Connection, member: Member, message: m.Nat, now: float) -> None:
    state.reachability.told(member, Nat(MAPPINGS[message.mapping], message.ipv6))
    if message.mapping in ("none", "independent"):
        return
    for peer_id in list(member.sent or ()):  # what it is trying: both need not wait for what will not be
        other, offer = member.swarm.get(peer_id), member.live_offer(peer_id, now)
        if other is None or offer is None or offer.has_turn:
            continue
        if state.reachability.is_hopeless(member, other):
            member.forget_offer(peer_id)
            state.send(member.connection, m.DeclineFrom(other.peer_id, "nat"))
            state.send(other.connection, m.DeclineFrom(member.peer_id, "nat"))


def _report(state: State, connection: Connection, member: Member, message: m.Report, now: float) -> None:
    if connection.seat is not None:
        connection.seat.counts.add(message)
    member.degree = min(message.neighbours, c.EXCEPT_MAX)
    totals = state.totals
    add_bytes(totals.reported_bytes, message)
    totals.reported_stalls += message.stalls
    by_level = _count_origins(state, member, message)
    state.ledger.reported(ledger_key(member.swarm.key.info_hash, connection.seat), message, by_level)
    if message.tracker_rtt_ms is not None:
        totals.tracker_rtts[bisect_left(TRACKER_RTT_BOUNDS_MS, message.tracker_rtt_ms)] += 1
        totals.tracker_rtts_ms += message.tracker_rtt_ms
    member.holdings = tuple(message.holdings)
    note_links(member, message, now)
    _count_attempts(state, member, message.attempts)
    if message.rtts:
        _locate(state, member, message.rtts)


def _count_attempts(state: State, member: Member, attempts: Mapping[str, bool]) -> None:
    """Learn from attempts at those who answered an offer: all others are invented, or were not there."""
    for peer_id, connected in attempts.items():
        other = member.swarm.get(peer_id)
        if other is not None and other is not member and were_connected(member, other):
            state.reachability.attempted(member, other, connected=connected)


def _count_origins(state: State, member: Member, message: m.Report) -> dict[Level, int]:
    """Count and return what neighbours sent by how near they are; all together no more than came of peers directly."""
    by_level: dict[Level, int] = {}
    origins, left_bytes = state.totals.bytes_by_origin, message.peer_bytes - relayed_part(message)
    for peer_id, claimed_bytes in message.received.items():
        sender = member.swarm.find(peer_id)
        if sender is None:
            continue
        counted_bytes = min(claimed_bytes, left_bytes)
        left_bytes -= counted_bytes
        level = _shared_level(member, sender)
        by_level[level] = by_level.get(level, 0) + counted_bytes
        origins[level.name.lower()] += counted_bytes
    origins[UNKNOWN_ORIGIN] += left_bytes
    return by_level


def _shared_level(one: Member, other: Member) -> Level:
    """Return the level of the tightest place that both are in."""
    return next((cell.level for cell in reversed(one.cells) if cell in other.cells), Level.WORLD)


def _locate(state: State, member: Member, rtts: Mapping[str, int]) -> None:
    """Correct the coordinate of `member` by round trips to members of its swarm that have one."""
    others = [(member.swarm.get(peer_id), rtt_ms) for peer_id, rtt_ms in rtts.items()]
    samples = [
        Sample(other.coordinate, rtt_ms)
        for other, rtt_ms in others
        if other is not None and other is not member and other.coordinate is not None
    ]
    if member.coordinate is None:
        member.coordinate = _first_coordinate(state, member)
    for sample in samples:
        error = surprise(member.coordinate, sample)
        state.totals.rtt_errors[bisect_left(RTT_ERROR_BOUNDS, error)] += 1
    member.coordinate = corrected(member.coordinate, samples, state.rng.randbytes(3))


def _first_coordinate(state: State, member: Member) -> Coordinate:
    """Begin beside somebody of the same place, the tightest where somebody has a coordinate."""
    for cell in reversed(member.cells):
        for other in cell.draw(MATES_ASKED, state.rng):
            if other.coordinate is not None:
                return beside(other.coordinate)
    return Coordinate()


def _accuse(state: State, connection: Connection, member: Member, message: m.Accuse, now: float) -> None:
    if message.peer == member.peer_id:
        raise BadFrame("an accusation of oneself")
    accused = member.swarm.find(message.peer)
    if accused is None or not were_connected(member, accused) or not state.docket.charge(connection.id):
        return
    state.totals.accusations += 1
    accuse(state, member.place.site, member.peer_id, accused, now)


def _ping(state: State, connection: Connection, _member: Member | None, _message: m.Ping, _now: float) -> None:
    state.send(connection.id, m.Pong())


def _leave(state: State, connection: Connection, member: Member, _message: m.Leave, now: float) -> None:
    state.leave(connection, member, now)


RULES: Final[dict[type[m.ClientFrame], Rule]] = {
    m.Join: Rule(_join, needs_member=False, cost=10),
    m.Offer: Rule(_offer, needs_member=True, cost=4),
    m.Answer: Rule(_answer, needs_member=True, cost=4),
    m.Candidate: Rule(_candidate, needs_member=True, cost=1),
    m.Decline: Rule(_decline, needs_member=True, cost=1),
    m.Want: Rule(_want, needs_member=True, cost=10),
    m.Nat: Rule(_nat, needs_member=True, cost=5),
    m.Report: Rule(_report, needs_member=True, cost=5),
    m.Accuse: Rule(_accuse, needs_member=True, cost=10),
    m.Ice: Rule(_ice, needs_member=True, cost=10),
    m.Ping: Rule(_ping, needs_member=False, cost=1),
    m.Leave: Rule(_leave, needs_member=True, cost=5),
}
