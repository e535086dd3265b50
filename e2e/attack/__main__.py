"""`make attack`: every attack against real servers and real browsers, with the defence off and on, a line each.

    python -m e2e.attack [--only TEXT ...] [--short] [--json OUT]

Exit code 1 if a defence is broken, or an attack does nothing even without it (then it proves nothing).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Callable, Collection
from pathlib import Path

from e2e.attack.catalogue import GROUPS, SHORT, Attack
from e2e.attack.outcomes import Outcome, Row, line, table


def chosen(only: Collection[str], *, short: bool) -> dict[str, dict[str, Attack]]:
    """Return the attacks to run by setting: those whose names hold one of `only`, of the short ones or of all."""
    groups = {
        group: {
            name: attack
            for name, attack in attacks.items()
            if (not short or name in SHORT) and (not only or any(text in name for text in only))
        }
        for group, (_, attacks) in GROUPS.items()
    }
    return {group: attacks for group, attacks in groups.items() if attacks}


async def run_all(groups: dict[str, dict[str, Attack]], tell: Callable[[str], None]) -> list[Row]:
    """Run them one after the other, each group in its own setting."""
    rows: list[Row] = []
    total = sum(map(len, groups.values()))
    with tempfile.TemporaryDirectory(prefix="attack-") as made:
        for group, attacks in groups.items():
            folder = Path(made) / group
            folder.mkdir()
            async with GROUPS[group][0](folder) as setting:
                for name, attack in attacks.items():
                    begun_s = time.monotonic()
                    try:
                        outcome = await attack(setting)
                    except Exception as error:
                        outcome = Outcome(None, [f"could not be run: {error!r}"])
                    rows.append(Row(name, outcome, time.monotonic() - begun_s))
                    tell(f"{len(rows):>3}/{total} {line(rows[-1])}")
    return rows


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m e2e.attack", description="Attack it, and see.")
    parser.add_argument("--only", nargs="+", default=[], metavar="TEXT", help="attacks whose names hold one of these")
    parser.add_argument("--short", action="store_true", help="one of each kind")
    parser.add_argument("--json", type=Path, help="write everything there too")
    arguments = parser.parse_args()
    groups = chosen(arguments.only, short=arguments.short)
    if not groups:
        parser.error("no attack has such a name")
    rows = asyncio.run(run_all(groups, lambda text: print(text, file=sys.stderr, flush=True)))
    print(table(rows))
    if arguments.json:
        arguments.json.write_text(json.dumps([row.as_json() for row in rows], indent=1) + "\n")
    return 1 if any(row.failed for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
