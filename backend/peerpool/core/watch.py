"""Following one stream to sign it: what to fetch next, what is signed, and what to say to who asks (docs/adr/0015).

A track is followed while somebody asks for its records, and the stream while it has viewers; each segment is hashed
once. `Following` takes what was asked, read and hashed, with `now` (seconds, monotonic), and says what to fetch.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from enum import Enum
from typing import Final, NamedTuple

from peerpool.core.digests import SegmentName
from peerpool.core.identity import KIND_INIT, KIND_MEDIA
from peerpool.core.playlists import ONLY_TRACK, Media, Multivariant, Segment
from peerpool.core.urls import Url, parse

# How often a live playlist is read: a quarter of its target duration, between these. Viewers read it once a target
# duration, each at its own time, and wait for the record of what is fresh to them.
POLL_MIN_S: Final = 0.5
POLL_MAX_S: Final = 2.0
# After a failure, doubled up to the longest.
RETRY_MIN_S: Final = 0.5
RETRY_MAX_S: Final = 30.0
# A playlist may name a segment before each edge has it. After so many attempts it is let be for a while.
SEGMENT_ATTEMPTS: Final = 4
SEGMENT_REST_S: Final = 30.0
# Nobody has asked for a record of the track so long: ten long segments.
TRACK_IDLE_S: Final = 60.0
# A viewer whose playlist is newer than ours asks for what we have not heard of: as many ahead are waited for.
DUE_AHEAD: Final = 3
# The newest segments of a live track in use are signed unasked: what players begin with is that far from the end.
UNASKED_NEWEST: Final = 3
# A manifest that does not name a track is read again for it, and one whose playlists cannot be read: signed URLs end.
MANIFEST_AGAIN_S: Final = 30.0
STALE_AFTER_FAILURES: Final = 2
# Tracks asked for before the manifest is read: more than any has.
EARLY_TRACKS_MAX: Final = 64
# Segments at once, and asked for and not begun: a viewer who seeks to and fro does not fill memory.
FETCHES_MAX: Final = 4
WANTED_MAX: Final = 256
# Records kept: an hour of 2 s segments in 4 tracks, or 16 MiB.
RECORDS_MAX: Final = 8_192
RECORDS_BYTES_MAX: Final = 16 * 1_048_576


class PlaylistDue(NamedTuple):
    """Read this playlist: of a track, or the manifest, whose `track_hex` is None."""

    url: Url
    track_hex: str | None


class SegmentDue(NamedTuple):
    """Hash this segment."""

    segment: Segment


Command = PlaylistDue | SegmentDue


class State(Enum):
    """What there is to say of a segment's record, where it is not there."""

    DUE = "due"  # it is being made, or will be if the stream goes on
    MISSING = "missing"  # there is none, and there will not be


class _Playlist:
    """One that is read again and again."""

    __slots__ = ("failures", "is_reading", "is_stale", "poll_at", "url")

    def __init__(self, url: Url) -> None:
        self.url = url
        self.poll_at = float("-inf")
        self.failures = 0
        self.is_reading = False
        self.is_stale = True  # to be read again, though nothing says that it changes

    def is_due(self, now: float) -> bool:
        return not self.is_reading and now >= self.poll_at

    def read(self, again_at: float) -> None:
        self.is_reading, self.is_stale, self.failures, self.poll_at = False, False, 0, again_at

    def failed(self, now: float) -> None:
        self.is_reading = False
        self.poll_at = now + min(RETRY_MAX_S, RETRY_MIN_S * 2.0 ** min(self.failures, 10))
        self.failures += 1


class _Track(_Playlist):
    """A track's playlist, and what it named last."""

    __slots__ = ("asked_at", "media", "newest", "segments")

    def __init__(self, url: Url) -> None:
        super().__init__(url)
        self.asked_at = float("-inf")
        self.media: Media | None = None
        self.segments: dict[SegmentName, Segment] = {}
        self.newest: list[Segment] = []  # of a live one

    def asked(self, now: float) -> None:
        """Note that somebody asks; what was read when last somebody did says nothing of now."""
        self.is_stale = self.is_stale or now - self.asked_at >= TRACK_IDLE_S
        self.asked_at = now

    def is_polled(self, now: float) -> bool:
        """Whether it is to be read, now or later."""
        is_in_use = now - self.asked_at < TRACK_IDLE_S
        return is_in_use and not self.is_reading and (self.is_stale or (self.media is not None and self.media.is_live))

    def take(self, media: Media) -> bool:
        """Keep what it names; return whether it has begun to count again: its names are of other segments now."""
        numbers = [name.number for name in self.segments if name.kind == KIND_MEDIA]
        self.media = media
        self.segments = {segment.name: segment for segment in media.segments}
        since = media.next_number - UNASKED_NEWEST
        self.newest = [
            segment
            for segment in self.segments.values()
            if media.is_live and not segment.gap and (segment.name.kind == KIND_INIT or segment.name.number >= since)
        ]
        return bool(numbers) and media.next_number <= min(numbers)


class _Failure(NamedTuple):
    attempts: int
    again_at: float


class Following:
    """What is known of one stream."""

    def __init__(self, manifest: Url) -> None:
        self.records: OrderedDict[SegmentName, bytes] = OrderedDict()
        self.records_bytes = 0
        self._manifest = _Playlist(manifest)
        self._is_known = False
        self._tracks: dict[str, _Track] = {}
        self._early: set[str] = set()
        # Asked for and not hashed, in the order of asking.
        self._wanted: OrderedDict[SegmentName, None] = OrderedDict()
        self._hashing: set[SegmentName] = set()
        self._failures: dict[SegmentName, _Failure] = {}

    @property
    def is_readable(self) -> bool:
        """Whether manifest and playlists could be read when last tried."""
        return self._is_known and not self._manifest.failures and not any(one.failures for one in self._tracks.values())

    def ask(self, name: SegmentName, now: float) -> bytes | State:
        """Return the record of a segment that somebody wants, or whether it will come; see that it does."""
        track = self._tracks.get(name.track_hex)
        if track is not None:
            track.asked(now)
        else:
            self._manifest.is_stale = True  # it may be a new one
            if len(self._early) < EARLY_TRACKS_MAX:
                self._early.add(name.track_hex)
        failure = self._failures.get(name)
        if failure is not None and failure.attempts >= SEGMENT_ATTEMPTS and now >= failure.again_at:
            del self._failures[name]
        answer = self.look(name)
        if answer is State.DUE and name not in self._hashing:
            self._wanted[name] = None
            while len(self._wanted) > WANTED_MAX:
                self._wanted.popitem(last=False)
        return answer

    def look(self, name: SegmentName) -> bytes | State:
        """Return the record, or whether it will come."""
        record = self.records.get(name)
        if record is not None:
            self.records.move_to_end(name)
            return record
        track = self._tracks.get(name.track_hex)
        if track is None:
            return State.MISSING if self._is_known else State.DUE
        if track.media is None or (track.is_stale and track.media.is_live and name not in track.segments):
            return State.DUE
        if name in track.segments:
            is_given_up = name in self._failures and self._failures[name].attempts >= SEGMENT_ATTEMPTS
            return State.MISSING if is_given_up or track.segments[name].gap else State.DUE
        return State.DUE if _is_ahead(name, track.media) else State.MISSING

    def due(self, now: float) -> Iterator[Command]:
        """Yield what to fetch now; each is answered with `read`, `hashed` or one of the failures."""
        if self._manifest.is_stale and self._manifest.is_due(now):
            self._manifest.is_reading = True
            yield PlaylistDue(self._manifest.url, None)
        for track_hex, track in self._tracks.items():
            if track.is_polled(now) and track.is_due(now):
                track.is_reading = True
                yield PlaylistDue(track.url, track_hex)
        for segment in self._segments_due(now):
            if len(self._hashing) >= FETCHES_MAX:
                break
            self._wanted.pop(segment.name, None)
            self._hashing.add(segment.name)
            yield SegmentDue(segment)

    def next_at(self, now: float) -> float:
        """Return when something is due next as far as it is known; infinity while nobody asks."""
        times = [track.poll_at for track in self._tracks.values() if track.is_polled(now)]
        if self._manifest.is_stale and not self._manifest.is_reading:
            times.append(self._manifest.poll_at)
        if len(self._hashing) < FETCHES_MAX:
            wanted = [name for name in self._wanted if self._segment(name) is not None]
            times += [self._failures[name].again_at if name in self._failures else now for name in wanted]
        return min(times, default=float("inf"))

    def manifest_read(self, said: Multivariant | Media, now: float) -> None:
        """Take what the manifest says: tracks, or, where it is of one track, its segments."""
        self._manifest.read(now + MANIFEST_AGAIN_S)
        self._is_known = True
        tracks = {ONLY_TRACK: self._manifest.url.href}
        if isinstance(said, Multivariant):
            tracks = {track_hex: href for href, track_hex in said.tracks.items()}
        for track_hex, href in tracks.items():
            track = self._tracks.setdefault(track_hex, _Track(parse(href)))
            track.url = parse(href)
            if track_hex in self._early:
                track.asked_at = now
        self._early.clear()
        self._forget(name for name in self._wanted if name.track_hex not in self._tracks)
        if isinstance(said, Media):
            self.read(ONLY_TRACK, said, now)

    def read(self, track_hex: str, media: Media, now: float) -> None:
        """Take what a track's playlist says."""
        track = self._tracks[track_hex]
        track.read(now + min(POLL_MAX_S, max(POLL_MIN_S, media.target_s / 4)))
        if track.take(media):
            for name in [name for name in self.records if name.track_hex == track_hex and name.kind == KIND_MEDIA]:
                self._drop(name)
            self._hashing = {name for name in self._hashing if name.track_hex != track_hex}
        gone = [name for name in (*self._failures, *self._wanted) if name.track_hex == track_hex]
        self._forget(name for name in gone if name not in track.segments and not _is_ahead(name, media))

    def not_read(self, track_hex: str | None, now: float) -> None:
        """Note that a playlist, or the manifest, could not be read: again later."""
        playlist = self._manifest if track_hex is None else self._tracks[track_hex]
        playlist.failed(now)
        if playlist.failures >= STALE_AFTER_FAILURES:
            self._manifest.is_stale = True

    def hashed(self, segment: Segment, record: bytes) -> None:
        """Keep the signed record of a segment; the one that nobody wanted for longest makes room."""
        if segment.name not in self._hashing:
            return  # its name is another segment's meanwhile
        self._hashing.remove(segment.name)
        self._failures.pop(segment.name, None)
        self._drop(segment.name)
        self.records[segment.name] = record
        self.records_bytes += len(record)
        while len(self.records) > RECORDS_MAX or self.records_bytes > RECORDS_BYTES_MAX:
            self._drop(next(iter(self.records)))

    def not_hashed(self, segment: Segment, now: float, *, is_final: bool = False) -> None:
        """Note that a segment could not be fetched: again later, and not for ever; if `is_final`, not soon."""
        name = segment.name
        track = self._tracks[name.track_hex]
        if name not in self._hashing or name not in track.segments:
            self._hashing.discard(name)
            return
        self._hashing.remove(name)
        attempts = self._failures[name].attempts + 1 if name in self._failures else 1
        if is_final:
            attempts = SEGMENT_ATTEMPTS
        wait_s = RETRY_MIN_S * 2.0 ** (attempts - 2) if attempts < SEGMENT_ATTEMPTS else SEGMENT_REST_S
        self._failures[name] = _Failure(attempts, now + wait_s)
        track.is_stale = track.is_stale or (attempts >= STALE_AFTER_FAILURES and not is_final)
        if attempts < SEGMENT_ATTEMPTS:
            self._wanted[name] = None

    def _forget(self, names: Iterable[SegmentName]) -> None:
        for name in list(names):
            self._failures.pop(name, None)
            self._wanted.pop(name, None)

    def _segment(self, name: SegmentName) -> Segment | None:
        track = self._tracks.get(name.track_hex)
        return track.segments.get(name) if track is not None else None

    def _drop(self, name: SegmentName) -> None:
        self.records_bytes -= len(self.records.pop(name, b""))

    def _segments_due(self, now: float) -> Iterator[Segment]:
        """Yield those that were asked for, then the newest of live tracks in use, that may be tried now."""
        for segment in self._candidates(now):
            name = segment.name
            failure = self._failures.get(name)
            if name not in self._hashing and name not in self.records and (not failure or now >= failure.again_at):
                yield segment

    def _candidates(self, now: float) -> Iterator[Segment]:
        for name in list(self._wanted):
            segment = self._segment(name)
            if segment is not None:
                yield segment
        for track in self._tracks.values():
            if now - track.asked_at < TRACK_IDLE_S:
                yield from track.newest


def _is_ahead(name: SegmentName, media: Media) -> bool:
    """Whether it may be in the next playlist: a segment after the last, or an init segment, whose names say nothing."""
    if not media.is_live or name.kind == KIND_INIT:
        return media.is_live
    return media.next_number <= name.number < media.next_number + DUE_AHEAD
