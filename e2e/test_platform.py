"""What browsers are believed to do, executable: when one of these fails, look here before looking at our own code."""

from __future__ import annotations

import asyncio
import time

import pytest
from playwright.async_api import Page

from e2e.conftest import Run
from e2e.harness.browsers import BrowserName, Browsers
from e2e.harness.devtools import Tab, chromium
from e2e.harness.origin_client import Origin
from e2e.harness.viewers import wait_until

PAIRS: list[tuple[BrowserName, BrowserName]] = [
    ("chromium", "chromium"),
    ("chromium", "firefox"),
    ("firefox", "chromium"),
]

# One peer connection with a negotiated channel; candidates wait in a list until the test trickles them.
PEER = """() => {
  const pc = new RTCPeerConnection();
  const channel = pc.createDataChannel("bulk", { negotiated: true, id: 1, ordered: false });
  channel.binaryType = "arraybuffer";
  const peer = { pc, channel, candidates: [], received: 0 };
  pc.onicecandidate = (event) => { if (event.candidate) peer.candidates.push(event.candidate.toJSON()); };
  channel.onmessage = (event) => { peer.received += event.data.byteLength; };
  window.peer = peer;
}"""
OFFER = "async () => { await peer.pc.setLocalDescription(); return peer.pc.localDescription.toJSON(); }"
ANSWER = """async (offer) => {
  await peer.pc.setRemoteDescription(offer);
  await peer.pc.setLocalDescription();
  return peer.pc.localDescription.toJSON();
}"""
TAKE_ANSWER = "(answer) => peer.pc.setRemoteDescription(answer)"
TAKE_CANDIDATES = "() => peer.candidates.splice(0)"
ADD_CANDIDATES = "async (list) => { for (const candidate of list) await peer.pc.addIceCandidate(candidate); }"
IS_OPEN = "() => peer.channel.readyState === 'open'"
SEND = """async ({ frames, frameBytes }) => {
  const frame = new Uint8Array(frameBytes);
  for (let sent = 0; sent < frames; sent += 1) {
    while (peer.channel.bufferedAmount > 256 * 1024) await new Promise((resolve) => setTimeout(resolve, 5));
    peer.channel.send(frame);
  }
}"""
PLAY = """async ({ base, video, audio }) => {
  const element = document.createElement("video");
  element.muted = true;
  document.body.append(element);
  const source = new MediaSource();
  element.src = URL.createObjectURL(source);
  await new Promise((resolve) => source.addEventListener("sourceopen", resolve, { once: true }));
  // All source buffers come before the first byte: Chromium takes no further one after that.
  const tracks = [video, audio].map(({ type, urls }) => ({ buffer: source.addSourceBuffer(type), urls }));
  for (const { buffer, urls } of tracks) {
    for (const url of urls) {
      const response = await fetch(base + url);
      buffer.appendBuffer(await response.arrayBuffer());
      await new Promise((resolve, reject) => { buffer.onupdateend = resolve; buffer.onerror = reject; });
    }
  }
  await element.play();
  window.player = element;
}"""


async def blank_page(running: Browsers, name: BrowserName, origin: Origin) -> Page:
    page = await (await running.new_context(name)).new_page()
    await page.goto(f"{origin.url}/pages/blank.html")
    return page


@pytest.mark.parametrize(("offerer", "answerer"), PAIRS)
def test_a_data_channel_opens_by_trickle_and_carries_a_megabyte(
    run: Run, browsers: Browsers, origin: Origin, offerer: BrowserName, answerer: BrowserName
) -> None:
    async def scenario() -> None:
        a = await blank_page(browsers, offerer, origin)
        b = await blank_page(browsers, answerer, origin)
        for page in (a, b):
            await page.evaluate(PEER)
        await a.evaluate(TAKE_ANSWER, await b.evaluate(ANSWER, await a.evaluate(OFFER)))

        async def trickled_and_open() -> bool:
            for source, sink in ((a, b), (b, a)):
                await sink.evaluate(ADD_CANDIDATES, await source.evaluate(TAKE_CANDIDATES))
            return bool(await a.evaluate(IS_OPEN) and await b.evaluate(IS_OPEN))

        opened_s = await wait_until(trickled_and_open, 15, "the channel opens", every_s=0.02)
        started = time.monotonic()
        await a.evaluate(SEND, {"frames": 64, "frameBytes": 16 * 1024})

        async def all_received() -> bool:
            return bool(await b.evaluate("() => peer.received === 64 * 16 * 1024"))

        await wait_until(all_received, 15, "1 MiB arrives", every_s=0.02)
        print(f"{offerer} to {answerer}: open after {opened_s:.2f} s, 1 MiB in {time.monotonic() - started:.2f} s")
        for page in (a, b):
            await page.context.close()

    run(scenario())


@pytest.mark.parametrize("name", ["chromium", "firefox"])
def test_media_source_plays_h264_and_aac_in_fragmented_mp4(
    run: Run, browsers: Browsers, origin: Origin, name: BrowserName
) -> None:
    async def scenario() -> None:
        page = await blank_page(browsers, name, origin)
        tracks = {
            "base": f"{origin.url}/vod/",
            "video": {
                "type": 'video/mp4; codecs="avc1.4d401e"',
                "urls": ["360p/init-360p.mp4", "360p/segment-0.m4s", "360p/segment-1.m4s"],
            },
            "audio": {
                "type": 'audio/mp4; codecs="mp4a.40.2"',
                "urls": ["audio-en/init-audio-en.mp4", "audio-en/segment-0.m4s", "audio-en/segment-1.m4s"],
            },
        }
        await page.evaluate(PLAY, tracks)

        async def a_second_played() -> bool:
            return bool(await page.evaluate("() => player.currentTime > 1 && player.videoWidth === 640"))

        await wait_until(a_second_played, 10, f"{name} plays a second")
        await page.context.close()

    run(scenario())


@pytest.mark.parametrize("name", ["chromium", "firefox"])
def test_localhost_is_a_secure_context(run: Run, browsers: Browsers, origin: Origin, name: BrowserName) -> None:
    async def scenario() -> None:
        page = await blank_page(browsers, name, origin)
        assert await page.evaluate("() => isSecureContext && !!crypto.subtle")
        await page.context.close()

    run(scenario())


# Two connected peers in one page, an interval of a tenth of a second, and what the page is told of its life.
LIFE = """(async () => {
  // The page is shown once it has loaded, and that is not what is looked for.
  const shown = (then) => addEventListener("pageshow", then, { once: true });
  if (document.readyState !== "complete") await new Promise(shown);
  window.ticks = 0;
  setInterval(() => { ticks += 1; }, 100);
  window.told = [];
  for (const name of ["visibilitychange", "freeze", "resume"]) document.addEventListener(name, () => told.push(name));
  for (const name of ["pagehide", "pageshow"]) addEventListener(name, () => told.push(name));
  const [one, two] = (window.peers = [new RTCPeerConnection(), new RTCPeerConnection()]);
  const channel = one.createDataChannel("bulk");
  one.onicecandidate = ({ candidate }) => candidate && two.addIceCandidate(candidate);
  two.onicecandidate = ({ candidate }) => candidate && one.addIceCandidate(candidate);
  await one.setLocalDescription();
  await two.setRemoteDescription(one.localDescription);
  await two.setLocalDescription();
  await one.setRemoteDescription(two.localDescription);
  await new Promise((resolve) => { channel.onopen = resolve; });
  window.young = true;
})()"""


async def ticks_in(tab: Tab, seconds: float) -> int:
    before = await tab.evaluate("ticks")
    await asyncio.sleep(seconds)
    return int(await tab.evaluate("ticks")) - int(before)


def test_chromium_slows_a_hidden_page_with_an_open_channel_and_keeps_a_frozen_page_connected(
    run: Run, origin: Origin
) -> None:
    async def scenario() -> None:
        async with chromium() as browser:
            tab = await browser.open(f"{origin.url}/pages/blank.html")
            await tab.evaluate(LIFE)
            assert await ticks_in(tab, 2) > 15
            await browser.open("about:blank")
            await asyncio.sleep(1)
            assert await ticks_in(tab, 4) <= 5  # once a second

            await tab.call("Page.setWebLifecycleState", state="frozen")
            assert await ticks_in(tab, 2) == 0
            assert await tab.evaluate("peers[0].connectionState") == "connected"
            await tab.call("Page.setWebLifecycleState", state="active")
            assert await tab.evaluate("told") == ["visibilitychange", "freeze", "resume"]

    run(scenario())


@pytest.mark.parametrize("closes", [True, False])
def test_chromium_keeps_a_page_for_the_way_back_only_if_it_closes_its_connections(
    run: Run, origin: Origin, closes: bool
) -> None:
    async def scenario() -> None:
        async with chromium() as browser:
            tab = await browser.open(f"{origin.url}/pages/blank.html")
            await tab.evaluate(LIFE)
            if closes:
                await tab.evaluate("addEventListener('pagehide', () => peers.forEach((peer) => peer.close()))")
            await tab.call("Page.navigate", url=f"{origin.url}/pages/blank.html?other")
            await asyncio.sleep(1)
            await tab.back()
            await asyncio.sleep(1)
            assert await tab.evaluate("window.young ?? false") is closes
            if closes:
                left, back = ["pagehide", "visibilitychange", "freeze"], ["resume", "visibilitychange", "pageshow"]
                assert await tab.evaluate("told") == left + back

    run(scenario())
