"""Thousands of sockets that take their time, from a few addresses: what the tracker holds of them, and for how long.

Judged by the tracker's own descriptors and memory, and by honest viewers of another address who join meanwhile. The
control is the same tracker without these bounds (unbounded.py), at the same time.
"""

from __future__ import annotations

import asyncio
import contextlib
import select
import socket
import statistics
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from peerpool.core.limits import Limits
from peerpool.outbox import CLOSE_GRACE_S

from bench.processes import resident_bytes
from e2e.attack.outcomes import Figure, Outcome
from e2e.attack.signalling import joins_ms, located_tracker
from e2e.harness.raw_frames import HANDSHAKE, masked
from e2e.harness.tracker import PEERPOOL, Tracker

MIB: Final = 1 << 20
SOCKETS: Final = 5_000
# Not 127.0.0.1: the tracker takes it for a proxy's, whose connections are not counted.
ADDRESSES: Final = tuple(f"127.0.0.{number}" for number in range(2, 6))
# Of the tracker's site map all of them are one site.
SITES: Final = 1
# A flood of connections is another attack; these have time.
OPENED_AT_ONCE: Final = 50
OPENED_PER_S: Final = 1_000
DRIP_EVERY_S: Final = 1.0
COME_BACK_EVERY_S: Final = 0.1
CONTROL_S: Final = 30.0
# Deadlines are looked at once a second; the rest is this machine's, which opens ten thousand sockets meanwhile.
SLACK_S: Final = 4.0
MEMORY_MAX_BYTES: Final = 64 * MIB
JOIN_MAX_MS: Final = 1_000.0
# Honest viewers that come and go while descriptors are counted.
PASSING: Final = 5
UNBOUNDED: Final = (sys.executable, "-m", "e2e.attack.unbounded")
# Descriptors of a tracker on a small machine, and enough sockets to take them all.
FEW_FILES: Final = 1_024
ALL_SLOTS: Final = 1_500
LIMITS: Final = Limits()
PING: Final = masked(b"", opcode=9)


@dataclass(frozen=True)
class Kind:
    """A way to be slow: what is sent at first, what every second, and whether answers are read by the byte."""

    first: bytes
    then: bytes = b""
    patience_s: float = LIMITS.head_timeout_s
    # Each of these has so many unfinished ones at most.
    lines: int = len(ADDRESSES)
    reads: bool = False


GET: Final = "GET {path} HTTP/1.1\r\nHost: x\r\n"
HEALTH: Final = GET.format(path="/healthz").encode()
KINDS: Final[dict[str, Kind]] = {
    "no request": Kind(b""),
    "a head by the byte": Kind(HEALTH + b"X: ", b"x"),
    "half a handshake": Kind(HANDSHAKE.format(path="/signal").encode()[:-2]),
    "a body by the byte": Kind(b"POST /demo HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n", b"x"),
    "another head by the byte": Kind(HEALTH + b"\r\n" + HEALTH + b"X: ", b"x"),
    "an answer by the byte": Kind(
        GET.format(path="/peerpool.js.map").encode() + b"\r\n", patience_s=LIMITS.answer_timeout_s, reads=True
    ),
    # These are told why, and do not answer that either.
    "upgraded, no join": Kind(
        HANDSHAKE.format(path="/signal").encode(), PING, LIMITS.join_timeout_s + CLOSE_GRACE_S, SITES
    ),
    "upgraded, no announce": Kind(
        HANDSHAKE.format(path="/announce").encode(), PING, LIMITS.torrent_join_timeout_s + CLOSE_GRACE_S, SITES
    ),
}


class Crowd:
    """Sockets of one kind to one tracker."""

    def __init__(self, tracker: Tracker, kind: Kind) -> None:
        self._tracker, self._kind = tracker, kind
        self._sockets: list[socket.socket] = []

    def open(self, count: int) -> None:
        """Connect, and send what is sent at first."""
        for number in range(len(self._sockets), len(self._sockets) + count):
            self._sockets.append(self._connect(number))

    def go_on(self) -> None:
        """Send and read the little that each does."""
        for one in self._sockets:
            with contextlib.suppress(OSError):
                if self._kind.then:
                    one.send(self._kind.then)
                if self._kind.reads:
                    one.recv(1)

    def come_back(self) -> int:
        """Open others in place of those that were cut; return how many."""
        poll = select.poll()
        for one in self._sockets:
            poll.register(one, select.POLLRDHUP)  # errors and ends are always told
        lost = {descriptor for descriptor, _ in poll.poll(0)}
        for number, one in enumerate(self._sockets):
            if one.fileno() in lost:
                one.close()
                self._sockets[number] = self._connect(number)
        return len(lost)

    def close(self) -> None:
        """Hang up."""
        for one in self._sockets:
            one.close()

    def _connect(self, number: int) -> socket.socket:
        made = socket.socket()
        made.settimeout(10)
        if self._kind.reads:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        made.bind((ADDRESSES[number % len(ADDRESSES)], 0))
        with contextlib.suppress(OSError):
            made.connect(("127.0.0.1", self._tracker.port))
            made.send(self._kind.first)
        made.setblocking(False)
        return made


@dataclass
class Seen:
    """What was seen of a tracker under attack."""

    most: int = 0
    left: int = 0
    grown_bytes: int = 0
    gone_s: float = float("inf")
    quiet_ms: list[float] = field(default_factory=list)
    joins_ms: list[float] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)


def held(tracker: Tracker) -> int:
    """Count the tracker's sockets."""
    folder, count = Path(f"/proc/{tracker.pid}/fd"), 0
    for descriptor in folder.iterdir():
        with contextlib.suppress(OSError):  # closed meanwhile
            count += str(descriptor.readlink()).startswith("socket:")
    return count


async def attacked(tracker: Tracker, kind: Kind, sockets: int, for_s: float, *, again: bool = False) -> Seen:
    """Attack for so long, `again` with those that were cut; stop early when nothing is left. Honest viewers join."""
    seen = Seen()
    await joins_ms(tracker, 20)  # whatever is made once is made
    seen.quiet_ms = await joins_ms(tracker, 40)
    sockets_before, bytes_before = held(tracker), resident_bytes(tracker.pid)
    crowd = Crowd(tracker, kind)
    honest = asyncio.create_task(_join(tracker, seen))
    try:
        for opened in range(0, sockets, OPENED_AT_ONCE):
            await asyncio.to_thread(crowd.open, min(OPENED_AT_ONCE, sockets - opened))
            await asyncio.sleep(OPENED_AT_ONCE / OPENED_PER_S)
            if opened % OPENED_PER_S == 0:
                await asyncio.to_thread(crowd.go_on)
        begun_s = time.monotonic()
        while (elapsed_s := time.monotonic() - begun_s) < for_s and seen.gone_s == float("inf"):
            seen.left = max(0, held(tracker) - sockets_before)
            seen.most = max(seen.most, seen.left)
            seen.grown_bytes = max(seen.grown_bytes, resident_bytes(tracker.pid) - bytes_before)
            if seen.left <= PASSING:
                seen.gone_s = elapsed_s
            elif again:
                await asyncio.to_thread(crowd.come_back)
            await asyncio.to_thread(crowd.go_on)
            await asyncio.sleep(COME_BACK_EVERY_S if again else DRIP_EVERY_S)
    finally:
        honest.cancel()
        await asyncio.gather(honest, return_exceptions=True)
        crowd.close()
    return seen


async def _join(tracker: Tracker, seen: Seen) -> None:
    while True:
        try:
            seen.joins_ms += await asyncio.wait_for(joins_ms(tracker, 1), 5)
        except Exception as error:
            seen.failed.append(repr(error))
        await asyncio.sleep(0.05)


async def sockets(folder: Path, name: str, count: int = SOCKETS, control_s: float = CONTROL_S) -> Outcome:
    """So many sockets of one kind."""
    kind = KINDS[name]
    within_s = kind.patience_s + SLACK_S
    safe, open_ = located_tracker(folder / "safe"), located_tracker(folder / "open", UNBOUNDED)
    async with running(safe, open_):
        seen, control = await asyncio.gather(
            attacked(safe, kind, count, within_s), attacked(open_, kind, count, control_s)
        )
    most = min(LIMITS.max_unfinished, kind.lines * LIMITS.max_line_unfinished)
    broken = _hurt(seen)
    if seen.gone_s > within_s:
        broken.append(f"{seen.left} are held after {within_s:.0f} s")
    if seen.most > most + PASSING:
        broken.append(f"{seen.most} were held at once, and at most {most} should be")
    if seen.grown_bytes > MEMORY_MAX_BYTES:
        broken.append(f"the tracker took {seen.grown_bytes / MIB:.0f} MiB for it")
    figures: dict[str, Figure] = {"undefended holds": control.left, f"after {control_s:.0f} s MiB": _mib(control)}
    figures |= {"held at most": seen.most, "MiB": _mib(seen), "gone after s": seen.gone_s, **_joins(seen)}
    return Outcome(control.left >= 0.95 * count, broken, figures)


async def all_slots(folder: Path) -> Outcome:
    """More sockets than a tracker has descriptors, that come back as soon as they are cut."""
    kind, for_s = KINDS["no request"], LIMITS.head_timeout_s + SLACK_S
    limited = ("sh", "-c", f'ulimit -n {FEW_FILES}; exec "$@"', "sh")
    safe = located_tracker(folder / "safe", (*limited, PEERPOOL))
    open_ = located_tracker(folder / "open", (*limited, *UNBOUNDED))
    async with running(safe, open_):
        seen, control = await asyncio.gather(
            attacked(safe, kind, ALL_SLOTS, for_s, again=True), attacked(open_, kind, ALL_SLOTS, for_s, again=True)
        )
    figures: dict[str, Figure] = {"undefended joins": len(control.joins_ms), "failed": len(control.failed)}
    figures |= {"defended joins": len(seen.joins_ms), "held at most": seen.most, **_joins(seen)}
    return Outcome(bool(control.failed), _hurt(seen), figures)


def _hurt(seen: Seen) -> list[str]:
    """Return what honest viewers had to suffer."""
    broken = [f"{len(seen.failed)} honest joins failed, first {seen.failed[0]}"] if seen.failed else []
    broken += [] if seen.joins_ms else ["no honest viewer joined"]
    slowest_ms = max(seen.joins_ms, default=0.0)
    return broken + ([f"an honest join took {slowest_ms:.0f} ms"] if slowest_ms > JOIN_MAX_MS else [])


def _joins(seen: Seen) -> dict[str, Figure]:
    middle_ms = statistics.median(seen.joins_ms or [float("nan")])
    return {"honest join ms": middle_ms, "x": middle_ms / statistics.median(seen.quiet_ms)}


def _mib(seen: Seen) -> float:
    return seen.grown_bytes / MIB


@contextlib.asynccontextmanager
async def running(*trackers: Tracker) -> AsyncIterator[None]:
    """Run trackers, for as long as the block runs."""
    try:
        await asyncio.gather(*(asyncio.to_thread(tracker.start) for tracker in trackers))
        yield
    finally:
        for tracker in trackers:
            tracker.kill()  # or it would say goodbye to thousands
