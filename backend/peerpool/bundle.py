"""Builds the browser library with esbuild, and knows where its files are.

A wheel carries the files prebuilt. A source checkout builds them when a source is newer. Imports nothing but the
standard library and our errors, because the wheel's build hook runs it before anything is installed.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from peerpool import __version__
from peerpool.core.errors import BundleError
from peerpool.third_parties import NODE_MODULES, bundled_packages, notices

BUNDLED: Final = Path(__file__).parent / "bundled"
MANIFEST: Final = "manifest.json"
# Licences of what is in the bundle and not ours.
NOTICES: Final = "NOTICES.txt"
BUDGET: Final = Path("static/js/bundle-budget.json")
BUILD_TIMEOUT_S: Final = 60
HASH_CHARS: Final = 8

# Built file -> how the library's sources call it: its hashed name and integrity are built into what loads it.
SECOND_SCRIPTS: Final = {
    "peerpool-notice.js": "PEERPOOL_NOTICE",
    "peerpool-crypto.js": "PEERPOOL_CRYPTO",
    "peerpool-files.js": "PEERPOOL_FILES",
    "peerpool-dash.js": "PEERPOOL_DASH",
    "peerpool-debug.js": "PEERPOOL_DEBUG",
}
# Built file -> source, relative to the checkout, and esbuild's arguments for it. What others load by name comes first.
ENTRIES: Final[dict[str, tuple[str, list[str]]]] = {
    "peerpool-notice.js": ("static/js/notice.js", ["--format=esm"]),
    # Loaded by pages without a secure context alone, which have no crypto.subtle.
    "peerpool-crypto.js": ("static/js/crypto.js", ["--format=esm"]),
    # Loaded by pages that share files alone.
    "peerpool-files.js": ("static/js/files.js", ["--format=esm"]),
    # Loaded by pages that play DASH alone. mpd-parser brings an XML parser that is not used (docs/adr/0018).
    "peerpool-dash.js": (
        "static/js/dash.js",
        ["--format=esm", "--alias:@xmldom/xmldom=./static/js/io/no-dom-parser.js"],
    ),
    # Loaded where a developer looks on alone.
    "peerpool-debug.js": ("static/js/debug.js", ["--format=esm"]),
    # For `importScripts` in a service worker of the site's own (docs/files.md): of a stable name, as that file is.
    "peerpool-sw.js": ("static/js/worker.js", ["--format=iife"]),
    # A script has no import.meta; io/second-script.js looks for its element first.
    "peerpool.js": ("static/js/global.js", ["--format=iife", "--define:import.meta.url=undefined"]),
    "peerpool.esm.js": ("static/js/index.js", ["--format=esm"]),
}
ESBUILD_ARGS: Final = [
    "--bundle",
    "--minify",
    # Private members of our classes, and what has one of our units in its name; nobody outside the bundle names them,
    # but hls.js and Shaka have names with that unit too. A tenth of the size.
    "--mangle-props=^_[a-z]|[a-z]Ms$",
    "--reserve-props=^(max(TimeToFirstByte|LoadTime)|time)Ms$",
    "--alias:global/window=./static/js/io/window.js",
    "--target=es2020",
    "--sourcemap",
    "--log-level=warning",
    f'--define:PEERPOOL_VERSION="{__version__}"',
    # The npm package has its second scripts as parts of its own (npm_package.py).
    "--define:PEERPOOL_IS_PACKAGE=false",
]
# What pages of the tracker's own load, with what draws (uPlot, d3) in it.
PAGES: Final = {
    "pages/demo.js": "static/js/pages/demo.js",
    "pages/dashboard.js": "static/js/pages/dashboard.js",
    "pages/dashboard.css": "static/js/pages/dashboard.css",
}
PAGE_ARGS: Final = ["--bundle", "--minify", "--format=iife", "--target=es2022", "--log-level=warning"]
# For those pages alone, copied as they are: each package's own build, and its licence.
COPIES: Final = {
    "pages/hls.min.js": "hls.js/dist/hls.min.js",
    "pages/hls.LICENSE": "hls.js/LICENSE",
    "pages/shaka.js": "shaka-player/dist/shaka-player.compiled-es2021.js",
    "pages/shaka.LICENSE": "shaka-player/LICENSE",
    "pages/dash.js": "dashjs/dist/modern/umd/dash.all.min.js",
    "pages/dash.LICENSE": "dashjs/LICENSE.md",
    "pages/video.js": "video.js/dist/video.min.js",
    "pages/video.css": "video.js/dist/video-js.min.css",
    "pages/video.LICENSE": "video.js/LICENSE",
    "pages/uplot.css": "uplot/dist/uPlot.min.css",
    "pages/uplot.LICENSE": "uplot/LICENSE",
    "pages/d3-force.LICENSE": "d3-force/LICENSE",
    "pages/d3-geo.LICENSE": "d3-geo/LICENSE",
    "pages/topojson-client.LICENSE": "topojson-client/LICENSE",
    "pages/world-atlas.LICENSE": "world-atlas/LICENSE",
    "pages/i18n-iso-countries.LICENSE": "i18n-iso-countries/LICENSE",
}


@dataclass(frozen=True, slots=True)
class BundledFile:
    """One file of the bundle.

    `digest` is the start of its SHA-256 in hex, the hash in its hashed name; `integrity` is its SHA-384 as Subresource
    Integrity has it.
    """

    name: str
    size_bytes: int
    gzip_bytes: int
    digest: str
    integrity: str

    @property
    def hashed_name(self) -> str:
        """Return the name under which exactly this content is served, for ever."""
        stem, _, suffix = self.name.rpartition(".")
        return f"{stem}.{self.digest}.{suffix}"


Manifest = dict[str, BundledFile]


def find_checkout() -> Path | None:
    """Return the root of the source checkout this package runs from, or None when it is installed."""
    root = Path(__file__).parents[2]
    return root if (root / "static" / "js").is_dir() and (root / "package.json").is_file() else None


def build(root: Path, out: Path = BUNDLED) -> Manifest:
    """Build every file of the bundle of the checkout `root` into `out`. Raises BundleError."""
    esbuild = root / "node_modules" / ".bin" / "esbuild"
    if not esbuild.exists():
        raise BundleError(f"esbuild is missing: run `npm ci` in {root}")
    staging = out.with_name(f"{out.name}.{os.getpid()}")
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    try:
        defines: list[str] = []
        for name, (source, args) in ENTRIES.items():
            _run_esbuild(root, [str(esbuild), source, *ESBUILD_ARGS, *defines, *args, f"--outfile={staging / name}"])
            if prefix := SECOND_SCRIPTS.get(name):
                file = _measured(staging, staging / name)
                defines.append(f'--define:{prefix}_FILE="{file.hashed_name}"')
                defines.append(f'--define:{prefix}_INTEGRITY="{file.integrity}"')
        _build_pages(root, esbuild, staging)
        (staging / NOTICES).write_text("\n\n".join(notices(third_parties(root))), encoding="utf-8")
        manifest = {file.name: file for file in _measure(staging)}
        listed = {name: asdict(file) for name, file in manifest.items()}
        (staging / MANIFEST).write_text(json.dumps(listed, indent=2), encoding="utf-8")
        _move_in(staging, out, [*manifest, MANIFEST])
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return manifest


def third_parties(root: Path) -> list[Path]:
    """Return the folders of npm packages that are in the bundle. Raises BundleError."""
    sources = [source for source, _ in ENTRIES.values()] + list(PAGES.values())
    arguments = [*ESBUILD_ARGS, *(arg for _, args in ENTRIES.values() for arg in args)]
    aliases = [arg for arg in arguments if arg.startswith("--alias:")]
    return bundled_packages(root, sources, aliases, list(COPIES.values()))


def load_manifest(out: Path = BUNDLED) -> Manifest:
    """Return what was built into `out`. Raises BundleError when nothing was."""
    try:
        listed = json.loads((out / MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BundleError("the browser bundle is missing: run `npm ci && peerpool bundle`") from None
    except ValueError:
        raise BundleError(f"{out / MANIFEST} is damaged: run `peerpool bundle`") from None
    try:
        return {name: BundledFile(**fields) for name, fields in listed.items()}
    except (AttributeError, TypeError):
        raise BundleError(f"{out / MANIFEST} is of another version: run `peerpool bundle`") from None


def is_stale(root: Path, out: Path = BUNDLED) -> bool:
    """Whether a source of the checkout `root` is newer than what was built into `out`, or nothing was."""
    try:
        built_at = (out / MANIFEST).stat().st_mtime
    except FileNotFoundError:
        return True
    return any(path.stat().st_mtime > built_at for path in _sources(root))


def over_budget(root: Path, manifest: Manifest) -> list[str]:
    """Return a sentence for each file whose gzip size is above static/js/bundle-budget.json."""
    try:
        budget = json.loads((root / BUDGET).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BundleError(f"{BUDGET} is missing: it holds the greatest gzip size of each built file") from None
    return [
        f"{name} is {manifest[name].gzip_bytes} bytes with gzip, above its budget of {bounds['gzip_bytes']}"
        for name, bounds in budget.items()
        if manifest[name].gzip_bytes > bounds["gzip_bytes"]
    ]


def _sources(root: Path) -> Iterator[Path]:
    for pattern in ("*.js", "*.css"):
        yield from (root / "static" / "js").rglob(pattern)
    package = root / "backend" / "peerpool"
    copied = [root / NODE_MODULES / source for source in COPIES.values()]
    others = [*copied, package / "bundle.py", package / "__init__.py"]
    yield from (path for path in others if path.is_file())


def _run_esbuild(root: Path, command: list[str]) -> None:
    try:
        done = subprocess.run(  # noqa: S603 (our own arguments)
            command, cwd=root, capture_output=True, text=True, timeout=BUILD_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BundleError(f"esbuild did not run: {error}") from None
    if done.returncode != 0:
        complaint = done.stderr.partition("\nnode:")[0].strip()  # the rest is the trace of esbuild's own launcher
        raise BundleError(f"esbuild refused {command[1]}:\n{complaint}")


def _build_pages(root: Path, esbuild: Path, out: Path) -> None:
    for name, source in PAGES.items():
        _run_esbuild(root, [str(esbuild), source, *PAGE_ARGS, f"--outfile={out / name}"])
    for name, source in COPIES.items():
        path = root / NODE_MODULES / source
        if not path.is_file():
            raise BundleError(f"{path} is missing: run `npm ci` in {root}")
        shutil.copyfile(path, out / name)


def _move_in(staging: Path, out: Path, names: list[str]) -> None:
    """Replace file by file, the manifest last: another process may be reading or building at the same time."""
    for name in names:
        target = out / name
        target.parent.mkdir(parents=True, exist_ok=True)
        (staging / name).replace(target)


def _measure(out: Path) -> Iterator[BundledFile]:
    for path in sorted(out.rglob("*")):
        if path.is_file():
            yield _measured(out, path)


def _measured(out: Path, path: Path) -> BundledFile:
    data = path.read_bytes()
    digest = hashlib.sha256(data).hexdigest()[:HASH_CHARS]
    integrity = f"sha384-{base64.b64encode(hashlib.sha384(data).digest()).decode()}"
    gzip_bytes = len(gzip.compress(data, 9, mtime=0))
    return BundledFile(path.relative_to(out).as_posix(), len(data), gzip_bytes, digest, integrity)


def main() -> int:
    """Build the bundle of this checkout, as the wheel's build hook does."""
    root = find_checkout()
    if root is None:
        sys.stderr.write("not a source checkout\n")
        return 1
    try:
        build(root)
    except BundleError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
