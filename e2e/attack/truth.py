"""What a stream on disk really holds, by segment reference, and the true digests of it: what liars start from."""

from __future__ import annotations

import functools
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec

from e2e.harness.media import Media
from tests import digest_reference as digest
from tests import wire_reference as wire

Ref = dict[str, Any]
KIND_MEDIA: Final = 0
KIND_INIT: Final = 1


@dataclass(frozen=True)
class Track:
    """One playlist of the stream: its folder's name, and its track id."""

    name: str
    id: str


@dataclass
class Truth:
    """A VOD in `folder`, served as `/<mount>/` by an origin, and signed by `key`."""

    folder: Path
    mount: str
    tracks: list[Track]
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    content: str = ""  # the content id; known when the origin's port is

    def refs(self, track: Track) -> list[Ref]:
        """List the media segments of a track."""
        count = len(list((self.folder / track.name).glob("segment-*.m4s")))
        return [self._ref(track, KIND_MEDIA, number) for number in range(count)]

    def claimed(self, track: Track) -> tuple[int, int]:
        """Return first number and count of the segments that somebody who holds everything says it has."""
        return 0, len(self.refs(track))

    def init(self, track: Track) -> Ref:
        """Return the init segment of a track."""
        number = wire.init_number(f"http://x/{self.mount}/{track.name}/init-{track.name}.mp4", 0)
        return self._ref(track, KIND_INIT, number)

    def path(self, ref: Ref) -> Path:
        """Return the file of a segment."""
        track = next(track for track in self.tracks if track.id == ref["track"])
        name = f"segment-{ref['number']}.m4s" if ref["kind"] == KIND_MEDIA else f"init-{track.name}.mp4"
        return self.folder / track.name / name

    def holds(self, ref: Ref) -> bool:
        """Whether there is such a segment."""
        return any(track.id == ref["track"] for track in self.tracks) and self.path(ref).is_file()

    def bytes_of(self, ref: Ref) -> bytes:
        """Return the bytes of a segment."""
        return _read(self.path(ref))

    def record(self, ref: Ref) -> bytes:
        """Return the true record of a segment, as it lies beside it."""
        return _read(record_path(self.path(ref)))

    def sign(self, content_name: str) -> None:
        """Name the content, and write the record of every segment beside it (docs/adr/0012)."""
        self.content = wire.content_id(content_name)
        for track in self.tracks:
            for ref in [self.init(track), *self.refs(track)]:
                made = digest.make(self.key, self.content, ref, self.bytes_of(ref))
                record_path(self.path(ref)).write_bytes(made)

    @staticmethod
    def _ref(track: Track, kind: int, number: int) -> Ref:
        return {"track": track.id, "kind": kind, "discontinuity": 0, "number": number}


def copy_vod(media: Media, folder: Path, mount: str) -> Truth:
    """Copy the fMP4 VOD, so that records can lie beside it."""
    shutil.copytree(media.vod("fmp4"), folder)
    return Truth(folder, mount, tracks_of(media))


def tracks_of(media: Media) -> list[Track]:
    """Return the tracks that the test media's streams have."""
    recipe, tracks = media.recipe, []
    for rendition in recipe.renditions:
        description = {
            "type": "video",
            "codecs": f"{rendition.codec},mp4a.40.2",
            "frame_rate": str(recipe.frames_per_s),
        }
        description["resolution"] = f"{rendition.width}x{rendition.height}"
        tracks.append(Track(rendition.name, wire.track_id(description)))
    for sound in recipe.audio:
        description = {"type": "audio", "name": sound.name, "language": sound.language}
        tracks.append(Track(f"audio-{sound.language}", wire.track_id(description)))
    return tracks


def record_path(segment: Path) -> Path:
    """Return where the record of a segment lies."""
    return segment.with_name(f"{segment.name}.ppd")


@functools.lru_cache(maxsize=4096)
def _read(path: Path) -> bytes:
    return path.read_bytes()
