"""What leaves a page before consent, without it, after it, over a phone's line; as spies, tracker and kernel see it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
import pytest

from e2e.conftest import Run
from e2e.harness.bed import Bed, Stream
from e2e.harness.browsers import BrowserName, Browsers
from e2e.harness.kernel_sockets import KernelSocket, SocketWatch, watching
from e2e.harness.page_server import SCRIPT, File, PageServer, player_page
from e2e.harness.site_viewer import SiteViewer, open_site
from e2e.harness.viewers import wait_until

BOTH: list[BrowserName] = ["chromium", "firefox"]
# Chromium alone tells of its line; the library hears what it would hear of a phone's.
LINE = """(() => {
  const line = Object.assign(new EventTarget(), { type: "wifi", saveData: false });
  Object.defineProperty(Navigator.prototype, "connection", { configurable: true, get: () => line });
})();"""
CHANGE_LINE = """(values) => {
  Object.assign(navigator.connection, values);
  navigator.connection.dispatchEvent(new Event("change"));
}"""
# What a browser's own statistics say that its data channels have sent, over all connections there ever were.
COUNT_SENT = """(() => {
  const made = [];
  window.RTCPeerConnection = new Proxy(window.RTCPeerConnection, {
    construct(target, parameters, newTarget) {
      const connection = Reflect.construct(target, parameters, newTarget);
      made.push(connection);
      return connection;
    },
  });
  window.sentBytes = async () => {
    let sent = 0;
    for (const connection of made) {
      const reports = [...(await connection.getStats()).values()].filter(({ type }) => type === "data-channel");
      for (const { bytesSent } of reports) sent += bytesSent;
    }
    return sent;
  };
})();"""


@pytest.fixture
def site() -> Iterator[PageServer]:
    with PageServer() as server:
        yield server


def page_url(site: PageServer, bed: Bed, attributes: str = "", options: str = "{}", stream: Stream = "live") -> str:
    """Serve a page whose tag has these attributes, and whose own script sets these options. Return its URL."""
    number = len(site.files)
    site.files[f"/options-{number}.js"] = File(f"PeerPool.configure({options});".encode(), SCRIPT)
    library = f'<script src="{bed.tracker.url}/peerpool.js" {attributes}></script>'
    tag = f'{library}<script src="/options-{number}.js"></script>'
    url = site.put_page(f"/{number}", player_page(tag))
    return f"{url}?src={quote(bed.src(stream))}"


async def tracker_sockets(bed: Bed) -> int:
    """Count the WebSockets the tracker has now, of anybody."""
    async with httpx.AsyncClient(trust_env=False) as client:
        stats: dict[str, Any] = (await client.get(f"{bed.tracker.url}/stats")).json()
    return int(stats["connections"])


async def assert_nothing_leaves(viewer: SiteViewer, site: PageServer, bed: Bed) -> None:
    """Nothing was made or asked for but the page's own files, the stream, and the library itself."""
    seen = await viewer.seen()
    assert (seen["sockets"], seen["peerConnections"], seen["preconnects"]) == ([], 0, 0)
    assert viewer.outside([site.url, bed.origin.url, f"{bed.tracker.url}/peerpool.js"]) == []
    assert await tracker_sockets(bed) == 0


async def nobody_is_there(bed: Bed) -> None:
    async def gone() -> bool:
        return await tracker_sockets(bed) == 0

    await wait_until(gone, 10, "the viewers of the test before have left")


@pytest.mark.parametrize("browser", BOTH)
def test_nothing_leaves_before_consent_and_sharing_begins_with_it(
    run: Run, browsers: Browsers, bed: Bed, site: PageServer, browser: BrowserName
) -> None:
    async def scenario() -> None:
        await nobody_is_there(bed)
        url = page_url(site, bed, 'data-consent="required"')
        viewers = [await open_site(browsers, browser, url) for _ in range(2)]
        for viewer in viewers:
            await viewer.plays_on(4)
            await assert_nothing_leaves(viewer, site, bed)
            assert (await viewer.stats())["state"] == "off"
        for viewer in viewers:
            assert await viewer.page.evaluate("() => PeerPool.consent(true)") == "granted"

        async def sharing() -> bool:
            return sum([await viewer.bytes("fromPeers") for viewer in viewers]) > 0

        await wait_until(sharing, 30, "without a reload they share")
        assert await viewers[0].page.evaluate("() => PeerPool.consent(false)") == "denied"

        async def left() -> bool:
            return await tracker_sockets(bed) == 1 and (await viewers[1].stats())["neighbours"] == 0

        await wait_until(left, 5, "who declines is gone at once")
        before = (await viewers[0].seen(), await viewers[0].bytes("toPeers"))
        asked = len(viewers[0].requests)
        await viewers[0].plays_on(4)
        after = (await viewers[0].seen(), await viewers[0].bytes("toPeers"))
        assert after == before
        assert [url for url in viewers[0].requests[asked:] if not url.startswith(bed.origin.url)] == []

    run(scenario())


def is_name_lookup(found: KernelSocket) -> bool:
    """Whether it asks a name server: that is part of HTTP where servers have names."""
    return found.remote.endswith(":53")


async def assert_kernel_sees_http_only(watch: SocketWatch, site: PageServer, bed: Bed) -> None:
    """No UDP, no TCP but to page, CDN and the script's server, and to that none that stays."""
    tracker = urlsplit(bed.tracker.url).netloc

    async def only_scripts_were_fetched() -> bool:
        return not [one for one in watch.now() if one.remote == tracker]

    await wait_until(only_scripts_were_fetched, 20, "no connection to the tracker outlives the loading of scripts")
    seen = watch.seen()
    assert any(one.remote == tracker for one in seen), "or it would not have seen a WebSocket either"
    servers = {urlsplit(url).netloc for url in (site.url, bed.origin.url, bed.tracker.url)}
    assert [one for one in seen if one.remote not in servers and not is_name_lookup(one)] == []


@pytest.mark.parametrize("browser", BOTH)
def test_the_kernel_sees_nothing_but_http_before_consent_and_udp_after_it(
    run: Run, browsers: Browsers, bed: Bed, site: PageServer, browser: BrowserName
) -> None:
    async def scenario() -> None:
        await nobody_is_there(bed)
        await browsers.get(browser)
        url = page_url(site, bed, 'data-consent="required"')
        with watching(browser) as watch:
            viewers = [await open_site(browsers, browser, url) for _ in range(2)]
            for viewer in viewers:
                await viewer.plays_on(4)
            await assert_kernel_sees_http_only(watch, site, bed)
            for viewer in viewers:
                await viewer.page.evaluate("() => PeerPool.consent(true)")

            async def connected() -> bool:
                now = watch.now()
                udp = [one for one in now if one.protocol == "udp" and not is_name_lookup(one)]
                return bool(udp) and urlsplit(bed.tracker.url).netloc in {one.remote for one in now}

            await wait_until(connected, 30, "the sockets of WebRTC and of the tracker are seen")

    run(scenario())


@pytest.mark.parametrize("browser", BOTH)
def test_switched_off_the_kernel_sees_nothing_but_http(
    run: Run, browsers: Browsers, bed: Bed, site: PageServer, browser: BrowserName
) -> None:
    async def scenario() -> None:
        await nobody_is_there(bed)
        await browsers.get(browser)
        with watching(browser) as watch:
            viewer = await open_site(browsers, browser, page_url(site, bed, options="{ enabled: false }"))
            await viewer.plays_on(4)
            await assert_kernel_sees_http_only(watch, site, bed)

    run(scenario())


@pytest.mark.parametrize("browser", BOTH)
def test_an_opt_out_is_kept_and_other_tabs_follow(
    run: Run, browsers: Browsers, bed: Bed, site: PageServer, browser: BrowserName
) -> None:
    async def scenario() -> None:
        await nobody_is_there(bed)
        url = page_url(site, bed)
        first = await open_site(browsers, browser, url)
        second = await open_site(browsers, browser, url, context=first.context)

        async def both_joined() -> bool:
            return await tracker_sockets(bed) == 2

        await wait_until(both_joined, 20, "both tabs share, as nobody was asked")
        await second.page.evaluate("() => PeerPool.consent(false)")

        async def both_left() -> bool:
            return await tracker_sockets(bed) == 0

        await wait_until(both_left, 5, "the other tab follows")
        third = await open_site(browsers, browser, url, context=first.context)
        await third.plays_on(3)
        await assert_nothing_leaves(third, site, bed)
        assert await third.page.evaluate("() => [PeerPool.consent(), document.cookie]") == ["denied", ""]

    run(scenario())


def test_switched_off_nothing_leaves(run: Run, browsers: Browsers, bed: Bed, site: PageServer) -> None:
    async def scenario() -> None:
        await nobody_is_there(bed)
        viewer = await open_site(browsers, "chromium", page_url(site, bed, options="{ enabled: false }"))
        await viewer.plays_on(4)
        await assert_nothing_leaves(viewer, site, bed)

    run(scenario())


def test_with_relays_only_and_no_relay_no_connection_is_made(
    run: Run, browsers: Browsers, bed: Bed, site: PageServer
) -> None:
    async def scenario() -> None:
        await nobody_is_there(bed)
        url = page_url(site, bed, options="{ addresses: 'relay' }")
        first = await open_site(browsers, "chromium", "about:blank")
        warnings: list[str] = []
        first.page.on("console", lambda message: warnings.append(message.text) if message.type == "warning" else None)
        await first.page.goto(url)
        await open_site(browsers, "chromium", page_url(site, bed))

        async def joined() -> bool:
            return str((await first.stats())["state"]) == "no-relay"

        await wait_until(joined, 20, "it has joined and says what is missing")
        await first.plays_on(4)
        assert (await first.seen())["peerConnections"] == 0
        assert len([text for text in warnings if "TURN" in text]) == 1

    run(scenario())


def test_on_a_phone_s_line_nothing_is_sent_and_neighbours_still_give(
    run: Run, browsers: Browsers, bed: Bed, site: PageServer
) -> None:
    async def scenario() -> None:
        await nobody_is_there(bed)
        url = page_url(site, bed)
        phone = await open_site(browsers, "chromium", url, scripts=[COUNT_SENT, LINE])
        other = await open_site(browsers, "chromium", url)

        async def neighbours() -> bool:
            return int((await phone.stats())["neighbours"]) == 1

        await wait_until(neighbours, 20, "the two are connected")
        await phone.page.evaluate(CHANGE_LINE, {"type": "cellular"})
        await asyncio.sleep(0.5)  # what its channel had is on its way
        sent, received = await phone.bytes("toPeers"), await phone.bytes("fromPeers")
        control = await phone.page.evaluate("() => sentBytes()")

        async def given() -> bool:
            return await phone.bytes("fromPeers") > received + 100_000

        await wait_until(given, 40, "the phone gets something from its neighbour")
        assert await phone.bytes("toPeers") == sent
        assert await phone.page.evaluate("() => sentBytes()") - control < 20_000, "requests and pings, and no piece"
        await phone.page.evaluate(CHANGE_LINE, {"saveData": True})

        async def left() -> bool:
            return (await other.stats())["neighbours"] == 0 and await tracker_sockets(bed) == 1

        await wait_until(left, 5, "who saves data takes no part")
        await phone.plays_on(3)
        assert (await phone.seen())["peerConnections"] == 1

    run(scenario())


def test_the_cap_of_uploads_is_kept(run: Run, browsers: Browsers, bed: Bed, site: PageServer) -> None:
    limit_bps = 400_000

    async def scenario() -> None:
        await nobody_is_there(bed)
        url = page_url(site, bed, options=f"{{ uploadLimitBps: {limit_bps} }}", stream="vod")
        viewers = [await open_site(browsers, "chromium", url, scripts=[COUNT_SENT])]
        await viewers[0].plays_on(2)
        started_s = time.monotonic()
        viewers += [await open_site(browsers, "chromium", url, scripts=[COUNT_SENT]) for _ in range(2)]

        async def capped() -> bool:
            return max([await viewer.bytes("toPeers") for viewer in viewers]) > 2 * limit_bps / 8

        await wait_until(capped, 40, "somebody has sent more than a burst")
        for viewer in viewers:
            sent_bytes = await viewer.page.evaluate("() => sentBytes()")
            allowed_bytes = limit_bps / 8 * (time.monotonic() - started_s + 1)  # and a second's burst
            frames_bytes = 60_000  # have-maps, requests, headers of pieces
            assert sent_bytes <= allowed_bytes + frames_bytes

    run(scenario())
