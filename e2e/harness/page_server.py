"""A site of its own with a player: pages given as text, with the headers that a test wants, over a real socket."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from e2e.harness.child import REPOSITORY

PLAYER = REPOSITORY / "node_modules" / "hls.js" / "dist" / "hls.min.js"
PAGES = Path(__file__).resolve().parents[1] / "pages"
HTML = "text/html; charset=utf-8"
SCRIPT = "text/javascript; charset=utf-8"


class File(NamedTuple):
    """What is answered at one path."""

    body: bytes
    media_type: str
    headers: Mapping[str, str] = {}


def player_page(tag: str) -> str:
    """Return a page that plays `?src=` with hls.js, with `tag` before the player's script, and nothing inline."""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>A site</title>'
        f'{tag}<script src="/hls.js"></script></head><body><button id="first">First</button>'
        f'<video muted playsinline></video><script src="/player.js"></script></body></html>'
    )


class PageServer:
    """A context manager; `files` may be changed while it runs."""

    def __init__(self) -> None:
        self.files: dict[str, File] = {
            "/hls.js": File(PLAYER.read_bytes(), SCRIPT),
            "/player.js": File((PAGES / "player.js").read_bytes(), SCRIPT),
        }
        files = self.files

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                file = files.get(self.path.partition("?")[0])
                self.send_response(200 if file else 404)
                for name, value in (file.headers if file else {}).items():
                    self.send_header(name, value)
                self.send_header("Content-Type", file.media_type if file else "text/plain")
                self.send_header("Cache-Control", "no-store")
                self.end_headers()
                self.wfile.write(file.body if file else b"")

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def put_page(self, path: str, html: str, headers: Mapping[str, str] | None = None) -> str:
        """Serve a page; return its URL."""
        self.files[path] = File(html.encode(), HTML, headers or {})
        return f"{self.url}{path}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
