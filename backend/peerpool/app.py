"""Composition root: one ASGI application out of tracker, sockets, pages and metrics.

`uvicorn peerpool.app:app` serves it with stock protocols; `peerpool serve` adds what `server.py` knows.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute

from peerpool.access import Access
from peerpool.api import Api
from peerpool.assets import NOT_READY, Assets
from peerpool.auth import verify
from peerpool.core.admission import Gate
from peerpool.core.errors import ConfigError
from peerpool.core.ice import Ice, url_host
from peerpool.core.limits import Limits
from peerpool.core.messages import Integrity
from peerpool.core.sites import Site
from peerpool.core.tracker import Tracker
from peerpool.dashboard import Dashboard
from peerpool.geoip import Locator
from peerpool.histories import open_history
from peerpool.keys import SigningKey, new_key, read_keys
from peerpool.metrics import Metrics
from peerpool.pages import Pages
from peerpool.randomness import TrackerRandom
from peerpool.record_endpoint import DIGESTS_PATH, RecordEndpoint
from peerpool.recorder import Recorder
from peerpool.settings import Settings, load_settings
from peerpool.signalling import NATIVE, WEBTORRENT, Hub, SocketEndpoint
from peerpool.sites_file import read_sites
from peerpool.stun import StunServer
from peerpool.turn import Turn
from peerpool.watched_file import WatchedFile
from peerpool.watcher import Watcher

if TYPE_CHECKING:
    from peerpool.bus import Bus

log = logging.getLogger("peerpool.app")

# How soon a new database or map is in force (seconds); looking costs a system call a file.
LOCATOR_REFRESH_S = 10.0
ASSET_PATHS = (
    "/{name}.js",
    "/{name}.js.map",
    "/pages/{name}.js",
    "/pages/{name}.css",
)
MB: Final = 1_000_000


def create_app(settings: Settings | None = None) -> Starlette:
    """Return the application. Raises ConfigError, KeyFileError.

    `app.state.hub` is its hub, for the server that drains it; `app.state.stun` its STUN server or None, for who wants
    to know at once whether its ports are free; `app.state.history` what the dashboard's figures are kept in.
    """
    settings = settings or load_settings()
    limits = Limits(cluster_min=settings.cluster_min, max_site_connections=settings.max_connections_per_address)
    sites = WatchedFile(Path(settings.sites), read_sites) if settings.sites else None
    gate = Gate(verify, sites.content, admits_torrents=settings.open_torrents, limits=limits) if sites else None
    if gate is None:
        log.warning("the tracker is open: anybody may join any swarm; name your sites for production (docs/sites.md)")
    signing_keys = read_keys(settings.digest_keys)
    keys = [key.public_hex for key in signing_keys]
    watcher = _watcher(settings, signing_keys)

    def integrity_of(content: str, site: str) -> Integrity | None:
        if watcher is not None and content in watcher:
            return Integrity("signed", watcher.keys, DIGESTS_PATH)
        # Sites say it in their file. Who gives an open tracker keys has signed what is watched through it.
        return Integrity("signed", keys) if keys and not site else None

    turn = Turn(settings)
    ice = Ice(settings.ice_servers, _public_hosts(settings), turn.plan)
    stun = _stun(settings)
    tracker = Tracker(
        TrackerRandom(),
        limits,
        ice=ice,
        gate=gate,
        integrity_of=integrity_of,
        integrity_keys=keys,
    )
    locator = Locator(settings.geoip_databases, settings.site_map)
    hub = Hub(tracker, settings.max_connections, locator.locate)
    bus = _bus(hub, settings.redis_url)
    assets = Assets.of_this_package()
    pages = Pages(settings)
    metrics = Metrics(hub, bus, watcher, stun)
    access = Access(settings.admin_token, gate)
    recorder = Recorder(hub, open_history(settings.history, settings.history_max_mb * MB))

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        await assets.refresh()
        if stun is not None:
            await stun.start()
            ice.stun_ports, ice.is_local = stun.bind(), stun.is_local
        tasks = [asyncio.create_task(hub.run_timer()), asyncio.create_task(_refresh(locator, tracker, sites, turn))]
        tasks.append(asyncio.create_task(recorder.run()))
        if bus is not None:
            tasks.append(asyncio.create_task(bus.run()))
        if watcher is not None:
            tasks.append(asyncio.create_task(watcher.run()))
        try:
            yield
        finally:
            hub.drain()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if stun is not None:
                stun.close()

    async def serve_readiness(_request: Request) -> Response:
        problem = "draining" if tracker.is_draining else "" if assets.is_ready else NOT_READY
        return JSONResponse({"ready": not problem, "problem": problem}, 503 if problem else 200)

    app = Starlette(
        routes=[
            WebSocketRoute("/signal", SocketEndpoint(hub, NATIVE)),
            WebSocketRoute("/announce", SocketEndpoint(hub, WEBTORRENT)),
            Route("/", pages.redirect_home),
            Route("/demo", pages.serve_demo),
            Route("/healthz", _serve_health),
            Route("/readyz", serve_readiness),
            Route("/metrics", metrics.serve_prometheus),
            Route("/stats", metrics.serve_stats),
            *Api(tracker, access).routes(),
            *Dashboard(recorder, access, pages, settings.prices).routes(),
            *(RecordEndpoint(watcher).routes() if watcher is not None else ()),
            *(Route(path, assets.serve) for path in ASSET_PATHS),
        ],
        lifespan=lifespan,
        max_body_size=0,  # nothing is posted here
    )
    app.state.hub = hub
    app.state.stun = stun
    app.state.history = recorder.history
    return app


def _stun(settings: Settings) -> StunServer | None:
    if not settings.stun:
        return None
    return StunServer(settings.stun_listen or [settings.host], settings.stun_port, settings.stun_alternate_port)


def _public_hosts(settings: Settings) -> list[str]:
    """Return the hosts as they stand in URLs. Raises ConfigError."""
    hosts = [url_host(host) for host in settings.public_hosts]
    if "" in hosts:
        raise ConfigError(f"public_hosts: `{settings.public_hosts[hosts.index('')][:80]}` is no host name or address")
    return hosts


def _bus(hub: Hub, url: str) -> Bus | None:
    """Return the way to other trackers, if there is to be one. Raises ConfigError."""
    if not url:
        return None
    try:
        from peerpool.bus import Bus  # noqa: PLC0415 - redis is optional
    except ImportError:
        raise ConfigError("redis_url needs the redis package: pip install 'media-peerpool[redis]'") from None
    return Bus(hub, url)


def _watcher(settings: Settings, keys: Sequence[SigningKey]) -> Watcher | None:
    """Return what follows streams, if there are to be any. Raises ConfigError."""
    if not settings.watch:
        return None
    if not keys and settings.redis_url:
        raise ConfigError(
            "`watch` on several trackers needs `digest_keys`, the same on each: viewers of one are to trust what"
            " another signed; make one with `peerpool keys new FILE`"
        )
    return Watcher(settings.watch, keys or [new_key()])


async def _refresh(locator: Locator, tracker: Tracker, sites: WatchedFile[list[Site]] | None, turn: Turn) -> None:
    """Read the files again that have changed, in a thread: a database takes a while to copy."""
    while True:
        await asyncio.sleep(LOCATOR_REFRESH_S)
        await asyncio.to_thread(locator.refresh)
        await asyncio.to_thread(turn.refresh)
        if sites is not None and await asyncio.to_thread(sites.refresh):
            tracker.sites_changed(sites.content)


async def _serve_health(_request: Request) -> Response:
    return JSONResponse({"alive": True})


def __getattr__(name: str) -> Starlette:
    """Make `app` when a server asks for it, so that importing this module reads no settings."""
    if name == "app":
        app = create_app()
        globals()["app"] = app
        return app
    raise AttributeError(name)
