"""What the bench stands on: the test bed, the pages of the products, and the other product's own tracker."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from bench.side_by_side.cases import LATENCY_MS, PINNED_LEVEL, RATE_BPS, Plan
from e2e.harness.bed import Bed
from e2e.harness.child import REPOSITORY, Child, free_port, listens
from e2e.harness.live import WINDOW_SEGMENTS
from e2e.harness.media import Media

SOURCES = Path(__file__).parent / "pages"
MODULES = REPOSITORY / "node_modules"
PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<link rel="icon" href="data:,">
<title>{title}</title>
<video muted autoplay playsinline width="640" height="360"></video>
{scripts}
</html>
"""


@dataclass(frozen=True)
class Ground:
    """Everything that is running."""

    bed: Bed
    torrent_tracker_url: str

    def page_url(self, plan: Plan, viewer: str) -> str:
        """Where a viewer of a run goes."""
        src = f"{self.bed.src(plan.case.stream)}?viewer={viewer}"
        query = {"src": src, "level": PINNED_LEVEL, "tracker": self.torrent_tracker_url, **dict(plan.product.query)}
        return f"{self.bed.origin.url}/bench/{plan.product.page}.html?{urlencode(query)}"

    def set_conditions(self, plan: Plan) -> None:
        """Make the origin what the case wants."""
        total_bps = plan.case.origin_part * plan.viewers * pinned_bps(self.bed.media)
        rule = {"latency_ms": LATENCY_MS, "rate_bps": RATE_BPS}
        classes = {"playlist": rule, "init": rule, "media": rule}
        self.bed.origin.set_rules(classes=classes, total_rate_bps=total_bps)


@contextmanager
def ground(folder: Path) -> Iterator[Ground]:
    """Start everything, with a whole window of the live stream, and stop it at the end."""
    pages = folder / "pages"
    pages.mkdir(parents=True)
    with Bed(folder / "bed", mounts={"bench": pages}) as bed:
        make_pages(pages, bed.tracker.url)
        port = free_port()
        command = ["node", str(SOURCES.parent / "torrent_tracker.js"), str(port)]
        torrent_tracker = Child("bittorrent-tracker", command, folder / "bittorrent-tracker.log")
        torrent_tracker.start()
        try:
            torrent_tracker.wait_ready(lambda: listens(port), timeout_s=20)
            bed.live.wait_playable(WINDOW_SEGMENTS)
            yield Ground(bed, f"ws://127.0.0.1:{port}")
        finally:
            torrent_tracker.stop()


def make_pages(folder: Path, tracker_url: str) -> None:
    """Write one page a product: the same but for the scripts of the product."""
    for name in ("watch.js", "player.js"):
        shutil.copy(SOURCES / name, folder / name)
    shutil.copy(MODULES / "hls.js/dist/hls.min.js", folder / "hls.min.js")
    esbuild = [str(MODULES / ".bin/esbuild"), str(SOURCES / "p2p-media-loader.js"), "--bundle", "--minify"]
    # The condition chooses the library's own build for browsers, in which Node's `events` and `buffer` are included.
    esbuild += ["--format=iife", "--conditions=p2pml:core-as-bundle", "--log-level=warning"]
    outfile = folder / "p2p-media-loader.js"
    subprocess.run([*esbuild, f"--outfile={outfile}"], check=True, cwd=REPOSITORY, timeout=60)
    products = {
        "plain": ["hls.min.js"],
        "p2p-media-loader": ["hls.min.js", "p2p-media-loader.js"],
        "peerpool": [f"{tracker_url}/peerpool.js", "hls.min.js"],
    }
    for name, own in products.items():
        scripts = "\n".join(f'<script src="{src}"></script>' for src in ("watch.js", *own, "player.js"))
        (folder / f"{name}.html").write_text(PAGE.format(title=name, scripts=scripts))


def pinned_bps(media: Media) -> float:
    """Bits a second that one viewer of the pinned rendition takes: its picture, and the default sound."""
    recipe = media.recipe
    tracks = (recipe.renditions[PINNED_LEVEL].name, f"audio-{recipe.audio[0].language}")
    files = [file for track in tracks for file in (media.vod("fmp4") / track).glob("segment-*")]
    return sum(file.stat().st_size for file in files) * 8 / (recipe.duration_s * recipe.vod_loops)
