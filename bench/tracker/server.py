"""Our tracker without the rates that would stop a load generator: `python -m bench.tracker.server PORT KIND`."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import socket
import sys
from collections.abc import AsyncIterator

from peerpool.core.limits import Limits, Rate
from peerpool.core.tracker import Tracker
from peerpool.geoip import Locator
from peerpool.randomness import TrackerRandom
from peerpool.server import make_server
from peerpool.settings import Settings
from peerpool.signalling import NATIVE, WEBTORRENT, Hub, SocketEndpoint
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute


def main() -> None:
    """Serve until killed."""
    port, kind = int(sys.argv[1]), sys.argv[2]
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    settings = Settings(port=port, direct_sockets=kind == "direct", max_connections=100_000)
    unbounded = Rate(1e15, 1.0)
    limits = Limits(
        connection_rate=unbounded,
        site_rate=unbounded,
        swarm_rate=unbounded,
        max_site_connections=1_000_000,
        max_unfinished=1_000_000,
        max_line_unfinished=1_000_000,
    )
    hub = Hub(Tracker(TrackerRandom(), limits), settings.max_connections, Locator().locate)

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        timer = asyncio.create_task(hub.run_timer())
        yield
        timer.cancel()

    routes = [
        WebSocketRoute("/signal", SocketEndpoint(hub, NATIVE)),
        WebSocketRoute("/announce", SocketEndpoint(hub, WEBTORRENT)),
    ]
    server = make_server(Starlette(routes=routes, lifespan=lifespan), settings, hub)
    server.run(sockets=[socket.create_server(("127.0.0.1", port), backlog=4096)])


if __name__ == "__main__":
    main()
