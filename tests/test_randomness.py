"""Ids do not come from the generator that draws."""

from __future__ import annotations

from peerpool.randomness import TrackerRandom


def test_ids_are_not_the_generator_s() -> None:
    rng = TrackerRandom()
    rng.seed(1)
    first = rng.randbytes(16)
    rng.seed(1)
    assert rng.randbytes(16) != first
    assert len(first) == 16


def test_draws_are_the_generator_s_and_differ_between_processes() -> None:
    one, other = TrackerRandom(), TrackerRandom()
    assert one.sample(range(10**9), k=5) != other.sample(range(10**9), k=5)
    one.seed(1)
    other.seed(1)
    assert one.sample(range(10**9), k=5) == other.sample(range(10**9), k=5)
