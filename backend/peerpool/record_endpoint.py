"""GET /digests/{content}/{track}/{kind}/{discontinuity}/{number}: signed records of followed streams."""

from __future__ import annotations

import re
from typing import Final

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from peerpool.assets import CROSS_ORIGIN
from peerpool.core.addresses import networks_of, parse_address
from peerpool.core.constants import CONTENT_ID_HEX_CHARS, TRACK_ID_HEX_CHARS
from peerpool.core.digests import NUMBER_MAX, SegmentName
from peerpool.core.watch import State
from peerpool.watcher import Crowded, Watcher

# Below it clients ask, on the tracker's own origin.
DIGESTS_PATH: Final = "/digests"
# A segment's record stays, but an encoder that begins to count again without saying so gives its name to another.
CACHE: Final = {"Cache-Control": "public, max-age=60"}
NO_CACHE: Final = {"Cache-Control": "no-store"}
RETRY_AFTER_S: Final = 1
_CONTENT: Final = re.compile(rf"[0-9a-f]{{{CONTENT_ID_HEX_CHARS}}}")
_TRACK: Final = re.compile(rf"[0-9a-f]{{{TRACK_ID_HEX_CHARS}}}")
_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,15}")
_KINDS: Final = frozenset({"0", "1"})


class RecordEndpoint:
    """Answers for a watcher."""

    def __init__(self, watcher: Watcher) -> None:
        self._watcher = watcher

    def routes(self) -> list[Route]:
        """Return where it answers."""
        return [Route(DIGESTS_PATH + "/{content}/{track}/{kind}/{discontinuity}/{number}", self.serve)]

    async def serve(self, request: Request) -> Response:
        """Answer with the record's bytes; 404 where there is none, 503 where it is not there yet."""
        name = _name(request.path_params)
        if name is None:
            return PlainTextResponse("no segment has such a name", 404, CROSS_ORIGIN | NO_CACHE)
        try:
            answer = await self._watcher.record(request.path_params["content"], name, _line(request))
        except Crowded:
            return _later("too many wait for records")
        if answer is State.MISSING:
            return PlainTextResponse("no record of this segment", 404, CROSS_ORIGIN | NO_CACHE)
        if isinstance(answer, State):
            return _later("not there yet")
        return Response(answer, headers=CROSS_ORIGIN | CACHE, media_type="application/octet-stream")


def _later(text: str) -> Response:
    return PlainTextResponse(text, 503, CROSS_ORIGIN | NO_CACHE | {"Retry-After": str(RETRY_AFTER_S)})


def _name(said: dict[str, str]) -> SegmentName | None:
    numbers = [said["discontinuity"], said["number"]]
    if not _CONTENT.fullmatch(said["content"]) or not _TRACK.fullmatch(said["track"]) or said["kind"] not in _KINDS:
        return None
    if not all(_NUMBER.fullmatch(text) and int(text) <= NUMBER_MAX for text in numbers):
        return None
    return SegmentName(said["track"], int(said["kind"]), *map(int, numbers))


def _line(request: Request) -> str:
    address = parse_address(request.client.host) if request.client else None
    return networks_of(address).site if address else ""
