"""The figures of a crowd, from what its viewers and the origin's log say. Pure."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from e2e.harness import ledger
from e2e.harness.ledger import Entry
from e2e.harness.synthetic import segment_name

Delivery = Sequence[float]
SATURATED = 0.9  # part of all cores
NUMBER, SIZE_BYTES, PEER_BYTES, TOOK_MS, LATENCY_S = range(5)  # what viewer.js says of a delivery


@dataclass(frozen=True)
class Plan:
    """What is to be measured."""

    viewers: int
    segments: int = 60  # counted, after everybody joined
    per_page: int = 20
    stagger_s: float = 20
    segment_s: float = 2
    bitrate_kbps: float = 150
    latency_ms: float = 20
    neighbours: int = 8
    hash_every: int = 5  # each viewer checks every so many segments
    plain: bool = False


@dataclass(frozen=True)
class Viewer:
    """What one viewer says of itself; counters are of its whole life."""

    name: str
    startup_ms: float
    failures: int
    stalls: int
    stalled_ms: float
    neighbours: int
    moved_bytes: Mapping[str, int]
    broken: bool
    deliveries: Sequence[Delivery]
    hashes: Sequence[tuple[str, str]]

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> Viewer:
        """Read what `report` of viewer.js says of it."""
        counted = (said["failures"], said["stalls"], said["stalledMs"], said["neighbours"], said["bytes"] or {})
        hashes = [(path, digest) for path, digest in said["hashes"]]
        return cls(said["name"], said["startupMs"], *counted, said["isBroken"], said["deliveries"], hashes)


@dataclass(frozen=True)
class Window:
    """Figures of the segments that the origin was first asked for within a span of time."""

    segments: int
    copies_per_segment: float
    offload: float


@dataclass(frozen=True)
class Spread:
    """A distribution in four numbers; NaN where there is nothing."""

    least: float
    median: float
    p95: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Summarise values."""
        ordered = sorted(values) or [math.nan]
        return cls(ordered[0], statistics.median(ordered), ordered[int(0.95 * (len(ordered) - 1))], ordered[-1])

    def text(self, digits: int = 0) -> str:
        """Median, least and most."""
        return f"{self.median:.{digits}f} ({self.least:.{digits}f} to {self.most:.{digits}f})"


@dataclass(frozen=True)
class Cost:
    """What the window took of the machine."""

    window_s: float
    cpu_s: Mapping[str, float]  # of the browser, by kind of process
    machine_busy: float
    others_busy: float  # of it, programs that are none of ours
    long_tasks: int
    long_tasks_ms: float
    longest_task_ms: float


@dataclass(frozen=True)
class Result:
    """What came of it. All but `whole_run`, `startup_ms` and the checks is of the window after everybody joined."""

    plan: Plan
    whole_run: Window
    since_joined: Window
    offload_bound: float
    stalls: int
    stalled_ms: float
    stalls_while_joining: int
    failures: int  # requests that failed, playlists included
    startup_ms: Spread  # from the first request of a playlist to the first segment
    latency_s: Spread  # of the playhead behind what the encoder takes now, at each delivery
    load_ms: Spread  # from a player's request to its segment
    neighbours: Spread
    wasted: float  # part of what was consumed
    upload_bytes: Spread  # of each viewer
    hashes_checked: int
    hashes_wrong: int
    broken: int
    cost: Cost
    problems: Sequence[str]


@dataclass(frozen=True)
class Observed:
    """All that was read of one run; times are seconds since the epoch."""

    began_s: float
    joined_s: float
    ended_s: float
    joined: Sequence[Viewer]
    viewers: Sequence[Viewer]
    entries: Sequence[Entry]
    digests: Mapping[str, str]
    problems: Sequence[str]


def evaluate(plan: Plan, seen: Observed, cost: Cost) -> Result:
    """Make the figures."""
    earlier = {viewer.name: viewer for viewer in seen.joined}
    deliveries = [delivery for viewer in seen.viewers for delivery in viewer.deliveries]
    counted = ledger.by_segment(seen.entries, seen.joined_s, seen.ended_s)
    own = [delivery for delivery in deliveries if _path(delivery) in counted]
    hashes = [pair for viewer in seen.viewers for pair in viewer.hashes]

    def moved(kind: str) -> list[int]:
        return [v.moved_bytes.get(kind, 0) - earlier[v.name].moved_bytes.get(kind, 0) for v in seen.viewers]

    return Result(
        plan=plan,
        whole_run=_window(seen.entries, deliveries, seen.began_s, seen.ended_s),
        since_joined=_window(seen.entries, deliveries, seen.joined_s, seen.ended_s),
        offload_bound=1 - 1 / plan.viewers,
        stalls=sum(viewer.stalls - earlier[viewer.name].stalls for viewer in seen.viewers),
        stalled_ms=sum(viewer.stalled_ms - earlier[viewer.name].stalled_ms for viewer in seen.viewers),
        stalls_while_joining=sum(viewer.stalls for viewer in seen.joined),
        failures=sum(viewer.failures for viewer in seen.viewers),
        startup_ms=Spread.of([viewer.startup_ms for viewer in seen.viewers]),
        latency_s=Spread.of([delivery[LATENCY_S] for delivery in own]),
        load_ms=Spread.of([delivery[TOOK_MS] for delivery in own]),
        neighbours=Spread.of([viewer.neighbours for viewer in seen.viewers]),
        wasted=sum(moved("wasted")) / max(1, sum(int(delivery[SIZE_BYTES]) for delivery in own)),
        upload_bytes=Spread.of(moved("toPeers")),
        hashes_checked=len(hashes),
        hashes_wrong=sum(seen.digests.get(path) != digest for path, digest in hashes),
        broken=sum(viewer.broken for viewer in seen.viewers),
        cost=cost,
        problems=seen.problems[:20],
    )


def _path(delivery: Delivery) -> str:
    return f"/live/{segment_name(int(delivery[NUMBER]))}"


def _window(entries: Sequence[Entry], deliveries: Sequence[Delivery], since_s: float, until_s: float) -> Window:
    paths = ledger.by_segment(entries, since_s, until_s)
    consumed_bytes = sum(int(delivery[SIZE_BYTES]) for delivery in deliveries if _path(delivery) in paths)
    offload = ledger.offload_ratio(ledger.origin_bytes(entries, since_s, until_s), consumed_bytes)
    return Window(len(paths), ledger.copies_per_segment(entries, since_s, until_s), offload)


def render(result: Result) -> list[str]:
    """Lay the result out in lines."""
    cost = result.cost

    def window(of: Window) -> str:
        return f"{of.copies_per_segment:.2f} copies per segment, offload {of.offload:.2%} ({of.segments} segments)"

    checks = f"{result.hashes_checked} segments checked against the origin, {result.hashes_wrong} differ"
    cpu = ", ".join(f"{kind} {used_s:.1f} s" for kind, used_s in sorted(cost.cpu_s.items()))
    busy = f"machine {cost.machine_busy:.0%} busy, of it {cost.others_busy:.0%} with what is not ours"
    rows = [
        ("viewers", f"{result.plan.viewers}{', plain' if result.plan.plain else ''}"),
        ("since everybody joined", f"{window(result.since_joined)}, at most {result.offload_bound:.2%} is possible"),
        ("whole run", window(result.whole_run)),
        ("stalls", f"{result.stalls} ({result.stalled_ms:.0f} ms); while joining {result.stalls_while_joining}"),
        ("behind the encoder", f"{result.latency_s.text(2)} s"),
        ("startup", f"{result.startup_ms.text()} ms"),
        ("request to segment", f"{result.load_ms.text()} ms, 95% below {result.load_ms.p95:.0f} ms"),
        ("neighbours", result.neighbours.text()),
        ("wasted", f"{result.wasted:.2%} of what was consumed"),
        ("sent by a viewer", f"{result.upload_bytes.text()} bytes"),
        ("bytes", f"{checks}; {result.failures} requests failed, {result.broken} engines broke"),
        ("CPU of the browser", f"{cpu} in {cost.window_s:.0f} s; {busy}"),
        ("tasks above 50 ms", f"{cost.long_tasks}, {cost.long_tasks_ms:.0f} ms, longest {cost.longest_task_ms:.0f} ms"),
    ]
    lines = [f"{name:24s} {value}" for name, value in rows] + [f"page: {problem}" for problem in result.problems]
    if cost.machine_busy > SATURATED:
        lines.append("the machine was the limit: these figures are its own, not the library's")
    return lines
