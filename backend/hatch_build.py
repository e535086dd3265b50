"""Wheel build hook: the browser bundle must be inside the wheel, so build it when we can and refuse when we cannot."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class BundleBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Runs `peerpool bundle` before a wheel is packed."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the bundle, or raise with what to do when there is neither bundle nor esbuild."""
        if self.target_name != "wheel" or version == "editable":
            return  # a source checkout builds on demand; an sdist carries what is there
        root = Path(self.root)
        bundled = root / "backend" / "peerpool" / "bundled"
        if (root / "node_modules" / "esbuild").is_dir():
            script = root / "backend" / "peerpool" / "bundle.py"
            subprocess.run([sys.executable, str(script), str(root)], check=True)  # noqa: S603 (our own file)
        if not (bundled / "manifest.json").is_file():
            raise RuntimeError(
                "the browser bundle is missing: run `npm ci && peerpool bundle`, then build the wheel again"
            )
