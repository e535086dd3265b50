"""Every command of `peerpool` in the documents is run, in a world that has what they name: files, a tracker, Redis.

Words for what belongs to the reader (a host, a path, FILE) are replaced by what is there. What only names a command
(`peerpool sign`) is not run without its arguments: that it exists is checked in test_docs.py.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest
from peerpool.core.ledger import LedgerKey, Sums
from peerpool.core.seats import Group
from peerpool.history import Scope
from peerpool.sqlite_history import SqliteHistory

from e2e.harness.child import free_port
from e2e.harness.redis_server import RedisServer
from tests.databases import city, provider, write_mmdb
from tests.servers import ROOT, ServerProcess, join, receive, running_server, send
from tests.test_docs import commands

PEERPOOL = str(Path(sys.executable).with_name("peerpool"))
# Documents of what is done; records of decisions and changes name commands of their time.
READERS = ("README.md", "SECURITY.md", "CONTRIBUTING.md", "docs/")
NOT_READERS = ("docs/adr/", "docs/benchmarks/")
# Names, without the arguments that they need.
NAMES = (
    "sign", "keys new", "token", "embed", "savings --log", "ice check", "geoip check FILE [ADDRESS]",
    "serve --config FILE", "doctor",
)  # fmt: skip
TIMEOUT_S = 60
SITES = '[[site]]\nid = "news"\norigins = ["https://news.example"]\nsecrets = ["' + "x" * 32 + '"]\n'
MEDIA = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n1.ts\n#EXTINF:2,\n2.ts\n#EXT-X-ENDLIST\n"
PLAYLIST = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1000000\nindex.m3u8\n"


class World(NamedTuple):
    """Where commands are run, and the tracker and Redis that are there."""

    folder: Path
    tracker: ServerProcess
    redis_url: str

    def real(self, line: str) -> list[str]:
        """Return a command's words, those of the reader's replaced."""
        toml = str(self.folder / "peerpool.toml")
        for shown, there in {
            "https://tracker.example": self.tracker.base,
            "/etc/peerpool/peerpool.toml": toml,
            "/etc/peerpool/sites.toml": str(self.folder / "sites.toml"),
            "redis://redis.example:6379/0": self.redis_url,
            "HOST:3478": f"127.0.0.1:{self.stun_port}",
            "DIR": str(self.folder / "dist"),
            "--host 0.0.0.0 --port 8080": "--host 127.0.0.1 --port 0",
        }.items():
            line = line.replace(shown, there)
        return shlex.split(line, comments=True)

    @property
    def stun_port(self) -> int:
        """The port on which its tracker answers STUN."""
        return int((self.folder / "stun-port").read_text())


def lines() -> list[str]:
    """List each command that is written for readers, once."""
    found = {}
    for where, words in commands():
        page, _, line = where.partition(": ")
        if words[0] != "peerpool" or not page.startswith(READERS) or page.startswith(NOT_READERS):
            continue
        matched = re.search(r"((?:[A-Z_]+=\S+ )*)(?:\S*/)?peerpool (.+)", line)
        assert matched is not None
        rest = re.sub(r"\s+#.*|\s+\(.*", "", matched[2]).strip()
        if rest not in NAMES:
            found[matched[1] + rest] = page
    return sorted(found)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder: Path = tmp_path_factory.mktemp("reader")
    for name in ("movie", "live"):
        (folder / name).mkdir()
        (folder / name / "master.m3u8").write_text(PLAYLIST)
        (folder / name / "index.m3u8").write_text(MEDIA)
        for segment in ("1.ts", "2.ts"):
            (folder / name / segment).write_bytes(b"G" * 40_000)
    (folder / "sites.toml").write_text(SITES)
    write_mmdb(folder / "asn.mmdb", {"93.184.0.0/16": {**provider(1), **city("Berlin", "DE", "EU")}})
    now_s = int(time.time())
    history = SqliteHistory(str(folder / "history.db"), 10**9)
    history.add(now_s - 600, {LedgerKey("", "c" * 40, Group.SHARING): Sums(cdn_bytes=1_000, far_bytes=3_000)})
    history.close()
    when = datetime.fromtimestamp(now_s - 600, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000")
    (folder / "access.log.gz").write_bytes(gzip.compress(f'a - - [{when}] "GET /1.ts HTTP/1.1" 200 1000\n'.encode()))
    stun_port, other_port = free_port(), free_port()
    (folder / "stun-port").write_text(str(stun_port))
    (folder / "peerpool.toml").write_text(
        f'port = 0\nhistory = "{folder / "history.db"}"\nsites = "{folder / "sites.toml"}"\nmax_connections = 100\n'
        f'stun_port = {stun_port}\nstun_alternate_port = {other_port}\npublic_hosts = ["127.0.0.1"]\n'
    )
    redis = RedisServer(folder)
    redis.start()
    stun = {"stun": "true", "stun_port": str(stun_port), "stun_alternate_port": str(other_port)}
    with running_server(**stun) as tracker:
        yield World(folder, tracker, redis.url)
    redis.stop()


@pytest.mark.skipif(shutil.which("redis-server") is None, reason="needs redis-server")
@pytest.mark.parametrize("line", lines())
def test_a_command_of_the_documents_does_what_it_says(world: World, line: str) -> None:
    words = world.real(line)
    environ = os.environ | dict(word.split("=", 1) for word in words if re.fullmatch(r"[A-Z_]+=.*", word))
    arguments = [word for word in words if not re.fullmatch(r"[A-Z_]+=.*", word)]
    if arguments[0] in (
        "options",
        "settings",
    ):  # these write into the checkout: look whether there is anything to write
        arguments = [arguments[0], "--check"]
    if arguments[:2] == ["keys", "new"]:
        (world.folder / arguments[2]).unlink(missing_ok=True)
    elif arguments[0] == "sign":
        key = world.folder / "digest-key.pem"
        if not key.exists():
            subprocess.run([PEERPOOL, "keys", "new", str(key)], check=True, capture_output=True)
    if arguments[0] == "serve":
        serves(world, arguments, environ)
        return
    # What builds the library has to be in the checkout; the rest is wherever its reader is.
    cwd = ROOT if arguments[0] in ("options", "settings", "package") else world.folder
    with subprocess.Popen(
        [PEERPOOL, *arguments], cwd=cwd, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        if "--watch" in arguments:
            until_s = time.monotonic() + TIMEOUT_S
            while not list((world.folder / "live").rglob("*.ppd")):
                assert time.monotonic() < until_s
                time.sleep(0.1)
            process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=TIMEOUT_S)
    # A doctor who finds something to mend says so by his exit code, too.
    expected = (0, 1) if arguments[0] == "doctor" else (0,)
    assert process.returncode in expected, said
    assert "Traceback" not in said
    assert said or arguments[0] in ("options", "settings")


def serves(world: World, arguments: list[str], environ: dict[str, str]) -> None:
    """Start a tracker with these arguments, on ports of its own, and end it."""
    own = environ | {"PEERPOOL_STUN": "false", "PEERPOOL_PORT": "0"}
    with subprocess.Popen(
        [PEERPOOL, *arguments], cwd=world.folder, env=own, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        seen = ""
        while "dashboard" not in seen:
            line = process.stdout.readline()
            assert line, seen
            seen += line
        base = re.search(r"http://[^/]+", seen)
        assert base is not None
        assert httpx.get(f"{base[0]}/healthz", timeout=TIMEOUT_S, trust_env=False).is_success
        process.terminate()
        process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 0, seen


def other_lines(program: str) -> list[str]:
    """List the commands of another program in the documents: lines of blocks, and those in backticks."""
    found = []
    for page in sorted((ROOT / "docs").glob("*.md")):
        text = page.read_text(encoding="utf-8")
        found += re.findall(rf"^({program} .+)$", text, re.MULTILINE) + re.findall(rf"`({program} [^`]+)`", text)
    return found


def test_the_api_answers_to_the_curl_commands_of_the_documents(world: World) -> None:
    token, content, track = "a token of the operator", "c" * 40, "a" * 16
    with running_server(admin_token=token) as tracker, tracker.native() as client:
        peer = join(client, content)["peer"]
        holdings = [{"track": track, "playhead": 7, "held": [[7, 1]]}]
        send(client, type="report", peer_bytes=0, cdn_bytes=1, sent_bytes=0, neighbours=0, stalls=0, holdings=holdings)
        send(client, type="ping")
        receive(client, "pong")
        variables = {"TOKEN": token, "ID": content, "TRACK": track, "PEER": peer}
        commands_ = other_lines("curl")
        assert len(commands_) > 4
        for line in commands_:
            real = line.replace("https://tracker.example", tracker.base).replace("curl ", "curl -fsS ", 1)
            done = subprocess.run(
                ["bash", "-c", real], env=os.environ | variables, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, (line, done.stdout, done.stderr)
            assert json.loads(done.stdout), line


def test_a_backup_as_documented_can_be_opened(world: World, tmp_path: Path) -> None:
    (line,) = other_lines("sqlite3")
    real = line.replace("/var/lib/peerpool/history.db", str(world.folder / "history.db"))
    real = real.replace("/backup/history.db", str(tmp_path / "backup.db"))
    subprocess.run(["bash", "-c", real], check=True)
    restored = SqliteHistory(str(tmp_path / "backup.db"), 10**9)
    assert len(restored.contents(Scope(0, 2 * 10**9), int(time.time()))) == 1


def test_there_are_commands_of_every_kind() -> None:
    kinds = {line.split(" ")[0] for line in lines()}
    assert {"serve", "keys", "sign", "geoip", "ice", "token", "savings", "doctor", "embed", "package"} <= kinds
