"""Figures: offload and its bound, quantiles out of buckets, and money by tiers."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from peerpool.core.figures import GB, MONTH_S, Prices, Tier, figures_of, first_frame_quantile_ms, money_of
from peerpool.core.ledger import Sums

TIERED = Prices("EUR", [Tier(0.10, 10), Tier(0.05, 100), Tier(0.02)], turn_per_gb=0.2, machines_per_month=3.0)


def test_offload_counts_what_came_of_peers_directly_and_stands_beside_its_bound() -> None:
    media = Sums(site_bytes=10, isp_bytes=20, far_bytes=30, relayed_bytes=15, cdn_bytes=25, possible_bytes=75)
    media.viewer_ms = 4 * 60_000
    figures = figures_of(media, 60)
    assert (figures.viewers, figures.offload, figures.bound, figures.copies) == (4.0, 0.6, 0.75, 1.0)


def test_where_nothing_happened_nothing_is_said() -> None:
    figures = figures_of(Sums(), 60)
    nothing = (figures.offload, figures.bound, figures.copies, figures.stalls_per_hour, figures.first_frame_ms)
    assert nothing == (None,) * 5
    assert figures_of(Sums(), 0).viewers == 0


def test_stalls_are_of_an_hour_of_one_viewer() -> None:
    assert figures_of(Sums(viewer_ms=2 * 3_600_000, stalls=3), 3_600).stalls_per_hour == 1.5


def test_a_quantile_lies_within_its_bucket() -> None:
    sums = Sums(frames_400=10, frames_1000=10)
    assert first_frame_quantile_ms(sums, 0.25) == 300
    assert first_frame_quantile_ms(sums, 0.5) == 400
    assert first_frame_quantile_ms(sums, 0.75) == 850
    assert first_frame_quantile_ms(Sums(frames_more=1), 0.95) == pytest.approx(5_000 + 0.95 * 55_000)


@given(st.lists(st.integers(0, 50), min_size=8, max_size=8), st.floats(0.01, 0.98))
def test_quantiles_grow(counts: list[int], part: float) -> None:
    names = ("frames_200", "frames_400", "frames_700", "frames_1000", "frames_1500", "frames_2500", "frames_5000")
    sums = Sums(**dict(zip((*names, "frames_more"), counts, strict=True)))
    low, high = first_frame_quantile_ms(sums, part), first_frame_quantile_ms(sums, part + 0.01)
    if sum(counts) == 0:
        assert low is high is None
    else:
        assert low is not None
        assert high is not None
        assert 0 < low <= high <= 60_000


def test_a_month_is_paid_by_its_tiers_and_what_relays_cost_is_no_saving() -> None:
    sums = Sums(far_bytes=int(120 * GB), relayed_bytes=int(10 * GB), cdn_bytes=int(20 * GB))
    money = money_of(sums, MONTH_S, TIERED)
    assert money is not None
    assert money.without == pytest.approx(10 * 0.10 + 90 * 0.05 + 50 * 0.02)
    assert money.cdn == pytest.approx(10 * 0.10 + 10 * 0.05)
    assert money.turn == pytest.approx(2.0)
    assert money.machines == pytest.approx(3.0)
    assert money.saved == pytest.approx(6.5 - 1.5 - 2 - 3)
    assert money.currency == "EUR"


def test_a_day_of_the_same_traffic_is_a_thirtieth_of_a_month() -> None:
    month = money_of(Sums(far_bytes=int(300 * GB), cdn_bytes=int(30 * GB)), MONTH_S, TIERED)
    day = money_of(Sums(far_bytes=int(10 * GB), cdn_bytes=int(1 * GB)), MONTH_S / 30, TIERED)
    assert month is not None
    assert day is not None
    assert day.saved == pytest.approx(month.saved / 30)


def test_without_prices_nothing_is_said_of_money() -> None:
    assert money_of(Sums(cdn_bytes=1), 60, Prices()) is None


@pytest.mark.parametrize(
    ("tiers", "problem"),
    [
        ([{"per_gb": 1}, {"per_gb": 2}], "each tier of `cdn` but the last"),
        ([{"per_gb": 1, "up_to_gb": 5}], "each tier of `cdn` but the last"),
        ([{"per_gb": 1, "up_to_gb": 5}, {"per_gb": 1, "up_to_gb": 5}, {"per_gb": 1}], "grows"),
        ([{"per_gb": -1}], ">= 0"),
        ([{"per_gb": 1, "upto": 2}], "unknown field"),
    ],
)
def test_prices_that_make_no_sense_are_refused(tiers: list[dict[str, float]], problem: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=problem):
        msgspec.convert({"cdn": tiers}, Prices)
