"""What is tried in the laboratory, and what theory says of it."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Final, Literal

from e2e.nat.topology import Kind

Outcome = Literal["direct", "relay", "apart"]
NATS: Final[tuple[Kind, ...]] = ("open", "full cone", "address-restricted", "port-restricted", "symmetric")
# RFC 5128, section 3.3: who maps by destination meets neither its like nor who filters by port.
HARD: Final[tuple[Kind, ...]] = ("port-restricted", "symmetric", "double NAT", "dual stack", "two homes")
NO_UDP: Final[tuple[Kind, ...]] = ("UDP blocked", "only TCP 443")
# What a page can see of each; None where it cannot tell. Browsers hide a page's own addresses from it (mDNS names), so
# one without a NAT looks like one that maps everything to itself.
MAPPINGS: Final[dict[Kind, str | None]] = {
    "symmetric": "dependent",
    **dict.fromkeys(NO_UDP, "blocked"),
    "IPv6 only": None,
}


@dataclass(frozen=True)
class Cell:
    """Two viewers; `shared` where they are in one home."""

    one: Kind
    other: Kind
    turn: bool = False
    shared: bool = False
    ipv6: bool = False

    @property
    def name(self) -> str:
        """For tables."""
        return f"{self.one} x {self.other}{', one home' if self.shared else ''}, {'TURN' if self.turn else 'STUN'}"

    @property
    def expected(self) -> Outcome:
        """By theory."""
        if self.shared or (self.one == self.other and self.one in ("IPv6 only", "dual stack")):
            return "direct"
        if any(kind in NO_UDP for kind in (self.one, self.other)):
            return "relay" if self.turn else "apart"
        parted = {self.one, self.other} <= set(HARD) and "symmetric" in (self.one, self.other)
        return ("relay" if self.turn else "apart") if parted else "direct"


def mapping_of(kind: Kind) -> str | None:
    """Return what a page says of its NAT; None where it cannot tell."""
    return MAPPINGS.get(kind, "independent")


MATRIX: Final = tuple(
    Cell(one, other, turn) for turn in (False, True) for one, other in itertools.combinations_with_replacement(NATS, 2)
)
OTHERS: Final = (
    *(Cell(kind, "port-restricted", turn) for kind in NO_UDP for turn in (False, True)),
    Cell("only TCP 443", "only TCP 443", turn=True),
    Cell("double NAT", "port-restricted"),
    Cell("double NAT", "double NAT"),
    Cell("double NAT", "symmetric"),
    Cell("port-restricted", "port-restricted", shared=True),
    Cell("symmetric", "symmetric", shared=True),
    Cell("UDP blocked", "UDP blocked", shared=True),
    Cell("IPv6 only", "IPv6 only", ipv6=True),
    Cell("dual stack", "dual stack", turn=True),
    Cell("dual stack", "symmetric", turn=True),
    Cell("two homes", "port-restricted"),
)
CELLS: Final = (*MATRIX, *OTHERS)
# Each way to an end once.
SELECTION: Final = (
    Cell("port-restricted", "port-restricted"),
    Cell("symmetric", "symmetric"),
    Cell("port-restricted", "symmetric", turn=True),
    Cell("UDP blocked", "port-restricted", turn=True),
)
