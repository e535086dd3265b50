"""A CDN-like origin: media on one port, its control API on another, so that the media port can refuse connections.

`python -m e2e.harness.origin --port 8001 --control-port 8002 --mount live=FOLDER --mount vod=FOLDER`

| control request | meaning |
|---|---|
| `GET /control/log?since=N` | entries after number N, as `ledger.Entry` objects |
| `GET /control/digests` | path -> SHA-256 of the whole file, as it was when first served |
| `GET /control/rules` | the rules in force |
| `POST /control/rules` | replaces the given fields of `origin_rules.Rules` |
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import dataclasses
import signal
from collections.abc import Mapping
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from e2e.harness.origin_files import FileServer, Log
from e2e.harness.origin_rules import BadRules


class _Server(uvicorn.Server):
    """A uvicorn server among others: signals belong to the process, not to it."""

    @contextlib.contextmanager
    def capture_signals(self):  # type: ignore[no-untyped-def]
        """Leave the signals alone."""
        yield


class MediaPort:
    """The listening media port; closed while connections are to be refused."""

    def __init__(self, app: ASGIApp, host: str, port: int) -> None:
        self._app, self._host, self._port = app, host, port
        self._server: uvicorn.Server | None = None
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Listen; does nothing when it does already."""
        if self._task is None:
            self._server = _server(self._app, self._host, self._port)
            self._task = asyncio.create_task(self._server.serve())
            await _started(self._server, self._task)

    async def close(self) -> None:
        """Break off every connection and refuse new ones."""
        if self._task is not None and self._server is not None:
            self._server.should_exit = self._server.force_exit = True
            for connection in list(self._server.server_state.connections):
                transport = getattr(connection, "transport", None)
                if transport is not None:
                    transport.abort()
            await self._task
            self._task = None


def _server(app: ASGIApp, host: str, port: int) -> uvicorn.Server:
    config = uvicorn.Config(
        app, host=host, port=port, http="h11", ws="none", lifespan="off", log_level="warning", access_log=False
    )
    return _Server(config)


async def _started(server: uvicorn.Server, task: asyncio.Task[None]) -> None:
    while not server.started:
        if task.done():
            task.result()
            raise RuntimeError("the origin could not listen")
        await asyncio.sleep(0.01)


def control_app(files: FileServer, media: MediaPort) -> Starlette:
    """Make the control API; see the table above."""

    async def log(request: Request) -> Response:
        since = int(request.query_params.get("since", "0"))
        return JSONResponse([dataclasses.asdict(entry) for entry in files.log.entries[since:]])

    async def digests(_: Request) -> Response:
        return JSONResponse(files.log.digests)

    async def rules(request: Request) -> Response:
        if request.method == "POST":
            try:
                files.rules = files.rules.changed(await request.json())
            except (BadRules, ValueError) as error:
                return PlainTextResponse(str(error), 400)
            await (media.close() if files.rules.outage == "refuse" else media.open())
        return JSONResponse(dataclasses.asdict(files.rules))

    return Starlette(
        routes=[
            Route("/control/log", log),
            Route("/control/digests", digests),
            Route("/control/rules", rules, methods=["GET", "POST"]),
        ]
    )


async def serve(mounts: Mapping[str, Path], host: str, port: int, control_port: int, log_path: Path | None) -> None:
    """Serve both ports until SIGTERM or SIGINT."""
    log = Log(log_path)
    files = FileServer(mounts, log)
    media = MediaPort(files, host, port)
    await media.open()
    control = _server(control_app(files, media), "127.0.0.1", control_port)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, lambda: setattr(control, "should_exit", True))
    await control.serve()
    await media.close()
    log.close()


def main() -> None:
    """Entry point of the origin process."""
    parser = argparse.ArgumentParser(description="CDN-like origin of the test bed")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--control-port", type=int, required=True)
    parser.add_argument("--mount", action="append", default=[], metavar="NAME=FOLDER", help="serve FOLDER as /NAME")
    parser.add_argument("--log", type=Path, help="append every response to this file, as JSON lines")
    options = parser.parse_args()
    mounts = {name: Path(folder) for name, _, folder in (mount.partition("=") for mount in options.mount)}
    asyncio.run(serve(mounts, options.host, options.port, options.control_port, options.log))


if __name__ == "__main__":
    main()
