"""The built wheel, installed from nothing and without Node: two browsers share on its demo page."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import httpx
import pytest
from peerpool import __version__
from peerpool.release import release

from e2e.conftest import Run
from e2e.harness import ledger
from e2e.harness.browsers import Browsers
from e2e.harness.child import REPOSITORY
from e2e.harness.installed import Installed
from e2e.harness.media import MULTIVARIANT_NAME
from e2e.harness.origin_client import Origin
from e2e.harness.viewers import open_viewer, wait_playing, wait_until

SHARED_BYTES = 500_000


@pytest.mark.timeout(300)
def test_two_browsers_share_the_demo_of_an_installed_wheel(
    run: Run, browsers: Browsers, origin: Origin, tmp_path: Path
) -> None:
    (wheel,) = [path for path in release(REPOSITORY, tmp_path / "dist") if path.suffix == ".whl"]
    installed = Installed(wheel, tmp_path)
    src = f"{origin.url}/vod/{MULTIVARIANT_NAME}"

    async def scenario(demo_url: str) -> None:
        viewers = []
        for name in ("installed-1", "installed-2"):
            viewers.append(await open_viewer(browsers, "chromium", demo_url, name, src, parameters={"level": 1}))
            await wait_playing(viewers[-1])
            await asyncio.sleep(2)

        async def shared() -> bool:
            return (await viewers[1].status()).bytes("fromPeers") > SHARED_BYTES

        await wait_until(shared, 30, "the second viewer takes from the first")
        statuses = [await viewer.status() for viewer in viewers]
        own = [entry for entry in origin.entries() if entry.viewer.startswith("installed-")]
        print(f"\n{ledger.copies_per_segment(own):.2f} copies; {[status.bytes('fromPeers') for status in statuses]}")
        assert [status.stalls for status in statuses] == [0, 0]

    assert installed.run("--version").strip() == f"peerpool {__version__}"
    with installed.serving(tmp_path, PEERPOOL_ADMIN_TOKEN="a token of the operator") as tracker:
        pages = ("demo", "dashboard", "pages/dashboard.js", "pages/dashboard.css", "peerpool.js", "peerpool.esm.js")
        for page in pages:
            answer = httpx.get(f"{tracker.url}/{page}", trust_env=False)
            assert answer.status_code == 200, page
            assert len(answer.content) > 1_000, page
        scripts = re.findall(r'src="(/[^"]+)"', httpx.get(f"{tracker.url}/demo", trust_env=False).text)
        assert [one for one in scripts if httpx.get(f"{tracker.url}{one}", trust_env=False).status_code != 200] == []
        run(scenario(f"{tracker.url}/demo"))
