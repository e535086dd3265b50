"""What the WebTorrent tracker protocol says, without its JSON: see `protocols/webtorrent.py` for the frames.

Info hashes, peer ids and offer ids are strings of code points 0 to 255, as the protocol carries them. Offers and
answers are the sender's JSON, never parsed here: they are relayed byte for byte inside a frame of our own making.
"""

from __future__ import annotations

from enum import Enum

from msgspec import Struct


class Event(Enum):
    """What an announce says of its member. UPDATE stands for an absent or empty event too."""

    STARTED = "started"
    UPDATE = "update"
    COMPLETED = "completed"
    STOPPED = "stopped"
    PAUSED = "paused"


class TorrentOffer(Struct, frozen=True, gc=False):
    """One offer of an announce; `offer_json` is the offer as the sender wrote it."""

    offer_id: str
    offer_json: bytes


class Announce(Struct, frozen=True, gc=False):
    """A member shows that it is here, and may bring offers."""

    info_hash: str
    peer_id: str
    event: Event
    is_seed: bool
    offers: list[TorrentOffer]


class TorrentAnswer(Struct, frozen=True, gc=False):
    """The answer to an offer that was relayed to `peer_id` from `to_peer_id`."""

    info_hash: str
    peer_id: str
    to_peer_id: str
    offer_id: str
    answer_json: bytes


class Scrape(Struct, frozen=True, gc=False):
    """Ask for the counts of some swarms."""

    info_hashes: list[str]


TorrentMessage = Announce | TorrentAnswer | Scrape


class AnnounceReply(Struct, frozen=True, gc=False):
    """Answer to an announce: counts after it, and when to announce again (seconds)."""

    info_hash: str
    complete: int
    incomplete: int
    interval_s: int


class OfferNotice(Struct, frozen=True, gc=False):
    """An offer of `peer_id`, relayed."""

    info_hash: str
    peer_id: str
    offer_id: str
    offer_json: bytes


class AnswerNotice(Struct, frozen=True, gc=False):
    """An answer of `peer_id`, relayed."""

    info_hash: str
    peer_id: str
    offer_id: str
    answer_json: bytes


class SwarmCounts(Struct, frozen=True, gc=False):
    """One swarm in a scrape reply."""

    info_hash: str
    complete: int
    incomplete: int
    downloaded: int


class ScrapeReply(Struct, frozen=True, gc=False):
    """Answer to a scrape."""

    swarms: list[SwarmCounts]
    min_interval_s: int


class Failure(Struct, frozen=True, gc=False):
    """A request was refused. `info_hash` is empty when the request did not get as far as having one."""

    action: str
    reason: str
    info_hash: str


TorrentNotice = AnnounceReply | OfferNotice | AnswerNotice | ScrapeReply | Failure
