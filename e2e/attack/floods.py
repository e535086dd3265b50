"""What a hostile peer sends to use up a viewer: frames without end, and conducts that make others wait. Pure."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from peerpool.core.constants import MAX_FRAME_RANGES, MAX_SEGMENT_BYTES, PIECE_BYTES

from e2e.attack.hostile_peer import ABANDON, CLAIM, DIGEST, HAVE, PIECE, PING, PROGRESS, REQUEST
from e2e.attack.lies import Feeder, forged_in_its_name
from e2e.attack.stage import TRACKS
from e2e.attack.truth import KIND_MEDIA, Ref, Truth
from tests import wire_reference as wire

ALL_PIECES: Final = [[0, MAX_SEGMENT_BYTES // PIECE_BYTES]]
GIB_4: Final = 1 << 32
UNKNOWN_TYPE: Final = 200
UNKNOWN_BYTES: Final = 60_000


class Silent:
    """Says nothing of itself, and answers nothing."""

    def opened(self, _session: str) -> Iterable[bytes]:
        return ()

    def received(self, _frame: wire.Fields) -> Iterable[bytes]:
        return ()


class Claimant(Silent):
    """Claims to fetch everything there is, and never has a byte of it; again and again, or a claim would die."""

    def __init__(self, truth: Truth) -> None:
        self._refs = every(truth)

    def opened(self, session: str) -> Iterable[bytes]:
        for ref in self._refs:
            yield wire.encode({"type": CLAIM, "ref": ref, "hops": 0, "claimant": session})


class Boaster(Silent):
    """Says it holds everything, and answers no request."""

    def __init__(self, truth: Truth) -> None:
        self._feeder = Feeder(truth, TRACKS)

    def opened(self, session: str) -> Iterable[bytes]:
        return self._feeder.opened(session)


def every(truth: Truth) -> list[Ref]:
    """List the segments a viewer plays, in order of time."""
    tracks = [truth.refs(track) for track in truth.tracks if track.name in TRACKS]
    return [ref for together in zip(*tracks, strict=True) for ref in together]


def unknown_refs() -> Iterator[Ref]:
    """Make up segments without end, each of a track of its own."""
    for number in itertools.count():
        yield {"track": number.to_bytes(8, "big").hex(), "kind": KIND_MEDIA, "discontinuity": 0, "number": number}


def progress(ref: Ref, size_bytes: int, ranges: list[list[int]]) -> bytes:
    return wire.encode({"type": PROGRESS, "ref": ref, "sizeBytes": size_bytes, "ranges": ranges})


def progress_of_4_gib(truth: Truth) -> Iterator[bytes]:
    for ref in every(truth):
        yield progress(ref, GIB_4, [[0, 1]])


def pieces_of_64_mib(truth: Truth) -> Iterator[bytes]:
    """Declare the largest that may be, of every segment and of thousands more, with a first piece of each."""
    for ref in itertools.chain(every(truth), itertools.islice(unknown_refs(), 5_000)):
        yield progress(ref, MAX_SEGMENT_BYTES, ALL_PIECES)
    for ref in every(truth):
        piece = {"type": PIECE, "ref": ref, "sizeBytes": MAX_SEGMENT_BYTES, "index": 0}
        yield wire.encode({**piece, "payload": bytes(PIECE_BYTES).hex()})


def requests(truth: Truth) -> Iterator[bytes]:
    """Everything, all the time."""
    frames = [wire.encode({"type": REQUEST, "ref": ref, "ranges": ALL_PIECES}) for ref in every(truth)]
    yield from itertools.islice(itertools.cycle(frames), 5_000)


def have_maps(_truth: Truth) -> Iterator[bytes]:
    """As many ranges as a frame holds, of one track after the other."""
    ranges = [[2 * number, 1] for number in range(MAX_FRAME_RANGES)]
    for ref in itertools.islice(unknown_refs(), 5_000):
        group = {key: ref[key] for key in ("track", "kind", "discontinuity")}
        yield wire.encode({"type": HAVE, "group": group, "ranges": ranges})


def claims(truth: Truth) -> Iterator[bytes]:
    """Claims of everything by claimants nobody knows, to be passed on to everybody, and taken back."""
    for ref in itertools.islice(itertools.cycle(every(truth)), 20_000):
        yield wire.encode({"type": CLAIM, "ref": ref, "hops": 1, "claimant": secrets.token_hex(8)})
        yield wire.encode({"type": ABANDON, "ref": ref})


def pings(_truth: Truth) -> Iterator[bytes]:
    yield from itertools.repeat(wire.encode({"type": PING, "nonce": 1}), 50_000)


def digests(truth: Truth) -> Iterator[bytes]:
    """Make records for everything that is wanted, whose signatures have to be checked to be found wrong."""
    for ref in itertools.islice(itertools.cycle(every(truth)), 5_000):
        record = forged_in_its_name(truth, ref, b"x")
        assert record is not None
        yield wire.encode({"type": DIGEST, "record": record.hex()})


def unknown_frames(_truth: Truth) -> Iterator[bytes]:
    """Frames of a later version, as large as a message may be."""
    yield from itertools.repeat(bytes([UNKNOWN_TYPE]) + bytes(UNKNOWN_BYTES), 1_000)


@dataclass(frozen=True)
class Flood:
    """`conduct` is what it does unasked and when asked; `frames` what it sends; `reads` whether it takes what comes."""

    frames: Callable[[Truth], Iterator[bytes]] = lambda _truth: iter(())
    conduct: Callable[[Truth], Silent | Feeder] = lambda _truth: Silent()
    reads: bool = True


FLOODS: Final[dict[str, Flood]] = {
    "PROGRESS of 4 GiB": Flood(progress_of_4_gib),
    "pieces of 64 MiB segments": Flood(pieces_of_64_mib),
    "REQUEST flood": Flood(requests),
    "requests everything, reads nothing": Flood(requests, reads=False),
    "PINGs, reads nothing": Flood(pings, reads=False),
    "have-map bombs": Flood(have_maps),
    "claims that never come": Flood(conduct=Claimant),
    "claims of strangers": Flood(claims),
    "holds everything, answers nothing": Flood(conduct=Boaster),
    "PING flood": Flood(pings),
    "DIGEST flood": Flood(digests),
    "unknown frames of 60 kB": Flood(unknown_frames),
}
