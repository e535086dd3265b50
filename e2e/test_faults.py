"""What goes wrong in the world and must not be noticed by anyone who watches."""

from __future__ import annotations

import asyncio
import time

from e2e.conftest import Run
from e2e.harness.bed import Bed
from e2e.harness.browsers import Browsers
from e2e.harness.swarm import Swarm
from e2e.harness.viewers import NeverTrue, Viewer, wait_until


async def sharing(swarm: Swarm, timeout_s: float = 20) -> None:
    """Wait until every viewer has a neighbour, and takes from one or gives: who fetches for all asks nobody."""

    async def everyone() -> bool:
        rows = (await swarm.snapshot()).rows
        connected = all(status.neighbours > 0 for _, status in rows)
        return connected and all(status.bytes("fromPeers") + status.bytes("toPeers") > 0 for _, status in rows)

    await wait_until(everyone, timeout_s, "everyone shares")


async def assert_no_stalls(swarm: Swarm, but: Viewer | None = None) -> None:
    for viewer, status in (await swarm.snapshot()).rows:
        assert status.stalls == 0 or viewer is but, f"{viewer.name}: {status}; {viewer.messages[-5:]}"


def test_the_tracker_dies_and_comes_back(run: Run, browsers: Browsers, bed: Bed) -> None:
    async def scenario() -> None:
        swarm = Swarm(bed, browsers, "live")
        await swarm.join_staggered(["chromium"] * 3, 1, level=0)
        await sharing(swarm)

        bed.tracker.kill()
        shared_before = await swarm.peer_bytes()
        await asyncio.sleep(8)
        await assert_no_stalls(swarm)
        assert await swarm.peer_bytes() > shared_before
        assert all(status.neighbours > 0 for _, status in (await swarm.snapshot()).rows)

        await asyncio.to_thread(bed.tracker.start)

        async def rejoined() -> bool:
            return await asyncio.to_thread(bed.tracker.members) == len(swarm.viewers)

        took_s = await wait_until(rejoined, 10, "all viewers rejoin")
        print(f"\nall rejoined {took_s:.1f} s after the tracker was back")
        await asyncio.sleep(2)
        await assert_no_stalls(swarm)
        assert all(status.neighbours > 0 for _, status in (await swarm.snapshot()).rows)

    try:
        run(scenario())
    finally:
        bed.tracker.stop()
        bed.tracker.start()


def test_a_viewer_who_leaves_mid_transfer_costs_no_one_a_stall(run: Run, browsers: Browsers, bed: Bed) -> None:
    async def scenario() -> None:
        # Two seconds of this rendition take more than half a second from the CDN: whoever leaves is in the middle.
        bed.origin.set_rules(classes={"media": {"rate_bps": 3_000_000}})
        swarm = Swarm(bed, browsers, "live")
        await swarm.join_staggered(["chromium"] * 4, 1, level=1)
        await sharing(swarm)

        async def sender() -> Viewer:
            """Find a viewer who is sending at this moment."""
            sent: dict[str, int] = {}
            until = time.monotonic() + 20
            while time.monotonic() < until:
                for viewer in swarm.viewers:
                    sent_bytes = (await viewer.status()).bytes("toPeers")
                    if sent_bytes > sent.get(viewer.name, sent_bytes):
                        return viewer
                    sent[viewer.name] = sent_bytes
            raise NeverTrue("nobody sent anything to anyone for 20 s")

        for _ in range(2):
            leaver = await sender()
            await leaver.close()
            swarm.viewers.remove(leaver)
            await asyncio.sleep(6)
            await assert_no_stalls(swarm)

    run(scenario())


def test_peers_carry_the_viewer_whose_cdn_crawls(run: Run, browsers: Browsers, bed: Bed) -> None:
    async def scenario() -> None:
        swarm = Swarm(bed, browsers, "live")
        await swarm.join_staggered(["chromium"] * 3, 1, level=1)
        await sharing(swarm)
        slow = swarm.viewers[-1]
        bed.origin.set_rules(viewers={slow.name: {"rate_bps": 50_000, "latency_ms": 100}})
        before, started = await slow.status(), time.time()
        await asyncio.sleep(15)
        after = await slow.status()

        assert after.stalls == 0
        assert after.played_s - before.played_s > 13
        from_peers, from_cdn = (after.bytes(source) - before.bytes(source) for source in ("fromPeers", "fromCdn"))
        assert from_peers > 5 * from_cdn
        print(f"\n{slow.name} on a crawling CDN for {time.time() - started:.0f} s: {before} -> {after}")

    run(scenario())


def test_while_the_origin_is_gone_those_who_can_play_on_do(run: Run, browsers: Browsers, bed: Bed) -> None:
    async def scenario() -> None:
        swarm = Swarm(bed, browsers, "vod")
        holder = await swarm.join("chromium", "holder", level=1)
        await swarm.all_joined()

        async def holds_a_minute() -> bool:
            return (await holder.status()).buffer_s > 60

        await wait_until(holds_a_minute, 30, "the first viewer holds a minute")
        bed.origin.set_rules(classes={"media": {"rate_bps": 2_000_000}})  # the second cannot hoard in time by itself
        late = await swarm.join("chromium", "late", level=1)
        await sharing(swarm)

        async def has_its_playlists() -> bool:
            return (await late.status()).height == 360

        # Playlists never come from peers: who changes rendition while the origin is gone has nothing to play.
        await wait_until(has_its_playlists, 20, "the second plays the rendition it is pinned to")
        bed.origin.set_rules(outage="refuse")
        before = await late.status()
        await asyncio.sleep(10)
        after = await late.status()
        bed.origin.reset_rules()

        assert after.played_s - before.played_s > 9
        await assert_no_stalls(swarm)
        assert [error for error in after.player_errors if error.startswith("fatal")] == []

    run(scenario())


def test_an_origin_that_refuses_ranges_is_lived_with(run: Run, browsers: Browsers, bed: Bed) -> None:
    async def scenario() -> None:
        bed.origin.set_rules(accept_ranges=False)
        swarm = Swarm(bed, browsers, "live")
        await swarm.join_staggered(["chromium"] * 2, 1, level=1)
        await sharing(swarm)
        await asyncio.sleep(8)
        await assert_no_stalls(swarm)
        received = [segment for viewer in swarm.viewers for segment in await viewer.segments()]
        digests = bed.origin.digests()
        assert [segment for segment in received if digests[segment.path] != segment.sha256] == []

    run(scenario())
