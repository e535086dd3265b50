"""The stage of a live stream that the tracker follows and signs: liars have each segment when its origin has it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import httpx

from e2e.attack.stage import Given, Mode, Stage, file_sha256
from e2e.attack.truth import KIND_MEDIA, Ref, Track, Truth, tracks_of
from e2e.harness import browsers as launching
from e2e.harness import media
from e2e.harness.bed import Bed
from e2e.harness.viewers import Viewer
from tests import wire_reference as wire

# A liar says that it has what will only be made, so that it is asked as soon as there is somebody to ask.
CLAIMED_AHEAD: Final = 300
LIES: Final = ("a flipped bit", "another segment's bytes", "truncated", "digest by a foreign key", "no digest")


class LiveTruth(Truth):
    """What the live folder holds now; true records are the tracker's."""

    def __init__(self, bed: Bed) -> None:
        super().__init__(bed.live.folder, "live", tracks_of(bed.media))
        self.content = wire.content_id(wire.content_name(bed.src("live")))
        self._digests = f"{bed.tracker.url}/digests/{self.content}"

    def refs(self, track: Track) -> list[Ref]:
        """List the media segments of a track that are there."""
        names = (path.stem.removeprefix("segment-") for path in (self.folder / track.name).glob("segment-*.m4s"))
        return [self._ref(track, KIND_MEDIA, number) for number in sorted(map(int, names))]

    def claimed(self, track: Track) -> tuple[int, int]:
        """Begin with the first that is there, and do not end."""
        return self.refs(track)[0]["number"], CLAIMED_AHEAD

    def record(self, ref: Ref) -> bytes:
        """Ask the tracker, as an honest peer that fetched the segment would."""
        name = "/".join(str(ref[part]) for part in ("track", "kind", "discontinuity", "number"))
        return httpx.get(f"{self._digests}/{name}", trust_env=False, timeout=10).raise_for_status().content


class LiveStage(Stage):
    """Viewers are told by the tracker itself how pieces are checked, except where the defence is off."""

    @property
    def src(self) -> str:
        """URL of the followed stream."""
        return self.bed.src("live")

    def welcome(self, mode: Mode) -> list[str]:
        """Leave what the tracker says where it is to be signed."""
        return [] if mode == "signed" else super().welcome(mode)

    async def given(self, viewer: Viewer) -> Given:
        """Compare what a player was given with what the folder holds; what has left it, with what was sent."""
        sent = await asyncio.to_thread(self.bed.origin.digests)
        received = await viewer.segments()
        return Given(len(received), [one.path for one in received if self._true(one.path, sent) != one.sha256])

    def _true(self, path: str, sent: Mapping[str, str]) -> str:
        file = self.truth.folder.joinpath(*Path(path).parts[2:])
        return file_sha256(file) if file.is_file() else sent.get(path, "never was")


@asynccontextmanager
async def live_stage(folder: Path) -> AsyncIterator[LiveStage]:
    """Build it all, for as long as the block runs."""
    await asyncio.to_thread(media.ensure)
    bed = Bed(folder, watched=("live",))
    async with launching.browsers() as browsers:
        await asyncio.to_thread(bed.start)
        try:
            await asyncio.to_thread(bed.live.wait_playable)
            yield LiveStage(bed, browsers, LiveTruth(bed))
        finally:
            bed.stop()
