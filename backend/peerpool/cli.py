"""The `peerpool` command."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from peerpool.constants_js import render_constants

CONSTANTS_JS = Path(__file__).parents[2] / "static" / "js" / "core" / "constants.js"


def main(argv: list[str] | None = None) -> int:
    """Run the command line `argv`; return the exit code."""
    parser = argparse.ArgumentParser(prog="peerpool")
    commands = parser.add_subparsers(dest="command", required=True)
    constants = commands.add_parser("constants")
    constants.add_argument("--write", action="store_true")
    args = parser.parse_args(argv)
    if args.write:
        CONSTANTS_JS.write_text(render_constants(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
