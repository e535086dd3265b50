"""HTML pages: demo and dashboard. Jinja2 escapes everything, scripts are files, and headers say so to the browser."""

from __future__ import annotations

from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import jinja2
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from peerpool import __version__
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
        "font-src data:",  # video.js has its icons in its style sheet
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'self'",
    )
)
# The dashboard shows what this server says, by scripts and styles of this server.
DASHBOARD_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self' data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
    )
)
# What a player has no use for. Camera and microphone are asked for by nobody either, and cannot be had without asking.
PERMISSIONS_POLICY: Final = ", ".join(
    f"{feature}=()"
    for feature in ("bluetooth", "display-capture", "geolocation", "hid", "midi", "payment", "serial", "usb")
)
# Name -> how it is called, what it plays, and its script.
PLAYERS: Final = {
    "hls": ("hls.js", "HLS", "hls.min.js"),
    "shaka": ("Shaka Player", "HLS, DASH", "shaka.js"),
    "dash": ("dash.js", "DASH", "dash.js"),
    "videojs": ("video.js", "HLS, DASH", "video.js"),
    "video": ("the browser alone", "MP4, by the service worker", ""),
}
# Longer ones are nobody's stream or name.
SRC_MAX_CHARS: Final = 4096
NAME_MAX_CHARS: Final = 100
SECURITY_HEADERS: Final = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": PERMISSIONS_POLICY,
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
        asked = query.get("src") or ""
        src = _web_url(asked or self._settings.demo_src)
        chosen = query.get("player") or ""
        html = self._env.get_template("demo.html").render(
            src=src,
            is_refused=bool(asked and not src),
            chosen=chosen if chosen in PLAYERS else "",
            player=chosen if chosen in PLAYERS else _player_of(src),
            players=PLAYERS,
            name=query.get("name", "")[:NAME_MAX_CHARS],
            has_script=query.get("script") != "off",
            streams=self._settings.demo_streams,
        )
        return HTMLResponse(html, headers=SECURITY_HEADERS)

    async def serve_dashboard(self, _request: Request) -> Response:
        """Answer /dashboard, to anybody: what is on it is asked for by the session of who looks at it."""
        html = self._env.get_template("dashboard.html").render(version=__version__)
        headers = {**SECURITY_HEADERS, "Content-Security-Policy": DASHBOARD_POLICY, "X-Frame-Options": "DENY"}
        return HTMLResponse(html, headers=headers)

    async def redirect_home(self, _request: Request) -> Response:
        """Answer / with the way to the demo."""
        return RedirectResponse("/demo", 307)


def _web_url(src: str) -> str:
    """Return the URL of a stream; empty for what is no http(s) URL, or none of a reasonable length."""
    try:
        parts = urlsplit(src)
    except ValueError:
        return ""
    is_web = parts.scheme in ("http", "https") and parts.netloc != "" and src.isprintable()
    return src if is_web and len(src) <= SRC_MAX_CHARS else ""


def _player_of(src: str) -> str:
    """Return the player for a stream whose viewer has chosen none: by how its path ends."""
    path = urlsplit(src).path.lower()
    if path.endswith(".mpd"):
        return "dash"
    return "video" if path.endswith((".mp4", ".m4v", ".mov", ".webm")) else "hls"


def _template_folder() -> Path:
    checkout = find_checkout()
    return checkout / "templates" if checkout is not None else Path(__file__).parent / "templates"
