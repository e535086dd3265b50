"""Launching Chromium and Firefox so that several headless pages play video and reach each other by WebRTC.

Every flag and preference below is here because a page does not play, or two pages do not connect, without it, or
because it keeps an idle browser off the network; `e2e/test_platform.py` shows that together they suffice.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

from playwright.async_api import Browser, BrowserContext, BrowserType, Playwright, async_playwright

BrowserName = Literal["chromium", "firefox"]

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
FIREFOX_NAMES = ("firefox-esr", "firefox")

INSECURE_HOST = "peerpool.test"

CHROMIUM_FLAGS = (
    "--no-sandbox",  # root in a container
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--mute-audio",
    "--autoplay-policy=no-user-gesture-required",
    # Several pages play at once and only one can be in front: a hidden page must neither slow its timers nor pause.
    "--disable-background-timer-throttling",
    "--disable-renderer-backgrounding",
    "--disable-backgrounding-occluded-windows",
    # Host candidates as addresses: `.local` names need multicast, which containers often lack.
    "--disable-features=WebRtcHideLocalIpsWithMdns",
    # A name that is not localhost: over plain http its pages are no secure context, as of a site without TLS.
    f"--host-resolver-rules=MAP {INSECURE_HOST} 127.0.0.1",
    # Where loopback is the only interface there would be no candidates without this (and the grant in `new_context`).
    "--allow-loopback-in-peer-connection",
)

FIREFOX_PREFS: Mapping[str, str | float | bool] = {
    "network.dns.localDomains": INSECURE_HOST,  # as above
    "media.autoplay.default": 0,  # 0 = allowed
    "media.autoplay.blocking_policy": 0,
    "media.autoplay.block-webaudio": False,
    "media.volume_scale": "0.0",
    # Host candidates as addresses, on every interface, loopback included.
    "media.peerconnection.ice.obfuscate_host_addresses": False,
    "media.peerconnection.ice.loopback": True,
    "media.peerconnection.ice.default_address_only": False,
    "media.peerconnection.ice.no_host": False,
    # 1 = granted: a page that may capture may enumerate interfaces, so a machine without a default route works too.
    "permissions.default.microphone": 1,
    # Hidden pages keep their timers and their decoder.
    "dom.min_background_timeout_value": 4,
    "dom.timeout.enable_budget_timer_throttling": False,
    "media.suspend-background-video.enabled": False,
    "media.gmp-manager.url": "",  # no codec downloads: H.264 and AAC come from the system's libavcodec
    "media.gmp-gmpopenh264.enabled": False,
}


class BrowserMissing(Exception):
    """No executable of this browser was found on the machine."""

    def __init__(self, name: BrowserName) -> None:
        self.browser = name
        package = "chromium" if name == "chromium" else "firefox-esr"
        super().__init__(f"{name} was not found; install it, for example: apt-get install {package}")


def find(name: BrowserName) -> Path | None:
    """Find the executable of a browser: `PEERPOOL_CHROMIUM` / `PEERPOOL_FIREFOX`, else the first known name in PATH."""
    override = os.environ.get(f"PEERPOOL_{name.upper()}")
    if override:
        return Path(override)
    names = CHROMIUM_NAMES if name == "chromium" else FIREFOX_NAMES
    return next((Path(found) for found in map(shutil.which, names) if found), None)


def available() -> list[BrowserName]:
    """List the browsers that can be launched here."""
    names: tuple[BrowserName, ...] = ("chromium", "firefox")
    return [name for name in names if find(name)]


async def launch(playwright: Playwright, name: BrowserName) -> Browser:
    """Start one headless browser process; viewers are contexts in it."""
    path = find(name)
    kind: BrowserType = getattr(playwright, name)
    if path is None:
        raise BrowserMissing(name)
    if name == "chromium":
        return await kind.launch(executable_path=path, args=list(CHROMIUM_FLAGS))
    # The channel says "a stock Firefox, over WebDriver BiDi": Playwright's own protocol needs its patched build.
    return await kind.launch(channel="moz-firefox", executable_path=path, firefox_user_prefs=dict(FIREFOX_PREFS))


class Browsers:
    """At most one process of each browser, started when first asked for, all stopped together."""

    def __init__(self, playwright: Playwright) -> None:
        self._playwright = playwright
        self._running: dict[BrowserName, Browser] = {}

    async def get(self, name: BrowserName) -> Browser:
        """Return the running browser of this name."""
        browser = self._running.get(name)
        if browser is None or not browser.is_connected():
            browser = self._running[name] = await launch(self._playwright, name)
        return browser

    async def new_context(self, name: BrowserName, **options: Any) -> BrowserContext:
        """Open a fresh profile (own cache, own storage, own connections) in the running browser of this name.

        `options` are Playwright's.
        """
        options = {"viewport": {"width": 800, "height": 600}, **options}
        context = await (await self.get(name)).new_context(**options)
        if name == "chromium":  # see `permissions.default.microphone` above
            await context.grant_permissions(["microphone"])
        return context

    async def close_contexts(self) -> None:
        """Close every page, and keep the processes."""
        for browser in self._running.values():
            for context in list(browser.contexts):
                await context.close()

    async def close(self) -> None:
        """Stop every browser that was started."""
        for browser in self._running.values():
            await browser.close()
        self._running.clear()


@asynccontextmanager
async def browsers() -> AsyncIterator[Browsers]:
    """Playwright with its browsers, for as long as the block runs."""
    async with async_playwright() as playwright:
        running = Browsers(playwright)
        try:
            yield running
        finally:
            await running.close()
