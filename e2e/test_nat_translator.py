"""The NATs of the laboratory are what RFC 4787 says of their kind."""

from __future__ import annotations

import ipaddress
import random
import struct

import pytest

from e2e.nat.router import ends, translated, with_ends
from e2e.nat.translator import (
    BEHAVIOURS,
    FULL_CONE,
    MAPPING_TIMEOUT_S,
    MAPPINGS_MAX,
    PORT_RESTRICTED,
    SYMMETRIC,
    Kind,
    Translator,
)

PUBLIC = "45.1.1.1"
INSIDE = ipaddress.IPv4Network("10.1.0.0/24")
HOST = ("10.1.0.2", 5000)
PEER, SAME_ADDRESS, OTHER = ("45.9.9.9", 1000), ("45.9.9.9", 2000), ("45.8.8.8", 1000)


def translator(kind: Kind, *, hairpins: bool = True) -> Translator:
    return Translator(BEHAVIOURS[kind], PUBLIC, random.Random(1), hairpins=hairpins)


@pytest.mark.parametrize("kind", BEHAVIOURS)
def test_a_symmetric_nat_alone_maps_by_destination(kind: Kind) -> None:
    nat = translator(kind)
    ports = {nat.outbound(HOST, to, 0)[1] for to in (PEER, SAME_ADDRESS, OTHER)}
    assert len(ports) == (3 if kind == "symmetric" else 1)
    assert nat.outbound(("10.1.0.3", 5000), PEER, 0)[1] not in ports


@pytest.mark.parametrize(
    ("kind", "let_in"),
    [
        ("full cone", [True, True, True]),
        ("address-restricted", [True, True, False]),
        ("port-restricted", [True, False, False]),
        ("symmetric", [True, False, False]),
    ],
)
def test_each_kind_lets_in_what_it_is_named_for(kind: Kind, let_in: list[bool]) -> None:
    nat = translator(kind)
    _, port = nat.outbound(HOST, PEER, 0)
    assert [nat.inbound(source, port, 1) == HOST for source in (PEER, SAME_ADDRESS, OTHER)] == let_in


def test_who_inside_has_sent_nothing_hears_nothing_and_mappings_end() -> None:
    nat = Translator(FULL_CONE, PUBLIC, random.Random(1))
    assert nat.inbound(PEER, 50_000, 0) is None
    _, port = nat.outbound(HOST, PEER, 0)
    assert nat.inbound(PEER, port, MAPPING_TIMEOUT_S) is None
    assert nat.outbound(HOST, PEER, MAPPING_TIMEOUT_S)[1] != port
    assert len(nat) == 1


def test_its_table_is_bounded() -> None:
    nat = Translator(SYMMETRIC, PUBLIC, random.Random(1))
    for number in range(3 * MAPPINGS_MAX):
        nat.outbound(HOST, (PEER[0], number), 0)
    assert len(nat) <= MAPPINGS_MAX


def test_two_behind_one_meet_by_its_public_address_where_it_hairpins() -> None:
    for hairpins in (True, False):
        nat = Translator(PORT_RESTRICTED, PUBLIC, random.Random(1), hairpins=hairpins)
        mate = ("10.1.0.3", 6000)
        of_mate = nat.outbound(mate, OTHER, 0)
        of_host = nat.outbound(HOST, OTHER, 0)
        assert nat.hairpin(HOST, of_mate, 0) is None  # the mate has not sent there yet
        assert nat.hairpin(mate, of_host, 0) == ((of_mate, HOST) if hairpins else None)


def packet(payload: bytes = b"hello") -> bytes:
    udp = struct.pack("!HHHH", HOST[1], PEER[1], 8 + len(payload), 0x1234) + payload
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 1, 0x4000, 64, 17, 0, *(
        ipaddress.IPv4Address(end[0]).packed for end in (HOST, PEER)
    ))  # fmt: skip
    return head + udp


def test_packets_keep_all_but_their_ends() -> None:
    nat = translator("port-restricted")
    out = translated(nat, INSIDE, packet(), 0)
    assert out is not None
    outside = nat.outbound(HOST, PEER, 0)
    assert ends(out) == (outside, PEER)
    assert out[28:] == b"hello"
    words = struct.unpack_from("!10H", out)
    assert sum(words) % 0xFFFF == 0  # RFC 1071
    back = translated(nat, INSIDE, with_ends(packet(), PEER, outside), 1)
    assert back is not None
    assert ends(back) == (PEER, HOST)
    assert translated(nat, INSIDE, with_ends(packet(), OTHER, outside), 1) is None


@pytest.mark.parametrize("junk", [b"", b"\x60" + bytes(60), packet()[:20], b"\x45" + bytes(8) + b"\x06" + bytes(30)])
def test_what_is_no_datagram_is_dropped(junk: bytes) -> None:
    assert translated(translator("full cone"), INSIDE, junk, 0) is None
