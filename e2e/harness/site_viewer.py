"""A viewer on a site's own page (page_server.py), with spies on everything that leaves the page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from playwright.async_api import BrowserContext, Page

from e2e.harness.browsers import BrowserName, Browsers
from e2e.harness.viewers import wait_until

SPIES = (Path(__file__).parent / "spies.js").read_text()


class SiteViewer:
    """One open page; `requests` are the URLs of all it has asked for, WebSockets too."""

    def __init__(self, context: BrowserContext, page: Page) -> None:
        self.context = context
        self.page = page
        self.requests: list[str] = []
        self.problems: list[str] = []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("websocket", lambda socket: self.requests.append(socket.url))
        page.on("pageerror", lambda error: self.problems.append(str(error)))

    async def stats(self) -> dict[str, Any]:
        """Return PeerPool.stats()."""
        found: dict[str, Any] = await self.page.evaluate("() => PeerPool.stats()")
        return found

    async def seen(self) -> dict[str, Any]:
        """Return what the spies saw."""
        found: dict[str, Any] = await self.page.evaluate("() => ({ ...seen })")
        return found

    async def bytes(self, name: str) -> int:
        """One of fromPeers, fromCdn, toPeers."""
        return int((await self.stats())["bytes"][name])

    async def played_s(self) -> float:
        """Where the playhead is."""
        return float(await self.page.evaluate("() => document.querySelector('video').currentTime"))

    async def plays_on(self, seconds: float, timeout_s: float = 30) -> None:
        """Wait until it has played for so long from now."""
        before = await self.played_s()

        async def enough() -> bool:
            return await self.played_s() - before >= seconds

        await wait_until(
            enough, timeout_s, f"the page plays {seconds} s more: {await self.page.evaluate('() => demo.errors')}"
        )

    def outside(self, allowed: Sequence[str]) -> list[str]:
        """Return what was asked of anybody but these."""
        return [url for url in self.requests if not url.startswith((*allowed, "blob:", "data:"))]


async def open_site(
    running: Browsers,
    browser: BrowserName,
    url: str,
    *,
    context: BrowserContext | None = None,
    scripts: Sequence[str] = (),
) -> SiteViewer:
    """Open a page as a viewer of its own, or as another tab of `context`; `scripts` run before the page's."""
    own = context or await running.new_context(browser)
    if context is None:
        for script in (SPIES, *scripts):
            await own.add_init_script(script)
    viewer = SiteViewer(own, await own.new_page())
    await viewer.page.goto(url, wait_until="domcontentloaded")
    return viewer
