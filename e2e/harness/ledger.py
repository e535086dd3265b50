"""Figures from the origin's own log: the only place where what a CDN would bill can be read. Pure."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

SHARED_CLASSES = ("init", "media")


@dataclass(frozen=True)
class Entry:
    """One response of the origin, logged when it ended. Times are seconds since the epoch."""

    number: int  # counts up by one from 1; the cursor of `/control/log`
    started_s: float
    ended_s: float
    path: str
    request_class: str
    viewer: str
    range: str  # the Range header as sent, "" for none
    status: int
    sent_bytes: int  # body bytes handed to the socket, also of a transfer that was broken off
    size_bytes: int  # of the whole file, whatever part was asked for; 0 when there is no file
    complete: bool  # whether all of the answer was sent

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Entry:
        """Make an entry as the origin's log gives it."""
        return cls(**value)


def bytes_by_viewer(entries: Iterable[Entry]) -> dict[str, int]:
    """Sum the body bytes of init and media segments that each viewer took from the origin."""
    totals: defaultdict[str, int] = defaultdict(int)
    for entry in entries:
        if entry.request_class in SHARED_CLASSES:
            totals[entry.viewer] += entry.sent_bytes
    return dict(totals)


def by_segment(entries: Iterable[Entry], since_s: float = 0, until_s: float = math.inf) -> dict[str, list[Entry]]:
    """Group all responses for each init or media segment whose first request falls into [since_s, until_s)."""
    segments: defaultdict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        if entry.request_class in SHARED_CLASSES and entry.size_bytes:
            segments[entry.path].append(entry)
    return {path: own for path, own in segments.items() if since_s <= min(entry.started_s for entry in own) < until_s}


def origin_bytes(entries: Iterable[Entry], since_s: float = 0, until_s: float = math.inf) -> int:
    """Sum the bytes the origin sent of the segments first requested in the window."""
    return sum(entry.sent_bytes for own in by_segment(entries, since_s, until_s).values() for entry in own)


def copies_per_segment(entries: Iterable[Entry], since_s: float = 0, until_s: float = math.inf) -> float:
    """Origin bytes / sum of the sizes, over the segments first requested in the window; NaN when there are none."""
    segments = by_segment(entries, since_s, until_s)
    unique_bytes = sum(own[0].size_bytes for own in segments.values())
    if not unique_bytes:
        return math.nan
    return sum(entry.sent_bytes for own in segments.values() for entry in own) / unique_bytes


def offload_ratio(sent_bytes: int, consumed_bytes: int) -> float:
    """1 - origin bytes / bytes consumed by players; NaN when nothing was consumed. Negative when sharing cost more."""
    return 1 - sent_bytes / consumed_bytes if consumed_bytes else math.nan


def requests_per_segment(entries: Iterable[Entry], since_s: float = 0, until_s: float = math.inf) -> dict[str, int]:
    """How many requests each segment of the window cost."""
    return {path: len(own) for path, own in by_segment(entries, since_s, until_s).items()}
