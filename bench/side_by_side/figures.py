"""From what the pages report and the origin's log to the figures of one run, and over repeats. Pure."""

from __future__ import annotations

import math
import statistics
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from bench.side_by_side.cases import PINNED_LEVEL
from e2e.harness import ledger
from e2e.harness.ledger import Entry

STEADY_AFTER_S = 10.0  # after the last join
# Before the end. What is fetched later than this may not have reached every player yet: p2p-media-loader, with its own
# live settings, plays almost a window (30 s) behind the edge and gives hls.js a segment 15 s before it is played.
STEADY_UNTIL_S = 20.0


@dataclass(frozen=True)
class Report:
    """What one page says of itself, see pages/player.js."""

    first_frame_ms: float | None
    latency_s: float
    level: int
    stalls: int
    stalled_ms: float
    late_stalled_ms: float
    channel_bytes: int
    connections: int
    played: list[tuple[str, int]]  # path and bytes of each segment that hls.js was given
    obtained: list[tuple[str, int]]  # of each that the product has, where it may fetch what the player did not ask for
    errors: list[str]
    own_bytes: dict[str, int]  # as the product counts them itself


@dataclass(frozen=True)
class Times:
    """Moments of a run, in seconds since the epoch."""

    started_s: float
    joined_s: float
    ended_s: float


@dataclass(frozen=True)
class Window:
    """Figures of the segments that the origin was first asked for in a window; NaN when there are none."""

    segments: int
    copies: float
    offload: float  # 1 - origin bytes / bytes that players were given
    offload_obtained: float  # 1 - origin bytes / bytes that viewers have, played or not


@dataclass(frozen=True)
class Figures:
    """One run."""

    whole: Window
    steady: Window
    played_bytes: int
    origin_bytes: int
    channel_bytes: int
    excess: float  # (origin bytes + bytes over data channels) / bytes that players were given - 1
    latency_s: float
    first_frame_ms: float
    never_started: int
    stalls: int
    stalled_s: float
    late_stalled_s: float
    page_errors: int
    error_samples: list[str]
    connections: int  # of RTCPeerConnection, ever made
    off_level: int  # viewers that ended on another rendition than the pinned one
    own_bytes: dict[str, int]


def of_run(reports: Sequence[Report], entries: Sequence[Entry], times: Times, stayers: Sequence[Report]) -> Figures:
    """Compute the figures of one run; `stayers` are the reports of those who were there to its end."""
    steady = times.joined_s + STEADY_AFTER_S, times.ended_s - STEADY_UNTIL_S
    played = sum(size for report in reports for _, size in report.played)
    sent = ledger.origin_bytes(entries)
    received = sum(report.channel_bytes for report in reports)
    first_frames = [math.inf if report.first_frame_ms is None else report.first_frame_ms for report in reports]
    errors = [text for report in reports for text in report.errors]
    return Figures(
        whole=window(reports, entries, 0, steady[1]),
        steady=window(reports, entries, *steady),
        played_bytes=played,
        origin_bytes=sent,
        channel_bytes=received,
        excess=(sent + received) / played - 1 if played else math.nan,
        latency_s=statistics.median(report.latency_s for report in stayers),
        first_frame_ms=statistics.median(first_frames),
        never_started=sum(math.isinf(value) for value in first_frames),
        stalls=sum(report.stalls for report in reports),
        stalled_s=sum(report.stalled_ms for report in reports) / 1000,
        late_stalled_s=sum(report.late_stalled_ms for report in reports) / 1000,
        page_errors=len(errors),
        error_samples=sorted(set(errors))[:5],
        connections=sum(report.connections for report in reports),
        off_level=sum(report.level != PINNED_LEVEL for report in stayers),
        own_bytes={name: sum(report.own_bytes[name] for report in reports) for name in reports[0].own_bytes},
    )


def window(reports: Iterable[Report], entries: Sequence[Entry], since_s: float, until_s: float) -> Window:
    """Compute the figures of the segments first requested in [since_s, until_s)."""
    paths = ledger.by_segment(entries, since_s, until_s).keys()
    played = obtained = 0
    for report in reports:
        given = _sum(report.played, paths)
        had = {path for path, _ in report.played}
        played += given
        obtained += given + sum(size for path, size in report.obtained if path in paths and path not in had)
    sent = ledger.origin_bytes(entries, since_s, until_s)
    copies = ledger.copies_per_segment(entries, since_s, until_s)
    return Window(len(paths), copies, ledger.offload_ratio(sent, played), ledger.offload_ratio(sent, obtained))


def _sum(segments: Iterable[tuple[str, int]], paths: Collection[str]) -> int:
    return sum(size for path, size in segments if path in paths)


@dataclass(frozen=True)
class Spread:
    """Median and range over repeats; NaN where no repeat has the figure."""

    median: float
    low: float
    high: float
    runs: int


def spread(values: Iterable[float]) -> Spread:
    """Summarise the values that are numbers."""
    known = [value for value in values if not math.isnan(value)]
    if not known:
        return Spread(math.nan, math.nan, math.nan, 0)
    return Spread(statistics.median(known), min(known), max(known), len(known))
