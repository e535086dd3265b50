"""STUN's Binding (RFC 8489): a datagram and where it came from to the answer, or to none. Pure: no sockets, no clock.

What is answered is a Binding request with the magic cookie. All else is ignored without a word: other methods and
classes (an answer to an answer would let two servers talk to each other for ever), RFC 3489's requests without the
cookie, and whatever cannot be read. A request's sender may be forged, so an answer goes only to where the request came
from, and is hardly larger than it (`GROWTH_MAX_BYTES`): it has no SOFTWARE, and its reason is one word.
"""

from __future__ import annotations

import struct
from ipaddress import ip_address
from typing import Final

from aioice import stun

from peerpool.core.addresses import Address, Reach, reach_of

# Address and port.
Endpoint = tuple[str, int]

# A browser's request is 20 bytes, one with credentials below 200. More is none of a client that we know.
REQUEST_MAX_BYTES: Final = 548  # what RFC 8489, section 6.1, allows where the path's MTU is not known
# An answer is at most so much longer than its request: two IPv6 addresses of 24 bytes, or an error.
GROWTH_MAX_BYTES: Final = 48
# Attributes from here on may be ignored by who does not know them (RFC 8489, section 14).
OPTIONAL_FROM: Final = 0x8000
# Those that must be known, and are: of RFC 8489 (MAPPED-ADDRESS, USERNAME, MESSAGE-INTEGRITY, ERROR-CODE,
# UNKNOWN-ATTRIBUTES, REALM, NONCE, MESSAGE-INTEGRITY-SHA256, PASSWORD-ALGORITHM, USERHASH, XOR-MAPPED-ADDRESS) and of
# ICE (PRIORITY, USE-CANDIDATE; RFC 8445). Who is asked for no credentials needs none: they are not looked at.
KNOWN: Final = frozenset({0x01, 0x06, 0x08, 0x09, 0x0A, 0x14, 0x15, 0x1C, 0x1D, 0x1E, 0x20, 0x24, 0x25})
# "Send the answer from another address or port" (RFC 5780, section 7.2). A client that is believed in this learns how
# its NAT filters; but behind the forged address of somebody else it also makes him get datagrams that no NAT or
# firewall of his has seen him ask for, so it is treated as unknown. One that asks for nothing does no harm.
CHANGE_REQUEST: Final = 0x0003
UNKNOWN_ATTRIBUTES: Final = 0x000A
# So many unknown attributes are named in an answer; no client has as many.
NAMED_MAX: Final = 4
MAX_PORT: Final = 65_535

_HEADER: Final = struct.Struct("!HHI")
_ATTRIBUTE: Final = struct.Struct("!HH")
_BINDING_REQUEST: Final = stun.Method.BINDING | stun.Class.REQUEST


def is_binding_request(datagram: bytes) -> bool:
    """Whether `datagram` begins like a Binding request. Cheap: the rest need not be read of who asks too often."""
    size = len(datagram)
    if not stun.HEADER_LENGTH <= size <= REQUEST_MAX_BYTES:
        return False
    kind, length, cookie = _HEADER.unpack_from(datagram)
    return bool(kind == _BINDING_REQUEST and cookie == stun.COOKIE and stun.HEADER_LENGTH + length == size)


def answer(datagram: bytes, source: Endpoint, other: Endpoint | None = None) -> bytes | None:
    """Return the answer to `datagram` from `source`, or None where there is none. Raises for no datagram.

    `other` is a second address and port of this server, for clients who ask there too (OTHER-ADDRESS).
    """
    if not is_binding_request(datagram):
        return None
    address = _address(source)
    if not _can_be_asked(address) or not 0 < source[1] <= MAX_PORT:
        return None
    unknown = _unknown_attributes(datagram)
    try:
        request = stun.parse_message(datagram)
    except (ValueError, struct.error):  # the codec raises the latter for attributes of a wrong length
        return None
    if unknown is None:
        return None
    reply = _refusal(request, unknown) if unknown else _success(request, (str(address), source[1]), other)
    # Who sends a FINGERPRINT tells STUN from other traffic by it (RFC 8489, section 7).
    return _with_fingerprint(reply) if "FINGERPRINT" in request.attributes else reply


def _address(endpoint: Endpoint) -> Address:
    """Return the address without its zone."""
    return ip_address(endpoint[0].partition("%")[0])


def _can_be_asked(address: Address) -> bool:
    """Whether one host can have sent from `address`: an answer to a group would go to many."""
    return not (address.is_multicast or address.is_unspecified or str(address) == "255.255.255.255")


def _success(request: stun.Message, source: Endpoint, other: Endpoint | None) -> bytes:
    attributes: dict[str, Endpoint] = {"XOR-MAPPED-ADDRESS": source}
    if other is not None and _is_of_use(_address(other), _address(source)):
        attributes["OTHER-ADDRESS"] = other
    return bytes(stun.Message(stun.Method.BINDING, stun.Class.RESPONSE, request.transaction_id, attributes))


def _is_of_use(other: Address, source: Address) -> bool:
    """Whether `source` can reach the address `other`: behind a cloud's NAT we know a private one of ourselves only."""
    return reach_of(other) in (Reach.PUBLIC, reach_of(source))


def _refusal(request: stun.Message, unknown: list[int]) -> bytes:
    """Return error 420 with UNKNOWN-ATTRIBUTES (RFC 8489, section 6.3.1), which the codec does not have."""
    error = {"ERROR-CODE": (420, "Unknown")}
    reply = bytes(stun.Message(stun.Method.BINDING, stun.Class.ERROR, request.transaction_id, error))
    named = unknown[:NAMED_MAX]
    return _with_attribute(reply, UNKNOWN_ATTRIBUTES, struct.pack(f"!{len(named)}H", *named))


def _with_fingerprint(message: bytes) -> bytes:
    return _with_attribute(message, 0x8028, struct.pack("!I", stun.message_fingerprint(message)))


def _with_attribute(message: bytes, kind: int, value: bytes) -> bytes:
    padding = bytes(stun.padding_length(len(value)))
    longer = message + _ATTRIBUTE.pack(kind, len(value)) + value + padding
    return stun.set_body_length(longer, len(longer) - stun.HEADER_LENGTH)


def _unknown_attributes(datagram: bytes) -> list[int] | None:
    """Return the attributes that must be known and are not, each once; None where they do not fit the message."""
    unknown: list[int] = []
    at, end = stun.HEADER_LENGTH, len(datagram)
    while at < end:
        if at + _ATTRIBUTE.size > end:
            return None
        kind, length = _ATTRIBUTE.unpack_from(datagram, at)
        value = datagram[at + _ATTRIBUTE.size : at + _ATTRIBUTE.size + length]
        at += _ATTRIBUTE.size + length + stun.padding_length(length)
        if at > end:
            return None
        is_unknown = any(value) if kind == CHANGE_REQUEST else kind < OPTIONAL_FROM and kind not in KNOWN
        if is_unknown and kind not in unknown:
            unknown.append(kind)
    return unknown
