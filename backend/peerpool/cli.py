"""The `peerpool` command: serve, token, keys, sign, geoip, bundle, constants.

Exit codes: 0 done, 1 it did not work (the text says what to do), 2 the command line or a setting is wrong.
"""

from __future__ import annotations

import argparse
import resource
import signal
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from peerpool import __version__, bundle
from peerpool.constants_js import render_constants
from peerpool.core.errors import BundleError, ConfigError, ListenError, OurError

if TYPE_CHECKING:
    from peerpool.core.admission import Gate
    from peerpool.settings import Settings

CONSTANTS_JS: Final = Path("static/js/core/constants.js")
# Connections that may wait to be accepted: a whole audience comes back within seconds after a restart.
BACKLOG: Final = 2048
EXIT_FAILED: Final = 1
EXIT_USAGE: Final = 2


def main(argv: list[str] | None = None) -> int:
    """Run the command line `argv`; return the exit code."""
    args = _parser().parse_args(argv)
    run: Callable[[argparse.Namespace], int] = args.run
    try:
        return run(args)
    except ConfigError as error:
        print(f"peerpool: {error}", file=sys.stderr)
        return EXIT_USAGE
    except OurError as error:
        print(f"peerpool: {error}", file=sys.stderr)
        return EXIT_FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="peerpool", description="Peer-assisted media delivery.")
    parser.add_argument("--version", action="version", version=f"peerpool {__version__}")
    commands = parser.add_subparsers(title="commands", required=True)

    serve = commands.add_parser("serve", help="run tracker, signalling and bundle server")
    serve.add_argument("--host", help="address to listen on (default 127.0.0.1)")
    serve.add_argument("--port", type=int, help="port to listen on (default 8080)")
    serve.add_argument("--redis", metavar="URL", help="share swarms with other trackers over this Redis")
    serve.add_argument("--config", type=Path, help="settings file (default ./peerpool.toml if there is one)")
    serve.set_defaults(run=_serve)

    keys = commands.add_parser("keys", help="make keys that sign records of segments")
    new = keys.add_subparsers(title="commands", required=True).add_parser("new", help="make a key")
    new.add_argument("file", type=Path, help="where to write it; a file that is there is left alone")
    new.set_defaults(run=_keys_new)

    sign = commands.add_parser("sign", help="write signed records of an HLS folder's segments beside them")
    sign.add_argument("folder", type=Path, help="the folder that the manifest is in")
    sign.add_argument("--key", type=Path, required=True, help="the key, from `peerpool keys new`")
    sign.add_argument(
        "--content",
        required=True,
        help="content name: host and path of the manifest as players ask for it, or data-content",
    )
    sign.add_argument(
        "--url", default="", help="URL of the manifest as players ask for it, where --content is not that"
    )
    sign.add_argument("--watch", action="store_true", help="go on with what changes, until Ctrl-C (live folders)")
    sign.add_argument("--force", action="store_true", help="sign again what has a good record")
    sign.set_defaults(run=_sign)

    geoip = commands.add_parser("geoip", help="look into the databases that say where addresses are")
    check = geoip.add_subparsers(title="commands", required=True).add_parser(
        "check", help="say what a database holds, and what it says of an address"
    )
    check.add_argument("file", type=Path, help="an MMDB file, or a CSV file of your own networks")
    check.add_argument("address", nargs="?", default="", help="an IP address to look up")
    check.set_defaults(run=_geoip_check)

    token = commands.add_parser("token", help="make a token for viewers of a site, to try things out")
    token.add_argument("--sites", type=Path, required=True, help="the file that names the sites")
    token.add_argument("--site", required=True, help="id of the site")
    token.add_argument("--content", required=True, help="content name, one with *, or content id")
    token.add_argument("--ttl-s", type=int, default=300, help="seconds it is good for (default 300)")
    token.add_argument("--uses", type=int, help="joins it is good for (default: any number)")
    token.add_argument("--ip", default="", help="address it is good for (default: any)")
    token.set_defaults(run=_token)

    build = commands.add_parser("bundle", help="build the browser library (source checkouts only)")
    build.add_argument(
        "--check-budget", action="store_true", help="fail when it is larger than bundle-budget.json says"
    )
    build.set_defaults(run=_bundle)

    embed = commands.add_parser("embed", help="print the script tag for a page, with its integrity")
    embed.add_argument("--tracker", metavar="URL", help="where pages reach this tracker (default: where it listens)")
    embed.add_argument("--site", metavar="ID", default="", help="the page's site, where the tracker admits by site")
    embed.add_argument("--consent", action="store_true", help="nothing is shared before PeerPool.consent(true)")
    embed.add_argument("--config", type=Path, help="settings file (default ./peerpool.toml if there is one)")
    embed.set_defaults(run=_embed)

    constants = commands.add_parser("constants", help="render the constants for JavaScript (source checkouts only)")
    what = constants.add_mutually_exclusive_group(required=True)
    what.add_argument("--write", action="store_true", help=f"write {CONSTANTS_JS}")
    what.add_argument("--check", action="store_true", help=f"fail when {CONSTANTS_JS} is not what would be written")
    constants.set_defaults(run=_constants)
    return parser


def _serve(args: argparse.Namespace) -> int:
    # Imported here, so that `bundle` and `constants` work where only a compiler is installed.
    from peerpool.app import create_app  # noqa: PLC0415
    from peerpool.server import make_server, within  # noqa: PLC0415
    from peerpool.settings import load_settings  # noqa: PLC0415

    overrides = {"host": args.host, "port": args.port, "redis_url": args.redis}
    settings = load_settings(args.config, overrides=overrides)
    app = create_app(settings)
    open_files = _raise_file_limit()
    hub = app.state.hub
    room, limits = within(open_files, hub.tracker.limits)
    hub.max_connections = min(settings.max_connections, room)
    server = make_server(app, settings, hub, limits)
    listener = _listen(settings.host, settings.port)
    base = _base_url(settings.host, listener.getsockname()[1])
    print(f"Media PeerPool {__version__}")
    print(f"  demo      {base}/demo")
    print(f"  script    {base}/peerpool.js")
    print(f"  tracker   {base.replace('http', 'ws', 1)}/signal   (WebTorrent clients: /announce)")
    print(f"  capacity  {hub.max_connections} WebSockets ({open_files} open files allowed)")
    print(f"  access    {_access(settings, hub.tracker.gate)}", flush=True)
    server.run(sockets=[listener])
    return 0 if server.started else EXIT_FAILED


def _access(settings: Settings, gate: Gate | None) -> str:
    if gate is None:
        return "OPEN: ANYBODY MAY JOIN ANY SWARM (name your sites in a file: docs/sites.md)"
    torrents = "open to anybody" if gate.admits_torrents else "refused"
    return f"{len(gate.accounts)} sites of {settings.sites}; /announce is {torrents}"


def _token(args: argparse.Namespace) -> int:
    from peerpool.auth import make_token  # noqa: PLC0415
    from peerpool.sites_file import find_site, read_sites  # noqa: PLC0415

    site = find_site(read_sites(args.sites), args.site)
    print(make_token(site, args.content, args.ttl_s, args.uses, args.ip))
    return 0


def _listen(host: str, port: int) -> socket.socket:
    """Return a listening socket: from the summary on, who connects waits and is not refused. Raises ListenError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise ListenError(f"cannot listen on {host} port {port}: {error.strerror}; try another --port") from None


def _base_url(host: str, port: int) -> str:
    """Return a URL that a browser on this machine can open."""
    shown = {"0.0.0.0": "localhost", "::": "localhost", "": "localhost"}.get(host, host)  # noqa: S104 (shown, not bound)
    return f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"


def _raise_file_limit() -> int:
    """Raise the soft limit of open files to the hard one; return it. Each WebSocket is one."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def _keys_new(args: argparse.Namespace) -> int:
    from peerpool.keys import new_key, write_key  # noqa: PLC0415

    key = new_key()
    write_key(args.file, key)
    print(f"{args.file}  (keep it secret; its public half, which clients are told, is)\n{key.public_hex}")
    return 0


def _sign(args: argparse.Namespace) -> int:
    from peerpool.keys import read_key  # noqa: PLC0415
    from peerpool.signing import FolderSigner, Progress  # noqa: PLC0415

    signer = FolderSigner(args.folder, read_key(args.key), args.content, args.url, force=args.force)
    progress = Progress(sys.stderr)
    if args.watch:
        ended = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: ended.set())
        summary = signer.watch(progress, ended.is_set)
    else:
        summary = signer.run(progress)
    for line in summary.lines():
        print(line)
    return 0 if summary.is_whole else EXIT_FAILED


def _geoip_check(args: argparse.Namespace) -> int:
    from peerpool.geoip_report import report  # noqa: PLC0415

    for line in report(args.file, args.address):
        print(line)
    return 0


def _bundle(args: argparse.Namespace) -> int:
    root = _require_checkout()
    manifest = bundle.build(root)
    for file in manifest.values():
        print(f"{file.size_bytes:>9} bytes  {file.gzip_bytes:>8} gzip  {file.name}")
    if args.check_budget:
        excesses = bundle.over_budget(root, manifest)
        for excess in excesses:
            print(f"peerpool: {excess}", file=sys.stderr)
        return EXIT_FAILED if excesses else 0
    return 0


def _embed(args: argparse.Namespace) -> int:
    from peerpool.embed import script_tag  # noqa: PLC0415
    from peerpool.settings import load_settings  # noqa: PLC0415

    tracker = args.tracker
    if tracker is None:
        settings = load_settings(args.config)
        tracker = _base_url(settings.host, settings.port)
    root = bundle.find_checkout()
    manifest = bundle.build(root) if root is not None and bundle.is_stale(root) else bundle.load_manifest()
    print(script_tag(manifest, tracker, args.site, asks_consent=args.consent))
    return 0


def _constants(args: argparse.Namespace) -> int:
    path = _require_checkout() / CONSTANTS_JS
    text = render_constants()
    if args.write:
        path.write_text(text, encoding="utf-8")
        return 0
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        print(f"peerpool: {CONSTANTS_JS} has drifted: run `peerpool constants --write`", file=sys.stderr)
        return EXIT_FAILED
    return 0


def _require_checkout() -> Path:
    root = bundle.find_checkout()
    if root is None:
        raise BundleError("this command needs a source checkout; an installed package has its bundle built in")
    return root


if __name__ == "__main__":
    sys.exit(main())
