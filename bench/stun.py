"""What answering STUN costs: a STUN server in a process of its own, asked by this one as fast as it answers.

The rates that bound it (backend/peerpool/core/source_rates.py) are lifted here. What a core can do is one second by the
processor time of one answer; what is allowed is `SourceLimits.total` of it.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, Final

import uvloop
from aioice import stun
from peerpool.core.limits import Rate
from peerpool.core.source_rates import DEFAULT_LIMITS, SourceLimits
from peerpool.stun import StunServer

from bench.processes import cpu_s

# Requests on their way at once: enough that the server never waits for us, few enough for its socket's buffer.
AT_ONCE: Final = 50
PLENTY: Final = Rate(1e12, 1e12)
LOOPS: Final[dict[str, Callable[[Any], Any]]] = {"asyncio": asyncio.run, "uvloop": uvloop.run}


@dataclass(frozen=True)
class Result:
    """One event loop."""

    loop: str
    answers: int
    cpu_us: float  # processor time of one answer

    @property
    def per_core(self) -> float:
        """Answers a second that a core can give."""
        return 1e6 / self.cpu_us


def _serve(loop: str, channel: Connection) -> None:
    async def run() -> None:
        server = StunServer(["127.0.0.1"], 0, 0, SourceLimits(PLENTY, PLENTY))
        await server.start()
        channel.send(server.bind()[0])
        await asyncio.to_thread(channel.recv)
        server.close()

    LOOPS[loop](run())


def measure(loop: str, answers: int) -> Result:
    """Have `answers` requests answered."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(loop, theirs))
    process.start()
    try:
        assert process.pid is not None
        request = bytes(stun.Message(stun.Method.BINDING, stun.Class.REQUEST))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.connect(("127.0.0.1", ours.recv()))
            client.settimeout(10)
            before_s = cpu_s(process.pid)
            for _ in range(answers // AT_ONCE):
                for _ in range(AT_ONCE):
                    client.send(request)
                for _ in range(AT_ONCE):
                    client.recv(200)
            spent_s = cpu_s(process.pid) - before_s
        ours.send("end")
        process.join(10)
    finally:
        process.kill()
        process.join()
    return Result(loop, answers, 1e6 * spent_s / answers)


def main() -> int:
    """Print a line for each event loop."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--answers", type=int, default=200_000)
    args = parser.parse_args()
    for loop in LOOPS:
        result = measure(loop, args.answers)
        allowed = DEFAULT_LIMITS.total.refill_per_s / result.per_core
        print(f"{loop:<8} {result.cpu_us:5.1f} us an answer, {result.per_core:,.0f} a second and core;", end=" ")
        print(f"what is allowed is {allowed:.0%} of one")
    return 0


if __name__ == "__main__":
    sys.exit(main())
