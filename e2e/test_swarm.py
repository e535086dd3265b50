"""The main job: viewers of one stream share it, and the origin's own log says how much of it they took from there."""

from __future__ import annotations

import asyncio

import pytest

from e2e.conftest import Run
from e2e.harness.bed import Bed
from e2e.harness.browsers import BrowserName, Browsers
from e2e.harness.ledger import requests_per_segment
from e2e.harness.swarm import Snapshot, Swarm
from e2e.harness.table import render
from e2e.harness.viewers import wait_until

FIVE: list[BrowserName] = ["chromium", "chromium", "chromium", "chromium", "firefox"]
COPIES_LIMIT = 1.25
LIVE_WATCH_S = 25.0


async def assert_well_played(bed: Bed, swarm: Swarm, snapshot: Snapshot) -> None:
    """Nobody stalled or saw a fatal error, and everything anyone was given is what the origin holds."""
    received = {viewer.name: await viewer.segments() for viewer, _ in snapshot.rows}
    digests = bed.origin.digests()  # after the viewers': what they were given, the origin has served
    for viewer, status in snapshot.rows:
        assert status.stalls == 0, f"{viewer.name}: {status}"
        assert [error for error in status.player_errors if error.startswith("fatal")] == [], viewer.name
        assert received[viewer.name], viewer.name
        assert [segment.path for segment in received[viewer.name] if digests.get(segment.path) != segment.sha256] == []


def report(what: str, snapshot: Snapshot) -> None:
    print(f"\n{what}\n" + "\n".join(render(snapshot)))


def test_live_five_viewers_share_what_enters_the_swarm_about_once(run: Run, browsers: Browsers, bed: Bed) -> None:
    async def scenario() -> None:
        swarm = Swarm(bed, browsers, "live")
        await swarm.join_staggered(FIVE, 2, level=1)
        await asyncio.sleep(LIVE_WATCH_S)
        snapshot = await swarm.snapshot()
        report("live, 4 Chromium and 1 Firefox", snapshot)

        await assert_well_played(bed, swarm, snapshot)
        assert snapshot.since_joined is not None
        assert snapshot.since_joined.segments >= 20
        assert swarm.joined_s is not None
        own = {viewer.name for viewer in swarm.viewers}
        counted = requests_per_segment((e for e in bed.origin.entries() if e.viewer in own), swarm.joined_s)
        assert snapshot.since_joined.copies_per_segment <= COPIES_LIMIT, counted
        # The first had no one to ask, and whoever fetches for the swarm asks nobody: it gives.
        fetcher = max(snapshot.rows, key=lambda row: row[1].bytes("fromCdn"))[0]
        others = [(viewer, status) for viewer, status in snapshot.rows[1:] if viewer is not fetcher]
        assert all(status.bytes("fromPeers") > 0 for _, status in others)
        assert all(status.bytes("fromPeers") + status.bytes("toPeers") > 0 for _, status in snapshot.rows)

    run(scenario())


@pytest.mark.timeout(180)
def test_vod_late_viewers_are_served_by_those_before_them(run: Run, browsers: Browsers, bed: Bed) -> None:
    async def scenario() -> None:
        # A viewer's CDN connection is five times the rendition's rate: nobody has it all at once, nobody starves.
        bed.origin.set_rules(classes={"media": {"rate_bps": 5_000_000, "latency_ms": 20}})
        swarm = Swarm(bed, browsers, "vod")
        await swarm.join_staggered(FIVE, 4, level=1)
        await asyncio.sleep(14)
        snapshot = await swarm.snapshot()
        report("VOD, 4 Chromium and 1 Firefox", snapshot)

        await assert_well_played(bed, swarm, snapshot)
        assert snapshot.whole_run.offload > 0.3
        last = snapshot.rows[-1][1]
        assert last.bytes("fromPeers") > last.bytes("fromCdn"), last

    run(scenario())


def test_with_p2p_off_no_peer_connection_is_ever_made(run: Run, browsers: Browsers, bed: Bed) -> None:
    async def scenario() -> None:
        swarm = Swarm(bed, browsers, "live")
        for number in (1, 2):
            await swarm.join("chromium", f"off-{number}", p2p="off", level=0)
        await swarm.all_joined()
        await asyncio.sleep(6)
        for viewer, status in (await swarm.snapshot()).rows:
            assert status.peer_connections == 0, viewer.name
            assert status.bytes("fromPeers") == 0
            assert status.stalls == 0

    run(scenario())


def test_switched_off_while_playing_it_goes_on_from_the_cdn(run: Run, browsers: Browsers, bed: Bed) -> None:
    async def scenario() -> None:
        swarm = Swarm(bed, browsers, "live")
        await swarm.join_staggered(["chromium"] * 2, 1, level=0)
        first, second = swarm.viewers

        async def shared() -> bool:
            return await swarm.peer_bytes() > 0

        await wait_until(shared, 20, "one of them gets something from the other")
        await first.page.evaluate("() => PeerPool.configure({ enabled: false })")

        async def alone() -> bool:
            return (await second.status()).neighbours == 0

        await wait_until(alone, 5, "the second learns that the first has left")
        await asyncio.sleep(8)
        snapshot = await swarm.snapshot()
        await assert_well_played(bed, swarm, snapshot)

    run(scenario())


def test_without_webrtc_it_plays_from_the_cdn(run: Run, browsers: Browsers, bed: Bed) -> None:
    async def scenario() -> None:
        swarm = Swarm(bed, browsers, "live")
        await swarm.join("chromium", "no-webrtc", without_webrtc=True, level=0)
        await swarm.all_joined()
        await asyncio.sleep(6)
        snapshot = await swarm.snapshot()
        await assert_well_played(bed, swarm, snapshot)
        assert snapshot.rows[0][1].bytes("fromPeers") == 0
        assert not [message for message in swarm.viewers[0].messages if message.startswith("uncaught")]

    run(scenario())


def test_two_renditions_share_their_sound(run: Run, browsers: Browsers, bed: Bed) -> None:
    async def scenario() -> None:
        swarm = Swarm(bed, browsers, "live")
        low = await swarm.join("chromium", "low", level=0)
        await asyncio.sleep(2)
        high = await swarm.join("chromium", "high", level=1)
        await swarm.all_joined()
        await asyncio.sleep(16)
        snapshot = await swarm.snapshot()
        report("two renditions, one sound", snapshot)
        await assert_well_played(bed, swarm, snapshot)

        assert swarm.joined_s is not None
        entries = [entry for entry in bed.origin.entries() if entry.viewer in ("low", "high")]
        sound = [entry for entry in entries if "/audio-" in entry.path]
        counted = requests_per_segment(sound, swarm.joined_s)
        assert len(counted) >= 6
        assert sum(counted.values()) <= COPIES_LIMIT * len(counted), counted

        before = (await high.status()).peer_connections
        await low.page.evaluate("() => { demo.hls.nextLevel = 1; }")

        async def switched() -> bool:
            return (await low.status()).height == 360

        await wait_until(switched, 20, "the low viewer switches up")
        await asyncio.sleep(4)
        for viewer in (low, high):
            status = await viewer.status()
            assert (status.neighbours, status.peer_connections) == (1, before), viewer.name
            assert status.stalls == 0

    run(scenario())
