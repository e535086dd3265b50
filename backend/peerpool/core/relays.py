"""Messages from member to member: which the receiver waits for, and the way to it, here or at another node.

Offers go to anybody of the swarm; an answer only to who offered, once; candidates only between two with an offer
between them. `DUE` is that as data; what an offer or an answer changes is noted by the same functions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from peerpool.core import constants as c
from peerpool.core import messages as m
from peerpool.core.bans import quorum
from peerpool.core.state import Accusation, Forward, Relayed, State
from peerpool.core.swarm import Member


def relay(state: State, sender: Member, to: Member, message: m.RelayedFrame, now: float) -> None:
    """Give `to` a message of `sender`, if it waits for it."""
    if not DUE[type(message)](state, sender, to, now):
        return
    tag = str(message.__struct_config__.tag)
    if tag in state.totals.relays:
        state.totals.relays[tag] += 1
    if to.node:
        state.commands.append(Forward(to.node, relayed_to(to, sender.peer_id, message)))
    else:
        state.send(to.connection, message)


def relayed_to(to: Member, sender_id: str, message: m.RelayedFrame | Accusation) -> Relayed:
    """Return a message for `to`, which is at another node."""
    key = to.swarm.key
    return Relayed(key.info_hash, sender_id, to.peer_id, message, key.site)


def accuse(state: State, line: str, accuser_id: str, accused: Member, now: float) -> None:
    """Have `line` accuse somebody, here or at another node; send it away when enough lines do."""
    if accused.node:
        state.commands.append(Forward(accused.node, relayed_to(accused, accuser_id, Accusation(line))))
        return
    own_line = accused.place.site
    if line == own_line or not state.docket.accuse(accused.peer_id, line, quorum(accused.swarm.cells.lines()), now):
        return
    state.totals.bans += 1
    state.docket.condemn(own_line, now)
    connection = state.connections[accused.swarm.key.family][accused.connection]
    banned = "neighbours on several lines say that this viewer sent wrong bytes"
    state.send(connection.id, m.Error(c.ERROR_BANNED, banned))
    state.close(connection, c.CLOSE_OFF, "banned", now)


def _offer_due(state: State, sender: Member, to: Member, now: float) -> bool:
    sender.record_offers((to.peer_id,), state.limits, now)
    return True


def _answer_due(_state: State, sender: Member, to: Member, now: float) -> bool:
    offer = to.live_offer(sender.peer_id, now)
    if offer is None or offer.is_answered:
        return False  # late or invented: the offerer has nothing it could apply this to
    offer.is_answered = True
    return True


def _candidate_due(_state: State, sender: Member, to: Member, now: float) -> bool:
    return sender.live_offer(to.peer_id, now) is not None or to.live_offer(sender.peer_id, now) is not None


def _decline_due(_state: State, sender: Member, to: Member, now: float) -> bool:
    if to.live_offer(sender.peer_id, now) is None:
        return False
    to.forget_offer(sender.peer_id)
    return True


def _gone_due(_state: State, sender: Member, to: Member, now: float) -> bool:
    return to.live_offer(sender.peer_id, now) is not None


DUE: Final[dict[type[Any], Callable[[State, Member, Member, float], bool]]] = {
    m.OfferFrom: _offer_due,
    m.AnswerFrom: _answer_due,
    m.CandidateFrom: _candidate_due,
    m.DeclineFrom: _decline_due,
    m.Gone: _gone_due,
}
