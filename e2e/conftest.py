"""Fixtures of the end-to-end tests: one event loop, one process of each browser, and one test bed for all of them."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from e2e.harness import browsers as launching
from e2e.harness import media
from e2e.harness.bed import PAGES, Bed
from e2e.harness.browsers import Browsers
from e2e.harness.child import REPOSITORY
from e2e.harness.origin_client import Origin

Run = Callable[[Coroutine[Any, Any, None]], None]
RESULTS = REPOSITORY / "test-results" / "e2e"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the wall time of the stages of `make test` that ran before, just above pytest's own closing line."""
    times = Path(os.environ.get("STAGE_TIMES", ""))
    if times.is_file():
        terminalreporter.section("wall time of the stages before this one")
        terminalreporter.write(times.read_text())


@pytest.fixture(scope="session")
def runner() -> Iterator[asyncio.Runner]:
    """One event loop for the whole session, because browsers outlive a test."""
    with asyncio.Runner() as started:
        yield started


@pytest.fixture(scope="session")
def run(runner: asyncio.Runner) -> Run:
    """Run one test's coroutine."""
    return runner.run


@pytest.fixture(scope="session")
def browser_processes(runner: asyncio.Runner) -> Iterator[Browsers]:
    """Start the browser processes that all tests share."""
    opened = launching.browsers()
    running = runner.run(opened.__aenter__())
    yield running
    runner.run(opened.__aexit__(None, None, None))


@pytest.fixture
def browsers(runner: asyncio.Runner, browser_processes: Browsers) -> Iterator[Browsers]:
    """Lend the shared browsers; whatever a test left open in them is closed after it."""
    yield browser_processes
    runner.run(browser_processes.close_contexts())


@pytest.fixture(scope="session")
def results() -> Path:
    """Make an empty folder for logs, which stays after the run."""
    shutil.rmtree(RESULTS, ignore_errors=True)
    RESULTS.mkdir(parents=True)
    return RESULTS


@pytest.fixture(scope="session")
def origin(results: Path) -> Iterator[Origin]:
    """Start an origin with the VOD and a blank page, for tests that need no tracker."""
    made = media.ensure()
    server = Origin({"vod": made.vod("fmp4"), "pages": PAGES}, results / "platform")
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def shared_bed(results: Path) -> Iterator[Bed]:
    """Start tracker, origin and live stream once; tests use `bed`."""
    with Bed(results / "bed", mounts={"forms": results / "forms"}) as started:
        started.live.wait_playable()
        yield started


@pytest.fixture
def bed(shared_bed: Bed) -> Iterator[Bed]:
    """Lend the shared test bed, healthy at the start of each test."""
    shared_bed.origin.reset_rules()
    yield shared_bed
    shared_bed.origin.reset_rules()
