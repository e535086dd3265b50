"""The runs done so far, in one JSON file, so that a comparison of hours can be made in parts; the machine's shape."""

from __future__ import annotations

import json
import math
import os
import platform
import re
import subprocess
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench.side_by_side.cases import LATENCY_MS, RATE_BPS, Plan
from bench.side_by_side.run import Result
from e2e.harness.child import REPOSITORY


@dataclass
class Store:
    """Every run as a flat record, newest last."""

    path: Path
    command: str
    machine: dict[str, Any]
    conditions: dict[str, Any]
    runs: list[dict[str, Any]] = field(default_factory=list)

    def add(self, plan: Plan, repeat: int, result: Result) -> dict[str, Any]:
        """Append one run and write the file."""
        self.machine["chromium"] = result.browser_version
        run = {
            "case": plan.case.name,
            "viewers": plan.viewers,
            "product": plan.product.name,
            "repeat": repeat,
            "commit": commit(),
            "cpu_busy": result.cpu_busy,
            "cpu_others": result.cpu_others,
            **asdict(result.figures),
        }
        self.runs.append(run)
        self.write()
        return run

    def has(self, plan: Plan, repeat: int) -> bool:
        """Whether this run was done."""
        return any((key(run), run["repeat"]) == (plan.key, repeat) for run in self.runs)

    def write(self) -> None:
        """Write all of it, whole or not at all."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        content = {name: value for name, value in asdict(self).items() if name != "path"}
        partial = self.path.with_suffix(".partial")
        partial.write_text(json.dumps(_finite(content), indent=1) + "\n")
        partial.rename(self.path)


def open_store(path: Path, command: str, watch_s: float, *, resume: bool) -> Store:
    """Make an empty one, or with `resume` go on with what the file has."""
    # Counted by the origin: a connection's rate is what it can take, the latency comes before each answer.
    conditions = {"watch_s": watch_s, "origin_latency_ms": LATENCY_MS, "connection_bps": RATE_BPS}
    store = Store(path, command, machine(), conditions)
    if resume and path.exists():
        known = json.loads(path.read_text())
        if known["conditions"] != conditions:
            raise SystemExit(f"{path} was measured under other conditions: {known['conditions']}")
        store.runs = known["runs"]
        store.machine["chromium"] = known["machine"].get("chromium", "")
    return store


def key(run: dict[str, Any]) -> tuple[str, int, str]:
    """Return what `Plan.key` is."""
    return (run["case"], run["viewers"], run["product"])


def machine() -> dict[str, Any]:
    """Say what decides the figures besides the products."""
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    memory = re.search(r"MemTotal:\s*(\d+) kB", Path("/proc/meminfo").read_text())
    packages = json.loads((REPOSITORY / "package.json").read_text())["devDependencies"]
    return {
        "cores": os.cpu_count(),
        "cpu": cpu[1] if cpu else "",
        "memory_gib": round(int(memory[1]) / 2**20, 1) if memory else None,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {name: packages[name] for name in ("hls.js", "p2p-media-loader-hlsjs", "bittorrent-tracker")},
    }


def commit() -> str:
    """Name the library that was measured; "+" after it when its source was changed since."""
    name = _git("rev-parse", "--short", "HEAD")
    return f"{name}+" if _git("status", "--porcelain", "static/js", "backend") else name


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def _finite(value: Any) -> Any:
    """JSON has no NaN and no infinity: both are null."""
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float):
        return round(value, 4) if math.isfinite(value) else None
    return value
