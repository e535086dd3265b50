"""How many others a line and a member are introduced to.

An introduction makes two known to each other, whoever asked: each can learn the other's address by it. So a line (the
site of a `Place`) may know so many members of a swarm who are there, more where more of its own are there, and nothing
that it knew is forgotten when its members leave and come again. Who is known costs nothing a second time, who has left
makes room, and after that the oldest are forgotten slowly. Who may be told of nobody new is told of those it knows.

Of several members on one line each has such a circle of its own besides: else one of thousands behind a provider's NAT
could learn what all of them know. The figures and what was rejected are in docs/adr/0014.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Collection
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from peerpool.core.limits import Limits
    from peerpool.core.state import State
    from peerpool.core.swarm import Member, Rng, Swarm, SwarmKey

# Who asks is told of nobody new from this part of it on. The rest is for newcomers who are told of us: without it all
# who have been there for long would be full, and newcomers would find nobody.
ASKED_PART: Final = 2
# In so many seconds as many as may be known are forgotten, oldest first, as new ones are asked for: a viewer whose
# neighbours are of no use has another to try every 75 s, and an attacker no more.
MEMORY_S: Final = 3600.0
# Looking for those who have left costs 0.1 us for each that is known: no more often than this.
SWEEP_INTERVAL_S: Final = 1.0
# Of those chosen few know too many; in a swarm where nearly all do the search ends after so many rounds.
ROUNDS_MAX: Final = 4
# Candidates looked at for each one wanted of those who are known already: some are gone, or connected to the asker.
DRAWN_PER_KNOWN: Final = 4

LineKey = tuple["SwarmKey", int]


class Circle:
    """Whom a line, or one member of it, was introduced to: peer ids, oldest first. Who has left is swept out late."""

    __slots__ = ("emptied_at", "forgot_at", "known", "limit", "members", "swept_at")

    def __init__(self, limit: int, now: float) -> None:
        self.known: dict[str, None] = {}
        self.members = 1
        self.limit = limit
        # Since when nobody was forgotten though somebody was wanted.
        self.forgot_at = now
        self.swept_at = -math.inf
        self.emptied_at = math.inf

    def admits(self, peer_id: str, swarm: Swarm, now: float) -> bool:
        """Whether it may come to know `peer_id` because that one asked."""
        if len(self.known) < self.limit or peer_id in self.known:
            return True
        self._sweep(swarm, now)
        return len(self.known) < self.limit

    def room(self, wanted: int, swarm: Swarm, now: float) -> int:
        """Return of how many new ones, `wanted` at most, who asks may be told. Makes room as time allows."""
        most = self.limit // ASKED_PART
        missing = wanted - (most - len(self.known))
        if missing > 0:
            self._sweep(swarm, now)
            missing = wanted - (most - len(self.known))
        if missing <= 0:
            self.forgot_at = now
            return wanted
        interval_s = MEMORY_S / self.limit
        forgotten = min(missing, int((now - self.forgot_at) / interval_s))
        if forgotten > 0:
            for peer_id in list(self.known)[:forgotten]:
                del self.known[peer_id]
            self.forgot_at += forgotten * interval_s
        return max(0, most - len(self.known))

    def _sweep(self, swarm: Swarm, now: float) -> None:
        if now >= self.swept_at + SWEEP_INTERVAL_S:
            self.swept_at = now
            self.known = {peer_id: None for peer_id in self.known if swarm.find(peer_id) is not None}

    def draw(self, count: int, swarm: Swarm, unwanted: Collection[str], rng: Rng) -> list[Member]:
        """Return up to `count` of those who are known and there, in random order, none of `unwanted`."""
        known = list(self.known)
        drawn = rng.sample(range(len(known)), k=min(len(known), DRAWN_PER_KNOWN * count + len(unwanted)))
        found = (swarm.find(known[index]) for index in drawn if known[index] not in unwanted)
        return [member for member in found if member is not None][:count]


class Lines:
    """The circles of lines, of each swarm apart: those with members, and those without that are remembered."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        # By the interpreter's hash, keyed anew in each process, in place of the line's name: that is an address, and of
        # who has left none is kept.
        self._present: dict[LineKey, Circle] = {}
        self._empty: OrderedDict[LineKey, Circle] = OrderedDict()

    def sizes(self) -> dict[str, int]:
        """Return how much each table holds."""
        return {"lines": len(self._present), "empty_lines": len(self._empty)}

    def enter(self, member: Member, now: float) -> None:
        """Give `member` the circle of its line. All of unknown address are one line."""
        key = _key(member)
        circle = self._present.get(key)
        if circle is None:
            circle = self._empty.pop(key, None) or Circle(self._limits.max_known, now)
            self._present[key] = circle
            self._count(circle, 1)
        else:
            self._count(circle, circle.members + 1)
        member.line = circle

    def _count(self, circle: Circle, members: int) -> None:
        limits = self._limits
        circle.members = members
        circle.limit = limits.max_known + limits.max_known_per_mate * max(0, members - 1)

    def leave(self, member: Member, now: float) -> None:
        """Take `member` from its line, whose circle stays as it is for an hour."""
        circle = member.line
        if circle is None:
            return
        self._count(circle, circle.members - 1)
        if circle.members > 0:
            return
        key = _key(member)
        del self._present[key]
        if not circle.known:
            return
        circle.emptied_at = now
        self._empty[key] = circle
        if len(self._empty) > self._limits.max_empty_lines:
            self._empty.popitem(last=False)

    def expire(self, now: float) -> None:
        """Forget the lines without members for long enough."""
        while self._empty and next(iter(self._empty.values())).emptied_at + MEMORY_S <= now:
            self._empty.popitem(last=False)

    def next_deadline(self) -> float:
        """Return when `expire` has something to do; infinity when nothing is pending."""
        return next(iter(self._empty.values())).emptied_at + MEMORY_S if self._empty else math.inf


def _key(member: Member) -> LineKey:
    return (member.swarm.key, hash(member.place.site))


def introduce(state: State, member: Member, count: int, excluded: Collection[str], now: float) -> list[Member]:
    """Return at most `count` others for `member`, best first, and note that they know each other."""
    circles = _circles(state, member, now)
    rooms = [circle.room(count, member.swarm, now) for circle in circles]
    fresh = min(rooms)
    chosen = _choose(state, member, fresh, excluded, now)
    if fresh < count:
        # Of the line's those it may come to know itself, then its own.
        for circle, most in zip(circles, [*rooms[1:], count], strict=True):
            missing = most - len(chosen)
            if missing > 0:
                unwanted = {member.peer_id, *excluded, *(other.peer_id for other in chosen)}
                known = circle.draw(missing, member.swarm, unwanted, state.rng)
                chosen += [other for other in known if not state.reachability.is_hopeless(member, other)]
    for circle in circles:
        circle.known.update(dict.fromkeys([other.peer_id for other in chosen]))
    for other in chosen:
        _note(state, other, member, now)
    return chosen


def take_offer(state: State, sender: Member, to: Member, now: float) -> bool:
    """Note that `to` learns of `sender`, whom another node introduced to it; False where it knows too many."""
    if not _admits(state, to, sender, now):
        return False
    _note(state, to, sender, now)
    return True


def _choose(state: State, member: Member, count: int, excluded: Collection[str], now: float) -> list[Member]:
    """Choose among those who may come to know `member`; where there is none of them, among all."""
    chosen: list[Member] = []
    refused: list[Member] = []
    unwanted = excluded
    for _ in range(ROUNDS_MAX):
        refused_before = len(refused)
        found = state.selection.choose(member.swarm, member, count - len(chosen), unwanted, state.rng)
        for other in found:
            line = other.line
            # The first is nearly always so, and saves a call.
            is_free = line is not None and line.members == 1 and len(line.known) < line.limit
            (chosen if is_free or _admits(state, other, member, now) else refused).append(other)
        if len(refused) == refused_before:
            break  # where nobody was, those who were chosen are all there are
        unwanted = {*excluded, *(other.peer_id for other in chosen), *(other.peer_id for other in refused)}
    return chosen or refused[:count]


def _admits(state: State, member: Member, other: Member, now: float) -> bool:
    return all(circle.admits(other.peer_id, member.swarm, now) for circle in _circles(state, member, now))


def _note(state: State, member: Member, other: Member, now: float) -> None:
    line = member.line
    if line is None:
        return
    line.known[other.peer_id] = None
    if line.members > 1:
        _circles(state, member, now)[-1].known[other.peer_id] = None


def _circles(state: State, member: Member, now: float) -> tuple[Circle, ...]:
    """Return that of its line and, where it is not alone there, its own. Members at other nodes have none here."""
    line = member.line
    if line is None:
        return ()
    if line.members == 1:
        return (line,)
    own = member.circle
    if own is None:
        own = member.circle = Circle(state.limits.max_known, now)
    return (line, own)
