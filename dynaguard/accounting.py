"""What one call does to the books: its units, its keys, its warnings, the limits of its job.

Part of the guard, split from it for size. Enforces capacity limits before a call leaves; after it
ended, books what it consumed. Booking is observation and never breaks a call.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

from dynaguard.aws.analysis import is_write
from dynaguard.aws.dynamodb.keys import is_full_scan, partition_values
from dynaguard.call import Authorization, Decision, Outcome, Status, Verdict
from dynaguard.consumption.queries import QueryWarning, Shape
from dynaguard.consumption.units import REPORTING, estimated
from dynaguard.errors import CapacityLimitReached
from dynaguard.interruption import came_from_handler
from dynaguard.telemetry.consumption import ConsumptionMetrics

if TYPE_CHECKING:
    from dynaguard.call import ConsumedCapacity
    from dynaguard.consumption.consumption import Consumption
    from dynaguard.consumption.limits import CapacityLimits, CountsUnits, Excess
    from dynaguard.errors import PolicyDenied
    from dynaguard.passage import Passage

Refuse = Callable[[type[Any], "Passage", str], "PolicyDenied"]
"""Makes a refusal that is no verdict of the policy, from its kind, the call and a message."""

_READS: Final = frozenset({"Query", "Scan", "ExecuteStatement"})
_ResultT = TypeVar("_ResultT")
_log: Final = logging.getLogger("dynaguard.consumption")
_ADVICE: Final[dict[QueryWarning, str]] = {
    QueryWarning.SCAN: "it reads the whole table or index, use a Query with a key condition",
    QueryWarning.UNBOUNDED: "it has gone through more than ten pages without a `Limit`, set one",
    QueryWarning.FILTER: "its filter throws away nine of ten items that were read and paid for, "
    "use a key condition or an index",
}


class Accounting:
    """The books of a guard at work. Thread-safe.

    Args:
        consumption: Ledger, sketches, warnings and limits.
        refuse: Makes refusals.
        is_enforcing: False where the mode lets refused calls through.
        metrics: Counts the same for OpenTelemetry; None: its global meters.

    Attributes:
        has_limits: Whether calls have to be checked before they leave.
        failure_count: Failures of booking that were caught.
    """

    __slots__ = (
        "_booked_operations",
        "_consumption",
        "_is_enforcing",
        "_metrics",
        "_refuse",
        "failure_count",
        "has_limits",
    )

    def __init__(
        self,
        consumption: Consumption,
        refuse: Refuse,
        *,
        is_enforcing: bool,
        metrics: ConsumptionMetrics | None = None,
    ) -> None:
        self.has_limits = consumption.limits is not None
        books_units = consumption.is_limiting or consumption.is_asking
        self._booked_operations = REPORTING if books_units else _READS
        if not books_units and consumption.queries is None:
            self._booked_operations = frozenset()
        self._consumption = consumption
        self._metrics = metrics or ConsumptionMetrics(consumption.keys)
        self._refuse = refuse
        self._is_enforcing = is_enforcing
        self.failure_count = 0

    # --- before the call leaves ----------------------------------------------------------------

    def check(self, passage: Passage) -> None:
        """Step: the call's job has units left.

        Raises:
            CapacityLimitReached: It has not. Nothing was sent.
        """
        limits, call = self._consumption.limits, passage.call
        if limits is None or call.service != "dynamodb" or call.operation not in REPORTING:
            return
        if call.is_presign or not limits.applies_to(call.scope, passage.tables):
            return
        passage.is_limited = True
        writes = is_write(call.service, call.operation, call.params)
        excess = limits.excess_of(call.scope, passage.tables, "write" if writes else "read")
        if excess is not None:
            self._stop(passage, excess)

    def _stop(self, passage: Passage, excess: Excess) -> None:
        """Refuses a call whose limit is used up, or notes that it would have been refused."""
        decision = passage.decision or Decision(Verdict.UNGOVERNED)
        if excess.limit.is_observed:
            observed = (*decision.observed, excess.limit.ref)
            passage.decision = decision._replace(observed=observed)
            return
        passage.decision = decision._replace(
            verdict=Verdict.DENY,
            offending=next(iter(decision.authorizations), None),
            statement=excess.limit.ref,
            reason=str(excess),
            how_to_allow=_how_to_raise(excess),
            is_enforced=self._is_enforcing,
        )
        what = f"{passage.call.operation} on {', '.join(passage.tables)}"
        message = f"{what} was not sent: {excess}; {_how_to_raise(excess)}"
        refusal = self._refuse(CapacityLimitReached, passage, message)
        if self._is_enforcing:
            raise refusal

    # --- after it ended ------------------------------------------------------------------------

    def is_booking(self, passage: Passage) -> bool:
        """Takes in the keys of a call that ended; whether its outcome is to be booked too.

        Never raises.
        """
        call = passage.call
        if call.service != "dynamodb" or call.operation not in REPORTING:
            return False
        if self._consumption.keys is not None and passage.attempts:
            self._guarded(self._book_keys, passage)
        return call.operation in self._booked_operations

    def book(self, passage: Passage, outcome: Outcome) -> Outcome:
        """Takes in how a call ended; gives the outcome with its warnings. Never raises."""
        self._guarded(self._book_units, passage, outcome)
        if self._consumption.queries is None or passage.call.operation not in _READS:
            return outcome
        warnings = self._guarded(self._warn, passage, outcome)
        return outcome._replace(warnings=warnings) if warnings else outcome

    def _guarded(self, step: Callable[..., _ResultT], *arguments: object) -> _ResultT | None:
        """Runs a step; what it raises is counted and goes no further."""
        try:
            return step(*arguments)
        except Exception as err:
            if came_from_handler(err):
                raise  # meant for the application
            self.failure_count += 1
            if self.failure_count == 1:
                _log.warning(
                    "a call's units and keys were not booked (%s), calls go on; further failures "
                    "are only counted",
                    type(err).__name__,
                )
            return None

    def _book_units(self, passage: Passage, outcome: Outcome) -> None:
        """What a call consumed, of its limits and in the ledger."""
        consumption, call = self._consumption, passage.call
        if passage.is_limited and consumption.limits is not None:
            self._book_limits(consumption.limits, passage, outcome)
        if consumption.thresholds is not None:
            _book_threshold(consumption.thresholds, passage, outcome)
        if outcome.capacity:
            scope, identity = call.scope, passage.principal.name
            consumption.ledger.add(identity, scope.job, scope.runbook, outcome.capacity)
            self._metrics.count_units(call, identity, outcome.capacity)

    def _book_limits(self, limits: CapacityLimits, passage: Passage, outcome: Outcome) -> None:
        """Adds what a call consumed to what its run has used; tells what it came to."""
        call = passage.call
        capacity: tuple[ConsumedCapacity, ...] = outcome.capacity
        is_estimated = not capacity
        if is_estimated:
            capacity = estimated(call, passage.tables, outcome)
        for excess, level in limits.add(call.scope, capacity, is_estimated=is_estimated):
            self._metrics.count_limit(excess.run.job, excess.limit.ref.sid, level)
            is_over = level == "hard"
            what = "further calls are refused" if is_over else "it goes on until all are used"
            if is_over and (excess.limit.is_observed or not self._is_enforcing):
                what = "it is only observed"
            _log.warning("%s; %s", excess, what)

    def _book_keys(self, passage: Passage) -> None:
        """Counts the partition keys that a call asked for or wrote."""
        keys, schemas = self._consumption.keys, self._consumption.schemas
        for need in _needs_of(passage):
            table = need.table_name
            if keys is None or table is None:
                continue
            values = partition_values(passage.call, need, schemas, 0)
            if type(values) is tuple:
                keys.add(table, need.index_name, values)
            else:
                keys.add_unknown(table, need.index_name)

    def _warn(self, passage: Passage, outcome: Outcome) -> tuple[str, ...]:
        """Tells what a read is the first of its shape to be warned of."""
        queries, call = self._consumption.queries, passage.call
        need = next(iter(_needs_of(passage)), None)
        if queries is None or outcome.status is not Status.OK or need is None:
            return ()
        if call.operation == "ExecuteStatement" and need.action != "dynamodb:PartiQLSelect":
            return ()
        is_scan = call.operation == "Scan" or self._is_scanning_statement(passage, need)
        shape = Shape(call.operation, need.table_name or "", need.index_name, call.scope.job)
        cursor = passage.answer.cursor if passage.answer is not None else None
        warnings = queries.watch(call, shape, outcome, is_scan=is_scan, cursor=cursor)
        for kind in warnings:
            self._metrics.count_warning(shape, kind)
            _log.warning(
                "%s on %s%s: %s (%s; told once)",
                shape.operation,
                shape.table,
                f" (index {shape.index})" if shape.index else "",
                _ADVICE[kind],
                f"job {shape.job}" if shape.job else "outside of a job",
            )
        return tuple([kind.value for kind in warnings])

    def _is_scanning_statement(self, passage: Passage, need: Authorization) -> bool:
        """Whether a PartiQL SELECT certainly reads the whole table or index."""
        if passage.call.operation != "ExecuteStatement":
            return False
        return is_full_scan(passage.call, need, self._consumption.schemas) is True


def _book_threshold(thresholds: CountsUnits, passage: Passage, outcome: Outcome) -> None:
    """Adds what a call consumed to what went without the approval that it would have needed."""
    decision, call = passage.decision, passage.call
    if decision is None or not decision.required_by or decision.verdict is not Verdict.ALLOW:
        return
    if decision.approval is None:
        capacity = outcome.capacity or estimated(call, passage.tables, outcome)
        thresholds.book(call, passage.principal, decision.required_by, capacity)


def _needs_of(passage: Passage) -> tuple[Authorization, ...]:
    """What the call was decided on."""
    decision = passage.decision
    return decision.authorizations if decision is not None else ()


def _how_to_raise(excess: Excess) -> str:
    """What would let the job go on."""
    place = f"raise `{excess.direction}_units` of `{excess.limit.ref.sid}`"
    if excess.run.run_id is None:
        return f"{place}, or give each run of the job a run id"
    return f"{place}, or split the job into further runs"
