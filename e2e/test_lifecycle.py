"""Pages that nobody looks at, and pages that the browser freezes: who still watches must not notice."""

from __future__ import annotations

import asyncio

from e2e.conftest import Run
from e2e.harness.bed import Bed
from e2e.harness.browsers import Browsers
from e2e.harness.swarm import Swarm
from e2e.harness.viewers import Viewer, wait_until

# A page under Playwright is always visible and never frozen; the library hears what it would hear in another tab.
HIDE = """() => {
  Object.defineProperty(document, "visibilityState", { configurable: true, get: () => "hidden" });
  document.dispatchEvent(new Event("visibilitychange"));
}"""
# No code of the page runs for so long, as of one that is frozen; its connections live on meanwhile, as they do there.
# Its video plays on, which that of a frozen page does not: no longer than it has in its buffer.
FROZEN_S = 3
FREEZE = f"""() => {{
  document.dispatchEvent(new Event("freeze"));
  const until = performance.now() + {FROZEN_S * 1000};
  while (performance.now() < until);
  document.dispatchEvent(new Event("resume"));
}}"""
SEGMENT_BYTES_MIN = 20_000  # of the lowest rendition; an audio segment is larger too


async def from_cdn(viewer: Viewer) -> int:
    return (await viewer.status()).bytes("fromCdn")


def test_a_fetcher_that_is_hidden_and_then_frozen_costs_nobody_a_stall(run: Run, browsers: Browsers, bed: Bed) -> None:
    async def scenario() -> None:
        swarm = Swarm(bed, browsers, "live")
        await swarm.join_staggered(["chromium"] * 3, 1, level=0)

        async def all_connected() -> bool:
            return all(status.neighbours == 2 for _, status in (await swarm.snapshot()).rows)

        await wait_until(all_connected, 20, "everyone has two neighbours")
        before = {viewer.name: await from_cdn(viewer) for viewer in swarm.viewers}
        await asyncio.sleep(8)
        fetched = {viewer.name: await from_cdn(viewer) - before[viewer.name] for viewer in swarm.viewers}
        fetcher = max(swarm.viewers, key=lambda viewer: fetched[viewer.name])
        others = [viewer for viewer in swarm.viewers if viewer is not fetcher]
        assert fetched[fetcher.name] > SEGMENT_BYTES_MIN

        await fetcher.page.evaluate(HIDE)
        await asyncio.sleep(4)  # what it was fetching then, and the segment after it
        hidden_before = await fetcher.status()
        await asyncio.sleep(10)
        hidden = await fetcher.status()
        took = hidden.bytes("fromCdn") - hidden_before.bytes("fromCdn")
        print(f"\n{fetcher.name} fetched {fetched[fetcher.name]} bytes in 8 s when seen, {took} in 10 s when hidden")
        assert took < fetched[fetcher.name] / 2
        assert hidden.played_s - hidden_before.played_s > 9
        assert hidden.neighbours == 2

        frozen = asyncio.create_task(fetcher.page.evaluate(FREEZE))

        async def left() -> bool:
            neighbours = [(await viewer.status()).neighbours for viewer in others]
            return neighbours == [1, 1] and await asyncio.to_thread(bed.tracker.members) == 2

        # Its connections are alive: without a word of its own nobody would ever know.
        took_s = await wait_until(left, FROZEN_S - 0.5, "a frozen page leaves tracker and neighbours")
        print(f"left {took_s:.1f} s after it was frozen")
        await frozen
        took_s = await wait_until(all_connected, 10, "the page is back in the swarm")
        print(f"back with all neighbours {took_s:.1f} s after it ran again")
        back = await fetcher.status()
        await asyncio.sleep(4)
        after = await fetcher.status()
        assert after.played_s > back.played_s
        assert after.player_errors == []
        assert [(await viewer.status()).stalls for viewer in others] == [0, 0]
        assert [message for message in fetcher.messages if message.startswith("uncaught")] == []

    run(scenario())
