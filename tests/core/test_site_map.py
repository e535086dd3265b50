"""The operator's own networks."""

from __future__ import annotations

import csv
import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from peerpool.core.errors import ConfigError
from peerpool.core.places import NOTHING, Facts
from peerpool.core.site_map import SiteMap, read_site_map

TEXT = """network,site,group,country
10.1.0.0/16,Berlin,Us,de
10.1.8.0/22,Studio,Us,DE
2001:db8::/32,,Them,
"""


def read(text: str) -> SiteMap:
    return read_site_map(csv.DictReader(text.splitlines()), "map.csv")


def look_up(sites: SiteMap, address: str) -> Facts:
    return sites.facts_of(ipaddress.ip_address(address))


def test_the_closest_network_wins() -> None:
    sites = read(TEXT)
    assert len(sites) == 3
    assert look_up(sites, "10.1.9.1") == Facts("group:Us", "Us", country="DE", site="Studio")
    assert look_up(sites, "10.1.12.1").site == "Berlin"
    assert look_up(sites, "2001:db8::7").isp == "group:Them"
    assert look_up(sites, "10.2.0.1") == NOTHING
    assert look_up(sites, "2001:db9::7") == NOTHING


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("network,place\n10.0.0.0/8,x", "unknown column `place`"),
        ("site\nx", "there is no `network`"),
        ("network\n10.0.0.1/8", "line 2: 10.0.0.1/8 has host bits set"),
        ("network\n10.0.0.0/8\n10.0.0.0/8", "line 3: 10.0.0.0/8 is there twice"),
        ("network,site\n10.0.0.0/8," + "x" * 81, "line 2: `site` has more than 80 characters"),
        ("network,site\n10.0.0.0/8,a,b", "unknown column `None`"),
    ],
)
def test_what_is_wrong_is_said(text: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        read(text)


@given(st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 32)), max_size=20), st.integers(0, 2**32 - 1))
def test_look_up_is_what_a_scan_of_all_networks_finds(drawn: list[tuple[int, int]], number: int) -> None:
    networks = {ipaddress.ip_network((base, length), strict=False) for base, length in drawn}
    sites = SiteMap()
    for network in networks:
        sites.add(str(network), Facts(site=str(network)))
    address = ipaddress.IPv4Address(number)
    around = [network for network in networks if address in network]
    closest = max(around, key=lambda network: network.prefixlen, default=None)
    assert sites.facts_of(address).site == (str(closest) if closest else "")
