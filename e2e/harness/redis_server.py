"""A redis-server of our own that keeps nothing: started, stopped, and started again on the same port."""

from __future__ import annotations

from pathlib import Path

from e2e.harness.child import Child, free_port, listens


class RedisServer:
    """A running `redis-server`."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        keeps_nothing = ["--save", "", "--appendonly", "no", "--dir", str(folder)]
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", *keeps_nothing]
        self._child = Child("redis", command, folder / "redis.log")

    def start(self) -> None:
        """Start, and wait until it listens."""
        self._child.start()
        self._child.wait_ready(lambda: listens(self.port), timeout_s=10)

    def stop(self) -> None:
        """Stop without warning."""
        self._child.kill()
