"""What a visitor and a developer see: the demo page with players chosen in turn, and the debugging overlay."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from e2e.conftest import Run
from e2e.harness.bed import Bed
from e2e.harness.browsers import BrowserName, Browsers
from e2e.harness.page_server import PageServer, player_page
from e2e.harness.site_viewer import SiteViewer, open_site
from e2e.harness.viewers import wait_until
from e2e.test_strict_pages import BOTH, documented_policy, embed

PHONE = {"width": 390, "height": 844}
SHOWN = """() => {
  const label = (id) => document.getElementById(id).getAttribute("aria-label");
  const drawn = document.querySelector("#chart canvas").getContext("2d");
  const { width, height } = drawn.canvas;
  const pixels = drawn.getImageData(0, 0, width, height).data;
  return {
    player: document.body.dataset.player,
    errors: demo.errors,
    samples: demo.chart.length,
    inked: pixels.some((value, at) => at % 4 === 3 && value > 0),
    rates: label("chart"),
    neighbours: label("graph"),
    circles: document.querySelectorAll("#graph circle.near, #graph circle.far").length,
    overflow: document.documentElement.scrollWidth - innerWidth,
  };
}"""
HEARD = """() => {
  window.heard = { peer: [], state: [], segment: [] };
  for (const name of Object.keys(heard)) PeerPool.on(name, (event) => heard[name].push(event));
}"""
OVERLAY = """() => {
  const host = document.querySelector("[data-peerpool-debug]");
  if (!host) return null;
  const root = host.shadowRoot;
  const { left, right, bottom } = host.getBoundingClientRect();
  return {
    why: root.querySelector("[role=status]").textContent,
    rows: root.querySelectorAll("table tr:has(td)").length,
    cells: root.querySelectorAll(".map i").length,
    coloured: [...root.querySelectorAll(".map i")].every((cell) => {
      const { backgroundColor, backgroundImage } = getComputedStyle(cell);
      return backgroundColor !== "rgba(0, 0, 0, 0)" || backgroundImage !== "none";
    }),
    text: root.textContent,
    position: getComputedStyle(host).position,
    within: left >= 0 && right <= innerWidth + 1 && bottom <= innerHeight + 1,
    focused: document.activeElement === host,
  };
}"""


@pytest.fixture
def site() -> Iterator[PageServer]:
    with PageServer() as server:
        yield server


def test_the_demo_plays_with_chosen_players_and_draws_who_shares(run: Run, browsers: Browsers, bed: Bed) -> None:
    async def scenario() -> None:
        viewers = []
        for player in ("hls", "shaka"):
            query = urlencode({"src": bed.src("live"), "player": player})
            viewers.append(await open_site(browsers, "chromium", f"{bed.demo_url}?{query}"))
        await viewers[1].page.set_viewport_size({"width": PHONE["width"], "height": PHONE["height"]})

        async def shown(viewer: SiteViewer) -> dict[str, Any]:
            found: dict[str, Any] = await viewer.page.evaluate(SHOWN)
            return found

        async def drawn() -> bool:
            both = [await shown(viewer) for viewer in viewers]
            return all(one["circles"] >= 1 and one["samples"] >= 3 and one["inked"] for one in both)

        async def exchanged() -> bool:
            return sum([await viewer.bytes("fromPeers") for viewer in viewers]) > 0

        for viewer in viewers:
            await viewer.plays_on(2)
        await wait_until(drawn, 20, "both charts have data, and both graphs a neighbour")
        await wait_until(exchanged, 20, "players of two makes share one swarm")
        for viewer, player in zip(viewers, ("hls", "shaka"), strict=True):
            said = await shown(viewer)
            assert said["player"] == player
            assert said["errors"] == []
            assert said["rates"].startswith("Rates: ")
            assert said["neighbours"].startswith("1 neighbour. Neighbour ")
            assert said["overflow"] <= 0, "nothing is wider than the window"
            assert viewer.problems == []
            assert (await viewer.seen())["violations"] == []
        choice = viewers[1].page.get_by_role("combobox", name="Player")
        assert await choice.input_value() == "shaka"
        assert await choice.locator("option").count() == 6

    run(scenario())


@pytest.mark.parametrize("browser", BOTH)
def test_the_overlay_shows_a_strict_page_s_neighbours_segments_and_reasons(
    run: Run, browsers: Browsers, bed: Bed, site: PageServer, browser: BrowserName
) -> None:
    async def scenario() -> None:
        tag = await embed("--tracker", bed.tracker.url)
        url = site.put_page("/strict", player_page(tag), {"Content-Security-Policy": documented_policy(bed)})
        first = await open_site(browsers, browser, f"{url}?src={quote(bed.src('live'))}")
        await first.page.evaluate(HEARD)
        await first.page.set_viewport_size({"width": PHONE["width"], "height": PHONE["height"]})
        await first.plays_on(1)
        assert [asked for asked in first.requests if "peerpool-debug" in asked] == [], "it costs nothing before"
        await first.page.locator("#first").focus()
        await first.page.evaluate("() => { window.close1 = PeerPool.debug(); }")
        second = await open_site(browsers, browser, f"{url}?src={quote(bed.src('live'))}")

        async def overlay() -> dict[str, Any] | None:
            found: dict[str, Any] | None = await first.page.evaluate(OVERLAY)
            return found

        async def shows_both() -> bool:
            seen = await overlay()
            return seen is not None and seen["rows"] == 1 and seen["cells"] > 0

        await second.plays_on(1)
        await wait_until(shows_both, 20, "the neighbour and the map are shown")
        seen = await overlay()
        assert seen is not None
        assert (seen["position"], seen["within"], seen["focused"], seen["coloured"]) == ("fixed", True, True, True)
        peer = str((await second.stats())["peerId"])
        assert peer[:8] in seen["text"]
        assert "127.0.0.1" not in seen["text"].replace(bed.tracker.url, ""), "no neighbour's address"
        await first.page.keyboard.press("Escape")
        assert await overlay() is None
        assert await first.page.evaluate("() => document.activeElement.id") == "first"
        await first.page.evaluate("() => { window.close2 = PeerPool.debug(); close1(); }")

        async def reopened() -> bool:
            return await overlay() is not None

        await wait_until(reopened, 5, "it opens again, whatever became of the one before")
        await first.page.evaluate("() => close2()")
        assert await overlay() is None
        await second.page.close()

        async def gone() -> bool:
            return bool(await first.page.evaluate("() => heard.peer.some(({ state }) => state === 'closed')"))

        await wait_until(gone, 20, "the page hears that its neighbour has left")
        heard = await first.page.evaluate("() => heard")
        assert heard["peer"] == [{"peer": peer, "state": "connected"}, {"peer": peer, "state": "closed"}]
        assert [event["state"] for event in heard["state"]][-2:] == ["sharing", "alone"]
        media = [event for event in heard["segment"] if not event["init"]]
        assert media and all((event["reason"] is None) == (event["source"] == "peers") for event in media)
        assert all(event["type"] in ("video", "audio") and event["durationSec"] > 0 for event in media)
        assert (await first.seen())["violations"] == []
        assert first.problems == []

    run(scenario())
