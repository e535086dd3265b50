"""What a hostile feeder sends in place of a segment. Pure: from what was asked and the truth to frames.

A lie is three things: the bytes it gives out for the segment's, the size it declares (the length of those), and the
digest it shows for them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec
from peerpool.core.constants import PIECE_BYTES

from e2e.attack.hostile_peer import DIGEST, HAVE, PIECE, PROGRESS, REQUEST
from e2e.attack.truth import KIND_MEDIA, Ref, Truth
from tests import digest_reference as digest
from tests import wire_reference as wire

FOREIGN_KEY: Final = ec.generate_private_key(ec.SECP256R1())
FLIPPED_AT: Final = 5_000  # inside the first piece of any segment, behind its boxes' heads
GARBAGE: Final = bytes(range(256)) * 128


@dataclass(frozen=True)
class Lie:
    """`given` makes the bytes, `shown` the record; None shows none."""

    given: Callable[[Truth, Ref], bytes]
    shown: Callable[[Truth, Ref, bytes], bytes | None]


def true_bytes(truth: Truth, ref: Ref) -> bytes:
    return truth.bytes_of(ref)


def true_record(truth: Truth, ref: Ref, _given: bytes) -> bytes | None:
    return truth.record(ref)


def flipped(truth: Truth, ref: Ref) -> bytes:
    data = bytearray(truth.bytes_of(ref))
    data[min(FLIPPED_AT, len(data) // 2)] ^= 0x01
    return bytes(data)


def flipped_throughout(truth: Truth, ref: Ref) -> bytes:
    """Change every piece."""
    data = bytearray(truth.bytes_of(ref))
    for start in range(0, len(data), PIECE_BYTES):
        data[min(start + FLIPPED_AT, len(data) - 1)] ^= 0x01
    return bytes(data)


def of_another_segment(truth: Truth, ref: Ref) -> bytes:
    return truth.bytes_of(_moved(truth, ref, 1))


def of_another_track(truth: Truth, ref: Ref) -> bytes:
    """Picture for picture and sound for sound, so that a player may well take it."""
    own = next(track for track in truth.tracks if track.id == ref["track"])
    is_sound = own.name.startswith("audio-")
    other = next(t for t in truth.tracks if t is not own and t.name.startswith("audio-") == is_sound)
    return truth.bytes_of({**ref, "track": other.id})


def truncated(truth: Truth, ref: Ref) -> bytes:
    data = truth.bytes_of(ref)
    return data[: max(1, len(data) * 3 // 4)]


def extended(truth: Truth, ref: Ref) -> bytes:
    return truth.bytes_of(ref) + GARBAGE


def of_an_old_segment(truth: Truth, ref: Ref) -> bytes:
    return truth.bytes_of(_moved(truth, ref, -1))


def record_of_an_old_segment(truth: Truth, ref: Ref, _given: bytes) -> bytes | None:
    """Return a record that is truly signed, and not of this segment."""
    return truth.record(_moved(truth, ref, -1))


def forged(truth: Truth, ref: Ref, given: bytes) -> bytes | None:
    """Return a record that fits the lie, signed by a key nobody trusts."""
    return digest.make(FOREIGN_KEY, truth.content, ref, given)


def forged_in_its_name(truth: Truth, ref: Ref, given: bytes) -> bytes | None:
    """Return the same, with the id of the trusted key: its signature is wrong."""
    record = digest.make(FOREIGN_KEY, truth.content, ref, given)
    return record[:1] + digest.key_id(truth.key) + record[9:]


def of_another_content(truth: Truth, ref: Ref, given: bytes) -> bytes | None:
    """Return a record of the lie that the trusted key signed, for another content: a publisher has more than one."""
    return digest.make(truth.key, wire.content_id("other.example/stream"), ref, given)


def none_shown(_truth: Truth, _ref: Ref, _given: bytes) -> bytes | None:
    return None


def _moved(truth: Truth, ref: Ref, by: int) -> Ref:
    """Return the segment `by` further on, or the nearest the other way where there is none."""
    moved = {**ref, "number": ref["number"] + by}
    return moved if moved["number"] >= 0 and truth.holds(moved) else {**ref, "number": ref["number"] - by}


HONEST: Final = Lie(true_bytes, true_record)
EVERY_PIECE: Final = replace(HONEST, given=flipped_throughout)
LIES: Final[dict[str, Lie]] = {
    "a flipped bit": replace(HONEST, given=flipped),
    "another segment's bytes": replace(HONEST, given=of_another_segment),
    "another track's bytes": replace(HONEST, given=of_another_track),
    "truncated": replace(HONEST, given=truncated),
    "extended": replace(HONEST, given=extended),
    "replayed with its own digest": Lie(of_an_old_segment, record_of_an_old_segment),
    "digest by a foreign key": Lie(flipped, forged),
    "digest in the name of the key": Lie(flipped, forged_in_its_name),
    "digest of another content": Lie(flipped, of_another_content),
    "no digest": Lie(flipped, none_shown),
}


class Feeder:
    """Holds all there is of some tracks, and answers requests with a lie, or the truth; it has no init segments."""

    def __init__(self, truth: Truth, tracks: Iterable[str], lie: Lie = HONEST) -> None:
        self.lied_segments: set[tuple[str, int]] = set()
        self._truth, self._lie = truth, lie
        self._tracks = [track for track in truth.tracks if track.name in tracks]
        self._shown: set[tuple[str, int]] = set()

    def opened(self, _session: str) -> Iterable[bytes]:
        for track in self._tracks:
            group = {"track": track.id, "kind": KIND_MEDIA, "discontinuity": 0}
            yield wire.encode({"type": HAVE, "group": group, "ranges": [[*self._truth.claimed(track)]]})

    def received(self, frame: wire.Fields) -> Iterable[bytes]:
        if frame["type"] != REQUEST or not self._truth.holds(frame["ref"]):
            return
        ref = frame["ref"]
        given = self._lie.given(self._truth, ref)
        key = ref["track"], ref["number"]
        if key not in self._shown:
            self._shown.add(key)
            record = self._lie.shown(self._truth, ref, given)
            if record is not None:
                yield wire.encode({"type": DIGEST, "record": record.hex()})
            count = -(-len(given) // PIECE_BYTES)
            progress = {"type": PROGRESS, "ref": ref, "sizeBytes": len(given), "ranges": [[0, count]]}
            yield wire.encode(progress)
        self.lied_segments.add(key)
        for first, length in frame["ranges"]:
            for index in range(first, first + length):
                payload = given[index * PIECE_BYTES : (index + 1) * PIECE_BYTES]
                if payload:
                    piece = {"type": PIECE, "ref": ref, "sizeBytes": len(given), "index": index}
                    yield wire.encode({**piece, "payload": payload.hex()})
