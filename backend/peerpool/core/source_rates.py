"""How often datagrams of one line are answered, and all together: their senders may be forged, so nobody is told."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final, NamedTuple

from peerpool.core.addresses import line_of
from peerpool.core.limits import Rate, TokenBucket


class SourceLimits(NamedTuple):
    """Bounds of one server of datagrams."""

    # A line is an IPv4 address or an IPv6 /64. A viewer's browser asks both ports for each of its connections and, as
    # Chromium 156 does (Firefox does not), again every 10 s to keep the NAT's mapping: some 30 at once, two a second.
    # So this is sixty viewers at once behind one NAT, and a hundred that stay; and whose address is forged gets at most
    # 15 kB/s from here. Who is not answered asks again; connections that are there do not need it.
    line: Rate = Rate(2_000.0, 200.0)
    # All together: a core answers some 50,000 a second (`make bench-stun`), and the tracker is to have most of it.
    total: Rate = Rate(20_000.0, 10_000.0)
    # Lines that are remembered, some 350 bytes each; the one that was quiet longest is forgotten first.
    lines_max: int = 20_000


DEFAULT_LIMITS: Final = SourceLimits()


class SourceRates:
    """Token buckets by line, in a table that is bounded. `now` is in seconds, monotonic."""

    def __init__(self, limits: SourceLimits = DEFAULT_LIMITS, now: float = 0.0) -> None:
        self._limits = limits
        self._total = TokenBucket(limits.total, now)
        # In the order in which they were last heard.
        self._lines: OrderedDict[str, TokenBucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._lines)

    def take(self, address: str, now: float) -> bool:
        """Take a token for something from `address`; return whether there was one. Its line's own comes first."""
        line = line_of(address)
        bucket = self._lines.pop(line, None) or TokenBucket(self._limits.line, now)
        self._lines[line] = bucket
        if len(self._lines) > self._limits.lines_max:
            self._lines.popitem(last=False)
        return bucket.take(1.0, self._limits.line, now) == 0 and self._total.take(1.0, self._limits.total, now) == 0
