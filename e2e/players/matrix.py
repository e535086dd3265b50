"""What is run: every player on every way into the pool, on demand and live; one cell is a swarm of two viewers."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from playwright.async_api import Page

from e2e.harness import ledger
from e2e.harness.bed import Bed, Stream
from e2e.harness.browsers import BrowserName, Browsers
from e2e.harness.viewers import WITHOUT_WEBRTC, wait_until
from e2e.players.pages import Mode, PlayerSite

Kind = Literal["vod", "live"]

PLAYBACK = (Path(__file__).resolve().parents[1] / "harness" / "playback.js").read_text()
KINDS: tuple[Kind, ...] = ("vod", "live")
MODES: tuple[Mode, ...] = ("automatic", "explicit", "interceptor")
LIVE_S = 10  # five segments: long enough to live by what neighbours send
STARTED_S = 1  # the first viewer has so much when the second comes
# On demand the second viewer seeks after so long to so long before the end; the first does when the second has come.
SEEK_AFTER_S, LEFT_S = 4, 7
END_TIMEOUT_S = 60
SEEK = """(leftS) => {
  const video = document.querySelector("video");
  video.currentTime = video.duration - leftS;
}"""


@dataclass(frozen=True)
class Player:
    """A player of docs/players.md and what it plays; a new one is a line in `PLAYERS`."""

    name: str
    heading: str
    streams: dict[Kind, Stream] = field(default_factory=lambda: {"vod": "short", "live": "live"})
    # In a page of the document: another rendition by the player's own means, where its ABR has no reason to.
    switch: str = ""

    def __hash__(self) -> int:
        return hash(self.name)


DASH: dict[Kind, Stream] = {"vod": "dash", "live": "dash-live"}
PLAYERS = (
    Player("hls.js", "hls.js", switch="() => { hls.nextLevel = hls.currentLevel === 1 ? 0 : 1; }"),
    Player("shaka", "Shaka Player"),
    Player("shaka-dash", "Shaka Player", DASH),
    Player(
        "dash.js",
        "dash.js",
        DASH,
        switch="() => { player.setRepresentationForTypeByIndex('video', 0); }",
    ),
    Player("video.js-dash", "video.js", DASH),
    Player(
        "video.js",
        "video.js",
        switch="""() => {
          const player = videojs.getPlayers().video;
          const shown = player.videoHeight();
          for (const one of player.tech(true).vhs.representations()) one.enabled(one.height !== shown);
        }""",
    ),
)


@dataclass(frozen=True)
class Cell:
    """One swarm."""

    player: Player
    kind: Kind
    mode: Mode
    browser: BrowserName = "chromium"
    webrtc: bool = True

    @property
    def name(self) -> str:
        """Its name, in pages and logs too."""
        ending = "" if self.webrtc else "-without-webrtc"
        return f"{self.player.name}-{self.kind}-{self.mode}-{self.browser}{ending}"


@dataclass(frozen=True)
class Result:
    """What a cell came to."""

    cell: Cell
    copies: float  # of each segment that any of its viewers was sent, by the origin's log
    stalls: list[int]  # by viewer, as its media element told
    peer_bytes: int
    heights: list[list[int]]  # by viewer, in the order they were shown
    problems: list[str]
    wall_s: float

    def as_json(self) -> dict[str, Any]:
        """Make it JSON."""
        return {"cell": self.cell.name, **{k: v for k, v in vars(self).items() if k != "cell"}}


def cells() -> list[Cell]:
    """List the whole matrix."""
    found = [Cell(player, kind, mode) for player, kind, mode in itertools.product(PLAYERS, KINDS, MODES)]
    found += [Cell(player, "vod", "automatic", "firefox") for player in PLAYERS]
    found += [Cell(player, kind, "automatic", webrtc=False) for player in PLAYERS for kind in KINDS]
    return found


class Watcher:
    """One open page of a cell."""

    def __init__(self, page: Page, tracker_url: str) -> None:
        self.page = page
        self.problems: list[str] = []
        self._module = f"{tracker_url}/peerpool.esm.js"
        page.on("pageerror", lambda error: self.problems.append(f"uncaught: {error}"))

    async def played_s(self) -> float:
        """Where the playhead is."""
        return float(await self.page.evaluate("() => document.querySelector('video')?.currentTime ?? 0"))

    async def plays_to(self, seconds: float, timeout_s: float = 40) -> None:
        """Wait until the playhead is so far from where it is now."""
        start = None

        async def there() -> bool:
            nonlocal start
            at = await self.played_s()
            start = at if start is None or start == 0 else start
            return at - start >= seconds

        await wait_until(there, timeout_s, f"plays {seconds} s: {await self.playback()} {self.problems}")

    async def playback(self) -> dict[str, Any]:
        """Return what was seen of its media element."""
        found: dict[str, Any] = await self.page.evaluate("() => playback")
        return found

    async def stats(self) -> dict[str, Any]:
        """Return PeerPool.stats() of the tag, or of the module that the bundle imports."""
        script = f"async () => (window.PeerPool ?? (await import({json.dumps(self._module)}))).stats()"
        found: dict[str, Any] = await self.page.evaluate(script)
        return found

    async def connected(self) -> None:
        """Wait until it has a neighbour; a loaded machine's Firefox takes its time for that."""

        async def has_one() -> bool:
            return int((await self.stats())["neighbours"]) > 0

        await wait_until(has_one, 20, "it has a neighbour")

    async def bytes(self, name: str) -> int:
        """One of fromPeers, toPeers, fromCdn."""
        return int((await self.stats())["bytes"][name])


async def watch(
    running: Browsers, bed: Bed, site: PlayerSite, cell: Cell, name: str, *, manifest: str | None = None
) -> Watcher:
    """Open the page of a cell as one more viewer, whose token at the origin is `name`; `manifest` is another URL."""
    context = await running.new_context(cell.browser)
    if not cell.webrtc:
        await context.add_init_script(WITHOUT_WEBRTC)
    await context.add_init_script(PLAYBACK)
    watcher = Watcher(await context.new_page(), bed.tracker.url)
    src = f"{manifest or bed.src(cell.player.streams[cell.kind])}?viewer={name}"
    await watcher.page.goto(site.page(cell.player.heading, cell.mode, src, name), wait_until="domcontentloaded")
    return watcher


async def run_cell(running: Browsers, bed: Bed, site: PlayerSite, cell: Cell) -> Result:
    """Play a cell and close its pages. What does not come to be in time is a `NeverTrue`."""
    begun_s = time.time()
    names = [f"{cell.name}-{number}" for number in range(2 if cell.webrtc else 1)]
    watchers: list[Watcher] = []
    try:
        for name in names:
            watchers.append(await watch(running, bed, site, cell, name))
            await watchers[-1].plays_to(STARTED_S)
        await (_play_live if cell.kind == "live" else _play_to_end)(cell, watchers)
        seen = [await watcher.playback() for watcher in watchers]
        peer_bytes = sum([await watcher.bytes("fromPeers") for watcher in watchers])
    finally:
        for watcher in watchers:
            await watcher.page.context.close()
    entries = [entry for entry in bed.origin.entries() if entry.viewer in names or _is_of(entry, cell, begun_s)]
    return Result(
        cell,
        ledger.copies_per_segment(entries),
        [one["stalls"] for one in seen],
        peer_bytes,
        [one["heights"] for one in seen],
        [problem for watcher in watchers for problem in watcher.problems] + [e for one in seen for e in one["errors"]],
        time.time() - begun_s,
    )


def _is_of(entry: ledger.Entry, cell: Cell, begun_s: float) -> bool:
    """Whether it is a segment of this DASH: an MPD's URLs have no viewer in them, and no two cells play one at once."""
    stream = cell.player.streams[cell.kind]
    return stream.startswith("dash") and entry.path.startswith(f"/{stream}/") and entry.started_s >= begun_s


async def _play_live(_cell: Cell, watchers: Sequence[Watcher]) -> None:
    await asyncio.gather(*(watcher.plays_to(LIVE_S) for watcher in watchers))


async def _play_to_end(cell: Cell, watchers: Sequence[Watcher]) -> None:
    """Play to the end, with a seek on the way; where a page's player can be reached it shows another rendition."""
    if cell.mode == "automatic" and cell.player.switch:
        for watcher in watchers:
            await watcher.page.evaluate(cell.player.switch)
    for watcher in watchers:
        if watcher is watchers[-1]:
            await watcher.plays_to(SEEK_AFTER_S - STARTED_S)
            if cell.webrtc:
                await watcher.connected()
        await watcher.page.evaluate(
            f"() => {{ const v = document.querySelector('video'); v.currentTime = v.duration - {LEFT_S}; }}"
        )

    async def ended() -> bool:
        return all([(await watcher.playback())["ended"] for watcher in watchers])

    await wait_until(ended, END_TIMEOUT_S, f"{cell.name} plays to its end: {[await w.playback() for w in watchers]}")


def table(results: Sequence[Result]) -> str:
    """Lay the results out as a table in Markdown."""
    lines = [
        "| player | stream | way in | browser | copies per segment | stalls | from peers | lines of the picture |",
        "|---|---|---|---|---:|---:|---:|---|",
    ]
    for result in results:
        cell = result.cell
        way = cell.mode if cell.webrtc else f"{cell.mode}, no WebRTC"
        heights = "; ".join(", ".join(map(str, one)) for one in result.heights)
        lines.append(
            f"| {cell.player.name} | {cell.kind} | {way} | {cell.browser} | {result.copies:.2f} "
            f"| {' + '.join(map(str, result.stalls))} | {result.peer_bytes / 1e6:.1f} MB | {heights} |"
        )
    return "\n".join(lines)
