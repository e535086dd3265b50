"""One run: viewers come, watch and go, and what they and the origin saw is read at the end."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass

from playwright.async_api import Error, Page

from bench.processes import Machine
from bench.side_by_side import figures
from bench.side_by_side.cases import Plan
from bench.side_by_side.figures import Figures, Report, Times
from bench.side_by_side.setup import Ground
from e2e.harness.browsers import Browsers, browsers

REPORT = "() => sideBySide.report()"
LOG_SETTLE_S = 0.5  # the origin logs a response when it ended


@dataclass
class Seat:
    """One viewer."""

    name: str
    page: Page
    report: Report | None = None


@dataclass(frozen=True)
class Result:
    """A run's figures, and how busy the machine was."""

    figures: Figures
    cpu_busy: float
    cpu_others: float
    browser_version: str


async def run_once(ground: Ground, plan: Plan, tag: str, watch_s: float) -> Result:
    """Do one run in a browser of its own."""
    ground.set_conditions(plan)
    async with browsers() as running:
        seats = [await _seat(running, f"{tag}-{index}") for index in range(1, plan.viewers + 1)]
        version = (await running.get("chromium")).version
        before = Machine.now()
        started_s = time.time()
        await _join(ground, plan, seats)
        joined_s = time.time()
        await asyncio.sleep(watch_s / 2)
        leavers = seats[: round(len(seats) * plan.case.leavers)]
        await asyncio.gather(*map(_leave, leavers))
        await asyncio.sleep(joined_s + watch_s - time.time())
        times = Times(started_s, joined_s, time.time())
        stayers = await asyncio.gather(*(_read(seat) for seat in seats if seat not in leavers))
        machine = Machine.now().since(before)
    await asyncio.sleep(LOG_SETTLE_S)
    names = {seat.name for seat in seats}
    entries = [
        entry for entry in ground.bed.origin.entries() if entry.viewer in names and entry.started_s < times.ended_s
    ]
    reports = [seat.report for seat in seats if seat.report]
    return Result(figures.of_run(reports, entries, times, stayers), machine.busy, machine.others, version)


async def _seat(running: Browsers, name: str) -> Seat:
    """Open an empty page, so that opening it is not part of joining."""
    return Seat(name, await (await running.new_context("chromium")).new_page())


async def _join(ground: Ground, plan: Plan, seats: Sequence[Seat]) -> None:
    """Send every viewer to its page at its time; returns when the last has been sent."""
    started = time.monotonic()
    going: list[asyncio.Task[object]] = []
    for index, seat in enumerate(seats):
        due = started + plan.case.joins_s * index / len(seats)
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        url = ground.page_url(plan, seat.name)
        going.append(asyncio.create_task(seat.page.goto(url, wait_until="commit")))
    await asyncio.gather(*going)


async def _read(seat: Seat) -> Report:
    seat.report = Report(**await seat.page.evaluate(REPORT))
    return seat.report


async def _leave(seat: Seat) -> None:
    """End the page's process: nothing in the page gets a chance to say goodbye."""
    await _read(seat)
    session = await seat.page.context.new_cdp_session(seat.page)
    with contextlib.suppress(Error, TimeoutError):  # who crashes does not answer
        await asyncio.wait_for(session.send("Page.crash"), timeout=1)
