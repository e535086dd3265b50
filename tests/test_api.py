"""The operator's API over HTTP, and views of swarms in which something is known."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from peerpool.access import Access
from peerpool.api import Api, openapi
from peerpool.core import messages as m
from peerpool.core.limits import Limits
from peerpool.core.places import Place
from peerpool.core.swarm import Family
from starlette.applications import Starlette

from tests.core.driver import CONTENT, Driver, peer

TOKEN = "secret"
VIDEO = "a" * 16
BERLIN = Place("EU", "DE", "AS1", "Berlin", "192.0.2.1/32", "192.0.2.0/24")
PARIS = Place("EU", "FR", "AS2", "Paris", "192.0.2.9/32", "192.0.2.0/24")


@pytest.fixture
def driver() -> Driver:
    """Return a tracker of five members, four of Berlin; all have reported."""
    driver = Driver(Limits(cluster_min=4))
    joined = [driver.join(place=place) for place in (PARIS, BERLIN, BERLIN, BERLIN, BERLIN)]
    first_id = joined[0][1]
    for number, (connection, _) in enumerate(joined):
        holding = m.Holding(VIDEO, number, [(number, 3)])
        for _ in range(5):
            rtts = {first_id: 20 * number} if number else {joined[1][1]: 20}
            driver.say(connection, m.Report(0, 0, 0, 4, 0, rtts=rtts, holdings=[holding]))
    return driver


def ask(driver: Driver, path: str, authorization: str = f"Bearer {TOKEN}", token: str = TOKEN) -> httpx.Response:
    async def request() -> httpx.Response:
        app = Starlette(routes=Api(driver.tracker, Access(token)).routes())
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://tracker") as client:
            return await client.get(path, headers={"Authorization": authorization} if authorization else {})

    return asyncio.run(request())


def get(driver: Driver, path: str, status: int = 200) -> Any:
    response = ask(driver, path)
    assert response.status_code == status, response.text
    assert response.json().keys() == {"error"} if status != 200 else True
    return response.json()


@pytest.mark.parametrize(
    ("authorization", "status"), [("", 401), ("Bearer wrong", 401), ("Basic secret", 401), ("bearer secret", 200)]
)
def test_only_bearers_of_the_token_may_ask(driver: Driver, authorization: str, status: int) -> None:
    assert ask(driver, "/api/swarms", authorization).status_code == status


@pytest.mark.parametrize("name", ["token", "access_token", "admin_token", "authorization"])
def test_a_token_in_the_url_is_none(driver: Driver, name: str) -> None:
    assert ask(driver, f"/api/swarms?{name}={TOKEN}", "").status_code == 401


def test_tokens_are_compared_in_a_time_that_says_nothing(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[bytes, bytes]] = []

    def compare(ours: bytes, theirs: bytes) -> bool:
        compared.append((ours, theirs))
        return False

    monkeypatch.setattr("peerpool.access.hmac.compare_digest", compare)
    assert ask(driver, "/api/swarms").status_code == 401, "nothing else decides"
    assert compared == [(TOKEN.encode(), TOKEN.encode())]


@pytest.mark.parametrize("authorization", ["", "Bearer ", "Bearer x"])
def test_without_a_token_the_api_is_off(driver: Driver, authorization: str) -> None:
    assert ask(driver, "/api/swarms", authorization, token="").status_code == 403


def test_swarms_are_listed_the_largest_first(driver: Driver) -> None:
    driver.join("d" * 40)
    driver.announce(driver.open(Family.WEBTORRENT), peer("t"))
    listed = get(driver, "/api/swarms?limit=2")
    assert listed["total"] == 3
    assert (listed["swarms"][0]["id"], listed["swarms"][0]["members"]) == (CONTENT, 5)
    assert len(listed["swarms"]) == 2


def test_a_swarm_says_its_clusters_and_what_is_held(driver: Driver) -> None:
    swarm = get(driver, f"/api/swarms/{CONTENT}")
    assert [(cluster["level"], cluster["members"], cluster["own"]) for cluster in swarm["clusters"]] == [
        ("continent", 5, 1),
        ("site", 4, 4),
    ]
    assert swarm["clusters"][1]["place"] == ["EU", "DE", "AS1", "Berlin"]
    assert "192.0.2" not in str(swarm), "an address is nobody's business"
    assert swarm["tracks"] == [
        {"track": VIDEO, "members": 5, "first": 0, "last": 6, "playhead_min": 0, "playhead_max": 4}
    ]


def test_who_has_a_segment_and_how_far_they_are(driver: Driver) -> None:
    found = get(driver, f"/api/swarms/{CONTENT}/holders?track={VIDEO}&segment=2")
    assert found["total"] == 3
    asker = found["holders"][0]["id"]
    others = get(driver, f"/api/swarms/{CONTENT}/holders?track={VIDEO}&segment=2&near={asker}&limit=1")
    assert others["total"] == 2
    assert len(others["holders"]) == 1
    assert others["holders"][0]["rtt_ms"] > 0


def test_a_member_says_where_it_is(driver: Driver) -> None:
    holder = get(driver, f"/api/swarms/{CONTENT}/holders?track={VIDEO}&segment=6")["holders"][0]["id"]
    member = get(driver, f"/api/peers/{holder}")
    assert (member["swarm"], member["cluster_level"], member["cluster_members"]) == (CONTENT, "site", 4)
    assert member["holdings"] == [{"track": VIDEO, "playhead": 4, "held": [[4, 3]]}]
    assert len(member["coordinate"]) == 5


def test_torrent_clients_are_found_by_hex_ids(driver: Driver) -> None:
    driver.announce(driver.open(Family.WEBTORRENT), peer("t"))
    assert get(driver, f"/api/peers/{peer('t').encode().hex()}")["family"] == "webtorrent"
    assert get(driver, f"/api/swarms/{'68' * 20}")["members"] == 1


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/swarms/unknown", 404),
        ("/api/peers/unknown", 404),
        (f"/api/swarms/{CONTENT}/holders", 400),
        (f"/api/swarms/{CONTENT}/holders?track={VIDEO}&segment=-1", 400),
        (f"/api/swarms/{CONTENT}/holders?track={VIDEO}&segment={2**53}", 400),
        (f"/api/swarms/{CONTENT}/holders?track={VIDEO}&segment=1&near=nobody", 404),
        ("/api/swarms?limit=201", 400),
        ("/api/swarms?limits=20", 400),
        ("/api/swarms?limit=2&limit=3", 400),
        ("/api/swarms?limit=%C2%B2", 400),
        ("/api/swarms?limit=" + "9" * 5000, 400),
    ],
)
def test_what_cannot_be_answered_is_said(driver: Driver, path: str, status: int) -> None:
    get(driver, path, status)


def test_the_description_has_every_schema_it_names(driver: Driver) -> None:
    described = ask(driver, "/api/openapi.json", "").json()
    assert described == openapi()
    assert {"/api/swarms", "/api/peers/{id}"} <= described["paths"].keys()

    def references(part: Any) -> list[str]:
        if isinstance(part, dict):
            own = [part["$ref"]] if "$ref" in part else []
            return own + [one for value in part.values() for one in references(value)]
        return [one for value in part for one in references(value)] if isinstance(part, list) else []

    names = described["components"]["schemas"].keys()
    assert {reference.rpartition("/")[2] for reference in references(described)} <= names
