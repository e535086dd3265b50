"""A small run of the tracker's bench: every contender is spoken to, and the figures are of what was asked for."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from bench.tracker.__main__ import CONTENDERS, Contender, load, memory, table

PEERS = 12


@pytest.mark.parametrize("contender", CONTENDERS, ids=lambda contender: contender.name)
def test_every_contender_carries_offers(contender: Contender, tmp_path: Path) -> None:
    if contender.command[0] == "node" and not Path("node_modules/bittorrent-tracker").is_dir():
        pytest.skip("needs `npm ci`")
    assert shutil.which("taskset"), "util-linux has it"
    result = load(contender, PEERS, 0.3, tmp_path)
    assert result["rounds_per_s"] > 0
    assert 0 < result["relays_per_s"] <= 6 * result["rounds_per_s"] + 5 * PEERS / 0.3
    assert 0 < result["relay_p50_ms"] <= result["relay_p99_ms"]


def test_an_idle_member_has_a_size(tmp_path: Path) -> None:
    assert 1 < memory(CONTENDERS[1], 200, tmp_path) < 200


def test_the_table_compares_with_bittorrent_tracker() -> None:
    row = {"rounds_per_s": 100.0, "relays_per_s": 500.0, "relay_p50_ms": 1.0, "relay_p99_ms": 8.0}
    faster = row | {"rounds_per_s": 300.0, "relay_p99_ms": 2.0, "idle_kib": {5000: 20.0}}
    lines = table({"bittorrent-tracker": row, "ours": faster})
    assert lines[3] == "| ours | 300 | 500 | 3.00 | 1, 2 | 0.25 | 20.0 at 5000 |"
