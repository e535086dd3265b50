"""Real servers for tests: the command in a process of its own, on a port of its own."""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from websockets import Origin, Subprotocol
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from e2e.harness.raw_frames import HANDSHAKE, masked

START_TIMEOUT_S = 30
RECV_TIMEOUT_S = 10
ROOT = Path(__file__).parents[1]


class ServerProcess:
    """A running `peerpool serve`."""

    def __init__(self, process: subprocess.Popen[str], base: str) -> None:
        self.process = process
        self.base = base
        self.ws_base = base.replace("http", "ws", 1)

    def native(
        self, source: str = "", origin: str | None = None, headers: Mapping[str, str] | None = None
    ) -> ClientConnection:
        """Open a socket on /signal, from an address of this machine and a page of `origin`, with more `headers`."""
        host, port = self.base.removeprefix("http://").split(":")
        raw = socket.create_connection((host, int(port)), RECV_TIMEOUT_S, (source, 0) if source else None)
        url, subprotocols = f"{self.ws_base}/signal", [Subprotocol("peerpool.1")]
        page = Origin(origin) if origin is not None else None
        return connect(
            url,
            sock=raw,
            subprotocols=subprotocols,
            compression=None,
            close_timeout=1,
            origin=page,
            additional_headers=headers,
        )

    def torrent(self) -> ClientConnection:
        """Open a socket on /announce."""
        return connect(f"{self.ws_base}/announce", compression=None)


@contextlib.contextmanager
def running_server(program: Sequence[str] = ("-m", "peerpool.cli"), **variables: str) -> Iterator[ServerProcess]:
    """Run `peerpool serve` on a free port with settings from `variables`; end it on leaving.

    It answers no STUN where they do not say so: many run at once.
    """
    settings = {"PEERPOOL_STUN": "false"} | {f"PEERPOOL_{name.upper()}": value for name, value in variables.items()}
    process = subprocess.Popen(
        [sys.executable, *program, "serve", "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | settings,
        cwd=ROOT,
    )
    try:
        yield ServerProcess(process, _read_base(process))
    finally:
        if process.poll() is None:
            process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def _read_base(process: subprocess.Popen[str]) -> str:
    """Return the base URL from the start-up summary. The listener is bound by then, so connecting waits, not fails."""
    assert process.stdout is not None
    seen = ""
    for line in process.stdout:
        seen += line
        found = re.match(r"\s+demo\s+(http://\S+)/demo", line)
        if found:
            return found[1]
    raise AssertionError(f"the server did not start:\n{seen}")


def send(client: ClientConnection, **message: Any) -> None:
    """Send a message of the native protocol."""
    client.send(json.dumps(message))


def receive(client: ClientConnection, kind: str) -> dict[str, Any]:
    """Return the next message of type `kind`, skipping hints."""
    while True:
        message: dict[str, Any] = json.loads(client.recv(RECV_TIMEOUT_S))
        if message["type"] == kind:
            return message
        assert message["type"] == "hint", message


def join(client: ClientConnection, content: str, **options: Any) -> dict[str, Any]:
    """Join and return the welcome."""
    send(client, type="join", content=content, session="0123456789abcdef", **options)
    return receive(client, "welcome")


def close_code(client: ClientConnection) -> int:
    """Read until the server closes the socket; return the code it gave."""
    with pytest.raises(ConnectionClosed) as caught:
        while True:
            client.recv(RECV_TIMEOUT_S)
    assert caught.value.rcvd is not None
    return caught.value.rcvd.code


@contextlib.contextmanager
def stuck_client(server: ServerProcess, content: str) -> Iterator[str]:
    """Join with a socket that never reads again; yield its peer id. Written by hand, because libraries read for you."""
    host, port = server.base.removeprefix("http://").split(":")
    with socket.socket() as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.connect((host, int(port)))
        raw.sendall(HANDSHAKE.format(path="/signal").encode())
        assert b"101" in raw.recv(2000)
        message = {"type": "join", "content": content, "session": "0" * 16, "want": 0}
        raw.sendall(masked(json.dumps(message).encode()))
        welcome = re.search(rb'"peer":"([0-9a-f]+)"', raw.recv(2000))
        assert welcome is not None
        yield welcome[1].decode()
