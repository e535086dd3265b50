"""A second, independent reading of docs/wire-protocol.md: identities, and frames between browsers.

The tracker never sees these bytes. They are written again here, in another language, so that the golden vectors hold
the document and not one implementation of it; hostile peers in tests speak with it too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from peerpool.core import constants

Fields = dict[str, Any]
TRACK_KEYS = ("type", "codecs", "resolution", "frame_rate", "language", "channels", "name", "bandwidth", "group")


class Malformed(ValueError):
    """Bytes that are no frame."""


def content_name(manifest_url: str) -> str:
    """Host and path of a manifest."""
    parts = urlsplit(manifest_url)
    return parts.netloc + without_tokens(parts.path)


def without_tokens(path: str) -> str:
    """Leave out what CDNs take away before they look for the file: Akamai's and bunny.net's tokens."""
    names = ("hdnts=", "hdntl=", "hdnea=", "bcdn_token=")
    *folders, name = path.split("/")
    return "/".join([*(folder for folder in folders if not folder.startswith(names)), name])


def content_id(name: str) -> str:
    """40 hex digits."""
    return hashlib.sha256(f"{constants.PROTOCOL}:content:{name}".encode()).hexdigest()[:40]


def canonical_track(description: Mapping[str, str]) -> str:
    """Return the line a track id is the hash of."""
    fields = {key: value.strip().lower() for key, value in description.items() if value}
    if "codecs" in fields:
        fields["codecs"] = ",".join(sorted(codec.strip() for codec in fields["codecs"].split(",")))
    return ";".join(f"{key}={fields[key]}" for key in TRACK_KEYS if key in fields)


def track_id(description: Mapping[str, str]) -> str:
    """16 hex digits."""
    line = canonical_track(description)
    return hashlib.sha256(f"{constants.PROTOCOL}:track:{line}".encode()).hexdigest()[:16]


def init_number(url: str, offset: int) -> int:
    """Return the number of an init segment."""
    return int.from_bytes(hashlib.sha256(f"{without_tokens(urlsplit(url).path)}@{offset}".encode()).digest()[:4], "big")


def varint(value: int) -> bytes:
    """RFC 9000 section 16, shortest form."""
    for prefix, (length, bits) in enumerate(((1, 6), (2, 14), (4, 30), (8, 62))):
        if value < 1 << bits:
            return (value | prefix << bits).to_bytes(length, "big")
    raise ValueError(value)


def encode(frame: Fields) -> bytes:
    """Encode the frame of a vector's fields; a payload is in hex."""
    body = [frame["type"].to_bytes(1, "big")]
    if "ref" in frame or "group" in frame:
        ref = frame.get("ref") or frame["group"]
        body += [bytes.fromhex(ref["track"]), bytes([ref["kind"]]), varint(ref["discontinuity"])]
        if "ref" in frame:
            body.append(varint(ref["number"]))
    if frame["type"] == 1:
        body.append(varint(frame["version"]))
    body += [bytes.fromhex(frame[key]) for key in ("session", "peer") if key in frame]
    numbers = ("flags", "sizeBytes", "hops", "reason", "index", "uplinkBytesPerMs")
    body += [varint(frame[key]) for key in numbers if key in frame]
    body.append(bytes.fromhex(frame.get("claimant", "")))
    if "cells" in frame:
        body += [varint(len(frame["cells"])), *(cell.to_bytes(4, "big") for cell in frame["cells"])]
    if "nonce" in frame:
        body.append(frame["nonce"].to_bytes(4, "big"))
    if "ranges" in frame:
        body.append(encode_ranges(frame["ranges"]))
    body.append(bytes.fromhex(frame.get("payload", "")))
    body.append(bytes.fromhex(frame.get("record", "")))
    return b"".join(body)


def encode_ranges(ranges: Sequence[Sequence[int]]) -> bytes:
    """Count, then gap and length of each."""
    end, body = 0, [varint(len(ranges))]
    for first, length in ranges:
        body += [varint(first - end), varint(length)]
        end = first + length
    return b"".join(body)


class Reader:
    """Takes fields off the front of a frame."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def take(self, count: int) -> bytes:
        """Take exactly that many bytes."""
        if len(self.data) < count:
            raise Malformed("cut short")
        taken, self.data = self.data[:count], self.data[count:]
        return taken

    def varint(self) -> int:
        """Take a number of at most 2^53 - 1."""
        first = self.take(1)[0]
        rest = self.take((1 << (first >> 6)) - 1)
        value = int.from_bytes(bytes([first & 0x3F]) + rest, "big")
        if value >= 1 << 53:
            raise Malformed("number out of bounds")
        return value

    def group(self) -> Fields:
        """Take a segment reference without its number."""
        return {"track": self.take(8).hex(), "kind": self.take(1)[0], "discontinuity": self.varint()}

    def ref(self) -> Fields:
        """Take a segment reference."""
        return {**self.group(), "number": self.varint()}

    def size(self) -> int:
        """Take a segment's size."""
        size = self.varint()
        if not 1 <= size <= constants.MAX_SEGMENT_BYTES:
            raise Malformed("size out of bounds")
        return size

    def cells(self) -> list[int]:
        """Take a list of cells."""
        count = self.varint()
        if count > constants.CELLS_MAX:
            raise Malformed("too many cells")
        return [int.from_bytes(self.take(4), "big") for _ in range(count)]

    def ranges(self, limit: int = 1 << 53) -> list[list[int]]:
        """Take ranges that end at or before `limit`."""
        count, end, ranges = self.varint(), 0, []
        if count > constants.MAX_FRAME_RANGES:
            raise Malformed("too many ranges")
        for _ in range(count):
            first, length = end + self.varint(), self.varint()
            end = first + length
            if length < 1 or end >= 1 << 53 or end > limit:
                raise Malformed("range out of bounds")
            ranges.append([first, length])
        return ranges


PIECES_MAX = constants.MAX_SEGMENT_BYTES // constants.PIECE_BYTES


def decode(data: bytes) -> Fields:  # noqa: PLR0912 - a branch a frame type
    """Decode one frame into a vector's fields.

    Raises:
        Malformed: for anything out of bounds.
    """
    reader = Reader(data)
    kind = reader.take(1)[0]
    frame: Fields = {"type": kind}
    match kind:
        case 1:
            frame |= {"version": reader.varint(), "session": reader.take(8).hex()}
            frame |= {"peer": reader.take(10).hex(), "flags": reader.varint()}
        case 2 | 3:
            frame |= {"group": reader.group(), "ranges": reader.ranges()}
        case 4:
            frame |= {"ref": reader.ref(), "hops": reader.varint(), "claimant": reader.take(8).hex()}
        case 5:
            frame |= {"ref": reader.ref()}
        case 6:
            frame |= {"ref": reader.ref(), "sizeBytes": reader.size(), "ranges": reader.ranges(PIECES_MAX)}
        case 7 | 8:
            frame |= {"ref": reader.ref(), "ranges": reader.ranges(PIECES_MAX)}
        case 9:
            frame |= {"ref": reader.ref(), "reason": reader.varint(), "ranges": reader.ranges(PIECES_MAX)}
        case 10:
            frame |= {"ref": reader.ref(), "sizeBytes": reader.size(), "index": reader.varint()}
            expected = min(constants.PIECE_BYTES, frame["sizeBytes"] - frame["index"] * constants.PIECE_BYTES)
            if expected <= 0 or len(reader.data) != expected:
                raise Malformed("piece of a wrong length")
            frame["payload"] = reader.data.hex()
        case 11 | 12:
            frame |= {"nonce": int.from_bytes(reader.take(4), "big")}
        case 13:
            frame |= {"peer": reader.take(10).hex()}
        case 14:
            frame |= {"uplinkBytesPerMs": reader.varint()}
        case 15:
            frame |= {"cells": reader.cells()}
        case 16:
            frame |= {"record": reader.data.hex()}  # tests/digest_reference.py reads it
        case _:
            raise Malformed("unknown type")
    return frame
