"""A wheel in an environment of its own, without Node and far from the checkout, as an operator has it."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from e2e.harness.tracker import Tracker

# What is on the path of a machine where Node was never installed; the environment's own folder comes before it.
SYSTEM = "/usr/sbin:/sbin"
INSTALL_TIMEOUT_S = 240


class Installed:
    """An environment with a wheel and what it needs, from PyPI."""

    def __init__(self, wheel: Path, folder: Path) -> None:
        self._folder = folder
        subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
        command = [self._program("pip"), "install", "--quiet", "--disable-pip-version-check", str(wheel)]
        subprocess.run(command, check=True, timeout=INSTALL_TIMEOUT_S, cwd=folder)

    def run(self, *arguments: str) -> str:
        """Run `peerpool` with these, and return what it prints."""
        command = [self._program("peerpool"), *arguments]
        done = subprocess.run(
            command, check=True, capture_output=True, text=True, cwd=self._folder, env=self._environment()
        )
        return done.stdout

    @contextlib.contextmanager
    def serving(self, logs: Path, **variables: str) -> Iterator[Tracker]:
        """Run its tracker."""
        without = ["env", f"--chdir={self._folder}", f"PATH={self._environment()['PATH']}"]
        tracker = Tracker(logs, env=variables, program=(*without, self._program("peerpool")))
        tracker.start()
        try:
            yield tracker
        finally:
            tracker.stop()

    def _program(self, name: str) -> str:
        return str(self._folder / "venv" / "bin" / name)

    def _environment(self) -> dict[str, str]:
        return os.environ | {"PATH": f"{self._folder / 'venv' / 'bin'}:{SYSTEM}"}
