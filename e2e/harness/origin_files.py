"""The origin's delivery: one ASGI application that sends files as a CDN would, and counts every byte it hands over."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import hashlib
import json
import re
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path
from urllib.parse import parse_qs, quote

from starlette.types import Receive, Scope, Send

from e2e.harness.ledger import SHARED_CLASSES, Entry
from e2e.harness.origin_playlists import EDGE, HELD_S_MAX, awaited, has, own_playlist, place
from e2e.harness.origin_rules import CONTENT_TYPES, Rules, SharedLink, classify

CHUNK_BYTES = 64 * 1024
SHARED_CHUNK_BYTES = 4 * 1024  # under a total cap: small, so that nobody waits long for the chunks of the others
LARGE_BYTES = 16 * 1024 * 1024
PACED_SECONDS = 0.05  # a paced body is sent in chunks of this long, so that progress is smooth
RANGE = re.compile(r"bytes=(\d*)-(\d*)$")
URI_ATTRIBUTE = re.compile(r'URI="([^"]*)"')

CORS = {
    "access-control-allow-origin": "*",
    "access-control-allow-headers": "Range",
    "access-control-allow-methods": "GET, HEAD, OPTIONS",
    "access-control-expose-headers": "Content-Length, Content-Range, Accept-Ranges",
    "access-control-max-age": "600",
    "timing-allow-origin": "*",
}


class Log:
    """Every response, in memory and as JSON lines in a file; and what each segment file held when first served."""

    def __init__(self, path: Path | None) -> None:
        self.entries: list[Entry] = []
        self.digests: dict[str, str] = {}
        self._file = path.open("a", buffering=1) if path else None

    def add(self, entry: Entry) -> None:
        """Append one entry under the next number."""
        entry = dataclasses.replace(entry, number=len(self.entries) + 1)
        self.entries.append(entry)
        if self._file:
            self._file.write(json.dumps(dataclasses.asdict(entry)) + "\n")

    def close(self) -> None:
        """Close the file."""
        if self._file:
            self._file.close()


@dataclass(frozen=True)
class Answer:
    """What is sent for one request."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""
    size_bytes: int = 0


def with_viewer(playlist: str, viewer: str) -> str:
    """Put the viewer's token on every URI of a playlist, as CDNs sign theirs."""
    token = f"viewer={quote(viewer)}"

    def signed(uri: str) -> str:
        return f"{uri}{'&' if '?' in uri else '?'}{token}"

    lines = []
    for line in playlist.splitlines():
        if line.startswith("#"):
            lines.append(URI_ATTRIBUTE.sub(lambda match: f'URI="{signed(match[1])}"', line))
        else:
            lines.append(signed(line) if line.strip() else line)
    return "\n".join(lines) + "\n"


def parse_range(header: str, size_bytes: int) -> tuple[int, int] | None:
    """Start and exclusive end of a single byte range; None when it is to be ignored; ValueError when unsatisfiable."""
    match = RANGE.match(header.strip())
    if not match or match[1] == match[2] == "":
        return None
    if match[1] == "":
        start, end = max(0, size_bytes - int(match[2])), size_bytes
    else:
        start = int(match[1])
        end = min(size_bytes, int(match[2]) + 1) if match[2] else size_bytes
    if start >= size_bytes or end <= start:
        raise ValueError(header)
    return start, end


class FileServer:
    """ASGI application over mounted folders: `/live/...` is a file of the folder mounted as `live`."""

    def __init__(self, mounts: Mapping[str, Path], log: Log) -> None:
        self.rules = Rules()
        self.log = log
        self._link = SharedLink()
        self._mounts = {name: folder.resolve() for name, folder in mounts.items()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        if scope["type"] != "http":
            return
        started_s = time.time()
        asked = str(scope["path"])
        path = place(asked).path
        viewer = parse_qs(scope["query_string"].decode("latin-1")).get("viewer", [""])[0]
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        request_range = headers.get("range", "")
        request_class = classify(path)
        rule = self.rules.rule(request_class, viewer)
        gone = asyncio.create_task(_disconnected(receive))
        sent_bytes, complete, answer = 0, False, Answer(499, {})
        try:
            if rule.latency_ms:
                await asyncio.wait([gone], timeout=rule.latency_ms / 1000)
            query = scope["query_string"].decode("latin-1")
            await self._hold(path, query, gone)
            if not gone.done():
                edge = self._redirection(asked, query)
                answer = edge or self._answer(scope["method"], path, viewer, request_range)
                body = b"" if scope["method"] == "HEAD" else answer.body
                total_bps = self.rules.total_rate_bps if request_class in SHARED_CLASSES else 0
                pace = Pace(rule.rate_bps, self._link, total_bps)
                async for so_far in _send_body(send, answer, body, pace, gone):
                    sent_bytes = so_far
                complete = sent_bytes == len(body)
        finally:
            gone.cancel()
            if scope["method"] != "OPTIONS":
                entry = (path, request_class, viewer, request_range, answer.status, sent_bytes, answer.size_bytes)
                self.log.add(Entry(0, started_s, time.time(), *entry, complete))

    async def _hold(self, path: str, query: str, gone: asyncio.Task[None]) -> None:
        """Wait until a playlist has what its request says, as origins of low-latency streams do."""
        wanted, file, until_s = awaited(query), self._file(path), time.monotonic() + HELD_S_MAX
        while wanted and file and not has(file.read_text(), *wanted) and time.monotonic() < until_s and not gone.done():
            await asyncio.wait([gone], timeout=0.01)

    def _redirection(self, asked: str, query: str) -> Answer | None:
        """Send a request on to the edge of its folder, if it has one and has not been sent there yet."""
        token, at_edge, path = place(asked)
        host = next((url for folder, url in self.rules.redirects.items() if path.startswith(folder)), None)
        if host is None or at_edge:
            return None
        location = f"{host}{token}{EDGE}{quote(path)}{'?' if query else ''}{query}"
        return Answer(302, {**CORS, "location": location, "content-length": "0", "cache-control": "no-store"})

    def _answer(self, method: str, path: str, viewer: str, request_range: str) -> Answer:
        if method == "OPTIONS":
            return Answer(204, CORS)
        if method not in ("GET", "HEAD"):
            return _error(405)
        if self.rules.outage:
            return _error(503)
        file = self._file(path)
        file = file and own_playlist(file, viewer)
        content = _read(file) if file else None
        if file is None or content is None:
            return _error(404)
        request_class = classify(path)
        kind = CONTENT_TYPES.get(file.suffix, "application/octet-stream")
        if request_class == "playlist":
            if viewer:
                content = with_viewer(content.decode(), viewer).encode()
            headers = {**CORS, "content-type": kind, "content-length": str(len(content)), "cache-control": "no-cache"}
            return Answer(200, headers, content)
        if path not in self.log.digests:
            self.log.digests[path] = hashlib.sha256(content).hexdigest()
        headers = {**CORS, "content-type": kind, "cache-control": "public, max-age=3600"}
        if self.rules.validators:
            stat = file.stat()
            headers["etag"] = f'"{stat.st_mtime_ns:x}-{stat.st_size:x}"'
            headers["last-modified"] = formatdate(stat.st_mtime, usegmt=True)
            headers["access-control-expose-headers"] += ", ETag"
        return _ranged(content, headers, request_range, accept=self.rules.accept_ranges)

    def _file(self, path: str) -> Path | None:
        name, _, rest = path.lstrip("/").partition("/")
        folder = self._mounts.get(name)
        if folder is None:
            return None
        file = (folder / rest).resolve()
        return file if file.is_relative_to(folder) and file.is_file() else None


def _ranged(content: bytes, headers: dict[str, str], request_range: str, *, accept: bool) -> Answer:
    size = len(content)
    headers["accept-ranges"] = "bytes" if accept else "none"
    try:
        wanted = parse_range(request_range, size) if accept and request_range else None
    except ValueError:
        return Answer(416, {**headers, "content-length": "0", "content-range": f"bytes */{size}"}, b"", size)
    if wanted is None:
        return Answer(200, {**headers, "content-length": str(size)}, content, size)
    start, end = wanted
    headers |= {"content-length": str(end - start), "content-range": f"bytes {start}-{end - 1}/{size}"}
    return Answer(206, headers, content[start:end], size)


def _read(file: Path) -> bytes | None:
    try:
        stat = file.stat()
        return file.read_bytes() if stat.st_size < LARGE_BYTES else _read_large(file, stat.st_mtime_ns)
    except FileNotFoundError:  # the live window moved on between finding the file and reading it
        return None


@functools.lru_cache(maxsize=2)
def _read_large(file: Path, _mtime_ns: int) -> bytes:
    """Read a file that is asked for in hundreds of ranges once, for as long as it is the same."""
    return file.read_bytes()


def _error(status: int) -> Answer:
    return Answer(status, {**CORS, "content-length": "0", "cache-control": "no-store"})


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class Pace:
    """When the chunks of one body may leave: at the connection's own rate, and in turn on the shared link."""

    def __init__(self, rate_bps: float, link: SharedLink, total_bps: float) -> None:
        self._rate_bps, self._link, self._total_bps = rate_bps, link, total_bps
        self._started_s = time.monotonic()
        self.chunk_bytes = CHUNK_BYTES
        if rate_bps:
            self.chunk_bytes = max(256, min(CHUNK_BYTES, int(rate_bps / 8 * PACED_SECONDS)))
        if total_bps:
            self.chunk_bytes = min(self.chunk_bytes, SHARED_CHUNK_BYTES)

    @property
    def free(self) -> bool:
        """Whether nothing has to wait."""
        return not self._rate_bps and not self._total_bps

    def wait_s(self, sent_bytes: int, chunk_bytes: int) -> float:
        """How long the next chunk has to wait; it must be sent then, for its turn on the link is taken."""
        now_s = time.monotonic()
        due_s = self._started_s + (sent_bytes + chunk_bytes) * 8 / self._rate_bps if self._rate_bps else now_s
        if self._total_bps:
            due_s = max(due_s, self._link.turn_s(chunk_bytes, self._total_bps, now_s))
        return max(0.0, due_s - now_s)


async def _send_body(
    send: Send, answer: Answer, body: bytes, pace: Pace, gone: asyncio.Task[None]
) -> AsyncIterator[int]:
    """Send an answer and yield the number of body bytes handed over so far. Ends early when the client has gone."""
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": raw})
    sent = 0
    while sent < len(body) and not gone.done():
        chunk = body[sent : sent + pace.chunk_bytes]
        if not pace.free:
            await asyncio.wait([gone], timeout=pace.wait_s(sent, len(chunk)))
            if gone.done():
                return
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
        sent += len(chunk)
        yield sent
    if sent == len(body):
        await send({"type": "http.response.body", "body": b"", "more_body": False})
