"""Some seconds of hostile clients against both kinds of sockets: nobody honest is kept out, and nothing breaks."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bench.hostile.__main__ import attack, tracker_of_two_sites
from bench.hostile.attackers import ATTACKS


@pytest.mark.parametrize("direct", [True, False])
def test_hostile_clients_break_nothing(*, direct: bool, tmp_path: Path) -> None:
    tracker = tracker_of_two_sites(tmp_path, direct=direct)
    tracker.start()
    try:
        figures = asyncio.run(attack(tracker, 12, 5, 1, seed=1))
        assert tracker.members() == 0
    finally:
        tracker.stop()
    log = tracker.log.read_text(errors="replace")
    assert "Traceback" not in log
    assert figures.deeds["attacks"].keys() == ATTACKS.keys()
    assert (figures.deeds["server_errors"], figures.failed_joins) == (0, 0)
    assert figures.after_bytes < figures.before_bytes + 64 * 2**20
