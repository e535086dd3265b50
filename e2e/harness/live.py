"""An endless live stream: ffmpeg repeats the made loop in real time into a sliding window of HLS playlists."""

from __future__ import annotations

import time
from pathlib import Path

from e2e.harness.child import Child
from e2e.harness.media import Media, Packaging, hls_output, write_multivariant

WINDOW_SEGMENTS = 15
KEPT_SEGMENTS = 10  # after they left the playlist: a viewer that is late still gets its answer
FIRST_SEGMENTS = 3  # a player starts three target durations behind the edge


class LiveStream:
    """A running live stream; its folder appears at `start` and is left behind at `stop`."""

    def __init__(self, media: Media, folder: Path, packaging: Packaging = "fmp4") -> None:
        self.folder = folder
        self._media = media
        # Numbers go on from run to run, as they do at an encoder that restarts: no segment name is ever used twice.
        start_number = int(time.time()) // media.recipe.segment_s
        command = [
            *("ffmpeg", "-hide_banner", "-v", "warning", "-nostdin", "-y"),
            *("-re", "-stream_loop", "-1", "-i", str(media.loop)),
            *("-start_number", str(start_number)),
            *("-hls_list_size", str(WINDOW_SEGMENTS), "-hls_delete_threshold", str(KEPT_SEGMENTS)),
            *("-hls_flags", "delete_segments+temp_file+program_date_time+independent_segments"),
            *hls_output(folder, media.recipe, packaging),
        ]
        self._child = Child("live encoder", command, folder.parent / f"{folder.name}.log")

    @property
    def running(self) -> bool:
        """Whether the stream goes on."""
        return self._child.running

    def start(self) -> None:
        """Start, without waiting for the first segments."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write_multivariant(self.folder, self._media.recipe)
        self._child.start()

    def wait_playable(self, segments: int = FIRST_SEGMENTS) -> None:
        """Wait until every playlist lists enough segments for a player to begin, or as many as are given."""
        segment_s = self._media.recipe.segment_s
        self._child.wait_ready(lambda: self._lists(segments), timeout_s=(segments + 10) * segment_s)

    def stop(self) -> None:
        """Stop the encoder; nothing more is written."""
        self._child.stop()

    def _lists(self, segments: int) -> bool:
        recipe = self._media.recipe
        names = [r.name for r in recipe.renditions] + [f"audio-{track.language}" for track in recipe.audio]
        for name in names:
            playlist = self.folder / name / "index.m3u8"
            if not playlist.exists() or playlist.read_text().count("#EXTINF") < segments:
                return False
        return True
