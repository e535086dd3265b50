"""Players on the pages of docs/players.md: a part of the matrix (`make players`), and all of them in one swarm."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator, Sequence

import pytest

from e2e.conftest import Run
from e2e.harness import ledger
from e2e.harness.bed import Bed
from e2e.harness.browsers import BrowserName, Browsers
from e2e.harness.media import MULTIVARIANT_NAME
from e2e.harness.page_server import PageServer
from e2e.harness.viewers import wait_until
from e2e.players.matrix import PLAYERS, Cell, Kind, Player, Watcher, run_cell, table, watch
from e2e.players.pages import TAG, Mode, PlayerSite

SEVERAL_SEGMENTS_BYTES = 150_000  # six of sound, or two of the smallest picture
BY_NAME = {player.name: player for player in PLAYERS}


@pytest.fixture
def site(bed: Bed) -> Iterator[PlayerSite]:
    with PageServer() as server:
        yield PlayerSite(server, bed.tracker.url)


def cell(name: str, kind: Kind, mode: Mode, browser: BrowserName = "chromium", *, webrtc: bool = True) -> Cell:
    return Cell(BY_NAME[name], kind, mode, browser, webrtc)


# Cells that run side by side: one on demand, one live.
SELECTION = [
    [cell("shaka", "vod", "automatic"), cell("video.js", "live", "explicit")],
    [cell("video.js", "vod", "automatic"), cell("shaka", "live", "explicit")],
    [cell("hls.js", "vod", "explicit", "firefox"), cell("shaka", "live", "interceptor")],
    [cell("dash.js", "vod", "automatic"), cell("hls.js", "live", "automatic")],
]


@pytest.mark.parametrize("chosen", SELECTION, ids=lambda chosen: "+".join(one.name for one in chosen))
def test_viewers_of_a_player_play_and_share(
    run: Run, browsers: Browsers, bed: Bed, site: PlayerSite, chosen: Sequence[Cell]
) -> None:
    async def scenario() -> None:
        results = await asyncio.gather(*(run_cell(browsers, bed, site, one) for one in chosen))
        print(table(results))
        for result in results:
            assert result.problems == []
            assert result.peer_bytes > 0
            assert result.copies < 1.8  # two viewers without us: 2
            if result.cell.kind == "vod" and result.cell.mode == "automatic":
                assert len(result.heights[-1]) > 1, "no rendition was ever changed"

    run(scenario())


def test_without_webrtc_every_player_plays_as_ever(run: Run, browsers: Browsers, bed: Bed, site: PlayerSite) -> None:
    async def scenario() -> None:
        alone = [Cell(player, "vod", "automatic", webrtc=False) for player in PLAYERS]
        results = await asyncio.gather(*(run_cell(browsers, bed, site, one) for one in alone))
        for result in results:
            print(f"{result.cell.name}: {result.stalls} stalls, {result.heights} lines")
            assert (result.problems, result.peer_bytes) == ([], 0)

    run(scenario())


def one_rendition(bed: Bed) -> str:
    """Write a multivariant playlist of the live stream with its smallest picture alone; return its URL."""
    master = bed.live.folder / MULTIVARIANT_NAME
    head, first, *_ = re.split(r"^(?=#EXT-X-STREAM-INF)", master.read_text(), flags=re.MULTILINE)
    (bed.live.folder / "low.m3u8").write_text(head + first)
    return bed.src("live").replace(MULTIVARIANT_NAME, "low.m3u8")


def test_viewers_on_different_players_share_with_each_other(
    run: Run, browsers: Browsers, bed: Bed, site: PlayerSite
) -> None:
    async def scenario() -> None:
        manifest = one_rendition(bed)
        watchers: list[Watcher] = []

        async def joins(player: Player) -> Watcher:
            name = f"mixed-{len(watchers)}-{player.name}"
            watcher = await watch(browsers, bed, site, Cell(player, "live", "automatic"), name, manifest=manifest)
            watchers.append(watcher)
            await watcher.plays_to(1)
            return watcher

        async def shares(player: Player, watcher: Watcher) -> None:
            # Whichever player's reloads come first after each new segment is the one that fetches them all, and gives.
            async def enough() -> bool:
                moved = await watcher.bytes("fromPeers") + await watcher.bytes("toPeers")
                return moved > SEVERAL_SEGMENTS_BYTES

            await wait_until(enough, 60, f"{player.name} takes from others or gives them")
            stats, playback = await watcher.stats(), await watcher.playback()
            print(f"{player.name}: {stats['neighbours']} neighbours, {stats['bytes']}, {playback['stalls']} stalls")
            assert (watcher.problems, playback["errors"]) == ([], [])

        playing_hls = [player for player in PLAYERS if player.streams["live"] == "live"]
        first, *others = [await joins(player) for player in playing_hls]
        for player, watcher in zip(playing_hls[1:], others, strict=True):
            await shares(player, watcher)
        # The first fetched what the others took. Its player comes again when nobody is left that has the same.
        await first.page.context.close()
        again = await joins(playing_hls[0])
        await shares(playing_hls[0], again)
        joined_s = time.time()
        await again.plays_to(6)
        entries = [one for one in bed.origin.entries() if one.viewer.startswith("mixed-")]
        copies = ledger.copies_per_segment(entries, joined_s)
        print(f"{copies:.2f} copies per segment since then")
        assert copies < 1.8  # without us as many as players

    run(scenario())


# Counts what is delivered; alone, for each page is a content of its own.
COUNTED = f"""{TAG}<script>
  window.delivered = [];
  PeerPool.configure({{ content: document.title }});
  PeerPool.on("segment", ({{ url }}) => delivered.push(url));
</script>"""
PLAYER_SCRIPT = re.compile(r'<script src="https://cdn.*</script>\n')


def test_a_segment_that_an_adapter_serves_is_not_the_interceptors_too(
    run: Run, browsers: Browsers, bed: Bed, site: PlayerSite
) -> None:
    async def counts(player: Player) -> None:
        name = f"counted-{player.name}"
        src = f"{bed.src(player.streams['vod'])}?viewer={name}"
        context = await browsers.new_context("chromium")
        page = await context.new_page()
        asked: list[str] = []
        answered: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        # Not what a player gave up, which it may ask for again.
        page.on("requestfinished", lambda request: answered.append(request.url))
        await page.goto(site.page(player.heading, "automatic", src, name, edit=tag_after))

        async def plays() -> bool:
            return bool(await page.evaluate("() => document.querySelector('video').currentTime > 4"))

        await wait_until(plays, 30, f"{player.name} plays")
        delivered: list[str] = await page.evaluate("() => delivered")
        assert len(delivered) > 4
        assert len(delivered) == len(set(delivered)), "a segment was counted twice"
        assert set(asked) >= set(delivered)
        twice = [url for url in delivered if answered.count(url) > 1]
        assert twice == [], f"{player.name}: a segment was fetched twice"

    async def scenario() -> None:
        await asyncio.gather(*map(counts, PLAYERS))

    run(scenario())


def tag_after(page: str) -> str:
    """Put the tag behind the player's script."""
    return PLAYER_SCRIPT.sub(lambda script: script[0] + COUNTED, page.removeprefix(TAG))


@pytest.mark.parametrize("name", ["shaka", "video.js"])
def test_a_player_that_is_given_another_source_shares_that(
    run: Run, browsers: Browsers, bed: Bed, site: PlayerSite, name: str
) -> None:
    async def scenario() -> None:
        player = BY_NAME[name]
        first, second = (f"{bed.src(stream)}?viewer=changes-{name}" for stream in ("vod", "short"))
        context = await browsers.new_context("chromium")
        page = await context.new_page()
        await page.goto(site.page(player.heading, "automatic", first, f"changes-{name}", edit=exposed))

        async def plays(stream: str) -> bool:
            found = await page.evaluate(
                """(stream) => document.querySelector('video').currentTime > 1
                  && delivered.filter((url) => url.includes(stream)).length > 2""",
                stream,
            )
            return bool(found)

        await wait_until(lambda: plays("/vod/"), 30, f"{name} plays the first")
        before = (await page.evaluate("() => PeerPool.stats()"))["content"]
        await page.evaluate(CHANGE[name], second)
        await wait_until(lambda: plays("/short/"), 30, f"{name} plays the second")
        after = (await page.evaluate("() => PeerPool.stats()"))["content"]
        assert after not in (before, None)

    run(scenario())


CHANGE = {
    "shaka": "(src) => player.load(src)",
    "video.js": "(src) => videojs.getPlayers().video.src({ src, type: 'application/x-mpegURL' })",
}


def exposed(page: str) -> str:
    """Count what is delivered, and let the test reach the player."""
    counted = COUNTED.replace("  PeerPool.configure({ content: document.title });\n", "")
    return page.replace(TAG, counted).replace("const player = ", "const player = window.player = ")
