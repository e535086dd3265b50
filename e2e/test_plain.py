"""Viewers without the script: whatever fails here is the test bed's fault, not the library's."""

from __future__ import annotations

import asyncio

import pytest

from e2e.conftest import Run
from e2e.harness.bed import Bed, Stream
from e2e.harness.browsers import BrowserName, Browsers
from e2e.harness.swarm import Swarm
from e2e.harness.viewers import wait_playing

# hls.js says so of the first sound segment in MPEG-TS, and plays on.
HARMLESS = {"bufferAppendNoProgress"}
STREAMS: list[Stream] = ["live", "vod", "vod-ts"]


@pytest.mark.parametrize("stream", STREAMS)
@pytest.mark.parametrize("browser", ["chromium", "firefox"])
def test_a_plain_viewer_plays(run: Run, browsers: Browsers, bed: Bed, browser: BrowserName, stream: Stream) -> None:
    async def scenario() -> None:
        swarm = Swarm(bed, browsers, stream)
        viewer = await swarm.join(browser, f"plain-{browser}-{stream}", script="off")
        await wait_playing(viewer)
        before = await viewer.status()
        await asyncio.sleep(5)
        after = await viewer.status()

        assert after.played_s - before.played_s > 4
        assert after.stalls == 0
        assert [error for error in after.player_errors if error not in HARMLESS] == []
        assert (after.stats, after.peer_connections) == (None, 0)
        digests = bed.origin.digests()
        received = await viewer.segments()
        assert len(received) >= 4
        assert [segment for segment in received if digests[segment.path] != segment.sha256] == []

        figures = await swarm.figures(0)
        assert figures.copies_per_segment == 1
        assert figures.offload == pytest.approx(0, abs=0.35)  # the origin's log is ahead by what is still on its way
        if stream == "live":
            assert 2 < after.live_latency_s < 15

    run(scenario())
