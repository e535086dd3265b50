"""Commands with which operators look into things: databases, ICE servers, logs."""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
import time
from pathlib import Path
from typing import Final

from peerpool.core.errors import ConfigError

EXIT_FAILED: Final = 1
MB: Final = 1_000_000


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add them to the command line's."""
    geoip = commands.add_parser("geoip", help="look into the databases that say where addresses are")
    check = geoip.add_subparsers(title="commands", required=True).add_parser(
        "check", help="say what a database holds, and what it says of an address"
    )
    check.add_argument("file", type=Path, help="an MMDB file, or a CSV file of your own networks")
    check.add_argument("address", nargs="?", default="", help="an IP address to look up")
    check.set_defaults(run=_geoip_check)

    ice = commands.add_parser("ice", help="try the STUN and TURN servers that viewers are told of")
    tried = ice.add_subparsers(title="commands", required=True).add_parser(
        "check", help="ask each as a browser would, and say what is wrong and what to do"
    )
    tried.add_argument("--config", type=Path, help="settings file (default ./peerpool.toml if there is one)")
    tried.add_argument("--stun", nargs="+", metavar="HOST:PORT", help="these, and not those of the settings")
    tried.add_argument("--turn", nargs="+", metavar="URL", help="these, and not those of the settings")
    secret = tried.add_mutually_exclusive_group()
    secret.add_argument("--secret", help="the secret of --turn; other users of this machine see it")
    secret.add_argument("--secret-file", type=Path, help="a file with the secret of --turn")
    tried.set_defaults(run=_ice_check)

    doctor = commands.add_parser("doctor", help="look at everything that a tracker needs, and say how to mend it")
    doctor.add_argument("--url", default="", help="where viewers reach the tracker: https://tracker.example")
    doctor.add_argument("--config", type=Path, help="settings file (default ./peerpool.toml if there is one)")
    doctor.set_defaults(run=_doctor)

    savings = commands.add_parser("savings", help="what a CDN's log says of what was saved, beside viewers' reports")
    savings.add_argument("--log", type=Path, nargs="+", required=True, help="access logs, gzipped or not")
    savings.add_argument("--history", help="the tracker's history file (default: the settings')")
    savings.add_argument("--site", help="of this site alone, where the log is")
    savings.add_argument("--path", metavar="REGEX", help="paths that are media, in place of the usual suffixes")
    savings.add_argument("--json", action="store_true", help="for programs")
    savings.add_argument("--config", type=Path, help="settings file (default ./peerpool.toml if there is one)")
    savings.set_defaults(run=_savings)


def _geoip_check(args: argparse.Namespace) -> int:
    from peerpool.geoip_report import report  # noqa: PLC0415

    for line in report(args.file, args.address):
        print(line)
    return 0


def _doctor(args: argparse.Namespace) -> int:
    from peerpool.doctor import examine  # noqa: PLC0415
    from peerpool.settings import load_settings  # noqa: PLC0415

    wrong = 0
    for finding in examine(load_settings(args.config), args.url):
        wrong += bool(finding.advice)
        print("\n".join(finding.lines()), flush=True)
    print(f"{wrong} to mend" if wrong else "nothing to mend")
    return EXIT_FAILED if wrong else 0


def _savings(args: argparse.Namespace) -> int:
    import msgspec  # noqa: PLC0415

    from peerpool.histories import POSTGRES_SCHEMES, open_history  # noqa: PLC0415
    from peerpool.history import MEMORY  # noqa: PLC0415
    from peerpool.savings import compare, read_logs, render  # noqa: PLC0415
    from peerpool.settings import load_settings  # noqa: PLC0415

    settings = load_settings(args.config)
    path = args.history or settings.history
    if not path or path == MEMORY:
        raise ConfigError("no history: name the tracker's by --history, or by `history` in the settings")
    if not path.startswith(POSTGRES_SCHEMES) and not Path(path).is_file():
        raise ConfigError(f"there is no history at {path}: is it that of a tracker that runs on this machine?")
    try:
        media = re.compile(args.path) if args.path else None
    except re.error as error:
        raise ConfigError(f"--path is no regular expression: {error}") from None

    def tell(lines: int) -> None:
        if sys.stderr.isatty():
            print(f"\r{lines} lines read", end="", file=sys.stderr, flush=True)

    totals = read_logs(args.log, media, tell)
    history = open_history(path, settings.history_max_mb * MB)
    savings = compare(totals, history, int(time.time()), settings.prices, args.site)
    history.close()
    if args.json:
        print(msgspec.json.format(msgspec.json.encode(savings)).decode())
    else:
        print("\n".join(render(savings)))
    return 0


def _ice_check(args: argparse.Namespace) -> int:
    from peerpool.ice_advice import Finding  # noqa: PLC0415
    from peerpool.ice_check import check, parse_endpoint, stun_targets, turn_targets  # noqa: PLC0415
    from peerpool.settings import load_settings  # noqa: PLC0415
    from peerpool.turn import Turn, read_secret  # noqa: PLC0415

    if args.stun or args.turn:
        stun_servers = [parse_endpoint(text) for text in args.stun or ()]
        secret = read_secret(args.secret_file) if args.secret_file else args.secret or ""
        turn_servers = turn_targets(args.turn or (), secret)
    else:
        settings = load_settings(args.config)
        stun_servers = stun_targets(settings)
        services = Turn(settings).plan.services
        turn_servers = [target for one in services for target in turn_targets(one.urls, one.secret())]

    wrong = 0

    def say(finding: Finding) -> None:
        nonlocal wrong
        wrong += bool(finding.advice)
        print("\n".join(finding.lines()), flush=True)

    asyncio.run(check(stun_servers, turn_servers, say))
    return EXIT_FAILED if wrong else 0
