"""Network coordinates: what the round trip between any two members is likely to be, from those that some have measured.

Vivaldi with height vectors (Dabek, Cox, Kaashoek, Morris: "Vivaldi: A Decentralized Network Coordinate System", SIGCOMM
2004, section 5.4): a point in space stands for the core of the network, the height above it for a member's own line.
Each measurement moves the measuring member a little towards where it would be right. Nobody else is moved, so a liar
misplaces itself; who measures a liar leaves out what disagrees with most of its other measurements.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

# How much of a sample's surprise is taken over. The paper's c_e is a quarter; its c_c too, for samples every few
# seconds. Ours come twice a minute and are means already: a half, and several rounds over one report, settle sooner.
ERROR_GAIN: Final = 0.25
STEP_GAIN: Final = 0.5
SWEEPS: Final = 4
# Who is surer than this needs only one.
SURE_ERROR: Final = 0.25
# What one sample may move: more is a lie, or a first guess that the next samples mend.
STEP_MAX_MS: Final = 50.0
# A sample whose surprise is this many times the median of its report, and at least this large, is left out.
OUTLIER_FACTOR: Final = 3.0
# A line is never free: without it two members of one city could not be told from one member.
HEIGHT_MIN_MS: Final = 0.1
# Nothing on Earth is farther: a coordinate beyond would be a lie.
REACH_MAX_MS: Final = 2000.0
ERROR_START: Final = 1.0
ERROR_MIN: Final = 0.02
ERROR_MAX: Final = 1.5


class Coordinate(NamedTuple):
    """Milliseconds of round trip; `error` is how far off predictions were lately, as a part of what was measured."""

    x: float = 0.0
    y: float = 0.0
    z: float = 0.0
    height: float = HEIGHT_MIN_MS
    error: float = ERROR_START


class Sample(NamedTuple):
    """A round trip to somebody at `other`, which must be above 0 ms."""

    other: Coordinate
    rtt_ms: float


def predicted_rtt_ms(one: Coordinate, other: Coordinate) -> float:
    """Return the likely round trip between two, in milliseconds."""
    return math.hypot(one.x - other.x, one.y - other.y, one.z - other.z) + one.height + other.height


def surprise(own: Coordinate, sample: Sample) -> float:
    """Return how far off the prediction of a sample is, as a part of it."""
    return abs(predicted_rtt_ms(own, sample.other) - sample.rtt_ms) / sample.rtt_ms


def corrected(own: Coordinate, samples: Sequence[Sample], nudge: bytes) -> Coordinate:
    """Return `own` after a report of round trips; `nudge`, 3 random bytes, says where to go from the same point."""
    if not samples:
        return own
    surprises = sorted(surprise(own, sample) for sample in samples)
    most = max(OUTLIER_FACTOR, OUTLIER_FACTOR * surprises[len(surprises) // 2])
    credible = [sample for sample in samples if surprise(own, sample) <= most]
    for _ in range(SWEEPS if own.error > SURE_ERROR else 1):
        for sample in credible:
            own = _moved(own, sample, nudge)
    return own


def beside(other: Coordinate) -> Coordinate:
    """Return where to begin next to somebody of the same place, not yet sure of it."""
    return other._replace(error=ERROR_START)


def _moved(own: Coordinate, sample: Sample, nudge: bytes) -> Coordinate:
    other, rtt_ms = sample
    predicted_ms = predicted_rtt_ms(own, other)
    sureness = own.error / (own.error + other.error)
    gain = ERROR_GAIN * sureness
    error = surprise(own, sample) * gain + own.error * (1 - gain)
    # By no more than what was measured: a neighbour that is said to be far away pulls no harder than one that is near.
    step_ms = STEP_GAIN * sureness * max(-rtt_ms, rtt_ms - predicted_ms)
    step_ms = _bounded(step_ms, STEP_MAX_MS)
    dx, dy, dz = own.x - other.x, own.y - other.y, own.z - other.z
    if dx == dy == dz == 0:
        dx, dy, dz = ((byte - 127.5) / 1000 for byte in nudge)
    # The unit vector of the paper: the difference in space, and the sum of the heights.
    heights = own.height + other.height
    length = math.hypot(dx, dy, dz) + heights
    return Coordinate(
        _bounded(own.x + step_ms * dx / length, REACH_MAX_MS),
        _bounded(own.y + step_ms * dy / length, REACH_MAX_MS),
        _bounded(own.z + step_ms * dz / length, REACH_MAX_MS),
        min(max(own.height + step_ms * heights / length, HEIGHT_MIN_MS), REACH_MAX_MS),
        min(max(error, ERROR_MIN), ERROR_MAX),
    )


def _bounded(value: float, most: float) -> float:
    return min(max(value, -most), most)
