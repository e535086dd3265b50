"""A short run of `make bench-integrity-cost`: both kinds of viewers share, and are measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.integrity_cost import measure, render
from e2e.conftest import Run


@pytest.mark.timeout(180)
def test_viewers_of_signed_and_unchecked_streams_are_measured_side_by_side(run: Run, tmp_path: Path) -> None:
    async def scenario() -> None:
        sides, _ = await measure(viewers=2, minutes=0.1, runs=1, folder=tmp_path, warm_up_s=8)
        print("\n".join(render(sides, 2, 0.1)))
        for side in sides:
            assert side.stalls == 0, side
            assert side.from_peers > 0, side
            assert side.cpu_s_per_min > 0, side
            assert len(side.first_frame_ms) == 1, side

    run(scenario())
