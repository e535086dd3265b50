"""The WebTorrent tracker protocol's frames, as bittorrent-tracker's client writes and reads them.

Ids are 20 code points from 0 to 255 in a JSON string. Offers and answers stay the sender's JSON, but are checked to be
objects of a bounded size, and only ever travel inside a frame whose other fields are ours: a peer can therefore not
inject an `interval` or a `failure reason`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Raw, Struct

from peerpool.core.constants import CLOSE_TOO_BIG
from peerpool.core.errors import BadFrame, HostileFrame, TooBig
from peerpool.core.torrent_messages import (
    Announce,
    AnnounceReply,
    AnswerNotice,
    Event,
    Failure,
    OfferNotice,
    Scrape,
    ScrapeReply,
    TorrentAnswer,
    TorrentMessage,
    TorrentNotice,
    TorrentOffer,
)

# Ten offers that carry all their candidates (this protocol does not trickle) are 60 KB.
MAX_FRAME_BYTES: Final = 131_072
MAX_SDP_JSON_BYTES: Final = 16_384
# More than Limits.max_announce_offers, so that a client with other ideas is served in part rather than refused.
MAX_LISTED_OFFERS: Final = 100

BinaryId = Annotated[str, Meta(min_length=20, max_length=20, pattern="^[\\x00-\\xff]*\\Z")]
OfferId = Annotated[str, Meta(min_length=1, max_length=64)]

_NULL: Final = Raw(b"null")


class _Offer(Struct, gc=False):
    offer: Raw
    offer_id: OfferId


class _Announce(Struct, tag_field="action", tag="announce"):
    info_hash: BinaryId
    peer_id: BinaryId
    event: str | None = None
    left: Any = None
    offers: Annotated[list[_Offer], Meta(max_length=MAX_LISTED_OFFERS)] | None = None
    answer: Raw = _NULL  # msgspec reads `Raw | None` as null alone
    to_peer_id: BinaryId | None = None
    offer_id: OfferId | None = None


class _Scrape(Struct, tag_field="action", tag="scrape"):
    info_hash: BinaryId | list[BinaryId]


_decoder: Final = msgspec.json.Decoder(_Announce | _Scrape)
_encoder: Final = msgspec.json.Encoder()
_EVENTS: Final = {event.value: event for event in Event} | {"": Event.UPDATE, "empty": Event.UPDATE}


def decode(frame: str | bytes) -> TorrentMessage:
    """Return the message in a frame. Raises BadFrame, or HostileFrame when it is over-long.

    Binary frames are taken as text, because some clients send them.
    """
    text = _as_text(frame)
    try:
        parsed = _decoder.decode(text)
    except msgspec.MsgspecError as error:
        raise BadFrame(str(error)) from None
    except (RecursionError, UnicodeError):
        raise BadFrame("nested too deeply, or not Unicode") from None
    if isinstance(parsed, _Scrape):
        hashes = [parsed.info_hash] if isinstance(parsed.info_hash, str) else parsed.info_hash
        return Scrape(hashes)
    if bytes(parsed.answer) != b"null":
        return _answer(parsed)
    return _announce(parsed)


def _as_text(frame: str | bytes) -> str:
    if len(frame) > MAX_FRAME_BYTES:
        raise HostileFrame(f"a frame above {MAX_FRAME_BYTES} bytes", CLOSE_TOO_BIG)
    if isinstance(frame, str):
        return frame
    try:
        return bytes(frame).decode()  # Raw fields would pass invalid UTF-8 on, and a browser drops its socket for it
    except UnicodeDecodeError:
        raise BadFrame("not UTF-8") from None


def _announce(parsed: _Announce) -> Announce:
    event = _EVENTS.get(parsed.event or "")
    if event is None:
        raise BadFrame("unknown event")
    offers = [TorrentOffer(one.offer_id, _sdp_json(one.offer)) for one in parsed.offers] if parsed.offers else []
    is_seed = parsed.left == 0 and parsed.left is not False
    return Announce(parsed.info_hash, parsed.peer_id, event, is_seed, offers)


def _answer(parsed: _Announce) -> TorrentAnswer:
    if parsed.to_peer_id is None or parsed.offer_id is None:
        raise BadFrame("an answer needs `to_peer_id` and `offer_id`")
    return TorrentAnswer(parsed.info_hash, parsed.peer_id, parsed.to_peer_id, parsed.offer_id, _sdp_json(parsed.answer))


def _sdp_json(raw: Raw) -> bytes:
    """Return a bounded JSON object as bytes. What is inside concerns the receiver only."""
    data = bytes(raw)
    if len(data) > MAX_SDP_JSON_BYTES:
        raise TooBig(f"an offer or answer above {MAX_SDP_JSON_BYTES} bytes")
    if not data.startswith(b"{"):
        raise BadFrame("an offer or answer is an object")
    return data


def encode(message: TorrentNotice) -> bytes:
    """Return the text frame of `message`, in UTF-8."""
    if isinstance(message, OfferNotice):  # nearly all are
        return _relay_frame(b"offer", message.offer_json, message)
    match message:
        case AnswerNotice():
            return _relay_frame(b"answer", message.answer_json, message)
        case AnnounceReply():
            body: dict[str, Any] = {
                "action": "announce",
                "info_hash": message.info_hash,
                "complete": message.complete,
                "incomplete": message.incomplete,
                "interval": message.interval_s,
            }
        case ScrapeReply():
            files = {
                one.info_hash: {"complete": one.complete, "incomplete": one.incomplete, "downloaded": one.downloaded}
                for one in message.swarms
            }
            body = {"action": "scrape", "files": files, "flags": {"min_request_interval": message.min_interval_s}}
        case Failure():
            body = {"action": message.action, "failure reason": message.reason}
            if message.info_hash:
                body["info_hash"] = message.info_hash
    return _encoder.encode(body)


def _relay_frame(field: bytes, sdp_json: bytes, message: OfferNotice | AnswerNotice) -> bytes:
    """Join a frame as bytes around JSON that is passed through: several times cheaper than parsing it."""
    return b'{"action":"announce","%b":%b,"offer_id":%b,"peer_id":%b,"info_hash":%b}' % (
        field,
        sdp_json,
        _encoder.encode(message.offer_id),
        _id_json(message.peer_id),
        _id_json(message.info_hash),
    )


# An announce's offers have both in common.
_id_json: Final = lru_cache(1024)(_encoder.encode)


def is_droppable(message: object) -> bool:
    """Whether a slow reader can do without `message`: offers come again with the next announce."""
    return isinstance(message, OfferNotice)
