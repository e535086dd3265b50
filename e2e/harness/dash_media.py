"""DASH of the made loop, in each form of addressing: two video representations and separate sound."""

from __future__ import annotations

import shutil
import struct
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Literal

from e2e.harness.child import Child
from e2e.harness.media import Media, MediaFailed

Form = Literal["timeline", "template", "base"]
MANIFEST = "manifest.mpd"
WINDOW_SEGMENTS = 15
KEPT_SEGMENTS = 10  # after they left the window, as in live.py
# What the players here pick from; in order, ids 0, 1 and 2.
STREAMS = ("0:v:0", "0:v:1", "0:a:0")


def ensure_dash(media: Media) -> Path:
    """Return the folder with a folder for each form, made first when it is not there yet: whole or not at all."""
    folder = media.folder / "dash-1"
    if not folder.is_dir():
        with tempfile.TemporaryDirectory(dir=media.folder, prefix="making-") as scratch:
            making = Path(scratch) / "dash"
            for form in ("timeline", "template", "base"):
                (making / form).mkdir(parents=True)
            _ffmpeg(["-i", str(media.loop), *muxer(media, making / "timeline", "$Time$")])
            _ffmpeg(["-i", str(media.loop), *muxer(media, making / "template", "$Number$")])
            _make_base(media, making / "base")
            making.rename(folder)
    return folder


def muxer(media: Media, folder: Path, identifier: Literal["$Time$", "$Number$"]) -> list[str]:
    """Arguments that make ffmpeg copy a loop into segments addressed by time, with a timeline, or by number."""
    return [
        *(part for stream in STREAMS for part in ("-map", stream)),
        *("-c", "copy", "-f", "dash", "-seg_duration", str(media.recipe.segment_s)),
        *("-use_template", "1", "-use_timeline", "1" if identifier == "$Time$" else "0"),
        *("-adaptation_sets", "id=0,streams=v id=1,streams=a"),
        *("-init_seg_name", "init-$RepresentationID$.mp4"),
        *("-media_seg_name", f"chunk-$RepresentationID$-{identifier}.m4s"),
        str(folder / MANIFEST),
    ]


def _make_base(media: Media, folder: Path) -> None:
    """One file a representation, with an index; ffmpeg writes such files, but no MPD of them."""
    fragments = str(media.recipe.segment_s * 1_000_000)
    sets = []
    for number, stream in enumerate(STREAMS):
        path = folder / f"{number}.mp4"
        command = ["-i", str(media.loop), "-map", stream, "-c", "copy", "-frag_duration", fragments]
        _ffmpeg([*command, "-movflags", "+dash+global_sidx+empty_moov", str(path)])
        sets.append(_representation(media, path, number))
    video, audio = "".join(sets[:2]), sets[2]
    (folder / MANIFEST).write_text(
        '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" minBufferTime="PT4S" '
        'profiles="urn:mpeg:dash:profile:isoff-on-demand:2011" '
        f'mediaPresentationDuration="PT{media.recipe.duration_s}S"><Period>'
        f'<AdaptationSet contentType="video" mimeType="video/mp4" subsegmentAlignment="true">{video}</AdaptationSet>'
        f'<AdaptationSet contentType="audio" mimeType="audio/mp4" subsegmentAlignment="true">{audio}</AdaptationSet>'
        "</Period></MPD>"
    )


def _representation(media: Media, path: Path, number: int) -> str:
    recipe = media.recipe
    start, size = _index_of(path.read_bytes())
    if number < len(STREAMS) - 1:
        video = recipe.renditions[number]
        what = f'codecs="{video.codec}" width="{video.width}" height="{video.height}" bandwidth="{video.rate_kbps}000"'
    else:
        what = f'codecs="mp4a.40.2" bandwidth="{recipe.audio_kbps}000"'
    return (
        f'<Representation id="{number}" {what}><BaseURL>{path.name}</BaseURL>'
        f'<SegmentBase indexRange="{start}-{start + size - 1}"><Initialization range="0-{start - 1}"/></SegmentBase>'
        "</Representation>"
    )


def _index_of(data: bytes) -> tuple[int, int]:
    """Where the `sidx` box is: its first byte and its size."""
    start = 0
    while start < len(data):
        size, kind = struct.unpack_from(">I4s", data, start)
        if kind == b"sidx":
            return start, size
        start += size
    raise MediaFailed("ffmpeg wrote no sidx")


class DashLive:
    """An endless live stream with numbered segments; its folder appears at `start`."""

    def __init__(self, media: Media, folder: Path) -> None:
        self.folder = folder
        command = [
            *("ffmpeg", "-hide_banner", "-v", "warning", "-nostdin", "-y"),
            *("-re", "-stream_loop", "-1", "-i", str(media.loop)),
            *("-window_size", str(WINDOW_SEGMENTS), "-extra_window_size", str(KEPT_SEGMENTS)),
            *muxer(media, folder, "$Number$"),
        ]
        self._child = Child("live DASH encoder", command, folder.parent / f"{folder.name}.log")

    def start(self) -> None:
        """Start, without waiting for the first segments."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._child.start()

    def wait_playable(self, segments: int) -> None:
        """Wait until so many segments of each representation were written."""
        self._child.wait_ready(
            lambda: all((self.folder / f"chunk-{track}-{segments}.m4s").exists() for track in range(len(STREAMS))),
            timeout_s=(segments + 10) * 2,
        )

    def stop(self) -> None:
        """Stop the encoder; nothing more is written."""
        self._child.stop()


def _ffmpeg(arguments: list[str]) -> None:
    started = time.monotonic()
    if shutil.which("ffmpeg") is None:
        raise MediaFailed("ffmpeg was not found; install it, for example: apt-get install ffmpeg")
    command = ["ffmpeg", "-hide_banner", "-v", "error", "-nostdin", "-y", *arguments]
    if subprocess.run(command, check=False).returncode:
        raise MediaFailed(f"ffmpeg failed: {' '.join(command)}")
    print(f"  media: {arguments[-1]} in {time.monotonic() - started:.1f} s", flush=True)
