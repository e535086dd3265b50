from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from peerpool.core.limits import Rate
from peerpool.core.source_rates import SourceLimits, SourceRates

SMALL = SourceLimits(line=Rate(3.0, 1.0), total=Rate(5.0, 2.0), lines_max=4)


def test_a_line_that_asks_too_much_is_refused_until_its_tokens_are_back() -> None:
    rates = SourceRates(SMALL)
    assert [rates.take("192.0.2.1", 0.0) for _ in range(4)] == [True, True, True, False]
    assert rates.take("192.0.2.2", 0.0)
    assert rates.take("192.0.2.1", 1.0)


def test_addresses_of_one_ipv6_line_share_its_tokens() -> None:
    rates = SourceRates(SMALL)
    assert [rates.take(f"2001:db8::{n}", 0.0) for n in range(4)] == [True, True, True, False]
    assert rates.take("2001:db8:0:1::1", 0.0)


def test_all_together_are_bounded() -> None:
    rates = SourceRates(SMALL)
    assert sum(rates.take(f"192.0.2.{n}", 0.0) for n in range(50)) == 5


def test_who_is_over_its_own_rate_takes_nothing_from_others() -> None:
    rates = SourceRates(SMALL)
    for _ in range(100):
        rates.take("192.0.2.1", 0.0)
    assert rates.take("192.0.2.2", 0.0)


@given(st.lists(st.tuples(st.integers(0, 40), st.floats(0, 1)), max_size=80))
def test_no_more_is_granted_than_the_rates_say_and_the_table_is_bounded(asked: list[tuple[int, float]]) -> None:
    rates, now, granted = SourceRates(SMALL), 0.0, 0
    for source, pause_s in asked:
        now += pause_s
        granted += rates.take(f"192.0.2.{source}", now)
        assert len(rates) <= SMALL.lines_max
    assert granted <= SMALL.total.tokens + now * SMALL.total.refill_per_s + 1e-6
