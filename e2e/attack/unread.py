"""Members that are sent much and read none of it, but ping: what waits for them is the tracker's memory."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import re
import socket
import time
from pathlib import Path
from typing import Final

from peerpool.core import constants as c
from peerpool.outbox import HARD_LIMIT_BYTES, READ_TIMEOUT_S

from bench.processes import resident_bytes
from e2e.attack.outcomes import Figure, Outcome
from e2e.attack.signalling import joins_ms, located_tracker
from e2e.attack.slow import ADDRESSES, MIB, PASSING, UNBOUNDED, held, running
from e2e.harness.raw_frames import HANDSHAKE, masked
from e2e.harness.tracker import Tracker
from tests.core.driver import CONTENT

MEMBERS: Final = 200
# More than the kernel and the tracker hold for one: 128 KiB and 64.
OFFERS: Final = 20
CUT_WITHIN_S: Final = READ_TIMEOUT_S + 10.0
# What may wait for one, and as much for what it sends: frames that were read and are looked at.
MEMORY_MAX_BYTES: Final = 2 * MEMBERS * HARD_LIMIT_BYTES


def join(port: int, number: int) -> tuple[socket.socket, str]:
    """Join, and read until the welcome; return the socket and the peer id."""
    made = socket.socket()
    made.settimeout(10)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    made.bind((ADDRESSES[number % len(ADDRESSES)], 0))
    made.connect(("127.0.0.1", port))
    message = {"type": "join", "content": CONTENT, "session": "0" * 16, "want": 0}
    made.sendall(HANDSHAKE.format(path="/signal").encode())
    heard = made.recv(2_000)
    made.sendall(masked(json.dumps(message).encode()))
    while (welcome := re.search(rb'"peer":"([0-9a-f]+)"', heard)) is None:
        heard += made.recv(2_000)
    return made, welcome[1].decode()


def flood(members: list[tuple[socket.socket, str]]) -> None:
    """Have each send the next one more than it will be given."""
    for index, (sender, _) in enumerate(members):
        to = members[(index + 1) % len(members)][1]
        offer = {"type": "offer", "to": to, "sdp": "s" * c.MAX_SDP_CHARS}
        sender.sendall(masked(json.dumps(offer).encode()) * OFFERS)
        sender.setblocking(False)


async def attacked(tracker: Tracker, for_s: float) -> tuple[int, float, int]:
    """Attack for so long at most; return how many are held in the end, after how long, and the bytes it took."""
    await joins_ms(tracker, 20)
    sockets_before, bytes_before = held(tracker), resident_bytes(tracker.pid)
    members = [await asyncio.to_thread(join, tracker.port, number) for number in range(MEMBERS)]
    try:
        await asyncio.to_thread(flood, members)
        begun_s, left, grown_bytes = time.monotonic(), MEMBERS, 0
        while (elapsed_s := time.monotonic() - begun_s) < for_s and left > PASSING:
            for one, _ in members:
                with contextlib.suppress(OSError):
                    one.send(masked(b'{"type":"ping"}'))
            await asyncio.sleep(1)
            left = held(tracker) - sockets_before
            grown_bytes = max(grown_bytes, resident_bytes(tracker.pid) - bytes_before)
        return left, elapsed_s if left <= PASSING else math.inf, grown_bytes
    finally:
        for one, _ in members:
            one.close()


async def unread(folder: Path) -> Outcome:
    """Members that flood each other and read nothing."""
    safe, open_ = located_tracker(folder / "safe"), located_tracker(folder / "open", UNBOUNDED)
    async with running(safe, open_):
        (left, gone_s, grown_bytes), (control, _, _) = await asyncio.gather(
            attacked(safe, CUT_WITHIN_S), attacked(open_, CUT_WITHIN_S)
        )
        slowest_ms = max(await joins_ms(safe, 20))
    broken = [] if gone_s <= CUT_WITHIN_S else [f"{left} are held after {CUT_WITHIN_S:.0f} s"]
    if grown_bytes > MEMORY_MAX_BYTES:
        broken.append(f"the tracker took {grown_bytes / MIB:.0f} MiB for it")
    figures: dict[str, Figure] = {"undefended holds": control, f"of {MEMBERS} held": left, "gone after s": gone_s}
    figures |= {"MiB": grown_bytes / MIB, "slowest honest join ms": slowest_ms}
    return Outcome(control >= 0.95 * MEMBERS, broken, figures)
