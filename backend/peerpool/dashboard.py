"""The dashboard: its page, its sessions, what is now (also as a stream of events) and what was.

All figures that clients claim are marked so where they are shown. Answers are bounded whatever the number of swarms.
"""

from __future__ import annotations

import asyncio
import csv
import io
import time
from collections.abc import AsyncIterator, Sequence
from typing import Final

import msgspec
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from peerpool.access import SESSION_COOKIE, Access
from peerpool.core.figures import Figures, Money, Prices, figures_of, money_of
from peerpool.core.ledger import COLUMNS, Sums, total
from peerpool.core.seats import Group
from peerpool.endpoints import NO_STORE, Endpoint, RequestRefused, answer, check_names, refusable, whole_number
from peerpool.history import ContentTotal, Point, Scope
from peerpool.pages import Pages
from peerpool.recorder import Recorder

# Name -> seconds back from now.
RANGES: Final = {
    "1h": 3_600, "6h": 21_600, "24h": 86_400, "7d": 604_800, "30d": 2_592_000, "1y": 31_536_000,
}  # fmt: skip
# A stream ends before the tracker would cut it for being long (`Limits.answer_timeout_s`); browsers come back at once.
STREAM_S: Final = 45.0
# Without news so long a stream says that it is there, and looks whether the tracker ends.
BEAT_S: Final = 2.0
STREAMS_MAX: Final = 50
EPOCH_END_S: Final = 10_000_000_000
NAME_MAX_CHARS: Final = 200
# What a chart shows of each group, by the names of Figures; bytes are those of the step.
SHARING_LINES: Final = (
    "viewers", "site_bytes", "isp_bytes", "far_bytes", "relayed_bytes", "cdn_bytes", "offload", "bound", "copies",
    "stalls_per_hour", "first_frame_ms", "slow_first_frame_ms", "joins", "failed", "connected",
)  # fmt: skip
HELD_OUT_LINES: Final = ("viewers", "cdn_bytes", "stalls_per_hour", "first_frame_ms", "slow_first_frame_ms")


class ContentThen(Struct, frozen=True):
    """One content over the range; with an empty `content` all of a site that were too many to keep."""

    site: str
    content: str
    name: str
    figures: Figures
    money: Money | None


class HistoryReport(Struct, frozen=True):
    """What was: steps of `span_s` from `since_s` to before `until_s`, as clients reported it."""

    since_s: int
    until_s: int
    span_s: int
    at_s: list[int]
    sharing: dict[str, list[float | None]]
    held_out: dict[str, list[float | None]]
    total: Figures
    held_out_total: Figures
    money: Money | None
    contents: list[ContentThen]
    events: dict[str, int]
    client_reported: bool = True


class Dashboard:
    """Endpoints of the page."""

    def __init__(self, recorder: Recorder, access: Access, pages: Pages, prices: Prices) -> None:
        self._recorder = recorder
        self._access = access
        self._pages = pages
        self._prices = prices
        self._streams = 0

    def routes(self) -> list[Route]:
        """Return where it is."""
        guarded: dict[str, Endpoint] = {
            "now": self.serve_now,
            "live": self.serve_live,
            "swarm": self.serve_swarm,
            "history": self.serve_history,
            "history.csv": self.serve_csv,
        }
        return [
            Route("/dashboard", self._pages.serve_dashboard),
            Route("/dashboard/session", refusable(self.begin), methods=["POST"]),
            Route("/dashboard/session", self.end, methods=["DELETE"]),
            *(Route(f"/dashboard/{name}", refusable(endpoint)) for name, endpoint in guarded.items()),
        ]

    async def begin(self, request: Request) -> Response:
        """Take a bearer's token, and answer with a session. Raises RequestRefused, as all of these."""
        response = Response(status_code=204, headers=NO_STORE)
        self._access.begin(request, response)
        return response

    async def end(self, _request: Request) -> Response:
        """Have the browser forget its session."""
        response = Response(status_code=204, headers=NO_STORE)
        response.delete_cookie(SESSION_COOKIE, httponly=True, samesite="strict")
        return response

    async def serve_now(self, request: Request) -> Response:
        """Answer with the overview."""
        return answer(self._recorder.overview(self._site(request)))

    async def serve_swarm(self, request: Request) -> Response:
        """Answer with who exchanges with whom in the swarm of one content at one site."""
        graph = self._recorder.graph(self._site(request) or "", request.query_params.get("content", ""))
        if graph is None:
            raise RequestRefused(404, "nobody watches it now")
        return answer(graph)

    async def serve_live(self, request: Request) -> Response:
        """Answer with the overview again and again, each as an event."""
        site = self._site(request)
        if self._streams >= STREAMS_MAX:
            raise RequestRefused(503, f"{STREAMS_MAX} pages look at this dashboard already")
        headers = {**NO_STORE, "X-Accel-Buffering": "no"}
        return StreamingResponse(self._events(site), media_type="text/event-stream", headers=headers)

    async def _events(self, site: str | None) -> AsyncIterator[bytes]:
        self._streams += 1
        ends_at = time.monotonic() + STREAM_S
        try:
            yield b"retry: 1000\n\n"
            while not self._recorder.is_ending and time.monotonic() < ends_at:
                yield b"data: " + msgspec.json.encode(self._recorder.overview(site)) + b"\n\n"
                while not self._recorder.is_ending and time.monotonic() < ends_at:
                    if await self._has_news():
                        break
                    yield b": still here\n\n"
        finally:
            self._streams -= 1

    async def _has_news(self) -> bool:
        changed = self._recorder.changed
        try:
            async with asyncio.timeout(BEAT_S), changed:
                await changed.wait()
        except TimeoutError:
            return False
        return True

    async def serve_history(self, request: Request) -> Response:
        """Answer with what was, summed for charts."""
        return answer(await asyncio.to_thread(self._report, *self._scope(request)))

    async def serve_csv(self, request: Request) -> Response:
        """Answer with the sums themselves, a row for each step and group."""
        text = await asyncio.to_thread(self._csv, *self._scope(request))
        headers = {**NO_STORE, "Content-Disposition": 'attachment; filename="peerpool-history.csv"'}
        return Response(text, media_type="text/csv; charset=utf-8", headers=headers)

    def _site(self, request: Request) -> str | None:
        """Return the site to show: the grant's own, or the one that is asked for. Raises RequestRefused."""
        grant = self._access.grant(request)
        asked = request.query_params.get("site") or None
        if grant.site is not None and asked not in (None, grant.site):
            raise RequestRefused(403, "this site is not yours")
        if asked is not None and len(asked) > NAME_MAX_CHARS:
            raise RequestRefused(400, "`site` is a site's id")
        return grant.site or asked

    def _scope(self, request: Request) -> tuple[Scope, int]:
        """Return what is asked for, and what time it is. Raises RequestRefused."""
        site = self._site(request)
        check_names(request, ("range", "since", "until", "site", "content"))
        query = request.query_params
        content = query.get("content")
        if content is not None and len(content) > NAME_MAX_CHARS:
            raise RequestRefused(400, "`content` is a content id")
        now_s = int(time.time())
        since_s, until_s = (whole_number(request, name, EPOCH_END_S) for name in ("since", "until"))
        if since_s is None and until_s is None:
            length_s = RANGES.get(query.get("range", "6h"))
            if length_s is None:
                raise RequestRefused(400, f"`range` is one of {', '.join(RANGES)}, or there are `since` and `until`")
            since_s, until_s = now_s - length_s, now_s + 1
        if since_s is None or until_s is None or since_s >= until_s:
            raise RequestRefused(400, "`since` and `until` are there both, and `since` is before `until`")
        return Scope(since_s, until_s, site, content), now_s

    def _report(self, scope: Scope, now_s: int) -> HistoryReport:
        history = self._recorder.history
        span_s = scope.span_s(now_s)
        points = history.series(scope, now_s)
        rows = [row for row in history.contents(scope, now_s) if row.group is Group.SHARING]
        elapsed_s = _elapsed_s(points, span_s, now_s)
        steps = sorted({point.at_s for point in points})
        groups = {group: {point.at_s: point.sums for point in points if point.group is group} for group in Group}
        sharing = total(groups[Group.SHARING].values())
        return HistoryReport(
            scope.since_s,
            scope.until_s,
            span_s,
            steps,
            _lines(groups[Group.SHARING], steps, span_s, SHARING_LINES),
            _lines(groups[Group.HOLDOUT], steps, span_s, HELD_OUT_LINES),
            figures_of(sharing, elapsed_s),
            figures_of(total(groups[Group.HOLDOUT].values()), elapsed_s),
            money_of(sharing, elapsed_s, self._prices),
            [self._content(row, elapsed_s) for row in rows],
            history.events(scope, now_s),
        )

    def _content(self, row: ContentTotal, elapsed_s: float) -> ContentThen:
        figures = figures_of(row.sums, elapsed_s)
        return ContentThen(row.site, row.content, row.name, figures, money_of(row.sums, elapsed_s, self._prices))

    def _csv(self, scope: Scope, now_s: int) -> str:
        span_s = scope.span_s(now_s)
        text = io.StringIO()
        rows = csv.writer(text)
        rows.writerow(["at_s", "span_s", "group", *COLUMNS])
        for point in self._recorder.history.series(scope, now_s):
            counts = [getattr(point.sums, name) for name in COLUMNS]
            rows.writerow([point.at_s, span_s, point.group.value, *counts])
        return text.getvalue()


def _lines(
    by_step: dict[int, Sums], steps: Sequence[int], span_s: int, names: Sequence[str]
) -> dict[str, list[float | None]]:
    found: dict[str, list[float | None]] = {name: [] for name in names}
    for at_s in steps:
        figures = figures_of(by_step.get(at_s, Sums()), span_s)
        for name, line in found.items():
            value: float | None = getattr(figures, name)
            line.append(None if value is None else round(value, 4))
    return found


def _elapsed_s(points: Sequence[Point], span_s: int, now_s: int) -> float:
    """Return how long it is that anything is known of."""
    if not points:
        return 0.0
    return float(max(1, min(points[-1].at_s + span_s, now_s) - points[0].at_s))
