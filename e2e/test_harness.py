"""The instruments themselves: an origin that miscounts would make every figure of this project wrong."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from e2e.harness import ledger
from e2e.harness.ledger import Entry
from e2e.harness.origin_client import Origin
from e2e.harness.origin_files import parse_range, with_viewer
from e2e.harness.origin_playlists import awaited, has, place

SEGMENT = bytes(range(256)) * 400  # 102,400 bytes
PLAYLIST = """#EXTM3U
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="x",URI="audio/index.m3u8"
#EXT-X-MAP:URI="init.mp4"
#EXTINF:2.0,
segment-1.m4s
segment-2.m4s?part=1
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Origin]:
    folder: Path = tmp_path_factory.mktemp("origin")
    (folder / "media").mkdir()
    (folder / "media" / "segment-1.m4s").write_bytes(SEGMENT)
    (folder / "media" / "index.m3u8").write_text(PLAYLIST)
    (folder / "secret.txt").write_text("outside")
    started = Origin({"m": folder / "media"}, folder / "logs")
    started.start()
    yield started
    started.stop()


@pytest.fixture
def origin_server(server: Origin) -> Iterator[Origin]:
    server.reset_rules()
    yield server
    server.reset_rules()


def fetch(server: Origin, path: str, **headers: str) -> httpx.Response:
    return httpx.get(f"{server.url}{path}", headers=headers, trust_env=False, timeout=5)


def last(server: Origin) -> Entry:
    return server.entries()[-1]


def test_a_whole_file_and_a_range_are_served_and_counted(origin_server: Origin) -> None:
    whole = fetch(origin_server, "/m/segment-1.m4s?viewer=ada")
    assert (whole.status_code, whole.content) == (200, SEGMENT)
    assert whole.headers["access-control-allow-origin"] == "*"
    assert whole.headers["content-type"] == "video/mp4"
    entry = last(origin_server)
    assert (entry.viewer, entry.sent_bytes, entry.size_bytes, entry.complete) == ("ada", 102_400, 102_400, True)
    assert origin_server.digests()["/m/segment-1.m4s"] == hashlib.sha256(SEGMENT).hexdigest()

    part = fetch(origin_server, "/m/segment-1.m4s", Range="bytes=100-199")
    assert (part.status_code, part.content) == (206, SEGMENT[100:200])
    assert part.headers["content-range"] == "bytes 100-199/102400"
    assert (last(origin_server).range, last(origin_server).sent_bytes) == ("bytes=100-199", 100)


def test_an_origin_without_ranges_sends_the_whole(origin_server: Origin) -> None:
    origin_server.set_rules(accept_ranges=False)
    assert fetch(origin_server, "/m/segment-1.m4s", Range="bytes=100-199").status_code == 200


def test_a_playlist_carries_the_viewer_on(origin_server: Origin) -> None:
    response = fetch(origin_server, "/m/index.m3u8?viewer=ada")
    assert response.text == with_viewer(PLAYLIST, "ada")
    assert 'URI="audio/index.m3u8?viewer=ada"' in response.text
    assert 'URI="init.mp4?viewer=ada"' in response.text
    assert "\nsegment-1.m4s?viewer=ada\n" in response.text
    assert "\nsegment-2.m4s?part=1&viewer=ada\n" in response.text
    assert response.headers["cache-control"] == "no-cache"


def test_what_is_not_there_or_outside_is_not_found(origin_server: Origin) -> None:
    for path in ("/m/none.m4s", "/m/%2e%2e/secret.txt", "/nowhere/x", "/m/"):
        assert fetch(origin_server, path).status_code == 404
    assert fetch(origin_server, "/m/segment-1.m4s", Range="bytes=102400-").status_code == 416


def test_one_viewer_crawls_while_others_do_not(origin_server: Origin) -> None:
    origin_server.set_rules(viewers={"slow": {"rate_bps": 1_638_400}})  # the file takes half a second
    started = time.monotonic()
    fetch(origin_server, "/m/segment-1.m4s?viewer=fast")
    assert time.monotonic() - started < 0.3
    started = time.monotonic()
    assert fetch(origin_server, "/m/segment-1.m4s?viewer=slow").content == SEGMENT
    assert 0.45 < time.monotonic() - started < 1.5


def test_a_total_cap_is_shared_by_all_and_leaves_playlists_alone(origin_server: Origin) -> None:
    origin_server.set_rules(total_rate_bps=3_276_800)  # four times the file takes a second
    started = time.monotonic()
    with ThreadPoolExecutor() as pool:
        urls = [f"/m/segment-1.m4s?viewer={name}" for name in ("ada", "bob", "cy", "di")]
        assert {answer.content for answer in pool.map(lambda url: fetch(origin_server, url), urls)} == {SEGMENT}
    assert 0.9 < time.monotonic() - started < 2
    ended = [entry.ended_s for entry in origin_server.entries()[-4:]]
    assert max(ended) - min(ended) < 0.3, "each has its share all the time"
    started = time.monotonic()
    fetch(origin_server, "/m/index.m3u8")
    assert time.monotonic() - started < 0.3


def test_a_transfer_broken_off_counts_what_was_sent(origin_server: Origin) -> None:
    origin_server.set_rules(classes={"media": {"rate_bps": 400_000}})  # 50,000 bytes a second: two seconds
    before = len(origin_server.entries())
    with httpx.stream("GET", f"{origin_server.url}/m/segment-1.m4s", trust_env=False) as response:
        next(response.iter_raw(10_000))
    until = time.monotonic() + 5
    while len(origin_server.entries()) == before and time.monotonic() < until:
        time.sleep(0.02)
    entry = last(origin_server)
    assert not entry.complete
    assert 10_000 <= entry.sent_bytes < 60_000


def test_outages(origin_server: Origin) -> None:
    origin_server.set_rules(outage="503")
    assert fetch(origin_server, "/m/segment-1.m4s").status_code == 503
    origin_server.set_rules(outage="refuse")
    with pytest.raises(httpx.ConnectError):
        fetch(origin_server, "/m/segment-1.m4s")
    origin_server.set_rules(outage="")
    assert fetch(origin_server, "/m/segment-1.m4s").status_code == 200


def test_latency_comes_before_the_first_byte(origin_server: Origin) -> None:
    origin_server.set_rules(classes={"playlist": {"latency_ms": 200}})
    started = time.monotonic()
    fetch(origin_server, "/m/index.m3u8")
    assert time.monotonic() - started >= 0.2


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-9", (0, 10)),
        ("bytes=90-", (90, 100)),
        ("bytes=90-1000", (90, 100)),
        ("bytes=-10", (90, 100)),
        ("bytes=-1000", (0, 100)),
        ("bytes=-", None),
        ("bytes=0-1,5-6", None),
        ("items=0-1", None),
    ],
)
def test_ranges(header: str, expected: tuple[int, int] | None) -> None:
    assert parse_range(header, 100) == expected


@pytest.mark.parametrize("header", ["bytes=100-", "bytes=200-300", "bytes=9-8", "bytes=-0"])
def test_unsatisfiable_ranges(header: str) -> None:
    with pytest.raises(ValueError, match="bytes"):
        parse_range(header, 100)


def entry(path: str, started_s: float, sent_bytes: int, viewer: str = "", size_bytes: int = 1000) -> Entry:
    kind = "playlist" if path.endswith("m3u8") else "media"
    return Entry(1, started_s, started_s + 1, path, kind, viewer, "", 200, sent_bytes, size_bytes, complete=True)


def test_copies_are_of_segments_first_requested_in_the_window() -> None:
    entries = [
        entry("/a", 1, 1000, "ada"),
        entry("/a", 11, 1000, "bob"),  # first requested before the window: not of it
        entry("/b", 10, 1000, "ada"),
        entry("/b", 12, 500, "bob"),
        entry("/c", 13, 1000, "ada"),
        entry("/index.m3u8", 13, 700, "ada"),
    ]
    assert ledger.copies_per_segment(entries, since_s=10) == 2500 / 2000
    assert ledger.copies_per_segment(entries) == 4500 / 3000
    assert math.isnan(ledger.copies_per_segment(entries, since_s=50))
    assert ledger.bytes_by_viewer(entries) == {"ada": 3000, "bob": 1500}
    assert ledger.requests_per_segment(entries, since_s=10) == {"/b": 2, "/c": 1}
    assert ledger.origin_bytes(entries, since_s=10, until_s=13) == 1500


def test_offload() -> None:
    assert ledger.offload_ratio(1000, 4000) == 0.75
    assert ledger.offload_ratio(1100, 1000) == pytest.approx(-0.1)
    assert math.isnan(ledger.offload_ratio(0, 0))


def test_paths_are_taken_apart_into_token_edge_and_file() -> None:
    assert place("/token=a/edge/forms/x.m3u8") == ("/token=a", True, "/forms/x.m3u8")
    assert place("/hdntl=exp=1~hmac=2/vod/x.ts") == ("/hdntl=exp=1~hmac=2", False, "/vod/x.ts")
    assert place("/vod/token=a/x.ts") == ("", False, "/vod/token=a/x.ts")


def test_a_playlist_has_what_was_published_and_not_what_comes_next() -> None:
    text = "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:7\n#EXT-X-PART:a\n#EXTINF:2,\n7.m4s\n#EXT-X-PART:b\n#EXT-X-PART:c\n"
    assert has(text, 7, -1)
    assert has(text, 7, 9)
    assert has(text, 8, 1)
    assert not has(text, 8, 2)
    assert not has(text, 8, -1)
    assert awaited("viewer=a&_HLS_msn=8&_HLS_part=1") == (8, 1)
    assert awaited("viewer=a") is None
