"""Memory under a million distinct keys and ten thousand identities stays below a stated bound."""

from __future__ import annotations

import itertools
import tracemalloc
from collections.abc import Iterator

import pytest

from dynaguard.aws.dynamodb.schemas import KeySchemas
from dynaguard.call import ConsumedCapacity
from dynaguard.consumption.consumption import Consumption
from dynaguard.consumption.keys import MAX_TABLES, KeyHasher, KeyStatistics
from dynaguard.consumption.ledger import MAX_ACCOUNTS

KEYS = 1_000_000
IDENTITIES = 10_000
BOUND_BYTES = 8 * 1024 * 1024
"""Ledger, sketches of 64 tables in both windows, all full: stated in `docs/cost-and-keys.md`."""


@pytest.fixture
def consumption() -> Consumption:
    """Ledger and key statistics, as `install()` makes them; every tenth of the keys a window."""
    ticks = itertools.count()
    clock = lambda: 600.0 * (next(ticks) // (KEYS // 10))  # noqa: E731
    keys = KeyStatistics(KeyHasher(b"0" * 16), monotonic=clock)
    return Consumption(KeySchemas({}), keys=keys)


@pytest.fixture
def traced() -> Iterator[None]:
    """Counts what is allocated."""
    tracemalloc.start()
    yield
    tracemalloc.stop()


@pytest.mark.timeout(300)
def test_memory_is_bounded(consumption: Consumption, traced: None) -> None:
    """Whatever was seen; the figures at the end are those of the last windows."""
    keys, ledger = consumption.keys, consumption.ledger
    assert keys is not None
    tables = [f"table-{number}" for number in range(2 * MAX_TABLES)]

    for number in range(KEYS):
        place = number % MAX_TABLES + (number >= KEYS // 2) * MAX_TABLES
        keys.add(tables[place], None, (f"customer#{number}",))
    for number in range(IDENTITIES):
        capacity = [ConsumedCapacity("orders", 1.0, 0.0, 1.0)]
        ledger.add(f"role-{number}", f"job-{number}", f"runbook-{number}", capacity)

    held, _ = tracemalloc.get_traced_memory()
    assert held < BOUND_BYTES
    assert len(ledger.accounts()) == MAX_ACCOUNTS
    assert sum(units.read_units for _, units in ledger.accounts()) == MAX_ACCOUNTS
    assert ledger.other.read_units == IDENTITIES - MAX_ACCOUNTS
    assert len(keys.figures()) == MAX_TABLES


@pytest.mark.timeout(300)
def test_a_million_keys_of_one_table_are_counted(consumption: Consumption) -> None:
    """Within three standard errors, and the hot one among them is found."""
    keys = KeyStatistics(KeyHasher(b"0" * 16), monotonic=lambda: 0.0)
    for number in range(KEYS):
        keys.add("orders", None, (f"customer#{number}" if number % 5 else "hot",))

    (figures,) = keys.figures()

    assert figures.distinct_keys == pytest.approx(0.8 * KEYS, rel=3 * figures.standard_error)
    (hot,) = figures.hot_keys
    assert 0.19 < hot.share <= 0.2
    assert hot.at_most - hot.at_least <= KEYS / 128
