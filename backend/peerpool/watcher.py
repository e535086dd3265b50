"""`watch`: the tracker follows streams as one more viewer, signs each segment once, and gives the records to who asks.

What to fetch and what to answer is decided by `core/watch.py`; here are the fetches, the signatures and who waits.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from peerpool.core.digests import RECORD_SEGMENT_BYTES_MAX, PieceHasher, Record, SegmentName, encode
from peerpool.core.errors import ConfigError, FetchFailed, FetchRefused, Malformed
from peerpool.core.fetch_rules import Origins
from peerpool.core.identity import content_id, content_name
from peerpool.core.playlists import ONLY_TRACK, PLAYLIST_BYTES_MAX, Media, Multivariant, Segment, read
from peerpool.core.urls import Url, parse
from peerpool.core.watch import Command, Following, PlaylistDue, State
from peerpool.keys import SigningKey
from peerpool.safe_fetch import Resolve, SafeFetcher, resolve
from peerpool.settings import WatchedStream

log = logging.getLogger("peerpool.watcher")

# How long an answer is held back for a record that is due (docs/wire-protocol.md); clients wait twice that.
HOLD_S: Final = 4.0
# Answers held back at once: of all, and of one line. Fetchers ask only, one or a few in a cluster.
WAITING_MAX: Final = 4_000
WAITING_PER_LINE_MAX: Final = 64
# A playlist is needed by the next poll but few, a segment before viewers have given up hope of its record.
PLAYLIST_TIMEOUT_S: Final = 8.0
SEGMENT_TIMEOUT_S: Final = 20.0
# A playlist above this takes longer to read than the loop should wait.
INLINE_CHARS_MAX: Final = 16_384


class Crowded(Exception):
    """Too many wait already."""


@dataclass(frozen=True)
class _Places:
    """How the URLs that viewers know and those that are read belong together."""

    manifest: Url
    source: Url | None  # scheme, host and port in place of the manifest's
    origins: Origins

    @classmethod
    def of(cls, stream: WatchedStream) -> _Places:
        """Raise ConfigError for what is no URL."""
        manifest = _url("url", stream.url)
        source = _url("fetch_from", stream.fetch_from) if stream.fetch_from else None
        others = {_url("origins", text).origin for text in stream.origins}
        internal = frozenset({source.origin}) if source else frozenset()
        return cls(manifest, source, Origins(frozenset({manifest.origin, *others}), internal))

    def to_source(self, url: Url) -> Url:
        """Return where to read what viewers read at `url`. Raises FetchRefused for an origin that is not theirs."""
        if url.origin not in self.origins.public:
            self.origins.check(url)
            raise FetchRefused(f"{url.origin} is where the stream is read from, not where viewers find it")
        return _moved(url, self.source) if self.source and url.origin == self.manifest.origin else url

    def to_viewers(self, url: Url) -> Url:
        """Return where viewers read what was read at `url`."""
        return _moved(url, self.manifest) if self.source and url.origin == self.source.origin else url


class _Stream:
    """One followed stream."""

    def __init__(self, stream: WatchedStream, key: SigningKey, resolve: Resolve) -> None:
        self._places = _Places.of(stream)
        self.name = stream.content or content_name(stream.url)
        self.content_id = content_id(self.name)
        self.following = Following(self._places.manifest)
        self.counts: Counter[str] = Counter()
        self.waiting: dict[SegmentName, set[asyncio.Future[None]]] = {}
        self._key = key
        self._resolve = resolve
        self._woken = asyncio.Event()
        self._bodies: dict[str | None, bytes] = {}
        self._said: dict[str | None, Multivariant | Media] = {}
        self._complaint = ""

    def wake(self) -> None:
        """Look at once at what is due."""
        self._woken.set()

    async def run(self) -> None:
        """Follow it until cancelled."""
        loop = asyncio.get_running_loop()
        fetcher = SafeFetcher(self._places.origins, self._resolve)
        try:
            async with asyncio.TaskGroup() as tasks:
                while True:
                    self._woken.clear()
                    for command in self.following.due(loop.time()):
                        tasks.create_task(self._obey(fetcher, command))
                    wait_s = self.following.next_at(loop.time()) - loop.time()
                    timer = loop.call_later(max(0.01, wait_s), self.wake) if wait_s != float("inf") else None
                    await self._woken.wait()
                    if timer is not None:
                        timer.cancel()
        finally:
            await fetcher.close()

    async def _obey(self, fetcher: SafeFetcher, command: Command) -> None:
        try:
            if isinstance(command, PlaylistDue):
                await self._read(fetcher, command)
            else:
                await self._hash(fetcher, command.segment)
        except (FetchFailed, Malformed) as error:
            self._failed(command, error)
        except Exception as error:  # a defect of ours ends neither this stream nor the others
            log.exception("watch %s: a defect, please report it", self.name)
            self._failed(command, error)
        self._settle()
        self.wake()

    async def _read(self, fetcher: SafeFetcher, due: PlaylistDue) -> None:
        chunks: list[bytes] = []
        answered = await fetcher.fetch(
            self._places.to_source(due.url), chunks.append, max_bytes=PLAYLIST_BYTES_MAX, timeout_s=PLAYLIST_TIMEOUT_S
        )
        body, said = b"".join(chunks), self._said.get(due.track_hex)
        if said is None or self._bodies.get(due.track_hex) != body:
            said = await _parsed(body, self._places.to_viewers(answered), due.track_hex or ONLY_TRACK)
            self._bodies[due.track_hex], self._said[due.track_hex] = body, said
        now = asyncio.get_running_loop().time()
        if due.track_hex is None:
            self.following.manifest_read(said, now)
        elif isinstance(said, Media):
            self.following.read(due.track_hex, said, now)
        else:
            raise Malformed("a track's playlist names playlists")
        self._relieved()

    async def _hash(self, fetcher: SafeFetcher, segment: Segment) -> None:
        hasher = PieceHasher()
        at = segment.at
        span = None if at.range_start is None or at.range_end is None else (at.range_start, at.range_end)
        if span is not None and span[1] - span[0] > RECORD_SEGMENT_BYTES_MAX:
            raise Malformed("a segment above 60 MiB has no record")
        await fetcher.fetch(
            self._places.to_source(at.url),
            hasher.feed,
            max_bytes=RECORD_SEGMENT_BYTES_MAX,
            timeout_s=SEGMENT_TIMEOUT_S,
            span=span,
        )
        content = bytes.fromhex(self.content_id)
        unsigned = Record(b"", content, segment.name, hasher.size_bytes, tuple(hasher.hashes()))
        record = encode(self._key.sign(unsigned))
        self.following.hashed(segment, record)
        self.counts["records"] += 1
        self.counts["bytes"] += hasher.size_bytes

    def _failed(self, command: Command, error: Exception) -> None:
        now = asyncio.get_running_loop().time()
        self.counts["failures"] += 1
        if isinstance(command, PlaylistDue):
            self.following.not_read(command.track_hex, now)
        else:
            self.following.not_hashed(command.segment, now, is_final=isinstance(error, FetchRefused | Malformed))
        if str(error) != self._complaint:  # it is tried again and again
            log.warning("watch %s: %s; what has no record is played from the CDN", self.name, error)
        self._complaint = str(error)

    def _relieved(self) -> None:
        if self._complaint and self.following.is_readable:
            log.warning("watch %s: it can be read again", self.name)
            self._complaint = ""

    def _settle(self) -> None:
        """Let those go on whose answer is there."""
        for name in [name for name in self.waiting if self.following.look(name) is not State.DUE]:
            for future in self.waiting.pop(name):
                if not future.done():
                    future.set_result(None)


class Watcher:
    """All followed streams of a tracker."""

    def __init__(
        self, streams: Sequence[WatchedStream], keys: Sequence[SigningKey], resolve: Resolve = resolve
    ) -> None:
        """Raise ConfigError for what cannot be followed. The first of the keys signs, clients trust all."""
        followed = [_Stream(stream, keys[0], resolve) for stream in streams]
        self.keys = [key.public_hex for key in keys]
        self._streams = {stream.content_id: stream for stream in followed}
        if len(self._streams) != len(followed):
            raise ConfigError("watch: two streams have the same content")
        self._lines: Counter[str] = Counter()
        self.answers: Counter[str] = Counter({"at once": 0, "after a wait": 0, "none": 0, "late": 0, "crowded": 0})

    def __contains__(self, content: str) -> bool:
        return content in self._streams

    @property
    def waiting(self) -> int:
        """How many answers are held back."""
        return self._lines.total()

    def streams(self) -> list[tuple[str, bool, Counter[str]]]:
        """Return of each stream its name, whether it can be read, and its counts."""
        return [(one.name, one.following.is_readable, one.counts) for one in self._streams.values()]

    async def run(self) -> None:
        """Follow them until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for stream in self._streams.values():
                tasks.create_task(stream.run())

    async def record(self, content: str, name: SegmentName, line: str) -> bytes | State:
        """Return the record of a segment; MISSING where there will be none, DUE where it was not there in time.

        It waits up to HOLD_S. `line` is whose socket it is. Raises Crowded where too many wait.
        """
        stream = self._streams.get(content)
        if stream is None:
            self.answers["none"] += 1
            return State.MISSING
        answer = stream.following.ask(name, asyncio.get_running_loop().time())
        if answer is not State.DUE:
            self.answers["none" if answer is State.MISSING else "at once"] += 1
            return answer
        stream.wake()
        if self.waiting >= WAITING_MAX or self._lines[line] >= WAITING_PER_LINE_MAX:
            self.answers["crowded"] += 1
            raise Crowded
        await self._wait(stream, name, line)
        answer = stream.following.look(name)
        kind = {State.DUE: "late", State.MISSING: "none"}
        self.answers[kind.get(answer, "after a wait") if isinstance(answer, State) else "after a wait"] += 1
        return answer

    async def _wait(self, stream: _Stream, name: SegmentName, line: str) -> None:
        future = asyncio.get_running_loop().create_future()
        stream.waiting.setdefault(name, set()).add(future)
        self._lines[line] += 1
        try:
            await asyncio.wait((future,), timeout=HOLD_S)
        finally:
            future.cancel()
            self._lines[line] -= 1
            if not self._lines[line]:
                del self._lines[line]
            others = stream.waiting.get(name)
            if others is not None:
                others.discard(future)
                if not others:
                    del stream.waiting[name]


async def _parsed(body: bytes, base: Url, track_hex: str) -> Multivariant | Media:
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Malformed("a playlist that is not UTF-8") from None
    if len(text) <= INLINE_CHARS_MAX:
        return read(text, base, track_hex)
    return await asyncio.to_thread(read, text, base, track_hex)


def _moved(url: Url, to: Url) -> Url:
    return url._replace(scheme=to.scheme, hostname=to.hostname, port=to.port)


def _url(field: str, text: str) -> Url:
    try:
        return parse(text)
    except Malformed as error:
        raise ConfigError(f"watch: `{field}`: {text[:200]}: {error}") from None
