"""A child process of the test bed: starts, logs to a file, is waited for, and is stopped as a whole process group."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]


class ChildFailed(Exception):
    """A child process ended, or did not become ready in time; carries the tail of its log."""

    def __init__(self, name: str, problem: str, log: Path) -> None:
        self.name = name
        self.log = log
        tail = log.read_text(errors="replace")[-2000:] if log.exists() else "(no log)"
        super().__init__(f"{name} {problem}; the end of {log}:\n{tail}")


def free_port() -> int:
    """Find a TCP port that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def listens(port: int) -> bool:
    """Whether somebody accepts connections on a TCP port of this machine."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Child:
    """One child process in its own process group, with both its outputs appended to one log file."""

    def __init__(self, name: str, command: Sequence[str], log: Path, env: Mapping[str, str] | None = None) -> None:
        self.name = name
        self.log = log
        self._command = list(command)
        self._env = {**os.environ, **(env or {})}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        """Whether the process has been started and has not ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Its process id; it must have been started."""
        if self._process is None:
            raise RuntimeError(f"{self.name} was not started")
        return self._process.pid

    def start(self) -> None:
        """Start the process; it must not be running."""
        if self.running:
            raise RuntimeError(f"{self.name} is already running")
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=REPOSITORY,
                env=self._env,
                start_new_session=True,  # Ctrl-C goes to the driver alone, which stops its children in order
            )

    def wait_ready(self, ready: Callable[[], bool], timeout_s: float) -> None:
        """Poll `ready` until it holds; raises `ChildFailed` when the process ends or the time is up."""
        until = time.monotonic() + timeout_s
        while time.monotonic() < until:
            if ready():
                return
            if not self.running:
                code = self._process.returncode if self._process else None
                raise ChildFailed(self.name, f"ended with status {code} before it was ready", self.log)
            time.sleep(0.05)
        raise ChildFailed(self.name, f"was not ready within {timeout_s:.0f} s", self.log)

    def stop(self, timeout_s: float = 5) -> None:
        """Ask the process group to end, then make it; does nothing when it has ended already."""
        self._signal(signal.SIGTERM)
        if self._process is not None:
            try:
                self._process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self) -> None:
        """End the process group at once, as a crash would."""
        self._signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self.running:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)
