"""The STUN server over real sockets, by itself and within a real tracker."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest
import uvloop
from aioice import stun
from peerpool import cli
from peerpool.core.errors import ListenError
from peerpool.stun import StunServer

from tests.servers import RECV_TIMEOUT_S, ROOT, ServerProcess, join, running_server

Run = Callable[[Coroutine[Any, Any, None]], None]


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    return asyncio.run if request.param == "asyncio" else uvloop.run


@pytest.fixture(scope="module", params=["direct", "asgi"])
def tracker(request: pytest.FixtureRequest) -> Iterator[ServerProcess]:
    direct = "true" if request.param == "direct" else "false"
    with running_server(stun="true", stun_port="0", stun_alternate_port="0", direct_sockets=direct) as running:
        yield running


def request() -> bytes:
    return bytes(stun.Message(stun.Method.BINDING, stun.Class.REQUEST))


def ask(address: tuple[Any, ...], datagram: bytes | None = None) -> stun.Message:
    """Send a Binding request from a socket of its own; return the answer."""
    with socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(RECV_TIMEOUT_S)
        client.connect(address)
        client.send(datagram or request())
        answer = stun.parse_message(client.recv(1_000))
        assert answer.attributes["XOR-MAPPED-ADDRESS"] == client.getsockname()[:2]
        return answer


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def test_both_ports_answer_until_closed(run: Run) -> None:
    async def serve() -> None:
        server = StunServer(["127.0.0.1"], 0, 0)
        await server.start()
        ports = server.bind()
        assert len(set(ports)) == 2
        for port in ports:
            await asyncio.to_thread(ask, ("127.0.0.1", port))
        assert server.outcomes == {"answered": 2, "limited": 0, "ignored": 0, "unsent": 0}
        assert server.is_local
        server.close()
        await asyncio.sleep(0)
        for port in ports:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as again:
                again.bind(("127.0.0.1", port))

    run(serve())


def test_rubbish_and_floods_are_counted_and_not_answered(run: Run) -> None:
    async def serve() -> None:
        server = StunServer(["127.0.0.1"], 0, 0, clock=lambda: 7.0)
        await server.start()
        address = ("127.0.0.1", server.bind()[0])
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.sendto(b"rubbish", address)
            while server.outcomes["limited"] == 0:
                client.sendto(request(), address)
                await asyncio.sleep(0)
        assert server.outcomes["ignored"] == 1
        assert server.outcomes["answered"] == 2_000
        server.close()

    run(serve())


@pytest.mark.skipif(not has_ipv6(), reason="no IPv6 here")
def test_any_address_is_any_of_both_families(run: Run) -> None:
    async def serve() -> None:
        server = StunServer(["0.0.0.0"], 0, 0)
        await server.start()
        for port in server.bind():
            await asyncio.to_thread(ask, ("127.0.0.1", port))
            await asyncio.to_thread(ask, ("::1", port))
        assert not server.is_local
        server.close()

    run(serve())


def test_a_second_address_is_told(run: Run) -> None:
    async def serve() -> None:
        server = StunServer(["127.0.0.1", "127.0.0.2"], 0, 0)
        await server.start()
        port, alternate = server.bind()
        answer = await asyncio.to_thread(ask, ("127.0.0.1", port))
        assert answer.attributes["OTHER-ADDRESS"] == ("127.0.0.2", alternate)
        answer = await asyncio.to_thread(ask, ("127.0.0.2", alternate))
        assert answer.attributes["OTHER-ADDRESS"] == ("127.0.0.1", port)
        server.close()

    run(serve())


def test_a_port_in_use_is_named_with_what_to_do_and_nothing_is_kept() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        server = StunServer(["127.0.0.1"], 0, taken.getsockname()[1])
        with pytest.raises(ListenError, match="--stun-port, or go without with --no-stun"):
            server.bind()
        assert server.ports is None


def test_an_address_that_is_not_ours_is_named() -> None:
    with pytest.raises(ListenError, match=r"198\.51\.100\.1"):
        StunServer(["198.51.100.1"], 0, 0).bind()
    with pytest.raises(ListenError, match=r"no-such-host\.invalid"):
        StunServer(["no-such-host.invalid"], 0, 0).bind()


def test_the_command_says_that_a_stun_port_is_in_use_and_ends_with_1() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        command = [sys.executable, "-m", "peerpool.cli", "serve", "--port", "0"]
        command += ["--stun-port", str(taken.getsockname()[1])]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, cwd=ROOT)
    assert done.returncode == cli.EXIT_FAILED
    assert "--no-stun" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_command_takes_the_port_it_is_told_and_the_next_one(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["serve", "--stun-port", "x"])
    assert cli.main(["serve", "--port", "0", "--stun-port", "65535"]) == cli.EXIT_USAGE
    assert "stun_alternate_port" in capsys.readouterr().err


def urls_for(tracker: ServerProcess, **headers: str) -> list[str]:
    """Join with these headers of the handshake; return the STUN URLs that the member is told."""
    with tracker.native(headers=headers) as client:
        servers = join(client, "5" * 40)["ice_servers"]
    return [url for server in servers for url in server["urls"]]


def test_stun_is_advertised_under_the_name_by_which_the_page_came_and_answers(tracker: ServerProcess) -> None:
    urls = urls_for(tracker)
    found = [re.fullmatch(r"stun:127\.0\.0\.1:(\d+)", url) for url in urls]
    assert len(found) == 2
    for one in found:
        assert one is not None
        ask(("127.0.0.1", int(one[1])))


def test_a_trusted_proxy_says_by_which_name_the_page_came(tracker: ServerProcess) -> None:
    headers = {"X-Forwarded-For": "192.0.2.1", "X-Forwarded-Host": "localhost:444"}
    assert [url.rpartition(":")[0] for url in urls_for(tracker, **headers)] == ["stun:localhost"] * 2


def test_stun_of_this_machine_only_is_not_advertised_to_others_nor_is_rubbish(tracker: ServerProcess) -> None:
    for host in ("tracker.example", 'stun:"x'):
        assert urls_for(tracker, **{"X-Forwarded-For": "192.0.2.1", "X-Forwarded-Host": host}) == []


def test_operators_see_what_came_of_requests(tracker: ServerProcess) -> None:
    port = int(urls_for(tracker)[0].rpartition(":")[2])
    with urllib.request.urlopen(f"{tracker.base}/metrics", timeout=10) as response:
        before = _answered(response.read().decode())
    ask(("127.0.0.1", port))
    with urllib.request.urlopen(f"{tracker.base}/metrics", timeout=10) as response:
        assert _answered(response.read().decode()) == before + 1


def _answered(metrics: str) -> float:
    found = re.search(r'peerpool_stun_requests_total\{outcome="answered"\} (\S+)', metrics)
    assert found is not None
    return float(found[1])


def test_names_of_the_operator_s_own_are_advertised_to_everybody() -> None:
    settings = {"stun": "true", "stun_port": "0", "stun_alternate_port": "0"}
    with running_server(public_hosts=json.dumps(["Stun.example", "2001:db8::1"]), **settings) as tracker:
        hosts = {url.rpartition(":")[0] for url in urls_for(tracker)}
    assert hosts == {"stun:stun.example", "stun:[2001:db8::1]"}
