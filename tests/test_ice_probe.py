"""Clients of STUN and TURN against our own STUN server and Debian's coturn."""

from __future__ import annotations

import asyncio
import shutil
import socket
import time
from collections.abc import Iterator

import pytest
from aioice import stun
from peerpool.core.ice import ServerUrl, credential, parse_server_url
from peerpool.ice_probe import PACKETS, allocation, binding_client, local_address, relay_between, resolve
from peerpool.stun import StunServer

from e2e.harness.coturn import SECRET, Coturn

needs_coturn = pytest.mark.skipif(shutil.which("turnserver") is None, reason="needs turnserver")


@pytest.fixture(scope="module")
def coturn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Coturn]:
    process = Coturn(tmp_path_factory.mktemp("coturn"))
    process.start()
    yield process
    process.stop()


def credentials(secret: str = SECRET) -> tuple[str, str]:
    username = f"{int(time.time()) + 60}:test"
    return username, credential(secret, username)


def test_one_socket_asks_several_servers() -> None:
    async def ask() -> None:
        server = StunServer(["127.0.0.1"], 0, 0)
        await server.start()
        async with binding_client(socket.AF_INET) as (client, port):
            for stun_port in server.bind():
                assert await client.ask(("127.0.0.1", stun_port)) == ("127.0.0.1", port)
        server.close()

    asyncio.run(ask())


def test_a_server_that_is_not_there_is_given_up() -> None:
    async def ask() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute:
            mute.bind(("127.0.0.1", 0))
            async with binding_client(socket.AF_INET) as (client, _):
                with pytest.raises(stun.TransactionTimeout):
                    await client.ask(mute.getsockname())

    asyncio.run(ask())


def test_names_have_an_address_of_each_family() -> None:
    assert asyncio.run(resolve("127.0.0.1", 7)) == {socket.AF_INET: ("127.0.0.1", 7)}
    assert local_address(("127.0.0.1", 7), socket.AF_INET) == "127.0.0.1"


@needs_coturn
@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_bytes_pass_between_two_relays(coturn: Coturn, transport: str) -> None:
    url = parse_server_url(coturn.url(transport))

    async def relay() -> int:
        async with allocation(url, *credentials()) as one, allocation(url, *credentials()) as other:
            assert one.relayed != other.relayed
            return await relay_between(one, other)

    assert asyncio.run(relay()) == PACKETS


async def allocate(url: ServerUrl, secret: str = SECRET) -> None:
    async with allocation(url, *credentials(secret)):
        pass


@needs_coturn
def test_a_wrong_credential_gets_no_relay(coturn: Coturn) -> None:
    with pytest.raises(stun.TransactionFailed) as caught:
        asyncio.run(allocate(parse_server_url(coturn.url()), "another"))
    assert caught.value.response.error_code == 401


def test_a_server_that_listens_nowhere_is_an_error() -> None:
    with pytest.raises(OSError, match="Connect call failed"):
        asyncio.run(allocate(ServerUrl("turn", "127.0.0.1", 9, "tcp")))
