"""What goes without an approval: never more than the threshold within its window."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from dynaguard.access.thresholds import SLOTS, Thresholds, items_of, run_of
from dynaguard.call import Authorization, Call, Principal, Ruling, Verdict
from dynaguard.policy.model import Threshold
from tests.access.allowances import (
    ANN,
    CALL,
    ETL,
    ORDERS,
    OTHER,
    REF,
    Clock,
    allowance_of,
    asking,
    clock,
    delete,
    goes,
    hourly,
    of_job,
    statement,
)

__all__ = ["clock"]  # the fixture


# --- calls and items -----------------------------------------------------------------------------


def test_calls_go_until_the_threshold(clock: Clock) -> None:
    """The next one needs an approval."""
    thresholds = hourly(clock, calls=3)

    assert [goes(thresholds) for _ in range(5)] == [True, True, True, False, False]


def test_what_is_refused_is_not_counted(clock: Clock) -> None:
    """A window that is full empties again, whatever is tried meanwhile."""
    thresholds = hourly(clock, calls=1)
    assert goes(thresholds)
    clock.now_s += 3599
    assert not goes(thresholds)

    clock.now_s += 3600 / SLOTS + 1

    assert goes(thresholds)


def test_what_is_not_taken_is_not_counted(clock: Clock) -> None:
    """A call that something else refuses."""
    thresholds = hourly(clock, calls=1)

    ruling = allowance_of(thresholds).widen(delete(), ETL, asking(REF))

    assert ruling is not None
    assert (ruling.verdict, ruling.required_by) == (Verdict.ALLOW, (REF,))
    assert goes(thresholds)


def test_a_call_that_would_pass_it_by_itself_goes_not_in_part(clock: Clock) -> None:
    """A transaction of three where two are left."""
    thresholds = hourly(clock, items=2)

    assert not goes(thresholds, delete(), delete(), delete())
    assert goes(thresholds, delete(), delete())


def test_the_parts_of_a_call_are_one_call_and_several_items(clock: Clock) -> None:
    """A transaction counts once."""
    thresholds = hourly(clock, calls=2, items=6)

    assert goes(thresholds, *(delete() for _ in range(4)))
    assert goes(thresholds, delete(), delete())
    assert not goes(thresholds)


def test_who_acts_and_who_signs_are_asked_for_one_call(clock: Clock) -> None:
    """The same authorisation, for two identities."""
    thresholds = hourly(clock, calls=1, items=1)
    need, allowance = delete(), allowance_of(thresholds)
    acting = Principal("bot", arn=ETL.arn, signer=ETL)

    for who in (ETL, acting):
        assert allowance.widen(need, who, asking(REF)) is not None

    assert allowance.take()


def test_another_name_to_act_by_gives_no_new_window(clock: Clock) -> None:
    """Names of who acts are free."""
    thresholds = hourly(clock, calls=1)
    names = ("bot-1", "bot-2")

    found = [goes(thresholds, who=Principal(name, signer=ETL)) for name in names]

    assert found == [True, False]


def test_identities_and_runs_are_counted_apart(clock: Clock) -> None:
    """Each job's run, and outside of a job each identity."""
    thresholds = hourly(clock, calls=1)
    calls = [CALL, of_job("nightly", "1"), of_job("nightly", "2"), of_job("weekly")]

    assert [goes(thresholds, call=call) for call in calls] == [True] * 4
    assert goes(thresholds, who=ANN)
    assert not any(goes(thresholds, call=call) for call in calls)
    assert run_of(CALL, Principal("nobody")) == ("identity", "nobody", None)


def test_every_statement_that_asks_counts(clock: Clock) -> None:
    """Below one threshold is not below the other."""
    both = [statement(Threshold(60.0, calls=2)), statement(Threshold(60.0, calls=1), OTHER)]
    thresholds = Thresholds(both, clock)

    assert goes(thresholds, refs=(REF, OTHER))
    assert not goes(thresholds, refs=(REF, OTHER))
    assert goes(thresholds, refs=(REF,))
    assert not goes(thresholds, refs=(REF,))


def test_a_statement_without_a_threshold_asks_at_once(clock: Clock) -> None:
    """Whatever another one lets go."""
    thresholds = Thresholds([statement(Threshold(60.0, calls=9)), statement(None, OTHER)], clock)

    assert not goes(thresholds, refs=(REF, OTHER))
    assert thresholds.of(OTHER) is None


def test_nothing_else_is_widened(clock: Clock) -> None:
    """An implicit deny is no matter of thresholds."""
    allowance = allowance_of(hourly(clock, calls=9))

    assert allowance.widen(delete(), ETL, Ruling(Verdict.IMPLICIT_DENY)) is None
    assert allowance.take()


def test_a_presigned_url_goes_below_no_threshold(clock: Clock) -> None:
    """It can be used any number of times."""
    assert hourly(clock, calls=9).allowance(CALL._replace(is_presign=True)) is None


def test_the_excess_is_told(clock: Clock) -> None:
    """For the denial; without any value of the call."""
    thresholds = hourly(clock, calls=1)
    goes(thresholds)
    allowance = allowance_of(thresholds)

    allowance.widen(delete(), ETL, asking(REF))

    assert allowance.excess == "more than 1 call within 1h"


def test_two_calls_at_once_do_not_share_what_is_left(clock: Clock) -> None:
    """Both were below it when they asked; only the first may take it."""
    thresholds = hourly(clock, calls=1)
    first, second = allowance_of(thresholds), allowance_of(thresholds)
    for each in (first, second):
        assert each.widen(delete(), ETL, asking(REF)) is not None

    assert first.take()
    assert not second.take()
    assert second.excess == "more than 1 call within 1h"


def test_threads_never_pass_it_together(clock: Clock) -> None:
    """Sixteen at once, one threshold."""
    thresholds = hourly(clock, calls=100, items=150)
    gone: list[int] = []

    def work() -> None:
        for at in range(40):
            needs = [delete() for _ in range(1 + at % 3)]
            if goes(thresholds, *needs):
                gone.append(len(needs))

    workers = [threading.Thread(target=work) for _ in range(16)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert len(gone) <= 100
    assert 148 <= sum(gone) <= 150


# --- what a request tells ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("need", "call", "items"),
    [
        (delete(), CALL, 1),
        (Authorization("s3:DeleteObject", "arn:aws:s3:::b/k"), CALL, 1),
        (Authorization("dynamodb:BatchWriteItem", ORDERS, {"Requests": [{}, {}]}), CALL, 2),
        (Authorization("dynamodb:BatchGetItem", ORDERS, {"Keys": [{}] * 7}), CALL, 7),
        (Authorization("dynamodb:BatchGetItem", ORDERS, {"Keys": "k"}), CALL, None),
        (Authorization("dynamodb:Query", ORDERS), CALL, None),
        (Authorization("dynamodb:Query", ORDERS), CALL._replace(params={"Limit": 20}), 20),
        (Authorization("dynamodb:Scan", ORDERS), CALL._replace(params={"Limit": True}), None),
        (Authorization("dynamodb:Scan", ORDERS), CALL._replace(params={"Limit": 0}), None),
        (Authorization("dynamodb:DeleteTable", ORDERS), CALL, None),
        (Authorization("dynamodb:PartiQLDelete", ORDERS), CALL, 1),
        (Authorization("dynamodb:PartiQLSelect", ORDERS), CALL, None),
        (
            Authorization("dynamodb:PartiQLSelect", ORDERS),
            CALL._replace(operation="ExecuteTransaction"),
            1,
        ),
    ],
)
def test_items_are_read_from_the_request(need: Authorization, call: Call, items: Any) -> None:
    """At most so many; None where it does not tell."""
    assert items_of(call, need) == items


def test_a_read_without_a_limit_is_below_no_threshold_of_items(clock: Clock) -> None:
    """It may read everything."""
    thresholds = hourly(clock, items=1000)
    allowance = allowance_of(thresholds)

    found = allowance.widen(Authorization("dynamodb:Scan", ORDERS), ETL, asking(REF))

    assert found is None
    assert allowance.excess == "the request does not tell how many items it reads"


def test_a_read_without_a_limit_may_be_below_one_of_calls(clock: Clock) -> None:
    """Nobody asked for items."""
    assert goes(hourly(clock, calls=1), Authorization("dynamodb:Scan", ORDERS))
