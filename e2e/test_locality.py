"""Viewers of two providers: they form two clusters and share inside, and where there are too few they share anyhow."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from e2e.conftest import Run
from e2e.harness.bed import Bed
from e2e.harness.browsers import Browsers
from e2e.harness.ledger import requests_per_segment
from e2e.harness.sources import Source
from e2e.harness.swarm import Swarm
from e2e.harness.table import render
from e2e.harness.viewers import wait_until
from tests.databases import provider, write_mmdb

NETWORKS = (10, 20)  # 127.10.0.0/16 and 127.20.0.0/16
OF_EACH = 3
WATCH_S = 19.0


@pytest.fixture(scope="module")
def located_bed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bed]:
    """Start a bed whose tracker knows two providers, and takes three viewers of one for a cluster."""
    folder: Path = tmp_path_factory.mktemp("located")
    providers = {f"127.{network}.0.0/16": provider(network) for network in NETWORKS}
    database = write_mmdb(folder / "asn.mmdb", providers)
    settings = {"PEERPOOL_GEOIP_DATABASES": json.dumps([str(database)]), "PEERPOOL_CLUSTER_MIN": str(OF_EACH)}
    with Bed(folder, tracker_env=settings) as started:
        started.live.wait_playable()
        yield started


@contextlib.asynccontextmanager
async def sources(bed: Bed) -> AsyncIterator[list[str]]:
    """Give the demo page's URL as the viewers of each provider reach it."""
    async with contextlib.AsyncExitStack() as stack:
        ways = [await stack.enter_async_context(Source(network, bed.tracker.port)) for network in NETWORKS]
        yield [f"{way.url}/demo" for way in ways]


def test_two_providers_form_two_clusters_and_share_inside(run: Run, browsers: Browsers, located_bed: Bed) -> None:
    async def scenario() -> None:
        async with sources(located_bed) as urls:
            swarm = Swarm(located_bed, browsers, "live")
            for number in range(2 * OF_EACH):
                url = urls[number % 2]  # by turns: at first there are too few of either, and all are one cluster
                await swarm.join("chromium", f"isp{NETWORKS[number % 2]}-{number}", demo_url=url, level=0)
                await asyncio.sleep(1.5)
            await swarm.all_joined()

            async def clustered() -> bool:
                return all(status.cluster_size == OF_EACH for _, status in (await swarm.snapshot()).rows)

            await wait_until(clustered, 20, "two clusters of three")
            await swarm.all_joined()  # the figures are of what comes from now on
            before = (await swarm.snapshot()).rows
            await asyncio.sleep(WATCH_S)
            snapshot = await swarm.snapshot()
            print("\ntwo providers\n" + "\n".join(render(snapshot)))

            def gained(name: str) -> int:
                then = sum(status.bytes(name) for _, status in before)
                return sum(status.bytes(name) for _, status in snapshot.rows) - then

            print(f"from peers {gained('fromPeers')}, of that from the other provider {gained('fromFar')}")
            assert gained("fromPeers") > 0
            assert gained("fromFar") <= 0.1 * gained("fromPeers")
            assert all(status.neighbours > OF_EACH - 1 for _, status in snapshot.rows), "nobody knows the other cluster"
            assert all(status.stalls == 0 for _, status in snapshot.rows)
            assert swarm.joined_s is not None
            assert snapshot.since_joined is not None
            counted = requests_per_segment(located_bed.origin.entries(), swarm.joined_s)
            assert snapshot.since_joined.copies_per_segment <= 2.25, counted

    run(scenario())


def test_one_of_each_provider_share_across(run: Run, browsers: Browsers, located_bed: Bed) -> None:
    async def scenario() -> None:
        async with sources(located_bed) as urls:
            swarm = Swarm(located_bed, browsers, "live")
            first = await swarm.join("chromium", "one", demo_url=urls[0], level=0)
            await swarm.all_joined()
            second = await swarm.join("chromium", "other", demo_url=urls[1], level=0)
            await swarm.all_joined()

            async def shared() -> bool:
                return await swarm.peer_bytes() > 0

            await wait_until(shared, 20, "one of them gets something from the other")

            async def counted() -> bool:
                return [(await viewer.status()).cluster_size for viewer in (first, second)] == [2, 2]

            await wait_until(counted, 10, "one cluster of two")
            assert (await second.status()).bytes("fromFar") == 0  # to it the other is near

    run(scenario())
