"""A part of the matrix of `make nat`: viewers behind NATs in network namespaces. Skipped where those cannot be had."""

from __future__ import annotations

import json

import pytest

from e2e.conftest import RESULTS
from e2e.nat.__main__ import run
from e2e.nat.cells import CELLS, MATRIX, SELECTION, Cell
from e2e.nat.topology import Unavailable, check_available
from e2e.nat.worker import Result


def problem() -> str:
    try:
        check_available()
    except Unavailable as error:
        return str(error)
    return ""


def test_theory_parts_who_maps_by_destination_from_its_like_and_from_who_filters_by_port() -> None:
    apart = {frozenset((cell.one, cell.other)) for cell in MATRIX if cell.expected != "direct"}
    assert apart == {frozenset(("symmetric",)), frozenset(("symmetric", "port-restricted"))}
    assert all(cell.expected == ("relay" if cell.turn else "apart") for cell in MATRIX if cell.expected != "direct")
    assert set(SELECTION) <= set(CELLS)
    assert len({cell.name for cell in CELLS}) == len(CELLS)


def test_viewers_behind_nats_meet_as_theory_says_and_nobody_stalls(results: object) -> None:
    del results  # it empties the folder once
    why = problem()
    if why:
        pytest.skip(f"no network namespaces here: {why}")
    file = RESULTS / "nat" / "nat.json"
    code = run(SELECTION, file)
    found = [Result(**one) for one in json.loads(file.read_text())]
    by_name: dict[str, Cell] = {cell.name: cell for cell in SELECTION}
    assert [result.cell for result in found] == list(by_name)
    assert [(one.cell, one.outcome, one.problems) for one in found if not one.holds] == []
    assert code == 0
    for one in found:
        assert one.outcome == by_name[one.cell].expected
        assert (one.peer_bytes > 0) == (one.outcome != "apart")
        assert (one.relayed_bytes > 0) == (one.outcome == "relay")
        assert one.stalls == [0, 0]
