"""Where attacks take place: a signed VOD at an origin, a tracker, browsers, viewers with the defence on or off."""

from __future__ import annotations

import asyncio
import functools
import hashlib
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from e2e.attack.hostile_peer import Conduct, HostilePeer
from e2e.attack.truth import Truth, copy_vod
from e2e.harness import browsers as launching
from e2e.harness import media
from e2e.harness.bed import Bed
from e2e.harness.browsers import BrowserName, Browsers
from e2e.harness.viewers import Viewer, open_viewer, wait_until
from tests import digest_reference as digest
from tests import wire_reference as wire

Mode = Literal["signed", "spot", "off"]
MOUNT: Final = "signed"
LEVEL: Final = 1
TRACKS: Final = ("360p", "audio-en")  # what a viewer at that level plays
# Five times what a viewer plays: there is something left to be had from peers when they connect.
MEDIA_RULE: Final = {"rate_bps": 5_000_000, "latency_ms": 20}
WELCOME: Final = (Path(__file__).parent / "welcome.js").read_text()


@dataclass(frozen=True)
class Given:
    """What a viewer's player was given."""

    segments: int
    wrong: list[str]  # paths of what the origin does not hold


class Stage:
    """One test bed for all attacks; viewers and peers of one attack end with its block (`cast`)."""

    def __init__(self, bed: Bed, browsers: Browsers, truth: Truth) -> None:
        self.bed, self.browsers, self.truth = bed, browsers, truth
        self.viewers: list[Viewer] = []
        self.peers: list[HostilePeer] = []

    @property
    def src(self) -> str:
        """URL of the signed stream."""
        return f"{self.bed.origin.url}/{MOUNT}/{media.MULTIVARIANT_NAME}"

    def integrity(self, mode: Mode) -> dict[str, Any]:
        """Return what a welcome says."""
        keys = [digest.public_point(self.truth.key).hex()] if mode == "signed" else []
        return {"mode": mode, "keys": keys, "digests": ""}

    def welcome(self, mode: Mode) -> list[str]:
        """Return the scripts that have a page be told so by the tracker."""
        return [WELCOME.replace("INTEGRITY", json.dumps(self.integrity(mode)))]

    async def viewer(
        self, name: str, mode: Mode, browser: BrowserName = "chromium", scripts: Sequence[str] = ()
    ) -> Viewer:
        """Open a viewer, without waiting for its first frame."""
        viewer = await open_viewer(
            self.browsers,
            browser,
            self.bed.demo_url,
            name,
            self.src,
            parameters={"level": LEVEL},
            scripts=[*self.welcome(mode), *scripts],
        )
        self.viewers.append(viewer)
        return viewer

    async def peer(self, conduct: Conduct, *, target: str | None = None, alias: str = "") -> HostilePeer:
        """Send in a hostile peer, and wait until it is connected to its target: one of the viewers, or the given."""
        peer = await self.bystander(conduct, target=target, alias=alias)

        async def connected() -> bool:
            return peer.deeds["opened"] > 0

        await wait_until(connected, 15, "the hostile peer is connected to a viewer")
        return peer

    async def bystander(self, conduct: Conduct, *, target: str | None = "", alias: str = "") -> HostilePeer:
        """Send in a peer that has joined, and dials nobody yet unless it is told a target."""
        port = self.bed.tracker.port
        peer = HostilePeer(port, self.truth.content, conduct, target=target, alias=alias)
        self.peers.append(peer)
        await peer.start()
        await asyncio.wait_for(peer.joined.wait(), 10)
        return peer

    async def joined(self, count: int) -> None:
        """Wait until the tracker has so many members."""

        async def all_there() -> bool:
            return await asyncio.to_thread(self.bed.tracker.members) >= count

        await wait_until(all_there, 15, f"{count} members")

    async def given(self, viewer: Viewer) -> Given:
        """Compare what a player was given with what is on the disk."""
        received = await viewer.segments()
        wrong = [segment.path for segment in received if self._held(segment.path) != segment.sha256]
        return Given(len(received), wrong)

    @asynccontextmanager
    async def cast(self, rule: Mapping[str, float] = MEDIA_RULE) -> AsyncIterator[Stage]:
        """Give the stage to one attack, and clear it afterwards."""
        self.bed.origin.set_rules(classes={"media": dict(rule)})
        try:
            yield self
        finally:
            for peer in self.peers:
                await peer.stop()
            for viewer in self.viewers:
                await viewer.close()
            self.peers, self.viewers = [], []
            self.bed.origin.reset_rules()

            async def empty() -> bool:
                return await asyncio.to_thread(self.bed.tracker.members) == 0

            await wait_until(empty, 15, "everybody has left the tracker")

    def _held(self, path: str) -> str:
        return file_sha256(self.truth.folder.joinpath(*Path(path).parts[2:]))


@functools.lru_cache(maxsize=4096)
def file_sha256(path: Path) -> str:
    """Hash a file that does not change."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


@asynccontextmanager
async def stage(folder: Path) -> AsyncIterator[Stage]:
    """Build it all, for as long as the block runs."""
    made = await asyncio.to_thread(media.ensure)
    truth = copy_vod(made, folder / MOUNT, MOUNT)
    bed = Bed(folder, live=False, mounts={MOUNT: truth.folder})
    async with launching.browsers() as browsers:
        await asyncio.to_thread(bed.start)
        try:
            ready = Stage(bed, browsers, truth)
            truth.sign(wire.content_name(ready.src))
            yield ready
        finally:
            bed.stop()
