"""A circuit breaker opens on failures, probes, and closes on the first success."""

from __future__ import annotations

from dynaguard.budgets.breaker import Breaker


def opened() -> Breaker:
    """A breaker that saw nothing but failures."""
    breaker = Breaker(0.0)
    for _ in range(25):
        breaker.failed(0.0, 0.5)
    return breaker


def test_few_failures_open_nothing() -> None:
    """Twenty calls at least."""
    breaker = Breaker(0.0)
    for _ in range(19):
        breaker.failed(0.0, 0.5)
    assert not breaker.is_open


def test_half_of_the_calls_may_fail() -> None:
    """More than half opens it."""
    breaker = Breaker(0.0)
    for _ in range(50):
        breaker.succeeded(0.0)
        breaker.failed(0.0, 0.5)
    assert not breaker.is_open
    breaker.failed(0.0, 0.5)
    assert breaker.is_open


def test_old_failures_fade() -> None:
    """A bad minute yesterday does not open it today."""
    breaker = Breaker(0.0)
    for _ in range(19):
        breaker.failed(0.0, 0.5)
    breaker.failed(60.0, 0.5)
    assert not breaker.is_open


def test_one_probe_a_second_more_or_less() -> None:
    """The share jitters it by a quarter."""
    breaker = opened()
    assert not breaker.take_probe(0.9, 0.5)
    assert breaker.take_probe(1.0, 0.0)
    assert not breaker.take_probe(1.7, 0.5)
    assert breaker.take_probe(1.75, 1.0)
    assert not breaker.take_probe(2.9, 0.5)


def test_the_first_success_closes_it() -> None:
    """With a clean slate."""
    breaker = opened()
    breaker.succeeded(1.0)
    assert not breaker.is_open
    assert breaker.take_probe(1.0, 0.5)
    breaker.failed(1.0, 0.5)
    assert not breaker.is_open
