"""HTTP GETs of a followed stream that cannot be led astray: `core/fetch_rules.py` carried out.

A host is resolved here, all its addresses are judged, and the connection goes to one of those that were judged: no
second resolution could lead elsewhere. Redirects are followed by hand. Size and time are bounded.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any, Final

import httpcore

from peerpool import __version__
from peerpool.core.errors import FetchFailed, FetchRefused
from peerpool.core.fetch_rules import REDIRECT_CODES, REDIRECTS_MAX, Origins
from peerpool.core.urls import Url

# To the whole of a name's addresses, and to one that answers.
CONNECT_TIMEOUT_S: Final = 5.0
# Playlists and segments of one stream at once.
CONNECTIONS_MAX: Final = 8
KEEP_ALIVE_S: Final = 15.0
# Addresses of one host that are tried.
ADDRESSES_MAX: Final = 4
OK, PARTIAL = 200, 206
_HEADERS: Final = [
    (b"User-Agent", f"media-peerpool/{__version__}".encode()),
    (b"Accept", b"*/*"),
    (b"Accept-Encoding", b"identity"),  # what is decompressed has no bound of its own
]
_CONTENT_RANGE: Final = re.compile(rb"bytes (\d{1,16})-(\d{1,16})/(?:\d{1,16}|\*)")
# Host and port -> addresses.
Resolve = Callable[[str, int], Awaitable[Iterable[str]]]


async def resolve(host: str, port: int) -> list[str]:
    """Return a host's addresses as the system knows them. Raises FetchFailed."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise FetchFailed(f"{host} cannot be resolved: {error}") from None
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class SafeFetcher:
    """GETs from the origins of one stream. Connections are kept, and shared with no other stream."""

    def __init__(self, origins: Origins, resolve: Resolve = resolve) -> None:
        self._origins = origins
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=ssl.create_default_context(),
            max_connections=CONNECTIONS_MAX,
            keepalive_expiry=KEEP_ALIVE_S,
            network_backend=_JudgedNetwork(origins, resolve),
        )

    async def close(self) -> None:
        """Close what is open."""
        await self._pool.aclose()

    async def fetch(
        self,
        url: Url,
        feed: Callable[[bytes], None],
        *,
        max_bytes: int,
        timeout_s: float,
        span: tuple[int, int] | None = None,
    ) -> Url:
        """Give the body of `url` to `feed` as it comes, and return the URL that answered in the end.

        `span` is a range of bytes, its end exclusive. Raises FetchRefused for what the rules forbid, a body above
        `max_bytes` too; FetchFailed for another answer than 200 (206 with a span), and one not over after `timeout_s`.
        """
        try:
            async with asyncio.timeout(timeout_s):
                return await self._follow(url, feed, max_bytes, span)
        except TimeoutError:
            raise FetchFailed(f"{url.origin} did not finish within {timeout_s:g} s") from None
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, OSError) as error:
            raise FetchFailed(f"{url.origin} cannot be read: {_reason(error)}") from None

    async def _follow(
        self, url: Url, feed: Callable[[bytes], None], max_bytes: int, span: tuple[int, int] | None
    ) -> Url:
        for _ in range(REDIRECTS_MAX + 1):
            self._origins.check(url)
            headers = [*_HEADERS]
            if span is not None:
                headers.append((b"Range", b"bytes=%d-%d" % (span[0], span[1] - 1)))
            async with self._pool.stream("GET", _target(url), headers=headers) as response:
                said = {name.lower(): value for name, value in response.headers}
                if response.status in REDIRECT_CODES:
                    url = self._origins.redirected(url, said.get(b"location", b"").decode("utf-8", "replace"))
                    continue
                expected_bytes = _check(url, response.status, said, max_bytes, span)
                received_bytes = 0
                async for chunk in response.aiter_stream():
                    received_bytes += len(chunk)
                    if received_bytes > max_bytes:
                        raise FetchRefused(f"{url.origin} sends more than {max_bytes} bytes")
                    feed(chunk)
                if expected_bytes is not None and received_bytes != expected_bytes:
                    raise FetchFailed(f"{url.origin} sent {received_bytes} of {expected_bytes} bytes")
                return url
        raise FetchRefused(f"{url.origin}: more than {REDIRECTS_MAX} redirects")


def _check(
    url: Url, status: int, said: Mapping[bytes, bytes], max_bytes: int, span: tuple[int, int] | None
) -> int | None:
    """Judge an answer by its head; return how many bytes its body must have, None where it need not say."""
    if status != (OK if span is None else PARTIAL):
        raise FetchFailed(f"{url.origin} answers {status}")
    if said.get(b"content-encoding", b"identity").strip().lower() not in (b"identity", b""):
        raise FetchRefused(f"{url.origin} sends compressed bytes, which were not asked for")
    with suppress(ValueError):  # what it is not, h11 has refused
        if int(said.get(b"content-length", b"0")) > max_bytes:
            raise FetchRefused(f"{url.origin} sends more than {max_bytes} bytes")
    if span is None:
        return None
    found = _CONTENT_RANGE.fullmatch(said.get(b"content-range", b"").strip())
    if found is None or (int(found[1]), int(found[2]) + 1) != span:
        raise FetchFailed(f"{url.origin} sends another range than was asked for")
    return span[1] - span[0]


def _target(url: Url) -> httpcore.URL:
    return httpcore.URL(
        scheme=url.scheme.encode(),
        host=url.hostname.strip("[]").encode(),
        port=url.port,
        target=(url.path + url.query).encode("ascii", "replace"),
    )


def _reason(error: BaseException) -> str:
    return str(error) or type(error).__name__


class _JudgedNetwork(httpcore.AsyncNetworkBackend):
    """Connects only to addresses that were judged, and to none of them by name."""

    def __init__(self, origins: Origins, resolve: Resolve) -> None:
        self._origins = origins
        self._resolve = resolve
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's name
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        addresses = self._origins.may_connect(host, port, await self._resolve(host, port))
        for number, address in enumerate(addresses[:ADDRESSES_MAX], 1):
            try:
                return await self._network.connect_tcp(address, port, CONNECT_TIMEOUT_S, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if number == min(len(addresses), ADDRESSES_MAX):
                    raise
        raise FetchRefused(f"{host} has no address")

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's name
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        raise FetchRefused("sockets of the file system are no origin")

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
