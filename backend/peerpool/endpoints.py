"""What endpoints of the API and of the dashboard have in common: questions checked, answers made, refusals told."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

UNAUTHORIZED: Final = 401
NO_STORE: Final = {"Cache-Control": "no-store"}

Endpoint = Callable[[Request], Awaitable[Response]]


class RequestRefused(Exception):
    """A request that cannot be answered; `status` and text say why."""

    def __init__(self, status: int, text: str) -> None:
        self.status = status
        super().__init__(text)

    @property
    def headers(self) -> dict[str, str] | None:
        """Those that its status needs."""
        return {"WWW-Authenticate": "Bearer"} if self.status == UNAUTHORIZED else None


def refusable(endpoint: Endpoint) -> Endpoint:
    """Return an endpoint that answers as `endpoint` does, and with the reason where that raises RequestRefused."""

    async def serve(request: Request) -> Response:
        try:
            return await endpoint(request)
        except RequestRefused as refused:
            return JSONResponse({"error": str(refused)}, refused.status, NO_STORE | (refused.headers or {}))

    return serve


def answer(struct: msgspec.Struct) -> Response:
    """Return a struct as JSON, for nobody to keep."""
    return Response(msgspec.json.encode(struct), media_type="application/json", headers=NO_STORE)


def check_names(request: Request, known: Collection[str]) -> None:
    """Refuse parameters nobody reads: a slip of the pen is not to be taken for an answer. Raises RequestRefused."""
    unknown = sorted(request.query_params.keys() - known)
    if unknown:
        there_are = ", ".join(sorted(known)) or "none"
        raise RequestRefused(400, f"unknown parameter `{unknown[0][:80]}` (known: {there_are})")
    twice = [name for name in known if len(request.query_params.getlist(name)) > 1]
    if twice:
        raise RequestRefused(400, f"`{twice[0]}` is there twice")


def whole_number(request: Request, name: str, end: int) -> int | None:
    """Return a parameter that is from 0 to below `end`; None where it is not there. Raises RequestRefused."""
    text = request.query_params.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(end)) and int(text) < end):
        raise RequestRefused(400, f"`{name}` is a number from 0 to {end - 1}")
    return int(text)
