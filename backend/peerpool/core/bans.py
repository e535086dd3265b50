"""Who is sent away because its neighbours say that it sent wrong bytes: by lines, not by heads.

Nobody but the accuser has seen the bytes, so its word is a vote of its line, and one line is one vote however many
browsers are behind it. Three lines that conspire can ban whom they are connected to; that costs its victim the
sharing, and nothing that it plays. A line is the site of a `Place`; all of unknown site are one.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from typing import Final

from peerpool.core.limits import Limits
from peerpool.core.swarm import ConnectionId, Member

# How long an accusation counts, and a banned member against its line.
MEMORY_S: Final = 600.0
# How long a line of which so many were banned may not join.
SHUT_S: Final = 600.0
LINE_BANS: Final = 3
# Lines that ban in a swarm of so many at least; below that the majority of the others, and two at least.
QUORUM: Final = 3
QUORUM_MIN: Final = 2
LINES_OF_QUORUM: Final = 6


def quorum(lines: int) -> int:
    """Return how many lines ban a member of a swarm of so many, its own among them."""
    return QUORUM if lines >= LINES_OF_QUORUM else max(QUORUM_MIN, (lines - 1) // 2 + 1)


def were_connected(one: Member, other: Member) -> bool:
    """Whether one of them answered the other's offer: else neither can have had bytes of the other."""
    return _was_answered(one, other) or _was_answered(other, one)


def _was_answered(offerer: Member, other: Member) -> bool:
    offer = offerer.sent.get(other.peer_id) if offerer.sent else None
    return offer is not None and offer.is_answered


class Docket:
    """Accusations of the last ten minutes, and the lines of who was banned. Nothing here names anybody to anybody."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        # By peer id of the accused: when each line accused it last. Who was last is last, of both.
        self._accused: OrderedDict[str, dict[str, float]] = OrderedDict()
        # By line: when members of it were banned, the last few. Those with a ban last are last.
        self._condemned: OrderedDict[str, list[float]] = OrderedDict()
        # How many accusations of an open socket counted.
        self._made: dict[ConnectionId, int] = {}

    def sizes(self) -> dict[str, int]:
        """Return how much each table holds."""
        return {"accused": len(self._accused), "condemned_lines": len(self._condemned), "accusers": len(self._made)}

    def charge(self, accuser: ConnectionId) -> bool:
        """Count an accusation against its maker; return whether it had one left."""
        made = self._made.get(accuser, 0)
        if made >= self._limits.max_accusations:
            return False
        self._made[accuser] = made + 1
        return True

    def accuse(self, accused: str, line: str, needed: int, now: float) -> bool:
        """Note that `line` accuses somebody; return whether `needed` lines do."""
        known = self._accused.pop(accused, {})
        lines = {one: at for one, at in known.items() if one != line and at + MEMORY_S > now}
        lines[line] = now
        if len(lines) >= needed:
            return True
        self._accused[accused] = lines
        if len(self._accused) > self._limits.max_accused:
            self._accused.popitem(last=False)
        return False

    def condemn(self, line: str, now: float) -> None:
        """Note that a member of `line` was banned. Nothing is held against those whose line is unknown."""
        if not line:
            return
        known = self._condemned.pop(line, [])
        self._condemned[line] = [*(at for at in known if at + MEMORY_S > now), now][-LINE_BANS:]
        if len(self._condemned) > self._limits.max_condemned_lines:
            self._condemned.popitem(last=False)

    def shut_for_s(self, line: str, now: float) -> float:
        """Return how long `line` may not join yet; 0 when it may."""
        bans = self._condemned.get(line, ())
        return max(0.0, bans[-1] + SHUT_S - now) if len(bans) >= LINE_BANS else 0.0

    def forget_member(self, peer_id: str) -> None:
        """Forget what is said of a member that is gone."""
        self._accused.pop(peer_id, None)

    def forget_socket(self, connection: ConnectionId) -> None:
        """Forget how often somebody accused."""
        self._made.pop(connection, None)

    def expire(self, now: float) -> None:
        """Forget what is over at `now`."""
        while self._accused and self._oldest_accused_at() + MEMORY_S <= now:
            self._accused.popitem(last=False)
        while self._condemned and self._oldest_condemned_at() + SHUT_S <= now:
            self._condemned.popitem(last=False)

    def next_deadline(self) -> float:
        """Return when `expire` has something to do; infinity when nothing is pending."""
        deadlines = [math.inf]
        if self._accused:
            deadlines.append(self._oldest_accused_at() + MEMORY_S)
        if self._condemned:
            deadlines.append(self._oldest_condemned_at() + SHUT_S)
        return min(deadlines)

    def _oldest_accused_at(self) -> float:
        lines = next(iter(self._accused.values()))
        return next(reversed(lines.values()))

    def _oldest_condemned_at(self) -> float:
        return next(iter(self._condemned.values()))[-1]
