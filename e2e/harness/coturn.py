"""coturn, as an operator would run it, on loopback: a TURN server whose credentials are made from a secret."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from e2e.harness.child import Child, free_port, listens

SECRET: Final = "a secret of the test bed"
# What nobody is to reach by a relay; docs/nat.md names the same.
DENIED: Final = (
    "10.0.0.0-10.255.255.255",
    "100.64.0.0-100.127.255.255",
    "169.254.0.0-169.254.255.255",
    "172.16.0.0-172.31.255.255",
    "192.168.0.0-192.168.255.255",
)


class Coturn:
    """A running `turnserver`. Its relays are on loopback too, so it is told to let peers there be reached."""

    def __init__(
        self,
        folder: Path,
        options: Sequence[str] = ("--use-auth-secret", f"--static-auth-secret={SECRET}"),
        denied: Sequence[str] = DENIED,
    ) -> None:
        """`options` come beside those that keep it on loopback and by itself."""
        self.port, self.tls_port = free_port(), free_port()
        command = [
            "turnserver",
            "-n",  # without a configuration file
            "--listening-ip=127.0.0.1",
            "--relay-ip=127.0.0.1",
            "--allow-loopback-peers",
            f"--listening-port={self.port}",
            f"--tls-listening-port={self.tls_port}",
            "--realm=peerpool",
            "--no-cli",
            "--log-file=stdout",
            f"--pidfile={folder / 'turnserver.pid'}",
            f"--userdb={folder / 'turndb'}",
            *(f"--denied-peer-ip={span}" for span in denied),
            *options,
        ]
        self._child = Child("coturn", command, folder / "coturn.log")

    def url(self, transport: str = "udp") -> str:
        """Return its URL over `udp`, `tcp` or `tls`."""
        if transport == "tls":
            return f"turns:localhost:{self.tls_port}?transport=tcp"
        return f"turn:127.0.0.1:{self.port}?transport={transport}"

    def start(self) -> None:
        """Start, and wait until it listens."""
        self._child.start()
        self._child.wait_ready(lambda: listens(self.port), timeout_s=20)

    def stop(self) -> None:
        """Stop without warning."""
        self._child.kill()
