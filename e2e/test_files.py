"""Files: one to several viewers at once; progressive video by the service worker, with the pages of docs/files.md."""

from __future__ import annotations

import asyncio
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import files
from e2e.conftest import Run
from e2e.harness.bed import Bed
from e2e.harness.browsers import BrowserName, Browsers
from e2e.harness.child import REPOSITORY
from e2e.harness.ledger import Entry
from e2e.harness.origin_client import Origin
from e2e.harness.page_server import SCRIPT, File, PageServer
from e2e.harness.site_viewer import SiteViewer, open_site
from e2e.harness.viewers import wait_until

COPIES_LIMIT = 1.2
# What it had is on its disk; all four fetch what nobody has yet of the other half, and each takes some at its start.
RELOAD_COPIES_LIMIT = 0.2
# Slow lines, so that the seconds until a busy machine has connected the viewers are few beside the whole.
PLAN = files.Plan(viewers=4, size_mb=40, rate_mbps=8, plain=False)
SEEK_S = 45
# What Firefox says when an element that seeks gives up a request that a worker is answering.
CANCELLED = {
    "Failed to load \u2018\u2019. A ServiceWorker intercepted the request and encountered an unexpected error."
}
# The script gives the element its source when the worker knows of it: what was asked to play before is not any more.
BEGIN = """() => {
  const video = document.querySelector("video");
  return video.readyState > 0 && video.play().then(() => true, () => false);
}"""
PLAYS = "() => { const v = document.querySelector('video'); return v.currentTime > %s && !v.seeking && !v.error; }"


def test_four_viewers_take_a_file_about_once_and_one_resumes_after_a_reload(
    run: Run, browsers: Browsers, bed: Bed, tmp_path: Path
) -> None:
    async def scenario() -> None:
        result = await files.measure(PLAN, browsers, tmp_path, bed.tracker)
        print("\n" + "\n".join(files.render(PLAN, result)))

        assert (result.wrong, result.errors) == (0, [])
        assert result.copies <= COPIES_LIMIT
        assert result.reload_copies <= RELOAD_COPIES_LIMIT

    run(scenario())


def documented(language: str, holding: str) -> str:
    """Return the block of docs/files.md that has some text in it."""
    text = (REPOSITORY / "docs" / "files.md").read_text()
    blocks = re.findall(rf"^```{language}\n(.+?)^```$", text, re.MULTILINE | re.DOTALL)
    found: str = next(block for block in blocks if holding in block)
    return found


@pytest.fixture(scope="module")
def movie_origin(shared_bed: Bed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Origin]:
    """Serve one progressive MP4 of 14 MB as a CDN would, at four times its bitrate."""
    folder = tmp_path_factory.mktemp("movie")
    command = ["ffmpeg", "-v", "error", "-nostdin", "-i", str(shared_bed.media.loop), "-map", "0:v:2", "-map", "0:a:0"]
    subprocess.run([*command, "-c", "copy", "-movflags", "+faststart", str(folder / "movie.mp4")], check=True)
    origin = Origin({"files": folder}, folder)
    origin.start()
    origin.set_rules(validators=True, classes={"media": {"rate_bps": 8e6}})
    yield origin
    origin.stop()


@pytest.fixture
def site(bed: Bed, movie_origin: Origin) -> Iterator[PageServer]:
    """Serve the pages of docs/files.md."""

    def real(text: str) -> str:
        return text.replace("https://tracker.example", bed.tracker.url).replace("https://cdn.example", movie_origin.url)

    with PageServer() as server:
        server.files["/peerpool-sw.js"] = File(real(documented("js", "importScripts")).encode(), SCRIPT)
        elements = re.sub("<img.+?>", "", real(documented("html", "<video")))
        server.put_page("/", f"<!doctype html><title>A movie</title>{elements}")
        server.put_page("/load", f"<!doctype html><title>A load</title>{real(documented('html', 'PeerPool.fetch'))}")
        yield server


def movie_bytes(entries: list[Entry]) -> int:
    """Sum what the origin sent of the movie."""
    return sum(entry.sent_bytes for entry in entries if entry.path.endswith("movie.mp4"))


async def plays_from(viewer: SiteViewer, second: float) -> None:
    """Wait until the video has played for a while from there."""

    async def past() -> bool:
        return await viewer.page.evaluate(PLAYS % (second + 0.5)) is True

    await wait_until(past, 20, f"the video plays at {second} s")


async def open_movie(browsers: Browsers, browser: BrowserName, site: PageServer) -> SiteViewer:
    """Open the page, and again once its worker runs, as on somebody's second visit."""
    viewer = await open_site(browsers, browser, f"{site.url}/")
    await viewer.page.evaluate("() => navigator.serviceWorker.ready.then(() => undefined)")
    # What a media element waits for may keep a page from being "loaded"; that it plays is waited for below.
    await viewer.page.reload(wait_until="domcontentloaded")

    async def begun() -> bool:
        return bool(await viewer.page.evaluate(BEGIN))

    await wait_until(begun, 30, "the video begins")
    viewer.problems.clear()  # Firefox complains of the first visit's requests, which the reload broke off
    return viewer


@pytest.mark.parametrize("browser", ["chromium", "firefox"])
def test_a_progressive_video_plays_and_seeks_by_the_worker_and_shares(
    run: Run, browsers: Browsers, site: PageServer, movie_origin: Origin, browser: BrowserName
) -> None:
    async def scenario() -> None:
        first = await open_movie(browsers, browser, site)
        await plays_from(first, 0)

        async def shared() -> bool:
            return await first.bytes("fromCdn") > 6e6

        await wait_until(shared, 20, "the first viewer loads through the pool")
        second = await open_movie(browsers, browser, site)
        await plays_from(second, 0)
        assert not first.problems and not second.problems
        for viewer in (first, second):
            await viewer.page.evaluate(f"() => {{ document.querySelector('video').currentTime = {SEEK_S}; }}")
        await asyncio.gather(*(plays_from(viewer, SEEK_S) for viewer in (first, second)))

        async def from_peers() -> bool:
            return await second.bytes("fromPeers") > 2e6

        await wait_until(from_peers, 20, f"the second viewer loads from the first: {await second.stats()}")
        print(f"\n{browser}: {await second.stats()} {movie_bytes(movie_origin.entries())}")
        assert set(first.problems + second.problems) <= (CANCELLED if browser == "firefox" else set())

    run(scenario())


def test_the_documented_script_and_link_download_the_file(
    run: Run, browsers: Browsers, site: PageServer, movie_origin: Origin, tmp_path: Path
) -> None:
    async def scenario() -> None:
        movie_origin.set_rules(classes={})  # how fast it is does not matter here
        viewer = await open_site(browsers, "chromium", f"{site.url}/load")
        url = f"{movie_origin.url}/files/movie.mp4"
        size_bytes = max(entry.size_bytes for entry in movie_origin.entries())
        loaded = await viewer.page.evaluate(
            "async (url) => { const seen = []; const blob = await load(url, (one) => seen.push(one)); "
            "return [blob.size, blob.type, seen.at(-1).loadedBytes, seen.at(-1).totalBytes]; }",
            url,
        )
        assert loaded == [size_bytes, "video/mp4", size_bytes, size_bytes]
        part = await viewer.page.evaluate(
            "async (url) => { const got = await PeerPool.fetch(url, { headers: { Range: 'bytes=1500000-3600000' } }); "
            "return [got.status, got.url, got.headers.get('content-range'), (await got.arrayBuffer()).byteLength]; }",
            url,
        )
        assert part == [206, url, f"bytes 1500000-3600000/{size_bytes}", 2_100_001]
        aborted = await viewer.page.evaluate(
            "async (url) => { const stop = new AbortController(); "
            "const got = await PeerPool.fetch(url, { signal: stop.signal }); const body = got.arrayBuffer(); "
            "stop.abort(); return body.catch((error) => error.name); }",
            url,
        )
        assert aborted == "AbortError"
        assert await viewer.page.evaluate("(url) => PeerPool.fetch(url + 'x').then((got) => got.status)", url) == 404
        await viewer.page.goto(f"{site.url}/", wait_until="load")
        async with viewer.page.expect_download() as downloading:
            await viewer.page.click("a")
        download = await downloading.value
        await download.save_as(tmp_path / "saved.mp4")
        assert download.suggested_filename == "movie.mp4"
        assert (tmp_path / "saved.mp4").stat().st_size == size_bytes

    run(scenario())
