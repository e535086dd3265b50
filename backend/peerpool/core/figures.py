"""What sums mean to whoever pays: offload beside its bound, copies, quality, and money.

Everything here comes of what clients claim; `peerpool savings` compares it with what a CDN's log says.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Annotated, Final

from msgspec import Meta, Struct, field

from peerpool.core.ledger import FIRST_FRAME_BOUNDS_MS, FRAME_COLUMNS, Sums
from peerpool.core.limits import MS_PER_S

GB: Final = 1e9
HOUR_MS: Final = 3_600 * MS_PER_S
# Of 30 days: what prices by the month are of.
MONTH_S: Final = 30 * 86_400
# First frames after the last bound are taken to be up to this.
FIRST_FRAME_MAX_MS: Final = 60_000
MEDIAN: Final = 0.5
SLOWEST: Final = 0.95

Price = Annotated[float, Meta(ge=0, le=1e9)]


class Tier(Struct, frozen=True, forbid_unknown_fields=True):
    """A price of each GB (10^9 bytes) of a month, up to so many of them; the last tier has no end."""

    per_gb: Price
    up_to_gb: Annotated[float, Meta(gt=0)] | None = None


class Prices(Struct, frozen=True, forbid_unknown_fields=True):
    """What bytes cost, in `currency`. Without any prices nothing is said of money."""

    currency: Annotated[str, Meta(max_length=8)] = "USD"
    # What the CDN sends in a month.
    cdn: Annotated[list[Tier], Meta(max_length=20)] = field(default_factory=list)
    # Of what TURN servers relay, each GB once; and of tracker and TURN machines, whatever they carry.
    turn_per_gb: Price = 0.0
    machines_per_month: Price = 0.0

    def __post_init__(self) -> None:
        """Check that tiers follow each other. Raises ValueError."""
        ends = [tier.up_to_gb for tier in self.cdn]
        if any(end is None for end in ends[:-1]) or (ends and ends[-1] is not None):
            raise ValueError("each tier of `cdn` but the last has an `up_to_gb`")
        if any(low >= high for low, high in itertools.pairwise(end for end in ends if end is not None)):
            raise ValueError("`up_to_gb` of the tiers of `cdn` grows")


class Figures(Struct, frozen=True):
    """One group's figures over some time. Parts are from 0 to 1; None where there is nothing to say them of."""

    viewers: float  # on average
    site_bytes: int
    isp_bytes: int
    far_bytes: int
    relayed_bytes: int
    cdn_bytes: int
    offload: float | None  # part of all bytes that came of peers directly
    bound: float | None  # the most that offload could be: each byte has to come once for all viewers of a content
    copies: float | None  # how often the CDN sent what it had to send once
    joins: int
    stalls: int
    stalls_per_hour: float | None  # of one viewer
    first_frames: int
    first_frame_ms: float | None  # half began sooner
    slow_first_frame_ms: float | None  # of twenty one began later
    connected: int
    failed: int


class Money(Struct, frozen=True):
    """What was saved: what the CDN would have cost without peers, less what it, TURN and the machines did cost."""

    currency: str
    without: float
    cdn: float
    turn: float
    machines: float
    saved: float


def figures_of(sums: Sums, elapsed_s: float) -> Figures:
    """Return what `sums` over `elapsed_s` mean."""
    viewers = sums.viewer_ms / (elapsed_s * MS_PER_S) if elapsed_s > 0 else 0.0
    media_bytes, needed_bytes = sums.media_bytes, sums.media_bytes - sums.possible_bytes
    return Figures(
        viewers=viewers,
        site_bytes=sums.site_bytes,
        isp_bytes=sums.isp_bytes,
        far_bytes=sums.far_bytes,
        relayed_bytes=sums.relayed_bytes,
        cdn_bytes=sums.cdn_bytes,
        offload=sums.peer_bytes / media_bytes if media_bytes else None,
        bound=sums.possible_bytes / media_bytes if media_bytes else None,
        copies=sums.cdn_bytes / needed_bytes if needed_bytes > 0 else None,
        joins=sums.joins,
        stalls=sums.stalls,
        stalls_per_hour=sums.stalls / (sums.viewer_ms / HOUR_MS) if sums.viewer_ms else None,
        first_frames=sum(_frames(sums)),
        first_frame_ms=first_frame_quantile_ms(sums, MEDIAN),
        slow_first_frame_ms=first_frame_quantile_ms(sums, SLOWEST),
        connected=sums.connected,
        failed=sums.failed,
    )


def first_frame_quantile_ms(sums: Sums, part: float) -> float | None:
    """Return the time up to which `part` of players began; between the bounds they are taken to be spread evenly."""
    counts = _frames(sums)
    wanted = part * sum(counts)
    if wanted == 0:
        return None
    low_ms = 0
    for count, high_ms in zip(counts, (*FIRST_FRAME_BOUNDS_MS, FIRST_FRAME_MAX_MS), strict=True):
        if count and wanted <= count:
            return low_ms + (high_ms - low_ms) * wanted / count
        wanted -= count
        low_ms = high_ms
    return float(FIRST_FRAME_MAX_MS)


def money_of(sums: Sums, elapsed_s: float, prices: Prices) -> Money | None:
    """Return what was saved; None without prices.

    Tiers are of a month: the volume is taken to have been the same for all of one.
    """
    if not prices.cdn or elapsed_s <= 0:
        return None
    months = elapsed_s / MONTH_S
    without = months * _month_cost(sums.media_bytes / months, prices.cdn)
    # What TURN carried would have come from the CDN, too.
    cdn = months * _month_cost(sums.cdn_bytes / months, prices.cdn)
    turn = sums.relayed_bytes / GB * prices.turn_per_gb
    machines = months * prices.machines_per_month
    return Money(prices.currency, without, cdn, turn, machines, without - cdn - turn - machines)


def _month_cost(size_bytes: float, tiers: Sequence[Tier]) -> float:
    cost, begun_gb = 0.0, 0.0
    for tier in tiers:
        end_gb = math.inf if tier.up_to_gb is None else tier.up_to_gb
        cost += max(0.0, min(size_bytes / GB, end_gb) - begun_gb) * tier.per_gb
        begun_gb = end_gb
    return cost


def _frames(sums: Sums) -> list[int]:
    return [getattr(sums, name) for name in FRAME_COLUMNS]
