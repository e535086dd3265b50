"""Every form of HLS is shared: two viewers, what they took from each other, and what the origin's log says of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from e2e.conftest import Run
from e2e.harness import forms, ledger
from e2e.harness.bed import Bed
from e2e.harness.browsers import Browsers
from e2e.harness.ledger import Entry
from e2e.harness.low_latency import LowLatencyStream
from e2e.harness.media import MULTIVARIANT_NAME
from e2e.harness.viewers import Status, Viewer, open_viewer, wait_playing, wait_until

JOIN_AFTER_S = 1.5
EVENT_SEGMENTS = (3, 4, 5, 6)
LOW_LATENCY_S = 14.0
LATENCY_SLACK_S = 0.3  # when a status is read is uncertain by some tenths of a second on a busy machine
COPIES_LIMIT = 1.6
# hls.js says it of the leap in time of our encrypted stream without us, too; it is not fatal.
OF_ITS_OWN = ("bufferAppendNoProgress",)
# hls.js's word for a request that it took back itself, as when its start position moves on while it loads; not fatal.
TAKEN_BACK = "aborted"

# A page that names its content: the attribute is there before the script runs, as if the page had it.
NAMED = """new MutationObserver(() => {
  const tag = document.querySelector('script[src="/peerpool.js"]');
  if (tag) tag.dataset.content = "film 7";
}).observe(document, { childList: true, subtree: true });"""
ENDED = "() => demo.video.ended"
CUES = "() => Math.max(0, ...[...demo.video.textTracks].map((track) => track.cues?.length ?? 0))"
REQUESTED = "() => performance.getEntriesByType('resource').map((entry) => new URL(entry.name).host)"


@pytest.fixture
def folder(results: Path) -> Path:
    """Return the folder that the origin serves as /forms."""
    made = results / "forms"
    made.mkdir(exist_ok=True)
    return made


Opening = Callable[[], Coroutine[Any, Any, Viewer]]


def copies(entries: list[Entry], folder: str) -> dict[str, float]:
    """Count how often the origin sent each segment, by its bytes: a file that grows is as long as it became."""
    found = {}
    for path, own in ledger.by_segment(e for e in entries if e.path.startswith(folder)).items():
        found[path] = sum(entry.sent_bytes for entry in own) / max(entry.size_bytes for entry in own)
    return found


def table(what: str, forms_shown: str, rows: list[tuple[Viewer, Status]], sent: dict[str, float]) -> None:
    mean = sum(sent.values()) / max(1, len(sent))
    print(f"\n{what}: {forms_shown}\n  {mean:.2f} copies per segment of {len(sent)}")
    for viewer, status in rows:
        taken = (
            f"{status.bytes('fromPeers') / 1e3:7.0f} kB from peers, {status.bytes('fromCdn') / 1e3:7.0f} kB from CDN"
        )
        print(
            f"  {viewer.name:>9}: {taken}, {status.played_s:5.1f} s played,"
            f" {status.stalls} stalls, {status.player_errors}"
        )


async def statuses(viewers: list[Viewer]) -> list[tuple[Viewer, Status]]:
    return [(viewer, await viewer.status()) for viewer in viewers]


async def two_after_each_other(first: Opening, second: Opening) -> list[Viewer]:
    viewers = [await first()]
    await wait_playing(viewers[0])
    await asyncio.sleep(JOIN_AFTER_S)
    viewers.append(await second())
    await wait_playing(viewers[1])
    return viewers


async def ended(viewers: list[Viewer]) -> None:
    for viewer in viewers:

        async def over(viewer: Viewer = viewer) -> bool:
            return bool(await viewer.page.evaluate(ENDED))

        await wait_until(over, 25, f"{viewer.name} plays to the end; {await viewer.status()}")


def assert_shared(rows: list[tuple[Viewer, Status]], sent: dict[str, float]) -> None:
    for viewer, status in rows:
        assert status.stalls == 0, (viewer.name, status)
        assert [error for error in status.player_errors if error not in OF_ITS_OWN] == [], viewer.name
    assert rows[1][1].bytes("fromPeers") > 0
    assert sent
    assert sum(sent.values()) < COPIES_LIMIT * len(sent), sent


def test_aes_128_in_ts_is_shared_encrypted_by_viewers_with_paths_of_their_own_from_edges(
    run: Run, browsers: Browsers, bed: Bed, folder: Path
) -> None:
    async def scenario() -> None:
        forms.encrypted(bed.media, folder / "encrypted")
        edge = f"http://localhost:{bed.origin.port}"
        bed.origin.set_rules(redirects={"/forms/encrypted/": edge})

        async def viewer(name: str) -> Viewer:
            src = f"{bed.origin.url}/token={name}/forms/encrypted/{MULTIVARIANT_NAME}"
            return await open_viewer(browsers, "chromium", bed.demo_url, name, src, scripts=[NAMED])

        viewers = await two_after_each_other(lambda: viewer("enc-1"), lambda: viewer("enc-2"))
        await ended(viewers)
        rows, entries = await statuses(viewers), bed.origin.entries()
        sent = copies(entries, "/forms/encrypted/")
        table(
            "encrypted",
            "TS, AES-128 with key rotation, discontinuity, signed path (content named), 302 edges",
            rows,
            sent,
        )
        assert_shared(rows, sent)
        keys = [entry for entry in entries if entry.path.endswith(".key") and entry.status == 200]
        assert {(entry.path, entry.viewer) for entry in keys} == {
            (f"/forms/encrypted/{index}.key", name) for index in (0, 1) for name in ("enc-1", "enc-2")
        }
        assert [entry for entry in entries if entry.path.startswith("/forms/encrypted/") and entry.status == 302]

    run(scenario())


def test_byte_ranges_of_fmp4_are_shared_by_viewers_of_two_hosts_with_subtitles(
    run: Run, browsers: Browsers, bed: Bed, folder: Path
) -> None:
    async def scenario() -> None:
        token = "/hdntl=exp=1~hmac="
        hosts = [f"{host}:{bed.origin.port}/forms/ranges" for host in ("http://127.0.0.1", "http://localhost")]
        forms.ranges(bed.media, folder / "ranges", hosts, "ranges-2")

        async def viewer(name: str) -> Viewer:
            src = f"{bed.origin.url}{token}{name}/forms/ranges/{MULTIVARIANT_NAME}"
            return await open_viewer(browsers, "chromium", bed.demo_url, name, src)

        viewers = await two_after_each_other(lambda: viewer("ranges-1"), lambda: viewer("ranges-2"))
        # Not at the start: what a viewer needs before it knows anybody is the CDN's.
        for one in viewers:

            async def connected(one: Viewer = one) -> bool:
                return (await one.status()).neighbours > 0

            async def has_texts(one: Viewer = one) -> bool:
                return bool(await one.page.evaluate(CUES))

            await wait_until(connected, 5, f"{one.name} has a neighbour")
            await one.page.evaluate("() => { demo.hls.subtitleTrack = 0; }")
            await wait_until(has_texts, 5, f"{one.name} has subtitles")
        await ended(viewers)
        rows, sent = await statuses(viewers), copies(bed.origin.entries(), "/forms/ranges/")
        shown = (
            "fMP4, EXT-X-MAP and segments by BYTERANGE, two CDN hosts, subtitles, I-frame playlist, Akamai path token"
        )
        table("ranges", shown, rows, sent)
        assert_shared(rows, sent)
        assert min(count for path, count in sent.items() if path.endswith(".vtt")) == 1, sent
        used = [set(await viewer.page.evaluate(REQUESTED)) for viewer in viewers]
        assert f"localhost:{bed.origin.port}" not in used[0]
        assert f"localhost:{bed.origin.port}" in used[1]

    run(scenario())


def test_an_event_that_becomes_a_vod_is_shared_to_its_end(run: Run, browsers: Browsers, bed: Bed, folder: Path) -> None:
    async def scenario() -> None:
        publish = forms.event(bed.media, folder / "event")
        publish(EVENT_SEGMENTS[0], False)

        async def viewer(name: str) -> Viewer:
            src = f"{bed.origin.url}/forms/event/{MULTIVARIANT_NAME}"
            return await open_viewer(browsers, "chromium", bed.demo_url, name, src)

        opening = asyncio.create_task(two_after_each_other(lambda: viewer("event-1"), lambda: viewer("event-2")))
        for count in EVENT_SEGMENTS[1:]:
            await asyncio.sleep(forms.SEGMENT_S)
            publish(count, count == EVENT_SEGMENTS[-1])
        viewers = await opening
        await ended(viewers)
        rows, sent = await statuses(viewers), copies(bed.origin.entries(), "/forms/event/")
        table("event", "EVENT to VOD, fMP4 with EXT-X-MAP, signed queries", rows, sent)
        assert_shared(rows, sent)

    run(scenario())


def test_low_latency_parts_are_shared_and_nobody_is_later_than_without(
    run: Run, browsers: Browsers, bed: Bed, folder: Path
) -> None:
    async def scenario() -> None:
        stream = LowLatencyStream(bed.media, folder / "low-latency")
        stream.start()
        try:
            src = f"{bed.origin.url}/forms/low-latency/{MULTIVARIANT_NAME}"
            viewers = []
            for name, parameters in (("ll-plain", {"script": "off"}), ("ll-1", {}), ("ll-2", {})):
                viewers.append(await open_viewer(browsers, "chromium", bed.demo_url, name, src, parameters=parameters))
            for viewer in viewers:
                await wait_playing(viewer)
            before, before_s = await statuses(viewers), time.monotonic()
            await asyncio.sleep(LOW_LATENCY_S)
            after, watched_s = await statuses(viewers), time.monotonic() - before_s
        finally:
            stream.stop()
        entries = [entry for entry in bed.origin.entries() if entry.viewer in ("ll-1", "ll-2")]
        sent = copies(entries, "/forms/low-latency/")
        rows = after[1:]
        table("low-latency", "EXT-X-PART by URI and by BYTERANGE, blocking reloads", rows, sent)
        lags_s = [watched_s - (now.played_s - then.played_s) for (_, then), (_, now) in zip(before, after, strict=True)]
        waits_s = [round(status.live_latency_s, 2) for _, status in after]
        print(
            f"  later than at first by {[round(lag, 2) for lag in lags_s]} s, behind live {waits_s} s;"
            " the first without us"
        )
        assert sum(status.bytes("fromPeers") for _, status in rows) > 0
        assert sum(sent.values()) < COPIES_LIMIT * len(sent), sent
        for (viewer, status), lag_s in zip(after, lags_s, strict=True):
            assert status.stalls == 0, (viewer.name, status)
            assert [error for error in status.player_errors if error != TAKEN_BACK] == [], viewer.name
            assert lag_s < lags_s[0] + LATENCY_SLACK_S, (viewer.name, lags_s)

    run(scenario())
