"""All settings, their defaults and bounds. The only module that reads the environment and peerpool.toml.

Later wins: default, peerpool.toml (`--config`, else PEERPOOL_CONFIG, else ./peerpool.toml if there is one), environment
(PEERPOOL_PORT=8080; lists as JSON), command line.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct, field

from peerpool.core.errors import ConfigError
from peerpool.core.figures import Prices
from peerpool.toml_file import read_toml

ENV_PREFIX: Final = "PEERPOOL_"
CONFIG_VARIABLE: Final = "PEERPOOL_CONFIG"
DEFAULT_CONFIG: Final = Path("peerpool.toml")


class DemoStream(Struct, frozen=True, forbid_unknown_fields=True):
    """A quick link on the demo page."""

    name: str
    src: str


class WatchedStream(Struct, frozen=True, forbid_unknown_fields=True):
    """A stream that the tracker follows and signs (docs/integrity.md)."""

    # Its manifest, as players ask for it.
    url: str
    # Its name, where pages give it one (`data-content`); else host and path of the manifest.
    content: str = ""
    # Scheme, host and port that the manifest's own origin is read from in its place, also in your own network.
    fetch_from: str = ""
    # Origins (scheme, host and port) besides the manifest's own that its playlists and segments may be on.
    origins: list[str] = field(default_factory=list)


TurnUrl = Annotated[str, Meta(pattern=r"^turns?:[A-Za-z0-9._\-\[\]:]{1,260}(\?transport=(udp|tcp))?\Z")]
# ISO 3166-1 alpha-2; AF AN AS EU NA OC SA.
RegionCode = Annotated[str, Meta(pattern=r"^[A-Za-z]{2}\Z")]


class TurnServer(Struct, frozen=True, forbid_unknown_fields=True):
    """A TURN service that takes credentials made from a secret, as coturn's `use-auth-secret` does (docs/nat.md)."""

    urls: Annotated[list[TurnUrl], Meta(min_length=1, max_length=8)]
    # Its static-auth-secret, or a file with it, which is read again when it changes.
    secret: str = ""
    secret_file: str = ""
    # Viewers it is meant for; without either those for whom there is no other.
    countries: list[RegionCode] = field(default_factory=list)
    continents: list[RegionCode] = field(default_factory=list)

    def __repr__(self) -> str:
        return f"TurnServer(urls={self.urls})"  # without its secret


class Settings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What an operator can set."""

    # Address to listen on. 127.0.0.1 is this machine only; 0.0.0.0 is every interface.
    host: str = "127.0.0.1"
    # TCP port; 0 lets the system choose one.
    port: Annotated[int, Meta(ge=0, le=65_535)] = 8080
    # WebSockets at once, both protocols, as far as there are descriptors. Each takes about 27 KiB and one of those.
    max_connections: Annotated[int, Meta(ge=1, le=1_000_000)] = 20_000
    # WebSockets at once from one address (IPv4) or /64 (IPv6); a provider may have thousands of viewers behind one.
    max_connections_per_address: Annotated[int, Meta(ge=1, le=1_000_000)] = 5_000
    # Answer STUN requests on UDP, by which viewers behind NATs learn their public address. Without it and without
    # `ice_servers` peers find each other only by the addresses of their own machines.
    stun: bool = True
    # UDP port; 0 lets the system choose one. 3478 is IANA's for STUN.
    stun_port: Annotated[int, Meta(ge=0, le=65_535)] = 3478
    # A second port of the same address: a NAT that maps a viewer differently for it is one of the hard ones.
    stun_alternate_port: Annotated[int, Meta(ge=0, le=65_535)] = 3479
    # Addresses to answer STUN on; empty: `host`. 0.0.0.0 is every interface, of IPv6 too.
    stun_listen: list[str] = field(default_factory=list)
    # Names or addresses under which clients reach STUN here; empty: the one under which their page reached the tracker.
    public_hosts: Annotated[list[str], Meta(max_length=2)] = field(default_factory=list)
    # RTCIceServer objects of others, given to native clients behind our own. Whoever runs them sees viewers' addresses.
    ice_servers: list[dict[str, Any]] = field(default_factory=list)
    # TURN services, which carry what cannot be connected otherwise. They cost bandwidth: docs/nat.md.
    turn: list[TurnServer] = field(default_factory=list)
    # off: nobody is told of them. fallback: for pairs that do not connect otherwise. only: for every connection, so
    # that viewers never see each other's addresses.
    turn_policy: Literal["off", "fallback", "only"] = "fallback"
    # Seconds for which credentials are good; members get new ones before that.
    turn_ttl_s: Annotated[int, Meta(ge=60, le=604_800)] = 43_200
    # Most that a member is to have relayed, in kbit/s: a rendition of middling quality.
    turn_member_kbps: Annotated[int, Meta(ge=64, le=1_000_000)] = 2_000
    # Manifest the demo page plays when its URL has no `src`.
    demo_src: str = ""
    # Quick links on the demo page.
    demo_streams: list[DemoStream] = field(default_factory=list)
    # redis://HOST:PORT/DB of the Redis over which several trackers share their swarms; without one this one is alone.
    redis_url: str = ""
    # Where picows is installed, hand frames from the socket straight to the tracker and not through ASGI.
    direct_sockets: bool = True
    # Proxies whose X-Forwarded-For is believed, as uvicorn's --forwarded-allow-ips has it.
    forwarded_allow_ips: str = "127.0.0.1,::1"
    # MMDB files that say whose an address is and where: of providers (ASN), of cities or countries, in any number; what
    # the first does not know the next may. None are shipped; docs/operations.md says where to get them.
    geoip_databases: list[str] = field(default_factory=list)
    # CSV file with networks of your own (network,site,group,country,city ...), which goes before the databases.
    site_map: str = ""
    # Viewers of one content at one place (site, provider and city, provider, country, continent) from which they share
    # among themselves. Smaller keeps more bytes inside a provider and takes more copies from the CDN: one a cluster.
    cluster_min: Annotated[int, Meta(ge=2, le=1_000_000)] = 40
    # TOML file that names the sites whose viewers may join (docs/sites.md). Without one the tracker is open to anybody.
    sites: str = ""
    # With `sites`: whether clients of /announce, who can name no site, may still share among themselves.
    open_torrents: bool = False
    # Key files (`peerpool keys new`) whose records of segments clients are to trust, and the first of which signs here.
    # Name a new key first and keep the old one behind it until nothing that it signed is played any more.
    digest_keys: list[str] = field(default_factory=list)
    # Streams whose segments the tracker reads and signs itself, as one more viewer; without `digest_keys` by a key that
    # is made anew at each start.
    watch: list[WatchedStream] = field(default_factory=list)
    # Who presents it sees the dashboard and may use the operator's API below /api; without one both are off, but for
    # the sites that have a `dashboard_token` (docs/dashboard.md).
    admin_token: str = ""
    # File of the history that the dashboard shows (SQLite), or postgresql://USER:PASSWORD@HOST/DB of one that several
    # trackers share; empty: memory, which ends with the process.
    history: str = ""
    # Size at which the oldest of it is removed, in MB; a file of a busy tracker needs about 40 a month.
    history_max_mb: Annotated[int, Meta(ge=1, le=1_000_000)] = 512
    # What bytes cost, by which the dashboard says what was saved.
    prices: Prices = field(default_factory=Prices)
    # critical, error, warning, info or debug.
    log_level: Annotated[str, Meta(pattern=r"^(critical|error|warning|info|debug)\Z")] = "warning"
    # text, or json: one object a line on standard error, for who collects logs.
    log_format: Literal["text", "json"] = "text"
    # Seconds within which open connections must have ended after SIGTERM.
    shutdown_timeout_s: Annotated[int, Meta(ge=1, le=60)] = 3


def load_settings(
    config: Path | None = None,
    environ: Mapping[str, str] | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> Settings:
    """Return the settings of file, environment and `overrides` (None values are ignored). Raises ConfigError."""
    environ = os.environ if environ is None else environ
    values: dict[str, Any] = {}
    path = _config_path(config, environ)
    if path is not None:
        values |= _read_file(path)
    values |= _read_environment(environ)
    values |= {name: value for name, value in (overrides or {}).items() if value is not None}
    try:
        return msgspec.convert(values, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise ConfigError(f"settings: {error} (known settings: {_known()})") from None


def _config_path(config: Path | None, environ: Mapping[str, str]) -> Path | None:
    if config is not None:
        return config
    if environ.get(CONFIG_VARIABLE):
        return Path(environ[CONFIG_VARIABLE])
    return DEFAULT_CONFIG if DEFAULT_CONFIG.is_file() else None


def _read_file(path: Path) -> dict[str, Any]:
    values = read_toml(path)
    for name in values:
        if name not in Settings.__struct_fields__:
            raise ConfigError(f"{path}: unknown setting `{name}` (known settings: {_known()})")
    return values


def _read_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for variable, text in environ.items():
        if not variable.startswith(ENV_PREFIX) or variable == CONFIG_VARIABLE:
            continue
        name = variable.removeprefix(ENV_PREFIX).lower()
        if name not in Settings.__struct_fields__:
            raise ConfigError(f"environment: unknown setting {variable} (known settings: {_known()})")
        values[name] = _parse_json(variable, text) if text.lstrip().startswith(("[", "{")) else text
    return values


def _parse_json(variable: str, text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise ConfigError(f"{variable} is not JSON: {error}") from None


def _known() -> str:
    return ", ".join(Settings.__struct_fields__)
