"""A short run of attacks on trackers (`make attack`): one of each kind, with its defence off and on; no browsers."""

from __future__ import annotations

import asyncio

import pytest

from e2e.attack.__main__ import chosen, run_all
from e2e.attack.catalogue import ON_VIEWERS
from e2e.attack.outcomes import table


@pytest.mark.timeout(240)
def test_attacks_on_trackers_that_work_without_a_defence_do_nothing_with_it() -> None:
    groups = chosen((), short=True)
    on_trackers = {
        group: {name: attack for name, attack in attacks.items() if not name.startswith(ON_VIEWERS)}
        for group, attacks in groups.items()
    }
    told: list[str] = []
    rows = asyncio.run(run_all({group: attacks for group, attacks in on_trackers.items() if attacks}, told.append))
    assert [row.name for row in rows if row.failed] == [], table(rows)
    assert len(told) == len(rows)
    assert len(rows) > 30
