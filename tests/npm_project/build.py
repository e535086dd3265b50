"""A fresh site that a bundler builds, with the npm package in it: Vite and TypeScript of this checkout, no network."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
SOURCES: Final = ["package.json", "index.html", "tsconfig.json", "tsconfig.nodenext.json", "src"]
COMMAND_TIMEOUT_S: Final = 30


class Project:
    """The site in a folder of its own."""

    def __init__(self, folder: Path, tarball: Path) -> None:
        """Copy the sources and install the tarball; other packages are links to the checkout's."""
        self.folder = folder
        folder.mkdir()
        for name in SOURCES:
            source = Path(__file__).parent / name
            if source.is_dir():
                shutil.copytree(source, folder / name)
            else:
                shutil.copyfile(source, folder / name)
        run(["npm", "install", "--offline", "--no-audit", "--no-fund", str(tarball.resolve())], folder)
        for name in ("dashjs", "hls.js", "shaka-player", "video.js", "vite"):
            (folder / "node_modules" / name).symlink_to(ROOT / "node_modules" / name)

    def check_types(self, config: str = "tsconfig.json") -> str:
        """Return what tsc complains of; empty when nothing is wrong."""
        done = _start([str(ROOT / "node_modules" / ".bin" / "tsc"), "-p", config], self.folder)
        return done.stdout if done.returncode else ""

    def build(self) -> Path:
        """Build the site with Vite; return the folder to serve."""
        run([str(ROOT / "node_modules" / ".bin" / "vite"), "build", "--logLevel", "error"], self.folder)
        return self.folder / "dist"


def run(command: list[str], folder: Path) -> str:
    """Return what the command says; AssertionError with its complaint when it fails."""
    done = _start(command, folder)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def _start(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=COMMAND_TIMEOUT_S, check=False)
