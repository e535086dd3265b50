"""A short run of `make bench-dashboard`: every endpoint answers, and the history keeps what it says."""

from __future__ import annotations

import asyncio
from pathlib import Path

from bench.dashboard import ENDPOINTS, Plan, measure, render

PLAN = Plan(swarms=60, members=300, requests=2, contents=3, days=4, history_mb=64)


def test_endpoints_answer_from_sums_and_the_history_keeps_three_days_of_minutes(tmp_path: Path) -> None:
    result = asyncio.run(measure(PLAN, tmp_path))
    assert set(result.p95_ms) == set(ENDPOINTS)
    assert all(0 < size < 500_000 for size in result.largest_answer_bytes.values())
    assert (result.year_minutes, result.year_hours) == (3 * 24 * 60, 4 * 24 + 1)
    assert result.year_mb < PLAN.history_mb
    assert len(render(PLAN, result)) == len(ENDPOINTS) + 4
