"""`peerpool ice check`: tries STUN and TURN servers as a browser would, and says what is wrong and what to do."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Sequence
from ipaddress import ip_address
from typing import Final, NamedTuple

from aioice import stun

from peerpool.core.addresses import Reach, parse_address, reach_of
from peerpool.core.errors import ConfigError
from peerpool.core.ice import ServerUrl, credential, parse_server_url
from peerpool.ice_advice import (
    ADVICE,
    FORBIDDEN,
    UNAUTHORIZED,
    Finding,
    explain,
    explain_stun,
    mapping_text,
    refusal,
    shown,
)
from peerpool.ice_probe import (
    PACKETS,
    Allocation,
    allocation,
    binding_client,
    local_address,
    relay_between,
    resolve,
)
from peerpool.protocols.stun import Endpoint
from peerpool.settings import Settings

# The credentials tried are good for so long, and over since so long (seconds): more than clocks differ by.
GOOD_FOR_S: Final = 600
# Where clouds give machines their credentials.
CLOUD_METADATA: Final = "169.254.169.254"
# Peers that a relay on the Internet must not reach, for they are its own network's, and the ranges that deny them.
FORBIDDEN_PEERS: Final = {
    "127.0.0.1": "127.0.0.0-127.255.255.255",
    "10.0.0.1": "10.0.0.0-10.255.255.255",
    "172.16.0.1": "172.16.0.0-172.31.255.255",
    "192.168.0.1": "192.168.0.0-192.168.255.255",
    CLOUD_METADATA: "169.254.0.0-169.254.255.255",
    "100.64.0.1": "100.64.0.0-100.127.255.255",
}
DISCARD_PORT: Final = 9


# Takes findings as they come: a server that does not answer takes seconds.
Say = Callable[[Finding], None]


class TurnTarget(NamedTuple):
    """A TURN server to try."""

    url: ServerUrl
    secret: str


def stun_targets(settings: Settings) -> list[Endpoint]:
    """Return the STUN servers that members are told of: our own, and external ones. Raises ConfigError."""
    targets: list[Endpoint] = []
    if settings.stun:
        hosts = settings.public_hosts or settings.stun_listen or [settings.host]
        ports = [port for port in (settings.stun_port, settings.stun_alternate_port) if port]
        shown = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - asked, not bound
        targets += [(shown.get(host, host).strip("[]"), port) for host in hosts for port in ports]
    for server in settings.ice_servers:
        urls = server.get("urls", [])
        parsed = [
            parse_server_url(url) for url in ([urls] if isinstance(urls, str) else urls) if url.startswith("stun:")
        ]
        targets += [(url.host, url.port) for url in parsed]
    return targets


def parse_endpoint(text: str) -> Endpoint:
    """Return the host and port in HOST:PORT. Raises ConfigError."""
    url = parse_server_url(text if text.startswith("stun:") else f"stun:{text}")
    return url.host, url.port


def turn_targets(urls: Sequence[str], secret: str) -> list[TurnTarget]:
    """Return the servers of `urls`, which share a secret. Raises ConfigError."""
    parsed = [parse_server_url(url) for url in urls]
    wrong = next((text for text, url in zip(urls, parsed, strict=True) if url.scheme == "stun"), None)
    if wrong is not None:
        raise ConfigError(f"{wrong} is no URL of TURN")
    if urls and not secret:
        raise ConfigError("--turn needs the secret: --secret-file FILE, or --secret")
    return [TurnTarget(url, secret) for url in parsed]


async def check(stun_servers: Sequence[Endpoint], turn_servers: Sequence[TurnTarget], say: Say) -> None:
    """Say what is found of each server. Raises ConfigError where there is none."""
    if not stun_servers and not turn_servers:
        raise ConfigError("there is nothing to try: STUN is off and no TURN is named (--stun HOST:PORT, --turn URL)")
    if stun_servers:
        say(Finding("STUN", is_title=True))
        await _check_stun(stun_servers, say)
    for target in turn_servers:
        url = target.url
        say(Finding(f"TURN {url.host} port {url.port} over {url.transport.upper()}", is_title=True))
        try:
            await _check_turn(target, say)
        except (stun.TransactionError, OSError) as error:
            say(explain(error, url))


async def _check_stun(servers: Sequence[Endpoint], say: Say) -> None:
    by_family: dict[socket.AddressFamily, list[tuple[str, Endpoint]]] = {}
    for host, port in servers:
        try:
            for family, address in (await resolve(host, port)).items():
                by_family.setdefault(family, []).append((f"{host} UDP port {port}", address))
        except OSError as error:
            say(Finding(f"{host}: {error.strerror}", "is the name right, and in the DNS?"))
    for family, named in by_family.items():
        try:
            here = local_address(named[0][1], family)
        except OSError:
            say(Finding(f"{named[0][0]} has an IPv6 address, which this machine cannot reach: not tried"))
            continue
        seen: list[Endpoint] = []
        async with binding_client(family) as (client, local_port):
            for name, address in named:
                try:
                    seen.append(await client.ask(address))
                    say(Finding(f"{name} sees this machine as {shown(seen[-1])}"))
                except (stun.TransactionError, ValueError) as error:
                    say(explain_stun(name, error))
        if seen:
            say(Finding(mapping_text((here, local_port), seen)))


async def _check_turn(target: TurnTarget, say: Say) -> None:
    """Say what is found of one URL. Raises stun.TransactionError, OSError."""
    url, secret = target
    async with _relay(url, secret) as one, _relay(url, secret) as other:
        say(await _about_address(url, one))
        say(await _check_refusal(url, f"{secret}x", GOOD_FOR_S, "a credential of another secret"))
        say(await _check_refusal(url, secret, -GOOD_FOR_S, "a credential that is over"))
        say(await _check_bytes(one, other))
        await _check_peers(one, say)


def _relay(url: ServerUrl, secret: str, ttl_s: int = GOOD_FOR_S) -> contextlib.AbstractAsyncContextManager[Allocation]:
    username = f"{int(time.time()) + ttl_s}:check"
    return allocation(url, username, credential(secret, username))


async def _about_address(url: ServerUrl, relay: Allocation) -> Finding:
    """Say whether those who reach the server reach its relays too."""
    addresses = (await resolve(url.host, url.port)).values()
    reached = {reach_of(address) for host, _ in addresses if (address := parse_address(host)) is not None}
    relayed = reach_of(ip_address(relay.relayed[0]))
    if relayed is Reach.PUBLIC or relayed in reached:
        return Finding(f"it relays at {shown(relay.relayed)}")
    return Finding(
        f"it relays at {shown(relay.relayed)}, which nobody outside its own network can reach",
        "set `external-ip=PUBLIC/PRIVATE` with its public address and this one",
    )


async def _check_refusal(url: ServerUrl, secret: str, ttl_s: int, what: str) -> Finding:
    try:
        async with _relay(url, secret, ttl_s):
            pass
    except stun.TransactionFailed as error:
        if error.response.error_code == UNAUTHORIZED:
            return Finding(f"{what} is refused")
        return explain(error, url)
    return Finding(
        f"{what} is taken: anybody may relay at your cost", "set `use-auth-secret`, and neither `no-auth` nor `user=`"
    )


async def _check_bytes(one: Allocation, other: Allocation) -> Finding:
    try:
        count = await relay_between(one, other)
    except stun.TransactionFailed as error:
        return Finding(f"two relays may not connect to each other: {refusal(error)}", ADVICE[FORBIDDEN])
    if count == PACKETS:
        return Finding("bytes pass from one relay to another")
    return Finding(
        f"of {PACKETS} packets from one relay to another {count} came",
        "open the UDP ports from `min-port` to `max-port` in every firewall, to the server itself too; behind a NAT it"
        " must be able to send to its own public address",
    )


async def _check_peers(relay: Allocation, say: Say) -> None:
    """Try peers of the server's own network. Those that its relays are among themselves it has to reach."""
    own = reach_of(ip_address(relay.relayed[0]))
    reached: list[str] = []
    for peer in FORBIDDEN_PEERS:
        if reach_of(ip_address(peer)) is own and peer != CLOUD_METADATA:
            continue
        try:
            await relay.open_to((peer, DISCARD_PORT))
            reached.append(peer)
        except stun.TransactionFailed:
            continue
    if not reached:
        say(Finding("peers in its own network are refused"))
    for peer in reached:
        say(
            Finding(
                f"it lets anybody with a credential reach {peer}, in its own network",
                f"set `denied-peer-ip={FORBIDDEN_PEERS[peer]}`"
                + (", and not `allow-loopback-peers`" if peer == "127.0.0.1" else ""),
            )
        )
