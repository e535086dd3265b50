"""Where bytes go in a large swarm on an invented Internet, with the tracker's core as it is shipped.

Members join, are introduced, connect, report their round trips, and come and go. Then segments spread: one member of
each cluster has it from the CDN, and everybody takes it from the neighbour in its cluster who is first to have it; who
has none in reach takes it from outside, and who has nobody from the CDN. The rules of the browser are thus modelled,
not run: they are run in bench/sim, with fewer viewers.

    python -m bench.locality --members 20000
"""

from __future__ import annotations

import argparse
import heapq
import json
import math
import random
import statistics
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from peerpool.core import messages as m
from peerpool.core.clusters import cluster_of
from peerpool.core.constants import NEIGHBOURS_MAX, WANT_DEFAULT
from peerpool.core.coordinates import predicted_rtt_ms
from peerpool.core.limits import Limits, Rate
from peerpool.core.places import Level, Place
from peerpool.core.selection import LeastConnected, Nearest, Selection
from peerpool.core.state import Send
from peerpool.core.swarm import Family, Member, SwarmKey
from peerpool.core.tracker import Tracker

CONTENT: Final = "c" * 40
SESSION: Final = "0" * 16
KEY: Final = SwarmKey(Family.NATIVE, CONTENT)
# Countries by continent, with their part of the audience, and where they are, in ms of fibre (a plane will do).
COUNTRIES: Final = {
    ("EU", "DE"): (16, 0, 0), ("EU", "FR"): (12, -9, 6), ("EU", "GB"): (12, -10, -4), ("EU", "PL"): (7, 8, -1),
    ("EU", "ES"): (8, -18, 14), ("NA", "US"): (18, -95, 8), ("NA", "CA"): (5, -88, 0), ("NA", "MX"): (4, -110, 30),
    ("AS", "IN"): (8, 75, 45), ("AS", "JP"): (5, 130, 20), ("AS", "ID"): (5, 115, 75),
}  # fmt: skip
# Customers of a country's providers fall off as 1/rank, as estimates of users by network do (APNIC, "Visible ASNs:
# customer populations"): the first has about a third, and most have few.
PROVIDERS_OF_EACH: Final = 5
CITIES_OF_EACH: Final = 6
# Milliseconds of a round trip on the subscriber's own line: fibre, cable, DSL, mobile.
LINES_MS: Final = ((2, 0.3), (8, 0.35), (14, 0.2), (30, 0.15))
# An exchange between two providers of one country, in ms; between countries it is part of the way.
PEERING_MS: Final = 3.0
JITTER: Final = 0.1
SEGMENT_MS: Final = 400.0  # to pass a segment on, on an ordinary uplink that has others to serve too
HOP_ROUND_TRIPS: Final = 1.5  # word of it, request, piece
FAR_AFTER_MS: Final = 2000.0  # when a browser turns to neighbours outside its cluster
DEADLINE_MS: Final = 4000.0  # ... and to the CDN


@dataclass(eq=False)
class Viewer:
    """A member on the invented Internet."""

    connection: int
    place: Place
    x: float
    y: float
    line_ms: float
    peer_id: str = ""
    neighbours: dict[Viewer, None] = field(default_factory=dict)
    gone: bool = False

    def rtt_ms(self, other: Viewer) -> float:
        """Return the round trip with nothing else on the way."""
        far = math.hypot(self.x - other.x, self.y - other.y)
        peering = PEERING_MS if self.place.isp != other.place.isp else 0.0
        return far + peering + self.line_ms + other.line_ms


class Internet:
    """Makes viewers."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._countries = list(COUNTRIES)
        self._weights = [COUNTRIES[country][0] for country in self._countries]
        self._cities = {
            country: [(rng.gauss(0, 4), rng.gauss(0, 4)) for _ in range(CITIES_OF_EACH)] for country in self._countries
        }

    def viewer(self, connection: int) -> Viewer:
        """Return somebody, somewhere."""
        rng = self._rng
        country = rng.choices(self._countries, self._weights)[0]
        rank = rng.choices(range(PROVIDERS_OF_EACH), [1 / (rank + 1) for rank in range(PROVIDERS_OF_EACH)])[0]
        city = rng.choices(range(CITIES_OF_EACH), [1 / (city + 1) for city in range(CITIES_OF_EACH)])[0]
        _, x, y = COUNTRIES[country]
        dx, dy = self._cities[country][city]
        line_ms, _ = rng.choices(LINES_MS, [share for _, share in LINES_MS])[0]
        isp = f"AS{country[1]}{rank}"
        place = Place(*country, isp, f"city {city}", f"line {connection}", f"{isp}/{rng.randrange(400)}")
        return Viewer(connection, place, x + dx, y + dy, line_ms * rng.uniform(0.8, 1.2))


class Crowd:
    """Viewers at the tracker."""

    def __init__(self, selection: Selection, cluster_min: int, seed: int) -> None:
        self.rng = random.Random(seed)
        limits = Limits(max_swarm_members=1_000_000, cluster_min=cluster_min, swarm_rate=Rate(1e15, 1.0))
        self.tracker = Tracker(random.Random(seed), limits, selection)
        self.internet = Internet(self.rng)
        self.viewers: dict[str, Viewer] = {}
        self.now = 0.0
        self.has_clusters = isinstance(selection, Nearest)
        self._next = 1

    def join(self) -> None:
        """Let somebody come, and connect to whom it is told."""
        viewer = self.internet.viewer(self._next)
        self._next += 1
        self.tracker.connection_opened(viewer.connection, Family.NATIVE, self.now, viewer.place)
        commands = self.tracker.message_received(viewer.connection, m.Join(CONTENT, SESSION), self.now)
        welcome = next(c.message for c in commands if isinstance(c, Send) and isinstance(c.message, m.Welcome))
        viewer.peer_id = welcome.peer
        self.viewers[viewer.peer_id] = viewer
        self._connect(viewer, welcome.neighbours)

    def leave(self, viewer: Viewer) -> None:
        """Let somebody go."""
        viewer.gone = True
        del self.viewers[viewer.peer_id]
        for neighbour in viewer.neighbours:
            del neighbour.neighbours[viewer]
        self.tracker.connection_closed(viewer.connection, self.now)

    def replenish(self, viewer: Viewer) -> int:
        """Ask for more neighbours where there are too few; return how many were had."""
        missing = WANT_DEFAULT - len(viewer.neighbours)
        if missing <= 0:
            return 0
        except_ = [neighbour.peer_id for neighbour in viewer.neighbours]
        commands = self.tracker.message_received(viewer.connection, m.Want(missing, except_), self.now)
        found = next(c.message for c in commands if isinstance(c, Send) and isinstance(c.message, m.Neighbours))
        return self._connect(viewer, found.neighbours)

    def report(self, viewer: Viewer) -> None:
        """Say how far the neighbours are."""
        rtts = {
            other.peer_id: max(1, round(viewer.rtt_ms(other) * self.rng.uniform(1, 1 + JITTER)))
            for other in viewer.neighbours
        }
        message = m.Report(0, 0, 0, len(viewer.neighbours), 0, rtts=rtts)
        self.tracker.message_received(viewer.connection, message, self.now)

    def member(self, viewer: Viewer) -> Member:
        """Return what the tracker knows of somebody."""
        swarm = self.tracker.swarms.get(KEY)
        found = swarm.get(viewer.peer_id) if swarm else None
        assert found is not None
        return found

    def _connect(self, viewer: Viewer, peer_ids: Iterable[str]) -> int:
        made = 0
        for peer_id in peer_ids:
            other = self.viewers[peer_id]
            if len(other.neighbours) < NEIGHBOURS_MAX and other not in viewer.neighbours:
                viewer.neighbours[other] = other.neighbours[viewer] = None
                made += 1
        return made


@dataclass
class Spread:
    """How segments came to everybody."""

    from_cdn: int = 0
    from_peers: Counter[str] = field(default_factory=Counter)
    # Of those whose provider has members enough for a cluster: from within the provider, and from others.
    of_many: Counter[bool] = field(default_factory=Counter)
    late_ms: list[float] = field(default_factory=list)

    @property
    def offload(self) -> float:
        """Part of all that was had from peers."""
        total = self.from_cdn + self.from_peers.total()
        return self.from_peers.total() / total


def spread(crowd: Crowd, segments: int) -> Spread:
    """Let some segments spread."""
    result = Spread()
    clusters = {viewer: cluster_of(crowd.member(viewer)) for viewer in crowd.viewers.values()}
    near: dict[Viewer, list[Viewer]] = {}
    far: dict[Viewer, list[Viewer]] = {}
    for viewer, cluster in clusters.items():
        inside = {other: cluster in crowd.member(other).cells for other in viewer.neighbours}
        near[viewer] = [other for other, is_near in inside.items() if is_near]
        far[viewer] = [other for other, is_near in inside.items() if not is_near]
    by_cluster: dict[int, list[Viewer]] = {}
    for viewer, cluster in clusters.items():
        by_cluster.setdefault(id(cluster), []).append(viewer)
    # Whom a viewer's having it is of use to: those for whom it is near, and later those for whom it is far.
    serves_near: dict[Viewer, list[Viewer]] = {viewer: [] for viewer in near}
    serves_far: dict[Viewer, list[Viewer]] = {viewer: [] for viewer in near}
    for neighbours, serves in ((near, serves_near), (far, serves_far)):
        for viewer, others in neighbours.items():
            for other in others:
                serves[other].append(viewer)
    for _ in range(segments):
        # One of each cluster fetches, unless who it lies in has fetchers near it; who is not reached in time does too.
        events: list[tuple[float, int, Viewer, Viewer | None]] = []
        for members in by_cluster.values():
            fetcher = crowd.rng.choice(members)
            events.append((crowd.rng.uniform(0, 300), fetcher.connection, fetcher, None))
        _let_spread(crowd, events, serves_near, serves_far, result)
    return result


def _let_spread(
    crowd: Crowd,
    events: list[tuple[float, int, Viewer, Viewer | None]],
    serves_near: dict[Viewer, list[Viewer]],
    serves_far: dict[Viewer, list[Viewer]],
    result: Spread,
) -> None:
    heapq.heapify(events)
    had: dict[Viewer, float] = {}
    while events:
        at_ms, _, viewer, source = heapq.heappop(events)
        if viewer in had or at_ms > DEADLINE_MS:
            continue
        had[viewer] = at_ms
        if source is None:
            result.from_cdn += 1
        else:
            result.from_peers[_relation(viewer, source)] += 1
            if crowd.member(viewer).cells[Level.ISP].stands or not crowd.has_clusters:
                result.of_many[viewer.place.isp == source.place.isp] += 1
            result.late_ms.append(at_ms)
        free_ms = at_ms
        for other in serves_near[viewer]:
            if other not in had:
                # The nearest first is not known to the sender: in the order they happen to be, one after another.
                free_ms += crowd.rng.uniform(0, SEGMENT_MS / 4)
                arrives_ms = free_ms + HOP_ROUND_TRIPS * viewer.rtt_ms(other) + SEGMENT_MS / 4
                heapq.heappush(events, (arrives_ms, other.connection, other, viewer))
        for other in serves_far[viewer]:
            if other not in had:
                arrives_ms = max(free_ms, FAR_AFTER_MS) + HOP_ROUND_TRIPS * viewer.rtt_ms(other) + SEGMENT_MS / 4
                heapq.heappush(events, (arrives_ms, other.connection, other, viewer))
    result.from_cdn += len(crowd.viewers) - len(had)


def _relation(viewer: Viewer, source: Viewer) -> str:
    one, other = viewer.place, source.place
    if one.path()[: Level.METRO] == other.path()[: Level.METRO]:
        return "same city"
    if one.path()[: Level.ISP] == other.path()[: Level.ISP]:
        return "same provider"
    if one.country == other.country:
        return "same country"
    return "same continent" if one.continent == other.continent else "other"


def rtt_error(crowd: Crowd, pairs: int = 5000) -> float:
    """Return the median error of predicted round trips between any two, as a part."""
    viewers = list(crowd.viewers.values())
    errors = []
    for _ in range(pairs):
        one, other = crowd.rng.sample(viewers, 2)
        here, there = crowd.member(one).coordinate, crowd.member(other).coordinate
        if here is not None and there is not None:
            errors.append(abs(predicted_rtt_ms(here, there) / one.rtt_ms(other) - 1))
    return statistics.median(errors)


def churn(crowd: Crowd, minutes: int, part_per_minute: float) -> dict[str, float]:
    """Let viewers come and go; return what that did to those who stayed."""
    stayers = crowd.rng.sample(list(crowd.viewers.values()), min(500, len(crowd.viewers) // 4))
    kept_ids = {viewer: set(viewer.neighbours) for viewer in stayers}
    lost = gained = moved = 0
    for _ in range(minutes):
        before = {viewer: cluster_of(crowd.member(viewer)) for viewer in stayers}
        leavers = [viewer for viewer in crowd.viewers.values() if viewer not in kept_ids]
        for viewer in crowd.rng.sample(leavers, round(part_per_minute * len(crowd.viewers))):
            crowd.leave(viewer)
            crowd.join()
        for viewer in list(crowd.viewers.values()):
            crowd.now += 1e-6
            crowd.replenish(viewer)
        moved += sum(cluster_of(crowd.member(viewer)) is not before[viewer] for viewer in stayers)
    for viewer, then in kept_ids.items():
        lost += sum(1 for other in then if other not in viewer.neighbours)
        gained += sum(1 for other in then if other.gone)
    lonely = sum(not viewer.neighbours for viewer in crowd.viewers.values())
    return {
        "neighbours lost though they stayed": (lost - gained) / max(1, sum(map(len, kept_ids.values()))),
        "clusters changed, a member and minute": moved / (len(stayers) * minutes),
        "members without neighbours": lonely,
    }


def measure(members: int, selection: Selection, cluster_min: int, seed: int, segments: int) -> dict[str, object]:
    """Build a crowd and measure it."""
    crowd = Crowd(selection, cluster_min, seed)
    begun = time.process_time()
    for _ in range(members):
        crowd.join()
    join_us = (time.process_time() - begun) / members * 1e6
    for viewer in list(crowd.viewers.values()):
        crowd.replenish(viewer)
    for _ in range(8):  # reports: four minutes of them
        for viewer in crowd.viewers.values():
            crowd.report(viewer)
    result = spread(crowd, segments)
    clusters = {cluster_of(crowd.member(viewer)) for viewer in crowd.viewers.values()}
    all_peers = result.from_peers.total()
    inside = result.from_peers["same city"] + result.from_peers["same provider"]
    return {
        "members": members,
        "clusters": len(clusters),
        "offload": result.offload,
        "of peer bytes within the provider": inside / all_peers,
        "... where it has members enough": result.of_many[True] / result.of_many.total(),
        "by relation": {name: count / all_peers for name, count in result.from_peers.most_common()},
        "95 % have it after, ms": statistics.quantiles(result.late_ms, n=20)[-1],
        "median error of round trips": rtt_error(crowd),
        "neighbours": statistics.mean(len(viewer.neighbours) for viewer in crowd.viewers.values()),
        "join, CPU us": join_us,
        **churn(crowd, 3, 0.5),
    }


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="python -m bench.locality", description=__doc__)
    parser.add_argument("--members", type=int, default=20_000)
    parser.add_argument("--segments", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cluster-min", type=int, default=Limits().cluster_min)
    parser.add_argument("--out", type=Path, help="JSON file")
    chosen = parser.parse_args()
    results = {
        "by place": measure(chosen.members, Nearest(), chosen.cluster_min, chosen.seed, chosen.segments),
        "anybody": measure(chosen.members, LeastConnected(), chosen.members + 1, chosen.seed, chosen.segments),
    }
    for name, result in results.items():
        print(name)
        for key, value in result.items():
            print(f"  {key:<40} {_shown(value)}")
    if chosen.out:
        chosen.out.write_text(json.dumps(results, indent=1) + "\n")


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {part:.1%}" for name, part in value.items())
    return f"{value:.3f}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
