"""The limits of a task's boundaries: asked before a call leaves, booked after it ended.

Part of the guard, split from it for size. Works without a policy and without capacity limits; a
call outside of every boundary costs one look at its scope. DynamoDB's data operations count, those
of other services do not.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from dynaguard.aws.analysis import is_write
from dynaguard.call import Decision, Outcome, StatementRef, Status, Verdict
from dynaguard.consumption.tasks import Asked, TaskExcess, TaskUsages, Used
from dynaguard.consumption.units import (
    REPORTING,
    estimated,
    may_have_taken_effect,
    named_item_count,
)
from dynaguard.errors import CapacityLimitReached
from dynaguard.forks import renew_after_fork
from dynaguard.interruption import came_from_handler

if TYPE_CHECKING:
    from dynaguard.boundary import Boundary
    from dynaguard.errors import PolicyDenied
    from dynaguard.passage import Passage

Refuse = Callable[[type[Any], "Passage", str], "PolicyDenied"]
_PAGED: Final = frozenset({"ExecuteStatement", "Query", "Scan"})
_PRESIGNED: Final = (
    "{0.kind} `{0.name}` (task `{0.task}`) has limits, and the uses of a presigned URL cannot be "
    "counted"
)
_log: Final = logging.getLogger("dynaguard.consumption")


class Limiting:
    """The limits of boundaries at work in one guard. Thread-safe.

    Args:
        refuse: Makes refusals.
        is_enforcing: False where the mode lets refused calls through.

    Attributes:
        usages: What tasks have used.
    """

    __slots__ = ("__weakref__", "_is_enforcing", "_refuse", "usages")

    def __init__(self, refuse: Refuse, *, is_enforcing: bool) -> None:
        self._refuse = refuse
        self._is_enforcing = is_enforcing
        self.usages = TaskUsages()
        renew_after_fork(self.usages)

    def check(self, passage: Passage) -> None:
        """Takes what a call of a task asks for, if nothing of it is used up.

        Asked again for the same call, it does nothing.

        Raises:
            CapacityLimitReached: A limit is used up, or the call would pass it. Nothing was sent.
        """
        call = passage.call
        boundaries = call.scope.boundaries
        if passage.asked is not None or not any(each.has_limits for each in boundaries):
            return
        if call.service != "dynamodb" or call.operation not in REPORTING:
            return
        if call.is_presign:
            boundary = next(each for each in boundaries if each.has_limits)
            self._stop(passage, boundary, _PRESIGNED.format(boundary), "make the call itself")
            return
        asked = _asked_by(passage)
        excess = self.usages.begin(boundaries, asked)
        if excess is None:
            passage.asked = asked
            passage.is_limited = passage.is_limited or any(
                each.read_units is not None or each.write_units is not None for each in boundaries
            )
            return
        self._stop(passage, excess.boundary, str(excess), _how_to_go_on(excess))

    def book(self, passage: Passage, asked: Asked, outcome: Outcome) -> None:
        """Books what a call has used that asked for something, however it ended.

        Raises what signal handlers of the application do alone.
        """
        used = Used()
        try:
            used = _used_by(passage, asked, outcome)
        except Exception as err:
            if came_from_handler(err):
                raise  # meant for the application
            _log.warning("what a task used was not booked (%s)", type(err).__name__)
        finally:  # the call is over: what it took is given back
            self.usages.end(passage.call.scope.boundaries, asked, used)

    def _stop(self, passage: Passage, boundary: Boundary, reason: str, how: str) -> None:
        """Refuses a call, or notes that it would have been refused."""
        decision = passage.decision or Decision(Verdict.UNGOVERNED)
        passage.decision = decision._replace(
            verdict=Verdict.DENY,
            offending=next(iter(decision.authorizations), None),
            statement=StatementRef(boundary.name, boundary.kind),
            reason=reason,
            how_to_allow=how,
            is_enforced=self._is_enforcing,
        )
        where = f" on {', '.join(passage.tables)}" if passage.tables else ""
        message = f"{passage.call.operation}{where} was not sent: {reason}; {how}"
        refusal = self._refuse(CapacityLimitReached, passage, message)
        if self._is_enforcing:
            raise refusal


def _asked_by(passage: Passage) -> Asked:
    """What is known of a call before it leaves."""
    call = passage.call
    writes = is_write(call.service, call.operation, call.params)
    is_page = call.operation in _PAGED and not writes
    return Asked(writes, None if is_page else named_item_count(call), int(is_page))


def _used_by(passage: Passage, asked: Asked, outcome: Outcome) -> Used:
    """What a call has used, as its answer tells, or at a guess.

    A write of which nobody knows whether it took effect counts. Items that a read found count, not
    those that its filter threw away.
    """
    if outcome.status is Status.DENIED or not outcome.attempts:
        return Used()
    read_units = write_units = 0.0
    capacity, is_estimated = outcome.capacity, not outcome.capacity
    if is_estimated:
        capacity = estimated(passage.call, passage.tables, outcome)
    for each in capacity:
        read_units += each.read_units
        write_units += each.write_units
    is_done = outcome.status is Status.OK
    items = 0
    if asked.is_write:
        if is_done or may_have_taken_effect(outcome):
            items = max(0, (asked.items or 0) - outcome.unprocessed_count)
    elif is_done:
        items = outcome.item_count or 0
    pages = asked.pages if is_done else 0
    return Used(items, pages, read_units, write_units, is_estimated)


def _how_to_go_on(excess: TaskExcess) -> str:
    """What would let the task go on."""
    boundary = excess.boundary
    name = {"items": "max_items", "pages": "max_pages"}.get(excess.measure)
    limit = name or excess.measure.replace(" ", "_")
    if excess.asked and excess.asked > excess.allowed:
        return f"ask for fewer items at once, or raise `{limit}`"
    if boundary.kind == "runbook":
        return f"run it again for the rest, or raise `{limit}` in its `[limits]`"
    return f"go on in another task, or give it more `{limit}`"
