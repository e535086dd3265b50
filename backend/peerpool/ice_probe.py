"""Clients of STUN and TURN, to try servers for real: bindings, allocations, bytes from one relay to another."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator
from typing import Any, Final, cast

from aioice import stun, turn

from peerpool.core.ice import ServerUrl
from peerpool.protocols.stun import Endpoint

# Longest that one step may take (seconds): three tries of STUN, at 0, 0.5 and 1.5 s, and two more; a far server's TLS.
STEP_TIMEOUT_S: Final = 6.0
# Tries after the first for a binding, with which it ends after 3.5 s.
BINDING_RETRIES: Final = 2
# Shortest that coturn grants; what is left behind by a check that was ended is gone after it.
ALLOCATION_LIFETIME_S: Final = 600
CHANNEL_REFRESH_S: Final = 500
# Packets sent from relay to relay, of which some may be lost, and how large they are: a WebRTC data channel's.
PACKETS: Final = 10
PACKET_BYTES: Final = 1_100
# Between packets that are sent again until all have come (seconds).
RESEND_S: Final = 0.1


class BindingClient(asyncio.DatagramProtocol):
    """One socket that asks several STUN servers, so that their answers say how one mapping looks to each."""

    def __init__(self) -> None:
        self._transactions: dict[bytes, stun.Transaction] = {}
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        """Take an answer to something that was asked."""
        with contextlib.suppress(ValueError):
            message = stun.parse_message(data)
            transaction = self._transactions.get(message.transaction_id)
            if transaction is not None and message.message_class in (stun.Class.RESPONSE, stun.Class.ERROR):
                transaction.response_received(message, (addr[0], addr[1]))

    def error_received(self, exc: Exception) -> None:
        """Wait for the time to run out: that nothing listens there comes to the same."""

    def send_stun(self, message: stun.Message, addr: Endpoint) -> None:
        """Send for a transaction."""
        if self._transport is not None:
            self._transport.sendto(bytes(message), addr)

    async def ask(self, address: Endpoint) -> Endpoint:
        """Return as what a server sees this socket. Raises stun.TransactionError, ValueError for a wrong answer."""
        request = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
        transaction = stun.Transaction(request, address, self, BINDING_RETRIES)
        self._transactions[request.transaction_id] = transaction
        try:
            reply, _ = await transaction.run()
        finally:
            del self._transactions[request.transaction_id]
        mapped: Endpoint | None = reply.attributes.get("XOR-MAPPED-ADDRESS")
        if mapped is None:
            raise ValueError("an answer without XOR-MAPPED-ADDRESS")
        return mapped


@contextlib.asynccontextmanager
async def binding_client(family: socket.AddressFamily) -> AsyncIterator[tuple[BindingClient, int]]:
    """Yield a client and its local port. Raises OSError."""
    local = "::" if family == socket.AF_INET6 else "0.0.0.0"  # noqa: S104 - to send from any
    loop = asyncio.get_running_loop()
    transport, client = await loop.create_datagram_endpoint(BindingClient, local_addr=(local, 0))
    try:
        yield client, transport.get_extra_info("sockname")[1]
    finally:
        transport.close()


def local_address(server: Endpoint, family: socket.AddressFamily) -> str:
    """Return from which address of this machine `server` is reached. Raises OSError where there is no way."""
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect(server)
        return str(probe.getsockname()[0])


async def resolve(host: str, port: int) -> dict[socket.AddressFamily, Endpoint]:
    """Return one address of `host` of each family. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_DGRAM)
    return {family: (str(address[0]), port) for family, _, _, _, address in reversed(found)}


class Inbox(asyncio.DatagramProtocol):
    """What came to a relay."""

    def __init__(self) -> None:
        self.packets: set[bytes] = set()

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        """Keep a packet."""
        del addr
        self.packets.add(data)


class Allocation:
    """A relay at a TURN server."""

    def __init__(self, client: turn.TurnClientProtocol, relayed: Endpoint) -> None:
        self._client = client
        self.relayed = relayed
        self.inbox = Inbox()
        client.receiver = self.inbox

    async def open_to(self, peer: Endpoint) -> None:
        """Be let send to `peer`, and have from it. Raises stun.TransactionError, TimeoutError."""
        await asyncio.wait_for(self._client.send_data(b"", peer), STEP_TIMEOUT_S)

    async def send(self, data: bytes, peer: Endpoint) -> None:
        """Send to a peer that it was opened to."""
        await self._client.send_data(data, peer)


@contextlib.asynccontextmanager
async def allocation(url: ServerUrl, username: str, credential: str) -> AsyncIterator[Allocation]:
    """Yield a relay of the server at `url`. Raises stun.TransactionError, OSError (TimeoutError, ssl.SSLError)."""
    loop = asyncio.get_running_loop()
    server = (url.host, url.port)
    kind = turn.TurnClientUdpProtocol if url.transport == "udp" else turn.TurnClientTcpProtocol
    client: turn.TurnClientProtocol = kind(server, username, credential, ALLOCATION_LIFETIME_S, CHANNEL_REFRESH_S)
    transport: asyncio.BaseTransport
    async with asyncio.timeout(STEP_TIMEOUT_S):
        if isinstance(client, turn.TurnClientUdpProtocol):
            datagrams = client
            transport, _ = await loop.create_datagram_endpoint(lambda: datagrams, remote_addr=server)
        else:
            stream = client
            tls = ssl.create_default_context() if url.transport == "tls" else None
            # What takes a greeting in TLS for the beginning of something else waits for the rest of it.
            patience_s = None if tls is None else STEP_TIMEOUT_S / 2
            transport, _ = await loop.create_connection(
                lambda: stream, *server, ssl=tls, ssl_handshake_timeout=patience_s
            )
    try:
        relayed = await asyncio.wait_for(client.connect(), STEP_TIMEOUT_S)
        try:
            yield Allocation(client, relayed)
        finally:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(client.delete(), STEP_TIMEOUT_S)
    finally:
        if client.refresh_task is not None:
            client.refresh_task.cancel()
        transport.close()


async def relay_between(one: Allocation, other: Allocation) -> int:
    """Send packets from one relay to the other; return how many of PACKETS came. Raises stun.TransactionError."""
    await one.open_to(other.relayed)
    await other.open_to(one.relayed)
    packets = {bytes([number]) * PACKET_BYTES for number in range(PACKETS)}
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(STEP_TIMEOUT_S):
            while missing := packets - other.inbox.packets:
                for packet in missing:
                    await one.send(packet, other.relayed)
                await asyncio.sleep(RESEND_S)
    return len(packets & other.inbox.packets)
