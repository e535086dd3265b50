"""dash.js in the pool: each form of addressing, live and on demand, automatic by the script tag."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from e2e.conftest import Run
from e2e.harness.bed import PAGES, Bed
from e2e.harness.browsers import Browsers
from e2e.harness.child import REPOSITORY
from e2e.harness.dash_media import MANIFEST, DashLive, ensure_dash
from e2e.harness.ledger import Entry
from e2e.harness.origin_client import Origin
from e2e.harness.page_server import SCRIPT, File, PageServer
from e2e.harness.site_viewer import SiteViewer, open_site
from e2e.harness.viewers import wait_until

PLAYER = REPOSITORY / "node_modules" / "dashjs" / "dist" / "modern" / "umd" / "dash.all.min.js"
LIVE_SEGMENTS = 5  # a viewer starts 6 s behind the edge


@pytest.fixture(scope="module")
def live(shared_bed: Bed, results: Path) -> Iterator[DashLive]:
    stream = DashLive(shared_bed.media, results / "dash-live")
    stream.start()
    yield stream
    stream.stop()


@pytest.fixture(scope="module")
def origin(shared_bed: Bed, live: DashLive, results: Path) -> Iterator[Origin]:
    server = Origin({"dash": ensure_dash(shared_bed.media), "live": live.folder}, results / "dash")
    server.start()
    yield server
    server.stop()


@dataclass(frozen=True)
class Stage:
    """What a test plays from: media and their origin, and a site whose pages have one line of ours."""

    bed: Bed
    origin: Origin
    site: PageServer

    def page(self, data: str = "") -> str:
        """Serve the page, our tag before its player; return its URL."""
        tag = f'<script src="{self.bed.tracker.url}/peerpool.js" {data}></script>'
        return self.site.put_page(
            "/dash",
            f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>A site</title>{tag}'
            f'<script src="/dash.js"></script></head><body><video muted playsinline></video>'
            f'<script src="/dash-player.js"></script></body></html>',
        )


@pytest.fixture
def stage(bed: Bed, origin: Origin) -> Iterator[Stage]:
    with PageServer() as site:
        site.files["/dash.js"] = File(PLAYER.read_bytes(), SCRIPT)
        site.files["/dash-player.js"] = File((PAGES / "dash-player.js").read_bytes(), SCRIPT)
        yield Stage(bed, origin, site)


def copies(entries: Iterable[Entry]) -> float:
    """Media bytes the origin sent / bytes of different segments among them, also where segments are ranges."""
    sent = 0
    unique: defaultdict[str, set[int]] = defaultdict(set)
    for entry in entries:
        if entry.request_class not in ("init", "media") or not entry.sent_bytes:
            continue
        first = int(entry.range.removeprefix("bytes=").split("-")[0]) if entry.range else 0
        sent += entry.sent_bytes
        unique[entry.path].update(range(first, first + entry.sent_bytes))
    return sent / sum(map(len, unique.values()))


async def share(
    browsers: Browsers, urls: list[str], origin: Origin, what: str, *, play_s: float, most_copies: float
) -> list[SiteViewer]:
    """Let viewers watch until all have shared and played; print and check what they met."""
    before = len(origin.entries())
    viewers = []
    for url in urls:
        viewer = await open_site(browsers, "chromium", url)
        viewers.append(viewer)
        await viewer.plays_on(1)

    async def sharing() -> bool:
        return all([await viewer.bytes("fromPeers") + await viewer.bytes("toPeers") > 0 for viewer in viewers])

    await wait_until(sharing, 20, f"{what}: each of them shares")
    for viewer in viewers:
        await viewer.plays_on(play_s)
    per_segment = copies(origin.entries()[before:])
    from_peers = [await viewer.bytes("fromPeers") for viewer in viewers]
    met = [
        await viewer.page.evaluate("() => ({ errors: demo.errors, stalls: demo.stalls, kbps: demo.throughputs })")
        for viewer in viewers
    ]
    print(f"{what}: {per_segment:.2f} copies per segment; bytes from peers {from_peers}; {met}")
    assert [(one["errors"], one["stalls"]) for one in met] == [([], 0)] * len(viewers)
    assert [viewer.problems for viewer in viewers] == [[]] * len(viewers)
    assert per_segment < most_copies
    return viewers


@pytest.mark.parametrize("form", ["timeline", "base"])
def test_viewers_of_dash_on_demand_share_whatever_their_segments_are_called(
    run: Run, browsers: Browsers, stage: Stage, form: str
) -> None:
    async def scenario() -> None:
        url = f"{stage.page()}?src={stage.origin.url}/dash/{form}/{MANIFEST}"
        viewers = await share(browsers, [url, url], stage.origin, form, play_s=2, most_copies=1.7)
        last = viewers[-1]
        await last.page.evaluate("() => demo.player.seek(50)")
        await last.plays_on(1)
        assert await last.played_s() > 50
        assert await last.page.evaluate("() => demo.errors") == []

    run(scenario())


def test_viewers_of_live_dash_who_join_at_different_times_share(
    run: Run, browsers: Browsers, stage: Stage, live: DashLive
) -> None:
    async def scenario() -> None:
        live.wait_playable(LIVE_SEGMENTS)
        url = f"{stage.page()}?abr&src={stage.origin.url}/live/{MANIFEST}"
        await share(browsers, [url, url], stage.origin, "live", play_s=4, most_copies=2)

    run(scenario())


def test_viewers_whose_manifests_name_different_hosts_share(run: Run, browsers: Browsers, stage: Stage) -> None:
    async def scenario() -> None:
        hosts = [
            f"{stage.origin.url}/dash/template/",
            f"{stage.origin.url}/dash/template/".replace("127.0.0.1", "localhost"),
        ]
        manifest = (ensure_dash(stage.bed.media) / "template" / MANIFEST).read_text()
        address = stage.page('data-content="a film"')
        urls = []
        for name, order in (("a", hosts), ("b", hosts[::-1])):
            bases = "".join(f"<BaseURL>{host}</BaseURL>" for host in order)
            text = manifest.replace("<Period", f"{bases}<Period")
            stage.site.files[f"/{name}.mpd"] = File(
                text.encode(), "application/dash+xml", {"Access-Control-Allow-Origin": "*"}
            )
            urls.append(f"{address}?src={stage.site.url}/{name}.mpd")
        viewers = await share(browsers, urls, stage.origin, "two hosts", play_s=1, most_copies=1.8)
        asked = [[any(url.startswith(host) for url in viewer.requests) for host in hosts] for viewer in viewers]
        assert asked == [[True, False], [False, True]]

    run(scenario())


def test_low_latency_segments_pass_to_the_player_as_they_come(run: Run, browsers: Browsers, stage: Stage) -> None:
    async def scenario() -> None:
        folder = f"{stage.origin.url}/dash/template/"
        manifest = (ensure_dash(stage.bed.media) / "template" / MANIFEST).read_text()
        text = manifest.replace("<Period", f"<BaseURL>{folder}</BaseURL><Period").replace(
            "<SegmentTemplate", '<SegmentTemplate availabilityTimeOffset="1.6" availabilityTimeComplete="false"'
        )
        stage.site.files["/low.mpd"] = File(text.encode(), "application/dash+xml")
        viewer = await open_site(browsers, "chromium", f"{stage.page()}?src={stage.site.url}/low.mpd")
        await viewer.page.evaluate("() => { window.given = []; PeerPool.on('segment', ({ url }) => given.push(url)); }")
        await viewer.plays_on(1)
        chunks = [url for url in viewer.requests if "/chunk-" in url]
        assert len(chunks) > 2
        assert [url for url in await viewer.page.evaluate("() => given") if "/chunk-" in url] == []
        assert await viewer.page.evaluate("() => demo.errors") == []

    run(scenario())
