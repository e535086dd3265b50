"""Both protocols over real sockets, against a real server process."""

from __future__ import annotations

import contextlib
import json
import random
import time
from http import HTTPStatus

import pytest
from peerpool.core import constants as c
from peerpool.core.limits import Limits
from peerpool.core.places import NOWHERE
from peerpool.core.tracker import Tracker
from peerpool.signalling import NATIVE, Hub
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from tests.servers import RECV_TIMEOUT_S, ServerProcess, close_code, join, receive, running_server, send, stuck_client


class Deaf:
    """The way to a socket that nobody looks at."""

    def put(self, frame: bytes, *, is_droppable: bool) -> bool:
        del frame, is_droppable
        return True

    def close(self, code: int, reason: str) -> None: ...

    def abort(self) -> None: ...

    def discard(self) -> None: ...


def test_an_address_that_was_turned_away_is_not_listened_to_for_a_second_and_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    now = 100.0
    hub = Hub(Tracker(random.Random(1), Limits(max_site_connections=1)), 10, clock=lambda: now)
    place = NOWHERE._replace(site="192.0.2.1/32")
    assert hub.refusal(NATIVE, ["peerpool.1"], "192.0.2.1", place) is None
    hub.open(NATIVE, Deaf(), place)
    for _ in range(3):
        refusal = hub.refusal(NATIVE, ["peerpool.1"], "192.0.2.1", place)
        assert refusal is not None
        assert refusal[0] == HTTPStatus.TOO_MANY_REQUESTS
    assert hub.is_shut_out("192.0.2.1")
    assert not hub.is_shut_out("192.0.2.2")
    now += 1
    assert not hub.is_shut_out("192.0.2.1")
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def content_of(test_name: str) -> str:
    """Return a content id of this test's own: the server is shared."""
    return test_name.encode().hex().ljust(40, "0")[-40:]


def test_two_browsers_find_each_other(server: ServerProcess) -> None:
    content = content_of("two")
    with server.native() as a, server.native() as b:
        a_id = join(a, content)["peer"]
        welcome = join(b, content)
        assert (welcome["neighbours"], welcome["cluster_size"]) == ([a_id], 2)
        b_id = welcome["peer"]
        send(b, type="offer", to=a_id, sdp="v=0 offer")
        assert receive(a, "offer") == {"type": "offer", "from": b_id, "sdp": "v=0 offer"}
        send(a, type="answer", to=b_id, sdp="v=0 answer")
        assert receive(b, "answer")["from"] == a_id
        send(a, type="candidate", to=b_id, candidate="c", mid="0", line=0)
        assert receive(b, "candidate") == {"type": "candidate", "from": a_id, "candidate": "c", "mid": "0", "line": 0}


def test_who_hangs_up_is_gone(server: ServerProcess) -> None:
    content = content_of("gone")
    with server.native() as stayer:
        with server.native() as leaver:
            left_id = join(leaver, content)["peer"]
            join(stayer, content)
        # Closing handshakes race with the forgetting: ask until the tracker knows.
        deadline = time.monotonic() + RECV_TIMEOUT_S
        while time.monotonic() < deadline:
            send(stayer, type="want", count=5)
            if left_id not in receive(stayer, "neighbours")["neighbours"]:
                break
        send(stayer, type="offer", to=left_id, sdp="x")
        assert receive(stayer, "gone")["peer"] == left_id


def test_the_first_member_is_hinted_of_the_second(server: ServerProcess) -> None:
    content = content_of("hint")
    with server.native() as first, server.native() as second:
        join(first, content)
        join(second, content)
        assert json.loads(first.recv(RECV_TIMEOUT_S)) == {"type": "hint", "cluster_size": 2}


def test_the_subprotocol_is_required(server: ServerProcess) -> None:
    with pytest.raises(InvalidStatus) as caught:
        connect(f"{server.ws_base}/signal", compression=None)
    assert caught.value.response.status_code == 400


@pytest.mark.parametrize(
    ("frame", "code"),
    [(b"\x00binary", c.CLOSE_UNSUPPORTED_DATA), ("x" * 20_000, c.CLOSE_TOO_BIG)],
    ids=["binary", "long"],
)
def test_hostile_frames_close(server: ServerProcess, frame: str | bytes, code: int) -> None:
    with server.native() as client:
        client.send(frame)
        assert close_code(client) == code


def test_a_giant_frame_ends_the_connection(server: ServerProcess) -> None:
    """With its code, or without: what the server leaves unread makes TCP reset, which may overtake the goodbye."""
    with server.native() as client, pytest.raises(ConnectionClosed) as caught:
        client.send("x" * 1_000_000)
        client.recv(RECV_TIMEOUT_S)
    assert caught.value.rcvd is None or caught.value.rcvd.code == c.CLOSE_TOO_BIG


def test_bad_frames_are_answered_then_close(server: ServerProcess) -> None:
    with server.native() as client:
        for _ in range(c.MAX_BAD_FRAMES):
            client.send("[" * 9_000)
            assert receive(client, "error")["code"] == c.ERROR_BAD_FRAME
        assert close_code(client) == c.CLOSE_BAD_FRAMES


def test_fragments_make_one_frame(server: ServerProcess) -> None:
    with server.native() as client:
        client.send(['{"type":', '"ping"}'])
        assert receive(client, "pong")


def test_a_reader_that_stops_reading_delays_nobody_and_is_cut(server: ServerProcess) -> None:
    """Offers to it are dropped; what cannot be dropped cuts it. A bystander's pings stay fast all the while."""
    content = content_of("slow")
    worst_s = 0.0
    with stuck_client(server, content) as slow_id, contextlib.ExitStack() as stack:
        bystander = stack.enter_context(server.native())
        senders = [stack.enter_context(server.native()) for _ in range(8)]
        for client in (bystander, *senders):
            join(client, content, want=0)
            send(client, type="offer", to=slow_id, sdp="x" * c.MAX_SDP_CHARS)
        is_gone = False
        deadline = time.monotonic() + 60
        while not is_gone and time.monotonic() < deadline:
            for sender in senders:
                send(sender, type="offer", to=slow_id, sdp="x" * c.MAX_SDP_CHARS)
                for _ in range(40):
                    send(sender, type="candidate", to=slow_id, candidate="c" * 1000, mid="0", line=0)
            started = time.monotonic()
            send(bystander, type="candidate", to=slow_id, candidate="", mid=None, line=None)
            send(bystander, type="ping")
            while (kind := json.loads(bystander.recv(RECV_TIMEOUT_S))["type"]) != "pong":
                is_gone = is_gone or kind == "gone"
            worst_s = max(worst_s, time.monotonic() - started)
        assert is_gone, "the slow reader was never cut"
        assert worst_s < 2, "the slow reader delayed a bystander"


def test_connections_are_bounded() -> None:
    with running_server(max_connections="1") as small, small.native(), pytest.raises(InvalidStatus) as caught:
        small.native()
    assert caught.value.response.status_code == 503


def test_torrent_clients_are_told_what_is_wrong(server: ServerProcess) -> None:
    with server.torrent() as client:
        for frame in ("hello", '{"action":"scrape"}', b"\xff"):
            client.send(frame)
            assert "failure reason" in json.loads(client.recv(RECV_TIMEOUT_S))
