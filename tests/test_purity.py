"""Core modules do no I/O, on both sides. That is what lets one machine prove behaviour for thousands of peers."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.servers import ROOT

PYTHON_CORE = ROOT / "backend" / "peerpool" / "core"
JS_CORE = ROOT / "static" / "js" / "core"

# What core modules may import, by first name. Anything else is I/O, a clock, randomness, or a framework.
PYTHON_ALLOWED = {
    "__future__", "base64", "bisect", "collections", "dataclasses", "enum", "hashlib", "hmac", "ipaddress",
    "itertools", "m3u8", "math", "msgspec", "operator", "peerpool", "re", "typing",
}  # fmt: skip
# Of our own package, core may know core only.
PYTHON_OWN = "peerpool.core"

# What JS core modules may import from outside their folder.
JS_ALLOWED_PACKAGES = {"m3u8-parser", "mpd-parser"}  # the latter reads the clock where it is not given NOW
# Globals they may not use. `URL`, `TextEncoder` and the like compute; these here act, or know where and when they are.
JS_FORBIDDEN_GLOBALS = (
    "window", "self", "globalThis", "document", "navigator", "location", "localStorage", "sessionStorage", "indexedDB",
    "setTimeout", "setInterval", "setImmediate", "requestAnimationFrame", "queueMicrotask",
    "Date", "performance", "Math.random", "crypto",
    "fetch", "XMLHttpRequest", "WebSocket", "RTCPeerConnection", "Worker", "console",
)  # fmt: skip
MARK = "FORBIDDEN_"
ESBUILD = ROOT / "node_modules" / ".bin" / "esbuild"
JS_COMMENTS = re.compile(r"/\*.*?\*/|^\s*//[^\n]*", re.DOTALL | re.MULTILINE)
JS_IMPORT = re.compile(r"^\s*(?:import|export)\b[^;]*?\bfrom\s*[\"']([^\"']+)[\"']|\bimport\s*\(", re.MULTILINE)

needs_esbuild = pytest.mark.skipif(not ESBUILD.exists(), reason="needs `npm ci`")


def python_imports(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or "")


def python_violations(source: str) -> list[str]:
    return [
        name
        for name in python_imports(source)
        if name.partition(".")[0] not in PYTHON_ALLOWED
        or (name.startswith("peerpool") and not f"{name}.".startswith(f"{PYTHON_OWN}."))
    ]


def js_bad_imports(source: str) -> list[str]:
    imports = [found[1] or "import()" for found in JS_IMPORT.finditer(JS_COMMENTS.sub("", source))]
    return [name for name in imports if not name.startswith("./") and name not in JS_ALLOWED_PACKAGES]


def js_forbidden_globals(files: Sequence[Path], out: Path) -> list[str]:
    """Return `file: global` for each use. esbuild's `define` replaces a name only where no scope declares it."""
    defines = [f"--define:{name}={MARK}{name.replace('.', '_')}" for name in JS_FORBIDDEN_GLOBALS]
    command = [str(ESBUILD), *map(str, files), *defines, f"--outdir={out}", "--log-level=error"]
    subprocess.run(command, check=True, timeout=60)
    return [
        f"{path.name}: {name}"
        for path in sorted(out.rglob("*.js"))
        for name in sorted(set(re.findall(rf"{MARK}(\w+)", path.read_text(encoding="utf-8"))))
    ]


@pytest.mark.parametrize("path", sorted(PYTHON_CORE.rglob("*.py")), ids=lambda path: path.name)
def test_python_core_is_pure(path: Path) -> None:
    assert python_violations(path.read_text(encoding="utf-8")) == []


@needs_esbuild
def test_js_core_is_pure(tmp_path: Path) -> None:
    files = sorted(JS_CORE.rglob("*.js"))
    assert files
    assert [f"{path.name}: {name}" for path in files for name in js_bad_imports(path.read_text(encoding="utf-8"))] == []
    assert js_forbidden_globals(files, tmp_path) == []


@pytest.mark.parametrize(
    "source",
    [
        "import asyncio",
        "import time",
        "from random import Random",
        "def f():\n    import socket",
        "from peerpool.settings import Settings",
        "import starlette.types",
    ],
)
def test_impure_python_is_found(source: str) -> None:
    assert python_violations(source)


@needs_esbuild
def test_impure_js_is_found_and_pure_js_let_be(tmp_path: Path) -> None:
    impure = [
        "setTimeout(f, 1);",
        "const now = Date.now();",
        "x = Math.random();",
        "if (window.foo) {}",
        "const y = performance.now();",
        "crypto.subtle.digest(a, b)",
        "function f(document) {} document.title = 1;",
    ]
    pure = [
        "// Date.now() is for shells",
        'const text = "window";',
        "peer.window = 1; const o = { fetch: 1 };",
        "function f(fetch, { location }) { return fetch.ref + location; }",
        "const windowMs = 1; prefetch();",
    ]
    files = []
    for n, source in enumerate(impure + pure):
        files.append(tmp_path / f"{n:02}.js")
        files[-1].write_text(source, encoding="utf-8")
    found = js_forbidden_globals(files, tmp_path / "out")
    assert [one.partition(":")[0] for one in found] == [f"{n:02}.js" for n in range(len(impure))]


@pytest.mark.parametrize(
    "source",
    [
        'import { a } from "../io/clock.js";',
        'import a from "some-package";',
        'export * from "../engine.js";',
        'import {\n  a,\n  b,\n} from "../io/clock.js";',
        'const a = await import("./later.js");',
    ],
)
def test_bad_js_imports_are_found(source: str) -> None:
    assert js_bad_imports(source)


def test_good_js_imports_are_let_be() -> None:
    assert (
        js_bad_imports('import { A } from "./constants.js";\n// import b from "../io/x.js"\nimport "m3u8-parser";')
        == []
    )
