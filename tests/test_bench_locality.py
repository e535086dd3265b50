"""A small run of the locality bench: bytes stay where there are members enough, and nobody is left alone."""

from __future__ import annotations

from peerpool.core.selection import LeastConnected, Nearest

from bench.locality import measure


def test_bytes_stay_with_the_provider_and_offload_is_kept() -> None:
    placed = measure(600, Nearest(), 20, 1, 2)
    random = measure(600, LeastConnected(), 601, 1, 2)
    inside = placed["... where it has members enough"]
    assert isinstance(inside, float)
    assert inside >= 0.9
    assert placed["members without neighbours"] == 0
    assert isinstance(placed["offload"], float)
    assert isinstance(random["offload"], float)
    assert placed["offload"] >= random["offload"] - 0.05  # 600 members in clusters of twenty
    assert isinstance(placed["median error of round trips"], float)
    assert placed["median error of round trips"] <= 0.15
