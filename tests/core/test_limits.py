from __future__ import annotations

from peerpool.core.limits import Limits, TokenBucket

LIMITS = Limits(bucket_tokens=10, bucket_refill_per_s=5)


def test_a_bucket_starts_full_and_says_how_long_to_wait() -> None:
    bucket = TokenBucket(LIMITS, 0.0)
    assert bucket.take(10, LIMITS, 0.0) == 0.0
    assert bucket.take(1, LIMITS, 0.0) == 0.2
    assert bucket.take(1, LIMITS, 0.2) == 0.0


def test_a_refusal_takes_nothing() -> None:
    bucket = TokenBucket(LIMITS, 0.0)
    assert bucket.take(11, LIMITS, 0.0) > 0
    assert bucket.take(10, LIMITS, 0.0) == 0.0


def test_a_bucket_never_holds_more_than_its_cap() -> None:
    bucket = TokenBucket(LIMITS, 0.0)
    assert bucket.take(10, LIMITS, 1e9) == 0.0
    assert bucket.take(1, LIMITS, 1e9) > 0


def test_time_that_goes_back_does_no_harm() -> None:
    bucket = TokenBucket(LIMITS, 100.0)
    assert bucket.take(10, LIMITS, 50.0) == 0.0
    assert bucket.take(1, LIMITS, 50.0) > 0
