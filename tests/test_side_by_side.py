"""The side-by-side bench's own arithmetic, on an invented run."""

from __future__ import annotations

import math

import pytest

from bench.side_by_side import figures, report
from bench.side_by_side.cases import PRODUCTS, plans, rotated
from bench.side_by_side.figures import Report, Times
from e2e.harness.ledger import Entry

TIMES = Times(started_s=0, joined_s=10, ended_s=60)


def viewer(played: list[tuple[str, int]], obtained: list[tuple[str, int]] | None = None, **changed: float) -> Report:
    values = {"first_frame_ms": 500.0, "latency_s": 6.0, "level": 0, "stalls": 1, **changed}
    return Report(
        **values,  # type: ignore[arg-type]
        stalled_ms=2000,
        late_stalled_ms=500,
        channel_bytes=1100,
        connections=1,
        played=played,
        obtained=obtained or [],
        errors=["uncaught: x"],
        own_bytes={"fromCdn": 500},
    )


def entry(path: str, started_s: float, sent_bytes: int = 1000) -> Entry:
    return Entry(1, started_s, started_s + 1, path, "media", "v", "", 200, sent_bytes, 1000, complete=True)


def test_figures_of_a_run() -> None:
    entries = [entry("/a", 1), entry("/a", 2), entry("/b", 25), entry("/late", 45)]
    first = viewer([("/a", 1000), ("/b", 1000), ("/late", 1000)])
    second = viewer([("/a", 1000)], [("/a", 1000), ("/b", 1000)], latency_s=8.0)
    result = figures.of_run([first, second], entries, TIMES, [first, second])
    assert (result.whole.segments, result.whole.copies) == (2, 1.5)
    assert result.whole.offload == pytest.approx(1 - 3000 / 3000)
    assert result.whole.offload_obtained == pytest.approx(1 - 3000 / 4000), "fetched ahead, not played"
    assert (result.steady.segments, result.steady.offload, result.steady.offload_obtained) == (1, 0, 0.5)
    assert result.excess == pytest.approx((4000 + 2200) / 4000 - 1)
    assert (result.latency_s, result.stalls, result.stalled_s, result.late_stalled_s) == (7, 2, 4, 1)
    assert (result.page_errors, result.error_samples) == (2, ["uncaught: x"])
    assert (result.connections, result.off_level, result.own_bytes) == (2, 0, {"fromCdn": 1000})


def test_who_never_started_counts() -> None:
    never = viewer([], first_frame_ms=None)  # type: ignore[arg-type]
    result = figures.of_run([viewer([("/a", 1000)]), never, never], [entry("/a", 1)], TIMES, [never])
    assert (result.never_started, result.first_frame_ms) == (2, math.inf)


def test_spread_of_repeats() -> None:
    value = figures.spread([3.0, math.nan, 1.0, 2.0])
    assert (value.median, value.low, value.high, value.runs) == (2, 1, 3, 3)
    assert report.cell(value, 1) == "2.0 (1.0..3.0)"
    assert report.cell(figures.spread([]), 1) == "-"
    assert report.cell(figures.spread([math.inf, math.inf, 9]), 0) == "never (9..never)"


def test_every_product_has_its_turn_at_every_place() -> None:
    wanted = plans(["live-staggered", "vod-flash"], list(PRODUCTS), 8, [2])
    assert {plan.viewers for plan in wanted if plan.case.name == "live-staggered"} == {2, 8}
    assert [plan.product.name for plan in wanted if plan.case.stream == "vod"] == ["plain", "p2pml", "peerpool"]
    first = {rotated(wanted, repeat)[0].product.name for repeat in range(4)}
    assert first == set(PRODUCTS)
    assert sorted(plan.key for plan in rotated(wanted, 3)) == sorted(plan.key for plan in wanted)
