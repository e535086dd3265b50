"""Attacks on a viewer's memory, time and patience: two viewers share a stream, and a third party floods one of them.

Judged: what the page's heap holds, buffers included; what its channels have not sent; that it plays without a stall;
that it goes on sharing with the other viewer. There is no way to switch these bounds off: what shows that the measure
sees what it is to see is `measures`.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Final

from e2e.attack.floods import FLOODS
from e2e.attack.outcomes import Figure, Outcome
from e2e.attack.stage import Stage
from e2e.harness.viewers import Viewer, wait_playing

MIB: Final = 1 << 20
# The stream is 16 MB at this rendition: what a viewer may hold of it, and the page itself.
HEAP_MAX_BYTES: Final = 96 * MIB
BUFFERED_MAX_BYTES: Final = 4 * MIB
FLOOD_S: Final = 8.0
# Twice what a viewer plays: they still load when the flood is over.
SLOW_MEDIA: Final = {"rate_bps": 2_500_000, "latency_ms": 20}
CHANNELS: Final = (Path(__file__).parent / "channels.js").read_text()
HOARD: Final = "(bytes) => { window.hoard = new Uint8Array(bytes).fill(1); }"


async def heap_bytes(viewer: Viewer) -> int:
    """Return what a Chromium page's heap holds after a collection, buffers outside it included."""
    session = await viewer.page.context.new_cdp_session(viewer.page)
    await session.send("HeapProfiler.collectGarbage")
    usage = await session.send("Runtime.getHeapUsage")
    await session.detach()
    return int(usage["usedSize"] + usage.get("backingStorageSize", 0))


async def measures(stage: Stage) -> Outcome:
    """See a page that really takes 64 MiB."""
    async with stage.cast():
        viewer = await stage.viewer("victim", "signed")
        await wait_playing(viewer)
        before = await heap_bytes(viewer)
        await viewer.page.evaluate(HOARD, 64 * MIB)
        grown = await heap_bytes(viewer) - before
        return Outcome(grown > 60 * MIB, [], {"page MiB": before / MIB, "seen of 64 MiB": grown / MIB})


async def flood(stage: Stage, name: str) -> Outcome:
    """Flood a viewer, as FLOODS has it."""
    kind = FLOODS[name]
    async with stage.cast(SLOW_MEDIA):
        viewers = [await stage.viewer(who, "signed", scripts=[CHANNELS]) for who in ("victim", "friend")]
        await stage.joined(2)
        peer = await stage.peer(kind.conduct(stage.truth))
        if not kind.reads:
            for link in peer.links:
                link.stop_reading()
        for viewer in viewers:
            await wait_playing(viewer)
        shared_before = await _shared(viewers)
        begun_s = time.monotonic()
        sending = asyncio.create_task(peer.flood(kind.frames(stage.truth)))
        heap = buffered = 0
        while time.monotonic() < begun_s + FLOOD_S:
            for viewer in viewers:
                buffered = max(buffered, int(await viewer.page.evaluate("() => attackBuffered()")))
                heap = max(heap, await heap_bytes(viewer))
            await asyncio.sleep(0.5)
        if not sending.done():
            sending.cancel()
        shared = await _shared(viewers) - shared_before

        broken = [f"the heap came to {heap / MIB:.0f} MiB"] if heap > HEAP_MAX_BYTES else []
        broken += [f"{buffered / MIB:.1f} MiB were waiting in channels"] if buffered > BUFFERED_MAX_BYTES else []
        for viewer in viewers:
            status, given = await viewer.status(), await stage.given(viewer)
            fatal = [error for error in status.player_errors if error.startswith("fatal")]
            if status.stalls or fatal or given.wrong:
                broken.append(f"{viewer.name}: {status.stalls} stalls, {fatal}, {len(given.wrong)} wrong")
        broken += ["the viewers shared nothing meanwhile"] if shared == 0 else []
        figures: dict[str, Figure] = {"frames": sum(peer.sent.values()), "hung up": str(peer.deeds["lost"] > 0)}
        figures |= {"heap MiB": heap / MIB, "waiting KiB": buffered // 1024, "shared kB": shared // 1000}
        return Outcome(None, broken, figures)


async def _shared(viewers: list[Viewer]) -> int:
    return sum([(await viewer.status()).bytes("fromPeers") for viewer in viewers])
