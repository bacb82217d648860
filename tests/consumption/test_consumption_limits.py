"""Capacity limits: what a run has used, when it is told, when it is stopped."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynaguard.call import ConsumedCapacity, StatementRef
from dynaguard.consumption.limits import MAX_RUNS, CapacityLimits, RunUsage
from dynaguard.policy.model import CapacityLimit
from dynaguard.scope import Scope

NIGHTLY = Scope(job="nightly-load", run_id="42")


def limit(**fields: Any) -> CapacityLimit:
    """A limit of nightly jobs, 100 read units unless it says otherwise."""
    return CapacityLimit(
        **{
            "ref": StatementRef("Nightly", "policy.toml", 7),
            "jobs": ("nightly-*",),
            "read_units": 100.0,
            **fields,
        }
    )


def reads(units: float, table: str = "orders") -> list[ConsumedCapacity]:
    """Read units of a table."""
    return [ConsumedCapacity(table, units, 0.0, units)]


def use(limits: CapacityLimits, units: float, scope: Scope = NIGHTLY, **more: Any) -> list[str]:
    """Uses units; gives the levels that were reached."""
    options = {"is_estimated": False, **more}
    return [level for _, level in limits.add(scope, reads(units), **options)]


def test_soft_is_told_once_then_hard_once() -> None:
    """At 80 % and at all of it."""
    limits = CapacityLimits((limit(),))

    assert [use(limits, units) for units in (79.0, 1.0, 1.0, 19.0, 5.0)] == [
        [],
        ["soft"],
        [],
        ["hard"],
        [],
    ]


def test_a_large_page_goes_past_soft() -> None:
    """It ended before anybody could know."""
    assert use(CapacityLimits((limit(),)), 500.0) == ["hard"]


def test_a_used_up_limit_stops_its_run_alone() -> None:
    """Another run, another job, another direction go on."""
    limits = CapacityLimits((limit(),))
    assert limits.excess_of(NIGHTLY, ["orders"], "read") is None
    use(limits, 99.5)
    assert limits.excess_of(NIGHTLY, ["orders"], "read") is None
    use(limits, 0.5)

    excess = limits.excess_of(NIGHTLY, ["orders"], "read")

    assert str(excess) == (
        "job `nightly-load`, run `42` has used 100 of 100 read units "
        "(capacity limit Nightly (policy.toml:7))"
    )
    assert limits.excess_of(NIGHTLY, ["orders"], "write") is None
    assert limits.excess_of(Scope(job="nightly-load", run_id="43"), ["orders"], "read") is None
    assert limits.excess_of(Scope(job="web"), ["orders"], "read") is None
    assert limits.excess_of(Scope(), ["orders"], "read") is None


def test_without_a_run_id_the_process_is_the_run() -> None:
    """The message names the job alone, and says where it guessed."""
    limits = CapacityLimits((limit(),))
    use(limits, 123456.0, Scope(job="nightly-load"), is_estimated=True)

    excess = limits.excess_of(Scope(job="nightly-load"), ["orders"], "read")

    assert str(excess).startswith("job `nightly-load` has used about 123,456 of 100 read units")


def test_tables_of_one_entry_share_it() -> None:
    """Others are free."""
    limits = CapacityLimits((limit(tables=("orders", "customers-*")),))
    limits.add(NIGHTLY, reads(60.0, "orders"), is_estimated=False)
    limits.add(NIGHTLY, reads(60.0, "customers-eu"), is_estimated=False)
    limits.add(NIGHTLY, reads(1e6, "logs"), is_estimated=False)

    assert limits.excess_of(NIGHTLY, ["logs", "orders"], "read") is not None
    assert limits.excess_of(NIGHTLY, ["logs"], "read") is None
    assert limits.applies_to(NIGHTLY, ["orders"])
    assert not limits.applies_to(NIGHTLY, ["logs"])
    assert not limits.applies_to(Scope(), ["orders"])


def test_a_table_named_by_its_arn_is_under_the_limit_too() -> None:
    """The call names it as it likes."""
    limits = CapacityLimits((limit(tables=("orders",)),))
    use(limits, 100.0)

    arn = "arn:aws:dynamodb:eu-west-1:111122223333:table/orders"

    assert limits.excess_of(NIGHTLY, [arn], "read") is not None


def test_every_limit_that_matches_counts() -> None:
    """An observed one does not hide one that is enforced."""
    observed = limit(ref=StatementRef("Watch"), read_units=10.0, is_observed=True)
    limits = CapacityLimits((observed, limit(read_units=50.0)))
    use(limits, 20.0)
    seen = limits.excess_of(NIGHTLY, ["orders"], "read")
    use(limits, 40.0)
    stopped = limits.excess_of(NIGHTLY, ["orders"], "read")

    assert seen is not None
    assert seen.limit.is_observed
    assert stopped is not None
    assert not stopped.limit.is_observed


def test_reads_and_writes_have_their_own_numbers() -> None:
    """Either may be left out."""
    limits = CapacityLimits((limit(read_units=None, write_units=10.0),))
    limits.add(NIGHTLY, [ConsumedCapacity("orders", 1e6, 10.0, 1e6)], is_estimated=False)

    assert limits.excess_of(NIGHTLY, ["orders"], "read") is None
    assert limits.excess_of(NIGHTLY, ["orders"], "write") is not None
    assert limits.usages() == [
        RunUsage("Nightly", "nightly-load", "42", 1e6, 10.0, None, 10.0, False)
    ]


def test_calls_outside_of_a_job_are_under_none() -> None:
    """A service is no run of anything."""
    limits = CapacityLimits((limit(jobs=("*",)),))

    assert use(limits, 1e9, Scope()) == []
    assert limits.usages() == []


def test_a_call_that_touches_a_limit_by_two_tables_is_told_once() -> None:
    """A batch, say."""
    limits = CapacityLimits((limit(),))
    both = [*reads(50.0, "a"), *reads(50.0, "b")]

    levels = [level for _, level in limits.add(NIGHTLY, both, is_estimated=False)]

    assert levels == ["hard"]


@given(st.lists(st.floats(0.0, 50.0), max_size=40))
def test_what_is_used_never_shrinks_and_a_stop_stays(pages: list[float]) -> None:
    """Once stopped, stopped: there is no way back for a run."""
    limits, used, stopped = CapacityLimits((limit(),)), 0.0, False
    for units in pages:
        use(limits, units)
        used += units
        is_over = limits.excess_of(NIGHTLY, ["orders"], "read") is not None
        assert is_over == (used >= 100.0)
        assert is_over or not stopped
        stopped = is_over


def test_runs_are_bounded() -> None:
    """The one used longest ago begins anew."""
    limits = CapacityLimits((limit(),))
    for number in range(MAX_RUNS + 1):
        use(limits, 100.0, Scope(job="nightly-load", run_id=str(number)))

    assert len(limits.usages()) == MAX_RUNS
    first = Scope(job="nightly-load", run_id="0")
    assert limits.excess_of(first, ["orders"], "read") is None


def test_places_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which limits apply is worked out again."""
    monkeypatch.setattr("dynaguard.consumption.limits.MAX_PLACES", 2)
    limits = CapacityLimits((limit(),))

    for number in range(5):
        assert limits.applies_to(NIGHTLY, [f"table-{number}"])

    assert len(limits._matching) <= 2


def test_threads_of_a_run_share_its_units() -> None:
    """Nothing is lost between them, and each level is told once."""
    limits, levels = CapacityLimits((limit(read_units=8000.0),)), []

    def work() -> None:
        for _ in range(1000):
            levels.extend(use(limits, 1.0))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert limits.usages()[0].read_units == 8000.0
    assert levels == ["soft", "hard"]
