"""URLs as browsers read them: the part of the WHATWG URL standard that http and https in playlists need.

`urllib.parse` follows RFC 3986 and would name segments differently (spaces, backslashes, `%2e%2e`).
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from peerpool.core.errors import Malformed

DEFAULT_PORTS: Final = {"http": 80, "https": 443}
# Longest URL taken: signed ones are 1 to 2 KiB, and servers refuse lines above 8 KiB.
URL_CHARS_MAX: Final = 8_192
PORT_MAX: Final = 65_535
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):")
# Left as they are in a path or query; the rest is percent-encoded (URL standard, percent-encode sets). `^` in a path is
# encoded by the newest browsers only, and left alone here.
_PATH_KEPT: Final = frozenset(range(0x21, 0x7F)) - set(b'"#<>?`{}')
_QUERY_KEPT: Final = frozenset(range(0x21, 0x7F)) - set(b"\"#<>'")
_DOT: Final = frozenset({".", "%2e"})
_DOT_DOT: Final = frozenset({"..", ".%2e", "%2e.", "%2e%2e"})
# What no host has: it would end it, or be read as something else.
_HOST: Final = re.compile(r"[a-z0-9._~\-]+|\[[0-9a-f:.]+\]")


class Url(NamedTuple):
    """An absolute http or https URL in its normal form, without fragment."""

    scheme: str
    hostname: str  # lower case, IPv6 in brackets
    port: int
    path: str  # begins with a slash
    query: str  # with its question mark, or empty

    @property
    def host(self) -> str:
        """Host, with the port where it is not the scheme's own."""
        return self.hostname if self.port == DEFAULT_PORTS[self.scheme] else f"{self.hostname}:{self.port}"

    @property
    def origin(self) -> str:
        """Scheme and host."""
        return f"{self.scheme}://{self.host}"

    @property
    def href(self) -> str:
        """The whole."""
        return f"{self.origin}{self.path}{self.query}"


def parse(text: str, base: Url | None = None) -> Url:
    """Return the URL that `text` is, relative to `base`. Raises Malformed for another scheme, a login or no host."""
    if len(text) > URL_CHARS_MAX:
        raise Malformed("URL too long")
    text = re.sub(r"[\t\n\r]", "", text.strip("".join(map(chr, range(0x21)))))
    text = text.partition("#")[0]
    before, mark, query = text.partition("?")
    before = before.replace("\\", "/")
    scheme = _SCHEME.match(before)
    if scheme:
        name, rest = scheme[1].lower(), before[scheme.end() :]
        if name not in DEFAULT_PORTS:
            raise Malformed(f"only http and https are followed, not {name[:20]}")
        if base is not None and name == base.scheme and not rest.startswith("//"):
            return _relative(rest, mark, query, base)
        return _absolute(name, rest.lstrip("/"), mark + query)
    if base is None:
        raise Malformed("URL without a scheme")
    if before.startswith("//"):
        return _absolute(base.scheme, before.lstrip("/"), mark + query)
    return _relative(before, mark, query, base)


def _relative(path: str, mark: str, query: str, base: Url) -> Url:
    if not path:
        return base._replace(query=_query(mark + query)) if mark else base
    joined = path if path.startswith("/") else base.path.rpartition("/")[0] + "/" + path
    return base._replace(path=_path(joined), query=_query(mark + query))


def _absolute(scheme: str, rest: str, query: str) -> Url:
    authority, slash, path = rest.partition("/")
    if "@" in authority:
        raise Malformed("URL with a login in it")
    found = re.fullmatch(r"(\[[^\]]*\]|[^:]*)(?::(\d{0,5}))?", authority)
    hostname = _hostname(found[1]) if found else ""
    port = int(found[2]) if found and found[2] else DEFAULT_PORTS[scheme]
    if not _HOST.fullmatch(hostname) or port > PORT_MAX:
        raise Malformed("URL without a host that can be asked")
    return Url(scheme, hostname, port, _path(slash + path), _query(query))


def _hostname(text: str) -> str:
    if text.isascii():
        return text.lower()
    try:
        return text.encode("idna").decode("ascii").lower()
    except UnicodeError:
        return ""


def _path(text: str) -> str:
    """Return the path without dot segments, percent-encoded."""
    segments: list[str] = []
    *folders, last = text.removeprefix("/").split("/")
    for segment in folders:
        if segment.lower() in _DOT_DOT:
            del segments[-1:]
        elif segment.lower() not in _DOT:
            segments.append(segment)
    if last.lower() in _DOT_DOT:
        del segments[-1:]
    segments.append("" if last.lower() in _DOT | _DOT_DOT else last)
    return "/" + _encoded("/".join(segments), _PATH_KEPT)


def _query(text: str) -> str:
    return "?" + _encoded(text[1:], _QUERY_KEPT) if len(text) > 1 else text


def _encoded(text: str, kept: frozenset[int]) -> str:
    data = text.encode("utf-8", "replace")
    return "".join(chr(byte) if byte in kept else f"%{byte:02X}" for byte in data)
