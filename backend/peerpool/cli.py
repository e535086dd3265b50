"""The `peerpool` command: serve, token, keys, sign, geoip, ice, bundle, package, embed, constants, options.

Exit codes: 0 done, 1 it did not work (the text says what to do), 2 the command line or a setting is wrong.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from peerpool import __version__, bundle, operator_commands
from peerpool.constants_js import render_constants
from peerpool.core.errors import BundleError, ConfigError, ListenError, OurError
from peerpool.options_doc import render_options

if TYPE_CHECKING:
    from peerpool.core.admission import Gate
    from peerpool.settings import Settings
    from peerpool.stun import StunServer

CONSTANTS_JS: Final = Path("static/js/core/constants.js")
OPTIONS_MD: Final = Path("docs/options.md")
CONFIGURATION_MD: Final = Path("docs/configuration.md")
# Connections that may wait to be accepted: a whole audience comes back within seconds after a restart.
BACKLOG: Final = 2048
# SD_LISTEN_FDS_START.
FIRST_GIVEN_FILE: Final = 3
ADMIN_TOKEN_CHARS: Final = 16
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
    serve.add_argument(
        "--stun-port", type=int, metavar="PORT", help="UDP port to answer STUN on, with the next one (default 3478)"
    )
    serve.add_argument("--no-stun", action="store_true", help="answer no STUN")
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

    token = commands.add_parser("token", help="make a token for viewers of a site, to try things out")
    token.add_argument("--sites", type=Path, required=True, help="the file that names the sites")
    token.add_argument("--site", required=True, help="id of the site")
    token.add_argument("--content", required=True, help="content name, one with *, or content id")
    token.add_argument("--ttl-s", type=int, default=300, help="seconds it is good for (default 300)")
    token.add_argument("--uses", type=int, help="joins it is good for (default: any number)")
    token.add_argument("--ip", default="", help="address it is good for (default: any)")
    token.set_defaults(run=_token)

    operator_commands.add_to(commands)
    _add_library_commands(commands)
    return parser


def _add_library_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    build = commands.add_parser("bundle", help="build the browser library (source checkouts only)")
    build.add_argument(
        "--check-budget", action="store_true", help="fail when it is larger than bundle-budget.json says"
    )
    build.set_defaults(run=_bundle)

    package = commands.add_parser("package", help="make the npm package (source checkouts only)")
    package.add_argument("--out", type=Path, default=Path("dist"), help="folder for the tarball (default dist)")
    package.set_defaults(run=_package)

    made = commands.add_parser("release", help="make wheel, sdist and npm tarball (source checkouts only)")
    made.add_argument("--out", type=Path, default=Path("dist"), help="folder for them, emptied first (default dist)")
    made.set_defaults(run=_release)

    embed = commands.add_parser(
        "embed", help="print what a page needs: the script tag with its integrity, or another form"
    )
    embed.add_argument("--form", choices=["tag", "module", "npm", "worker"], default="tag", help="(default tag)")
    embed.add_argument("--tracker", metavar="URL", help="where pages reach this tracker (default: where it listens)")
    embed.add_argument("--site", metavar="ID", default="", help="the page's site, where the tracker admits by site")
    embed.add_argument(
        "--content", metavar="NAME", default="", help="names the page's content, where its URL would not do"
    )
    embed.add_argument("--token", metavar="TOKEN", default="", help="lets the page's viewers in (`peerpool token`)")
    embed.add_argument("--worker", metavar="PATH", default="", help="the site's service worker, for media elements")
    embed.add_argument("--consent", action="store_true", help="nothing is shared before PeerPool.consent(true)")
    embed.add_argument("--no-intercept", action="store_true", help="share what known players load, and nothing else")
    embed.add_argument("--check", action="store_true", help="fail unless the tracker is there and serves this build")
    embed.add_argument("--config", type=Path, help="settings file (default ./peerpool.toml if there is one)")
    embed.set_defaults(run=_embed)

    generated: dict[str, tuple[Path, str, Callable[[Path], str]]] = {
        "constants": (CONSTANTS_JS, "the constants for JavaScript", lambda _: render_constants()),
        "options": (OPTIONS_MD, "the page of the library's options", render_options),
        "settings": (CONFIGURATION_MD, "the page of the tracker's settings", _render_settings),
    }
    for name, (path, what, render) in generated.items():
        command = commands.add_parser(name, help=f"render {what} (source checkouts only)")
        choice = command.add_mutually_exclusive_group(required=True)
        choice.add_argument("--write", action="store_true", help=f"write {path}")
        choice.add_argument("--check", action="store_true", help=f"fail when {path} is not what would be written")
        command.set_defaults(run=_generate, command=name, path=path, render=render)


def _serve(args: argparse.Namespace) -> int:
    # Imported here, so that `bundle` and `constants` work where only a compiler is installed.
    from peerpool.app import create_app  # noqa: PLC0415
    from peerpool.server import make_server, within  # noqa: PLC0415
    from peerpool.settings import load_settings  # noqa: PLC0415

    overrides = {
        "host": args.host,
        "port": args.port,
        "redis_url": args.redis,
        "stun_port": args.stun_port,
        "stun_alternate_port": args.stun_port and args.stun_port + 1,  # 0, where the system chooses, stays 0
        "stun": False if args.no_stun else None,
    }
    settings = load_settings(args.config, overrides=overrides)
    app = create_app(settings)
    open_files = _raise_file_limit()
    hub = app.state.hub
    room, limits = within(open_files, hub.tracker.limits)
    hub.max_connections = min(settings.max_connections, room)
    server = make_server(app, settings, hub, limits)
    listener = _listen(settings.host, settings.port)
    stun = app.state.stun
    if stun is not None:
        stun.bind()  # now, for the error that names a port in use is to be one line
    base = _base_url(settings.host, listener.getsockname()[1])
    print(f"Media PeerPool {__version__}")
    print(f"  demo      {base}/demo")
    print(f"  script    {base}/peerpool.js")
    print(f"  tracker   {base.replace('http', 'ws', 1)}/signal   (WebTorrent clients: /announce)")
    print(f"  stun      {_stun_summary(stun)}")
    print(f"  capacity  {hub.max_connections} WebSockets ({open_files} open files allowed)")
    print(f"  access    {_access(settings, hub.tracker.gate)}")
    print(f"  dashboard {_dashboard(settings, base, app.state.history.name, is_lasting=app.state.history.is_lasting)}")
    for warning in _warnings(settings, hub.max_connections):
        print(f"  WARNING   {warning}")
    sys.stdout.flush()
    server.run(sockets=[listener])
    return 0 if server.started else EXIT_FAILED


def _stun_summary(stun: StunServer | None) -> str:
    if stun is None:
        return "off"
    port, alternate_port = stun.bind()
    where = "   (this machine only: set stun_listen for others)" if stun.is_local else ""
    return f"UDP ports {port} and {alternate_port}{where}"


def _access(settings: Settings, gate: Gate | None) -> str:
    if gate is None:
        return "OPEN: ANYBODY MAY JOIN ANY SWARM (name your sites in a file: docs/sites.md)"
    torrents = "open to anybody" if gate.admits_torrents else "refused"
    return f"{len(gate.accounts)} sites of {settings.sites}; /announce is {torrents}"


def _dashboard(settings: Settings, base: str, where: str, *, is_lasting: bool) -> str:
    if not settings.admin_token:
        return "off (set admin_token: docs/dashboard.md)"
    return f"{base}/dashboard   (history in {where if is_lasting else 'memory: it ends with this process'})"


def _warnings(settings: Settings, room: int) -> Iterator[str]:
    """Yield what works as it is, and is hardly meant so. `peerpool doctor` looks closer."""
    if room < settings.max_connections:
        yield f"room for {room} of {settings.max_connections} WebSockets: raise the limit of open files (ulimit -n)"
    if not settings.geoip_databases and not settings.site_map:
        yield "nobody's provider or place is known: name geoip_databases (docs/operations.md)"
    if 0 < len(settings.admin_token) < ADMIN_TOKEN_CHARS:
        yield f"admin_token is shorter than {ADMIN_TOKEN_CHARS} characters: it can be guessed"


def _token(args: argparse.Namespace) -> int:
    from peerpool.auth import make_token  # noqa: PLC0415
    from peerpool.sites_file import find_site, read_sites  # noqa: PLC0415

    site = find_site(read_sites(args.sites), args.site)
    print(make_token(site, args.content, args.ttl_s, args.uses, args.ip))
    return 0


def _listen(host: str, port: int) -> socket.socket:
    """Return a listening socket: from the summary on, who connects waits and is not refused. Raises ListenError.

    Where the system has opened one for us (sd_listen_fds(3), deploy/peerpool.socket), it is that: it stays open while
    we are restarted, and who connects meanwhile waits.
    """
    if os.environ.pop("LISTEN_PID", "") == str(os.getpid()) and int(os.environ.pop("LISTEN_FDS", "0")) > 0:
        return socket.socket(fileno=FIRST_GIVEN_FILE)
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


def _package(args: argparse.Namespace) -> int:
    from peerpool.npm_package import pack, write_package  # noqa: PLC0415

    root = _require_checkout()
    with tempfile.TemporaryDirectory() as folder:
        package = Path(folder) / "package"
        write_package(root, package)
        tarball = pack(package, args.out)
    print(f"{tarball.stat().st_size:>9} bytes  {tarball}")
    return 0


def _release(args: argparse.Namespace) -> int:
    from peerpool.release import release  # noqa: PLC0415

    for path in release(_require_checkout(), args.out):
        print(f"{path.stat().st_size:>9} bytes  {path}")
    return 0


def _embed(args: argparse.Namespace) -> int:
    from peerpool.embed import FORMS, Embedding, check_tracker  # noqa: PLC0415
    from peerpool.settings import load_settings  # noqa: PLC0415

    tracker = args.tracker
    if tracker is None:
        settings = load_settings(args.config)
        tracker = _base_url(settings.host, settings.port)
    page = Embedding(
        tracker,
        site=args.site,
        content=args.content,
        token=args.token,
        worker=args.worker,
        asks_consent=args.consent,
        intercepts=not args.no_intercept,
    )
    root = bundle.find_checkout()
    manifest = bundle.build(root) if root is not None and bundle.is_stale(root) else bundle.load_manifest()
    if page.tracker.startswith("http:") and not re.match(r"http://(localhost|127\.|\[::1\])", page.tracker):
        print(
            "peerpool: pages on https may not load from http: put a proxy with TLS before the tracker", file=sys.stderr
        )
    if args.check:
        check_tracker(manifest["peerpool.js"], page.tracker)
    print(FORMS[args.form](manifest, page))
    return 0


def _render_settings(root: Path) -> str:
    from peerpool.settings_doc import render_settings  # noqa: PLC0415

    return render_settings(root)


def _generate(args: argparse.Namespace) -> int:
    root = _require_checkout()
    path = root / args.path
    text = args.render(root)
    if args.write:
        path.write_text(text, encoding="utf-8")
        return 0
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        print(f"peerpool: {args.path} has drifted: run `peerpool {args.command} --write`", file=sys.stderr)
        return EXIT_FAILED
    return 0


def _require_checkout() -> Path:
    root = bundle.find_checkout()
    if root is None:
        raise BundleError("this command needs a source checkout; an installed package has its bundle built in")
    return root


if __name__ == "__main__":
    sys.exit(main())
