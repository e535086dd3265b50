"""Access logs of every known format, and of none."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from peerpool.access_log import LogReader, Sent

AT_S = 1_767_323_045.0  # 2026-01-02 03:04:05 UTC
W3C = "#Version: 1.0\n#Fields: date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status"


def read(text: str) -> list[Sent]:
    reader = LogReader()
    found = [sent for line in text.splitlines() if (sent := reader.read(line)) is not None]
    assert reader.unread == 0
    return found


@pytest.mark.parametrize(
    "line",
    [
        '192.0.2.1 - - [02/Jan/2026:03:04:05 +0000] "GET /a/1.m4s?token=x HTTP/1.1" 200 5000',
        '192.0.2.1 - bob [02/Jan/2026:04:04:05 +0100] "GET /a/1.m4s HTTP/2.0" 200 5000 "https://p.example/" "x"',
        '2001:db8::1 c.example - [02/Jan/2026:03:04:05 +0000] "GET https://c.example/a/1.m4s HTTP/1.1" 200 5000 0.4',
        f"{W3C}\n2026-01-02\t03:04:05\tFRA2\t5000\t192.0.2.1\tGET\td.cloudfront.net\t/a/1.m4s\t200",
        "#Fields: time cs-uri sc-status sc-bytes\n1767323045.0 /a/1.m4s?x=1 200 5000",
        json.dumps(
            {
                "EdgeStartTimestamp": 1_767_323_045_000_000_000,
                "ClientRequestURI": "/a/1.m4s?t=1",
                "EdgeResponseStatus": 200,
            }
            | {"EdgeResponseBytes": 5300, "EdgeResponseBodyBytes": 5000}
        ),
        json.dumps({"time": "2026-01-02T03:04:05Z", "url": "https://c.e/a/1.m4s", "status": "200", "bytes": "5000"}),
        json.dumps({"ts": 1_767_323_045.0, "request": {"uri": "/a/1.m4s"}, "status": 200, "size": 5000}),
        json.dumps(
            {"msec": "1767323045.000", "request": "GET /a/1.m4s HTTP/1.1", "status": 200, "body_bytes_sent": 5000}
        ),
        json.dumps({"timestamp": 1_767_323_045_000, "path": "/a/1%2Em4s", "status": 200, "bytes": 5000}),
    ],
)
def test_each_format_says_the_same(line: str) -> None:
    assert read(line) == [Sent(AT_S, "/a/1.m4s", 200, 5000)]


@pytest.mark.parametrize(
    ("path", "status", "is_media"),
    [
        ("/a/1.m4s", 200, True),
        ("/a/1.TS", 206, True),
        ("/a/film.mp4", 206, True),
        ("/a/index.m3u8", 200, False),
        ("/a/1.m4s", 404, False),
        ("/a/1.m4s", 304, False),
        ("/m4s", 200, False),
    ],
)
def test_media_are_segments_that_were_sent(path: str, status: int, is_media: bool) -> None:
    assert Sent(0, path, status, 1).is_media is is_media


def test_an_answer_without_a_body_is_of_no_bytes() -> None:
    assert read('h - - [02/Jan/2026:03:04:05 +0000] "GET /a HTTP/1.1" 304 -')[0].sent_bytes == 0


@pytest.mark.parametrize(
    "line",
    [
        "no log",
        '{"broken',
        "[1]",
        "{}",
        '{"time": "soon", "url": "/a", "status": 200, "bytes": 1}',
        '{"time": 1, "url": "/a", "status": 200, "bytes": -1}',
        '{"time": 1e999, "url": "/a", "status": "x", "bytes": 1}',
        'h - - [99/Jan/2026:03:04:05 +0000] "GET /a HTTP/1.1" 200 1',
        "x" * 100_000,
    ],
)
def test_what_cannot_be_read_is_counted(line: str) -> None:
    reader = LogReader()
    assert reader.read(line) is None
    assert reader.unread == 1


def test_comments_and_empty_lines_are_nothing() -> None:
    assert read("\n#Software: x\n   \n") == []


@given(st.text(max_size=300) | st.binary(max_size=300).map(lambda data: data.decode("latin-1")))
def test_no_line_is_a_crash(line: str) -> None:
    reader = LogReader()
    reader.read("#Fields: date time cs-uri-stem sc-status sc-bytes")
    reader.read(line)
    LogReader().read(line)
