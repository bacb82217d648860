"""What is known as a whole, and after a fork."""

from __future__ import annotations

import weakref

from dynaguard import forks
from dynaguard.aws.dynamodb.schemas import KeySchemas
from dynaguard.call import ConsumedCapacity, StatementRef
from dynaguard.consumption.consumption import Consumption
from dynaguard.consumption.keys import KeyHasher, KeyStatistics
from dynaguard.consumption.limits import CapacityLimits
from dynaguard.consumption.queries import QueryWatch
from dynaguard.policy.model import CapacityLimit
from dynaguard.scope import Scope


def everything() -> Consumption:
    """All parts at work."""
    limit = CapacityLimit(StatementRef("Nightly"), read_units=10.0)
    return Consumption(
        KeySchemas({}),
        limits=CapacityLimits((limit,)),
        keys=KeyStatistics(KeyHasher(b"0" * 16), monotonic=lambda: 0.0),
        queries=QueryWatch(),
    )


def test_a_report_is_of_mappings_and_lists_alone() -> None:
    """So that it prints and serialises."""
    found = everything()
    capacity = [ConsumedCapacity("orders", 4.0, 0.0, 4.0)]
    found.ledger.add("etl", "nightly", None, capacity)
    assert found.limits is not None
    assert found.keys is not None
    found.limits.add(Scope(job="nightly", run_id="7"), capacity, is_estimated=False)
    found.keys.add("orders", None, ["a"] * 200)

    report = found.report()

    assert report["consumed"] == [
        {
            "identity": "etl",
            "job": "nightly",
            "runbook": None,
            "table": "orders",
            "index": None,
            "read_units": 4.0,
            "write_units": 0.0,
            "calls": 1,
        }
    ]
    assert report["consumed_other"] == {"read_units": 0.0, "write_units": 0.0, "calls": 0}
    (keys,) = report["keys"]
    assert keys["hot_keys"][0]["share"] == 1.0
    (run,) = report["capacity_limits"]
    assert (run["limit"], run["run_id"], run["allowed_read_units"]) == ("Nightly", "7", 10.0)


def test_parts_that_are_off_are_empty() -> None:
    """A ledger there always is."""
    found = Consumption(KeySchemas({}))

    assert not found.reads_requests
    assert everything().reads_requests
    assert found.report()["keys"] == found.report()["capacity_limits"] == []


def test_a_forked_child_has_locks_of_its_own() -> None:
    """Whoever held them in the parent is not there."""
    found = everything()
    before = found.ledger.lock
    before.acquire()

    found.renew()

    assert found.ledger.lock is not before
    assert found.ledger.accounts() == []


def test_books_that_are_gone_are_not_renewed() -> None:
    """Those that are kept are, in every child."""
    found = everything()
    lock, gone = found.ledger.lock, weakref.ref(found)

    forks.renew_all()
    assert found.ledger.lock is not lock
    del found
    forks.renew_all()
    assert gone() is None
