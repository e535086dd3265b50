"""A second, independent reading of the digest record of docs/adr/0012-signed-digests.md: made, signed, read, checked.

Hostile peers in tests make true and false records with it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from peerpool.core import constants

from tests.wire_reference import Malformed, Reader, varint

VERSION = 1
SIGNATURE_BYTES = 64
HASH_BYTES = 32
PIECES_MAX = 1_920
CONTEXT = b"peerpool.1:digest:"


@dataclass(frozen=True)
class Record:
    """What a record says; `ref` as in frames."""

    key_id: bytes
    content: str
    ref: dict[str, Any]
    size_bytes: int
    hashes: list[bytes]


def public_point(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return the public key, 65 bytes, as a `welcome` has it in hex."""
    return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def key_id(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return the 8 bytes that name a key."""
    return hashlib.sha256(public_point(key)).digest()[:8]


def piece_hashes(data: bytes) -> list[bytes]:
    """Return the SHA-256 of each piece."""
    size = constants.PIECE_BYTES
    return [hashlib.sha256(data[first : first + size]).digest() for first in range(0, len(data), size)]


def make(key: ec.EllipticCurvePrivateKey, content: str, ref: dict[str, Any], data: bytes) -> bytes:
    """Make and sign the record of one segment."""
    place = bytes.fromhex(ref["track"]) + bytes([ref["kind"]]) + varint(ref["discontinuity"]) + varint(ref["number"])
    head = bytes([VERSION]) + key_id(key) + bytes.fromhex(content) + place + varint(len(data))
    body = head + b"".join(piece_hashes(data))
    r, s = decode_dss_signature(key.sign(CONTEXT + body, ec.ECDSA(SHA256())))
    return body + r.to_bytes(32, "big") + s.to_bytes(32, "big")


def read(record: bytes) -> Record:
    """Read a record, whoever signed it.

    Raises:
        Malformed: for what is none.
    """
    reader = Reader(record)
    if reader.take(1)[0] != VERSION:
        raise Malformed("another version")
    named, content = reader.take(8), reader.take(20).hex()
    ref, size = reader.ref(), reader.size()
    count = -(-size // constants.PIECE_BYTES)
    if count > PIECES_MAX:
        raise Malformed("too many pieces")
    hashes = [reader.take(HASH_BYTES) for _ in range(count)]
    if len(reader.data) != SIGNATURE_BYTES:
        raise Malformed("no signature, or more than one")
    return Record(named, content, ref, size, hashes)


def is_signed_by(record: bytes, key: ec.EllipticCurvePublicKey) -> bool:
    """Whether the signature is good."""
    body, signature = record[:-SIGNATURE_BYTES], record[-SIGNATURE_BYTES:]
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    try:
        key.verify(encode_dss_signature(r, s), CONTEXT + body, ec.ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True
