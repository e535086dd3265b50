"""The real tracker as a process: started, killed without warning, started again on the same port."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import httpx

from e2e.harness.child import Child, ChildFailed, free_port

PEERPOOL: Final = str(Path(sys.executable).with_name("peerpool"))


class Tracker:
    """A running `peerpool serve`."""

    def __init__(
        self,
        logs: Path,
        port: int | None = None,
        env: Mapping[str, str] | None = None,
        program: Sequence[str] = (PEERPOOL,),
    ) -> None:
        """`program` is the command before `serve`. STUN is off where `env` does not say so: many run at once."""
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        command = [*program, "serve", "--host", "127.0.0.1"]
        self._child = Child(
            "tracker",
            [*command, "--port", str(self.port)],
            logs / "tracker.log",
            {"PEERPOOL_STUN": "false", **(env or {})},
        )

    @property
    def log(self) -> Path:
        """Where its output goes."""
        return self._child.log

    @property
    def pid(self) -> int:
        """Its process id, while it runs."""
        return self._child.pid

    def start(self) -> None:
        """Start, and wait until it says that it is ready."""
        if self._answers("/readyz"):
            raise ChildFailed("tracker", f"cannot have port {self.port}: something else answers there", self.log)
        self._child.start()
        self._child.wait_ready(lambda: self._answers("/readyz"), timeout_s=30)

    def members(self) -> int:
        """Count the viewers that are members of a swarm, all swarms together, as the tracker sees it."""
        stats = httpx.get(f"{self.url}/stats", timeout=5, trust_env=False).raise_for_status().json()
        return int(stats["members"]["native"])

    def stop(self) -> None:
        """Stop as an operator would, by SIGTERM."""
        self._child.stop()

    def kill(self) -> None:
        """Stop as a crash would, by SIGKILL."""
        self._child.kill()

    def _answers(self, path: str) -> bool:
        try:
            return httpx.get(f"{self.url}{path}", timeout=2, trust_env=False).is_success
        except httpx.TransportError:
            return False
