from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from peerpool.core import constants as c
from peerpool.core import messages as m
from peerpool.core.errors import ConfigError
from peerpool.core.ice import (
    Ice,
    ServerUrl,
    TurnPlan,
    TurnService,
    credential,
    host_in,
    is_loopback,
    parse_server_url,
    url_host,
)
from peerpool.core.places import NOWHERE, Place
from peerpool.core.state import Handshake

from tests.core.driver import CONTENT, SESSION, Driver

PEER = "0000" + "a" * 16
OTHER_PEER = "0001" + "a" * 16
GERMANY = Place("EU", "DE")


def service(*urls: str, secret: str = "s", countries: str = "", continents: str = "") -> TurnService:
    return TurnService(urls, lambda: secret, frozenset(countries.split()), frozenset(continents.split()))


def plan(*services: TurnService, **options: object) -> TurnPlan:
    return TurnPlan(services, lambda: 1_800_000_000.5)._replace(**options)  # type: ignore[arg-type]


def serving(**options: object) -> Ice:
    ice = Ice(**options)  # type: ignore[arg-type]
    ice.stun_ports = (3478, 3479)
    return ice


@pytest.mark.parametrize(
    ("header", "host"),
    [
        ("tracker.example", "tracker.example"),
        ("Tracker.Example:8443", "tracker.example"),
        ("tracker.example.:80", "tracker.example"),
        ("192.0.2.1:8080", "192.0.2.1"),
        ("[2001:DB8::1]:8080", "[2001:db8::1]"),
        ("[::1]", "[::1]"),
        ("localhost", "localhost"),
        ("a.example, b.example:90", "a.example"),
        ("my_tracker", "my_tracker"),
    ],
)
def test_the_host_of_a_header_is_a_name_or_an_address(header: str, host: str) -> None:
    assert host_in(header) == host


@pytest.mark.parametrize(
    "header",
    [
        "", ":80", "a b", "a/b", "a?x", "user@host", "-a.example", "a..b", "a" * 64, "x." * 128, "[::1", "::1]", "[zz]",
        "2001:db8::1", "[fe80::1%eth0]", "host:port", "host:123456", "ho\r\nst", "höst", '"', "stun:x", ".",
    ],
)  # fmt: skip
def test_rubbish_in_a_header_is_no_host(header: str) -> None:
    assert host_in(header) == ""


@given(st.text(max_size=400) | st.from_regex(r"[\[\]a-z0-9.:%-]{0,80}"))
def test_whatever_a_header_says_what_is_taken_of_it_fits_into_a_url(header: str) -> None:
    host = host_in(header)
    assert host == url_host(host)
    assert len(host) <= 253
    assert not set(host) - set("abcdefghijklmnopqrstuvwxyz0123456789-_.:[]")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("turn:t.example", ServerUrl("turn", "t.example", 3478, "udp")),
        ("turn:t.example:80?transport=tcp", ServerUrl("turn", "t.example", 80, "tcp")),
        ("turns:[2001:db8::1]?transport=tcp", ServerUrl("turns", "2001:db8::1", 5349, "tls")),
        ("stun:192.0.2.1:19302", ServerUrl("stun", "192.0.2.1", 19302, "udp")),
    ],
)
def test_the_url_of_a_server_is_read(url: str, said: ServerUrl) -> None:
    assert parse_server_url(url) == said


@pytest.mark.parametrize(
    "url", ["", "turn:", "turn:a b", "http://a", "turn:a:99999", "turn:a?transport=sctp", "turn://a"]
)
def test_what_is_no_url_of_a_server_is_an_error(url: str) -> None:
    with pytest.raises(ConfigError, match="no URL of STUN or TURN"):
        parse_server_url(url)


def test_stun_is_advertised_under_the_name_that_the_page_used_before_others() -> None:
    ice = serving(external=[{"urls": "stun:other.example"}])
    ours = {"urls": ["stun:tracker.example:3478", "stun:tracker.example:3479"]}
    assert ice.servers("tracker.example") == [ours, {"urls": "stun:other.example"}]
    assert ice.servers("[2001:db8::1]")[0]["urls"][0] == "stun:[2001:db8::1]:3478"
    assert ice.servers("") == [{"urls": "stun:other.example"}]


def test_stun_is_advertised_under_the_operator_s_names_where_there_are_any() -> None:
    ice = serving(public_hosts=["stun.example"])
    assert ice.servers("tracker.example") == [{"urls": ["stun:stun.example:3478", "stun:stun.example:3479"]}]


def test_stun_that_is_not_served_is_not_advertised() -> None:
    assert Ice().servers("tracker.example") == []


def test_stun_that_only_this_machine_reaches_is_advertised_to_it_only() -> None:
    ice = serving()
    ice.is_local = True
    assert ice.servers("tracker.example") == []
    for host in ("localhost", "127.0.0.1", "[::1]", "app.localhost"):
        assert is_loopback(host)
        assert ice.servers(host)[0]["urls"][0] == f"stun:{host}:3478"


def test_credentials_are_those_of_coturn_s_rest_interface() -> None:
    # printf 1433895918:ninefingers | openssl dgst -sha1 -hmac north -binary | base64
    assert credential("north", "1433895918:ninefingers") == "jy8hTxmOO7UtEKXqSkSlvakPVYA="


def test_a_member_gets_credentials_of_its_own_that_end() -> None:
    ice = serving(turn=plan(service("turn:t.example", secret="x"), ttl_s=600, member_kbps=500, policy="only"))
    relay = ice.relay(PEER, NOWHERE)
    username = f"1800000600:{PEER}"
    server = {"urls": ["turn:t.example"], "username": username, "credential": credential("x", username)}
    assert relay == m.Relay("only", [server], 600_000, 500_000)


def test_nobody_gets_any_where_turn_is_off_or_there_is_none() -> None:
    assert serving().relay(PEER, NOWHERE) is None
    assert serving(turn=plan()).relay(PEER, NOWHERE) is None
    assert serving(turn=plan(service("turn:t.example"), policy="off")).relay(PEER, NOWHERE) is None


def urls_for(turn: TurnPlan, place: Place, peer_id: str = PEER) -> list[str]:
    relay = serving(turn=turn).relay(peer_id, place)
    assert relay is not None
    return [url for server in relay.servers for url in server["urls"]]


def test_a_member_gets_the_servers_of_its_country_else_continent_else_those_for_all() -> None:
    turn = plan(
        service("turn:all"), service("turn:eu", continents="EU"), service("turn:de", countries="DE AT", continents="EU")
    )
    assert urls_for(turn, GERMANY) == ["turn:de"]
    assert sorted(urls_for(turn, Place("EU", "FR"))) == ["turn:de", "turn:eu"]
    assert urls_for(turn, Place("AS", "JP")) == ["turn:all"]
    assert urls_for(turn, NOWHERE) == ["turn:all"]


def test_a_far_server_is_better_than_none() -> None:
    assert urls_for(plan(service("turn:de", countries="DE")), Place("AS", "JP")) == ["turn:de"]


def test_members_take_equal_servers_in_turns_and_few_urls() -> None:
    turn = plan(service("turn:a1", "turn:a2", "turn:a3"), service("turn:b1", "turn:b2"))
    assert urls_for(turn, NOWHERE, PEER) == ["turn:a1", "turn:a2", "turn:a3", "turn:b1"]
    assert urls_for(turn, NOWHERE, OTHER_PEER) == ["turn:b1", "turn:b2", "turn:a1", "turn:a2"]


def test_a_secret_that_changes_is_used_from_then_on() -> None:
    secrets = ["old"]
    ice = serving(turn=plan(TurnService(["turn:t"], lambda: secrets[0])))
    before = ice.relay(PEER, NOWHERE)
    secrets[0] = "new"
    after = ice.relay(PEER, NOWHERE)
    assert before is not None
    assert after is not None
    assert after.servers[0]["credential"] == credential("new", after.servers[0]["username"])
    assert after.servers[0]["credential"] != before.servers[0]["credential"]


def test_a_member_is_welcomed_with_relays_and_may_ask_for_new_credentials() -> None:
    driver = Driver(ice=serving(turn=plan(service("turn:t.example"))))
    connection = driver.open(handshake=Handshake(host="tracker.example"))
    driver.say(connection, m.Join(CONTENT, SESSION))
    welcome = driver.last(connection, m.Welcome)
    assert isinstance(welcome.relay, m.Relay)
    assert welcome.relay.servers[0]["username"].endswith(f":{welcome.peer}")
    driver.say(connection, m.Ice())
    assert driver.last(connection, m.IceServers) == m.IceServers(welcome.ice_servers, welcome.relay)
    assert welcome.ice_servers == [{"urls": ["stun:tracker.example:3478", "stun:tracker.example:3479"]}]
    assert driver.tracker.totals.turn_credentials == 2


def test_who_has_not_joined_is_told_of_no_relay() -> None:
    driver = Driver(ice=serving(turn=plan(service("turn:t.example"))))
    connection = driver.open()
    driver.say(connection, m.Ice())
    assert driver.last(connection, m.Error).code == c.ERROR_NOT_JOINED
    assert driver.tracker.totals.turn_credentials == 0
