"""HTML pages: the demo. Jinja2 escapes everything, scripts are files, and the headers say so to the browser."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import jinja2
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from peerpool.bundle import find_checkout
from peerpool.settings import Settings

# A demo plays streams of any host, so it may connect anywhere; it runs scripts of this server only. hls.js makes its
# worker and its media source from blobs.
CONTENT_SECURITY_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self' 'unsafe-inline'",
        "connect-src *",
        "media-src * blob:",
        "worker-src 'self' blob:",
        "img-src 'self' data:",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'self'",
    )
)
SECURITY_HEADERS: Final = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class Pages:
    """Renders templates with the settings they need."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._env = jinja2.Environment(
            loader=jinja2.FileSystemLoader(_template_folder()), autoescape=True, undefined=jinja2.StrictUndefined
        )

    async def serve_demo(self, request: Request) -> Response:
        """Answer /demo. `script=off` leaves the library out, to compare with plain playback."""
        query = request.query_params
        html = self._env.get_template("demo.html").render(
            src=query.get("src") or self._settings.demo_src,
            name=query.get("name", ""),
            has_script=query.get("script") != "off",
            streams=self._settings.demo_streams,
        )
        return HTMLResponse(html, headers=SECURITY_HEADERS)

    async def redirect_home(self, _request: Request) -> Response:
        """Answer / with the way to the demo."""
        return RedirectResponse("/demo", 307)


def _template_folder() -> Path:
    checkout = find_checkout()
    return checkout / "templates" if checkout is not None else Path(__file__).parent / "templates"
