"""A group of viewers on one stream, and the figures of their swarm: what they consumed against what the origin sent."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

from e2e.harness import browsers as launching
from e2e.harness import ledger
from e2e.harness.bed import Bed, Stream
from e2e.harness.browsers import BrowserMissing, BrowserName, Browsers
from e2e.harness.viewers import Status, Viewer, open_viewer, wait_playing


@dataclass(frozen=True)
class Figures:
    """A swarm's figures over one window; NaN where nothing was delivered in it."""

    copies_per_segment: float
    offload: float
    segments: int


@dataclass(frozen=True)
class Snapshot:
    """Every viewer's status, and the figures, at one moment."""

    rows: Sequence[tuple[Viewer, Status]]
    whole_run: Figures
    since_joined: Figures | None


def mix(count: int) -> list[BrowserName]:
    """Choose a browser for each of `count` viewers: Chromium, and Firefox for the last where there is one."""
    installed = launching.available()
    if not installed:
        raise BrowserMissing("chromium")
    names: list[BrowserName] = [installed[0]] * count
    if count > 1 and "firefox" in installed:
        names[-1] = "firefox"
    return names


class Swarm:
    """Viewers of one stream of a test bed; each has the origin's viewer token of its own name."""

    def __init__(self, bed: Bed, running: Browsers, stream: Stream) -> None:
        self.viewers: list[Viewer] = []
        self.joined_s: float | None = None  # since the epoch; None until `all_joined`
        self._bed, self._browsers, self._stream = bed, running, stream
        self._started_s = time.time()

    async def join(
        self,
        browser: BrowserName,
        name: str,
        *,
        demo_url: str | None = None,
        without_webrtc: bool = False,
        **parameters: str | int,
    ) -> Viewer:
        """Open one more viewer, without waiting for its first frame; `demo_url` is another way to the tracker."""
        src = self._bed.src(self._stream)
        url = demo_url or self._bed.demo_url
        viewer = await open_viewer(
            self._browsers, browser, url, name, src, without_webrtc=without_webrtc, parameters=parameters
        )
        self.viewers.append(viewer)
        return viewer

    async def join_staggered(self, names: Sequence[BrowserName], every_s: float, **parameters: str | int) -> None:
        """Open viewers one after the other, and return when all of them play."""
        for index, browser in enumerate(names, start=1):
            await self.join(browser, f"{browser}-{index}", demo_url=None, without_webrtc=False, **parameters)
            await asyncio.sleep(every_s)
        await self.all_joined()

    async def all_joined(self) -> None:
        """Wait until everyone plays; from now on counts as "since everyone joined"."""
        for viewer in self.viewers:
            await wait_playing(viewer)
        self.joined_s = time.time()

    async def snapshot(self) -> Snapshot:
        """Read every viewer and the origin's log."""
        rows = [(viewer, await viewer.status()) for viewer in self.viewers]
        joined = None if self.joined_s is None else await self.figures(self.joined_s)
        return Snapshot(rows, await self.figures(self._started_s), joined)

    async def peer_bytes(self) -> int:
        """Sum what all viewers got from others."""
        return sum([(await viewer.status()).bytes("fromPeers") for viewer in self.viewers])

    async def figures(self, since_s: float) -> Figures:
        """Compute the figures of the segments that the origin was first asked for since a moment."""
        own = {viewer.name for viewer in self.viewers}
        entries = [entry for entry in self._bed.origin.entries() if entry.viewer in own]
        paths = ledger.by_segment(entries, since_s)
        received = [segment for viewer in self.viewers for segment in await viewer.segments()]
        consumed_bytes = sum(segment.size_bytes for segment in received if segment.path in paths)
        offload = ledger.offload_ratio(ledger.origin_bytes(entries, since_s), consumed_bytes)
        return Figures(ledger.copies_per_segment(entries, since_s), offload, len(paths))
