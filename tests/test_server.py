"""Going away politely, and how the process ends."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from peerpool.core import constants as c
from peerpool.core.limits import Limits
from peerpool.server import within
from websockets.exceptions import ConnectionClosed

from e2e.harness.raw_frames import HANDSHAKE, masked
from tests.servers import ROOT, ServerProcess, close_code, join, receive, running_server, stuck_client

INVALID_DATA = 1007


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_sends_everybody_away_and_ends_with_zero(how: signal.Signals) -> None:
    with running_server() as server, server.native() as native, server.torrent() as torrent:
        native.send(json.dumps({"type": "join", "content": "a" * 40, "session": "0" * 16}))
        assert json.loads(native.recv(10))["type"] == "welcome"
        started = time.monotonic()
        server.process.send_signal(how)
        restart = json.loads(native.recv(10))
        assert restart["type"] == "restart"
        assert restart["reconnect_min_ms"] < restart["reconnect_max_ms"]
        for client in (native, torrent):
            with pytest.raises(ConnectionClosed) as caught:
                client.recv(10)
            assert caught.value.rcvd is not None
            assert caught.value.rcvd.code == c.CLOSE_SERVICE_RESTART
        assert server.process.wait(10) == 0
        assert time.monotonic() - started < 5


def test_a_stuck_client_does_not_hold_up_the_end() -> None:
    with running_server(shutdown_timeout_s="1") as server, stuck_client(server, "a" * 40):
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(10) == 0


def test_text_that_is_not_utf8_closes_and_logs_no_trace() -> None:
    with running_server() as server:
        for client in (server.native(), server.torrent()):
            with client:
                client.send(b"\xff\xfe", text=True)
                with pytest.raises(ConnectionClosed) as caught:
                    client.recv(10)
                assert caught.value.rcvd is not None
                assert caught.value.rcvd.code == INVALID_DATA
        server.process.terminate()
        assert server.process.stdout is not None
        assert "Traceback" not in server.process.stdout.read()


def test_a_killed_server_can_be_started_again_on_its_port() -> None:
    with running_server() as first:
        port = first.base.rpartition(":")[2]
        first.process.kill()
        first.process.wait(10)
        with running_server(port=port):
            pass


def test_an_address_in_use_is_said_plainly() -> None:
    with running_server() as server:
        port = server.base.rpartition(":")[2]
        command = [sys.executable, "-m", "peerpool.cli", "serve", "--port", port]
        done = subprocess.run([*command, "--no-stun"], capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode == 1
        assert "in use" in done.stdout + done.stderr
        assert "Traceback" not in done.stderr


def test_the_stock_uvicorn_command_serves_too() -> None:
    command = [sys.executable, "-m", "uvicorn", "peerpool.app:app", "--port", "0", "--ws", "websockets-sansio"]
    env = os.environ | {"PEERPOOL_STUN_PORT": "0", "PEERPOOL_STUN_ALTERNATE_PORT": "0"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env)
    base = ""
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if "Uvicorn running on" in line:
                base = line.split("Uvicorn running on ")[1].split()[0]
                break
        with urllib.request.urlopen(f"{base}/healthz", timeout=10) as response:
            assert response.status == 200
    finally:
        process.terminate()
        process.communicate(timeout=15)


# The command, with a site that has few tokens: what a test can spend on any machine.
POOR_SITES = """
import functools, sys
import peerpool.app, peerpool.cli
from peerpool.core.limits import Rate
peerpool.app.Limits = functools.partial(peerpool.app.Limits, site_rate=Rate(500.0, 50.0))
sys.exit(peerpool.cli.main(sys.argv[1:]))
"""


def test_who_floods_is_turned_away_then_not_listened_to_and_others_are_served(tmp_path: Path) -> None:
    sites = tmp_path / "sites.csv"
    sites.write_text("network,site\n127.0.0.0/16,here\n127.9.0.0/16,elsewhere\n")
    flood = HANDSHAKE.format(path="/signal").encode() + masked(b"nonsense") * 50
    with running_server(("-c", POOR_SITES), site_map=str(sites)) as server:
        answers = [knock(server, flood) for _ in range(100)]
        assert answers[0] == b"HTTP/1.1 101"
        turned_away = answers.index(b"HTTP/1.1 429")
        assert b"" in answers[turned_away:]  # cut without a word
        with server.native(source="127.9.0.9") as honest:
            join(honest, "a" * 40)
        until = time.monotonic() + 20
        while knock(server, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n") != b"HTTP/1.1 200":
            assert time.monotonic() < until
            time.sleep(0.1)


def knock(server: ServerProcess, request: bytes) -> bytes:
    """Send `request` on a connection of its own; return the start of the answer, empty when there is none."""
    host, port = server.base.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as raw:
        try:
            raw.sendall(request)
            return raw.recv(12)
        except ConnectionError:
            return b""


# The command, with little patience for who does not join, and room for two of those.
IMPATIENT = """
import functools, sys
import peerpool.app, peerpool.cli
peerpool.app.Limits = functools.partial(peerpool.app.Limits, join_timeout_s=1.0, max_line_unfinished=2)
sys.exit(peerpool.cli.main(sys.argv[1:]))
"""


@pytest.mark.parametrize("direct", ["true", "false"])
def test_who_does_not_join_is_cut_for_others_or_told_so_in_the_end(direct: str) -> None:
    with running_server(("-c", IMPATIENT), direct_sockets=direct) as server, contextlib.ExitStack() as stack:
        member, *mute = [stack.enter_context(server.native()) for _ in range(2)]
        join(member, "a" * 40)
        mute += [stack.enter_context(server.native()) for _ in range(2)]
        with pytest.raises(ConnectionClosed) as cut:
            mute[0].recv(10)
        assert cut.value.rcvd is None  # without a goodbye
        assert [close_code(client) for client in mute[1:]] == [c.CLOSE_IDLE] * 2
        join(member, "b" * 40)  # it stays, and may join anew
        with urllib.request.urlopen(f"{server.base}/metrics", timeout=10) as response:
            metrics = response.read().decode()
        assert 'peerpool_cuts_total{owed="join"} 2.0' in metrics
        assert 'peerpool_cuts_total{owed="join_crowd"} 1.0' in metrics


@pytest.mark.parametrize(
    ("open_files", "room", "unfinished", "of_a_line"),
    [(20_000, 17_444, 2_492, 623), (1_024, 840, 120, 30), (1_000_000, 995_840, 4_096, 1_024), (64, 0, 1, 1)],
)
def test_descriptors_are_kept_for_newcomers(open_files: int, room: int, unfinished: int, of_a_line: int) -> None:
    found, limits = within(open_files, Limits())
    assert (found, limits.max_unfinished, limits.max_line_unfinished) == (room, unfinished, of_a_line)


def given_socket(listener: socket.socket, **variables: str) -> subprocess.Popen[str]:
    """Start a tracker as systemd does one that has a socket unit (sd_listen_fds(3))."""
    handed = f"exec 3<&{listener.fileno()}; LISTEN_PID=$$ LISTEN_FDS=1 exec {sys.executable} -m peerpool.cli serve"
    return subprocess.Popen(
        ["bash", "-c", handed],
        pass_fds=[listener.fileno()],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=ROOT,
        env=os.environ | {"PEERPOOL_STUN": "false", **variables},
    )


def test_a_restart_on_a_socket_of_the_systems_refuses_nobody() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        base = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with given_socket(listener) as first:
            served = ServerProcess(first, base)
            with served.native() as client:
                join(client, "c" * 40)
                first.terminate()
                assert receive(client, "restart")["reconnect_min_ms"] > 0
                assert first.wait(15) == 0
                # Between the two: the connection waits in the socket's queue.
                waiting = socket.create_connection(("127.0.0.1", listener.getsockname()[1]), 5)
                waiting.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                with given_socket(listener) as second, waiting:
                    waiting.settimeout(20)
                    assert waiting.recv(100).startswith(b"HTTP/1.1 200")
                    with ServerProcess(second, base).native() as again:
                        assert join(again, "c" * 40)["peer"]
                    second.terminate()


def test_the_start_says_what_is_hardly_meant_so(tmp_path: Path) -> None:
    with running_server(admin_token="short", history=str(tmp_path / "history.db")) as running:
        assert running.process.stdout is not None
        said = ""
        while "WARNING" not in said or "admin_token" not in said:
            said += running.process.stdout.readline()
    assert "OPEN: ANYBODY MAY JOIN" in said
    assert f"/dashboard   (history in {tmp_path / 'history.db'})" in said
    assert "geoip_databases" in said


def test_logs_may_be_json_each_line_of_them() -> None:
    with running_server(log_format="json", log_level="info") as running:
        urllib.request.urlopen(f"{running.base}/healthz").close()
        running.process.terminate()
        assert running.process.stdout is not None
        lines = [line for line in running.process.stdout.read().splitlines() if line.startswith("{")]
    messages = [json.loads(line) for line in lines]
    assert {"time", "level", "logger", "message"} <= messages[0].keys()
    assert any(one["logger"] == "uvicorn.access" and "/healthz" in one["message"] for one in messages)
