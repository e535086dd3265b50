"""Serves the browser library and the demo page's scripts: ETags, long-cached hashed names, cross-origin headers."""

from __future__ import annotations

import asyncio
import gzip
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from peerpool.bundle import BUNDLED, BundledFile, build, find_checkout, is_stale, load_manifest
from peerpool.core.errors import BundleError

log = logging.getLogger("peerpool.assets")

# In a source checkout, how often at most the sources are looked at (seconds).
CHECK_INTERVAL_S: Final = 1.0
# What outsiders are told; the log has the cause, with paths that are nobody's business.
NOT_READY: Final = "the browser bundle is missing or could not be built: see the server's log"
CACHE_STABLE: Final = "public, max-age=300"
CACHE_HASHED: Final = "public, max-age=31536000, immutable"
MEDIA_TYPES: Final = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".map": "application/json",
}
# The script is for pages of any origin, also of those that isolate themselves.
CROSS_ORIGIN: Final = {
    "Access-Control-Allow-Origin": "*",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "X-Content-Type-Options": "nosniff",
}


class Asset(NamedTuple):
    """A file held in memory; there are few and they are small."""

    body: bytes
    gzipped: bytes
    media_type: str
    etag: str
    cache_control: str


class Assets:
    """The built files, by the names they are served under. In a source checkout they follow their sources."""

    def __init__(
        self,
        out: Path = BUNDLED,
        checkout: Path | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._out = out
        self._checkout = checkout
        self._clock = clock
        self._checked_at = float("-inf")
        self._lock = asyncio.Lock()
        self._assets: dict[str, Asset] = {}
        self._logged = ""

    @classmethod
    def of_this_package(cls) -> Assets:
        """Return the assets of this installation or checkout."""
        return cls(BUNDLED, find_checkout())

    @property
    def is_ready(self) -> bool:
        """Whether there is a library to serve."""
        return "peerpool.js" in self._assets

    async def refresh(self) -> None:
        """Load the built files, and build them first when this is a checkout with newer sources."""
        async with self._lock:
            now = self._clock()
            if self._assets and self._checkout is None:
                return
            if now < self._checked_at + CHECK_INTERVAL_S:
                return
            self._checked_at = now
            try:
                await asyncio.to_thread(self._load)
            except (BundleError, OSError) as error:
                if str(error) != self._logged:
                    log.error("%s", error)
                self._logged = str(error)

    async def serve(self, request: Request) -> Response:
        """Answer a request for the file that the path names."""
        await self.refresh()
        asset = self._assets.get(request.url.path.lstrip("/"))
        if asset is None:
            if not self.is_ready:
                return PlainTextResponse(NOT_READY, 503, CROSS_ORIGIN)
            return PlainTextResponse("no such file", 404, CROSS_ORIGIN)
        is_gzipped = _takes_gzip(request.headers.get("accept-encoding", ""))
        etag = f'"{asset.etag}{"-gzip" if is_gzipped else ""}"'
        headers = CROSS_ORIGIN | {"ETag": etag, "Cache-Control": asset.cache_control, "Vary": "Accept-Encoding"}
        if _matches(request.headers.get("if-none-match"), etag):
            return Response(status_code=304, headers=headers)
        if is_gzipped:
            headers["Content-Encoding"] = "gzip"
        return Response(asset.gzipped if is_gzipped else asset.body, headers=headers, media_type=asset.media_type)

    def _load(self) -> None:
        if self._checkout is not None and is_stale(self._checkout, self._out):
            build(self._checkout, self._out)
        elif self._assets:
            return
        assets: dict[str, Asset] = {}
        for file in load_manifest(self._out).values():
            media_type = MEDIA_TYPES.get(Path(file.name).suffix)
            if media_type is not None:
                assets |= _names_of(file, (self._out / file.name).read_bytes(), media_type)
        self._assets = assets


def _names_of(file: BundledFile, body: bytes, media_type: str) -> dict[str, Asset]:
    gzipped = gzip.compress(body, mtime=0)
    return {
        file.name: Asset(body, gzipped, media_type, file.digest, CACHE_STABLE),
        file.hashed_name: Asset(body, gzipped, media_type, file.digest, CACHE_HASHED),
    }


def _takes_gzip(accept_encoding: str) -> bool:
    """Whether a client can read gzip (RFC 9110, section 12.5.3); what it likes better is not asked."""
    for part in accept_encoding.lower().split(","):
        name, _, weight = part.partition(";")
        if name.strip() == "gzip":
            return weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


def _matches(if_none_match: str | None, etag: str) -> bool:
    if if_none_match is None:
        return False
    tags = (tag.strip().removeprefix("W/") for tag in if_none_match.split(","))
    return any(tag in ("*", etag) for tag in tags)
