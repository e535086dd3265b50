"""What addresses say by themselves."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from peerpool.core.addresses import Networks, Reach, line_of, networks_of, parse_address


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("8.8.4.4", Networks(Reach.PUBLIC, "8.8.4.4/32", "8.8.4.0/24", "8.8.0.0/16")),
        ("2a00:14:4::e", Networks(Reach.PUBLIC, "2a00:14:4::/64", "2a00:14:4::/48", "2a00:14::/32")),
        ("192.168.7.9", Networks(Reach.PRIVATE, "192.168.7.0/24", "192.168.7.0/24", "private")),
        ("10.0.0.1", Networks(Reach.PRIVATE, "10.0.0.0/24", "10.0.0.0/24", "private")),
        ("fd12:3456:789a:1::2", Networks(Reach.PRIVATE, "fd12:3456:789a::/48", "fd12:3456:789a::/48", "private")),
        ("fe80::1%eth0", Networks(Reach.PRIVATE, "fe80::/48", "fe80::/48", "private")),
        ("100.64.3.4", Networks(Reach.CARRIER, "100.64.3.0/24", "100.64.3.0/24", "carrier")),
        ("127.0.0.1", Networks(Reach.HOST, "127.0.0.0/8", "127.0.0.0/24", "host")),
        ("::1", Networks(Reach.HOST, "::1/128", "::/48", "host")),
        ("::ffff:8.8.4.4", Networks(Reach.PUBLIC, "8.8.4.4/32", "8.8.4.0/24", "8.8.0.0/16")),
        ("64:ff9b::808:404", Networks(Reach.PUBLIC, "8.8.4.4/32", "8.8.4.0/24", "8.8.0.0/16")),
    ],
)  # fmt: skip
def test_networks(text: str, expected: Networks) -> None:
    address = parse_address(text)
    assert address is not None
    assert networks_of(address) == expected


@pytest.mark.parametrize("text", ["", "testclient", "1.2.3", "1.2.3.4.5", "/run/socket", "::g", "1.2.3.4/24"])
def test_what_is_no_address(text: str) -> None:
    assert parse_address(text) is None


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("192.168.7.9", "192.168.7.9"),
        ("::ffff:192.168.7.9", "192.168.7.9"),
        ("2a00:14:4::e", "2a00:14:4::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("testclient", ""),
    ],
)
def test_lines(text: str, line: str) -> None:
    assert line_of(text) == line


@given(st.ip_addresses())
def test_any_address_has_networks(address: object) -> None:
    parsed = parse_address(str(address))
    assert parsed is not None
    assert all(networks_of(parsed))
