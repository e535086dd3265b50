"""Scripts of the documents that no other test runs: each in a page that plays, with what it names there.

players.md, files.md, install.md, csp.md and sites.md are run by tests of their own.
"""

from __future__ import annotations

import re

import pytest

from e2e.conftest import Run
from e2e.harness.bed import Bed
from e2e.harness.browsers import Browsers
from e2e.harness.child import REPOSITORY
from e2e.harness.viewers import open_viewer, wait_playing, wait_until

BLOCKS = [
    (page, text)
    for page in ("README.md", "docs/debugging.md", "docs/privacy.md")
    for text in re.findall(r"^```js\n(.*?)^```$", (REPOSITORY / page).read_text(), re.MULTILINE | re.DOTALL)
]
# What the documents leave to their reader.
NAMED = """const player = new Hls();
const [text, title, allow, decline, more, details] = ["Share?", "Sharing", "Yes", "No", "What is this?", "It is ..."];
const element = document.body.appendChild(document.createElement("div"));"""


@pytest.mark.parametrize(("page", "text"), BLOCKS)
def test_a_script_of_the_documents_runs(run: Run, browsers: Browsers, bed: Bed, page: str, text: str) -> None:
    async def scenario() -> None:
        viewer = await open_viewer(browsers, "chromium", bed.demo_url, "reader", bed.src("vod"))
        await wait_playing(viewer)
        viewer.messages.clear()
        await viewer.page.evaluate(f"async () => {{ {NAMED}\n{text}\n}}")
        before_s = (await viewer.status()).played_s

        async def plays_on() -> bool:
            return (await viewer.status()).played_s > before_s + 0.5

        await wait_until(plays_on, 10, f"the player plays on after what {page} says")
        assert [message for message in viewer.messages if message.startswith(("error", "uncaught"))] == []

    run(scenario())


def test_there_are_scripts_on_each_of_these_pages() -> None:
    assert len({page for page, _ in BLOCKS}) == 3
