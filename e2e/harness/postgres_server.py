"""A real PostgreSQL for tests: a cluster of its own in a folder, on a port of its own, stopped and started again."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

from e2e.harness.child import Child, free_port

# Debian has a folder for each version, which is on nobody's path.
PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
USER = "postgres"


def available() -> bool:
    """Whether this machine has one, and a user to run it as: it refuses to be root's."""
    try:
        pwd.getpwnam(USER)
    except KeyError:
        return False
    return bool(PROGRAMS) and shutil.which("setpriv") is not None


class PostgresServer:
    """One cluster, without passwords, with the database `peerpool`."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"postgresql://{USER}@127.0.0.1:{self.port}/peerpool"
        # Not in a folder of pytest's: those are root's, and closed to others.
        self._folder = Path(tempfile.mkdtemp(prefix="postgres-"))
        self._folder.chmod(0o755)
        data = self._folder / "data"
        data.mkdir()
        if os.geteuid() == 0:
            shutil.chown(data, USER)
        self._run("initdb", "-D", str(data), "-U", USER, "--auth=trust", "--no-sync")
        options = ["-p", str(self.port), "-h", "127.0.0.1", "-k", str(data), "-c", "fsync=off"]
        command = [*self._as_user(), str(PROGRAMS[-1] / "postgres"), "-D", str(data), *options]
        self._child = Child("postgres", command, self._folder / "postgres.log")

    def start(self) -> None:
        """Start, and wait until it answers."""
        self._child.start()
        self._child.wait_ready(self._answers, timeout_s=20)

    def make_database(self) -> None:
        """Make the database of `url`."""
        self._run("createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", USER, "peerpool")

    def stop(self) -> None:
        """Stop, politely."""
        self._child.stop()

    def remove(self) -> None:
        """Remove what is on the disk."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _answers(self) -> bool:
        command = [str(PROGRAMS[-1] / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(command, check=False).returncode == 0

    def _run(self, program: str, *arguments: str) -> None:
        command = [*self._as_user(), str(PROGRAMS[-1] / program), *arguments]
        subprocess.run(command, check=True, capture_output=True, cwd="/")

    @staticmethod
    def _as_user() -> list[str]:
        return ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups"] if os.geteuid() == 0 else []
