"""A low-latency HLS stream of real fMP4 in real time: each fragment is published as a part the moment it was taken.

Parts of even segments have URIs of their own, parts of odd ones are byte ranges of the segment's growing file. The
origin holds playlist requests until what they ask for is there (`origin_playlists`).
`python -m e2e.harness.low_latency --folder FOLDER --loop LOOP.mp4`
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from e2e.harness.child import Child
from e2e.harness.media import MULTIVARIANT_NAME, Media

PLAYLIST_NAME = "index.m3u8"
PART_S = 0.4  # ten frames of the loop: five parts are a segment that begins with a key frame
PARTS_PER_SEGMENT = 5
SEGMENT_S = 2
FIRST_NUMBER = 500
THERE_AT_START = 6  # segments, so that a player can begin at once
# So many that it never slides while a test watches: hls.js 1.7.4 places the edge two seconds too early for a moment
# after the first part of a segment whose parts are byte ranges. When segments leave the playlist then, it keeps that
# error, runs into the edge and seeks over holes: with its own loader and no other script on the page, too.
WINDOW_SEGMENTS = 100
SEGMENTS_WITH_PARTS = 3  # at the end of the playlist, as the standard has it: three target durations
RENDITION = 1  # of the loop: 360p
ROUNDS = 6  # of the loop: a player that comes to the end of what is published stalls
HOLD_BACK_PARTS = 4  # three are the least


def fragments(content: bytes) -> tuple[bytes, list[bytes]]:
    """Split a fragmented MP4 into what goes before its first `moof`, and its fragments."""
    starts, at = [], 0
    while at < len(content):
        size = int.from_bytes(content[at : at + 4], "big")
        if content[at + 4 : at + 8] == b"moof":
            starts.append(at)
        at += size
    return content[: starts[0]], [
        content[start:end] for start, end in zip(starts, [*starts[1:], len(content)], strict=True)
    ]


def playlist(published: int) -> str:
    """Write the playlist as it is when so many parts have been published."""
    whole, newest_parts = divmod(published, PARTS_PER_SEGMENT)
    oldest = max(0, whole - WINDOW_SEGMENTS)
    lines = ["#EXTM3U", "#EXT-X-VERSION:9", f"#EXT-X-TARGETDURATION:{SEGMENT_S}"]
    hold_back = f"PART-HOLD-BACK={PART_S * HOLD_BACK_PARTS:.1f}"
    lines += [f"#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,{hold_back}", f"#EXT-X-PART-INF:PART-TARGET={PART_S}"]
    lines += [f"#EXT-X-MEDIA-SEQUENCE:{FIRST_NUMBER + oldest}", '#EXT-X-MAP:URI="init.mp4"']
    for segment in range(oldest, whole):
        if segment >= whole - SEGMENTS_WITH_PARTS:
            lines += [part_tag(segment, place) for place in range(PARTS_PER_SEGMENT)]
        lines += [f"#EXTINF:{SEGMENT_S:.3f},", segment_name(segment)]
    lines += [part_tag(whole, place) for place in range(newest_parts)]
    if whole % 2 == 0:
        lines.append(f'#EXT-X-PRELOAD-HINT:TYPE=PART,URI="{part_name(whole, newest_parts)}"')
    return "\n".join(lines) + "\n"


SIZES: dict[tuple[int, int], int] = {}  # of each part published, by segment and place


def part_tag(segment: int, place: int) -> str:
    """Name one part."""
    head = f"#EXT-X-PART:DURATION={PART_S}{',INDEPENDENT=YES' if place == 0 else ''}"
    if segment % 2 == 0:
        return f'{head},URI="{part_name(segment, place)}"'
    start = "" if place else "@0"  # the others go on where the one before ends
    return f'{head},URI="{segment_name(segment)}",BYTERANGE="{SIZES[segment, place]}{start}"'


def segment_name(segment: int) -> str:
    """Name the file of a segment."""
    return f"{FIRST_NUMBER + segment}.m4s"


def part_name(segment: int, place: int) -> str:
    """Name the file of a part."""
    return f"{FIRST_NUMBER + segment}.{place}.m4s"


def run(folder: Path, loop: Path) -> None:
    """Publish the loop again and again, in real time; the playlist never ends, so that players wait for more."""
    cut = ["ffmpeg", "-v", "error", "-nostdin", "-stream_loop", str(ROUNDS - 1), "-i", str(loop)]
    cut += ["-map", f"0:v:{RENDITION}", "-c", "copy", "-f", "mp4"]
    cut += ["-movflags", "empty_moov+default_base_moof", "-frag_duration", str(round(PART_S * 1e6)), "pipe:1"]
    init, parts = fragments(subprocess.run(cut, check=True, stdout=subprocess.PIPE).stdout)
    _replace(folder / "init.mp4", init)
    started_s = time.time()
    for index, content in enumerate(parts):
        segment, place = divmod(index, PARTS_PER_SEGMENT)
        begun = b"".join(parts[segment * PARTS_PER_SEGMENT : index])
        SIZES[segment, place] = len(content)
        if segment % 2 == 0:
            _replace(folder / part_name(segment, place), content)
        if segment % 2 == 1 or place == PARTS_PER_SEGMENT - 1:
            _replace(folder / segment_name(segment), begun + content)
        ahead = index + 1 - THERE_AT_START * PARTS_PER_SEGMENT
        if ahead >= 0:
            time.sleep(max(0.0, started_s + ahead * PART_S - time.time()))
            _replace(folder / PLAYLIST_NAME, playlist(index + 1).encode())


def _replace(path: Path, content: bytes) -> None:
    partial = path.with_suffix(".tmp")
    partial.write_bytes(content)
    partial.replace(path)


class LowLatencyStream:
    """The stream as a running process."""

    def __init__(self, media: Media, folder: Path) -> None:
        self._folder, self._recipe = folder, media.recipe
        command: Sequence[str] = [sys.executable, "-m", "e2e.harness.low_latency", "--folder", str(folder)]
        self._child = Child("low-latency stream", [*command, "--loop", str(media.loop)], folder / "stream.log")

    def start(self) -> None:
        """Start, and wait until a player can begin."""
        self._folder.mkdir(parents=True, exist_ok=True)
        rendition = self._recipe.renditions[RENDITION]
        about = f'BANDWIDTH={rendition.rate_kbps * 1300},CODECS="{rendition.codec}"'
        text = f"#EXTM3U\n#EXT-X-STREAM-INF:{about},RESOLUTION={rendition.width}x{rendition.height}\n{PLAYLIST_NAME}\n"
        (self._folder / MULTIVARIANT_NAME).write_text(text)
        self._child.start()
        self._child.wait_ready((self._folder / PLAYLIST_NAME).exists, timeout_s=20)

    def stop(self) -> None:
        """Stop; nothing more is published."""
        self._child.stop()


def main() -> None:
    """Entry point of the stream's process."""
    parser = argparse.ArgumentParser(description="A loop as a low-latency HLS stream")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--loop", type=Path, required=True)
    options = parser.parse_args()
    run(options.folder, options.loop)


if __name__ == "__main__":
    main()
