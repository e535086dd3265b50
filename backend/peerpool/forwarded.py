"""The address of a client behind proxies, for sockets that do not pass uvicorn's middleware. The rules are the same."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network

from peerpool.core.addresses import parse_address
from peerpool.core.errors import ConfigError

Network = IPv4Network | IPv6Network


class TrustedProxies:
    """Addresses and networks whose `X-Forwarded-For` is believed; `*` is everybody."""

    def __init__(self, allowed: str) -> None:
        """Read a list with commas. Raises ConfigError."""
        parts = [part.strip() for part in allowed.split(",") if part.strip()]
        self._everybody = "*" in parts
        try:
            self._networks: list[Network] = [ip_network(part) for part in parts if part != "*"]
        except ValueError as error:
            raise ConfigError(f"forwarded_allow_ips: {error}") from None

    def client(self, peer: str, forwarded_for: Sequence[str]) -> str:
        """Return the client's address: `peer`, or where that is trusted the last in the headers that is not."""
        if not self.trusts(peer):
            return peer
        hosts = [host.strip() for value in forwarded_for for host in value.split(",") if host.strip()]
        if not hosts:
            return peer
        if self._everybody:
            return hosts[0]
        return next((host for host in reversed(hosts) if not self.trusts(host)), hosts[0])

    def trusts(self, host: str) -> bool:
        """Whether `host` is one of the proxies."""
        address = parse_address(host)
        if self._everybody or address is None:
            return self._everybody
        return any(address in network for network in self._networks if network.version == address.version)
