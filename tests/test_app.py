"""The HTTP endpoints of a real server."""

from __future__ import annotations

import asyncio
import json
import re
import urllib.error
import urllib.request
from collections.abc import Mapping
from email.message import Message
from pathlib import Path
from urllib.parse import quote

import pytest
from peerpool.app import create_app
from peerpool.core.errors import KeyFileError
from peerpool.keys import new_key, write_key
from peerpool.pages import Pages
from peerpool.settings import DemoStream, Settings
from prometheus_client.parser import text_string_to_metric_families
from starlette.requests import Request

from tests.servers import ROOT, ServerProcess, join, running_server


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_args: object) -> None:
        return None


def get(url: str, headers: Mapping[str, str] | None = None, method: str = "GET") -> tuple[int, Message, str]:
    opener = urllib.request.build_opener(_NoRedirect)
    request = urllib.request.Request(url, headers=dict(headers or {}), method=method)
    try:
        with opener.open(request, timeout=20) as response:
            return response.status, response.headers, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read().decode()


def test_health(server: ServerProcess) -> None:
    assert get(f"{server.base}/healthz")[0] == 200


@pytest.mark.skipif(not (ROOT / "node_modules" / "esbuild").is_dir(), reason="needs `npm ci`")
def test_ready_and_serving_the_library(server: ServerProcess) -> None:
    status, headers, body = get(f"{server.base}/peerpool.js")
    assert (status, headers["Access-Control-Allow-Origin"]) == (200, "*")
    assert "PeerPool" in body
    assert get(f"{server.base}/peerpool.js", {"If-None-Match": headers["ETag"]})[0] == 304
    assert get(f"{server.base}/peerpool.esm.js.map")[0] == 200
    assert get(f"{server.base}/pages/hls.min.js")[0] == 200
    assert get(f"{server.base}/readyz")[0] == 200


def test_home_leads_to_the_demo(server: ServerProcess) -> None:
    status, headers, _ = get(f"{server.base}/")
    assert (status, headers["Location"]) == (307, "/demo")


def test_the_demo_loads_the_library_before_the_player(server: ServerProcess) -> None:
    status, headers, html = get(f"{server.base}/demo")
    assert status == 200
    assert html.index('src="/peerpool.js"') < html.index('src="/pages/hls.min.js"') < html.index('src="/pages/demo.js"')
    assert "script-src 'self';" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "peerpool.js" not in get(f"{server.base}/demo?script=off")[2]


def test_the_demo_escapes_what_it_is_given(server: ServerProcess) -> None:
    hostile = "\"><script>alert(1)</script>'"
    html = get(f"{server.base}/demo?src={quote(hostile)}&name={quote(hostile)}")[2]
    assert "<script>alert" not in html
    assert 'data-src=""' in html, "what is no URL is not played"
    assert "&#34;&gt;&lt;script&gt;" in html, "a name is text"
    quoted = get(f"{server.base}/demo?src={quote('https://cdn.example/' + hostile)}")[2]
    assert 'data-src="https://cdn.example/&#34;&gt;&lt;script&gt;' in quoted


@pytest.mark.parametrize(
    "src", ["javascript:alert(1)", "data:text/html,x", "blob:http://a/b", "//cdn.example/a", "/a.m3u8", "http:///a",
            "https://cdn.example/\0", "https://[", "ftp://cdn.example/a", "https://cdn.example/" + "a" * 5000]
)  # fmt: skip
def test_the_demo_plays_web_urls_only(server: ServerProcess, src: str) -> None:
    assert 'data-src=""' in get(f"{server.base}/demo?src={quote(src)}")[2]


def test_pages_tell_browsers_what_they_need_not(server: ServerProcess) -> None:
    headers = get(f"{server.base}/demo")[1]
    assert headers["X-Frame-Options"] == "SAMEORIGIN"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "geolocation=()" in headers["Permissions-Policy"]
    policy = headers["Content-Security-Policy"]
    for directive in ("default-src 'none'", "base-uri 'none'", "frame-ancestors 'self'"):
        assert directive in policy
    script_sources = next(part for part in policy.split("; ") if part.startswith("script-src"))
    assert script_sources == "script-src 'self'"


def test_the_demo_links_its_streams() -> None:
    streams = [DemoStream("Live & <b>", "https://cdn.example/a.m3u8?x=1&y=2")]
    answer = asyncio.run(Pages(Settings(demo_streams=streams)).serve_demo(demo_request("")))
    html = bytes(answer.body).decode()
    assert 'href="/demo?src=https%3A//cdn.example/a.m3u8%3Fx%3D1%26y%3D2">Live &amp; &lt;b&gt;</a>' in html


@pytest.mark.parametrize(
    ("query", "player", "script"),
    [
        ("src=https://cdn.example/a.m3u8", "hls", "/pages/hls.min.js"),
        ("src=https://cdn.example/a.MPD%3Ft%3D1", "dash", "/pages/dash.js"),
        ("src=https://cdn.example/a.mp4", "video", None),
        ("src=https://cdn.example/a.m3u8&player=shaka", "shaka", "/pages/shaka.js"),
        ("src=https://cdn.example/a.mpd&player=videojs", "videojs", "/pages/video.js"),
        ("src=https://cdn.example/a.m3u8&player=../x", "hls", "/pages/hls.min.js"),
        ("", "hls", "/pages/hls.min.js"),
    ],
)
def test_the_demo_loads_the_chosen_player_or_the_one_for_the_url(query: str, player: str, script: str | None) -> None:
    html = bytes(asyncio.run(Pages(Settings()).serve_demo(demo_request(query))).body).decode()
    assert f'data-player="{player}"' in html
    scripts = re.findall(r'<script src="(/pages/[^"]+)"', html)
    assert scripts == [*([script] if script else []), "/pages/demo.js"]
    assert ('data-worker="/peerpool-sw.js"' in html) is (player == "video")


def test_the_demo_says_that_it_refuses_a_url() -> None:
    pages = Pages(Settings(demo_src="https://cdn.example/default.m3u8"))
    for query, refused in (("src=ftp://cdn.example/a", True), ("", False)):
        assert ('role="alert"' in bytes(asyncio.run(pages.serve_demo(demo_request(query))).body).decode()) is refused


def demo_request(query: str) -> Request:
    return Request({"type": "http", "method": "GET", "path": "/demo", "query_string": query.encode(), "headers": []})


def test_metrics_are_prometheus_and_count(server: ServerProcess) -> None:
    with server.native() as client:
        client.send(json.dumps({"type": "join", "content": "e" * 40, "session": "0" * 16}))
        client.recv(10)
        report = {"peer_bytes": 5, "cdn_bytes": 7, "sent_bytes": 9, "neighbours": 1, "stalls": 1}
        client.send(json.dumps({"type": "report"} | report))
        client.send(json.dumps({"type": "ping"}))
        while json.loads(client.recv(10))["type"] != "pong":
            pass
        _, headers, text = get(f"{server.base}/metrics")
        stats = json.loads(get(f"{server.base}/stats")[2])
    assert headers["Content-Type"].startswith("text/plain; version=")
    samples = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert samples["peerpool_members", "native"] >= 1
    assert samples["peerpool_joins_total",] >= 1
    assert samples["peerpool_client_reported_bytes_total", "sent"] >= 9
    assert stats["client_reported"]["bytes"]["peer"] >= 5
    assert stats["members"]["native"] >= 1


def test_posting_is_not_for_this_server(server: ServerProcess) -> None:
    for path in ("/healthz", "/demo", "/peerpool.js"):
        assert get(f"{server.base}{path}", method="POST")[0] == 405


def test_two_apps_do_not_share_metrics() -> None:
    assert create_app(Settings()).state.hub is not create_app(Settings()).state.hub


def test_an_open_tracker_with_keys_has_clients_take_signed_pieces_only(tmp_path: Path) -> None:
    keys = {str(tmp_path / name): new_key() for name in ("new.pem", "old.pem")}
    for path, key in keys.items():
        write_key(Path(path), key)
    with running_server(DIGEST_KEYS=json.dumps(list(keys))) as server, server.native() as client:
        told = join(client, "ab" * 20)["integrity"]
    assert told == {"mode": "signed", "keys": [key.public_hex for key in keys.values()], "digests": ""}


def test_an_app_does_not_start_without_a_key_it_was_told_of(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError):
        create_app(Settings(digest_keys=[str(tmp_path / "gone.pem")]))
