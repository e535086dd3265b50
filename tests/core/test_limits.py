from __future__ import annotations

from peerpool.core.limits import Rate, TokenBucket

RATE = Rate(10, 5)


def test_a_bucket_starts_full_and_says_how_long_to_wait() -> None:
    bucket = TokenBucket(RATE, 0.0)
    assert bucket.take(10, RATE, 0.0) == 0.0
    assert bucket.take(1, RATE, 0.0) == 0.2
    assert bucket.take(1, RATE, 0.2) == 0.0


def test_a_refusal_takes_nothing() -> None:
    bucket = TokenBucket(RATE, 0.0)
    assert bucket.take(11, RATE, 0.0) > 0
    assert bucket.take(10, RATE, 0.0) == 0.0


def test_a_bucket_never_holds_more_than_its_cap() -> None:
    bucket = TokenBucket(RATE, 0.0)
    assert bucket.take(10, RATE, 1e9) == 0.0
    assert bucket.take(1, RATE, 1e9) > 0


def test_time_that_goes_back_does_no_harm() -> None:
    bucket = TokenBucket(RATE, 100.0)
    assert bucket.take(10, RATE, 50.0) == 0.0
    assert bucket.take(1, RATE, 50.0) > 0


def test_what_was_done_already_is_charged_down_to_nothing() -> None:
    bucket = TokenBucket(RATE, 0.0)
    bucket.charge(4, RATE, 0.0)
    assert bucket.left(RATE, 0.0) == 6
    bucket.charge(100, RATE, 0.0)
    assert bucket.left(RATE, 0.0) == 0
    assert bucket.left(RATE, 1.0) == 5
