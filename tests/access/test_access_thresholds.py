"""What goes without an approval: never more than the threshold within its window."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynaguard.access.thresholds import (
    MAX_RUNS,
    SLOTS,
    Allowance,
    Amounts,
    Thresholds,
    Window,
    items_of,
    run_of,
)
from dynaguard.call import (
    NO_CREDENTIALS,
    Authorization,
    Call,
    ConsumedCapacity,
    Principal,
    Ruling,
    StatementRef,
    Verdict,
)
from dynaguard.forks import renew_all
from dynaguard.policy.model import ApprovalTerms, Statement, Threshold
from dynaguard.scope import EMPTY_SCOPE

CALL = Call(
    service="dynamodb",
    operation="DeleteItem",
    params={},
    region="eu-west-1",
    partition="aws",
    endpoint_url=None,
    credentials=NO_CREDENTIALS,
    scope=EMPTY_SCOPE,
    correlation_id="c-1",
    service_prefix="dynamodb",
)
ORDERS = "arn:aws:dynamodb:eu-west-1:111122223333:table/orders"
ETL = Principal("etl", arn="arn:aws:iam::111122223333:role/etl")
ANN = Principal("ann", arn="arn:aws:iam::111122223333:user/ann")
REF = StatementRef("Deletes")
OTHER = StatementRef("Others")


class Clock:
    """Stands still unless it is moved."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    """The clock of thresholds."""
    return Clock()


def statement(threshold: Threshold | None, ref: StatementRef = REF) -> Statement:
    """One that requires an approval beyond a threshold."""
    terms = ApprovalTerms(threshold=threshold)
    return Statement(ref, "RequireApproval", ("*",), ("*",), approval=terms)


def hourly(clock: Clock, **limits: Any) -> Thresholds:
    """One statement's threshold over an hour."""
    return Thresholds([statement(Threshold(3600.0, **limits))], clock)


def delete(call: Call = CALL) -> Authorization:
    """A new authorisation of one item."""
    return Authorization("dynamodb:DeleteItem", ORDERS, call.params)


def asking(*refs: StatementRef) -> Ruling:
    """The ruling of statements that require an approval."""
    return Ruling(Verdict.REQUIRE_APPROVAL, refs[0], required_by=refs)


def allowance_of(thresholds: Thresholds, call: Call = CALL) -> Allowance:
    """The allowance of a call."""
    found = thresholds.allowance(call)
    assert found is not None
    return found


def goes(
    thresholds: Thresholds,
    *needs: Authorization,
    call: Call = CALL,
    who: Principal = ETL,
    refs: tuple[StatementRef, ...] = (REF,),
) -> bool:
    """Whether a call goes without an approval; it is counted if so."""
    allowance = allowance_of(thresholds, call)
    rulings = [allowance.widen(need, who, asking(*refs)) for need in needs or (delete(),)]
    return all(ruling is not None for ruling in rulings) and allowance.take()


def of_job(name: str, run_id: str | None = None) -> Call:
    """A call of a job."""
    return CALL._replace(scope=replace(EMPTY_SCOPE, job=name, run_id=run_id))


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


# --- capacity units ------------------------------------------------------------------------------


def consumed(**units: float) -> list[ConsumedCapacity]:
    """What an answer tells."""
    return [ConsumedCapacity("orders", **units), ConsumedCapacity("orders", index="by_day")]


def test_units_count_when_the_call_has_ended(clock: Clock) -> None:
    """The call that comes to the limit was let through."""
    thresholds = hourly(clock, write_units=10)
    assert goes(thresholds)
    thresholds.book(CALL, ETL, [REF], consumed(write_units=9.5, read_units=100))
    assert goes(thresholds)
    thresholds.book(CALL, ETL, [REF], consumed(write_units=0.5))

    allowance = allowance_of(thresholds)
    assert allowance.widen(delete(), ETL, asking(REF)) is None
    assert allowance.excess == "10 write units within 1h are used"
    assert goes(thresholds, who=ANN)


def test_units_leave_with_their_window(clock: Clock) -> None:
    """As everything else."""
    thresholds = hourly(clock, read_units=0.1)
    for _ in range(3):
        thresholds.book(CALL, ETL, [REF], consumed(read_units=0.1))
    assert not goes(thresholds)

    clock.now_s += 3600 + 3600 / SLOTS

    assert goes(thresholds)


@pytest.mark.parametrize(
    ("limits", "counts"),
    [({"calls": 1}, False), ({"read_units": 1}, True), ({"write_units": 1}, 1)],
)
def test_it_knows_whether_units_matter(clock: Clock, limits: Any, counts: bool) -> None:
    """Answers are asked for them only then."""
    assert hourly(clock, **limits).counts_units == bool(counts)


def test_units_of_another_statement_are_nobodys(clock: Clock) -> None:
    """One whose threshold is gone, say."""
    thresholds = hourly(clock, write_units=1)

    thresholds.book(CALL, ETL, [OTHER], consumed(write_units=9))

    assert goes(thresholds)


# --- bounds --------------------------------------------------------------------------------------


def test_there_is_room_for_so_many_runs(clock: Clock) -> None:
    """One more is not let through uncounted, until a window is empty."""
    thresholds = hourly(clock, calls=1)
    assert all(goes(thresholds, call=of_job(f"j{n}")) for n in range(MAX_RUNS))

    allowance = allowance_of(thresholds, of_job("new"))
    assert allowance.widen(delete(), ETL, asking(REF)) is None
    assert allowance.excess == f"there is no room to count more than {MAX_RUNS} runs"

    clock.now_s += 3600 + 3600 / SLOTS
    assert goes(thresholds, call=of_job("new"))


def test_units_without_room_are_left(clock: Clock) -> None:
    """The run is let through no further anyway."""
    thresholds = hourly(clock, read_units=1)
    for number in range(MAX_RUNS + 1):
        thresholds.book(of_job(f"j{number}"), ETL, [REF], consumed(read_units=5))

    assert not goes(thresholds, call=of_job(f"j{MAX_RUNS}"))


def test_a_forked_child_gets_a_lock_of_its_own(clock: Clock) -> None:
    """The parent's may be held for ever."""
    thresholds = hourly(clock, calls=1)
    thresholds.lock.acquire()

    renew_all()

    assert goes(thresholds)


def naive(entries: Iterable[tuple[float, float]], now_s: float, window_s: float) -> float:
    """The sum of what was added within the window, from a plain list."""
    return sum(amount for at_s, amount in entries if at_s > now_s - window_s)


@given(
    st.lists(
        st.tuples(st.floats(min_value=0, max_value=40), st.integers(min_value=1, max_value=9)),
        max_size=200,
    ),
    st.sampled_from((1.0, 10.0, 64.0, 1000.0)),
)
def test_a_window_counts_as_a_plain_list_does(
    steps: list[tuple[float, int]], window_s: float
) -> None:
    """Never less, and what is older than the window by a slot no more; in bounded memory."""
    window, entries, now_s = Window(window_s), [], 0.0
    for pause_s, amount in steps:
        now_s += pause_s
        window.add(now_s, Amounts(items=amount))
        entries.append((now_s, float(amount)))
        assert naive(entries, now_s, window_s) <= window.used(now_s).items
        most = naive(entries, now_s, window_s + window_s / SLOTS)
        assert window.used(now_s).items <= most
        assert len(window._entries) <= SLOTS + 2


@given(st.lists(st.floats(min_value=-5, max_value=5), max_size=100))
def test_a_clock_that_goes_back_loses_nothing(steps: list[float]) -> None:
    """What was added latest is never forgotten before its time."""
    window, now_s, latest_s = Window(10.0), 100.0, 100.0
    added: list[tuple[float, float]] = []
    for step_s in steps:
        now_s += step_s
        latest_s = max(latest_s, now_s)
        window.add(now_s, Amounts(calls=1))
        added.append((now_s, 1.0))
        assert window.used(latest_s).calls >= naive(added, latest_s, 10.0)


def test_a_call_of_a_signal_handler_within_a_count_needs_the_approval(clock: Clock) -> None:
    """It waits for nobody, least of all for the thread that it interrupted."""
    thresholds = hourly(clock, calls=9)
    wanted = {(REF, ("identity", "etl", None)): Amounts(calls=1)}
    found: list[str | None] = []

    class Interrupted(dict[Any, Any]):
        """Something comes in between while it is looked at."""

        def items(self) -> Any:
            found.append(thresholds.take(wanted))
            return super().items()

    counting = threading.Thread(
        target=lambda: found.append(thresholds.take(Interrupted(wanted))), daemon=True
    )
    counting.start()
    counting.join(10)

    assert found == ["a signal handler came in between"] * 2 + [None]
    assert [thresholds.take(wanted) for _ in range(9)] == [None] * 8 + [
        "more than 9 calls within 1h"
    ]
