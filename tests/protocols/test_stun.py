"""What is answered over STUN, what is not, and that no datagram is worth forging its sender."""

from __future__ import annotations

import struct

import pytest
from aioice import stun
from hypothesis import given
from hypothesis import strategies as st
from peerpool.protocols.stun import CHANGE_REQUEST, GROWTH_MAX_BYTES, REQUEST_MAX_BYTES, UNKNOWN_ATTRIBUTES, answer

SOURCE = ("192.0.2.1", 40_000)
SOURCE_6 = ("2001:db8::1", 40_000)
TRANSACTION = bytes(range(12))


def message(*attributes: tuple[int, bytes], kind: int = 1, cookie: int = stun.COOKIE) -> bytes:
    """Return a message with attributes as they are given; a Binding request where nothing else is said."""
    body = b"".join(struct.pack("!HH", number, len(value)) + value for number, value in attributes)
    return struct.pack("!HHI", kind, len(body), cookie) + TRANSACTION + body


def parsed(reply: bytes | None) -> stun.Message:
    assert reply is not None
    found = stun.parse_message(reply)
    assert found.transaction_id == TRANSACTION
    return found


@pytest.mark.parametrize("source", [SOURCE, SOURCE_6, ("127.0.0.1", 1), ("::1", 65_535)])
def test_a_binding_request_is_told_where_it_came_from(source: tuple[str, int]) -> None:
    reply = parsed(answer(message(), source))
    assert reply.message_class is stun.Class.RESPONSE
    assert reply.attributes == {"XOR-MAPPED-ADDRESS": source}


def test_the_zone_of_an_address_is_not_told() -> None:
    reply = parsed(answer(message(), ("fe80::1%eth0", 7)))
    assert reply.attributes["XOR-MAPPED-ADDRESS"] == ("fe80::1", 7)


def test_who_sends_a_fingerprint_gets_one() -> None:
    asked = stun.Message(stun.Method.BINDING, stun.Class.REQUEST, TRANSACTION)
    asked.add_fingerprint()
    assert "FINGERPRINT" in parsed(answer(bytes(asked), SOURCE)).attributes


def test_what_ice_and_others_add_is_no_obstacle() -> None:
    credentials = [(0x06, b"ab:c"), (0x24, bytes(4)), (0x25, b""), (0x08, bytes(20))]
    optional = [(0x8022, b"soft"), (0xC057, bytes(4)), (0xFFFF, b"")]
    reply = parsed(answer(message(*credentials, *optional), SOURCE))
    assert reply.message_class is stun.Class.RESPONSE


@pytest.mark.parametrize("numbers", [[0x7777], [0x02, 0x7000, 0x7001, 0x7001], list(range(0x7000, 0x7010))])
def test_attributes_that_must_be_known_and_are_not_are_named_in_a_refusal(numbers: list[int]) -> None:
    reply = answer(message(*((number, b"") for number in numbers)), SOURCE)
    assert parsed(reply).error_code == 420
    assert unknown_in(reply) == sorted(set(numbers))[:4]


def test_an_answer_goes_nowhere_else_than_asked_from() -> None:
    for flags in (2, 4, 6):
        reply = answer(message((CHANGE_REQUEST, struct.pack("!I", flags))), SOURCE)
        assert parsed(reply).error_code == 420
        assert unknown_in(reply) == [CHANGE_REQUEST]
    assert parsed(answer(message((CHANGE_REQUEST, bytes(4))), SOURCE)).message_class is stun.Class.RESPONSE


def unknown_in(reply: bytes | None) -> list[int]:
    """Return what UNKNOWN-ATTRIBUTES lists, which the codec does not have."""
    assert reply is not None
    at = stun.HEADER_LENGTH
    while at < len(reply):
        number, length = struct.unpack_from("!HH", reply, at)
        if number == UNKNOWN_ATTRIBUTES:
            return list(struct.unpack_from(f"!{length // 2}H", reply, at + 4))
        at += 4 + length + stun.padding_length(length)
    raise AssertionError("no UNKNOWN-ATTRIBUTES")


def test_a_second_address_is_told_to_who_can_reach_it() -> None:
    private = ("10.0.0.9", 3479)
    viewer = ("93.184.1.1", 5)
    assert parsed(answer(message(), viewer, ("93.184.9.9", 3479))).attributes["OTHER-ADDRESS"] == ("93.184.9.9", 3479)
    assert "OTHER-ADDRESS" not in parsed(answer(message(), viewer, private)).attributes
    assert parsed(answer(message(), ("10.1.1.1", 5), private)).attributes["OTHER-ADDRESS"] == private
    assert parsed(answer(message(), ("127.0.0.1", 5), ("127.0.0.2", 6))).attributes["OTHER-ADDRESS"] == ("127.0.0.2", 6)


@pytest.mark.parametrize(
    "datagram",
    [
        b"",
        b"\x00\x01",
        message()[:-1],
        message() + b"\0",
        message(cookie=0),  # RFC 3489
        message(kind=0x0011),  # an indication
        message(kind=0x0101),  # an answer
        message(kind=0x0111),
        message(kind=0x0003),  # TURN's
        message(kind=0x0FFF),
        message((0x8022, bytes(REQUEST_MAX_BYTES))),
        message((0x8028, bytes(3) + b"\0")),  # a wrong fingerprint
        message((0x24, bytes(2)), (0x8022, bytes(2))),
        message((0x0020, b"\0\x07\0\0\0\0\0\0")),
        struct.pack("!HHI", 1, 4, stun.COOKIE) + TRANSACTION + struct.pack("!HH", 0x8022, 40),
        struct.pack("!HHI", 1, 2, stun.COOKIE) + TRANSACTION + b"\0\0",
        b"GET / HTTP/1.1\r\n\r\n",
    ],
    ids=lambda datagram: datagram.hex()[:40],
)
def test_all_else_is_ignored(datagram: bytes) -> None:
    assert answer(datagram, SOURCE) is None


@pytest.mark.parametrize(
    "source", [("0.0.0.0", 1), ("224.0.0.1", 1), ("255.255.255.255", 1), ("ff02::1", 1), ("192.0.2.1", 0)]
)
def test_senders_that_nobody_is_get_no_answer(source: tuple[str, int]) -> None:
    assert answer(message(), source) is None


ATTRIBUTES = st.lists(
    st.tuples(st.integers(0, 0xFFFF) | st.sampled_from([3, 6, 8, 0x20, 0x24]), st.binary(max_size=24))
)
DATAGRAMS = (
    st.binary(max_size=700)
    | st.builds(
        lambda body: struct.pack("!HHI", 1, len(body), stun.COOKIE) + TRANSACTION + body, st.binary(max_size=300)
    )
    | st.builds(
        lambda attributes: message(*((kind, value + bytes(-len(value) % 4)) for kind, value in attributes)), ATTRIBUTES
    )
)


@given(
    DATAGRAMS, st.sampled_from([SOURCE, SOURCE_6]), st.sampled_from([None, ("2001:db8::2", 3479), ("8.8.8.8", 3479)])
)
def test_no_datagram_raises_or_is_answered_with_much_more_than_itself(
    datagram: bytes, source: tuple[str, int], other: tuple[str, int] | None
) -> None:
    reply = answer(datagram, source, other)
    if reply is not None:
        assert len(reply) <= len(datagram) + GROWTH_MAX_BYTES
        assert stun.parse_message(reply).message_class in (stun.Class.RESPONSE, stun.Class.ERROR)
