"""Sites over real sockets: origins of handshakes, tokens of the command, what the file's changes do, what is shown."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from peerpool.core import constants as c
from peerpool.core.identity import content_id
from websockets.exceptions import InvalidStatus

from tests.core.test_sites import NAME
from tests.servers import ROOT, ServerProcess, close_code, join, receive, running_server, send
from tests.test_sites_file import GOOD, SECRET, written

CONTENT = content_id(NAME)
PAGE = "https://news.example"


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-m", "peerpool.cli", *arguments]
    return subprocess.run(program, check=False, capture_output=True, text=True, timeout=60, cwd=ROOT)


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("sites") / "sites.toml", GOOD)


@pytest.fixture(scope="module", params=["true", "false"], ids=["direct", "asgi"])
def guarded(request: pytest.FixtureRequest, sites: Path) -> Iterator[ServerProcess]:
    with running_server(sites=str(sites), direct_sockets=request.param, admin_token="t") as running:
        yield running


def made(sites: Path, *options: str, content: str = NAME) -> str:
    done = command("token", "--sites", str(sites), "--site", "news", "--content", content, *options)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def refusal(client: Any, **fields: Any) -> str:
    send(client, type="join", session="0" * 16, **fields)
    return str(receive(client, "error")["code"])


def test_a_viewer_with_origin_and_token_joins(guarded: ServerProcess, sites: Path) -> None:
    token = made(sites, "--uses", "1", "--ip", "127.0.0.1")
    with guarded.native(origin=PAGE) as client, guarded.native(origin=PAGE) as again:
        assert join(client, CONTENT, site="news", name=NAME, token=token)["neighbours"] == []
        assert refusal(again, content=CONTENT, site="news", name=NAME, token=token) == c.ERROR_UNAUTHORIZED
        assert close_code(again) == c.CLOSE_UNAUTHORIZED


@pytest.mark.parametrize("origin", ["https://evil.example", "null", None, PAGE + "x" * 400])
def test_pages_of_other_origins_are_refused(guarded: ServerProcess, sites: Path, origin: str | None) -> None:
    with guarded.native(origin=origin) as client:
        assert refusal(client, content=CONTENT, site="news", token=made(sites)) == c.ERROR_UNAUTHORIZED
        assert close_code(client) == c.CLOSE_UNAUTHORIZED


def test_torrent_clients_are_refused_in_the_handshake(guarded: ServerProcess) -> None:
    with pytest.raises(InvalidStatus) as caught:
        guarded.torrent()
    assert caught.value.response.status_code == 403
    assert b"open_torrents" in (caught.value.response.body or b"")


def test_neither_secrets_nor_addresses_are_shown(guarded: ServerProcess, sites: Path) -> None:
    with guarded.native(origin=PAGE) as client:
        join(client, CONTENT, site="news", name=NAME, token=made(sites))
        shown = {}
        for path in ("/stats", "/metrics", "/api/sites", f"/api/swarms/{CONTENT}", "/api/swarms"):
            request = urllib.request.Request(guarded.base + path, headers={"Authorization": "Bearer t"})
            with urllib.request.urlopen(request, timeout=10) as response:
                shown[path] = response.read().decode()
    assert all(SECRET not in text and "127.0.0.1" not in text for text in shown.values())
    [row] = json.loads(shown["/api/sites"])["sites"]
    assert (row["counts"]["id"], row["counts"]["sharing"]["members"], row["secrets"]) == ("news", 1, 1)
    assert json.loads(shown["/stats"])["sites"][0]["id"] == "news"
    assert 'peerpool_group_members{group="holdout"} 0.0' in shown["/metrics"]


def test_a_site_that_is_switched_off_in_the_file_sends_its_viewers_away(tmp_path: Path) -> None:
    path = written(tmp_path / "sites.toml", GOOD)
    with running_server(sites=str(path)) as server, server.native(origin=PAGE) as client:
        join(client, CONTENT, site="news", name=NAME, token=made(path))
        written(tmp_path / "new.toml", GOOD + "enabled = false\n").rename(path)
        error = json.loads(client.recv(30))
        assert (error["code"], error["retry_after_ms"]) == (c.ERROR_OFF, 600_000)
        assert close_code(client) == c.CLOSE_OFF


def test_a_broken_file_stops_the_start_and_says_what_to_do(tmp_path: Path) -> None:
    path = written(tmp_path / "sites.toml", GOOD.replace(SECRET, "short"))
    config = written(tmp_path / "peerpool.toml", f'sites = "{path}"\n')
    done = command("serve", "--port", "0", "--config", str(config))
    assert done.returncode == 2
    assert "[[site]] number 1" in done.stderr
    assert "token_urlsafe" in done.stderr
    token = command("token", "--sites", str(path), "--site", "news", "--content", "*")
    assert (token.returncode, token.stdout) == (2, "")


def test_the_summary_says_who_may_join(sites: Path) -> None:
    for options, says in (({}, "ANYBODY MAY JOIN"), ({"sites": str(sites)}, "1 sites of")):
        with running_server(**options) as server:
            assert server.process.stdout is not None
            [access] = [line for line in itertools.islice(server.process.stdout, 5) if "access" in line]
            assert says in access
