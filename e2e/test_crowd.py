"""A small crowd by `bench/crowd.py`: the bench works, and viewers without a screen share as others do."""

from __future__ import annotations

from pathlib import Path

from bench import crowd
from bench.crowd_figures import Plan, render
from e2e.conftest import Run
from e2e.harness.browsers import Browsers

COPIES_LIMIT = 1.25
# A rate at which a segment has ten pieces: each viewer compares one of each neighbour with the CDN (docs/integrity.md).
PLAN = Plan(viewers=8, segments=10, per_page=4, stagger_s=2, hash_every=2, bitrate_kbps=1200)


def test_eight_viewers_in_two_pages_take_each_segment_about_once(run: Run, browsers: Browsers, tmp_path: Path) -> None:
    async def scenario() -> None:
        result = await crowd.measure(PLAN, browsers, tmp_path)
        print("\n" + "\n".join(render(result)))

        assert result.since_joined.segments >= PLAN.segments - 1
        assert result.since_joined.copies_per_segment <= COPIES_LIMIT
        assert result.stalls == 0
        assert result.neighbours.least == PLAN.viewers - 1
        assert result.hashes_checked >= PLAN.viewers * PLAN.segments / PLAN.hash_every
        assert (result.hashes_wrong, result.broken, result.failures) == (0, 0, 0)

    run(scenario())
