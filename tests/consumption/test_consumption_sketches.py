"""The sketches hold their stated bounds, against an exact count of the same stream."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynaguard.consumption.hyperloglog import HyperLogLog
from dynaguard.consumption.space_saving import SpaceSaving, merged

streams = st.lists(st.integers(0, 30), max_size=300)
capacities = st.integers(1, 12)


def counted(stream: list[int], capacity: int) -> SpaceSaving:
    """A sketch that took the stream in."""
    sketch = SpaceSaving(capacity)
    for key in stream:
        sketch.add(key)
    return sketch


# --- Space-Saving --------------------------------------------------------------------------------


@given(streams, capacities)
def test_every_estimate_is_within_n_over_m(stream: list[int], capacity: int) -> None:
    """estimate - N/m <= true count <= estimate, and the lower bound holds too."""
    exact, sketch = Counter(stream), counted(stream, capacity)

    for each in sketch.estimates():
        assert each.at_least <= exact[each.key] <= each.at_most
        assert each.at_most <= exact[each.key] + len(stream) / capacity


@given(streams, capacities)
def test_every_key_beyond_n_over_m_is_found(stream: list[int], capacity: int) -> None:
    """No heavy key is missed, whatever the order."""
    sketch = counted(stream, capacity)
    found = {each.key for each in sketch.estimates()}

    heavy = {key for key, count in Counter(stream).items() if count > len(stream) / capacity}

    assert heavy <= found


@given(streams, capacities)
def test_a_key_without_a_counter_came_at_most_floor_times(
    stream: list[int], capacity: int
) -> None:
    """What `merged` goes by."""
    exact, sketch = Counter(stream), counted(stream, capacity)
    found = {each.key for each in sketch.estimates()}

    assert all(exact[key] <= sketch.floor for key in set(exact) - found)
    assert sketch.total == len(stream)


@given(streams, capacities)
def test_it_never_holds_more_than_its_counters(stream: list[int], capacity: int) -> None:
    """And all counts add up to the arrivals."""
    sketch = counted(stream, capacity)

    assert len(sketch) <= capacity
    assert sum(each.at_most for each in sketch.estimates()) == len(stream)


@given(st.lists(streams, min_size=1, max_size=3), capacities)
def test_merged_estimates_hold_over_all_streams(parts: list[list[int]], capacity: int) -> None:
    """Two windows are reported as one."""
    exact = Counter(key for part in parts for key in part)

    estimates = merged(tuple(counted(part, capacity) for part in parts))

    slack = sum(len(part) / capacity for part in parts)
    for each in estimates:
        assert each.at_least <= exact[each.key] <= each.at_most
        assert each.at_most <= exact[each.key] + slack


def test_the_heaviest_comes_first() -> None:
    """With enough counters the counts are exact."""
    estimates = counted([1, 2, 2, 3, 3, 3], 8).estimates()

    assert [(each.key, each.at_least, each.at_most) for each in estimates] == [
        (3, 3, 3),
        (2, 2, 2),
        (1, 1, 1),
    ]


# --- HyperLogLog ---------------------------------------------------------------------------------


def sketched(count: int, seed: int, precision: int = 12) -> HyperLogLog:
    """A sketch of that many different keys."""
    source, sketch = random.Random(seed), HyperLogLog(precision)
    for _ in range(count):
        sketch.add(source.getrandbits(64))
    return sketch


def test_the_error_is_the_stated_one() -> None:
    """The root mean square over 60 streams is 1.04/sqrt(m), less than a third more or less."""
    errors = [sketched(20_000, seed, precision=8).estimate() / 20_000 - 1 for seed in range(60)]

    measured = (sum(error**2 for error in errors) / len(errors)) ** 0.5

    assert measured == pytest.approx(1.04 / 256**0.5, rel=0.33)
    assert HyperLogLog(8).standard_error == pytest.approx(0.065)
    assert HyperLogLog().standard_error == pytest.approx(0.01625)


@given(count=st.integers(0, 3000), seed=st.integers(0, 2**32))
def test_an_estimate_is_within_five_standard_errors(count: int, seed: int) -> None:
    """From none to some, over both methods of estimating and where they meet."""
    sketch = sketched(count, seed, precision=8)

    assert sketch.estimate() == pytest.approx(count, rel=5 * sketch.standard_error, abs=1.0)


@given(st.lists(st.integers(0, 2**64 - 1), max_size=50), st.integers(1, 4))
def test_repeats_change_nothing(keys: list[int], times: int) -> None:
    """Distinct means distinct."""
    once, often = HyperLogLog(), HyperLogLog()
    for key in keys:
        once.add(key)
        for _ in range(times):
            often.add(key)

    assert often.estimate() == once.estimate()
    assert (once.estimate() == 0.0) is (not keys)


@given(st.lists(st.integers(0, 2**64 - 1), max_size=60), st.integers(0, 60))
def test_a_union_is_the_sketch_of_all(keys: list[int], cut: int) -> None:
    """Windows overlap as they like."""
    left, right, whole = HyperLogLog(6), HyperLogLog(6), HyperLogLog(6)
    for key in keys:
        whole.add(key)
    for key in keys[:cut]:
        left.add(key)
    for key in keys[max(0, cut - 5) :]:
        right.add(key)

    assert left.union(right).estimate() == whole.estimate()


def test_the_extremes_of_a_hash_count() -> None:
    """No 1 in it, and nothing else."""
    sketch = HyperLogLog()
    sketch.add(0)
    sketch.add(2**64 - 1)

    assert round(sketch.estimate()) == 2
