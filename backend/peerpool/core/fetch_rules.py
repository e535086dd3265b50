"""What the tracker may fetch when it follows a stream: which URLs, at which addresses, after which redirects.

A name that is allowed proves nothing about where it leads: what it resolves to is judged, for the very connection that
is made (OWASP, Server-Side Request Forgery Prevention). Pure; `safe_fetch.py` carries it out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_network
from typing import Final

from peerpool.core.addresses import Address, parse_address
from peerpool.core.errors import FetchRefused, Malformed
from peerpool.core.urls import Url, parse

# A manifest moved to another host, that to its nearest edge, and one to spare.
REDIRECTS_MAX: Final = 3
REDIRECT_CODES: Final = frozenset({301, 302, 303, 307, 308})
# Addresses that carry an IPv4 address inside, which a gateway on the way would go to: 6to4 (RFC 3056), Teredo
# (RFC 4380), NAT64 of one's own (RFC 8215). `parse_address` undresses the others.
_TUNNELS: Final = tuple(map(ip_network, ("2002::/16", "2001::/32", "64:ff9b:1::/48")))


@dataclass(frozen=True)
class Origins:
    """Where one stream may be read from: `public` by their names, `internal` also where they are not on the Internet.

    Each is scheme, host and port as `Url.origin` has them.
    """

    public: frozenset[str]
    internal: frozenset[str] = frozenset()

    def check(self, url: Url) -> None:
        """Raise FetchRefused for a URL of an origin that is not on the list."""
        if url.origin not in self.public | self.internal:
            raise FetchRefused(f"{url.origin} is not among the origins of this stream: add it to `origins` if it is")

    def may_connect(self, hostname: str, port: int, addresses: Iterable[str]) -> list[str]:
        """Return the addresses that a host has, if all of them are fit. Raises FetchRefused where one is not.

        One that is not fit among others is how a name is made to lead elsewhere the second time.
        """
        found = list(addresses)
        if not found:
            raise FetchRefused(f"{hostname} has no address")
        if not self._is_internal(hostname, port):
            for text in found:
                if not is_public(parse_address(text)):
                    raise FetchRefused(
                        f"{hostname} is at {text}, which is not on the Internet: an origin in your own network"
                        " is named with `fetch_from`"
                    )
        return found

    def _is_internal(self, hostname: str, port: int) -> bool:
        bare = hostname.strip("[]")
        return any((url.hostname.strip("[]"), url.port) == (bare, port) for url in map(parse, self.internal))

    def redirected(self, url: Url, location: str) -> Url:
        """Return where an answer sends us. Raises FetchRefused for what is off the list or no longer encrypted."""
        try:
            target = parse(location, url)
        except Malformed as error:
            raise FetchRefused(f"{url.origin} redirects to what cannot be followed: {error}") from None
        if url.scheme == "https" and target.scheme == "http":
            raise FetchRefused(f"{url.origin} redirects from https to http")
        self.check(target)
        if target.origin in self.internal and url.origin not in self.internal:
            raise FetchRefused(f"{url.origin} redirects into your own network")
        return target


def is_public(address: Address | None) -> bool:
    """Whether an address is one host of the Internet, reached as what it is."""
    if address is None or address.is_multicast or not address.is_global:
        return False
    return not (isinstance(address, IPv6Address) and any(address in network for network in _TUNNELS))
