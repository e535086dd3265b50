"""The STUN server's sockets: two ports of each address, so that clients can tell how their NAT maps (RFC 5780's idea).

What is answered is in `protocols/stun.py`, how often in `core/source_rates.py`. Nothing waits and nothing is kept of a
client; where the network takes no more, answers are dropped, as networks do.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, cast

from peerpool.core.addresses import Reach, parse_address, reach_of
from peerpool.core.errors import ListenError
from peerpool.core.source_rates import DEFAULT_LIMITS, SourceLimits, SourceRates
from peerpool.protocols.stun import Endpoint, answer, is_binding_request

# Every interface, of both families.
ANY_IPV4: Final = "0.0.0.0"  # noqa: S104 - what operators write
ANY_IPV6: Final = "::"
# A family, an address that this machine does not have: no reason not to serve the other one of both.
ABSENT: Final = frozenset({errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL})


class StunServer:
    """Answers on each of `hosts` at two ports, from `start` to `close`."""

    def __init__(
        self,
        hosts: Sequence[str],
        port: int,
        alternate_port: int,
        limits: SourceLimits = DEFAULT_LIMITS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Bind nothing yet. A port of 0 lets the system choose one."""
        self._hosts = hosts
        self._wanted = (port, alternate_port)
        self._sockets: list[socket.socket] = []
        self._transports: list[asyncio.DatagramTransport] = []
        self._rates = SourceRates(limits, clock())
        self._clock = clock
        self.ports: tuple[int, int] | None = None
        # Datagrams since the start by what came of them; an error that was answered is answered.
        self.outcomes = {"answered": 0, "limited": 0, "ignored": 0, "unsent": 0}

    def bind(self) -> tuple[int, int]:
        """Take the ports, unless that is done, and return them. Raises ListenError."""
        if self.ports is None:
            try:
                first, second = (self._bind_all(port) for port in self._wanted)
            except BaseException:
                self.close()
                raise
            self.ports = first, second
        return self.ports

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach it."""
        addresses = [parse_address(one.getsockname()[0]) for one in self._sockets]
        return all(address is not None and reach_of(address) is Reach.HOST for address in addresses)

    async def start(self) -> None:
        """Begin to answer. Raises ListenError."""
        self.bind()
        loop = asyncio.get_running_loop()
        for bound in self._sockets:
            protocol = partial(_Binding, self, self._other(bound))
            transport, _ = await loop.create_datagram_endpoint(protocol, sock=bound)
            self._transports.append(transport)

    def close(self) -> None:
        """Answer no more, and give the ports back."""
        for transport in self._transports:
            transport.close()
        if not self._transports:  # with them they are closed already
            for bound in self._sockets:
                bound.close()
        self._transports, self._sockets, self.ports = [], [], None

    def outcome(self, datagram: bytes, source: Endpoint, other: Endpoint | None) -> bytes | str:
        """Return the answer to `datagram`, or why there is none."""
        if not is_binding_request(datagram):
            return "ignored"
        if not self._rates.take(source[0], self._clock()):
            return "limited"
        reply = answer(datagram, source, other)
        return "ignored" if reply is None else reply

    def _bind_all(self, port: int) -> int:
        """Bind every address at `port`; return it, or the one that the system chose."""
        hosts = list(self._hosts)
        if ANY_IPV4 in hosts and ANY_IPV6 not in hosts:
            hosts.append(ANY_IPV6)
        error: OSError | None = None
        count = len(self._sockets)
        for host in hosts:
            try:
                for family, address in _addresses(host, port):
                    bound = _bind(family, address)
                    self._sockets.append(bound)
                    port = bound.getsockname()[1]
            except OSError as problem:
                if problem.errno not in ABSENT or host != ANY_IPV6:
                    raise _listen_error(host, port, problem) from None
                error = problem
        if len(self._sockets) == count and error is not None:
            raise _listen_error(hosts[-1], port, error)
        return port

    def _other(self, bound: socket.socket) -> Endpoint | None:
        """Return the other port of another address of this server, which a second IP address makes (RFC 5780, 7.4)."""
        own = bound.getsockname()
        for one in self._sockets:
            name = one.getsockname()
            if one.family == bound.family and name[0] != own[0] and name[1] != own[1]:
                return name[0], name[1]
        return None


class _Binding(asyncio.DatagramProtocol):
    """One socket's protocol."""

    def __init__(self, server: StunServer, other: Endpoint | None) -> None:
        self._server = server
        self._other = other
        self._transport: asyncio.DatagramTransport | None = None
        self._is_full = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast(asyncio.DatagramTransport, transport)

    def pause_writing(self) -> None:
        """Drop answers from now on: 64 KiB of them wait for the network."""
        self._is_full = True

    def resume_writing(self) -> None:
        """Answer again."""
        self._is_full = False

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        """Answer, if it is to be answered."""
        reply = self._server.outcome(data, (addr[0], addr[1]), self._other)
        outcomes = self._server.outcomes
        if isinstance(reply, str):
            outcomes[reply] += 1
        elif self._is_full or self._transport is None:
            outcomes["unsent"] += 1
        else:
            outcomes["answered"] += 1
            self._transport.sendto(reply, addr)

    def error_received(self, exc: Exception) -> None:
        """Forget it: somebody was gone before the answer came (ICMP)."""


def _addresses(host: str, port: int) -> list[tuple[socket.AddressFamily, tuple[Any, ...]]]:
    found = socket.getaddrinfo(host or ANY_IPV4, port, type=socket.SOCK_DGRAM, flags=socket.AI_PASSIVE)
    return [(family, address) for family, _, _, _, address in found]


def _bind(family: socket.AddressFamily, address: tuple[Any, ...]) -> socket.socket:
    bound = socket.socket(family, socket.SOCK_DGRAM)
    try:
        if family == socket.AF_INET6:  # IPv4 has sockets of its own, and its addresses are to look like what they are
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        bound.setblocking(False)
        bound.bind(address)
    except BaseException:
        bound.close()
        raise
    return bound


def _listen_error(host: str, port: int, error: OSError) -> ListenError:
    return ListenError(
        f"cannot answer STUN on {host} UDP port {port}: {error.strerror}; try another --stun-port, or go without"
        " with --no-stun"
    )
