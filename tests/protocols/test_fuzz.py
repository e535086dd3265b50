"""Whatever arrives, decoding returns a message or raises a typed error; and what it returns, the core can bear."""

from __future__ import annotations

import json
import random
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from peerpool.core import constants as c
from peerpool.core import messages as m
from peerpool.core.errors import HostileFrame, TheirError
from peerpool.core.swarm import Family
from peerpool.core.tracker import Tracker
from peerpool.protocols import native, webtorrent

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=20,
)
HEX = st.text("0123456789abcdef", min_size=16, max_size=40)
NATIVE_TYPES = [
    "join", "offer", "answer", "candidate", "decline", "want", "report", "accuse", "ice", "ping", "leave", "welcome",
    "",
]  # fmt: skip
NATIVE_FIELDS = [
    "content", "session", "token", "want", "to", "sdp", "candidate", "mid", "line", "count", "except",
    "peer_bytes", "cdn_bytes", "sent_bytes", "neighbours", "stalls", "far_bytes", "relayed_bytes", "rtts", "holdings",
    "site", "name", "peer",
]  # fmt: skip
TORRENT_FIELDS = [
    "info_hash", "peer_id", "event", "left", "offers", "answer", "to_peer_id", "offer_id", "numwant", "trackerid",
]  # fmt: skip
BINARY_ID = st.text(st.characters(max_codepoint=255), min_size=20, max_size=20)


def near_misses(tag: str, tags: list[str], fields: list[str], plausible: st.SearchStrategy[Any]) -> Any:
    """Objects that look like messages: the right tag, some of the fields, values that are sometimes right."""
    values = plausible | JSON_VALUES
    return st.builds(
        lambda kind, body: {tag: kind} | body,
        st.sampled_from(tags),
        st.dictionaries(st.sampled_from(fields), values, max_size=len(fields)),
    )


NATIVE_NEAR = near_misses("type", NATIVE_TYPES, NATIVE_FIELDS, HEX | st.integers(0, 40) | st.lists(HEX, max_size=70))
OFFERS = st.lists(st.fixed_dictionaries({"offer": JSON_VALUES, "offer_id": st.text(max_size=70)}), max_size=12)
TORRENT_NEAR = near_misses(
    "action",
    ["announce", "scrape", "connect"],
    TORRENT_FIELDS,
    BINARY_ID | OFFERS | st.sampled_from(["started", "stopped", "completed", "", "boo"]) | st.integers(-1, 1),
)


def feed(family: Family, frame: str | bytes) -> None:
    """Decode `frame` as a socket would, and hand the message to a core with one member on that socket."""
    tracker = Tracker(random.Random(0))
    tracker.connection_opened(1, family, 0.0)
    try:
        if family is Family.WEBTORRENT:
            message: Any = webtorrent.decode(frame)
        else:
            assert isinstance(frame, str)
            message = native.decode(frame)
    except TheirError as error:
        commands = tracker.frame_refused(1, error, 0.0)
        assert commands
    else:
        commands = tracker.message_received(1, message, 0.0)
    for command in commands:
        reply = getattr(command, "message", None)
        if reply is not None:
            encode: Any = native.encode if family is Family.NATIVE else webtorrent.encode
            assert isinstance(json.loads(encode(reply)), dict)


@given(st.text())
def test_any_text(text: str) -> None:
    feed(Family.NATIVE, text)
    feed(Family.WEBTORRENT, text)


@given(st.binary())
def test_any_bytes(data: bytes) -> None:
    feed(Family.WEBTORRENT, data)


@given(JSON_VALUES)
def test_any_json(value: Any) -> None:
    feed(Family.NATIVE, json.dumps(value))
    feed(Family.WEBTORRENT, json.dumps(value))


@given(NATIVE_NEAR)
def test_near_misses_of_the_native_protocol(value: dict[str, Any]) -> None:
    feed(Family.NATIVE, json.dumps(value))
    feed(Family.NATIVE, json.dumps(value, ensure_ascii=False))


@given(TORRENT_NEAR, st.booleans())
def test_near_misses_of_the_torrent_protocol(value: dict[str, Any], ensure_ascii: bool) -> None:
    feed(Family.WEBTORRENT, json.dumps(value, ensure_ascii=ensure_ascii))


@pytest.mark.parametrize("opening", ["[", '{"a":', '{"type":"join","content":[', '{"type":"want","except":[['])
@pytest.mark.parametrize("family", Family)
def test_deep_nesting(family: Family, opening: str) -> None:
    feed(family, opening * (c.MAX_SIGNAL_FRAME_BYTES // len(opening)))


def test_deep_nesting_inside_an_offer() -> None:
    for depth in (100, 5_000):
        nested = '{"a":' * depth + "1" + "}" * depth
        offers = f'[{{"offer":{nested},"offer_id":"1"}}]'
        feed(
            Family.WEBTORRENT,
            f'{{"action":"announce","info_hash":"{"h" * 20}","peer_id":"{"p" * 20}","offers":{offers}}}',
        )


@pytest.mark.parametrize("escape", ["\\ud800", "\\udfff\\ud800", "\\u0000", "\\uD83D"])
def test_lone_surrogates(escape: str) -> None:
    feed(Family.NATIVE, f'{{"type":"offer","to":"{"a" * 20}","sdp":"{escape}"}}')
    announce = f'"action":"announce","info_hash":"{"h" * 20}","peer_id":"{"p" * 20}"'
    feed(Family.WEBTORRENT, f'{{{announce},"offers":[{{"offer":{{"sdp":"{escape}"}},"offer_id":"{escape}"}}]}}')


def test_over_long_frames_are_hostile() -> None:
    for text in ("x" * (c.MAX_SIGNAL_FRAME_BYTES + 1), "é" * (c.MAX_SIGNAL_FRAME_BYTES // 2 + 1)):
        with pytest.raises(HostileFrame) as caught:
            native.decode(text)
        assert caught.value.close_code == c.CLOSE_TOO_BIG
    with pytest.raises(HostileFrame):
        webtorrent.decode("x" * (webtorrent.MAX_FRAME_BYTES + 1))


def test_the_longest_sdp_fits_a_frame() -> None:
    sdp = "a=candidate\r\n" * (c.MAX_SDP_CHARS // 13)
    frame = msgspec.json.encode(m.Offer("a" * 20, sdp)).decode()
    assert native.decode(frame) == m.Offer("a" * 20, sdp)
