"""The ledger adds up, whatever has to go."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynaguard.call import ConsumedCapacity
from dynaguard.consumption.ledger import Account, Ledger, Units

entries = st.tuples(
    st.sampled_from([f"role-{number}" for number in range(9)]),
    st.sampled_from([None, "nightly"]),
    st.sampled_from([None, "by_day"]),
    st.integers(0, 100),
    st.integers(0, 100),
)


def consumed(
    reads: float = 0.0, writes: float = 0.0, index: str | None = None
) -> ConsumedCapacity:
    """Units of the table `orders`."""
    return ConsumedCapacity("orders", reads, writes, reads + writes, index)


def test_units_are_kept_apart_by_who_and_what() -> None:
    """Identity, job, runbook, table, index; the largest first."""
    ledger = Ledger()
    ledger.add(
        "etl", "nightly", "reload", [consumed(reads=1.0), consumed(reads=8.0, index="by_day")]
    )
    ledger.add("etl", "nightly", "reload", [consumed(reads=0.5)])
    ledger.add("web", None, None, [consumed(writes=2.0)])

    assert ledger.accounts() == [
        (Account("etl", "nightly", "reload", "orders", "by_day"), Units(8.0, 0.0, 1)),
        (Account("web", None, None, "orders", None), Units(0.0, 2.0, 1)),
        (Account("etl", "nightly", "reload", "orders", None), Units(1.5, 0.0, 2)),
    ]
    assert ledger.other == Units()


@given(st.lists(entries, max_size=60), st.integers(1, 5))
def test_nothing_is_lost_and_the_bound_holds(
    added: list[tuple[str, str | None, str | None, int, int]], most: int
) -> None:
    """All accounts and the rest are what was added; no account shows more than it had."""
    ledger, true = Ledger(most), {}
    for identity, job, index, reads, writes in added:
        ledger.add(identity, job, None, [consumed(reads, writes, index)])
        key = (identity, job, None, "orders", index)
        true[key] = Units(reads, writes, 1).plus(true.get(key, Units()))

    accounts = ledger.accounts()

    total = ledger.other
    for account, units in accounts:
        total = total.plus(units)
        whole = true[account.identity, account.job, None, "orders", account.index]
        assert units.read_units <= whole.read_units
        assert units == whole or ledger.evictions
    assert total == Units(
        sum(each[3] for each in added), sum(each[4] for each in added), len(added)
    )
    assert len(accounts) <= most


def test_the_large_account_stays() -> None:
    """A thousand small ones pass by."""
    ledger = Ledger(16)
    ledger.add("large", None, None, [consumed(reads=1e6)])
    for number in range(1000):
        ledger.add(f"small-{number}", None, None, [consumed(reads=1.0)])

    assert ledger.accounts()[0][0].identity == "large"
    assert ledger.evictions == 985
    assert ledger.other.read_units == 985.0


def test_threads_lose_no_unit() -> None:
    """Eight at once."""
    ledger = Ledger(4)

    def work(number: int) -> None:
        for turn in range(2000):
            ledger.add(f"role-{(number + turn) % 9}", None, None, [consumed(reads=1.0)])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    kept = sum(units.read_units for _, units in ledger.accounts())
    assert kept + ledger.other.read_units == pytest.approx(16_000)
