"""`make nat`: real Chromium viewers behind each pair of NATs, in a table. Needs root.

`--cells short` is the part that the tests run.
"""

from __future__ import annotations

import argparse
import json
import platform
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from e2e.harness.child import REPOSITORY
from e2e.nat import topology
from e2e.nat.cells import CELLS, SELECTION, Cell
from e2e.nat.topology import LAB_STUN, OTHER_LAB_STUN, SERVER, Host, Kind, Laboratory, Unavailable, inside
from e2e.nat.translator import BEHAVIOURS

OUT: Final = REPOSITORY / "docs" / "benchmarks"
HEAD: Final = """| viewers | they meet | ways in use | set-up | from peers | stalls | |
|---|---|---|---:|---:|---|---|"""
PROBE: Final = [sys.executable, "-m", "e2e.nat.stun_lab"]
# How each kind shows itself to STUN of two addresses.
SHOWN: Final[dict[Kind, tuple[str, str]]] = {
    "open": ("none", "endpoint-independent"),
    **{kind: (one.mapping.value, one.filtering.value) for kind, one in BEHAVIOURS.items()},
    "double NAT": ("endpoint-independent", "address- and port-dependent"),
    "two homes": ("endpoint-independent", "address- and port-dependent"),
    "dual stack": ("endpoint-independent", "address- and port-dependent"),
    "UDP blocked": ("blocked", "blocked"),
    "only TCP 443": ("blocked", "blocked"),
}


def verify(host: Host) -> dict[str, str]:
    """Find out by STUN what NAT a host is behind. Raises AssertionError where it is not that of its kind."""
    [address] = [
        line.split()[3].partition("/")[0]
        for line in inside(host.namespace, "ip", "-4", "-o", "addr", "show", "eth0").splitlines()
    ]
    found: dict[str, str] = json.loads(inside(host.namespace, *PROBE, "probe", LAB_STUN, OTHER_LAB_STUN, address))
    assert (found["mapping"], found["filtering"]) == SHOWN[host.kind], (host, found)
    return found


def homes(laboratory: Laboratory, cells: Sequence[Cell]) -> dict[str, list[Host]]:
    """Make what the cells need: two homes of each kind, and one with two hosts where they share it."""
    hosts: dict[str, list[Host]] = {}
    for cell in cells:
        if cell.shared:
            hosts.setdefault(f"{cell.one}, one home", laboratory.hosts(cell.one, 2))
            continue
        for kind in (cell.one, cell.other):
            if kind not in hosts:
                hosts[kind] = [laboratory.hosts(kind)[0] for _ in range(2)]
    return hosts


def run(cells: Sequence[Cell], results: Path) -> int:
    """Run cells in a laboratory of their own and return the worker's exit code; results go to a file, in JSON.

    Raises Unavailable where there can be none.
    """
    topology.check_available()
    shutil.rmtree(results.parent, ignore_errors=True)  # an earlier run's stream is none that a player could begin with
    results.parent.mkdir(parents=True)
    with Laboratory(results.parent / "nat-logs") as laboratory:
        laboratory.start(SERVER, "lab-stun", [*PROBE, "serve", LAB_STUN, OTHER_LAB_STUN])
        hosts = homes(laboratory, cells)
        for name, ones in hosts.items():
            if ones[0].kind != "IPv6 only":
                for host in ones:
                    shown = verify(host)
                print(f"{name}: mapping {shown['mapping']}, filtering {shown['filtering']}", flush=True)
        given = [json.dumps({key: [asdict(host) for host in ones] for key, ones in hosts.items()})]
        given += [json.dumps([asdict(cell) for cell in cells]), str(results)]
        print(HEAD, flush=True)
        command = ["ip", "netns", "exec", SERVER, sys.executable, "-m", "e2e.nat.worker", *given]
        return subprocess.run(command, check=False, cwd=REPOSITORY).returncode


def document(results: Sequence[dict[str, Any]]) -> str:
    """Return the page of docs/benchmarks."""
    from e2e.nat.worker import Result, row  # noqa: PLC0415 - needs a browser's driver

    chromium = shutil.which("chromium") or "chromium"
    version = subprocess.run([chromium, "--version"], capture_output=True, text=True, check=False).stdout.strip()
    rows = [row(Result(**result)) for result in results]
    return "\n".join(
        [
            "# Viewers behind NATs",
            "",
            f"`make nat`, on Linux {platform.release()} with {version}. Two viewers of one live stream; each NAT was",
            "first verified by STUN of two addresses (docs/nat.md says how it is built). `apart`: no way was found, as",
            "theory says, and both played from the CDN. Set-up is from the second page's loading, its first frame",
            "included.",
            "",
            HEAD,
            *rows,
            "",
        ]
    )


def main() -> int:
    """Run what was asked for; 0 where all is as theory says, 1 where not, 2 where there can be no laboratory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", choices=["all", "short"], default="all")
    parser.add_argument("--only", default="", help="those whose name has this in it")
    parser.add_argument("--out", type=Path, help="where to write nat.md and nat.json (default docs/benchmarks for all)")
    options = parser.parse_args()
    cells = [cell for cell in (CELLS if options.cells == "all" else SELECTION) if options.only in cell.name]
    is_whole = options.cells == "all" and not options.only
    out = options.out or (OUT if is_whole else REPOSITORY / "build" / "nat")
    try:
        code = run(cells, REPOSITORY / "build" / "nat" / "nat.json")
    except Unavailable as error:
        print(f"no laboratory: {error}", file=sys.stderr)
        return 2
    results = json.loads((REPOSITORY / "build" / "nat" / "nat.json").read_text())
    out.mkdir(parents=True, exist_ok=True)
    (out / "nat.json").write_text(json.dumps(results, indent=1) + "\n")
    (out / "nat.md").write_text(document(results))
    print(f"{sum(1 for _ in results)} of {len(cells)} cells run; written to {out}")
    return code


if __name__ == "__main__":
    sys.exit(main())
