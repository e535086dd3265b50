"""The beginning of a VOD as a stream of its own, short enough to be loaded to its end in a test."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

SEGMENTS = 20  # more than players load ahead at once


def cut(vod: Path, folder: Path, segments: int = SEGMENTS) -> Path:
    """Make `folder` the first segments of every playlist of `vod`; the media files are the same ones, linked."""
    shutil.rmtree(folder, ignore_errors=True)
    for playlist in vod.rglob("*.m3u8"):
        copy = folder / playlist.relative_to(vod)
        copy.parent.mkdir(parents=True, exist_ok=True)
        head, *entries = playlist.read_text().split("#EXTINF:")
        kept = [head, *entries[:segments]]
        copy.write_text("#EXTINF:".join(kept) + ("#EXT-X-ENDLIST\n" if entries else ""))
        text = copy.read_text()
        for file in playlist.parent.iterdir():
            if f"{file.name}\n" in text or f'"{file.name}"' in text:
                _link(file, copy.parent / file.name)
    return folder


def _link(file: Path, target: Path) -> None:
    if file.suffix == ".m3u8":
        return
    try:
        os.link(file, target)
    except OSError:  # another file system
        shutil.copyfile(file, target)
