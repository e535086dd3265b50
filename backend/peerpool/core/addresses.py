"""What an IP address says by itself: which network it is part of, and whether the Internet routes it."""

from __future__ import annotations

from enum import Enum
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, NamedTuple

Address = IPv4Address | IPv6Address

# One customer's line: an IPv4 address, which a NAT may share, or what IPv6 providers delegate at least (RFC 6177).
SITE_PREFIX: Final = {4: 32, 6: 64}
# What the Internet routes as one at least (longer prefixes are filtered by most): who shares it is likely to sit behind
# the same equipment.
SUBNET_PREFIX: Final = {4: 24, 6: 48}
# Where no database says whose an address is: what registries give to one provider, roughly.
PROVIDER_PREFIX: Final = {4: 16, 6: 32}

_CARRIER_GRADE: Final = ip_network("100.64.0.0/10")  # RFC 6598
_UNIQUE_LOCAL: Final = ip_network("fc00::/7")  # RFC 4193
_NAT64: Final = IPv6Network("64:ff9b::/96")  # RFC 6052: the last 32 bits are the IPv4 address


class Reach(Enum):
    """From where an address can be reached."""

    PUBLIC = "public"
    CARRIER = "carrier"  # inside one provider's network, behind its NAT
    PRIVATE = "private"  # inside one organisation's network
    HOST = "host"  # this machine only


_SITE_PREFIXES: Final = {
    Reach.PUBLIC: SITE_PREFIX,
    Reach.CARRIER: SUBNET_PREFIX,
    Reach.PRIVATE: SUBNET_PREFIX,
    Reach.HOST: {4: 8, 6: 128},
}


class Networks(NamedTuple):
    """The networks around an address, each as text; the address itself is not kept."""

    reach: Reach
    site: str
    subnet: str
    provider: str


def parse_address(text: str) -> Address | None:
    """Return the address in `text`, IPv4 where it is dressed as IPv6. None when it is none, as on a Unix socket."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in _NAT64:
            return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address


def line_of(text: str) -> str:
    """Return whose line an address is on, as text: the IPv4 address, or the IPv6 /64. Empty where it is no address."""
    if text.count(".") == 3 and ":" not in text:  # noqa: PLR2004 - the usual case, without parsing
        return text
    address = parse_address(text)
    return "" if address is None else _network(address, SITE_PREFIX[address.version]).removesuffix("/32")


def networks_of(address: Address) -> Networks:
    """Return the networks around `address`. In a private one a site is a subnet: its members have no NAT between."""
    reach = reach_of(address)
    return Networks(
        reach,
        site=_network(address, _SITE_PREFIXES[reach][address.version]),
        subnet=_network(address, SUBNET_PREFIX[address.version]),
        provider=reach.value if reach is not Reach.PUBLIC else _network(address, PROVIDER_PREFIX[address.version]),
    )


def reach_of(address: Address) -> Reach:
    """Return from where `address` can be reached."""
    if address.is_loopback:
        return Reach.HOST
    if address in _CARRIER_GRADE:
        return Reach.CARRIER
    if address.is_link_local or address in _UNIQUE_LOCAL or (isinstance(address, IPv4Address) and address.is_private):
        return Reach.PRIVATE
    return Reach.PUBLIC


def _network(address: Address, prefix: int) -> str:
    bits = address.max_prefixlen - prefix
    base = type(address)(int(address) >> bits << bits)
    return f"{base}/{prefix}"
