"""The dashboard while browsers watch: its figures beside the origin's log, its pictures, its policy, who can use it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page

from e2e.conftest import Run
from e2e.harness.bed import Bed
from e2e.harness.browsers import BrowserName, Browsers
from e2e.harness.child import REPOSITORY
from e2e.harness.swarm import Swarm
from e2e.harness.viewers import wait_until

ADMIN = "the token of the operator"
VIEWERS: list[BrowserName] = ["chromium", "chromium", "chromium"]
SETTINGS = {
    "PEERPOOL_ADMIN_TOKEN": ADMIN,
    "PEERPOOL_PRICES": json.dumps({"currency": "EUR", "cdn": [{"per_gb": 1000.0}]}),
}
# Of what the origin sent, so much more or less may have been reported: what was on its way and never used.
AGREEMENT = 0.02
# Each report covers half a minute, and the tracker takes its sums every five seconds.
REPORTED_S = 45
AXE = (REPOSITORY / "node_modules" / "axe-core" / "axe.min.js").read_text()
SERIOUS = """async () => {
  const { violations } = await axe.run(document, { resultTypes: ["violations"] });
  return violations.filter(({ impact }) => ["serious", "critical"].includes(impact))
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target.join(" ")).join(", ")}`);
}"""
WATCH_POLICY = """window.policyViolations = [];
document.addEventListener("securitypolicyviolation", (event) =>
  policyViolations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}`));"""
SHADOWS = "() => [...document.querySelectorAll('*')].filter(({ shadowRoot }) => shadowRoot).length"
SHOWN = "() => { const { history: then } = window.dashboard ?? {}; return then?.total ?? null; }"


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bed]:
    """Start a bed whose tracker keeps its history in a file."""
    folder: Path = tmp_path_factory.mktemp("dashboard")
    settings = {**SETTINGS, "PEERPOOL_HISTORY": str(folder / "history.db")}
    with Bed(folder, tracker_env=settings, live=False) as bed:
        bed.origin.set_rules(classes={"media": {"rate_bps": 8_000_000, "latency_ms": 20}})
        yield bed


async def open_dashboard(browsers: Browsers, bed: Bed, **options: Any) -> Page:
    """Sign in as the operator does."""
    context = await browsers.new_context("chromium", **options)
    page = await context.new_page()
    await page.add_init_script(WATCH_POLICY)
    await page.goto(f"{bed.tracker.url}/dashboard?range=1h")
    await page.fill("#token", ADMIN)
    await page.press("#token", "Enter")
    await page.wait_for_selector("#board:not([hidden])")
    return page


async def serious_violations(page: Page) -> list[str]:
    """Have axe-core look at the page, around the policy that lets no foreign script in."""
    await page.evaluate(AXE)
    found: list[str] = await page.evaluate(SERIOUS)
    return found


async def shoot(bed: Bed, browsers: Browsers, results: Path, content: str) -> None:
    """Take pictures for review: desktop, dark, phone."""
    sizes: dict[str, dict[str, Any]] = {
        "desktop": {"viewport": {"width": 1280, "height": 900}},
        "dark": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "dark"},
        "phone": {"viewport": {"width": 390, "height": 844}},
    }
    for name, options in sizes.items():
        page = await open_dashboard(browsers, bed, **options)
        await page.click(f"#rows button[title='{content}']")
        await page.wait_for_selector("#graph svg")
        assert await serious_violations(page) == [], name
        overflow = await page.evaluate("() => document.documentElement.scrollWidth - innerWidth")
        assert overflow <= 0, f"{name}: the page is {overflow} px wider than its window"
        await page.screenshot(path=results / f"dashboard-{name}.png", full_page=True)
        assert await page.evaluate("() => policyViolations") == []
        await page.context.close()


@pytest.mark.timeout(240)
def test_the_dashboard_says_what_the_origins_log_says(
    run: Run, browsers: Browsers, watched: Bed, results: Path
) -> None:
    async def scenario() -> None:
        page = await open_dashboard(browsers, watched)
        assert "Nothing was watched" in await page.inner_text("#empty")
        swarm = Swarm(watched, browsers, "short")
        await swarm.join_staggered(VIEWERS, 3, level=1)
        now = page.locator("#viewers")
        await wait_until(lambda: _says(now.inner_text(), "3"), 20, "three viewers are shown")

        async def sent() -> int:
            own = {viewer.name for viewer in swarm.viewers}
            entries = [entry for entry in watched.origin.entries() if entry.viewer in own]
            return sum(entry.sent_bytes for entry in entries if entry.request_class in ("init", "media"))

        async def shared() -> int:
            return sum([(await viewer.status()).bytes("fromPeers") for viewer in swarm.viewers])

        async def agrees() -> bool:
            await page.evaluate("() => document.querySelector('#range').dispatchEvent(new Event('change'))")
            total, sent_bytes, peer_bytes = await page.evaluate(SHOWN), await sent(), await shared()
            return bool(total) and is_near(total["cdn_bytes"], sent_bytes) and is_near(from_peers(total), peer_bytes)

        async def ended() -> bool:
            return all([await viewer.page.evaluate("() => demo.video.ended") for viewer in swarm.viewers])

        await wait_until(ended, 60, "everybody has seen it to its end")
        await wait_until(agrees, REPORTED_S, f"the dashboard agrees with the origin: {await sent()}", every_s=1)
        total, sent_bytes = await page.evaluate(SHOWN), await sent()
        taken = {name: total[name] for name in ("site_bytes", "isp_bytes", "far_bytes", "cdn_bytes")}
        print(f"\norigin sent {sent_bytes}, dashboard says {taken}; offload {total['offload']}, bound {total['bound']}")
        # Its bound is of those who are there when reports are counted, five seconds before or after.
        assert 0.3 < total["offload"] <= total["bound"] + 0.05
        assert total["first_frames"] == len(VIEWERS)
        assert "EUR" in await page.inner_text("#saved")
        content = await page.evaluate("() => dashboard.history.contents[0].content")
        assert re.fullmatch("[0-9a-f]{32,40}", content)
        await shoot(watched, browsers, results, content)

    run(scenario())


def test_the_demo_page_and_what_the_script_shows_have_no_serious_barrier(
    run: Run, browsers: Browsers, watched: Bed
) -> None:
    async def scenario() -> None:
        context = await browsers.new_context("chromium", bypass_csp=True, reduced_motion="reduce")
        page = await context.new_page()
        await page.goto(f"{watched.demo_url}?src={watched.src('vod')}")

        async def plays() -> bool:
            return bool(await page.evaluate("() => demo.video.currentTime > 0"))

        await wait_until(plays, 20, "the demo plays")
        assert await serious_violations(page) == []
        # What the script itself may put on any page.
        await page.evaluate("() => { PeerPool.debug(); PeerPool.notice({ reopen: true }); }")

        async def shown() -> bool:
            return int(await page.evaluate(SHADOWS)) == 2

        await wait_until(shown, 10, "overlay and notice are there")
        assert await serious_violations(page) == []

    run(scenario())


def is_near(reported: int, true: int) -> bool:
    return abs(reported - true) <= AGREEMENT * true


def from_peers(total: dict[str, int]) -> int:
    return total["site_bytes"] + total["isp_bytes"] + total["far_bytes"]


async def _says(text: Any, expected: str) -> bool:
    return str(await text) == expected
