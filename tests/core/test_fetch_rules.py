"""What may be fetched: origins, addresses, redirects."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from peerpool.core.addresses import parse_address
from peerpool.core.errors import FetchRefused
from peerpool.core.fetch_rules import Origins, is_public
from peerpool.core.urls import parse

CDN, EDGE, INSIDE = "https://cdn.example", "https://edge.example:8443", "http://10.0.0.5:8080"
ORIGINS = Origins(frozenset({CDN, EDGE}), frozenset({INSIDE}))
PUBLIC = "93.184.215.14"


@pytest.mark.parametrize("url", [f"{CDN}/a.m3u8", f"{EDGE}/b", f"{INSIDE}/c"])
def test_origins_on_the_list_may_be_read(url: str) -> None:
    ORIGINS.check(parse(url))


@pytest.mark.parametrize(
    "url",
    [
        "http://cdn.example/a", "https://cdn.example:444/a", "https://cdn.example.evil/a", "https://a.cdn.example/",
        "https://edge.example/", "http://10.0.0.5/", "https://xcdn.example/",
    ],
)  # fmt: skip
def test_other_schemes_ports_and_hosts_are_refused(url: str) -> None:
    with pytest.raises(FetchRefused):
        ORIGINS.check(parse(url))


@pytest.mark.parametrize(
    "text",
    [
        "127.0.0.1", "127.9.9.9", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
        "192.0.2.1", "198.18.0.1", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255", "::", "::1", "fe80::1",
        "fe80::1%eth0", "fc00::1", "fd12::1", "ff02::1", "2001:db8::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
        "64:ff9b::7f00:1", "64:ff9b:1::a00:1", "2002:7f00:1::", "2001:0:7f00:1::", "ff0e::1", "", "nowhere",
    ],
)  # fmt: skip
def test_addresses_that_are_no_host_of_the_internet_are_not_public(text: str) -> None:
    assert not is_public(parse_address(text))


@pytest.mark.parametrize("text", [PUBLIC, "1.1.1.1", "2606:4700:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"])
def test_hosts_of_the_internet_are_public(text: str) -> None:
    assert is_public(parse_address(text))


@given(st.ip_addresses(v=4))
def test_no_private_address_is_public_in_any_dress(address: object) -> None:
    plain = parse_address(str(address))
    assert plain is not None
    assert is_public(plain) == (plain.is_global and not plain.is_multicast)
    assert is_public(parse_address(f"::ffff:{address}")) == is_public(plain)


def test_a_name_with_one_bad_address_among_good_ones_is_refused() -> None:
    assert ORIGINS.may_connect("cdn.example", 443, [PUBLIC, "1.1.1.1"]) == [PUBLIC, "1.1.1.1"]
    with pytest.raises(FetchRefused, match="not on the Internet"):
        ORIGINS.may_connect("cdn.example", 443, [PUBLIC, "127.0.0.1"])
    with pytest.raises(FetchRefused, match="no address"):
        ORIGINS.may_connect("cdn.example", 443, [])


def test_an_origin_in_ones_own_network_is_connected_to_where_it_is_named_with_its_port() -> None:
    assert ORIGINS.may_connect("10.0.0.5", 8080, ["10.0.0.5"]) == ["10.0.0.5"]
    with pytest.raises(FetchRefused):
        ORIGINS.may_connect("10.0.0.5", 8081, ["10.0.0.5"])


def test_redirects_are_followed_within_the_list_and_relative_ones_too() -> None:
    assert ORIGINS.redirected(parse(f"{CDN}/a/b"), "../c?d=1").href == f"{CDN}/c?d=1"
    assert ORIGINS.redirected(parse(f"{CDN}/a"), f"{EDGE}/e").href == f"{EDGE}/e"
    assert ORIGINS.redirected(parse(f"{INSIDE}/a"), "/b").href == f"{INSIDE}/b"


@pytest.mark.parametrize(
    "location",
    [
        "http://cdn.example/a", "https://evil.example/", "//evil.example/", "file:///etc/passwd", "gopher://x/",
        "https://cdn.example@evil.example/", "http://169.254.169.254/latest/meta-data", f"{INSIDE}/admin",
    ],
)  # fmt: skip
def test_redirects_off_the_list_out_of_https_or_into_ones_own_network_are_refused(location: str) -> None:
    with pytest.raises(FetchRefused):
        ORIGINS.redirected(parse(f"{CDN}/a"), location)
