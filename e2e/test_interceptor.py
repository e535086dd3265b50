"""The page interceptor: faithful to fetch and XMLHttpRequest, and sharing for players that no adapter knows."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from e2e.conftest import Run
from e2e.harness.bed import PAGES, Bed
from e2e.harness.browsers import BrowserName, Browsers
from e2e.harness.child import REPOSITORY
from e2e.harness.conformance_server import ConformanceServer
from e2e.harness.ledger import copies_per_segment
from e2e.harness.page_server import SCRIPT, File, PageServer
from e2e.harness.site_viewer import SiteViewer, open_site
from e2e.harness.viewers import wait_until

BOTH: list[BrowserName] = ["chromium", "firefox"]
# Cases in which the URL is a segment of ours and the request one that ours can honour: at least so many are the pool's.
SERVED_AT_LEAST = 60


@pytest.fixture
def site() -> Iterator[PageServer]:
    with PageServer() as server:
        yield server


def page(tracker: str, script: str) -> str:
    """Return a page with the tag first, and one script of its own."""
    tag = f'<script src="{tracker}/peerpool.js"></script>' if tracker else ""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>A site</title>{tag}</head>'
        f'<body><video muted playsinline></video><script src="{script}"></script></body></html>'
    )


async def conform(browsers: Browsers, browser: BrowserName, url: str, *, served: bool) -> tuple[dict[str, Any], int]:
    """Run the suite in a page of its own; return what each case saw, and how many segments the pool delivered."""
    context = await browsers.new_context(browser)
    opened = await context.new_page()
    await opened.goto(url)
    await opened.evaluate("() => { window.given = 0; window.PeerPool?.on('segment', () => { given += 1; }); }")
    results: dict[str, Any] = await opened.evaluate("(served) => conformance(served)", served)
    given = int(await opened.evaluate("() => given"))
    await context.close()
    return results, given


@pytest.mark.parametrize("browser", BOTH)
def test_a_page_sees_the_same_of_its_requests_without_the_script_with_it_and_of_segments_from_the_pool(
    run: Run, browsers: Browsers, bed: Bed, browser: BrowserName
) -> None:
    async def scenario() -> None:
        with ConformanceServer() as here, ConformanceServer() as there:
            here.pages["/conformance.js"] = ("text/javascript", (PAGES / "conformance.js").read_bytes())
            here.pages["/plain"] = ("text/html", page("", "/conformance.js").encode())
            here.pages["/shared"] = ("text/html", page(bed.tracker.url, "/conformance.js").encode())
            plain_url, shared_url = (f"{here.url}/{name}?other={there.url}" for name in ("plain", "shared"))
            (plain, _), (passed, none), (served, given) = await asyncio.gather(
                conform(browsers, browser, plain_url, served=False),
                conform(browsers, browser, shared_url, served=False),
                conform(browsers, browser, shared_url, served=True),
            )
        print(f"{browser}: {len(plain)} cases in each of three modes; {given} segments came from the pool in the third")
        for mode, results in (("passing", passed), ("served", served)):
            differing = {
                name: {"plain": seen, mode: results[name]} for name, seen in plain.items() if results[name] != seen
            }
            assert differing == {}, json.dumps(differing, indent=1)
        assert none == 0
        assert given >= SERVED_AT_LEAST

    run(scenario())


def bundled(tmp_path: Path) -> File:
    """Bundle the page's player as a site does, into a closure that exposes nothing."""
    out = tmp_path / "bundle.js"
    command = [str(REPOSITORY / "node_modules/.bin/esbuild"), str(PAGES / "bundled-player.js"), "--bundle", "--minify"]
    subprocess.run([*command, "--format=iife", f"--outfile={out}", "--log-level=warning"], check=True, cwd=REPOSITORY)
    return File(out.read_bytes(), SCRIPT)


async def demo(viewer: SiteViewer) -> dict[str, Any]:
    """Return what the page's player met."""
    found: dict[str, Any] = await viewer.page.evaluate(
        "() => ({ errors: demo.errors, stalls: demo.stalls, global: typeof Hls })"
    )
    return found


def test_viewers_of_a_player_inside_a_bundle_share_by_the_interceptor_alone(
    run: Run, browsers: Browsers, bed: Bed, site: PageServer, tmp_path: Path
) -> None:
    async def scenario() -> None:
        site.files["/bundle.js"] = bundled(tmp_path)
        url = site.put_page("/bundled", page(bed.tracker.url, "/bundle.js"))
        before = len(bed.origin.entries())
        kinds: list[tuple[BrowserName, str]] = [("chromium", "xhr"), ("chromium", "progressive"), ("firefox", "xhr")]
        viewers = [
            await open_site(browsers, browser, f"{url}?{loading}&src={bed.src('live')}?viewer={browser}-{loading}")
            for browser, loading in kinds
        ]

        async def sharing() -> bool:
            return all([await viewer.bytes("fromPeers") + await viewer.bytes("toPeers") > 0 for viewer in viewers])

        for viewer in viewers:
            await viewer.plays_on(1)
        await wait_until(sharing, 30, "each of them shares")
        for viewer in viewers:
            await viewer.plays_on(4)
        copies = copies_per_segment(bed.origin.entries()[before:])
        from_peers = [await viewer.bytes("fromPeers") for viewer in viewers]
        met = [await demo(viewer) for viewer in viewers]
        print(f"{copies:.2f} copies per segment; viewers {kinds}: bytes from peers {from_peers}; {met}")
        assert [(one["errors"], one["stalls"], one["global"]) for one in met] == [([], 0, "undefined")] * len(kinds)
        assert [viewer.problems for viewer in viewers] == [[]] * len(kinds)
        assert copies < 2.5

    run(scenario())


def test_a_player_that_loads_in_a_worker_is_reported_once(
    run: Run, browsers: Browsers, bed: Bed, site: PageServer
) -> None:
    async def scenario() -> None:
        site.files["/worker-player.js"] = File((PAGES / "worker-player.js").read_bytes(), SCRIPT)
        url = site.put_page("/worker", page(bed.tracker.url, "/worker-player.js"))
        src = bed.src("vod").rpartition("/")[0] + "/360p/index.m3u8"
        context = await browsers.new_context("chromium")
        said: list[str] = []
        context.on("console", lambda message: said.append(message.text))
        viewer = await open_site(browsers, "chromium", f"{url}?src={src}", context=context)

        async def reported() -> bool:
            return bool((await viewer.stats())["state"] == "unseen")

        await wait_until(reported, 20, "the page's player is reported")
        assert len([text for text in said if "inside a Worker" in text]) == 1

    run(scenario())
