"""Signed records of segments: their bytes, and the hashing of pieces as they stream in (docs/adr/0012).

No keys and no curves here: `keys.py` signs what `signed_part` returns.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final, NamedTuple

from peerpool.core import constants as c
from peerpool.core.errors import Malformed

SIGNED_PREFIX: Final = f"{c.PROTOCOL}:digest:".encode("ascii")
KEY_ID_BYTES: Final = 8
CONTENT_ID_BYTES: Final = c.CONTENT_ID_HEX_CHARS // 2
TRACK_BYTES: Final = c.TRACK_ID_HEX_CHARS // 2
HASH_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64
# Largest segment that has a record: what RECORD_PIECES_MAX pieces hold (60 MiB).
RECORD_SEGMENT_BYTES_MAX: Final = min(c.MAX_SEGMENT_BYTES, c.RECORD_PIECES_MAX * c.PIECE_BYTES)
# Largest number that browsers count exactly.
NUMBER_MAX: Final = 2**53 - 1
# RFC 9000 section 16: bytes of a varint, by its first two bits.
_VARINT_BYTES: Final = (1, 2, 4, 8)
# Longest record: the fixed fields, three varints, the hashes, the signature.
RECORD_BYTES_MAX: Final = (
    1 + KEY_ID_BYTES + CONTENT_ID_BYTES + TRACK_BYTES + 1 + 3 * 8 + c.RECORD_PIECES_MAX * HASH_BYTES + SIGNATURE_BYTES
)


class SegmentName(NamedTuple):
    """A segment, the same for every viewer of the content (docs/wire-protocol.md section 1)."""

    track_hex: str  # 16 hex digits
    kind: int  # 0 media, 1 init; 0 to 255
    discontinuity: int  # 0 to NUMBER_MAX
    number: int  # 0 to NUMBER_MAX


@dataclass(frozen=True, slots=True)
class Record:
    """What is signed of one segment; `signature` is empty until it is."""

    key_id: bytes
    content_id: bytes
    name: SegmentName
    size_bytes: int  # 1 to RECORD_SEGMENT_BYTES_MAX
    pieces: tuple[bytes, ...]  # SHA-256 of each piece, in order
    signature: bytes = b""  # r and s, 32 bytes each (IEEE P1363)


def piece_count(size_bytes: int) -> int:
    """Return how many pieces a segment of that size has."""
    return -(-size_bytes // c.PIECE_BYTES)


def encode(record: Record) -> bytes:
    """Return the record's bytes. Raises Malformed for a field out of bounds or a record without signature."""
    if len(record.signature) != SIGNATURE_BYTES:
        raise Malformed(f"a signature has {SIGNATURE_BYTES} bytes, not {len(record.signature)}")
    return _unsigned(record) + record.signature


def signed_part(record: Record) -> bytes:
    """Return what the signature is over; that of `record` is not looked at. Raises Malformed as `encode`."""
    return SIGNED_PREFIX + _unsigned(record)


def decode(data: bytes) -> Record:
    """Return the record that `data` is, whole and exactly; its signature is not verified. Raises Malformed."""
    if len(data) > RECORD_BYTES_MAX:
        raise Malformed("longer than a record can be")
    reader = _Reader(data)
    version = reader.take(1)[0]
    if version != c.RECORD_VERSION:
        raise Malformed(f"record of version {version}, not {c.RECORD_VERSION}")
    key_id, content_id = reader.take(KEY_ID_BYTES), reader.take(CONTENT_ID_BYTES)
    name = SegmentName(reader.take(TRACK_BYTES).hex(), reader.take(1)[0], reader.varint(), reader.varint())
    size_bytes = reader.varint()
    _check_size(size_bytes)
    pieces = tuple(reader.take(HASH_BYTES) for _ in range(piece_count(size_bytes)))
    signature = reader.take(SIGNATURE_BYTES)
    if reader.left:
        raise Malformed("bytes after the record")
    return Record(key_id, content_id, name, size_bytes, pieces, signature)


class PieceHasher:
    """Hashes of a segment's pieces from its bytes, in whatever chunks they come."""

    __slots__ = ("_done", "_open", "_room", "size_bytes")

    def __init__(self) -> None:
        self.size_bytes = 0
        self._done: list[bytes] = []
        self._open = hashlib.sha256()
        self._room = c.PIECE_BYTES

    def feed(self, chunk: bytes | memoryview) -> None:
        """Take the next bytes."""
        view = memoryview(chunk)
        self.size_bytes += len(view)
        while len(view) >= self._room:
            self._open.update(view[: self._room])
            view = view[self._room :]
            self._done.append(self._open.digest())
            self._open, self._room = hashlib.sha256(), c.PIECE_BYTES
        self._open.update(view)
        self._room -= len(view)

    def hashes(self) -> list[bytes]:
        """Return the hashes of what came; of the last piece as far as it came."""
        return [*self._done, self._open.digest()] if self._room < c.PIECE_BYTES else list(self._done)


def encode_varint(value: int) -> bytes:
    """Return a number in its shortest form (RFC 9000 section 16). Raises Malformed beyond NUMBER_MAX."""
    if not 0 <= value <= NUMBER_MAX:
        raise Malformed(f"number {value} out of bounds")
    prefix = next(prefix for prefix, length in enumerate(_VARINT_BYTES) if value < 1 << (8 * length - 2))
    length = _VARINT_BYTES[prefix]
    return (value | prefix << (8 * length - 2)).to_bytes(length, "big")


def _unsigned(record: Record) -> bytes:
    _check_size(record.size_bytes)
    track = _track_bytes(record.name.track_hex)
    lengths = (len(record.key_id), len(record.content_id), len(track))
    if lengths != (KEY_ID_BYTES, CONTENT_ID_BYTES, TRACK_BYTES):
        raise Malformed("key id, content id or track id of a wrong length")
    if not 0 <= record.name.kind <= 255:  # noqa: PLR2004 - one byte
        raise Malformed(f"kind {record.name.kind} out of bounds")
    if len(record.pieces) != piece_count(record.size_bytes) or any(len(one) != HASH_BYTES for one in record.pieces):
        raise Malformed("not one hash a piece")
    numbers = (record.name.discontinuity, record.name.number, record.size_bytes)
    head = bytes([c.RECORD_VERSION]) + record.key_id + record.content_id + track + bytes([record.name.kind])
    return b"".join((head, *map(encode_varint, numbers), *record.pieces))


def _track_bytes(track_hex: str) -> bytes:
    try:
        return bytes.fromhex(track_hex)
    except ValueError:
        raise Malformed("a track id is 16 hex digits") from None


def _check_size(size_bytes: int) -> None:
    if not 1 <= size_bytes <= RECORD_SEGMENT_BYTES_MAX:
        raise Malformed(f"a segment of {size_bytes} bytes has no record: 1 to {RECORD_SEGMENT_BYTES_MAX} have")


class _Reader:
    """Takes fields off the front."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._offset = 0

    @property
    def left(self) -> int:
        return len(self._data) - self._offset

    def take(self, count: int) -> bytes:
        if count > self.left:
            raise Malformed("record ends too early")
        start = self._offset
        self._offset += count
        return self._data[start : self._offset]

    def varint(self) -> int:
        first = self.take(1)[0]
        length = _VARINT_BYTES[first >> 6]
        value = int.from_bytes(bytes([first & 0x3F]) + self.take(length - 1), "big")
        if value > NUMBER_MAX:
            raise Malformed("number beyond 2^53 - 1")
        if encode_varint(value)[0] >> 6 != first >> 6:
            raise Malformed("number not in its shortest form")
        return value
