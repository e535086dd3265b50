"""The dashboard over HTTP: its page, its sessions, what is now and what was, for the operator and for a site."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from peerpool.core.identity import content_id
from peerpool.core.ledger import LedgerKey, Sums
from peerpool.core.seats import Group
from peerpool.sqlite_history import SqliteHistory

from tests.servers import ServerProcess, join, running_server, send

ADMIN = "the token of the operator"
OF_SITE = "the token of a site"
FILM = content_id("a film")
PRICES = {"currency": "EUR", "cdn": [{"per_gb": 0.1}], "turn_per_gb": 0.2}
SITES = """
[[site]]
id = "news"
origins = ["https://news.example"]
tokens = "optional"
dashboard_token = "the token of a site"

[[site]]
id = "other"
origins = ["https://other.example"]
tokens = "optional"
holdout_percent = 100
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Serve two sites, one watched and one all held out, with a history of an hour ago."""
    folder: Path = tmp_path_factory.mktemp("dashboard")
    (folder / "sites.toml").write_text(SITES)
    history = SqliteHistory(str(folder / "history.db"), 10**9)
    key = LedgerKey("news", "c" * 32, Group.SHARING)
    then = int(time.time()) - 3_000
    for minute in range(10):
        sums = Sums(viewer_ms=240_000, far_bytes=3 * 10**9, cdn_bytes=10**9, possible_bytes=3 * 10**9, frames_400=1)
        held_out = Sums(viewer_ms=60_000, cdn_bytes=10**9, stalls=1, frames_1000=1)
        rows = {key: sums, key._replace(site="other"): sums, LedgerKey("other", "", Group.HOLDOUT): held_out}
        history.add(then + 60 * minute, rows, {key.content: "an old film"}, {("news", "refused:full"): 2})
    history.close()
    settings = {"sites": str(folder / "sites.toml"), "history": str(folder / "history.db")}
    with running_server(admin_token=ADMIN, prices=json.dumps(PRICES), **settings) as running:
        yield running


@pytest.fixture
def operator(served: ServerProcess) -> Iterator[httpx.Client]:
    with signed_in(served, ADMIN) as client:
        yield client


@contextlib.contextmanager
def signed_in(served: ServerProcess, token: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=served.base, timeout=20) as client:
        answer = client.post("/dashboard/session", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 204, answer.text
        yield client


def get(client: httpx.Client, path: str, status: int = 200) -> Any:
    answer = client.get(path)
    assert answer.status_code == status, answer.text
    assert answer.headers["cache-control"] == "no-store"
    return answer.json()


def test_the_page_is_for_anybody_and_says_nothing(served: ServerProcess) -> None:
    answer = httpx.get(f"{served.base}/dashboard")
    assert answer.status_code == 200
    policy = answer.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "script-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "an old film" not in answer.text


@pytest.mark.parametrize("path", ["now", "live", "history", "history.csv", "swarm"])
def test_figures_are_for_who_has_a_token(served: ServerProcess, path: str) -> None:
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Cookie": "peerpool_session=1.2.3"}):
        assert httpx.get(f"{served.base}/dashboard/{path}", headers=headers).status_code == 401
    assert httpx.post(f"{served.base}/dashboard/session", headers={"Authorization": "Bearer x"}).status_code == 401


def test_who_signs_out_has_no_session(served: ServerProcess) -> None:
    with signed_in(served, ADMIN) as client:
        get(client, "/dashboard/now")
        client.delete("/dashboard/session")
        get(client, "/dashboard/now", 401)


def test_now_has_who_is_there(served: ServerProcess, operator: httpx.Client) -> None:
    with served.native(origin="https://news.example") as one, served.native(origin="https://other.example") as held_out:
        join(one, FILM, site="news", name="a film")
        assert join(held_out, FILM, site="other", name="a film")["sharing"] is False
        now = get(operator, "/dashboard/now")
        assert (now["viewers"], now["held_out_viewers"], now["sites"]) == (1, 1, ["news", "other"])
        assert (now["is_open"], now["notices"]) == (False, [])
        mine = get(operator, "/dashboard/now?site=other")
        assert (mine["viewers"], mine["held_out_viewers"], mine["machine"]) == (0, 1, None)


def test_now_comes_again_and_again(served: ServerProcess, operator: httpx.Client) -> None:
    with operator.stream("GET", "/dashboard/live") as answer, served.native(origin="https://news.example") as one:
        assert answer.headers["content-type"].startswith("text/event-stream")
        join(one, FILM, site="news", name="a film")
        send(one, type="report", peer_bytes=30, cdn_bytes=10, sent_bytes=0, neighbours=0, stalls=0)
        for line in answer.iter_lines():
            if line.startswith("data: "):
                seen = json.loads(line.removeprefix("data: "))
                if seen["sharing"]["cdn_bytes"]:
                    break
    assert [(row["name"], row["figures"]["far_bytes"]) for row in seen["contents"]] == [("a film", 30)]


def test_a_stream_ends_when_the_tracker_does(tmp_path: Path) -> None:
    with running_server(admin_token=ADMIN) as running, signed_in(running, ADMIN) as client:
        with client.stream("GET", "/dashboard/live") as answer:
            lines = answer.iter_lines()
            next(lines)
            running.process.terminate()
            for _ in lines:
                pass
        assert running.process.wait(10) == 0


def test_what_was_is_summed_for_charts(operator: httpx.Client) -> None:
    report = get(operator, "/dashboard/history?range=6h&content=" + "c" * 32)
    assert len(report["at_s"]) == 10
    assert report["span_s"] == 60
    assert report["sharing"]["viewers"] == [8.0] * 10, "of both sites"
    assert (report["total"]["offload"], report["total"]["bound"], report["total"]["copies"]) == (0.75, 0.75, 1.0)
    assert report["total"]["viewers"] == 8
    # 80 GB at 0.1, of which 20 were sent.
    assert report["money"] == pytest.approx(
        {"currency": "EUR", "without": 8.0, "cdn": 2.0, "turn": 0.0, "machines": 0.0, "saved": 6.0}
    )
    assert [(row["site"], row["name"]) for row in report["contents"]] == [
        ("news", "an old film"),
        ("other", "an old film"),
    ]
    assert report["events"]["refused:full"] == 20
    assert report["client_reported"] is True


def test_the_holdout_stands_beside_who_shares(operator: httpx.Client) -> None:
    report = get(operator, "/dashboard/history?range=6h&site=other")
    assert report["held_out_total"]["stalls_per_hour"] == pytest.approx(60)
    assert 700 < report["held_out_total"]["first_frame_ms"] < 1_000
    assert 200 < report["total"]["first_frame_ms"] < 400


def test_a_site_sees_its_own_only(served: ServerProcess) -> None:
    with signed_in(served, OF_SITE) as client:
        assert get(client, "/dashboard/now")["site"] == "news"
        assert {row["site"] for row in get(client, "/dashboard/history?range=6h")["contents"]} == {"news"}
        for path in ("now", "live", "history", "history.csv", "swarm"):
            get(client, f"/dashboard/{path}?site=other", 403)
        assert client.get("/api/swarms").status_code == 403


def test_the_sums_are_to_be_had_as_csv(operator: httpx.Client) -> None:
    answer = operator.get("/dashboard/history.csv?range=6h&site=other")
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert sum(int(row["far_bytes"]) for row in rows if row["group"] == "sharing") == 30 * 10**9
    assert sum(int(row["stalls"]) for row in rows if row["group"] == "holdout") == 10


@pytest.mark.parametrize(
    "query",
    [
        "range=2h",
        "since=1",
        "since=1&until=x",
        "since=5&until=5",
        "since=1&until=" + "9" * 30,
        "site=" + "x" * 300,
        "content=" + "x" * 300,
        "rnage=1h",
    ],
)
def test_a_question_that_makes_no_sense_is_refused_in_words(operator: httpx.Client, query: str) -> None:
    assert get(operator, f"/dashboard/history?{query}", 400)["error"]


def test_who_exchanges_with_whom_is_shown_where_somebody_watches(served: ServerProcess, operator: httpx.Client) -> None:
    with served.native(origin="https://news.example") as one:
        join(one, content_id("watched"), site="news", name="watched")
        graph = get(operator, f"/dashboard/swarm?site=news&content={content_id('watched')}")
        assert (graph["members_total"], len(graph["members"])) == (1, 1)
    get(operator, "/dashboard/swarm?content=nobody", 404)
