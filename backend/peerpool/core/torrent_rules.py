"""What the tracker does with each message of the WebTorrent tracker protocol.

A member is keyed by (connection, info hash, peer id): a page's clients share one socket, p2p-media-loader uses another
peer id for each info hash. A peer id belongs to the connection that brought it, for as long as that is a member.
"""

from __future__ import annotations

from peerpool.core.errors import Full, NotJoined, TheirError, TooBig
from peerpool.core.introductions import introduce
from peerpool.core.state import Admission, Connection, State
from peerpool.core.swarm import Family, Member, SwarmKey
from peerpool.core.torrent_messages import (
    Announce,
    AnnounceReply,
    AnswerNotice,
    Event,
    OfferNotice,
    Scrape,
    ScrapeReply,
    SwarmCounts,
    TorrentAnswer,
    TorrentMessage,
)


def obey(state: State, connection: Connection, message: TorrentMessage, now: float) -> None:
    """Carry out `message`. Raises TheirError when it may not be done."""
    match message:
        case Announce():
            _announce(state, connection, message, now)
        case TorrentAnswer():
            _answer(state, connection, message, now)
        case Scrape():
            _scrape(state, connection, message)


def cost_of(message: TorrentMessage) -> float:
    """Return the tokens `message` takes: as much as the relays it causes."""
    match message:
        case Announce():
            return 2.0 + 2.0 * len(message.offers)
        case TorrentAnswer():
            return 2.0
        case Scrape():
            return float(len(message.info_hashes))


def announce_interval_s(state: State) -> int:
    """Return the seconds until the next announce: longer in a crowd, so that announces a second stay bounded."""
    limits = state.limits
    crowd_s = state.swarms.member_counts[Family.WEBTORRENT] / limits.announces_per_s
    return round(min(max(crowd_s, limits.announce_interval_min_s), limits.announce_interval_max_s))


def _announce(state: State, connection: Connection, message: Announce, now: float) -> None:
    state.totals.announces += 1
    key = SwarmKey(Family.WEBTORRENT, message.info_hash)
    member = _own_member(state, connection, key, message.peer_id)
    if message.event is Event.STOPPED:
        if member is not None:
            state.leave(connection, member, now)
        _reply(state, connection, key)
        return
    if member is None:
        member = _enter(state, connection, key, message.peer_id, now)
    _refresh(state, connection, member, message, now)
    _reply(state, connection, key)
    _spread_offers(state, member, message, now)


def _own_member(state: State, connection: Connection, key: SwarmKey, peer_id: str) -> Member | None:
    """Return the member `peer_id` if it is this connection's. Raises TheirError when it is another's."""
    swarm = state.swarms.get(key)
    member = swarm.get(peer_id) if swarm is not None else None
    if member is not None and member.connection != connection.id:
        raise TheirError("this peer_id belongs to another connection")
    return member


def _enter(state: State, connection: Connection, key: SwarmKey, peer_id: str, now: float) -> Member:
    here = sum(info_hash == key.info_hash for info_hash, _ in connection.members)
    if here >= state.limits.max_connection_swarm_members:
        raise Full("this socket has too many peer_ids in one swarm")
    member = state.enter(connection, Admission(key, None, now=now), peer_id, now)
    if member is None:
        raise Full("there is no holdout among torrent clients")  # no admission rule gives them a seat
    return member


def _refresh(state: State, connection: Connection, member: Member, message: Announce, now: float) -> None:
    member.announced_at = now
    member.degree = 0  # counts introductions since its last announce: who got none goes first
    clock_key = (connection.id, message.info_hash, message.peer_id)
    state.torrent_members[clock_key] = member
    state.torrent_members.move_to_end(clock_key)
    if message.event is Event.COMPLETED and not member.is_seed:
        member.swarm.completed += 1
    member.swarm.set_seed(member, is_seed=message.is_seed or message.event is Event.COMPLETED or member.is_seed)


def _reply(state: State, connection: Connection, key: SwarmKey) -> None:
    counts = _counts(state, key)
    interval_s = announce_interval_s(state)
    state.send(connection.id, AnnounceReply(key.info_hash, counts.complete, counts.incomplete, interval_s))


def _spread_offers(state: State, member: Member, message: Announce, now: float) -> None:
    """Give each offer to another member. Offers beyond the bound, or beyond the members there are, are dropped."""
    offers = message.offers[: state.limits.max_announce_offers]
    if not offers:
        return
    chosen = introduce(state, member, len(offers), (), now)
    pairs = list(zip(chosen, offers, strict=False))
    state.totals.relays["offer"] += len(pairs)
    member.record_offers([other.peer_id + offer.offer_id for other, offer in pairs], state.limits, now)
    for other, offer in pairs:
        other.degree += 1
        notice = OfferNotice(message.info_hash, message.peer_id, offer.offer_id, offer.offer_json)
        state.send(other.connection, notice)


def _answer(state: State, connection: Connection, message: TorrentAnswer, now: float) -> None:
    member = _own_member(state, connection, SwarmKey(Family.WEBTORRENT, message.info_hash), message.peer_id)
    if member is None:
        raise NotJoined("announce before answering")
    offerer = member.swarm.get(message.to_peer_id)
    offer_key = member.peer_id + message.offer_id
    if offerer is None or offerer.live_offer(offer_key, now) is None:
        return  # it left, or never offered this: nobody is waiting
    offerer.forget_offer(offer_key)
    state.totals.relays["answer"] += 1
    notice = AnswerNotice(message.info_hash, member.peer_id, message.offer_id, message.answer_json)
    state.send(offerer.connection, notice)


def _scrape(state: State, connection: Connection, message: Scrape) -> None:
    state.totals.scrapes += 1
    if len(message.info_hashes) > state.limits.max_scrape_hashes:
        raise TooBig(f"at most {state.limits.max_scrape_hashes} info hashes a scrape")
    counts = [_counts(state, SwarmKey(Family.WEBTORRENT, info_hash)) for info_hash in message.info_hashes]
    state.send(connection.id, ScrapeReply(counts, announce_interval_s(state)))


def _counts(state: State, key: SwarmKey) -> SwarmCounts:
    swarm = state.swarms.get(key)
    if swarm is None:
        return SwarmCounts(key.info_hash, 0, 0, 0)
    return SwarmCounts(key.info_hash, swarm.seeds, len(swarm) - swarm.seeds, swarm.completed)
