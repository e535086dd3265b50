"""Network coordinates: they come to predict, and nobody can move others far."""

from __future__ import annotations

import math
import random
import statistics

from hypothesis import given
from hypothesis import strategies as st
from peerpool.core.coordinates import (
    ERROR_MAX,
    ERROR_MIN,
    HEIGHT_MIN_MS,
    REACH_MAX_MS,
    STEP_MAX_MS,
    SWEEPS,
    Coordinate,
    Sample,
    beside,
    corrected,
    predicted_rtt_ms,
)


class Node:
    """A member of an invented Internet: a city on the map, a line, and what it believes."""

    def __init__(self, rng: random.Random) -> None:
        city = rng.randrange(12)
        self.x = 37 * city % 120 + rng.gauss(0, 2)
        self.y = 53 * city % 80 + rng.gauss(0, 2)
        self.line_ms = rng.choice([1, 4, 8, 15]) * rng.uniform(0.8, 1.3)
        self.believed = Coordinate()

    def rtt_ms(self, other: Node) -> float:
        return math.hypot(self.x - other.x, self.y - other.y) + self.line_ms + other.line_ms


def errors(nodes: list[Node], rng: random.Random) -> list[float]:
    found = []
    for _ in range(2000):
        one, other = rng.sample(nodes, 2)
        rtt_ms = one.rtt_ms(other)
        found.append(abs(predicted_rtt_ms(one.believed, other.believed) - rtt_ms) / rtt_ms)
    return found


def settle(nodes: list[Node], rng: random.Random, rounds: int, liars: int = 0) -> None:
    """Let everybody report on eight neighbours, over and over, with jitter; the first say anything."""
    neighbours = {node: rng.sample([other for other in nodes if other is not node], 8) for node in nodes}
    for _ in range(rounds):
        for index, node in enumerate(nodes):
            samples = [
                Sample(
                    other.believed, rng.uniform(1, 5000) if index < liars else node.rtt_ms(other) * rng.uniform(1, 1.1)
                )
                for other in neighbours[node]
            ]
            node.believed = corrected(node.believed, samples, rng.randbytes(3))


def test_they_come_to_predict_what_was_never_measured() -> None:
    rng = random.Random(1)
    nodes = [Node(rng) for _ in range(200)]
    settle(nodes, rng, 24)
    assert statistics.median(errors(nodes, rng)) <= 0.15


def test_liars_misplace_themselves_and_hardly_others() -> None:
    rng = random.Random(2)
    nodes = [Node(rng) for _ in range(200)]
    settle(nodes, rng, 24, liars=20)
    assert statistics.median(errors(nodes[20:], rng)) <= 0.2


def test_who_begins_beside_another_of_its_city_is_soon_right() -> None:
    rng = random.Random(3)
    nodes = [Node(rng) for _ in range(200)]
    settle(nodes, rng, 24)
    newcomer = Node(rng)
    mate = min(nodes, key=lambda node: math.hypot(node.x - newcomer.x, node.y - newcomer.y))
    measured = [Sample(other.believed, newcomer.rtt_ms(other)) for other in rng.sample(nodes, 8)]
    newcomer.believed = corrected(beside(mate.believed), measured, b"abc")
    off = [abs(predicted_rtt_ms(newcomer.believed, node.believed) / newcomer.rtt_ms(node) - 1) for node in nodes]
    assert statistics.median(off) <= 0.2


def test_without_samples_nobody_moves() -> None:
    assert corrected(Coordinate(1, 2, 3), [], b"abc") == Coordinate(1, 2, 3)


COORDINATES = st.builds(
    Coordinate,
    st.floats(-REACH_MAX_MS, REACH_MAX_MS),
    st.floats(-REACH_MAX_MS, REACH_MAX_MS),
    st.floats(-REACH_MAX_MS, REACH_MAX_MS),
    st.floats(HEIGHT_MIN_MS, REACH_MAX_MS),
    st.floats(ERROR_MIN, ERROR_MAX),
)


@given(COORDINATES, COORDINATES, st.floats(0.1, 60_000), st.binary(min_size=3, max_size=3))
def test_one_report_moves_little_and_stays_within_bounds(
    own: Coordinate, other: Coordinate, rtt_ms: float, nudge: bytes
) -> None:
    moved = corrected(own, [Sample(other, rtt_ms)], nudge)
    distance_ms = math.hypot(moved.x - own.x, moved.y - own.y, moved.z - own.z)
    assert distance_ms <= SWEEPS * STEP_MAX_MS + 1e-6
    assert abs(moved.height - own.height) <= SWEEPS * STEP_MAX_MS + 1e-6
    assert max(abs(moved.x), abs(moved.y), abs(moved.z), moved.height) <= REACH_MAX_MS
    assert moved.height >= HEIGHT_MIN_MS
    assert ERROR_MIN <= moved.error <= ERROR_MAX
