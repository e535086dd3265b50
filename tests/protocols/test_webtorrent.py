"""Frames of the WebTorrent tracker protocol, as clients write them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from peerpool.core.errors import BadFrame, TooBig
from peerpool.core.torrent_messages import (
    Announce,
    AnnounceReply,
    AnswerNotice,
    Event,
    Failure,
    OfferNotice,
    Scrape,
    ScrapeReply,
    SwarmCounts,
    TorrentAnswer,
    TorrentOffer,
)
from peerpool.protocols import webtorrent

# Every byte value occurs in ids, also those that JSON escapes and those that UTF-8 makes two bytes of.
HASH = "".join(map(chr, (0, 1, 31, 34, 92, 127, 128, 159, 160, 173, 200, 216, 220, 233, 250, 251, 252, 253, 254, 255)))
PEER = "-WW0001-" + "".join(map(chr, range(244, 256)))
OTHER = "o" * 20


def announce(**fields: Any) -> str:
    return json.dumps({"action": "announce", "info_hash": HASH, "peer_id": PEER} | fields)


def test_an_announce_with_offers() -> None:
    offers = [{"offer": {"type": "offer", "sdp": "é"}, "offer_id": HASH}]
    frame = announce(numwant=1, uploaded=0, downloaded=0, left=None, event="started", offers=offers, trackerid="t")
    expected = [TorrentOffer(HASH, json.dumps(offers[0]["offer"]).encode())]
    assert webtorrent.decode(frame) == Announce(HASH, PEER, Event.STARTED, False, expected)


@pytest.mark.parametrize(
    ("text", "event"),
    [("", Event.UPDATE), ("update", Event.UPDATE), ("paused", Event.PAUSED), ("completed", Event.COMPLETED)],
)
def test_events(text: str, event: Event) -> None:
    message = webtorrent.decode(announce(event=text))
    assert isinstance(message, Announce)
    assert message.event is event


@pytest.mark.parametrize(
    ("left", "is_seed"), [(0, True), (0.0, True), (1, False), (None, False), ("x", False), (False, False)]
)
def test_who_has_nothing_left_is_a_seed(left: object, is_seed: bool) -> None:
    message = webtorrent.decode(announce(left=left))
    assert isinstance(message, Announce)
    assert message.is_seed is is_seed


def test_an_answer() -> None:
    frame = announce(to_peer_id=OTHER, offer_id=HASH, answer={"type": "answer", "sdp": "x"})
    assert webtorrent.decode(frame) == TorrentAnswer(HASH, PEER, OTHER, HASH, b'{"type": "answer", "sdp": "x"}')


def test_a_null_answer_is_none() -> None:
    assert isinstance(webtorrent.decode(announce(answer=None)), Announce)


@pytest.mark.parametrize(
    "frame",
    [
        announce(event="boo"),
        announce(info_hash="short"),
        announce(peer_id="\u0100" * 20),
        announce(peer_id="p" * 20 + "\n"),
        announce(answer={"sdp": "x"}),
        announce(answer="x", to_peer_id=OTHER, offer_id="1"),
        announce(offers=[{"offer": [], "offer_id": "1"}]),
        announce(offers=[{"offer": {}, "offer_id": "1" * 65}]),
        announce(offers=[{"offer": {}, "offer_id": "1"}] * 101),
        json.dumps({"action": "scrape"}),
        json.dumps({"action": "scrape", "info_hash": ["short"]}),
        json.dumps({"action": "connect"}),
        "null",
    ],
)
def test_what_is_refused(frame: str) -> None:
    with pytest.raises(BadFrame):
        webtorrent.decode(frame)


def test_bytes_must_be_utf8() -> None:
    assert isinstance(webtorrent.decode(announce(event="started").encode()), Announce)
    with pytest.raises(BadFrame):
        webtorrent.decode(announce(offers=[{"offer": {"sdp": "@"}, "offer_id": "1"}]).encode().replace(b"@", b"\xff"))


def test_a_giant_offer_is_refused() -> None:
    with pytest.raises(TooBig):
        webtorrent.decode(announce(offers=[{"offer": {"sdp": "x" * 20_000}, "offer_id": "1"}]))


def test_scrapes() -> None:
    assert webtorrent.decode(json.dumps({"action": "scrape", "info_hash": HASH})) == Scrape([HASH])
    assert webtorrent.decode(json.dumps({"action": "scrape", "info_hash": [HASH, OTHER]})) == Scrape([HASH, OTHER])


@pytest.mark.parametrize(
    ("message", "frame"),
    [
        (
            AnnounceReply(HASH, 1, 2, 30),
            {"action": "announce", "info_hash": HASH, "complete": 1, "incomplete": 2, "interval": 30},
        ),
        (
            OfferNotice(HASH, PEER, OTHER, b'{"sdp":1}'),
            {"action": "announce", "info_hash": HASH, "peer_id": PEER, "offer_id": OTHER, "offer": {"sdp": 1}},
        ),
        (
            AnswerNotice(HASH, PEER, OTHER, b'{"sdp":1}'),
            {"action": "announce", "info_hash": HASH, "peer_id": PEER, "offer_id": OTHER, "answer": {"sdp": 1}},
        ),
        (
            ScrapeReply([SwarmCounts(HASH, 1, 2, 3)], 30),
            {
                "action": "scrape",
                "files": {HASH: {"complete": 1, "incomplete": 2, "downloaded": 3}},
                "flags": {"min_request_interval": 30},
            },
        ),
        (
            Failure("announce", "no", HASH),
            {"action": "announce", "info_hash": HASH, "failure reason": "no"},
        ),
        (Failure("scrape", "no", ""), {"action": "scrape", "failure reason": "no"}),
    ],
)
def test_what_is_sent(message: Any, frame: dict[str, Any]) -> None:
    assert json.loads(webtorrent.encode(message)) == frame
