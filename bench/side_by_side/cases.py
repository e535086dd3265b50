"""What is compared, and under which conditions. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

ProductName = Literal["plain", "p2pml", "p2pml-low-latency", "peerpool"]
LATENCY_MS = 20
RATE_BPS = 40_000_000  # of each connection
STAGGER_S = 16.0
FLASH_S = 2.0
PINNED_LEVEL = 0  # the lowest: eight decoders share the machine
SCALED_CASE = "live-staggered"  # the one that is run with other numbers of viewers too


@dataclass(frozen=True)
class Product:
    """One thing that is compared; `page` is the page that has its scripts."""

    name: ProductName
    title: str
    page: str
    query: tuple[tuple[str, str], ...] = ()
    live_only: bool = False


@dataclass(frozen=True)
class Case:
    """One situation."""

    name: str
    stream: Literal["live", "vod"]
    title: str
    joins_s: float = STAGGER_S  # over which the viewers come
    leavers: float = 0  # part of the viewers that is gone from the middle on
    origin_part: float = 0  # the origin's total rate, as a part of what all viewers together want; 0 = no cap


@dataclass(frozen=True)
class Plan:
    """One kind of run."""

    case: Case
    product: Product
    viewers: int

    @property
    def key(self) -> tuple[str, int, str]:
        """Runs of one key are repeats of each other."""
        return (self.case.name, self.viewers, self.product.name)

    @property
    def label(self) -> str:
        """For people."""
        return f"{self.case.name}, N={self.viewers}, {self.product.name}"


PRODUCTS: dict[str, Product] = {
    product.name: product
    for product in (
        Product("plain", "hls.js", "plain"),
        Product("p2pml", "p2p-media-loader, its own live settings", "p2p-media-loader"),
        Product(
            "p2pml-low-latency",
            "p2p-media-loader, hls.js's live settings",
            "p2p-media-loader",
            (("latency", "player"),),
            live_only=True,
        ),
        Product("peerpool", "Media PeerPool, hls.js's live settings", "peerpool"),
    )
}
CASES: dict[str, Case] = {
    case.name: case
    for case in (
        Case("live-staggered", "live", "live, joins over 16 s"),
        Case("live-flash", "live", "live, all join within 2 s", joins_s=FLASH_S),
        Case("vod-staggered", "vod", "VOD, joins over 16 s"),
        Case("vod-flash", "vod", "VOD, all join within 2 s", joins_s=FLASH_S),
        Case("live-churn", "live", "live, half leave in the middle without a word", leavers=0.5),
        Case("origin-half", "live", "live, the origin can send half of what all want", origin_part=0.5),
        Case("origin-three-quarters", "live", "live, the origin can send 3/4 of what all want", origin_part=0.75),
    )
}
QUICK_CASES = ("live-staggered", "vod-staggered", "origin-half")


def plans(cases: Sequence[str], products: Sequence[str], viewers: int, scaling: Sequence[int]) -> list[Plan]:
    """List the kinds of runs, products of one case next to each other; one repeat runs all of them once."""
    sizes = [(CASES[name], viewers) for name in cases]
    if SCALED_CASE in cases:
        sizes += [(CASES[SCALED_CASE], other) for other in scaling if other != viewers]
    return [
        Plan(case, PRODUCTS[name], count)
        for case, count in sizes
        for name in products
        if case.stream == "live" or not PRODUCTS[name].live_only
    ]


def rotated(products: Sequence[Plan], repeat: int) -> list[Plan]:
    """Begin each repeat with another plan of a case, so that no product always follows the same one."""
    groups: dict[tuple[str, int], list[Plan]] = {}
    for plan in products:
        groups.setdefault((plan.case.name, plan.viewers), []).append(plan)
    return [plan for own in groups.values() for plan in own[repeat % len(own) :] + own[: repeat % len(own)]]
