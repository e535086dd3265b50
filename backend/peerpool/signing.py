"""`peerpool sign`: writes the signed record of each segment beside it (docs/adr/0012, docs/integrity.md).

Reads what the folder's manifest names, and nothing outside the folder.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple, TextIO
from urllib.parse import unquote_to_bytes

from peerpool.core.digests import (
    RECORD_BYTES_MAX,
    RECORD_SEGMENT_BYTES_MAX,
    PieceHasher,
    Record,
    SegmentName,
    decode,
    encode,
)
from peerpool.core.errors import Malformed, SignError
from peerpool.core.identity import content_id
from peerpool.core.playlists import ONLY_TRACK, PLAYLIST_BYTES_MAX, Media, Multivariant, Segment, read
from peerpool.core.urls import Url, parse
from peerpool.keys import SigningKey, verify

READ_BYTES: Final = 1_048_576
# How often a live folder is looked at: viewers wait for the record of a fresh segment.
WATCH_INTERVAL_S: Final = 0.1
# How often it is looked at again for what was not there or not whole, though no playlist changed.
RETRY_INTERVAL_S: Final = 1.0
# How often progress is told: on a terminal, where it is redrawn, and elsewhere.
REDRAW_S: Final = 0.2
TELL_S: Final = 10.0


@dataclass
class Summary:
    """What was done, in segments; and what was left out, which viewers play from the CDN."""

    signed: int = 0
    kept: int = 0
    remote: int = 0  # on another host
    outside: int = 0  # not in the folder, or by a link out of it
    missing: int = 0
    unfit: int = 0  # empty, above 60 MiB, shorter than its byte range, or written to meanwhile
    shared: int = 0  # named by another track too, which is first: a file has one record
    broken: list[str] = field(default_factory=list)  # playlists, with why

    @property
    def is_whole(self) -> bool:
        """Whether all that is in the folder has a record."""
        return not (self.missing or self.unfit or self.shared or self.broken)

    def lines(self) -> Iterator[str]:
        """Yield it for people."""
        yield f"{self.signed} signed, {self.kept} kept that were signed before"
        for count, text in (
            (self.remote, "on another host"),
            (self.outside, "outside the folder"),
            (self.missing, "not there"),
            (self.unfit, "empty, above 60 MiB, shorter than their byte range, or still written to"),
            (self.shared, "named by a second track (a file has one record, of the first)"),
        ):
            if count:
                yield f"{count} without a record: {text}"
        yield from (f"not read: {one}" for one in self.broken)


@dataclass(frozen=True)
class _Target:
    segment: Segment
    path: Path

    @property
    def record_path(self) -> Path:
        at = self.segment.at
        span = "" if at.range_start is None else f".{at.range_start}-{at.range_end}"
        return self.path.with_name(f"{self.path.name}{span}.ppd")


class _Seen(NamedTuple):
    path: Path
    name: SegmentName
    size_bytes: int
    mtime_ns: int


class FolderSigner:
    """Signs what one manifest in a folder names."""

    def __init__(self, folder: Path, key: SigningKey, content: str, url: str = "", *, force: bool = False) -> None:
        """`url` is the manifest's as players ask for it; without one `content` has to be its host and path.

        Raises SignError where the folder has no such manifest.
        """
        self._folder = folder.resolve()
        self._key = key
        self._content_id = bytes.fromhex(content_id(content))
        self._force = force
        self._manifest_url = _manifest_url(content, url)
        self._base_path = self._manifest_url.path.rpartition("/")[0] + "/"
        manifest = self._path_of(self._manifest_url)
        if manifest is None or not manifest.is_file():
            name = self._manifest_url.path.rpartition("/")[2]
            raise SignError(
                f"there is no {name or 'manifest'} in {folder}: --content or --url must be the manifest's own"
            )
        # Records known to be good and the segments they are of, as they were; and when playlists read were written.
        self._good: dict[Path, _Seen] = {}
        self._playlists: dict[Path, int] = {}

    def run(self, progress: Progress) -> Summary:
        """Sign once all that is there."""
        summary = Summary()
        self._playlists = {}
        targets = self._targets(summary)
        for done, target in enumerate(targets, 1):
            self._sign(target, summary)
            progress.tell(done, len(targets))
        progress.end()
        return summary

    def watch(
        self, progress: Progress, is_over: Callable[[], bool], sleep: Callable[[float], None] = time.sleep
    ) -> Summary:
        """Sign again whenever a playlist changes, until `is_over`; return all that was signed, what was left out last.

        What was missing or still written to is looked at again every RETRY_INTERVAL_S. The records of segments that
        have left the folder are removed.
        """
        summary, signed, waits = self.run(progress), 0, 0
        while not is_over():
            sleep(WATCH_INTERVAL_S)
            waits += 1
            is_retry = not summary.is_whole and waits * WATCH_INTERVAL_S >= RETRY_INTERVAL_S
            if is_retry or self._has_changed():
                signed, waits = signed + summary.signed, 0
                summary = self.run(progress)
                self._remove_orphans()
        summary.signed += signed
        return summary

    def _has_changed(self) -> bool:
        return any(_mtime_ns(path) != seen for path, seen in self._playlists.items())

    def _remove_orphans(self) -> None:
        for record_path, seen in list(self._good.items()):
            if not seen.path.exists():
                record_path.unlink(missing_ok=True)
                del self._good[record_path]

    def _targets(self, summary: Summary) -> list[_Target]:
        """Return what is to be signed, each file (or range of one) once."""
        found: dict[Path, _Target] = {}
        for segment in self._segments(summary):
            if segment.gap:
                continue
            path = self._file_of(segment.at.url, summary)
            if path is None:
                continue
            target = _Target(segment, path)
            first = found.setdefault(target.record_path, target)
            summary.shared += first.segment.name != segment.name
        return list(found.values())

    def _segments(self, summary: Summary) -> Iterator[Segment]:
        first = self._read(self._manifest_url, ONLY_TRACK, summary)
        if isinstance(first, Media):
            yield from first.segments
        elif first is not None:
            for href, track in first.tracks.items():
                url = parse(href)
                if self._file_of(url, summary) is None:
                    continue
                media = self._read(url, track, summary)
                yield from media.segments if isinstance(media, Media) else ()

    def _read(self, url: Url, track: str, summary: Summary) -> Multivariant | Media | None:
        path = self._path_of(url)
        if path is None:
            return None
        self._playlists[path] = _mtime_ns(path)
        try:
            with path.open("rb") as file:
                data = file.read(PLAYLIST_BYTES_MAX + 1)
            return read(data.decode("utf-8-sig"), url, track)
        except (OSError, UnicodeDecodeError, Malformed) as error:
            summary.broken.append(f"{path.name}: {error}")
            return None

    def _file_of(self, url: Url, summary: Summary) -> Path | None:
        """Return the file in the folder that a URL is of; None, and counted why, where there is none."""
        if url.origin != self._manifest_url.origin:
            summary.remote += 1
            return None
        path = self._path_of(url)
        if path is None:
            summary.outside += 1
        elif not path.is_file():
            summary.missing += 1
            return None
        return path

    def _path_of(self, url: Url) -> Path | None:
        """Return where in the folder a URL's file would be, links followed; None for what is outside."""
        if url.origin != self._manifest_url.origin or not url.path.startswith(self._base_path):
            return None
        relative = os.fsdecode(unquote_to_bytes(url.path[len(self._base_path) :]))
        try:
            path = (self._folder / relative).resolve()
        except (ValueError, OSError, RuntimeError):
            return None  # a NUL in it, or links in a circle
        return path if relative and not relative.startswith("/") and path.is_relative_to(self._folder) else None

    def _sign(self, target: _Target, summary: Summary) -> None:
        try:
            if not self._force and self._is_signed(target):
                summary.kept += 1
                return
            record = self._record_of(target)
            if record is None:
                summary.unfit += 1
                return
            _write_whole(target.record_path, encode(record))
            self._is_signed(target)  # remembered, unless it was written to meanwhile
        except FileNotFoundError:
            summary.missing += 1  # it has just left a live folder
            return
        except OSError as error:
            raise SignError(f"cannot sign {target.path}: {error.strerror}") from None
        summary.signed += 1

    def _is_signed(self, target: _Target) -> bool:
        """Say whether the record that is there is of this segment as it is, by this key."""
        try:
            stat = target.record_path.stat()
            segment = target.path.stat()
            seen = _Seen(target.path, target.segment.name, segment.st_size, segment.st_mtime_ns)
            if self._good.get(target.record_path) == seen:
                return True
            if stat.st_mtime_ns <= segment.st_mtime_ns or stat.st_size > RECORD_BYTES_MAX:
                return False
            record = decode(target.record_path.read_bytes())
        except (FileNotFoundError, Malformed):
            return False
        start, end = _span(target, segment.st_size)
        same = (record.content_id, record.name, record.size_bytes) == (
            self._content_id,
            target.segment.name,
            end - start,
        )
        if not (same and end <= segment.st_size and verify(record, self._key.public_bytes)):
            return False
        self._good[target.record_path] = seen
        return True

    def _record_of(self, target: _Target) -> Record | None:
        """Return the signed record; None where the file is not fit to have one."""
        hasher = PieceHasher()
        with target.path.open("rb") as file:
            before = os.fstat(file.fileno())
            start, end = _span(target, before.st_size)
            if not 0 < end - start <= RECORD_SEGMENT_BYTES_MAX or end > before.st_size:
                return None
            file.seek(start)
            while (left := end - start - hasher.size_bytes) > 0:
                chunk = file.read(min(left, READ_BYTES))
                if not chunk:
                    return None
                hasher.feed(chunk)
            after = os.fstat(file.fileno())
        if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
            return None
        name = target.segment.name
        return self._key.sign(Record(b"", self._content_id, name, hasher.size_bytes, tuple(hasher.hashes())))


class Progress:
    """A counter with its rate: redrawn on a terminal, a line now and then elsewhere."""

    def __init__(self, out: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._out = out
        self._clock = clock
        self._began_at = clock()
        self._told_at = self._began_at
        self._is_terminal = out.isatty()
        self._is_open = False

    def tell(self, done: int, of: int) -> None:
        """Say how far it is, if it is time to."""
        now = self._clock()
        if now - self._told_at < (REDRAW_S if self._is_terminal else TELL_S):
            return
        self._told_at = now
        rate = done / max(now - self._began_at, 1e-3)
        start, end = ("\r", "") if self._is_terminal else ("", "\n")
        self._out.write(f"{start}{done} of {of} segments, {rate:.0f} a second{end}")
        self._out.flush()
        self._is_open = self._is_terminal

    def end(self) -> None:
        """Begin a new line where one is open."""
        if self._is_open:
            self._out.write("\n")
        self._began_at, self._is_open = self._clock(), False


def _manifest_url(content: str, url: str) -> Url:
    """Return the manifest's URL. Raises SignError where neither says it."""
    if not url and "/" not in content:
        raise SignError(
            f"`{content}` is not the host and path of a manifest: say with --url how players ask for it,"
            " because init segments are named by their path"
        )
    try:
        return parse(url or f"https://{content}")
    except Malformed as error:
        raise SignError(f"{url or content}: {error}") from None


def _span(target: _Target, size_bytes: int) -> tuple[int, int]:
    at = target.segment.at
    return (0, size_bytes) if at.range_start is None or at.range_end is None else (at.range_start, at.range_end)


def _mtime_ns(path: Path) -> int:
    with suppress(OSError):
        return path.stat().st_mtime_ns
    return 0


def _write_whole(path: Path, data: bytes) -> None:
    """Write a file whole or not at all, as readable as the process makes files: a web server is to serve it."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        partial.write_bytes(data)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
