"""Starting the origin as a process of its own, and speaking to its control API."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from e2e.harness.child import Child, free_port
from e2e.harness.ledger import Entry


class Origin:
    """A running origin. Reads its own log incrementally, so that asking often stays cheap."""

    def __init__(self, mounts: Mapping[str, Path], logs: Path, port: int | None = None) -> None:
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        control_port = free_port()
        self._control = httpx.Client(base_url=f"http://127.0.0.1:{control_port}/control", timeout=10, trust_env=False)
        self._entries: list[Entry] = []
        logs.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "e2e.harness.origin", "--port", str(self.port)]
        command += ["--control-port", str(control_port), "--log", str(logs / "origin.jsonl")]
        for name, folder in mounts.items():
            command += ["--mount", f"{name}={folder}"]
        self._child = Child("origin", command, logs / "origin.log")

    def start(self) -> None:
        """Start, and wait until both ports answer."""
        self._child.start()
        self._child.wait_ready(self._ready, timeout_s=20)

    def stop(self) -> None:
        """Stop the process."""
        self._control.close()
        self._child.stop()

    def entries(self) -> list[Entry]:
        """Return the whole log up to now."""
        response = self._control.get("/log", params={"since": len(self._entries)}).raise_for_status()
        self._entries += [Entry.from_json(value) for value in response.json()]
        return list(self._entries)

    def digests(self) -> dict[str, str]:
        """SHA-256 of each segment file, by path, as it was when first served."""
        digests: dict[str, str] = self._control.get("/digests").raise_for_status().json()
        return digests

    def set_rules(self, **change: Any) -> None:
        """Replace fields of `origin_rules.Rules`."""
        self._control.post("/rules", json=change).raise_for_status()

    def reset_rules(self) -> None:
        """Back to a fast and healthy origin."""
        self.set_rules(
            outage="", accept_ranges=True, validators=False, total_rate_bps=0, redirects={}, classes={}, viewers={}
        )

    def _ready(self) -> bool:
        try:
            return self._control.get("/rules").is_success
        except httpx.TransportError:
            return False
