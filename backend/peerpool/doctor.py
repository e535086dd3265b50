"""`peerpool doctor`: looks at everything that a tracker needs, and says what is wrong and how to mend it."""

from __future__ import annotations

import contextlib
import http.client
import json
import resource
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

import maxminddb

from peerpool.core.errors import ConfigError, OurError
from peerpool.core.limits import Limits
from peerpool.histories import open_history
from peerpool.ice_advice import Finding
from peerpool.server import within
from peerpool.settings import Settings
from peerpool.sites_file import read_sites
from peerpool.sqlite_history import SqliteHistory

TIMEOUT_S: Final = 5.0
TOKEN_CHARS_MIN: Final = 16
# Addresses move between providers: a database of a quarter ago has many of them wrong.
DATABASE_DAYS_MAX: Final = 90
CERTIFICATE_DAYS_MIN: Final = 14
DAY_S: Final = 86_400
# Tokens, TURN credentials and certificates are all by the clock; `auth.LEEWAY_S` is what tokens forgive.
CLOCK_WRONG_S: Final = 5.0
OK: Final = 200
SWITCHING: Final = 101
# RFC 6455's own example of a key.
WEBSOCKET_KEY: Final = "dGhlIHNhbXBsZSBub25jZQ=="

Findings = Iterator[Finding]


def examine(settings: Settings, url: str = "") -> Findings:
    """Yield what is found, part by part; `url` is where viewers reach the tracker. Some parts take seconds."""
    parts: dict[str, Callable[[], Findings]] = {
        "who may join": lambda: _access(settings),
        "files": lambda: _files(settings),
        "this machine": lambda: _machine(settings),
        "ports": lambda: _ports(settings),
    }
    if settings.redis_url:
        parts["Redis"] = lambda: _redis(settings)
    if url:
        parts[url] = lambda: _public(settings, url)
    for title, part in parts.items():
        yield Finding(title, is_title=True)
        yield from part()
    if not url:
        yield Finding("not looked at: what viewers reach; say --url https://tracker.example", is_title=True)
    if settings.turn or settings.ice_servers:
        yield Finding("not looked at: STUN and TURN servers; `peerpool ice check` tries them", is_title=True)


def _access(settings: Settings) -> Findings:
    if not settings.sites:
        yield Finding(
            "the tracker is open: anybody may join any swarm",
            "name your sites in a file, and that by `sites` (docs/sites.md)",
        )
    else:
        try:
            sites = read_sites(Path(settings.sites))
            yield Finding(f"{len(sites)} sites in {settings.sites}")
        except OurError as error:
            yield Finding(f"sites: {error}", "the tracker does not start so")
    if not settings.admin_token:
        yield Finding("no `admin_token`: dashboard and API are off")
    elif len(settings.admin_token) < TOKEN_CHARS_MIN:
        yield Finding(
            f"`admin_token` has {len(settings.admin_token)} characters: it can be guessed",
            'make another: python3 -c "import secrets; print(secrets.token_urlsafe(32))"',
        )
    else:
        yield Finding("dashboard and API are for bearers of `admin_token`")


def _files(settings: Settings) -> Findings:
    if not settings.geoip_databases and not settings.site_map:
        yield Finding("no `geoip_databases`: clusters are by address only (docs/operations.md)")
    for name in settings.geoip_databases:
        yield _database(name)
    if settings.site_map and not Path(settings.site_map).is_file():
        yield Finding(f"site_map: {settings.site_map} is not there", "the tracker does not start so")
    if not settings.history:
        yield Finding("no `history`: what was is forgotten when the tracker ends (docs/dashboard.md)")
        return
    try:
        history = open_history(settings.history, settings.history_max_mb * 10**6)
        size_mb = history.size_bytes() / 1e6
        history.close()
        yield Finding(f"history: {history.name}, {size_mb:.1f} of {settings.history_max_mb} MB")
    except (ConfigError, OSError) as error:
        yield Finding(
            f"{error}", "the tracker's user needs to write to its folder, too (two more files are made there)"
        )
        return
    if isinstance(history, SqliteHistory) and history.is_lasting:
        free_mb = shutil.disk_usage(Path(settings.history).parent).free / 1e6
        if free_mb < settings.history_max_mb:
            advice = "make room, or lower `history_max_mb`"
            yield Finding(f"{free_mb:.0f} MB are free where the history is, and it may take more", advice)


def _database(name: str) -> Finding:
    try:
        with maxminddb.open_database(name) as database:
            metadata = database.metadata()
            days = (time.time() - metadata.build_epoch) / DAY_S
            kind = metadata.database_type
    except (OSError, ValueError, maxminddb.InvalidDatabaseError) as error:
        return Finding(f"{name}: {error}", "say where a good one is (`peerpool geoip check FILE` looks into it)")
    if days > DATABASE_DAYS_MAX:
        return Finding(f"{name}: {kind} of {days:.0f} days ago", "get a newer one: it is read without a restart")
    return Finding(f"{name}: {kind} of {days:.0f} days ago")


def _machine(settings: Settings) -> Findings:
    _, open_files = resource.getrlimit(resource.RLIMIT_NOFILE)
    room, _ = within(open_files, Limits())
    if room < settings.max_connections:
        yield Finding(
            f"{open_files} open files are allowed: room for {room} WebSockets of {settings.max_connections}",
            f"raise it: `ulimit -n`, or LimitNOFILE={2 * settings.max_connections} in the systemd unit",
        )
    else:
        yield Finding(f"{open_files} open files are allowed")
    yield _clock()


def _clock() -> Finding:
    """Ask the system whether its clock is kept; other clocks are not at hand."""
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        command = ["timedatectl", "show", "--property=NTPSynchronized", "--value"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)  # noqa: S603
        said = done.stdout.strip()
        if said == "yes":
            return Finding("the clock is kept by NTP")
        if said == "no":
            return Finding("the clock is kept by nobody", "tokens and TURN are by the clock: run chrony or timesyncd")
    return Finding("nobody says whether the clock is kept (there is no timedatectl)")


def _ports(settings: Settings) -> Findings:
    where = f"{settings.host} port {settings.port}"
    running = _get(urlsplit(_local_url(settings)), "/readyz")
    if running is not None and running[0] == OK:
        yield Finding(f"{where}: a tracker runs there, and is ready")
    elif running is not None:
        yield Finding(
            f"{where}: answers {running[0]}: {running[1][:200]}", "something else is there, or it is starting"
        )
    else:
        yield _bindable(settings.host, settings.port, socket.SOCK_STREAM, "TCP")
    if not settings.stun:
        yield Finding("STUN is off: viewers find each other by the addresses of their own machines")
    elif running is None:
        for host in settings.stun_listen or [settings.host]:
            for port in (settings.stun_port, settings.stun_alternate_port):
                yield _bindable(host, port, socket.SOCK_DGRAM, "UDP")


def _bindable(host: str, port: int, kind: socket.SocketKind, name: str) -> Finding:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, kind) as tried:
            if kind is socket.SOCK_STREAM:
                tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind((host, port))
    except OSError as error:
        advice = f"`ss -lnp 'sport = :{port}'` says who has it; or set another port"
        return Finding(f"{host} {name} port {port}: {error.strerror}", advice)
    return Finding(f"{host} {name} port {port}: free")


def _redis(settings: Settings) -> Findings:
    try:
        import redis  # noqa: PLC0415 - optional
    except ImportError:
        yield Finding("the redis package is missing", "pip install 'media-peerpool[redis]'")
        return
    try:
        with redis.Redis.from_url(settings.redis_url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S) as db:
            seconds, micros = db.time()
            version = db.info("server")["redis_version"]
    except (redis.RedisError, OSError, ValueError) as error:
        yield Finding(f"Redis does not answer: {error}", "the tracker goes on alone until it does")
        return
    yield Finding(f"Redis {version} answers")
    off_s = time.time() - (int(seconds) + int(micros) / 1e6)
    if abs(off_s) > CLOCK_WRONG_S:
        yield Finding(f"its clock and this one are {abs(off_s):.0f} s apart", "set both by NTP")


def _public(settings: Settings, url: str) -> Findings:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        yield Finding(f"{url} is no http(s) URL", "say --url https://tracker.example")
        return
    if parts.scheme == "http" and not _is_here(parts.hostname):
        yield Finding(
            "pages on https may not load from http", "put a proxy with TLS before the tracker (docs/deployment.md)"
        )
    if parts.scheme == "https":
        yield from _certificate(parts)
    ready = _get(parts, "/readyz")
    if ready is None or ready[0] != OK:
        said = "nothing answers" if ready is None else f"it answers {ready[0]}"
        yield Finding(f"/readyz: {said}", "is the proxy there, and does it pass everything to the tracker?")
        return
    yield Finding("it answers, and is ready")
    yield _websocket(parts)
    yield from _forwarded(settings, parts)


def _certificate(parts: SplitResult) -> Findings:
    try:
        with (
            socket.create_connection((parts.hostname or "", parts.port or 443), TIMEOUT_S) as plain,
            ssl.create_default_context().wrap_socket(plain, server_hostname=parts.hostname) as secured,
        ):
            certificate: dict[str, Any] = secured.getpeercert() or {}
    except ssl.SSLError as error:
        yield Finding(
            f"TLS: {getattr(error, 'verify_message', '') or error}", "browsers refuse it as well: renew or complete it"
        )
        return
    except OSError as error:
        yield Finding(f"TLS: {error}", "is the name right, and the port open?")
        return
    days = (ssl.cert_time_to_seconds(certificate["notAfter"]) - time.time()) / DAY_S
    advice = "renew it, and look why it was not renewed" if days < CERTIFICATE_DAYS_MIN else ""
    yield Finding(f"the certificate is good for {days:.0f} days", advice)


def _websocket(parts: SplitResult) -> Finding:
    headers = {
        "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": WEBSOCKET_KEY, "Sec-WebSocket-Protocol": "peerpool.1",
    }  # fmt: skip
    answer = _get(parts, "/signal", headers)
    if answer is None or answer[0] != SWITCHING:
        said = "nothing" if answer is None else f"{answer[0]}"
        advice = "let the proxy pass WebSockets: `Upgrade` and `Connection` (docs/deployment.md)"
        return Finding(f"/signal answers {said} to a WebSocket", advice)
    return Finding("WebSockets reach it")


def _forwarded(settings: Settings, parts: SplitResult) -> Findings:
    if not settings.admin_token:
        yield Finding("whether proxies say who viewers are: not looked at, for it needs `admin_token`")
        return
    answer = _get(parts, "/api/self", {"Authorization": f"Bearer {settings.admin_token}"})
    if answer is None or answer[0] != OK:
        said = "nothing" if answer is None else f"{answer[0]}"
        yield Finding(f"/api/self answers {said}", "is it this tracker, with this `admin_token`?")
        return
    seen = json.loads(answer[1])
    address = seen["address"]
    if not _is_here(parts.hostname or "") and not _is_global(address):
        yield Finding(
            f"it takes this machine to be at {address or 'no address'}: that is the proxy's",
            "let the proxy send X-Forwarded-For, and name its network in `forwarded_allow_ips`",
        )
    else:
        yield Finding(f"it takes this machine to be at {address}")
    if seen["scheme"] != parts.scheme:
        yield Finding(f"it takes viewers to come by {seen['scheme']}", "let the proxy send X-Forwarded-Proto")
    off_s = seen["at_s"] - datetime.now(UTC).timestamp()
    if abs(off_s) > CLOCK_WRONG_S:
        yield Finding(f"its clock and this one are {abs(off_s):.0f} s apart", "set both by NTP")


def _get(parts: SplitResult, path: str, headers: dict[str, str] | None = None) -> tuple[int, str] | None:
    """Return status and text of an answer; None without one."""
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", parts.path.rstrip("/") + path, headers=headers or {})
        answer = connection.getresponse()
        text = "" if answer.status == SWITCHING else answer.read(10_000).decode("utf-8", "replace")
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
    return answer.status, text


def _local_url(settings: Settings) -> str:
    host = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(settings.host, settings.host)  # noqa: S104
    return f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"


def _is_here(host: str) -> bool:
    return host == "localhost" or host.endswith(".localhost") or host in ("127.0.0.1", "::1")


def _is_global(address: str) -> bool:
    try:
        return ip_address(address).is_global
    except ValueError:
        return False
