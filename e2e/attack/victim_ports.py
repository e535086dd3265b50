"""UDP ports of this machine that somebody is made to send to: what really arrives there is counted."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from types import TracebackType
from typing import Self


def own_address() -> str:
    """Return this machine's address on its network; nothing is sent. Loopback where there is no network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("198.51.100.1", 9))  # RFC 5737: nobody's
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])


class VictimPorts:
    """So many ports in a row of whatever the system gives; `packets` by port."""

    def __init__(self, count: int) -> None:
        self.address = own_address()
        self.ports: list[int] = []
        self.packets: Counter[int] = Counter()
        self._count = count
        self._transports: list[asyncio.DatagramTransport] = []

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        for _ in range(self._count):
            transport, one = await loop.create_datagram_endpoint(lambda: _Port(self), local_addr=(self.address, 0))
            one.port = transport.get_extra_info("sockname")[1]
            self.ports.append(one.port)
            self._transports.append(transport)
        return self

    async def __aexit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        for transport in self._transports:
            transport.close()

    @property
    def total(self) -> int:
        """Packets that arrived, of all ports."""
        return sum(self.packets.values())

    def candidates(self) -> list[str]:
        """Return candidate lines that name these ports."""
        return [
            f"candidate:{number} 1 udp {2_130_706_431 - number} {self.address} {port} typ host"
            for number, port in enumerate(self.ports, start=1)
        ]


class _Port(asyncio.DatagramProtocol):
    def __init__(self, victim: VictimPorts) -> None:
        self.port = 0
        self._victim = victim

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._victim.packets[self.port] += 1
