"""Wheel build hook: the browser bundle must be inside the wheel, so build it when we can and refuse when we cannot."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class BundleBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Runs `peerpool bundle` before a wheel is packed."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the bundle, or raise with what to do when there is neither bundle nor esbuild."""
        del build_data
        if self.target_name != "wheel" or version == "editable":
            return  # a source checkout builds on demand
        root = Path(self.root)
        if (root / "node_modules" / "esbuild").is_dir():
            environ = os.environ | {"PYTHONPATH": str(root / "backend")}
            command = [sys.executable, "-m", "peerpool.bundle"]
            subprocess.run(command, env=environ, check=True)  # noqa: S603 (our own file)
        if not (root / "backend" / "peerpool" / "bundled" / "manifest.json").is_file():
            raise RuntimeError(
                "the browser bundle is missing: run `npm ci && peerpool bundle`, then build the wheel again"
            )
