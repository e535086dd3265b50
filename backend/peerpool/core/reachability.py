"""Which pairs of members can connect: by what their NATs do, and by what came of attempts.

Hole punching (RFC 5128 section 3.3) fails where both sides' NATs give every destination another port, and where one
does and the other lets in only what comes from an address and port that was sent to. A browser sees the first of its
own NAT (its *mapping*, RFC 4787 section 4.1) and not the second (its *filtering*, section 5): that is learned of each
line from attempts. Whom nothing is known of is introduced like anybody.

What members report moves the odds within bounds only, so that liars can neither part those whom theory joins nor waste
many attempts of others.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from enum import IntEnum
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from peerpool.core.swarm import Member

# Below these odds an attempt costs more than it brings: each takes a page's time and some kilobytes for 15 s.
HOPELESS_ODDS: Final = 0.1
# From these on who is asked for is not put behind others.
LIKELY_ODDS: Final = 0.5
# What theory says counts like so many attempts.
PRIOR_WEIGHT: Final = 20.0
# Of a line's own attempts one counts as much as all that is known of lines like it: filtering does not change.
LINE_PRIOR_WEIGHT: Final = 1.0
# Attempts of a pair of kinds are halved when there are so many: the audience's networks change.
ATTEMPTS_MAX: Final = 2_000
# Of the neighbours of one whom all reach the rest, half of NEIGHBOURS_MAX, are for who reaches nearly nobody else.
OPEN_TO_ALL_UNTIL: Final = 8
# Both can be reached over IPv6, where nothing translates; firewalls let in what was sent to (RFC 6092).
IPV6_ODDS: Final = 0.9


class Mapping(IntEnum):
    """How one's NAT maps: by the destination or not (RFC 4787 section 4.1). From DEPENDENT on one is hard to reach."""

    UNKNOWN = 0
    NONE = 1
    INDEPENDENT = 2
    DEPENDENT = 3
    # Nothing comes back over UDP.
    BLOCKED = 4


class Nat(NamedTuple):
    """What a member said of its NAT, and whether it has a public IPv6 address."""

    mapping: Mapping = Mapping.UNKNOWN
    has_ipv6: bool = False


UNKNOWN_NAT: Final = Nat()


class Belief(NamedTuple):
    """Odds by theory, and the bounds that reports move them within."""

    odds: float
    least: float
    most: float


# Of each pair, the lower first. Open and endpoint-independent ones reach each other whatever they filter. Whether a
# dependent one reaches an independent one is a matter of the latter's filtering, which is not known: attempts begin
# from 0.4, which is believed of who has not said too. The rest allows for firewalls and for pages that close.
BELIEFS: Final = {
    (Mapping.UNKNOWN, Mapping.UNKNOWN): Belief(0.8, 0.5, 1.0),
    (Mapping.UNKNOWN, Mapping.NONE): Belief(0.9, 0.5, 1.0),
    (Mapping.UNKNOWN, Mapping.INDEPENDENT): Belief(0.85, 0.5, 1.0),
    (Mapping.UNKNOWN, Mapping.DEPENDENT): Belief(0.4, 0.15, 0.9),
    (Mapping.NONE, Mapping.NONE): Belief(0.95, 0.5, 1.0),
    (Mapping.NONE, Mapping.INDEPENDENT): Belief(0.95, 0.5, 1.0),
    (Mapping.NONE, Mapping.DEPENDENT): Belief(0.9, 0.5, 1.0),
    (Mapping.INDEPENDENT, Mapping.INDEPENDENT): Belief(0.95, 0.5, 1.0),
    (Mapping.INDEPENDENT, Mapping.DEPENDENT): Belief(0.4, 0.15, 0.9),
    (Mapping.DEPENDENT, Mapping.DEPENDENT): Belief(0.02, 0.0, 0.5),
}
# On one line two may have no NAT between them, or one that has to let them back in (hairpinning, RFC 4787 section 6).
SAME_LINE: Final = Belief(0.85, 0.5, 1.0)

PairKind = tuple[Mapping, Mapping] | None


class Attempts:
    """What came of attempts of one pair of kinds, or of one line; old ones fade."""

    __slots__ = ("failed", "succeeded")

    def __init__(self) -> None:
        self.succeeded = 0.0
        self.failed = 0.0

    def add(self, *, connected: bool) -> None:
        """Count one."""
        if connected:
            self.succeeded += 1
        else:
            self.failed += 1
        if self.succeeded + self.failed >= ATTEMPTS_MAX:
            self.succeeded /= 2
            self.failed /= 2

    def odds(self, prior: float, weight: float) -> float:
        """Return the odds of the next, where `prior` counts like `weight` attempts."""
        return (prior * weight + self.succeeded) / (weight + self.succeeded + self.failed)


class LineRecord:
    """What is known of all behind one address: how it maps; what came of attempts with those that map dependently."""

    __slots__ = ("filtering", "nat")

    def __init__(self) -> None:
        self.nat = UNKNOWN_NAT
        self.filtering: Attempts | None = None


class Reachability:
    """What the tracker knows of its members' NATs, for all swarms together."""

    def __init__(self, max_lines: int, *, has_relays: bool = False) -> None:
        """Remember the last `max_lines` lines that were spoken of. With relays even the hopeless may be introduced."""
        self._max_lines = max_lines
        self._has_relays = has_relays
        # By the interpreter's hash, keyed anew in each process: of who has left no address is kept.
        self._lines: OrderedDict[int, LineRecord] = OrderedDict()
        self._attempts: dict[PairKind, Attempts] = {}
        # For operators: members by mapping, and attempts ever by what both map and whether they connected.
        self.members: Counter[Mapping] = Counter()
        self.totals: Counter[tuple[Mapping, Mapping, bool]] = Counter()

    def __len__(self) -> int:
        """Return how many lines are remembered."""
        return len(self._lines)

    def enter(self, member: Member) -> None:
        """Take in a member. It has the NAT of others on its line, until it says more."""
        record = self._line(member)
        if record is not None:
            member.nat = record.nat
        self.members[member.nat.mapping] += 1

    def leave(self, member: Member) -> None:
        """Take out a member."""
        self.members[member.nat.mapping] -= 1

    def told(self, member: Member, nat: Nat) -> None:
        """Note what `member` says of its NAT."""
        self.members[member.nat.mapping] -= 1
        self.members[nat.mapping] += 1
        member.nat = nat
        if nat.mapping is Mapping.BLOCKED:
            return  # a firewall on one machine is nobody else's
        record = self._line(member, make=True)
        if record is not None:
            record.nat = nat

    def attempted(self, one: Member, other: Member, *, connected: bool) -> None:
        """Note what came of an attempt without a relay."""
        low, high = sorted((one.nat.mapping, other.nat.mapping))
        self.totals[low, high, connected] += 1
        kind = _kind(one, other)
        if (kind is not None and high is Mapping.BLOCKED) or _by_ipv6(one, other):
            return
        self._attempts.setdefault(kind, Attempts()).add(connected=connected)
        if kind == (Mapping.INDEPENDENT, Mapping.DEPENDENT):
            easy = one if one.nat.mapping is Mapping.INDEPENDENT else other
            record = self._line(easy, make=True)
            if record is not None:
                record.filtering = record.filtering or Attempts()
                record.filtering.add(connected=connected)

    def odds(self, one: Member, other: Member) -> float:
        """Return how likely it is that two connect, if they try without a relay."""
        kind = _kind(one, other)
        if kind is not None and kind[1] is Mapping.BLOCKED:
            return 0.0  # but within one network
        belief = SAME_LINE if kind is None else BELIEFS[kind]
        attempts = self._attempts.get(kind)
        odds = belief.odds
        if attempts is not None:
            odds = min(belief.most, max(belief.least, attempts.odds(belief.odds, PRIOR_WEIGHT)))
        if kind == (Mapping.INDEPENDENT, Mapping.DEPENDENT):
            record = self._line(one if one.nat.mapping is Mapping.INDEPENDENT else other)
            if record is not None and record.filtering is not None:
                odds = record.filtering.odds(odds, LINE_PRIOR_WEIGHT)
        return max(odds, IPV6_ODDS) if _by_ipv6(one, other) else odds

    def is_hopeless(self, one: Member, other: Member) -> bool:
        """Whether two had better not try without a relay."""
        # Nearly always so, and saves the rest.
        if one.nat.mapping < Mapping.DEPENDENT and other.nat.mapping < Mapping.DEPENDENT:
            return False
        return self.odds(one, other) < HOPELESS_ODDS

    def sorted_out(self, asker: Member, candidates: list[Member], wanted: int) -> list[Member]:
        """Return those of `candidates` whom `asker` may reach.

        Whom all reach is left to those who reach nobody else, once it has some neighbours. It and who is unlikely are
        among them only where others are fewer than `wanted`; where there is nobody at all, and a relay, the rest are.
        """
        is_easy = asker.nat.mapping < Mapping.DEPENDENT
        if is_easy and not self.members[Mapping.DEPENDENT] and not self.members[Mapping.BLOCKED]:
            return candidates
        likely: list[Member] = []
        scarce: list[Member] = []
        unlikely: list[Member] = []
        hopeless: list[Member] = []
        for member in candidates:
            odds = self.odds(asker, member)
            if is_easy and member.degree >= OPEN_TO_ALL_UNTIL and self._is_open(member):
                scarce.append(member)
            elif odds >= LIKELY_ODDS:
                likely.append(member)
            elif odds >= HOPELESS_ODDS:
                unlikely.append(member)
            else:
                hopeless.append(member)
        reachable = likely
        for others in (scarce, unlikely):
            if len(reachable) < wanted:
                reachable = reachable + others
        return reachable if reachable or not self._has_relays else hopeless

    def _is_open(self, member: Member) -> bool:
        """Whether even those who map dependently reach it, as far as is known."""
        if member.nat.mapping is not Mapping.INDEPENDENT:
            return member.nat.mapping is Mapping.NONE
        record = self._line(member)
        filtering = record.filtering if record is not None else None
        return filtering is not None and filtering.odds(HOPELESS_ODDS, LINE_PRIOR_WEIGHT) >= LIKELY_ODDS

    def _line(self, member: Member, *, make: bool = False) -> LineRecord | None:
        """Return what is known of its line; None for nothing, and for who is of unknown address."""
        if not member.place.site:
            return None
        key = hash(member.place.site)
        record = self._lines.get(key)
        if make:
            if record is None:
                record = self._lines[key] = LineRecord()
                if len(self._lines) > self._max_lines:
                    self._lines.popitem(last=False)
            else:
                self._lines.move_to_end(key)
        return record


def _kind(one: Member, other: Member) -> PairKind:
    """Return what both map, the lower first; None where both are on one line."""
    if one.place.site and one.place.site == other.place.site:
        return None
    mine, theirs = one.nat.mapping, other.nat.mapping
    return (mine, theirs) if mine <= theirs else (theirs, mine)


def _by_ipv6(one: Member, other: Member) -> bool:
    return one.nat.has_ipv6 and other.nat.has_ipv6
