"""A short run of `make bench-stun`: what it reports comes of answers of a real server."""

from __future__ import annotations

import pytest

from bench.stun import LOOPS, measure


@pytest.mark.parametrize("loop", list(LOOPS))
def test_each_request_is_answered_and_costs_something(loop: str) -> None:
    result = measure(loop, 5_000)
    assert 0 < result.cpu_us < 1_000
