"""A page whose own player is p2p-media-loader points it at our tracker, and its viewers share as they did elsewhere."""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from e2e.conftest import Run
from e2e.harness.bed import PAGES, Bed, Stream
from e2e.harness.browsers import Browsers
from e2e.harness.child import REPOSITORY
from e2e.harness.tracker import Tracker
from e2e.harness.viewers import WATCH, Viewer, wait_playing, wait_until

TRACKS = {"main", "secondary"}  # picture and sound: each is a swarm of its own in p2p-media-loader


@dataclass(frozen=True)
class Sharing:
    """What p2p-media-loader says of itself at one moment."""

    peers: list[dict[str, str]]  # peerId and streamType of every connection that opened
    httpBytes: int
    p2pBytes: int
    p2pSegments: list[str]  # paths of the segments that came whole from a peer
    uploadedBytes: int
    trackerProblems: list[str]


@pytest.fixture(scope="session")
def player(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Bundle the player page's script from the unmodified npm packages."""
    script = tmp_path_factory.mktemp("interop") / "interop.js"
    esbuild = [str(REPOSITORY / "node_modules/.bin/esbuild"), str(PAGES / "interop.js")]
    # The condition chooses the library's own build for browsers, in which Node's `events` and `buffer` are included.
    options = ["--bundle", "--format=iife", "--conditions=p2pml:core-as-bundle", "--log-level=warning"]
    subprocess.run([*esbuild, *options, f"--outfile={script}"], check=True, cwd=REPOSITORY, timeout=60)
    return script


def stats(tracker: Tracker) -> dict[str, Any]:
    answer: dict[str, Any] = httpx.get(f"{tracker.url}/stats", timeout=5, trust_env=False).raise_for_status().json()
    return answer


def peer_id_prefix(name: str) -> str:
    return f"-PM0203-{name}-"


async def open_player(browsers: Browsers, bed: Bed, stream: Stream, player: Path, name: str) -> Viewer:
    context = await browsers.new_context("chromium")
    await context.add_init_script(WATCH)
    viewer = Viewer(name, "chromium", context, await context.new_page())
    await viewer.page.goto(f"{bed.origin.url}/pages/blank.html")
    await viewer.page.add_script_tag(path=player)
    options = {
        "src": f"{bed.src(stream)}?viewer={name}",
        "tracker": f"ws://127.0.0.1:{bed.tracker.port}/announce",
        "swarmId": f"interop-{stream}",
        "peerIdPrefix": peer_id_prefix(name),
        "level": 1,
    }
    await viewer.page.evaluate("(options) => startInterop(options)", options)
    return viewer


async def sharing(viewer: Viewer) -> Sharing:
    return Sharing(**await viewer.page.evaluate("() => interop"))


async def knows(viewer: Viewer, other: Viewer) -> bool:
    """Whether the viewer has had a connection to the other one for every track, and to nobody else."""
    peers = (await sharing(viewer)).peers
    assert all(peer["peerId"].startswith(peer_id_prefix(other.name)) for peer in peers), peers
    return {peer["streamType"] for peer in peers} == TRACKS


async def played_from_peers(viewer: Viewer) -> int:
    """Count the segments that came whole from a peer and were given to the player."""
    given = {segment.path for segment in await viewer.segments()}
    return len(given & set((await sharing(viewer)).p2pSegments))


@pytest.mark.parametrize("stream", ["vod", "live"])
def test_p2p_media_loader_shares_through_our_tracker(
    run: Run, browsers: Browsers, bed: Bed, player: Path, stream: Stream
) -> None:
    async def scenario() -> None:
        # A few times the rendition's rate: the first viewer is ahead of the second, and neither has everything at once.
        bed.origin.set_rules(classes={"media": {"rate_bps": 5_000_000, "latency_ms": 20}})
        before = stats(bed.tracker)
        first = await open_player(browsers, bed, stream, player, "first")
        await wait_playing(first)

        async def first_is_ahead() -> bool:
            return (await first.status()).consumed_bytes > 500_000

        await wait_until(first_is_ahead, 15, "the first viewer holds some seconds of it")
        started_s = time.monotonic()
        second = await open_player(browsers, bed, stream, player, "second")
        await wait_playing(second)
        both = ((first, second), (second, first))

        async def connected() -> bool:
            return all([await knows(viewer, other) for viewer, other in both])

        await wait_until(connected, 20, "both viewers are connected for picture and sound")
        connected_s = time.monotonic() - started_s

        async def shared() -> bool:
            played = [await played_from_peers(viewer) for viewer, _ in both]
            uploaded = [(await sharing(viewer)).uploadedBytes for viewer, _ in both]
            return sum(played) >= 5 and sum(uploaded) > 0

        await wait_until(shared, 20, "the players were given 5 segments that came from the other viewer")
        shared_s = time.monotonic() - started_s
        now = stats(bed.tracker)
        changed = {name: now[name] - before[name] for name in ("announces", "joins")}
        changed |= {kind: now["relays"][kind] - before["relays"][kind] for kind in ("offer", "answer")}
        print(f"\nconnected after {connected_s:.1f} s, 5 segments played after {shared_s:.1f} s; tracker: {changed}")

        for viewer, _ in both:
            status, own = await viewer.status(), await sharing(viewer)
            print(
                f"{viewer.name}: {own.p2pBytes / 1e6:.2f} MB from peers, {own.httpBytes / 1e6:.2f} MB by HTTP, "
                f"{own.uploadedBytes / 1e6:.2f} MB uploaded, {len(own.p2pSegments)} segments whole from peers, "
                f"{await played_from_peers(viewer)} of them given to the player"
            )
            assert [error for error in status.player_errors if error.startswith("fatal")] == [], viewer.name
            assert own.trackerProblems == [], viewer.name
            received = await viewer.segments()
            assert received, viewer.name
            digests = bed.origin.digests()  # asked for afterwards: they grow with what the viewers fetch
            assert [segment.path for segment in received if digests.get(segment.path) != segment.sha256] == []

        assert now["members"]["webtorrent"] == before["members"]["webtorrent"] + 2 * len(TRACKS)
        assert changed["joins"] == 2 * len(TRACKS)
        assert changed["announces"] >= 2 * len(TRACKS)
        assert min(changed["offer"], changed["answer"]) >= len(TRACKS)
        assert now["refusals"] == before["refusals"]

        for viewer, _ in both:
            await viewer.close()

        async def forgotten() -> bool:
            return bool(stats(bed.tracker)["members"]["webtorrent"] == before["members"]["webtorrent"])

        await wait_until(forgotten, 10, "the tracker forgets viewers that closed their page")

    run(scenario())
