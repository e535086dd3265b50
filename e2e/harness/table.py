"""The demo's table of viewers, as text."""

from __future__ import annotations

import math
from collections.abc import Sequence

from e2e.harness.swarm import Figures, Snapshot

HEADINGS = ("viewer", "state", "peers", "from peers", "from CDN", "played", "picture", "stalls", "first frame")


def render(snapshot: Snapshot) -> list[str]:
    """Lay out one snapshot in lines."""
    rows = [
        (
            viewer.name,
            status.state,
            str(status.neighbours),
            megabytes(status.bytes("fromPeers")),
            megabytes(status.bytes("fromCdn")),
            f"{status.played_s:.1f} s",
            f"{status.height}p",
            str(status.stalls),
            "-" if status.first_frame_ms is None else f"{status.first_frame_ms:.0f} ms",
        )
        for viewer, status in snapshot.rows
    ]
    lines = _columns([HEADINGS, *rows])
    lines.append(f"origin's log, whole run:             {describe(snapshot.whole_run)}")
    if snapshot.since_joined:
        bound = 1 - 1 / len(rows)
        lines.append(
            f"origin's log, since everyone joined: {describe(snapshot.since_joined)} (at most {bound:.0%} is possible)"
        )
    return lines


def describe(figures: Figures) -> str:
    """One window's figures in words."""
    if math.isnan(figures.copies_per_segment):
        return "nothing delivered yet"
    offload = "-" if math.isnan(figures.offload) else f"{figures.offload:.1%}"
    copies = f"{figures.copies_per_segment:.2f} copies per segment"
    return f"{copies} ({figures.segments} segments), offload {offload}"


def megabytes(size_bytes: int) -> str:
    """Bytes for people."""
    return f"{size_bytes / 1e6:.1f} MB"


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
    return ["  ".join(_cell(cell, widths[i], i) for i, cell in enumerate(row)) for row in rows]


def _cell(cell: str, width: int, index: int) -> str:
    return cell.ljust(width) if index < 2 else cell.rjust(width)
