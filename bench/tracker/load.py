"""The load generator, a process of its own: `python -m bench.tracker.load URL PROTOCOL PEERS SECONDS`; prints JSON.

Every peer has one round under way: of the WebTorrent protocol an announce with five offers, until its answer comes; of
the native protocol five offers to neighbours and a ping, until its pong comes. So the tracker is always busy, and what
is measured is what it carries. Offers say when they were sent: what their receiver sees is the relay's latency.
"""

from __future__ import annotations

import asyncio
import json
import random
import resource
import statistics
import sys
import time
from typing import Any, Final

from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

OFFERS: Final = 5
SDP: Final = b"v=0" + b"x" * 1497  # of a browser with few network interfaces
CONNECTS_AT_ONCE: Final = 50
WARM_UP_S: Final = 2.0
STAMP_CHARS: Final = 20  # of a torrent client's offer id, and of our stamps
HASH: Final = b"h" * 20
CONTENT: Final = "c" * 40


class Meter:
    """What was counted since the measurement began."""

    def __init__(self) -> None:
        self.runs = False
        self.rounds = 0
        self.relays = 0
        self.latencies_ms: list[float] = []

    def relayed(self, stamp: bytes) -> None:
        """Count an offer that came."""
        if self.runs:
            self.relays += 1
            self.latencies_ms.append((time.monotonic_ns() - int(stamp)) / 1e6)


class Peer(WSListener):
    """One client; `begin` starts its first round."""

    def __init__(self, number: int, meter: Meter) -> None:
        self.number = number
        self.meter = meter
        self.joined = asyncio.get_running_loop().create_future()
        self.transport: WSTransport | None = None

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Become a member."""
        self.transport = transport
        self.join()

    def send(self, frame: bytes) -> None:
        """Send one text frame."""
        if self.transport is not None:
            self.transport.send(WSMsgType.TEXT, frame)

    def count_offer(self, payload: bytes, before: bytes) -> bool:
        """Count it if it is an offer, and return whether it is: its stamp follows `before`."""
        at = payload.find(before)
        if at >= 0:
            start = at + len(before)
            self.meter.relayed(payload[start : start + STAMP_CHARS])
        return at >= 0

    def join(self) -> None:
        """Enter the swarm."""
        raise NotImplementedError

    def begin(self) -> None:
        """Start a round."""
        raise NotImplementedError

    def ended(self) -> None:
        """Count a round, and start the next."""
        self.meter.rounds += self.meter.runs
        self.begin()


class TorrentPeer(Peer):
    """Speaks the WebTorrent tracker protocol."""

    def join(self) -> None:
        """Announce without offers."""
        self._id = b"%020d" % self.number
        self.send(self._announce(b"started", b""))

    def begin(self) -> None:
        """Announce with offers."""
        now = time.monotonic_ns()
        offers = b",".join(
            b'{"offer":{"type":"offer","sdp":"%b"},"offer_id":"%020d"}' % (SDP, now + index) for index in range(OFFERS)
        )
        self.send(self._announce(b"update", offers))

    def on_ws_frame(self, _transport: WSTransport, frame: WSFrame) -> None:
        """Take an offer, or the answer to an announce."""
        payload = frame.get_payload_as_bytes()
        if self.count_offer(payload, b'"offer_id":"'):
            return
        if b'"interval"' in payload:
            if not self.joined.done():
                self.joined.set_result(None)
            else:
                self.ended()

    def _announce(self, event: bytes, offers: bytes) -> bytes:
        return (
            b'{"action":"announce","info_hash":"%b","peer_id":"%b","numwant":%d,"uploaded":0,"downloaded":0,"left":1,'
            b'"event":"%b","offers":[%b]}' % (HASH, self._id, OFFERS, event, offers)
        )


class NativePeer(Peer):
    """Speaks `peerpool.1`."""

    neighbours: tuple[bytes, ...] = ()

    def join(self) -> None:
        """Join, wanting neighbours."""
        session = f"{self.number:016x}"
        self.send(json.dumps({"type": "join", "content": CONTENT, "session": session}).encode())

    def begin(self) -> None:
        """Offer to neighbours, then ping."""
        if not self.neighbours:
            return  # it was the first
        for _ in range(OFFERS):
            to = random.choice(self.neighbours)
            stamp = b"%020d" % time.monotonic_ns()
            self.send(b'{"type":"offer","to":"%b","sdp":"%b%b"}' % (to, stamp, SDP))
        self.send(b'{"type":"ping"}')

    def on_ws_frame(self, _transport: WSTransport, frame: WSFrame) -> None:
        """Take an offer, a pong or the welcome."""
        payload = frame.get_payload_as_bytes()
        if self.count_offer(payload, b'"sdp":"'):
            return
        if b'"pong"' in payload:
            self.ended()
        elif b'"welcome"' in payload:
            self.neighbours = tuple(peer.encode() for peer in json.loads(payload)["neighbours"])
            self.joined.set_result(None)


async def connect(url: str, protocol: str, count: int, meter: Meter) -> list[Peer]:
    """Open and join `count` peers, some at a time."""
    kind: type[Peer] = TorrentPeer if protocol == "webtorrent" else NativePeer
    headers = {} if protocol == "webtorrent" else {"Sec-WebSocket-Protocol": "peerpool.1"}
    gate = asyncio.Semaphore(CONNECTS_AT_ONCE)

    async def one(number: int) -> Peer:
        async with gate:
            local = f"127.0.{1 + number // 20_000}.{1 + number % 200}"
            peer = kind(number, meter)
            await ws_connect(lambda: peer, url, extra_headers=headers, local_addr=(local, 0))
            await peer.joined
            return peer

    return list(await asyncio.gather(*(one(number) for number in range(count))))


async def measure(url: str, protocol: str, count: int, seconds: float) -> dict[str, Any]:
    """Load the tracker for a while; with 0 seconds only be there until a line comes in."""
    meter = Meter()
    peers = await connect(url, protocol, count, meter)
    if seconds == 0:
        print("joined", flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
        return {}
    for peer in peers:
        peer.begin()
    await asyncio.sleep(WARM_UP_S)
    meter.runs, begun = True, time.monotonic()
    own_cpu_s = time.process_time()
    await asyncio.sleep(seconds)
    meter.runs, elapsed_s = False, time.monotonic() - begun
    own_cpu_s = time.process_time() - own_cpu_s
    cuts = statistics.quantiles(meter.latencies_ms, n=100) if len(meter.latencies_ms) > 1 else [float("nan")] * 99
    return {
        "rounds_per_s": meter.rounds / elapsed_s,
        "relays_per_s": meter.relays / elapsed_s,
        "relay_p50_ms": cuts[49],
        "relay_p99_ms": cuts[98],
        "generator_cpu": own_cpu_s / elapsed_s,
    }


def main() -> None:
    """Entry point."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    url, protocol, count, seconds = sys.argv[1:5]
    print(json.dumps(asyncio.run(measure(url, protocol, int(count), float(seconds)))))


if __name__ == "__main__":
    main()
