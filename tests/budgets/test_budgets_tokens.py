"""The token bucket's bounds, for any sequence of answers and clock readings."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynaguard.budgets.tokens import TokenBucket

EVENTS = st.lists(
    st.tuples(
        st.floats(min_value=-50.0, max_value=50.0),  # clocks go back too
        st.sampled_from(["take", "earn", "refill"]),
    ),
    max_size=60,
)


def make_bucket(**changes: float) -> TokenBucket:
    """A bucket of three tokens that earns a tenth and drips one per two seconds."""
    values = {"max_tokens": 3.0, "earned_per_success": 0.1, "drip_per_s": 0.5, "now_s": 0.0}
    return TokenBucket(**{**values, **changes})


def test_starts_full_and_refuses_when_empty() -> None:
    """It grants what it holds and not one more."""
    bucket = make_bucket(drip_per_s=0.0)

    assert [bucket.take() for _ in range(4)] == [True, True, True, False]


def test_ten_successes_earn_a_token() -> None:
    """Ten tenths are one token, whatever binary fractions make of it."""
    bucket = make_bucket(drip_per_s=0.0, max_tokens=1.0)
    bucket.take()

    for _ in range(10):
        bucket.earn()

    assert bucket.take() is True
    assert bucket.tokens == 0.0


def test_promised_tokens_are_waited_for() -> None:
    """Who takes what is not there yet waits until it has dripped in, one after the other."""
    bucket = make_bucket(max_tokens=1.0)

    waits = []
    for _ in range(3):
        waits.append(bucket.wait_s())
        bucket.promise()

    assert waits == [0.0, pytest.approx(2.0), pytest.approx(4.0)]
    assert bucket.take() is False
    bucket.refill(6.0)
    assert bucket.take() is True


def test_without_a_drip_a_wait_would_be_endless() -> None:
    """Then nothing can be promised."""
    bucket = make_bucket(max_tokens=1.0, drip_per_s=0.0)
    bucket.take()

    assert bucket.wait_s() == float("inf")
    assert bucket.wait_s(drip_per_s=2.0) == pytest.approx(0.5)


def test_drips_with_time() -> None:
    """Time alone brings tokens back, up to the maximum."""
    bucket = make_bucket()
    bucket.take()
    bucket.take()

    bucket.refill(2.0)
    assert bucket.tokens == pytest.approx(2.0)

    bucket.refill(1000.0)
    assert bucket.tokens == 3.0


def test_a_clock_that_went_back_earns_nothing_twice() -> None:
    """The same second is never paid for twice."""
    bucket = make_bucket()
    for _ in range(3):
        bucket.take()

    for now_s in (2.0, 0.0, 2.0, 1.0, 2.0):
        bucket.refill(now_s)

    assert bucket.tokens == pytest.approx(1.0)


@settings(max_examples=200, deadline=None)
@given(
    events=EVENTS,
    max_tokens=st.floats(min_value=0.0, max_value=30.0),
    ratio=st.floats(min_value=0.0, max_value=1.0),
    drip=st.floats(min_value=0.0, max_value=5.0),
)
def test_tokens_stay_within_bounds(
    events: list[tuple[float, str]], max_tokens: float, ratio: float, drip: float
) -> None:
    """Never negative, never above the maximum, and retries within the stated sum."""
    bucket = make_bucket(max_tokens=max_tokens, earned_per_success=ratio, drip_per_s=drip)
    now_s = latest_s = 0.0
    granted = successes = 0
    for step_s, event in events:
        now_s += step_s
        if event == "earn":
            bucket.earn()
            successes += 1
        else:
            bucket.refill(now_s)
            latest_s = max(latest_s, now_s)
            granted += event == "take" and bucket.take()
        assert 0.0 <= bucket.tokens <= max_tokens

    assert granted <= max_tokens + ratio * successes + drip * latest_s + 1e-6
