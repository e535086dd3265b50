"""An endless live stream of random bytes under a real media playlist: for viewers that load and never decode.

It costs next to nothing at any bitrate, so a hundred viewers can have the machine for themselves. Sizes vary as an
encoder's do. `python -m e2e.harness.synthetic --folder FOLDER --bitrate-kbps 150`
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from e2e.harness.child import Child

PLAYLIST_NAME = "index.m3u8"
WINDOW_SEGMENTS = 15
KEPT_SEGMENTS = 10  # after they left the playlist
FIRST_NUMBER = 1000
SIZE_SPREAD = 0.25  # each way, of the mean


def playlist(newest: int, segment_s: float, newest_start_s: float) -> str:
    """Write the live playlist that ends with segment `newest`, whose first frame is of `newest_start_s` (epoch)."""
    oldest = newest - WINDOW_SEGMENTS + 1
    began = datetime.fromtimestamp(newest_start_s - (newest - oldest) * segment_s, UTC)
    lines = ["#EXTM3U", "#EXT-X-VERSION:6", f"#EXT-X-TARGETDURATION:{round(segment_s)}"]
    lines += [f"#EXT-X-MEDIA-SEQUENCE:{oldest}", "#EXT-X-INDEPENDENT-SEGMENTS"]
    lines += [f"#EXT-X-PROGRAM-DATE-TIME:{began.isoformat(timespec='milliseconds').replace('+00:00', 'Z')}"]
    for number in range(oldest, newest + 1):
        lines += [f"#EXTINF:{segment_s:.3f},", segment_name(number)]
    return "\n".join(lines) + "\n"


def segment_name(number: int) -> str:
    """Name the file of a segment."""
    return f"{number}.m4s"


def run(folder: Path, segment_s: float, bitrate_kbps: float) -> None:
    """Write segments in real time until killed. A whole window is there at once, as of a stream that runs for long."""
    mean_bytes = bitrate_kbps * 1000 / 8 * segment_s
    started_s = time.time()
    number = FIRST_NUMBER
    while True:
        size = round(mean_bytes * random.uniform(1 - SIZE_SPREAD, 1 + SIZE_SPREAD))
        _replace(folder / segment_name(number), os.urandom(size))
        live = number - (FIRST_NUMBER + WINDOW_SEGMENTS - 1)  # 0 for the first segment that a playlist ends with
        if live >= 0:
            # A segment is listed the moment its last frame was taken.
            text = playlist(number, segment_s, started_s + (live - 1) * segment_s)
            _replace(folder / PLAYLIST_NAME, text.encode())
            (folder / segment_name(number - WINDOW_SEGMENTS - KEPT_SEGMENTS)).unlink(missing_ok=True)
            time.sleep(max(0.0, started_s + (live + 1) * segment_s - time.time()))
        number += 1


def _replace(path: Path, content: bytes) -> None:
    partial = path.with_suffix(".tmp")
    partial.write_bytes(content)
    partial.replace(path)


class SyntheticLive:
    """The stream as a running process; its folder appears at `start` and is left behind at `stop`."""

    def __init__(self, folder: Path, *, segment_s: float, bitrate_kbps: float) -> None:
        self.folder = folder
        command = [sys.executable, "-m", "e2e.harness.synthetic", "--folder", str(folder)]
        command += ["--segment-s", str(segment_s), "--bitrate-kbps", str(bitrate_kbps)]
        self._child = Child("synthetic stream", command, folder.parent / f"{folder.name}.log")

    def start(self) -> None:
        """Start, and wait until the playlist is there."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._child.start()
        self._child.wait_ready((self.folder / PLAYLIST_NAME).exists, timeout_s=20)

    def stop(self) -> None:
        """Stop; nothing more is written."""
        self._child.stop()


def main() -> None:
    """Entry point of the stream's process."""
    parser = argparse.ArgumentParser(description="Random bytes as an endless live stream")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--segment-s", type=float, default=2)
    parser.add_argument("--bitrate-kbps", type=float, default=150)
    options = parser.parse_args()
    run(options.folder, options.segment_s, options.bitrate_kbps)


if __name__ == "__main__":
    main()
