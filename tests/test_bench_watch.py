"""A short run of `make bench-watch`: what it reports comes of a real tracker that follows a real stream."""

from __future__ import annotations

from pathlib import Path

from bench.watch import SEGMENT_S, measure


def test_each_segment_listed_has_its_record_and_its_lag(tmp_path: Path) -> None:
    result = measure(tmp_path, bitrate_kbps=1000, seconds=3.5 * SEGMENT_S, idle_s=0.5)
    assert result.segments >= 2
    assert 0 < result.lag_ms_median <= result.lag_ms_max
    assert 0.4 < result.bitrate_mbps < 4
    assert result.memory_mib > 10
