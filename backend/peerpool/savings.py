"""What a CDN's or origin's own log says, beside what viewers reported in the same time: `peerpool savings`."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final

from msgspec import Struct, structs

from peerpool.access_log import LINE_MAX_CHARS, LogReader, Sent
from peerpool.core.errors import ConfigError
from peerpool.core.figures import Money, Prices, money_of
from peerpool.core.ledger import total
from peerpool.core.seats import Group
from peerpool.history import MINUTE_S, History, Scope

GZIP_MAGIC: Final = b"\x1f\x8b"
# How many lines between two calls of the progress.
PROGRESS_LINES: Final = 100_000
# Logs and reports differ by so much without a reason to look for: reports are late, and answers are broken off.
AGREES_WITHIN: Final = 0.05
PERCENT: Final = 100


@dataclass(slots=True)
class LogTotals:
    """Sums of logs."""

    answers: int = 0
    media_answers: int = 0
    media_bytes: int = 0
    other_bytes: int = 0
    unread: int = 0
    first_s: float = float("inf")
    last_s: float = float("-inf")
    files: list[str] = field(default_factory=list)

    def count(self, sent: Sent, *, is_media: bool) -> None:
        """Count one answer."""
        self.answers += 1
        if not is_media:
            self.other_bytes += sent.sent_bytes
            return
        self.media_answers += 1
        self.media_bytes += sent.sent_bytes
        self.first_s = min(self.first_s, sent.at_s)
        self.last_s = max(self.last_s, sent.at_s)


class Savings(Struct, frozen=True):
    """Both sides; parts are None where there is nothing to divide by."""

    since_s: int
    until_s: int
    log_bytes: int  # media that the log says was sent
    other_bytes: int  # and the rest: manifests, pages
    answers: int
    unread_lines: int
    reported_cdn_bytes: int
    reported_peer_bytes: int
    reported_relayed_bytes: int
    difference: float | None  # of the reported bytes to the log's: -0.02 is two percent less
    offload: float | None  # by the log's bytes, and the reported ones of peers
    reported_offload: float | None
    money: Money | None


def read_logs(paths: Sequence[Path], media: re.Pattern[str] | None, told: Callable[[int], None]) -> LogTotals:
    """Read logs, gzipped or not; `media` matches the paths that count, in place of the usual suffixes.

    Raises ConfigError for what cannot be read, or is no log at all. `told` is called with the lines read so far.
    """
    totals = LogTotals()
    lines = 0
    for path in paths:
        reader = LogReader()
        before = totals.answers
        try:
            with _opened(path) as file:
                for line in _lines(file):
                    lines += 1
                    if lines % PROGRESS_LINES == 0:
                        told(lines)
                    sent = reader.read(line)
                    if sent is not None:
                        is_media = sent.is_media if media is None else bool(media.search(sent.path))
                        totals.count(sent, is_media=is_media)
        except (OSError, EOFError) as error:
            raise ConfigError(f"{path} cannot be read: {error}") from None
        if totals.answers == before:
            raise ConfigError(
                f"{path}: no line of it is of a known format (Common or Combined, W3C Extended with #Fields, or JSON)"
            )
        totals.unread += reader.unread
        totals.files.append(str(path))
    return totals


def compare(totals: LogTotals, history: History, now_s: int, prices: Prices, site: str | None = None) -> Savings:
    """Set the log beside what viewers reported while it was written. Raises ConfigError for a log without media."""
    if totals.media_answers == 0:
        raise ConfigError("the log has no answer with media in it; say by --path which paths are media")
    since_s = int(totals.first_s) // MINUTE_S * MINUTE_S
    until_s = int(totals.last_s) + 1
    points = history.series(Scope(since_s, until_s, site), now_s)
    reported = total(point.sums for point in points)
    sharing = total(point.sums for point in points if point.group is Group.SHARING)
    known = structs.replace(sharing, cdn_bytes=totals.media_bytes)
    elapsed_s = until_s - since_s
    cdn_bytes = reported.cdn_bytes
    return Savings(
        since_s,
        until_s,
        totals.media_bytes,
        totals.other_bytes,
        totals.answers,
        totals.unread,
        cdn_bytes,
        reported.peer_bytes,
        reported.relayed_bytes,
        cdn_bytes / totals.media_bytes - 1 if totals.media_bytes else None,
        known.peer_bytes / known.media_bytes if known.media_bytes else None,
        reported.peer_bytes / reported.media_bytes if reported.media_bytes else None,
        money_of(known, elapsed_s, prices),
    )


def render(savings: Savings) -> list[str]:
    """Say it for people."""
    when = [datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d %H:%M") for at_s in (savings.since_s, savings.until_s)]
    lines = [
        f"{savings.answers} answers in the log, {when[0]} to {when[1]} UTC"
        + (f"; {savings.unread_lines} lines could not be read" if savings.unread_lines else ""),
        f"  media that the CDN sent       {_gb(savings.log_bytes)}   by its log",
        f"  of that reported by viewers   {_gb(savings.reported_cdn_bytes)}   {_part(savings.difference, signed=True)}",
        f"  from peers                    {_gb(savings.reported_peer_bytes)}   reported by viewers",
        f"  offload                       {_part(savings.offload)}   by the log's bytes"
        f" ({_part(savings.reported_offload)} reported)",
    ]
    money = savings.money
    if money is not None:
        lines.append(
            f"  saved                         {money.saved:,.2f} {money.currency}"
            f"   ({money.without:,.2f} without peers; CDN {money.cdn:,.2f}, TURN {money.turn:,.2f},"
            f" machines {money.machines:,.2f})"
        )
    else:
        lines.append("  saved                         name your prices in the settings (docs/dashboard.md)")
    return lines + _advice(savings)


def _advice(savings: Savings) -> list[str]:
    difference = savings.difference
    if not savings.reported_cdn_bytes and not savings.reported_peer_bytes:
        return ["  Viewers reported nothing in that time: is it this tracker's history, and the log of the same days?"]
    if difference is None or abs(difference) <= AGREES_WITHIN:
        return []
    if difference < 0:
        return [
            "  The CDN sent more than viewers reported: players without the script, robots and downloads are in its"
            " log, and who leaves within half a minute has not reported. Narrow the paths by --path."
        ]
    return [
        "  Viewers reported more than the CDN sent: the log is of some of its servers only, or counts other paths, or"
        " somebody's reports are lies."
    ]


def _gb(size_bytes: int) -> str:
    return f"{size_bytes / 1e9:14,.3f} GB"


def _part(part: float | None, *, signed: bool = False) -> str:
    if part is None:
        return "unknown"
    return f"{part * PERCENT:+.1f} % of it" if signed else f"{part * PERCENT:.1f} %"


def _opened(path: Path) -> BinaryIO | gzip.GzipFile:
    with path.open("rb") as file:
        is_packed = file.read(len(GZIP_MAGIC)) == GZIP_MAGIC
    return gzip.open(path, "rb") if is_packed else path.open("rb")


def _lines(file: BinaryIO | gzip.GzipFile) -> Iterator[str]:
    """Yield lines; of one that is too long its beginning, and the rest as more of them."""
    while line := file.readline(LINE_MAX_CHARS):
        yield line.decode("utf-8", "replace")
