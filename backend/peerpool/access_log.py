"""Access logs of CDNs and origins, a line at a time: when which path was sent, and how many bytes of it.

Known are the Common and Combined Log Format (NCSA; nginx, Apache, Varnish), the W3C Extended Log File Format
(https://www.w3.org/TR/WD-logfile; CloudFront, Akamai, IIS), whose `#Fields` line says what is where, and JSON lines
(Cloudflare Logpush, Fastly, Caddy, nginx) by the names that those use.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple
from urllib.parse import unquote, urlsplit

import msgspec

# Longer ones are no log's.
LINE_MAX_CHARS: Final = 64 * 1024
# Segments and files of media; manifests come of the CDN whoever shares.
MEDIA_SUFFIXES: Final = (
    ".m4s", ".mp4", ".m4v", ".m4a", ".m4i", ".ts", ".aac", ".ac3", ".mp3", ".cmfv", ".cmfa", ".cmft", ".cmfm", ".init",
    ".webm", ".vtt", ".webvtt", ".mov", ".mkv",
)  # fmt: skip

_COMMON: Final = re.compile(
    r'^\S+ \S+ .*?\[(?P<time>[^\]]{20,32})\] "(?P<method>[A-Z]+) (?P<path>\S+)[^"]*" (?P<status>\d{3}) (?P<bytes>\d+|-)'
)
_COMMON_TIME: Final = "%d/%b/%Y:%H:%M:%S %z"
_PATHS: Final = ("cs-uri-stem", "cs-uri", "x-uri", "cs(uri)")
_SIZES: Final = ("sc-bytes", "bytes", "x-sent-bytes")
# What loggers of JSON call things, most telling first; bytes of the body before those with headers.
_JSON_PATHS: Final = ("ClientRequestURI", "ClientRequestPath", "uri", "url", "path", "request_uri", "request")
_JSON_SIZES: Final = (
    "EdgeResponseBodyBytes", "body_bytes_sent", "resp_body_size", "response_body_size", "EdgeResponseBytes", "size",
    "bytes_sent", "bytes",
)  # fmt: skip
_JSON_STATUSES: Final = ("EdgeResponseStatus", "status", "response_status", "resp_status")
_JSON_TIMES: Final = ("EdgeStartTimestamp", "EdgeEndTimestamp", "timestamp", "time", "ts", "time_iso8601", "msec")
# Epochs in nanoseconds, microseconds and milliseconds are far in the future as seconds.
_EPOCH_SCALES: Final = ((1e17, 1e9), (1e14, 1e6), (1e11, 1e3))


class Sent(NamedTuple):
    """One answer: when it was logged (of the epoch), its path without query, status and bytes."""

    at_s: float
    path: str
    status: int
    sent_bytes: int

    @property
    def is_media(self) -> bool:
        """Whether it is of a segment or file that viewers share, and was sent."""
        return self.status in (200, 206) and self.path.lower().endswith(MEDIA_SUFFIXES)


class LogReader:
    """Reads one log, whose format is recognised by each line."""

    def __init__(self) -> None:
        self._fields: list[str] = []
        self.unread = 0  # lines that are none of any format

    def read(self, line: str) -> Sent | None:
        """Return what a line says; None of comments, empty lines and what cannot be read, which is counted."""
        line = line.strip()
        if not line:
            return None
        if line.startswith("#"):
            if line.lower().startswith("#fields:"):
                self._fields = line.partition(":")[2].lower().split()
            return None
        found = self._sent(line) if len(line) <= LINE_MAX_CHARS else None
        self.unread += found is None
        return found

    def _sent(self, line: str) -> Sent | None:
        try:
            if line.startswith("{"):
                return _of_json(msgspec.json.decode(line))
            return self._of_fields(line) if self._fields else _of_common(line)
        except (ValueError, TypeError, OverflowError, msgspec.MsgspecError):
            return None

    def _of_fields(self, line: str) -> Sent | None:
        values = line.split("\t") if "\t" in line else line.split()
        if len(values) != len(self._fields):
            return None
        said = dict(zip(self._fields, values, strict=True))
        path, size = _first(said, _PATHS), _first(said, _SIZES)
        if path is None or size is None or "sc-status" not in said:
            return None
        return Sent(_w3c_time(said), _path(path), int(said["sc-status"]), _count(size))


def _of_common(line: str) -> Sent | None:
    found = _COMMON.match(line)
    if found is None:
        return None
    at_s = datetime.strptime(found["time"], _COMMON_TIME).timestamp()
    return Sent(at_s, _path(found["path"]), int(found["status"]), _count(found["bytes"]))


def _of_json(said: Any) -> Sent | None:
    if not isinstance(said, dict):
        return None
    path, size = _first(said, _JSON_PATHS), _first(said, _JSON_SIZES)
    status, at = _first(said, _JSON_STATUSES), _first(said, _JSON_TIMES)
    if isinstance(path, dict):  # Caddy's request
        path = path.get("uri")
    if isinstance(path, str) and " " in path:  # nginx's $request: method, path, protocol
        path = path.split(" ")[1]
    if not isinstance(path, str) or size is None or status is None or at is None:
        return None
    return Sent(_time(at), _path(path), int(status), _count(size))


def _w3c_time(said: Mapping[str, str]) -> float:
    if "date" in said and "time" in said:
        return datetime.fromisoformat(f"{said['date']}T{said['time']}+00:00").timestamp()
    return _time(said.get("timestamp", said.get("time", "")))


def _time(value: object) -> float:
    """Return the epoch's second of a number in any unit, or of a date as RFC 3339 has it. Raises ValueError."""
    if isinstance(value, str) and not value.replace(".", "", 1).isdigit():
        moment = datetime.fromisoformat(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    number = float(value)  # type: ignore[arg-type]
    for bound, scale in _EPOCH_SCALES:
        if number >= bound:
            return number / scale
    return number


def _count(value: object) -> int:
    count = 0 if value == "-" else int(value)  # type: ignore[call-overload]
    if count < 0:
        raise ValueError("a size below nothing")
    return int(count)


def _path(text: str) -> str:
    return unquote(urlsplit(text).path)


def _first(said: Mapping[str, Any], names: Sequence[str]) -> Any:
    return next((said[name] for name in names if name in said), None)
