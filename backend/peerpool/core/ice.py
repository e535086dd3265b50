"""What members are told of STUN and TURN: which servers, under which name, with which credentials (docs/nat.md)."""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import b64encode
from collections.abc import Callable, Sequence
from ipaddress import IPv6Address
from typing import Any, Final, Literal, NamedTuple

from peerpool.core.addresses import Reach, parse_address, reach_of
from peerpool.core.errors import ConfigError
from peerpool.core.limits import MS_PER_S
from peerpool.core.messages import Relay
from peerpool.core.places import Place

# RFC 1035, section 2.3.4.
HOST_CHARS_MAX: Final = 253
PORT_DIGITS_MAX: Final = 5
# Browsers ask every server of a list, and warn of more than four: they are to be few.
STUN_HOSTS_MAX: Final = 2
TURN_URLS_MAX: Final = 4
BITS_PER_KBIT: Final = 1000

# Names of hosts as they are used, with underscores, and without the dot at the end.
_LABEL: Final = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_HEADER: Final = re.compile(
    rf"(\[[0-9a-fA-F:.]{{2,45}}\]|[^:\[\]]{{1,{HOST_CHARS_MAX + 1}}})(?::\d{{0,{PORT_DIGITS_MAX}}})?"
)

_SERVER_URL: Final = re.compile(r"(stun|turn|turns):(\[[^\]]*\]|[^:?]*)(?::(\d{1,5}))?(?:\?transport=(udp|tcp))?")
# By whether there is TLS (RFC 8656, section 18.8).
DEFAULT_PORTS: Final = {False: 3478, True: 5349}
PORT_MAX: Final = 65_535

Policy = Literal["off", "fallback", "only"]


class ServerUrl(NamedTuple):
    """What a `stun:`, `turn:` or `turns:` URL says (RFC 7064, RFC 7065). `host` is without brackets."""

    scheme: str
    host: str
    port: int
    transport: Literal["udp", "tcp", "tls"]


class TurnService(NamedTuple):
    """A TURN service, which may have several URLs: whom it is meant for (nobody named: everybody) and its secret."""

    urls: Sequence[str]
    secret: Callable[[], str]
    countries: frozenset[str] = frozenset()
    continents: frozenset[str] = frozenset()


class TurnPlan(NamedTuple):
    """How members use TURN. `wall_clock` is Unix time in seconds, by which the servers judge what is over."""

    services: Sequence[TurnService]
    wall_clock: Callable[[], float]
    policy: Policy = "fallback"
    ttl_s: int = 43_200
    member_kbps: int = 2_000


def url_host(text: str) -> str:
    """Return a host as it stands in a URL (lower case, IPv6 in brackets); empty where `text` is none."""
    text = text.removesuffix(".").lower()
    inner = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    if ":" in inner:
        try:
            return f"[{IPv6Address(inner)}]" if "%" not in inner else ""
        except ValueError:
            return ""
    return text if len(text) <= HOST_CHARS_MAX and _NAME.fullmatch(text) else ""


def host_in(header: str) -> str:
    """Return the host in a Host or X-Forwarded-Host header, without its port; empty where it is not one.

    Proxies add theirs behind a comma: the first is what the page asked for.
    """
    found = _HEADER.fullmatch(header.partition(",")[0].strip())
    return url_host(found[1]) if found else ""


def parse_server_url(text: str) -> ServerUrl:
    """Return what a URL says. Raises ConfigError."""
    found = _SERVER_URL.fullmatch(text)
    host = url_host(found[2]) if found else ""
    if found is None or not host or int(found[3] or 0) > PORT_MAX:
        raise ConfigError(f"`{text[:HOST_CHARS_MAX]}` is no URL of STUN or TURN (turn:HOST:PORT?transport=udp)")
    is_tls = found[1].endswith("s")
    transport: Literal["udp", "tcp", "tls"] = "tls" if is_tls else "tcp" if found[4] == "tcp" else "udp"
    return ServerUrl(found[1], host.strip("[]"), int(found[3] or DEFAULT_PORTS[is_tls]), transport)


def is_loopback(host: str) -> bool:
    """Whether `host`, as it stands in a URL, is this machine (RFC 6761, section 6.3)."""
    address = parse_address(host.strip("[]"))
    return f".{host}".endswith(".localhost") if address is None else reach_of(address) is Reach.HOST


def credential(secret: str, username: str) -> str:
    """Return what coturn's `use-auth-secret` takes for `username` (draft-uberti-behave-turn-rest-00, section 2.2)."""
    return b64encode(hmac.digest(secret.encode(), username.encode(), hashlib.sha1)).decode()


class Ice:
    """The rules of one tracker. `stun_ports` are those that are served; none until they are."""

    def __init__(
        self,
        external: Sequence[dict[str, Any]] = (),
        public_hosts: Sequence[str] = (),
        turn: TurnPlan | None = None,
    ) -> None:
        """`external` are RTCIceServer objects of others; `public_hosts` those under which STUN is reached here."""
        self.stun_ports: Sequence[int] = ()
        # Whether only this machine can ask there.
        self.is_local = False
        self._external = list(external)
        self._public_hosts = list(public_hosts[:STUN_HOSTS_MAX])
        self._turn = turn if turn is not None and turn.policy != "off" and turn.services else None

    @property
    def has_relays(self) -> bool:
        """Whether members are given TURN servers."""
        return self._turn is not None

    def servers(self, host: str) -> list[dict[str, Any]]:
        """Return the RTCIceServer objects without credentials for who reached the tracker as `host` (see `host_in`)."""
        hosts = self._public_hosts or ([host] if host and (is_loopback(host) or not self.is_local) else [])
        urls = [f"stun:{one}:{port}" for one in hosts for port in self.stun_ports]
        return [{"urls": urls}, *self._external] if urls else self._external

    def relay(self, peer_id: str, place: Place) -> Relay | None:
        """Return the TURN servers for a member at `place`, with credentials of its own; None where there are none."""
        turn = self._turn
        if turn is None:
            return None
        username = f"{int(turn.wall_clock()) + turn.ttl_s}:{peer_id}"
        servers: list[dict[str, Any]] = []
        room = TURN_URLS_MAX
        for service in _nearest(turn.services, place, peer_id):
            urls = list(service.urls[:room])
            room -= len(urls)
            if urls:
                password = credential(service.secret(), username)
                servers.append({"urls": urls, "username": username, "credential": password})
        policy: Literal["fallback", "only"] = "only" if turn.policy == "only" else "fallback"
        return Relay(policy, servers, round(turn.ttl_s * MS_PER_S), turn.member_kbps * BITS_PER_KBIT)


def _nearest(services: Sequence[TurnService], place: Place, peer_id: str) -> Sequence[TurnService]:
    """Return those of the member's country, else of its continent, else those for everybody, else all.

    Members take equals in different orders, so that each has its part of the load.
    """
    found = (
        [one for one in services if place.country and place.country in one.countries]
        or [one for one in services if place.continent and place.continent in one.continents]
        or [one for one in services if not one.countries and not one.continents]
        or list(services)
    )
    first = int(peer_id[:4] or "0", 16) % len(found)
    return found[first:] + found[:first]
