"""One call on its way through the guard: what has been learned about it so far.

The one mutable value of the project. It lives from the decision to the record, is used by the
thread (or task) that makes the call alone, and becomes a frozen `Outcome` at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dynaguard.call import (
    Authorization,
    BudgetState,
    Call,
    ConsumedCapacity,
    Decision,
    MaskedValues,
    Outcome,
    Principal,
    Status,
)
from dynaguard.consumption.units import attributed

if TYPE_CHECKING:
    from dynaguard.budgets.load import Cause, Load
    from dynaguard.consumption.tasks import Asked
    from dynaguard.masking import Plan
    from dynaguard.telemetry.span import CallSpan


@dataclass(slots=True)
class Answer:
    """What one answer of AWS tells, read from its parsed form by `hooks/`.

    Attributes:
        error_code: AWS error code, or None for a success.
        http_status: Status code.
        request_id: AWS request id, or None.
        cancellation_codes: Reasons of a cancelled transaction, in member order.
        capacity: Consumed capacity, where reported.
        item_count: Items returned, or None where the operation returns none.
        unprocessed_count: Members handed back unprocessed.
        causes: Reasons of a throttle, as far as AWS gave them.
        retry_after_s: The pause that AWS asked for; 0.0 for none.
        scanned_count: Items that a read looked at, or None where the answer does not tell.
        cursor: Where the next page begins, or None; a reference to the answer's own.
    """

    error_code: str | None = None
    http_status: int | None = None
    request_id: str | None = None
    cancellation_codes: tuple[str, ...] = ()
    capacity: tuple[ConsumedCapacity, ...] = ()
    item_count: int | None = None
    unprocessed_count: int = 0
    causes: tuple[Cause, ...] = ()
    retry_after_s: float = 0.0
    scanned_count: int | None = None
    cursor: Any = field(default=None, repr=False)


@dataclass(slots=True)
class Passage:
    """A call, its principal and decision, and what came of it until now.

    Attributes:
        call: The call.
        principal: Who makes it.
        started_s: Clock reading (`time.monotonic`) at the start.
        needs: What the call needs, where known before the decision; None: read its parameters.
        decision: The decision, once made.
        claimed: Ids of counted grants of which it has taken a use.
        tables: Names of the tables that it touches.
        load: What it asks of which resources, once the budgets wanted to know.
        batch: What is left of a batch call, once it was split; an affair of `hooks/`.
        plan: What to mask in its answer, or None.
        span: Its span, or None when nothing observes it.
        sent_at_s: Clock reading when the last attempt was let go; 0.0 when nobody looked.
        attempts: Requests sent so far.
        progressed_at: How many of them there were when a part of a batch was taken last.
        throttles: Of these, answered by a throttle; batch answers with leftovers count too.
        wait_s: Seconds waited so far.
        answer: What the last answer tells, once it was asked for; None when none came.
        late_answer: A success that nobody has asked about: what reads it, and its arguments.
        consumed: Capacity that its attempts consumed until now, where nobody but dynaguard asked.
        masked: Counts of what was masked in the answer, by table and by attribute, strategy and
            detector; None when nothing was.
        budget_refusal: Why a further attempt was refused, or None.
        budget: Its retry budget after its last trouble, or None.
        ticket: Id of the ticket that is open for its approval, or None.
        seal: What was decided, as `hooks/` wants to find it again when it is sent.
        may_wait: Whether it may wait for people, once; not where that would block an event loop.
        is_budgeted: Whether the retry budgets act on it.
        asked: What it takes of the limits of its task's boundaries; None: nothing.
        is_limited: Whether it is under a capacity limit, or a threshold of capacity units.
        is_measured: Whether its answers tell consumed capacity that the caller did not ask for.
        is_observed: Whether the outermost wrapper watches the call and will record its end.
        is_masked: Whether the mask step has run.
        is_recorded: Whether the record is written.
    """

    call: Call
    principal: Principal
    started_s: float
    needs: tuple[Authorization, ...] | None = None
    decision: Decision | None = None
    claimed: frozenset[str] = frozenset()
    tables: tuple[str, ...] = ()
    load: Load | None = None
    batch: Any = None
    sent_at_s: float = 0.0
    plan: Plan | None = None
    span: CallSpan | None = None
    attempts: int = 0
    progressed_at: int = 0
    throttles: int = 0
    wait_s: float = 0.0
    answer: Answer | None = None
    late_answer: tuple[Callable[..., Answer], Any, int] | None = None
    consumed: tuple[ConsumedCapacity, ...] = ()
    masked: Mapping[str | None, Mapping[tuple[str, str, str | None], int]] | None = None
    budget_refusal: str | None = None
    budget: BudgetState | None = None
    ticket: str | None = None
    seal: Any = None
    may_wait: bool = True
    is_budgeted: bool = False
    asked: Asked | None = None
    is_limited: bool = False
    is_measured: bool = False
    is_observed: bool = False
    is_masked: bool = False
    is_recorded: bool = False

    def outcome(self, status: Status, error_code: str | None, now_s: float) -> Outcome:
        """The frozen outcome, as of `now_s` on the clock of `started_s`."""
        if self.answer is None and self.late_answer is not None:
            read, parsed, http_status = self.late_answer
            self.answer = read(parsed, http_status)
        answer = self.answer or _NO_ANSWER
        capacity = self.consumed or answer.capacity
        # By position, in the order of `Outcome`: keywords cost as much again on every call.
        return Outcome(
            status,
            error_code,
            answer.http_status,
            answer.request_id,
            self.attempts,
            self.throttles,
            self.wait_s,
            now_s - self.started_s,
            _masked_values(self.masked) if self.masked else (),
            attributed(self.call, capacity) if capacity else (),
            answer.item_count,
            answer.unprocessed_count,
            self.budget_refusal,
            self.budget,
            answer.scanned_count,
        )


_NO_ANSWER = Answer()


def _masked_values(
    counts_by_table: Mapping[str | None, Mapping[tuple[str, str, str | None], int]],
) -> tuple[MaskedValues, ...]:
    """The counts as an outcome has them."""
    return tuple(
        [
            MaskedValues(table, attribute, strategy, detector, count)
            for table, counts in counts_by_table.items()
            for (attribute, strategy, detector), count in counts.items()
        ]
    )
