"""`make players`: the whole matrix, a line a cell.

    python -m e2e.players [--only TEXT ...] [--json OUT] [--out FILE.md]

Exit code 1 if a cell does not play, does not share, or shares without WebRTC.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from e2e.harness import media
from e2e.harness.bed import Bed
from e2e.harness.browsers import browsers
from e2e.harness.dash_media import DashLive
from e2e.harness.page_server import PageServer
from e2e.harness.viewers import NeverTrue
from e2e.players.matrix import Cell, Result, cells, run_cell, table
from e2e.players.pages import PlayerSite

# A player of live DASH starts as far behind the edge as it likes, and the first segments leave the window late.
DASH_SEGMENTS = 8


async def run_all(chosen: list[Cell]) -> tuple[list[Result], list[str]]:
    """Run them one after the other; return the results, and a sentence for each that failed."""
    results: list[Result] = []
    failures: list[str] = []
    with tempfile.TemporaryDirectory(prefix="players-") as made, ExitStack() as stack:
        folder = Path(made)
        dash = DashLive(media.ensure(), folder / "dash-live")
        bed = stack.enter_context(Bed(folder, mounts={"dash-live": dash.folder}))
        server = stack.enter_context(PageServer())
        stack.callback(dash.stop)
        dash.start()
        bed.live.wait_playable()
        dash.wait_playable(DASH_SEGMENTS)
        site = PlayerSite(server, bed.tracker.url)
        async with browsers() as running:
            for number, cell in enumerate(chosen, start=1):
                try:
                    result = await run_cell(running, bed, site, cell)
                except NeverTrue as problem:
                    failures.append(f"{cell.name}: {problem}")
                    print(f"{number}/{len(chosen)} {failures[-1]}", file=sys.stderr, flush=True)
                    continue
                results.append(result)
                print(f"{number}/{len(chosen)} {json.dumps(result.as_json())}", file=sys.stderr, flush=True)
                if result.problems:
                    failures.append(f"{cell.name}: {result.problems}")
                if cell.webrtc == (result.peer_bytes == 0):
                    failures.append(f"{cell.name}: {result.peer_bytes} bytes came from neighbours")
    return results, failures


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m e2e.players", description="Every player on every way in.")
    parser.add_argument("--only", nargs="+", default=[], metavar="TEXT", help="cells whose names hold one of these")
    parser.add_argument("--json", type=Path, help="write every figure there too")
    parser.add_argument("--out", type=Path, help="write the table there too")
    arguments = parser.parse_args()
    chosen = [cell for cell in cells() if not arguments.only or any(text in cell.name for text in arguments.only)]
    if not chosen:
        parser.error("no cell has such a name")
    results, failures = asyncio.run(run_all(chosen))
    print(table(results))
    for failure in failures:
        print(failure)
    if arguments.json:
        arguments.json.write_text(json.dumps([result.as_json() for result in results], indent=1) + "\n")
    if arguments.out:
        arguments.out.write_text(table(results) + "\n")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
