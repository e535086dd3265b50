"""Records of pieces' hashes: the frozen bytes, the bounds, the hashing."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from peerpool.core import constants as c
from peerpool.core.digests import (
    NUMBER_MAX,
    RECORD_BYTES_MAX,
    RECORD_SEGMENT_BYTES_MAX,
    PieceHasher,
    Record,
    SegmentName,
    decode,
    encode,
    piece_count,
    signed_part,
)
from peerpool.core.errors import Malformed

from tests.servers import ROOT

FROZEN: dict[str, Any] = json.loads((ROOT / "tests" / "vectors" / "digests.json").read_text())
# What every browser takes as one message of a data channel.
MESSAGE_BYTES = 65_536


def media(size_bytes: int) -> bytes:
    return bytes((index * 7 + index // 256) & 255 for index in range(size_bytes))


def record_of(vector: dict[str, Any]) -> Record:
    ref = vector["ref"]
    return Record(
        bytes.fromhex(vector["key_id"]),
        bytes.fromhex(vector["content"]),
        SegmentName(ref["track"], ref["kind"], ref["discontinuity"], ref["number"]),
        vector["size_bytes"],
        tuple(map(bytes.fromhex, vector["pieces"])),
        bytes.fromhex(vector["signature"]),
    )


@pytest.mark.parametrize("vector", FROZEN["valid"], ids=lambda vector: vector["name"])
def test_records_are_the_frozen_ones_both_ways(vector: dict[str, Any]) -> None:
    record = record_of(vector)
    assert encode(record).hex() == vector["record"]
    assert decode(bytes.fromhex(vector["record"])) == record
    assert signed_part(record).hex() == vector["signed"]
    assert vector["signed"].startswith(b"peerpool.1:digest:".hex())


@pytest.mark.parametrize("vector", FROZEN["valid"], ids=lambda vector: vector["name"])
def test_pieces_have_the_frozen_hashes(vector: dict[str, Any]) -> None:
    hasher = PieceHasher()
    hasher.feed(media(vector["size_bytes"]))
    assert [one.hex() for one in hasher.hashes()] == vector["pieces"]


@pytest.mark.parametrize("vector", FROZEN["malformed"], ids=lambda vector: vector["name"])
def test_what_is_no_record_is_refused(vector: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        decode(bytes.fromhex(vector["record"]))


@pytest.mark.parametrize("vector", FROZEN["untrue"], ids=lambda vector: vector["name"])
def test_an_untrue_record_reads_all_the_same(vector: dict[str, Any]) -> None:
    assert encode(decode(bytes.fromhex(vector["record"]))).hex() == vector["record"]


@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_a_record_or_malformed_and_nothing_else(data: bytes) -> None:
    try:
        record = decode(b"\x01" + data)
    except Malformed:
        return
    assert encode(record) == b"\x01" + data


@given(
    st.builds(
        SegmentName,
        st.binary(min_size=8, max_size=8).map(bytes.hex),
        st.integers(0, 255),
        st.integers(0, NUMBER_MAX),
        st.integers(0, NUMBER_MAX),
    ),
    st.integers(1, 20 * c.PIECE_BYTES),
)
def test_what_is_encoded_decodes_to_itself(name: SegmentName, size_bytes: int) -> None:
    hashes = tuple(hashlib.sha256(bytes([index])).digest() for index in range(piece_count(size_bytes)))
    record = Record(b"k" * 8, b"c" * 20, name, size_bytes, hashes, b"s" * 64)
    assert decode(encode(record)) == record


def test_the_longest_record_fits_into_a_message_beside_a_frame_s_type() -> None:
    hashes = (b"h" * 32,) * c.RECORD_PIECES_MAX
    name = SegmentName("f" * 16, 255, NUMBER_MAX, NUMBER_MAX)
    data = encode(Record(b"k" * 8, b"c" * 20, name, RECORD_SEGMENT_BYTES_MAX, hashes, b"s" * 64))
    assert len(data) <= RECORD_BYTES_MAX < MESSAGE_BYTES
    assert decode(data).pieces == hashes
    with pytest.raises(Malformed):
        decode(data + b"\0")


GOOD = record_of(FROZEN["valid"][0])


@pytest.mark.parametrize(
    "bad",
    [
        replace(GOOD, signature=b""),
        replace(GOOD, key_id=b"short"),
        replace(GOOD, content_id=b""),
        replace(GOOD, name=GOOD.name._replace(track_hex="zz" * 8)),
        replace(GOOD, name=GOOD.name._replace(track_hex="00")),
        replace(GOOD, name=GOOD.name._replace(kind=256)),
        replace(GOOD, name=GOOD.name._replace(number=NUMBER_MAX + 1)),
        replace(GOOD, name=GOOD.name._replace(discontinuity=-1)),
        replace(GOOD, size_bytes=0),
        replace(GOOD, size_bytes=RECORD_SEGMENT_BYTES_MAX + 1),
        replace(GOOD, pieces=()),
        replace(GOOD, pieces=(b"short",)),
    ],
)
def test_a_record_out_of_bounds_is_not_made(bad: Record) -> None:
    with pytest.raises(Malformed):
        encode(bad)


@given(st.lists(st.integers(0, 3 * c.PIECE_BYTES), max_size=6))
def test_hashes_do_not_depend_on_how_the_bytes_came(sizes: list[int]) -> None:
    whole, chunked, offset = media(sum(sizes) % 9000) + bytes(sum(sizes)), PieceHasher(), 0
    for size in [*sizes, len(whole)]:
        chunked.feed(whole[offset : offset + size])
        offset += size
    starts = range(0, len(whole), c.PIECE_BYTES)
    assert chunked.hashes() == [hashlib.sha256(whole[at : at + c.PIECE_BYTES]).digest() for at in starts]
    assert chunked.size_bytes == len(whole)
