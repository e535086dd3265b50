"""Writes the npm package `media-peerpool`: the library for bundlers with its types, and the built files to host.

Types are what tsc makes of the sources' JSDoc, and of them only those that the public entry leads to. Source checkouts
only.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from peerpool import __version__, bundle
from peerpool.core.errors import BundleError

# package.json but for the version, which is the Python package's, and README.md.
TEMPLATE: Final = Path("static/npm")
LIBRARY: Final = "peerpool.esm.js"
ENTRY_TYPES: Final = "index.d.ts"
# As built for a tracker: these are for sites that host them, and load each other by hashed name.
HOSTED: Final = ["peerpool.js", "peerpool-sw.js"]
# With splitting, the second scripts are parts that a page's bundler finds; all are mangled in one build, alike.
ESBUILD_ARGS: Final = [
    "--define:PEERPOOL_IS_PACKAGE=true",
    "--format=esm",
    "--splitting",
    "--entry-names=[name]",
    "--chunk-names=parts/[name]-[hash]",
]
IMPORTED: Final = re.compile(r"""(?:from|import\()\s*["'](\.{1,2}/[^"']+)\.js["']""")


def write_package(root: Path, out: Path) -> None:
    """Write the package of the checkout `root` into the folder `out`, in place of what is there. Raises BundleError."""
    manifest = bundle.build(root) if bundle.is_stale(root) else bundle.load_manifest()
    with tempfile.TemporaryDirectory() as folder:
        staging = Path(folder) / "package"
        shutil.copytree(root / TEMPLATE, staging)
        _write_manifest(staging / "package.json")
        shutil.copyfile(root / "LICENSE", staging / "LICENSE")
        _build_library(root, staging / "dist")
        hosted = {name: name for name in HOSTED} | {name: manifest[name].hashed_name for name in bundle.SECOND_SCRIPTS}
        for name, target in hosted.items():
            shutil.copyfile(bundle.BUNDLED / name, staging / "dist" / target)
            shutil.copyfile(bundle.BUNDLED / f"{name}.map", staging / "dist" / f"{name}.map")
        _write_types(root, staging / "types")
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(staging, out)


def pack(package: Path, out: Path) -> Path:
    """Make the tarball of the folder `package` in `out`, as `npm publish` would; return it. Raises BundleError."""
    out.mkdir(parents=True, exist_ok=True)
    command = ["npm", "pack", "--json", "--offline", "--ignore-scripts", "--pack-destination", str(out.resolve())]
    listed = json.loads(_run(command, package))
    # npm 11 answers a list, npm 12 an object by package name.
    packed = listed[0] if isinstance(listed, list) else next(iter(listed.values()))
    return out / str(packed["filename"])


def _write_manifest(path: Path) -> None:
    fields = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(fields | {"version": npm_version(__version__)}, indent=2) + "\n", encoding="utf-8")


def npm_version(version: str) -> str:
    """Return a version of Python's (PEP 440) as npm has it (semver.org): 1.2.0rc1 is 1.2.0-rc.1. Raises BundleError."""
    found = re.fullmatch(r"(\d+\.\d+\.\d+)(?:\.?(a|b|rc|dev)(\d+))?", version)
    if found is None:
        raise BundleError(f"{version} cannot be a version of npm's: name it 1.2.3, 1.2.3rc1 or 1.2.3.dev1")
    release, kind, number = found.groups()
    return f"{release}-{kind}.{number}" if kind else release


def _build_library(root: Path, out: Path) -> None:
    shared = [arg for arg in bundle.ESBUILD_ARGS if not arg.startswith("--define:PEERPOOL_IS_PACKAGE=")]
    # What a second script has in the place of something else is so in its part too.
    aliases = [arg for name in bundle.SECOND_SCRIPTS for arg in bundle.ENTRIES[name][1] if arg.startswith("--alias:")]
    source, _ = bundle.ENTRIES[LIBRARY]
    entry = f"{LIBRARY.removesuffix('.js')}={source}"
    esbuild = str(root / "node_modules" / ".bin" / "esbuild")
    _run(
        [esbuild, entry, *shared, "--define:PEERPOOL_IS_PACKAGE=true", *aliases, *ESBUILD_ARGS, f"--outdir={out}"], root
    )


def _write_types(root: Path, out: Path) -> None:
    js = root / "static" / "js"
    with tempfile.TemporaryDirectory() as folder:
        emitted = Path(folder) / "types"
        config = {
            "extends": str(js / "tsconfig.json"),
            "compilerOptions": {
                "noEmit": False,
                "declaration": True,
                "emitDeclarationOnly": True,
                "rootDir": str(js),
                "outDir": str(emitted),
            },
            "include": [],
            "files": [str(js / "index.js"), *(str(path) for path in sorted(js.glob("*.d.ts")))],
        }
        project = Path(folder) / "tsconfig.json"
        project.write_text(json.dumps(config), encoding="utf-8")
        _run([str(root / "node_modules" / ".bin" / "tsc"), "-p", str(project)], root)
        # Declarations written by hand are not emitted.
        for path in js.rglob("*.d.ts"):
            target = emitted / path.relative_to(js)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
        for name in _reachable(emitted):
            (out / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(emitted / name, out / name)


def _reachable(types: Path) -> set[Path]:
    """Return the declarations that the public entry leads to, relative to the folder `types`."""
    found: set[Path] = set()
    waiting = [Path(ENTRY_TYPES)]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(_imports(types, name))
    return found


def _imports(types: Path, name: Path) -> Iterator[Path]:
    text = re.sub(r"/\*.*?\*/", "", (types / name).read_text(encoding="utf-8"), flags=re.DOTALL)
    for imported in IMPORTED.findall(text):
        yield (types / name.parent / f"{imported}.d.ts").resolve().relative_to(types.resolve())


def _run(command: list[str], folder: Path) -> str:
    try:
        done = subprocess.run(  # noqa: S603 (our own arguments)
            command, cwd=folder, capture_output=True, text=True, timeout=bundle.BUILD_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BundleError(f"{Path(command[0]).name} did not run: {error}; run `npm ci` in the checkout first") from None
    if done.returncode != 0:
        raise BundleError(f"{Path(command[0]).name} failed:\n{(done.stderr or done.stdout).strip()}")
    return done.stdout
