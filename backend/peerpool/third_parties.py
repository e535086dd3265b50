"""Which npm packages are in what esbuild makes of our sources, and their licences.

Imports nothing but the standard library and our errors, as `bundle.py`, which uses it.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from peerpool.core.errors import BundleError

NODE_MODULES: Final = Path("node_modules")
LICENCE_NAMES: Final = ("LICENSE", "LICENSE.md", "LICENSE.txt", "LICENCE", "license", "COPYING")
TIMEOUT_S: Final = 60
RULE: Final = "=" * 72


def bundled_packages(root: Path, sources: Sequence[str], arguments: Sequence[str], copied: Sequence[str]) -> list[Path]:
    """Return the folders in node_modules whose files `sources` need, built with `arguments`, or that are `copied`.

    Raises BundleError.
    """
    names = {_package_name(Path(path)) for path in copied}
    with tempfile.TemporaryDirectory() as folder:
        meta = Path(folder) / "meta.json"
        command = [
            str(root / NODE_MODULES / ".bin" / "esbuild"), *sources, *arguments, "--bundle", "--format=esm",
            f"--outdir={folder}/out", f"--metafile={meta}", "--log-level=error",
        ]  # fmt: skip
        try:
            done = subprocess.run(  # noqa: S603 (our own arguments)
                command, cwd=root, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise BundleError(f"esbuild did not run: {error}") from None
        if done.returncode != 0:
            raise BundleError(f"esbuild refused the sources:\n{done.stderr.strip()}")
        inputs = json.loads(meta.read_text(encoding="utf-8"))["inputs"]
    for name in inputs:
        parts = Path(name).parts
        if NODE_MODULES.name in parts:
            innermost = len(parts) - parts[::-1].index(NODE_MODULES.name)
            names.add(_package_name(Path(*parts[innermost:])))
    return sorted(root / NODE_MODULES / name for name in names)


def notices(folders: Sequence[Path]) -> Iterator[str]:
    """Yield the licence of each package, as it came. Raises BundleError where one has none."""
    for folder in folders:
        about = json.loads((folder / "package.json").read_text(encoding="utf-8"))
        text = next(((folder / name).read_text("utf-8") for name in LICENCE_NAMES if (folder / name).is_file()), None)
        if text is None:
            raise BundleError(f"{folder} has no licence: it cannot be shipped")
        yield f"{about['name']} {about['version']} ({about.get('license', '')})\n{RULE}\n{text.strip()}\n"


def _package_name(path: Path) -> str:
    return "/".join(path.parts[: 2 if path.parts[0].startswith("@") else 1])
