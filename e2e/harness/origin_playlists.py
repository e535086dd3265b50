"""What a CDN has and files do not: tokens in the path, edges, a viewer's own playlist, blocking reloads."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qs

_PATH = re.compile(r"((?:/(?:token|hdntl)=[^/]*)?)(/edge)?(/.*)", re.DOTALL)
EDGE = "/edge"
HELD_S_MAX = 6.0  # three target durations: a playlist request is answered by then, whatever is there


class Place(NamedTuple):
    """A request's path, taken apart."""

    token: str  # with its slash before it, "" for none
    at_edge: bool
    path: str  # of the file


def place(path: str) -> Place:
    """Take a path apart: `/token=abc/edge/vod/master.m3u8`; token and edge may be missing."""
    found = _PATH.fullmatch(path)
    return Place(found[1], bool(found[2]), found[3]) if found else Place("", False, path)


def own_playlist(file: Path, viewer: str) -> Path:
    """Return the playlist that this viewer is given in place of `file`: `master.NAME.m3u8`, where there is one."""
    own = file.with_suffix(f".{viewer}{file.suffix}")
    return own if viewer and own.is_file() else file


def awaited(query: str) -> tuple[int, int] | None:
    """Return the segment and part that a playlist is to have before it is sent (RFC 8216bis section 6.2.5.2)."""
    said = parse_qs(query)
    if "_HLS_msn" not in said:
        return None
    return int(said["_HLS_msn"][0]), int(said.get("_HLS_part", ["-1"])[0])


def has(text: str, segment: int, part: int) -> bool:
    """Say whether a playlist has a segment, or that part of it where `part` is not -1."""
    start = re.search(r"#EXT-X-MEDIA-SEQUENCE:(\d+)", text)
    following = int(start[1]) if start else 0
    parts = 0
    for line in text.splitlines():
        if line.startswith("#EXT-X-PART:"):
            parts += 1
        elif line and not line.startswith("#"):
            following, parts = following + 1, 0
    return segment < following or (segment == following and 0 <= part < parts)
