"""Bounds that only the tracker needs to know, and the token bucket that enforces rates.

What browsers must agree on lives in `constants.py`. Everything a client can make grow is bounded by a field here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from peerpool.core import constants as c

MS_PER_S: Final = 1000.0


class Rate(NamedTuple):
    """A token bucket's shape: the most it holds, and what comes back a second."""

    tokens: float
    refill_per_s: float


# A join that offers to 30 members and trickles ten candidates to each is 400 tokens.
CONNECTION_RATE: Final = Rate(500.0, 50.0)
# One line, or one provider's NAT: 400 viewers at once, and forty a second after them.
SITE_RATE: Final = Rate(50_000.0, 5_000.0)
# One content's crowd: as much as a core carries, so that a flood of it does not queue for minutes.
SWARM_RATE: Final = Rate(500_000.0, 50_000.0)


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one tracker. Every default says why; tests use small ones."""

    # A member is about 1 KiB here and 30 KiB in its socket, so memory ends first at these sizes.
    max_swarms: int = 100_000
    max_swarm_members: int = 100_000
    # Members from which a place is a cluster. Each cluster takes every segment from the CDN once, so one of 40 costs at
    # most 2.5 % of the offload.
    cluster_min: int = 40
    # A WebTorrent client shares one socket among all its torrents.
    max_connection_members: int = 256
    # Two torrent clients in one page share the socket, and are two members of one swarm.
    max_connection_swarm_members: int = 4
    # WANT_MAX offers at once, and as many again a moment later; the oldest is forgotten.
    max_pending_offers: int = 64
    # bittorrent-tracker's client sends 5, other clients 10.
    max_announce_offers: int = 10
    # One torrent client asks for its own torrents only.
    max_scrape_hashes: int = 64
    connection_rate: Rate = CONNECTION_RATE
    site_rate: Rate = SITE_RATE
    swarm_rate: Rate = SWARM_RATE
    # Of 20,000 sockets in all: no address takes the tracker for itself.
    max_site_connections: int = 5_000
    # Tokens of its site for what costs the tracker more than a message does: a handshake, and a frame that cannot be
    # read and is answered all the same, which nobody honest sends.
    connect_cost: float = 10.0
    bad_frame_cost: float = 10.0
    # Sites without a socket are remembered until their tokens are back: hanging up is no way to get new ones.
    max_empty_sites: int = 50_000
    # Seconds from a connection's beginning, or from the answer before, until the head of a request is there. Browsers
    # drop connections that they opened ahead and did not need after ten seconds themselves.
    head_timeout_s: float = 10.0
    # Seconds from there until the answer has been read: the script at 16 kbit/s.
    answer_timeout_s: float = 60.0
    # Seconds from the handshake to a first join or announce. Ours joins at once, or when the page's function has given
    # it a token; clients of /announce announce at once too, but are many and not ours.
    join_timeout_s: float = 60.0
    torrent_join_timeout_s: float = 120.0
    # Connections without a WebSocket on them at once, and WebSockets that have not joined: in all, and of one line (an
    # address or a /64, a site). Each takes up to 10 KiB. The largest crowd there is after a restart, 500 joins a second
    # with three round trips each, stays below a line's bound.
    max_unfinished: int = 4_096
    max_line_unfinished: int = 1_024
    # Whom one member, or a line with one, may know of a swarm (introductions.py): three times the neighbours it may
    # have, for connections that fail, and for who is introduced to it. Each further member of a line is worth as many
    # as it asks for when it joins: all of the line are told of the same.
    max_known: int = 3 * c.NEIGHBOURS_MAX
    max_known_per_mate: int = c.WANT_DEFAULT
    # Lines of a swarm without members whose acquaintances are remembered for an hour, 1 to 4 KiB each: of a swarm of
    # 2,000 in which everybody stays for ten minutes, all. Coming again is no way to be introduced to others.
    max_empty_lines: int = 20_000
    # Lines whose NAT is remembered, about 300 bytes each: those of a large audience, so that who comes again is known.
    max_nat_lines: int = 50_000
    # Refused messages in a row before the socket is closed: a client that ignores `rate_limited`.
    max_rate_strikes: int = 100
    # The same where others of its site or swarm took the tokens: twice what a join that offers to 30 members sends.
    max_crowd_strikes: int = 800
    max_bad_frames: int = c.MAX_BAD_FRAMES
    # Tokens with a bounded number of uses that are remembered until they end: half a day's, at five new ones a second.
    max_spent_tokens: int = 200_000
    # Accusations that one socket may make that count: as many as it has neighbours.
    max_accusations: int = c.NEIGHBOURS_MAX
    # Members that somebody accuses, and lines of banned members: more are no accident, and the oldest are forgotten.
    max_accused: int = 10_000
    max_condemned_lines: int = 10_000
    # After a change of the sites' file so many members are looked at in a turn, and of them so many sent away: that
    # takes at most 25 ms, and 20,000 are gone after four seconds.
    reviewed_at_once: int = 10_000
    cut_at_once: int = 500
    review_interval_s: float = 0.1
    idle_timeout_s: float = c.IDLE_TIMEOUT_MS / MS_PER_S
    offer_timeout_s: float = c.OFFER_TIMEOUT_MS / MS_PER_S
    hint_interval_s: float = c.HINT_INTERVAL_MS / MS_PER_S
    # Torrent clients come back only to announce, so this interval is also how fast a swarm of them mends.
    announce_interval_min_s: float = 30.0
    announce_interval_max_s: float = 300.0
    # One core carries about 5,000 announces a second; a tenth of that is left to them when the tracker is crowded.
    announces_per_s: float = 500.0
    # Rejoins a second the restart window aims at, and its least and greatest length.
    rejoins_per_s: float = 500.0
    restart_min_ms: int = 500
    restart_window_min_ms: int = 2_000
    restart_window_max_ms: int = 60_000

    @property
    def torrent_idle_s(self) -> float:
        """Seconds without an announce after which a torrent member is gone: two intervals missed, and some slack."""
        return 2 * self.announce_interval_max_s + 30.0


class TokenBucket:
    """Tokens that refill at a rate up to a cap; starts full. `now` is in seconds, monotonic."""

    __slots__ = ("_tokens", "_updated_at")

    def __init__(self, rate: Rate, now: float) -> None:
        self._tokens = rate.tokens
        self._updated_at = now

    def take(self, cost: float, rate: Rate, now: float) -> float:
        """Take `cost` tokens. Returns 0.0 when taken, else the seconds until there are enough."""
        if self.left(rate, now) >= cost:
            self._tokens -= cost
            return 0.0
        return (cost - self._tokens) / rate.refill_per_s

    def charge(self, cost: float, rate: Rate, now: float) -> None:
        """Take `cost` tokens for what was done already, or all there are."""
        self._tokens = max(0.0, self.left(rate, now) - cost)

    def left(self, rate: Rate, now: float) -> float:
        """Return how many tokens there are."""
        elapsed_s = max(0.0, now - self._updated_at)
        self._tokens = min(rate.tokens, self._tokens + elapsed_s * rate.refill_per_s)
        self._updated_at = now
        return self._tokens
