"""The hostile clients, a process of their own: `python -m bench.hostile.attackers PORT SOCKETS SECONDS SEED`.

Sockets of both protocols send random bytes, frames that break RFC 6455, JSON that breaks the schema, messages in the
wrong order, floods, and half a frame with nothing after it; they come back when they are cut. Some ask over HTTP.
Prints as JSON what they did. They give way to whoever else wants the core: they are not what is measured.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import httpx

from e2e.harness.raw_frames import HANDSHAKE, masked

BROWSERS: Final = 3  # that ask over HTTP
CONTENT: Final = "a" * 40
HTTP_PATHS: Final = (
    "/api/swarms",
    "/api/peers/x",
    "/metrics",
    "/stats",
    "/demo?src=%00",
    "/%2e%2e/etc/passwd",
    "/signal",
)


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
class Deeds:
    """What they did and how they fared."""

    attacks: dict[str, int] = field(default_factory=dict)
    refused: int = 0
    server_errors: int = 0


async def attacker(port: int, path: str, rng: random.Random, deeds: Deeds, until_s: float) -> None:
    """Attack, and come back, until the time is up."""
    while time.monotonic() < until_s:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            deeds.refused += 1
            await asyncio.sleep(0.1)
            continue
        try:
            writer.write(HANDSHAKE.format(path=path).encode())
            if b" 101 " not in await asyncio.wait_for(reader.readline(), 10):
                deeds.refused += 1
            for _ in range(rng.randrange(1, 6)):
                name = rng.choice(list(ATTACKS))
                deeds.attacks[name] = deeds.attacks.get(name, 0) + 1
                writer.write(ATTACKS[name](rng))
                await asyncio.wait_for(writer.drain(), 5)
                if rng.random() < 0.7:
                    await asyncio.wait_for(reader.read(65_536), rng.uniform(0, 0.3))
        except (OSError, TimeoutError):
            pass
        finally:
            writer.close()
        await asyncio.sleep(rng.uniform(0, 0.2))


async def browser(url: str, rng: random.Random, deeds: Deeds, until_s: float) -> None:
    """Ask for this and that over HTTP."""
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=10) as client:
        while time.monotonic() < until_s:
            path = rng.choice(HTTP_PATHS) + rng.choice(("", "?limit=-1", "?" + "x" * 3000, "#", "%ff"))
            method = rng.choice(("GET", "POST", "PUT", "OPTIONS", "X" * 30))
            content = rng.randbytes(rng.choice((0, 10, 100_000)))
            try:
                answer = await client.request(method, path, content=content)
                deeds.server_errors += answer.status_code >= 500
            except httpx.HTTPError:
                deeds.refused += 1
            await asyncio.sleep(0.05)


async def attack(port: int, sockets: int, seconds: float, seed: int) -> Deeds:
    """Attack with all of them."""
    deeds, rng, until_s = Deeds(), random.Random(seed), time.monotonic() + seconds
    tasks = [
        attacker(port, ("/signal", "/announce")[number % 2], random.Random(rng.random()), deeds, until_s)
        for number in range(sockets)
    ]
    url = f"http://127.0.0.1:{port}"
    tasks += [browser(url, random.Random(seed + number), deeds, until_s) for number in range(BROWSERS)]
    await asyncio.gather(*tasks)
    return deeds


def main() -> None:
    """Entry point."""
    # Floods come from outside: the first core is the tracker's, and the other whoever's who wants it.
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    port, sockets, seconds, seed = sys.argv[1:]
    print(json.dumps(asdict(asyncio.run(attack(int(port), int(sockets), float(seconds), int(seed))))))


if __name__ == "__main__":
    main()
