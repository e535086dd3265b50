"""The tracker without I/O: messages and the time go in, commands and the next deadline come out.

    commands = tracker.connection_opened(1, Family.NATIVE, now)
    commands = tracker.message_received(1, Join(...), now)      # -> [Send(1, Welcome(...))]
    commands = tracker.tick(now)                                # when next_deadline() has come

The shell carries out the commands in order and calls nothing else. `now` is in seconds and never goes back.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from peerpool.core import constants as c
from peerpool.core import messages as m
from peerpool.core import native_rules, torrent_rules
from peerpool.core.admission import Gate, switched_off
from peerpool.core.clusters import Cell, cluster_of
from peerpool.core.errors import BadFrame, Crowded, HostileFrame, Off, RateLimited, TheirError, Unauthorized
from peerpool.core.federation import Digest, digest_received, digests, expire, relay_received
from peerpool.core.ice import Ice
from peerpool.core.ledger import Ledger
from peerpool.core.limits import MS_PER_S, Limits
from peerpool.core.places import NOWHERE, Level, Place
from peerpool.core.reachability import Reachability
from peerpool.core.selection import Nearest, Selection
from peerpool.core.sites import Site
from peerpool.core.state import (
    NO_HANDSHAKE,
    AdmissionRule,
    Command,
    Connection,
    Handshake,
    IntegrityRule,
    Relayed,
    State,
    Totals,
    admit_everyone,
    nothing_of_integrity,
)
from peerpool.core.swarm import ConnectionId, Family, Rng, Swarms
from peerpool.core.torrent_messages import Failure, Scrape, TorrentMessage

# Of refused messages in a row so many are answered: who goes on has not read the first answer either.
TOLD_STRIKES: Final = 10

Message = m.ClientMessage | TorrentMessage


class Rulebook(NamedTuple):
    """What one family's messages cost and do; each module of rules takes the messages of its own protocol only."""

    cost_of: Callable[[Any], float]
    obey: Callable[[State, Connection, Any, float], None]


_RULEBOOKS: Final = {
    Family.NATIVE: Rulebook(native_rules.cost_of, native_rules.obey),
    Family.WEBTORRENT: Rulebook(torrent_rules.cost_of, torrent_rules.obey),
}


class Tracker:
    """Both protocols over one set of swarms."""

    def __init__(
        self,
        rng: Rng,
        limits: Limits | None = None,
        selection: Selection | None = None,
        admit: AdmissionRule = admit_everyone,
        ice: Ice | None = None,
        *,
        gate: Gate | None = None,
        integrity_of: IntegrityRule = nothing_of_integrity,
        integrity_keys: Sequence[str] = (),
    ) -> None:
        """`gate`: the admission rule where sites are named, in place of `admit`.

        `integrity_of` says what `welcome` says of a content; `integrity_keys` are those of the publisher (hex), for
        sites whose records are beside the media.
        """
        self._limits = limits or Limits()
        self._gate = gate
        admit = admit if gate is None else gate.admit
        ice = ice or Ice()
        reachability = Reachability(self._limits.max_nat_lines, has_relays=ice.has_relays)
        self._state = State(
            self._limits,
            selection or Nearest(reachability),
            rng,
            admit,
            ice,
            integrity_of=integrity_of,
            integrity_keys=integrity_keys,
            reachability=reachability,
        )
        self._is_draining = False
        # Sockets to look at again, because the sites' rules have changed, and when some were looked at last.
        self._unreviewed: deque[ConnectionId] = deque()
        self._reviewed_at = -math.inf

    @property
    def swarms(self) -> Swarms:
        """The swarms, to look at."""
        return self._state.swarms

    @property
    def totals(self) -> Totals:
        """Counts since the start, to look at."""
        return self._state.totals

    @property
    def ledger(self) -> Ledger:
        """Sums of each content, for the shell to take."""
        return self._state.ledger

    @property
    def reachability(self) -> Reachability:
        """What is known of NATs, to look at."""
        return self._state.reachability

    @property
    def limits(self) -> Limits:
        """Its bounds, to look at."""
        return self._limits

    @property
    def is_draining(self) -> bool:
        """Whether `drain` was called: no new connections are taken."""
        return self._is_draining

    @property
    def connection_count(self) -> int:
        """Open connections of both families."""
        return sum(len(connections) for connections in self._state.connections.values())

    def table_sizes(self) -> dict[str, int]:
        """Return how much each internal table holds, for operators and for the tests that look for leaks."""
        state = self._state
        return {
            "connections": self.connection_count,
            "unjoined": len(state.unjoined),
            "sites": len(state.sites),
            "empty_sites": len(state.empty_sites),
            "swarms": len(state.swarms),
            "torrent_members": len(state.torrent_members),
            "resized": len(state.resized),
            "unreviewed": len(self._unreviewed),
            "spent_tokens": 0 if self._gate is None else len(self._gate.spent),
            **state.docket.sizes(),
            **state.lines.sizes(),
            "nat_lines": len(state.reachability),
        }

    @property
    def gate(self) -> Gate | None:
        """The sites, to look at; None on an open tracker."""
        return self._gate

    def sites_changed(self, sites: Sequence[Site]) -> None:
        """Take other rules for the sites. Who has no seat by them any more is sent away by the next ticks, in turns."""
        if self._gate is not None:
            self._gate.replace(sites)
            native = self._state.connections[Family.NATIVE]
            self._unreviewed = deque(one.id for one in native.values() if one.seat is not None)

    def is_crowded(self, place: Place, now: float) -> bool:
        """Whether there is no room for another socket from the site of `place`, or it has used up its rate."""
        site = self._state.sites.get(place.site) or self._state.empty_sites.get(place.site)
        if site is None:
            return False
        limits = self._limits
        is_spent = site.bucket.left(limits.site_rate, now) < limits.connect_cost
        return is_spent or site.connections >= limits.max_site_connections

    def cluster_sizes(self) -> dict[str, tuple[int, int]]:
        """Return how many clusters there are of each level, and members in them. Looks at every cell."""
        counts = {level: [0, 0] for level in Level}
        for swarm in self._state.swarms:
            swarm.cells.count(counts)
        return {level.name.lower(): (clusters, members) for level, (clusters, members) in counts.items()}

    def connection_opened(
        self,
        connection_id: ConnectionId,
        family: Family,
        now: float,
        place: Place = NOWHERE,
        handshake: Handshake = NO_HANDSHAKE,
    ) -> list[Command]:
        """Take in a new socket, of somebody at `place`. `connection_id` must not be in use."""
        connection = self._state.connect(connection_id, family, place, handshake, now)
        self._state.totals.connections_opened += 1
        for crowded in self._state.unjoined.begin(connection_id, place.site, family, now):
            self._drop_unjoined(crowded, "join_crowd", now)
        if self._is_draining:
            self._close(connection, c.CLOSE_SERVICE_RESTART, "restarting", now)
        return self._take_commands()

    def message_received(self, connection_id: ConnectionId, message: Message, now: float) -> list[Command]:
        """Obey `message`, or answer with the error it earned. Never raises for what a client says."""
        connection = self._heard(connection_id, now)
        if connection is not None:
            try:
                self._charge(connection, message, now)
                _RULEBOOKS[connection.family].obey(self._state, connection, message, now)
            except TheirError as error:
                self._refuse(connection, error, message, now)
        return self._take_commands()

    def frame_refused(self, connection_id: ConnectionId, error: TheirError, now: float) -> list[Command]:
        """Answer a frame that could not be decoded, and close the socket when it was hostile or one too many."""
        connection = self._heard(connection_id, now)
        if connection is not None:
            self._refuse(connection, error, None, now)
        return self._take_commands()

    def connection_closed(self, connection_id: ConnectionId, now: float) -> list[Command]:
        """Forget the socket and its members. Does nothing for one that is unknown, or was closed by a command."""
        for connections in self._state.connections.values():
            connection = connections.get(connection_id)
            if connection is not None:
                self._state.disconnect(connection, now)
        return self._take_commands()

    def tick(self, now: float) -> list[Command]:
        """Expire what is due at `now`, and push the hints that are due."""
        self._expire_connections(now)
        for late in self._state.unjoined.overdue(now):
            self._drop_unjoined(late, "join", now)
        self._expire_torrent_members(now)
        self._state.expire_sites(now)
        self._state.docket.expire(now)
        self._state.lines.expire(now)
        if self._gate is not None:
            self._gate.expire(now)
        if self._unreviewed and now >= self._reviewed_at + self._limits.review_interval_s:
            self._review(now)
        for cell in list(self._state.resized):
            if now >= cell.hinted_at + self._limits.hint_interval_s:
                del self._state.resized[cell]
                self._hint(cell, now)
        return self._take_commands()

    def next_deadline(self) -> float:
        """Return when `tick` has something to do next, in seconds; infinity when nothing is pending."""
        state = self._state
        deadlines = [one.next_deadline() for one in (state.docket, state.unjoined, state.lines)]
        if self._gate is not None:
            deadlines.append(self._gate.spent.next_sweep())
        if self._unreviewed:
            deadlines.append(self._reviewed_at + self._limits.review_interval_s)
        for family, connections in self._state.connections.items():
            if connections:
                deadlines.append(next(iter(connections.values())).heard_at + self._idle_s(family))
        if self._state.torrent_members:
            oldest = next(iter(self._state.torrent_members.values()))
            deadlines.append(oldest.announced_at + self._limits.torrent_idle_s)
        if self._state.empty_sites:
            oldest_site = next(iter(self._state.empty_sites.values()))
            deadlines.append(oldest_site.empty_since + self._state.site_memory_s)
        deadlines += [cell.hinted_at + self._limits.hint_interval_s for cell in self._state.resized]
        return min(deadlines)

    def digests(self, node: str) -> list[Digest]:
        """Return what `node`, which is this one, has to say to the others."""
        return digests(self._state, node)

    def digest_received(self, digest: Digest, now: float) -> list[Command]:
        """Take what another node says of a swarm."""
        digest_received(self._state, digest, now)
        return self._take_commands()

    def relay_received(self, node: str, relayed: Relayed, now: float) -> list[Command]:
        """Take a message of a member of another node."""
        relay_received(self._state, node, relayed, now)
        return self._take_commands()

    def expire_views(self, now: float) -> list[Command]:
        """Forget nodes that were not heard of for a while; to be called every second or so where there are others."""
        expire(self._state, now)
        return self._take_commands()

    def drain(self, now: float) -> list[Command]:
        """Tell every native client to come back after a while, spread so that rejoins stay bounded; close all."""
        self._is_draining = True
        limits = self._limits
        native = self._state.connections[Family.NATIVE]
        window_ms = MS_PER_S * len(native) / limits.rejoins_per_s
        window_ms = min(max(window_ms, limits.restart_window_min_ms), limits.restart_window_max_ms)
        restart = m.Restart(limits.restart_min_ms, limits.restart_min_ms + round(window_ms))
        for connection in list(native.values()):
            self._state.send(connection.id, restart)
            self._close(connection, c.CLOSE_SERVICE_RESTART, "restarting", now)
        for connection in list(self._state.connections[Family.WEBTORRENT].values()):
            self._close(connection, c.CLOSE_SERVICE_RESTART, "restarting", now)
        return self._take_commands()

    def _heard(self, connection_id: ConnectionId, now: float) -> Connection | None:
        for connections in self._state.connections.values():
            connection = connections.get(connection_id)
            if connection is not None:
                connection.heard_at = now
                connections.move_to_end(connection_id)
                return connection
        return None

    def _charge(self, connection: Connection, message: Message, now: float) -> None:
        cost = _RULEBOOKS[connection.family].cost_of(message)
        limits = self._limits
        wait_s = connection.bucket.take(cost, limits.connection_rate, now)
        if wait_s > 0:
            raise RateLimited(math.ceil(wait_s * MS_PER_S))
        if connection.site is not None:
            wait_s = connection.site.bucket.take(cost, limits.site_rate, now)
        member = connection.sole_member()
        if wait_s == 0 and member is not None:  # of a torrent client's swarms its first stands for all
            wait_s = member.swarm.bucket.take(cost, limits.swarm_rate, now)
        if wait_s > 0:
            raise Crowded(math.ceil(wait_s * MS_PER_S))
        connection.rate_strikes = 0

    def _refuse(self, connection: Connection, error: TheirError, message: Message | None, now: float) -> None:
        refusals = self._state.totals.refusals
        refusals[error.code] = refusals.get(error.code, 0) + 1
        if connection.rate_strikes < TOLD_STRIKES or not isinstance(error, RateLimited):
            self._state.send(connection.id, _describe(connection.family, error, message))
        limits = self._limits
        if connection.site is not None and isinstance(error, HostileFrame | BadFrame):
            connection.site.bucket.charge(limits.bad_frame_cost, limits.site_rate, now)
        match error:
            case HostileFrame():
                self._close(connection, error.close_code, str(error), now)
            case Unauthorized() if connection.family is Family.NATIVE:
                self._close(connection, c.CLOSE_UNAUTHORIZED, str(error), now)
            case Off() if connection.family is Family.NATIVE:
                self._close(connection, c.CLOSE_OFF, error.code, now)
            case BadFrame():
                connection.bad_frames += 1
                if connection.bad_frames >= limits.max_bad_frames:
                    self._close(connection, c.CLOSE_BAD_FRAMES, "too many bad frames", now)
            case RateLimited():
                connection.rate_strikes += 1
                most = limits.max_crowd_strikes if isinstance(error, Crowded) else limits.max_rate_strikes
                if connection.rate_strikes >= most:
                    self._close(connection, c.CLOSE_RATE, "too many messages", now)

    def _review(self, now: float) -> None:
        """Send away some of those who have no seat any more; few enough that nobody else waits for it."""
        self._reviewed_at = now
        native = self._state.connections[Family.NATIVE]
        cut = 0
        for _ in range(min(self._limits.reviewed_at_once, len(self._unreviewed))):
            connection = native.get(self._unreviewed.popleft())
            if connection is not None and connection.seat is not None and connection.seat.is_over:
                self._refuse(connection, switched_off(), None, now)
                cut += 1
                if cut >= self._limits.cut_at_once:
                    break

    def _close(self, connection: Connection, code: int, reason: str, now: float) -> None:
        self._state.close(connection, code, reason, now)

    def _expire_connections(self, now: float) -> None:
        for family, connections in self._state.connections.items():
            while connections:
                oldest = next(iter(connections.values()))
                if oldest.heard_at + self._idle_s(family) > now:
                    break
                self._close(oldest, c.CLOSE_IDLE, "idle", now)

    def _drop_unjoined(self, connection_id: ConnectionId, why: str, now: float) -> None:
        """Close a socket that has not joined. One that is crowded out gets no time for its goodbye: others wait."""
        state = self._state
        state.totals.unjoined[why] += 1
        connection = next(known for one in state.connections.values() if (known := one.get(connection_id)))
        state.close(connection, c.CLOSE_IDLE, "not joined", now, is_cut=why == "join_crowd")

    def _expire_torrent_members(self, now: float) -> None:
        members = self._state.torrent_members
        while members:
            (connection_id, _, _), oldest = next(iter(members.items()))
            if oldest.announced_at + self._limits.torrent_idle_s > now:
                break
            self._state.leave(self._state.connections[Family.WEBTORRENT][connection_id], oldest, now)

    def _hint(self, cell: Cell, now: float) -> None:
        """Tell the members of `cell` which cluster they are in, and its size, if either has changed for them."""
        if not cell.news:
            return  # it is as it was again
        cell.told(now)
        for member in cell.members:
            if member.node:
                continue  # its own node tells it
            cluster = cluster_of(member)
            change = abs(len(cluster) - member.told_size)
            if cluster is not member.told_cluster or change >= c.HINT_CHANGE_RATIO * member.told_size:
                member.told(cluster)
                self._state.totals.hints += 1
                self._state.send(member.connection, m.Hint(len(cluster), m.cluster_id(cluster)))

    def _idle_s(self, family: Family) -> float:
        return self._limits.idle_timeout_s if family is Family.NATIVE else self._limits.torrent_idle_s

    def _take_commands(self) -> list[Command]:
        commands = self._state.commands
        self._state.commands = []
        return commands


def _describe(family: Family, error: TheirError, message: Message | None) -> m.Error | Failure:
    """Return the message that tells a client of `family` about `error`."""
    if family is Family.NATIVE:
        if isinstance(error, RateLimited | Off) and error.retry_after_ms is not None:
            return m.Error(error.code, str(error), error.retry_after_ms)
        return m.Error(error.code, str(error))
    action = "scrape" if isinstance(message, Scrape) else "announce"
    return Failure(action, str(error), getattr(message, "info_hash", ""))
