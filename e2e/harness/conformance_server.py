"""A server for the interceptor's conformance suite: segments, redirects, failures and echoes, with and without CORS."""

from __future__ import annotations

import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

SEGMENT_BYTES = 96 * 1024
SLOW_CHUNKS = 6
SLOW_PAUSE_S = 0.08
SEGMENTS = 160
RANGE = re.compile(r"bytes=(\d+)-(\d*)$")


def segment_bytes(path: str) -> bytes:
    """Return what a segment holds: bytes that differ with its name."""
    seed = sum(path.encode()) % 251
    return bytes((seed + index * 7) % 256 for index in range(256)) * (SEGMENT_BYTES // 256)


def playlist() -> str:
    """Name every segment, fast and slow, and the byte range that cases ask for."""
    lines = ["#EXTM3U", "#EXT-X-VERSION:6", "#EXT-X-TARGETDURATION:2"]
    for number in range(SEGMENTS):
        lines += ["#EXTINF:2,", f"fast-{number}.m4s", "#EXTINF:2,", f"slow-{number}.m4s"]
        lines += ["#EXTINF:2,", "#EXT-X-BYTERANGE:2000@1000", f"part-{number}.m4s"]
    for name in ("missing.m4s", "broken.m4s", "moved.m4s"):
        lines += ["#EXTINF:2,", name]
    return "\n".join([*lines, "#EXT-X-ENDLIST"]) + "\n"


class ConformanceServer:
    """A context manager; `pages` are HTML and scripts by path."""

    def __init__(self) -> None:
        self.pages: dict[str, tuple[str, bytes]] = {}
        pages = self.pages

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _start(self, status: int, kind: str, length: int, headers: dict[str, str] | None = None) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(length))
                if kind:
                    self.send_header("Content-Type", kind)
                self.send_header("Cache-Control", "no-store")
                if not self.path.startswith("/media/closed"):
                    self.send_header("Access-Control-Allow-Origin", self.headers.get("Origin", "*"))
                for name, value in (headers or {}).items():
                    self.send_header(name, value)
                self.end_headers()

            def _small(self, status: int, kind: str, body: bytes, headers: dict[str, str] | None = None) -> None:
                self._start(status, kind, len(body), headers)
                if self.command != "HEAD" and status not in (204, 304):
                    self.wfile.write(body)

            def _segment(self, path: str) -> None:
                body = segment_bytes(path)
                headers = {"Accept-Ranges": "bytes"}
                status = 200
                if found := RANGE.match(self.headers.get("Range", "")):
                    start, end = int(found[1]), int(found[2] or len(body) - 1) + 1
                    headers["Content-Range"] = f"bytes {start}-{end - 1}/{len(body)}"
                    status, body = 206, body[start:end]
                self._start(status, "video/mp4", len(body), headers)
                if self.command == "HEAD":
                    return
                if "/slow-" not in path:
                    self.wfile.write(body)
                    return
                size = -(-len(body) // SLOW_CHUNKS)
                for start in range(0, len(body), size):
                    self.wfile.write(body[start : start + size])
                    self.wfile.flush()
                    time.sleep(SLOW_PAUSE_S)

            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                try:
                    self._get(path)
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True

            def _get(self, path: str) -> None:
                if path in pages:
                    self._small(200, *pages[path])
                elif path.endswith(".m3u8"):
                    self._small(200, "application/vnd.apple.mpegurl", playlist().encode())
                elif path == "/media/missing.m4s":
                    self._small(404, "text/plain", b"no such thing")
                elif path == "/media/broken.m4s":
                    self._small(500, "application/json", b'{"error":"broken"}')
                elif path == "/media/moved.m4s":
                    self._small(302, "", b"", {"Location": "/media/fast-1.m4s"})
                elif path == "/media/text.txt":
                    self._small(200, "text/plain; charset=utf-8", "Grüße\n".encode())
                elif path == "/media/data.json":
                    self._small(200, "application/json", b'{"a":[1,2]}')
                elif path == "/media/doc.xml":
                    self._small(200, "application/xml", b"<a><b>c</b></a>")
                elif path == "/media/empty.m4s":
                    self._small(200, "video/mp4", b"")
                elif path == "/media/none":
                    self._small(204, "", b"")
                elif path.startswith("/media/"):
                    self._segment(path)
                else:
                    self._small(404, "text/plain", b"")

            do_HEAD = do_GET

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                kind = self.headers.get("Content-Type", "").partition(";")[0]
                self._small(
                    200,
                    "application/json",
                    f'{{"method":"{self.command}","kind":"{kind}","some":{len(body) > 0:d}}}'.encode(),
                )

            do_PUT = do_DELETE = do_POST

            def do_OPTIONS(self) -> None:
                self._small(204, "", b"", {"Access-Control-Allow-Headers": "*", "Access-Control-Allow-Methods": "*"})

            def log_message(self, format: str, *args: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: object, client_address: object) -> None:
                """Say nothing: a browser that aborts resets its connection."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
