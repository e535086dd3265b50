"""A short run of attacks on viewers (`make attack`), with their defences off and on; tests/ has those on trackers."""

from __future__ import annotations

import pytest

from e2e.attack.__main__ import chosen, run_all
from e2e.attack.catalogue import ON_VIEWERS
from e2e.attack.outcomes import table
from e2e.conftest import Run


@pytest.mark.timeout(240)
def test_attacks_on_viewers_that_work_without_a_defence_do_nothing_with_it(run: Run) -> None:
    async def scenario() -> None:
        rows = await run_all(chosen(ON_VIEWERS, short=True), print)
        print(table(rows))
        assert [row.name for row in rows if row.failed] == []
        assert len(rows) > 2

    run(scenario())
