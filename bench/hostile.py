"""What hostile clients do to the tracker: `python -m bench.hostile --minutes 10 --sockets 200`.

Sockets of both protocols send random bytes, frames that break RFC 6455, JSON that breaks the schema, messages in the
wrong order, floods, and half a frame with nothing after it; they come back when they are cut. Meanwhile honest members
join, one after another. Told at the end: how long joins took with and without the others, what the log says, and how
much memory the tracker has before and after.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.typing import Subprotocol

from bench.processes import resident_bytes
from e2e.harness.raw_frames import HANDSHAKE, masked
from e2e.harness.tracker import Tracker

JOIN_EVERY_S: Final = 0.25
SETTLE_S: Final = 3.0
HTTP_PATHS: Final = (
    "/api/swarms",
    "/api/peers/x",
    "/metrics",
    "/stats",
    "/demo?src=%00",
    "/%2e%2e/etc/passwd",
    "/signal",
)
CONTENT: Final = "a" * 40


def some_json(rng: random.Random, depth: int = 0) -> Any:
    """Return a value, sometimes deep, sometimes large."""
    kind = rng.randrange(9 if depth < 4 else 6)
    if kind < 6:
        return [None, True, rng.randrange(-(2**70), 2**70), rng.uniform(-1e300, 1e300), "", "\u0000\ud83d\ude00" * 9][
            kind
        ]
    if kind == 6:
        return [some_json(rng, depth + 1) for _ in range(rng.randrange(4))]
    return {rng.choice(FIELDS): some_json(rng, depth + 1) for _ in range(rng.randrange(4))}


FIELDS: Final = (
    "type", "action", "content", "session", "to", "sdp", "want", "except", "rtts", "holdings", "info_hash", "peer_id",
    "offers", "answer", "offer_id", "to_peer_id", "event", "count", "candidate", "mid", "line", "held", "track",
)  # fmt: skip
NATIVE_TYPES: Final = ("join", "offer", "answer", "candidate", "decline", "want", "report", "ping", "leave", "welcome")


def near_miss(rng: random.Random) -> bytes:
    """Return a message that is almost one."""
    message = {name: some_json(rng) for name in rng.sample(FIELDS, 5)}
    message["type"], message["action"] = rng.choice(NATIVE_TYPES), rng.choice(("announce", "scrape", "x"))
    if rng.random() < 0.5:
        message |= {
            "content": CONTENT,
            "session": "0" * 16,
            "info_hash": "h" * 20,
            "peer_id": f"{rng.random():<20.18}"[:20],
        }
    return json.dumps(message).encode()


JOIN: Final = b'{"type":"join","content":"%b","session":"%b"}' % (CONTENT.encode(), b"0" * 16)
ATTACKS: Final[dict[str, Callable[[random.Random], bytes]]] = {
    "near misses": lambda rng: b"".join(masked(near_miss(rng)) for _ in range(20)),
    "random text": lambda rng: masked(rng.randbytes(rng.randrange(2000)).hex().encode()),
    "random bytes": lambda rng: rng.randbytes(rng.randrange(1, 4000)),
    "not utf-8": lambda _rng: masked(b"\xff\xfe{"),
    "binary": lambda rng: masked(rng.randbytes(100), opcode=2),
    "bad opcode": lambda rng: masked(b"x", opcode=rng.choice((3, 5, 11, 15))),
    "unmasked": lambda _rng: b"\x81\x02{}",
    "oversized": lambda rng: masked(b"x" * rng.choice((16_385, 70_000, 140_000))),
    "claims a terabyte": lambda _rng: masked(b"x" * 100, claimed=1 << 40),
    "parts without end": lambda _rng: masked(b"x" * 60_000, fin=False) + masked(b"x" * 60_000, 0, fin=False) * 3,
    "half a frame": lambda _rng: masked(b'{"type":"jo', claimed=1000),
    "deep": lambda _rng: masked(b'{"type":"report","holdings":' + b"[" * 7000),
    "flood of pings": lambda _rng: masked(b'{"type":"ping"}') * 2000,
    "flood of joins": lambda _rng: masked(JOIN) * 60,
    "close codes": lambda rng: masked(rng.randbytes(2), opcode=8),
    "control frames": lambda rng: masked(rng.randbytes(125), opcode=9) * 50 + masked(b"x" * 126, opcode=9),
}


@dataclass
class Figures:
    """What was seen."""

    quiet_ms: list[float] = field(default_factory=list)
    under_attack_ms: list[float] = field(default_factory=list)
    attacks: dict[str, int] = field(default_factory=dict)
    refused: int = 0
    failed_joins: int = 0
    server_errors: int = 0
    before_bytes: int = 0
    peak_bytes: int = 0
    after_bytes: int = 0

    def p99_ms(self, name: str) -> float:
        """Return the 99th percentile of joins, in ms."""
        values = self.quiet_ms if name == "quiet" else self.under_attack_ms
        return statistics.quantiles(values, n=100)[98] if len(values) > 1 else float("nan")


async def attacker(port: int, path: str, rng: random.Random, figures: Figures, until_s: float) -> None:
    """Attack, and come back, until the time is up."""
    while time.monotonic() < until_s:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            figures.refused += 1
            await asyncio.sleep(0.1)
            continue
        try:
            writer.write(HANDSHAKE.format(path=path).encode())
            if b" 101 " not in await asyncio.wait_for(reader.readline(), 10):
                figures.refused += 1
            for _ in range(rng.randrange(1, 6)):
                name = rng.choice(list(ATTACKS))
                figures.attacks[name] = figures.attacks.get(name, 0) + 1
                writer.write(ATTACKS[name](rng))
                await asyncio.wait_for(writer.drain(), 5)
                if rng.random() < 0.7:
                    await asyncio.wait_for(reader.read(65_536), rng.uniform(0, 0.3))
        except (OSError, TimeoutError):
            pass
        finally:
            writer.close()
        await asyncio.sleep(rng.uniform(0, 0.2))


async def browser(url: str, rng: random.Random, figures: Figures, until_s: float) -> None:
    """Ask for this and that over HTTP."""
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=10) as client:
        while time.monotonic() < until_s:
            path = rng.choice(HTTP_PATHS) + rng.choice(("", "?limit=-1", "?" + "x" * 3000, "#", "%ff"))
            method = rng.choice(("GET", "POST", "PUT", "OPTIONS", "X" * 30))
            content = rng.randbytes(rng.choice((0, 10, 100_000)))
            try:
                answer = await client.request(method, path, content=content)
                figures.server_errors += answer.status_code >= 500
            except httpx.HTTPError:
                figures.refused += 1
            await asyncio.sleep(0.05)


async def honest(port: int, took_ms: list[float], figures: Figures, until_s: float) -> None:
    """Join, again and again, and leave."""
    while time.monotonic() < until_s:
        begun = time.monotonic()
        try:
            async with connect(
                f"ws://127.0.0.1:{port}/signal",
                subprotocols=[Subprotocol("peerpool.1")],
                compression=None,
                close_timeout=1,
            ) as socket:
                await socket.send(json.dumps({"type": "join", "content": "b" * 40, "session": "1" * 16}))
                welcome = json.loads(await asyncio.wait_for(socket.recv(), 10))
                if welcome["type"] != "welcome":
                    raise TimeoutError
                took_ms.append((time.monotonic() - begun) * 1000)
        except (OSError, TimeoutError, InvalidStatus, WebSocketException):
            figures.failed_joins += 1
        await asyncio.sleep(JOIN_EVERY_S)


async def attack(tracker: Tracker, sockets: int, seconds: float, quiet_s: float, seed: int) -> Figures:
    """Measure in quiet, then under attack, then after it."""
    figures, rng = Figures(), random.Random(seed)
    await honest(tracker.port, [], figures, time.monotonic() + 1)  # whatever is made once is made
    figures.before_bytes = resident_bytes(tracker.pid)
    await honest(tracker.port, figures.quiet_ms, figures, time.monotonic() + quiet_s)
    until_s = time.monotonic() + seconds
    tasks = [
        attacker(tracker.port, ("/signal", "/announce")[number % 2], random.Random(rng.random()), figures, until_s)
        for number in range(sockets)
    ]
    tasks += [browser(tracker.url, random.Random(seed + number), figures, until_s) for number in range(3)]
    tasks.append(honest(tracker.port, figures.under_attack_ms, figures, until_s))
    running = asyncio.gather(*tasks)
    while not running.done():
        figures.peak_bytes = max(figures.peak_bytes, resident_bytes(tracker.pid))
        await asyncio.wait([running], timeout=1)
    await running
    await asyncio.sleep(SETTLE_S)
    figures.after_bytes = resident_bytes(tracker.pid)
    return figures


def report(figures: Figures, log: str) -> list[str]:
    """Return lines for people."""
    mib = 2**20
    return [
        f"attacks {sum(figures.attacks.values())}, of {len(figures.attacks)} kinds; turned away {figures.refused}",
        f"honest joins: {len(figures.quiet_ms)} in quiet, p99 {figures.p99_ms('quiet'):.1f} ms; "
        f"{len(figures.under_attack_ms)} under attack, p99 {figures.p99_ms('attack'):.1f} ms "
        f"({figures.p99_ms('attack') / figures.p99_ms('quiet'):.2f}x); failed {figures.failed_joins}",
        f"memory {figures.before_bytes / mib:.1f} MiB before, {figures.peak_bytes / mib:.1f} at most, "
        f"{figures.after_bytes / mib:.1f} after",
        f"HTTP answers 5xx: {figures.server_errors}; tracebacks in the log: {log.count('Traceback')}",
    ]


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="python -m bench.hostile", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--sockets", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--asgi", action="store_true", help="sockets through ASGI")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        tracker = Tracker(Path(name), env={"PEERPOOL_DIRECT_SOCKETS": "false" if chosen.asgi else "true"})
        tracker.start()
        try:
            figures = asyncio.run(attack(tracker, chosen.sockets, chosen.minutes * 60, 30, chosen.seed))
        finally:
            tracker.stop()
        log = tracker.log.read_text(errors="replace")
        print("\n".join(report(figures, log)))
        if "Traceback" in log:
            print(log[log.index("Traceback") - 500 :][:5000])


if __name__ == "__main__":
    main()
