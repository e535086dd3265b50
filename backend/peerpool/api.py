"""The operator's API: who is in which swarm, where, and who has what. For bearers of the admin token only.

`/api/openapi.json` describes it; the schemas in it are made from the structs that are sent.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from peerpool import __version__
from peerpool.access import Access
from peerpool.core import inspection
from peerpool.core.swarm import Swarm
from peerpool.core.tracker import Tracker
from peerpool.endpoints import Endpoint, RequestRefused, answer, check_names, refusable, whole_number

ROWS_DEFAULT: Final = 50
SEGMENT_NUMBER_END: Final = 2**53
_REF: Final = "#/components/schemas/{name}"
_TEXT: Final = {"type": "string", "minLength": 1}
_LIMIT: Final = {"type": "integer", "minimum": 0, "maximum": inspection.ROWS_MAX}
_SEGMENT: Final = {"type": "integer", "minimum": 0, "maximum": SEGMENT_NUMBER_END - 1}


class Asker(msgspec.Struct, frozen=True):
    """Who asks, as the tracker sees it: address and scheme, and the tracker's time (seconds of the epoch)."""

    address: str
    scheme: str
    at_s: float


class Api:
    """The endpoints below /api."""

    def __init__(self, tracker: Tracker, access: Access) -> None:
        self._tracker = tracker
        self._access = access
        self._described = openapi()

    def routes(self) -> list[Route]:
        """Return the routes, each behind the token."""
        endpoints: dict[str, Callable[[Request], msgspec.Struct]] = {
            "/api/self": self.self,
            "/api/sites": self.sites,
            "/api/swarms": self.swarms,
            "/api/swarms/{id}": self.swarm,
            "/api/swarms/{id}/holders": self.holders,
            "/api/peers/{id}": self.peer,
        }
        guarded = []
        for path, endpoint in endpoints.items():
            parameters = self._described["paths"][path]["get"]["parameters"]
            known = {parameter["name"] for parameter in parameters if parameter["in"] == "query"}
            guarded.append(Route(path, self._guarded(endpoint, known)))
        return [Route("/api/openapi.json", self.describe), *guarded]

    def self(self, request: Request) -> Asker:
        """Answer with what the tracker takes the asker to be: what proxies say of it, if they are believed."""
        return Asker(request.client.host if request.client else "", request.scope["scheme"], time.time())

    def sites(self, _request: Request) -> inspection.SiteList:
        """Answer with the customers' sites."""
        return inspection.list_sites(self._tracker.gate)

    def swarms(self, request: Request) -> inspection.SwarmList:
        """Answer with the largest swarms."""
        return inspection.list_swarms(self._tracker.swarms, _limit(request))

    def swarm(self, request: Request) -> inspection.SwarmReport:
        """Answer with one swarm."""
        return inspection.report_swarm(self._find_swarm(request))

    def holders(self, request: Request) -> inspection.HolderList:
        """Answer with who has a segment."""
        swarm = self._find_swarm(request)
        track = request.query_params.get("track", "")
        number = whole_number(request, "segment", SEGMENT_NUMBER_END)
        if not track or number is None:
            raise RequestRefused(400, "`track` and `segment` say which segment")
        near_id = request.query_params.get("near")
        near = next(iter(inspection.find_peers([swarm], near_id)), None) if near_id else None
        if near_id and near is None:
            raise RequestRefused(404, "`near` is no member of this swarm")
        return inspection.find_holders(swarm, track, number, near, _limit(request))

    def peer(self, request: Request) -> inspection.PeerReport:
        """Answer with one member; of a torrent client's memberships with the first."""
        found = inspection.find_peers(self._tracker.swarms, request.path_params["id"])
        if not found:
            raise RequestRefused(404, "no member has this id")
        return inspection.report_peer(found[0])

    async def describe(self, _request: Request) -> Response:
        """Answer with the OpenAPI document, to anybody: it says nothing of anybody."""
        return JSONResponse(self._described)

    def _find_swarm(self, request: Request) -> Swarm:
        swarm = inspection.find_swarm(self._tracker.swarms, request.path_params["id"])
        if swarm is None:
            raise RequestRefused(404, "there is no such swarm")
        return swarm

    def _guarded(self, endpoint: Callable[[Request], msgspec.Struct], known: set[str]) -> Endpoint:
        async def serve(request: Request) -> Response:
            self._access.grant_everything(request)
            check_names(request, known)
            return answer(endpoint(request))

        return refusable(serve)


def _limit(request: Request) -> int:
    number = whole_number(request, "limit", inspection.ROWS_MAX + 1)
    return ROWS_DEFAULT if number is None else number


def openapi() -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of the API."""
    answers: dict[str, tuple[str, type[msgspec.Struct], list[dict[str, Any]]]] = {
        "/api/self": ("Who asks, as the tracker sees it", Asker, []),
        "/api/sites": ("The customers' sites", inspection.SiteList, []),
        "/api/swarms": ("The largest swarms", inspection.SwarmList, [_query("limit", _LIMIT)]),
        "/api/swarms/{id}": ("One swarm", inspection.SwarmReport, [_path()]),
        "/api/swarms/{id}/holders": (
            "Who reported to hold a segment",
            inspection.HolderList,
            [
                _path(),
                _query("track", _TEXT, required=True),
                _query("segment", _SEGMENT, required=True),
                _query("near", _TEXT),
                _query("limit", _LIMIT),
            ],
        ),
        "/api/peers/{id}": ("One member", inspection.PeerReport, [_path()]),
    }
    structs = [struct for _, struct, _ in answers.values()]
    _, schemas = msgspec.json.schema_components(structs, ref_template=_REF)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Media PeerPool tracker", "version": __version__},
        "components": {
            "schemas": schemas,
            "securitySchemes": {"admin": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"admin": []}],
        "paths": {path: {"get": _operation(*answer)} for path, answer in answers.items()},
    }


def _operation(summary: str, struct: type[msgspec.Struct], parameters: list[dict[str, Any]]) -> dict[str, Any]:
    schema = {"$ref": _REF.format(name=struct.__name__)}
    refusals = {"400": "A parameter is wrong", "401": "No token", "403": "The API is off", "404": "Not there"}
    return {
        "summary": summary,
        "parameters": parameters,
        "responses": {
            "200": {"description": summary, "content": {"application/json": {"schema": schema}}},
            **{status: {"description": text} for status, text in refusals.items()},
        },
    }


def _query(name: str, schema: dict[str, Any], *, required: bool = False) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": required, "schema": schema}


def _path() -> dict[str, Any]:
    return {"name": "id", "in": "path", "required": True, "schema": _TEXT}
