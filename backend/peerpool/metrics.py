"""What operators can measure: Prometheus text at /metrics, the same totals as JSON at /stats.

Values are read from the tracker when asked for, so that counting costs nothing twice. Labels come from fixed sets
(relay kinds, error codes, close codes of ours), never from clients.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from msgspec import to_builtins
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from peerpool import __version__
from peerpool.core.inspection import site_counts
from peerpool.core.limits import MS_PER_S
from peerpool.core.nodes import sum_of
from peerpool.core.reachability import Mapping
from peerpool.core.state import RTT_ERROR_BOUNDS, TRACKER_RTT_BOUNDS_MS
from peerpool.core.swarm import Family
from peerpool.signalling import Hub

if TYPE_CHECKING:
    from peerpool.bus import Bus
    from peerpool.stun import StunServer
    from peerpool.watcher import Watcher

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class TrackerCollector(Collector):
    """Reads the hub's tracker."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def collect(self) -> Iterator[Metric]:
        """Yield every metric."""
        tracker, totals = self._hub.tracker, self._hub.tracker.totals
        members = GaugeMetricFamily("peerpool_members", "Members of swarms", labels=["family"])
        for family, count in tracker.swarms.member_counts.items():
            members.add_metric([family.value], count)
        yield members
        yield GaugeMetricFamily("peerpool_swarms", "Swarms with members", len(tracker.swarms))
        yield GaugeMetricFamily("peerpool_connections", "Open WebSockets", tracker.connection_count)
        yield GaugeMetricFamily(
            "peerpool_connections_max", "WebSockets that there is room for", self._hub.max_connections
        )
        yield GaugeMetricFamily("peerpool_loop_lag_seconds", "Lateness of the last tick", self._hub.loop_lag_s)
        for name, text, value in (
            ("joins", "Members that entered a swarm", totals.joins),
            ("leaves", "Members that left", totals.leaves),
            ("announces", "Announces of torrent clients", totals.announces),
            ("scrapes", "Scrapes of torrent clients", totals.scrapes),
            ("hints", "Hints pushed", totals.hints),
            ("connections_opened", "WebSockets accepted", totals.connections_opened),
            ("dropped_offers", "Offers dropped because their receiver reads slowly", self._hub.dropped_offers),
            ("slow_readers", "Connections cut because their client did not read", self._hub.slow_readers),
            ("accusations", "Accusations of members by neighbours that counted", totals.accusations),
            ("bans", "Members sent away because neighbours accused them", totals.bans),
            ("turn_credentials", "Times that a member was given credentials for TURN", totals.turn_credentials),
            ("client_reported_stalls", "Stalls, as clients claim", totals.reported_stalls),
        ):
            yield CounterMetricFamily(f"peerpool_{name}", text, value)
        cuts = {**self._hub.cuts, **totals.unjoined}
        text = "Connections cut for what they had yet to do, or because too many had"
        yield _labelled("peerpool_cuts", text, "owed", cuts)
        sizes = tracker.cluster_sizes()
        clusters = GaugeMetricFamily("peerpool_clusters", "Places that share among themselves", labels=["level"])
        clustered = GaugeMetricFamily(
            "peerpool_cluster_members", "Members by the level of their cluster", labels=["level"]
        )
        for level, (count, member_count) in sizes.items():
            clusters.add_metric([level], count)
            clustered.add_metric([level], member_count)
        yield clusters
        yield clustered
        text = "Error of predicted round trips, as a part"
        yield _histogram("peerpool_rtt_error", text, RTT_ERROR_BOUNDS, totals.rtt_errors, None)
        yield _labelled("peerpool_relays", "Messages relayed between members", "kind", totals.relays)
        yield _labelled("peerpool_refusals", "Frames answered with an error", "code", totals.refusals)
        closes = {str(code): count for code, count in totals.closes.items()}
        yield _labelled("peerpool_closes", "WebSockets closed by the tracker", "code", closes)
        reported = totals.reported_bytes
        yield _labelled("peerpool_client_reported_bytes", "Media bytes, as clients claim", "source", reported)
        yield _labelled(
            "peerpool_client_reported_peer_bytes",
            "Media bytes of peers by the tightest place that both are in, as clients claim",
            "place",
            totals.bytes_by_origin,
        )
        yield from self._groups()
        yield from self._nats()
        yield _histogram(
            "peerpool_client_reported_tracker_rtt_seconds",
            "Round trips of clients to this tracker, as they claim",
            [bound_ms / MS_PER_S for bound_ms in TRACKER_RTT_BOUNDS_MS],
            totals.tracker_rtts,
            totals.tracker_rtts_ms / MS_PER_S,
        )

    def _nats(self) -> Iterator[Metric]:
        """Yield what members say of their NATs, and what came of attempts to connect without a relay."""
        reachability = self._hub.tracker.reachability
        members = GaugeMetricFamily(
            "peerpool_nat_members", "Members by how their NAT maps, as they claim", labels=["mapping"]
        )
        for mapping in Mapping:
            members.add_metric([mapping.name.lower()], reachability.members[mapping])
        yield members
        text = "Attempts to connect without a relay, by both NATs, as clients claim"
        attempts = CounterMetricFamily("peerpool_attempts", text, labels=["mappings", "outcome"])
        for (low, high, connected), count in sorted(reachability.totals.items()):
            names = f"{low.name.lower()}, {high.name.lower()}"
            attempts.add_metric([names, "connected" if connected else "failed"], count)
        yield attempts

    def _groups(self) -> Iterator[Metric]:
        """Yield what tells those who share from those of the sites' holdouts, who never do."""
        tracker, totals = self._hub.tracker, self._hub.tracker.totals
        members = GaugeMetricFamily("peerpool_group_members", "Native members by group", labels=["group"])
        members.add_metric(["sharing"], tracker.swarms.member_counts[Family.NATIVE])
        members.add_metric(["holdout"], totals.holdout.members)
        yield members
        text = "Media bytes by group, as clients claim"
        sizes = CounterMetricFamily("peerpool_group_reported_bytes", text, labels=["group", "source"])
        groups = {"sharing": totals.reported_bytes, "holdout": totals.holdout.reported_bytes}
        for group, counts in groups.items():
            for source, count in counts.items():
                sizes.add_metric([group, source], count)
        yield sizes
        stalls = {"sharing": totals.reported_stalls, "holdout": totals.holdout.stalls}
        yield _labelled("peerpool_group_reported_stalls", "Stalls by group, as clients claim", "group", stalls)


class WatchCollector(Collector):
    """Reads what follows streams. Contents are those of the settings."""

    def __init__(self, watcher: Watcher) -> None:
        self._watcher = watcher

    def collect(self) -> Iterator[Metric]:
        """Yield every metric."""
        label = ["content"]
        readable = GaugeMetricFamily("peerpool_watch_readable", "Whether a followed stream can be read", labels=label)
        texts = {
            "records": "Segments read and signed",
            "bytes": "Bytes of segments read and signed",
            "failures": "Playlists and segments that could not be read",
        }
        counters = {
            kind: CounterMetricFamily(f"peerpool_watch_{kind}", text, labels=label) for kind, text in texts.items()
        }
        for name, is_readable, counts in self._watcher.streams():
            readable.add_metric([name], is_readable)
            for kind, counter in counters.items():
                counter.add_metric([name], counts[kind])
        yield readable
        yield from counters.values()
        yield GaugeMetricFamily("peerpool_watch_waiting", "Answers held back for a record", self._watcher.waiting)
        text = "Requests for records by what came of them"
        yield _labelled("peerpool_watch_answers", text, "answer", self._watcher.answers)


class StunCollector(Collector):
    """Reads the STUN server."""

    def __init__(self, stun: StunServer) -> None:
        self._stun = stun

    def collect(self) -> Iterator[Metric]:
        """Yield every metric."""
        text = "STUN datagrams by what came of them"
        yield _labelled("peerpool_stun_requests", text, "outcome", self._stun.outcomes)


def _histogram(
    name: str, text: str, bounds: Sequence[float], counts: Sequence[int], total: float | None
) -> HistogramMetricFamily:
    """Return counts of what was up to each bound, and of what was more than the last; `total` where it is kept."""
    labels = [*map(str, bounds), "+Inf"]
    return HistogramMetricFamily(name, text, list(zip(labels, itertools.accumulate(counts), strict=True)), total)


def _labelled(name: str, text: str, label: str, counts: dict[str, int]) -> CounterMetricFamily:
    metric = CounterMetricFamily(name, text, labels=[label])
    for value, count in counts.items():
        metric.add_metric([value], count)
    return metric


class Metrics:
    """The two endpoints."""

    def __init__(
        self, hub: Hub, bus: Bus | None = None, watcher: Watcher | None = None, stun: StunServer | None = None
    ) -> None:
        """`bus` is where other nodes are heard, `watcher` what follows streams, `stun` what answers it, if any."""
        self._hub = hub
        self._bus = bus
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(TrackerCollector(hub))
        if watcher is not None:
            self._registry.register(WatchCollector(watcher))
        if stun is not None:
            self._registry.register(StunCollector(stun))

    async def serve_prometheus(self, _request: Request) -> Response:
        """Answer /metrics."""
        return Response(generate_latest(self._registry), headers={"Content-Type": CONTENT_TYPE})

    async def serve_stats(self, _request: Request) -> Response:
        """Answer /stats."""
        return JSONResponse(self.stats(), headers={"Cache-Control": "no-store"})

    def stats(self) -> dict[str, Any]:
        """Return totals since the start, and of all nodes where there are several. Bytes and stalls are claims."""
        own, bus = self._own_stats(), self._bus
        if bus is None:
            return own
        mine, others = bus.own_totals(), bus.other_totals()
        nodes = sorted([mine, *others], key=lambda one: one.node)
        shared = {"node": bus.node, "redis": bus.is_joined, "nodes": nodes, "all_nodes": sum_of(mine, others)}
        return {**own, **to_builtins(shared)}

    def _own_stats(self) -> dict[str, Any]:
        tracker, totals = self._hub.tracker, self._hub.tracker.totals
        gate = tracker.gate
        return {
            "version": __version__,
            "connections": tracker.connection_count,
            "swarms": len(tracker.swarms),
            "members": {family.value: count for family, count in tracker.swarms.member_counts.items()},
            "joins": totals.joins,
            "leaves": totals.leaves,
            "announces": totals.announces,
            "relays": totals.relays,
            "refusals": totals.refusals,
            "client_reported": {"bytes": totals.reported_bytes, "stalls": totals.reported_stalls},
            "holdout": to_builtins(totals.holdout),
            "accusations": totals.accusations,
            "bans": totals.bans,
            "sites": [] if gate is None else to_builtins(site_counts(gate)),
        }
