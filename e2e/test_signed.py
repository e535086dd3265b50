"""Signed content in real browsers: shared where each piece matches its record, else played from the CDN alone."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.conftest import Run
from e2e.harness import media
from e2e.harness.bed import Bed
from e2e.harness.browsers import INSECURE_HOST, BrowserName, Browsers
from e2e.harness.child import free_port
from e2e.harness.swarm import Swarm
from e2e.test_swarm import COPIES_LIMIT, assert_well_played, report

THREE: list[BrowserName] = ["chromium", "chromium", "firefox"]
WATCH_S = 16.0


def peerpool(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "peerpool.cli", *arguments], check=True, timeout=60)


@pytest.fixture(scope="module")
def signed_bed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bed]:
    """Start a bed whose tracker trusts one key, with a VOD that it has signed and one that nobody has."""
    folder: Path = tmp_path_factory.mktemp("signed")
    key, port, signed = folder / "key.pem", free_port(), folder / "media"
    shutil.copytree(media.ensure().vod("fmp4"), signed)
    peerpool("keys", "new", str(key))
    content = f"127.0.0.1:{port}/signed/{media.MULTIVARIANT_NAME}"
    peerpool("sign", str(signed), "--key", str(key), "--content", content)
    settings = {"PEERPOOL_DIGEST_KEYS": json.dumps([str(key)])}
    with Bed(folder / "bed", origin_port=port, tracker_env=settings, live=False, mounts={"signed": signed}) as started:
        started.origin.set_rules(classes={"media": {"rate_bps": 5_000_000, "latency_ms": 20}})
        yield started


def test_signed_segments_are_shared_and_their_records_fetched_by_few(
    run: Run, browsers: Browsers, signed_bed: Bed
) -> None:
    async def scenario() -> None:
        swarm = Swarm(signed_bed, browsers, "signed")
        await swarm.join_staggered(THREE, 4, level=1)
        await asyncio.sleep(WATCH_S)
        snapshot = await swarm.snapshot()
        report("signed VOD, 2 Chromium and 1 Firefox", snapshot)
        await assert_well_played(signed_bed, swarm, snapshot)
        for _, status in snapshot.rows[1:]:
            assert status.bytes("fromPeers") > status.bytes("fromCdn"), status
        assert sum(status.bytes("rejected") for _, status in snapshot.rows) == 0
        entries = signed_bed.origin.entries()
        records = [entry.path for entry in entries if entry.path.endswith(".ppd") and entry.status == 200]
        print(f"{len(records)} requests for {len(set(records))} records")
        assert records
        assert len(records) <= 2 * len(set(records))

    run(scenario())


@pytest.mark.parametrize("browser", THREE[1:])
def test_a_page_without_a_secure_context_checks_what_it_takes_by_a_script_of_its_own(
    run: Run, browsers: Browsers, signed_bed: Bed, browser: BrowserName
) -> None:
    async def scenario() -> None:
        swarm = Swarm(signed_bed, browsers, "signed")
        url = signed_bed.demo_url.replace("127.0.0.1", INSECURE_HOST)
        for index in range(2):
            await swarm.join(browser, f"{browser}-{index}", demo_url=url, level=1)
            await asyncio.sleep(4)
        await swarm.all_joined()
        await asyncio.sleep(8)
        snapshot = await swarm.snapshot()
        report(f"signed VOD, 2 {browser} over plain http", snapshot)
        for viewer in swarm.viewers:
            assert await viewer.page.evaluate("() => [isSecureContext, crypto.subtle]") == [False, None]
        await assert_well_played(signed_bed, swarm, snapshot)
        second, status = snapshot.rows[1]
        assert status.bytes("fromPeers") > 0
        assert sum(status.bytes("rejected") for _, status in snapshot.rows) == 0
        loaded = await second.page.evaluate("() => performance.getEntriesByType('resource').map(({ name }) => name)")
        assert any(re.search(r"/peerpool-crypto\.[0-9a-f]{8}\.js$", name) for name in loaded), loaded

    run(scenario())


def test_what_nobody_has_signed_is_taken_from_no_viewer(run: Run, browsers: Browsers, signed_bed: Bed) -> None:
    async def scenario() -> None:
        swarm = Swarm(signed_bed, browsers, "vod")
        await swarm.join_staggered(["chromium"] * 2, 2, level=0)
        await asyncio.sleep(8)
        snapshot = await swarm.snapshot()
        await assert_well_played(signed_bed, swarm, snapshot)
        assert [status.bytes("fromPeers") for _, status in snapshot.rows] == [0, 0]
        assert all(status.neighbours == 1 for _, status in snapshot.rows)

    run(scenario())


def test_a_followed_live_stream_is_shared_with_records_of_the_tracker(
    run: Run, browsers: Browsers, tmp_path: Path
) -> None:
    async def scenario() -> None:
        with Bed(tmp_path, watched=("live",)) as bed:
            await asyncio.to_thread(bed.live.wait_playable)
            swarm = Swarm(bed, browsers, "live")
            await swarm.join_staggered(THREE, 4, level=1)
            await asyncio.sleep(WATCH_S)
            snapshot = await swarm.snapshot()
            report("live, followed by the tracker, 2 Chromium and 1 Firefox", snapshot)
            await assert_well_played(bed, swarm, snapshot)
            # Together: one whose playlist is always the newest may fetch all that is new.
            fetcher = max(snapshot.rows, key=lambda row: row[1].bytes("fromCdn"))[0]
            assert all(status.bytes("fromPeers") > 0 for viewer, status in snapshot.rows if viewer is not fetcher)
            assert snapshot.since_joined is not None
            assert snapshot.since_joined.copies_per_segment <= COPIES_LIMIT
            assert snapshot.since_joined.offload > 0.5
            assert sum(status.bytes("rejected") for _, status in snapshot.rows) == 0
            read = [entry for entry in bed.origin.entries() if entry.viewer == "" and entry.path.endswith(".m4s")]
            assert read
            assert len(read) == len({entry.path for entry in read}), "the tracker read a segment twice"

    run(scenario())
