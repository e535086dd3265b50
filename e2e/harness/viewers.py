"""A viewer: one browser context on the demo page, with what it plays, received and thinks read out of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from playwright.async_api import BrowserContext, ConsoleMessage, Error, Page

from e2e.harness.browsers import BrowserName, Browsers

WATCH = (Path(__file__).parent / "watch.js").read_text()
WITHOUT_WEBRTC = "delete window.RTCPeerConnection; delete window.webkitRTCPeerConnection;"
READ = """() => {
  const { demo, peerpoolBed: bed, PeerPool } = window;
  const video = demo?.video ?? document.querySelector("video");
  const buffered = video?.buffered;
  let end = 0;
  for (let i = 0; i < (buffered?.length ?? 0); i += 1) {
    if (buffered.start(i) <= video.currentTime + 0.1) end = buffered.end(i);
  }
  return {
    played_s: video?.currentTime ?? 0,
    buffer_s: Math.max(0, end - (video?.currentTime ?? 0)),
    live_latency_s: demo?.hls?.latency ?? 0,
    height: demo?.hls?.levels?.[demo.hls.currentLevel]?.height ?? 0,
    stalls: demo?.stalls ?? 0,
    stalled_ms: demo?.stalledMs ?? 0,
    first_frame_ms: demo?.firstFrameMs ?? null,
    player_errors: Array.from(demo?.errors ?? [], String),
    consumed_bytes: bed.segments.reduce((sum, segment) => sum + segment.sizeBytes, 0),
    peer_connections: bed.peerConnections,
    stats: PeerPool?.stats?.() ?? null,
  };
}"""
SEGMENTS = "async (known) => { await Promise.all(peerpoolBed.digests); return peerpoolBed.segments.slice(known); }"


class NeverTrue(AssertionError):
    """What a test waited for did not come to be."""


@dataclass(frozen=True)
class Status:
    """What a viewer's page says of itself at one moment; `stats` is `PeerPool.stats()`, None without the script."""

    played_s: float
    buffer_s: float
    live_latency_s: float
    height: int  # lines of the rendition being played
    stalls: int
    stalled_ms: float
    first_frame_ms: float | None
    player_errors: list[str]
    consumed_bytes: int
    peer_connections: int
    stats: dict[str, Any] | None

    @property
    def state(self) -> str:
        """In one word, for tables."""
        return str(self.stats.get("state", "")) if self.stats else "plain"

    @property
    def neighbours(self) -> int:
        """Open channels to peers; the library may say how many, or which."""
        neighbours = self.stats.get("neighbours", 0) if self.stats else 0
        return neighbours if isinstance(neighbours, int) else len(neighbours)

    @property
    def cluster_size(self) -> int:
        """Members of its cluster, as its tracker last said."""
        return int(self.stats["clusterSize"]) if self.stats else 0

    def bytes(self, name: str) -> int:
        """One of fromPeers, fromFar, fromCdn, toPeers, wasted."""
        return int(self.stats["bytes"][name]) if self.stats else 0


@dataclass(frozen=True)
class ReceivedSegment:
    """What the player was given for one fragment."""

    path: str
    size_bytes: int
    at_ms: float
    sha256: str


class Viewer:
    """One open demo page."""

    def __init__(self, name: str, browser: BrowserName, context: BrowserContext, page: Page) -> None:
        self.name = name
        self.browser = browser
        self.page = page
        self.messages: list[str] = []
        self._context = context
        self._segments: list[ReceivedSegment] = []
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.messages.append(f"uncaught: {error}"))

    async def status(self) -> Status:
        """Read what the page says of itself now."""
        return Status(**await self.page.evaluate(READ))

    async def segments(self) -> list[ReceivedSegment]:
        """List every fragment the player was given so far, with its digest."""
        found = await self.page.evaluate(SEGMENTS, len(self._segments))
        self._segments += [ReceivedSegment(s["path"], s["sizeBytes"], s["atMs"], s["sha256"]) for s in found]
        return list(self._segments)

    async def close(self) -> None:
        """Close the page at once, as a viewer who leaves does."""
        await self._context.close()

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.messages.append(f"{message.type}: {message.text}")


async def open_viewer(
    running: Browsers,
    browser: BrowserName,
    demo_url: str,
    name: str,
    src: str,
    *,
    without_webrtc: bool = False,
    parameters: Mapping[str, str | int] | None = None,
    scripts: Sequence[str] = (),
) -> Viewer:
    """Open the demo page as one more viewer: `script="off"`, `p2p="off"` and `level=N` are parameters of that page.

    `scripts` run in it before any of its own.
    """
    context = await running.new_context(browser)
    scripts = [WITHOUT_WEBRTC, *scripts] if without_webrtc else scripts
    return await open_page(context, browser, demo_url, name, src, parameters=parameters, scripts=scripts)


async def open_page(
    context: BrowserContext,
    browser: BrowserName,
    demo_url: str,
    name: str,
    src: str,
    *,
    parameters: Mapping[str, str | int] | None = None,
    scripts: Sequence[str] = (),
) -> Viewer:
    """Open the demo page in a context, which the viewer owns from then on."""
    try:
        for script in (WATCH, *scripts):
            await context.add_init_script(script)
        viewer = Viewer(name, browser, context, await context.new_page())
        # Nobody looks at the charts of most, and many share this machine.
        query = urlencode({"src": f"{src}?viewer={name}", "name": name, "charts": "off", **(parameters or {})})
        await viewer.page.goto(f"{demo_url}?{query}", wait_until="domcontentloaded")
    except Error:
        await context.close()
        raise
    return viewer


async def wait_until(
    predicate: Callable[[], Awaitable[bool]], timeout_s: float, what: str, every_s: float = 0.1
) -> float:
    """Poll until the predicate holds, and say how many seconds it took; `NeverTrue` when it does not in time."""
    started = time.monotonic()
    while True:
        if await predicate():
            return time.monotonic() - started
        if time.monotonic() - started > timeout_s:
            raise NeverTrue(f"not within {timeout_s:.0f} s: {what}")
        await asyncio.sleep(every_s)


async def wait_playing(viewer: Viewer, timeout_s: float = 30) -> float:
    """Wait until the first frame is there and the playhead moves."""

    async def playing() -> bool:
        before = await viewer.status()
        if before.first_frame_ms is None:
            return False
        await asyncio.sleep(0.3)
        return (await viewer.status()).played_s > before.played_s

    try:
        return await wait_until(playing, timeout_s, f"{viewer.name} ({viewer.browser}) plays")
    except NeverTrue as problem:
        raise NeverTrue(f"{problem}; {await viewer.status()}; console: {viewer.messages[-10:]}") from None
