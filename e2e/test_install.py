"""A page's ways to have the library (docs/install.md), in a browser: the README's line, an import map, a Vite build.

That the tag with integrity plays and shares is test_strict_pages.py's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from peerpool import __version__, bundle
from peerpool.embed import Embedding, import_map
from peerpool.npm_package import pack, write_package

from e2e.conftest import Run
from e2e.harness.bed import Bed
from e2e.harness.browsers import BrowserName, Browsers
from e2e.harness.child import REPOSITORY
from e2e.harness.page_server import HTML, SCRIPT, File, PageServer, player_page
from e2e.harness.site_viewer import SiteViewer, open_site
from e2e.harness.viewers import wait_until
from tests.npm_project.build import Project

BOTH: list[BrowserName] = ["chromium", "firefox"]
VERSION = "() => (window.PeerPool ?? window.site.PeerPool).version"


@pytest.fixture
def site() -> Iterator[PageServer]:
    with PageServer() as server:
        yield server


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pack the package, install it into a fresh project and build that; return the folder to serve."""
    folder = tmp_path_factory.mktemp("npm")
    write_package(REPOSITORY, folder / "package")
    return Project(folder / "site", pack(folder / "package", folder / "packed")).build()


@pytest.fixture
def built_site(built: Path, site: PageServer) -> str:
    """Serve that; return the URL of its page."""
    for path in built.rglob("*"):
        if path.is_file():
            name = path.relative_to(built).as_posix()
            site.files[f"/{name}"] = File(path.read_bytes(), SCRIPT if path.suffix == ".js" else HTML)
    return f"{site.url}/index.html"


async def share(viewers: list[SiteViewer], received: str) -> None:
    """Wait until one of them has bytes from the other."""

    async def sharing() -> bool:
        return sum([int(await viewer.page.evaluate(received)) for viewer in viewers]) > 0

    await wait_until(sharing, 30, "one of them gets something from the other")


def test_a_page_with_the_line_of_the_readme_plays_and_shares(
    run: Run, browsers: Browsers, bed: Bed, site: PageServer
) -> None:
    async def scenario() -> None:
        quick_start = re.search(
            r"^```html\n(.*?)^```$", (REPOSITORY / "README.md").read_text(), re.MULTILINE | re.DOTALL
        )
        assert quick_start is not None
        line = quick_start[1].replace("https://tracker.example", bed.tracker.url)
        url = site.put_page("/line", player_page(line))
        viewers = [await open_site(browsers, "chromium", f"{url}?src={quote(bed.src('live'))}") for _ in range(2)]
        for viewer in viewers:
            await viewer.plays_on(1)
        await share(viewers, "() => PeerPool.stats().bytes.fromPeers")
        assert await viewers[0].page.evaluate(VERSION) == __version__
        assert [viewer.problems for viewer in viewers] == [[], []]

    run(scenario())


def test_a_module_finds_the_library_by_the_import_map(run: Run, browsers: Browsers, bed: Bed, site: PageServer) -> None:
    async def scenario() -> None:
        printed = import_map(bundle.load_manifest(), Embedding(bed.tracker.url))
        own = '<script type="module">import * as PeerPool from "media-peerpool"; window.site = { PeerPool };</script>'
        page = f'<!doctype html><html lang="en"><head><title>A site</title>{printed}{own}</head></html>'
        viewer = await open_site(browsers, "chromium", site.put_page("/map", page))
        await viewer.page.wait_for_function("() => window.site")
        assert await viewer.page.evaluate(VERSION) == __version__
        assert viewer.problems == []

        # Another byte in the file is another file.
        url = re.search(r'"media-peerpool": "([^"]+)"', printed)
        assert url is not None
        body = (bundle.BUNDLED / "peerpool.esm.js").read_bytes() + b" "
        site.files["/changed.js"] = File(body, SCRIPT)
        changed = page.replace(url[1], f"{site.url}/changed.js")
        viewer = await open_site(browsers, "chromium", site.put_page("/changed", changed))
        await viewer.page.wait_for_load_state("load")
        assert await viewer.page.evaluate("() => 'site' in window") is False

    run(scenario())


@pytest.mark.parametrize("browser", BOTH)
def test_a_site_built_by_vite_plays_shares_and_asks(
    run: Run, browsers: Browsers, bed: Bed, built_site: str, browser: BrowserName
) -> None:
    async def scenario() -> None:
        url = f"{built_site}?tracker={quote(bed.tracker.url)}&src={quote(bed.src('live'))}"
        viewers = [await open_site(browsers, browser, url) for _ in range(2)]
        for viewer in viewers:
            await viewer.page.wait_for_function("() => window.site")
            await viewer.page.evaluate("() => document.querySelector('video').play()")
            assert await viewer.page.evaluate(VERSION) == __version__
        await share(viewers, "() => site.PeerPool.stats().bytes.fromPeers")
        # A second script of the package is the site's own, wherever the tracker is.
        await viewers[0].page.evaluate("() => site.PeerPool.notice()")
        await viewers[0].page.get_by_role("button", name="Allow").wait_for()
        loaded = [address for address in viewers[0].requests if address.endswith(".js")]
        assert loaded
        assert all(address.startswith(built_site.removesuffix("index.html")) for address in loaded)
        assert [viewer.problems for viewer in viewers] == [[], []]

    run(scenario())
