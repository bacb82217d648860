"""The attempts of one call against its retry budget: when to try, what was learnt, whether again.

Keeps the books on the passage; says how long to wait and never sleeps. `hooks/` asks and acts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from dynaguard.budgets.admission import GO, Admission
from dynaguard.budgets.load import Lesson, Limit
from dynaguard.budgets.signals import Signal, classify
from dynaguard.consumption.units import REPORTING
from dynaguard.loads import Loads
from dynaguard.passage import Answer, Passage

if TYPE_CHECKING:
    from dynaguard.budgets.late import LateBudgets
    from dynaguard.budgets.load import Load
    from dynaguard.budgets.rulings import RetryRuling

_ASKED: Final = "ReturnConsumedCapacity"
_LOAD_SIGNALS: Final = frozenset({Signal.THROTTLE, Signal.LEFTOVERS})


class Attempts:
    """Attempts under the budgets of a process, or under none. Thread-safe.

    Args:
        budgets: The budgets, or None where they are switched off.
        loads: Reads what calls ask.
        monotonic: Clock in seconds, that of the budgets.
        capacity_detail: What every answer is asked for, `TOTAL` or `INDEXES`; None: nothing.
        has_limits: Whether calls may be under a capacity limit.

    Attributes:
        is_on: Whether there are budgets.
        paces_by_capacity: Whether one of them wants to know consumed capacity.
    """

    __slots__ = (
        "_budgets",
        "_capacity_detail",
        "_is_measuring",
        "_loads",
        "_monotonic",
        "is_on",
        "paces_by_capacity",
    )

    def __init__(
        self,
        budgets: LateBudgets | None,
        loads: Loads | None = None,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        capacity_detail: str | None = None,
        has_limits: bool = False,
    ) -> None:
        self._budgets = budgets
        self._loads = loads or Loads()
        self._monotonic = monotonic
        self.is_on = budgets is not None
        self.paces_by_capacity = budgets is not None and budgets.measures_capacity
        self._capacity_detail = capacity_detail
        self._is_measuring = self.paces_by_capacity or has_limits or capacity_detail is not None

    # --- before an attempt -------------------------------------------------------------------

    def admit(self, passage: Passage) -> Admission:
        """Whether the next attempt may go, what to ask until it may, or why it never will."""
        budgets = self._budgets
        scope = passage.call.scope
        if budgets is None or budgets.is_untouched_by(scope):
            return GO
        load, started_s = self._load_of(passage), passage.started_s
        admission = budgets.made().admit(load, scope, started_s=started_s)
        if admission is GO:
            passage.sent_at_s = self._monotonic()
        elif admission.refusal is not None:
            passage.budget_refusal = admission.refusal
        return admission

    def acts_on(self, passage: Passage) -> bool:
        """Whether budgets act on a call, and do not only observe it."""
        budgets = self._budgets
        if budgets is None or not budgets.observes:
            return budgets is not None
        return budgets.made().is_acting(self._load_of(passage), passage.call.scope)

    def note_admitted(self, passage: Passage, wait_s: float) -> None:
        """Takes in that the call waited for its turn and goes now."""
        passage.sent_at_s = self._monotonic()
        passage.wait_s += wait_s
        if self._budgets is not None and wait_s > 0:
            load, scope = self._load_of(passage), passage.call.scope
            budgets = self._budgets.made()
            budgets.note_wait(load, scope, wait_s)
            passage.budget = budgets.state(load, scope)

    def measure(self, passage: Passage) -> None:
        """Has the answer tell what it consumed, where anybody wants to know and nobody asked.

        That is the setting `consumed_capacity`, a capacity limit, a task's boundary, or a budget.
        The call goes on with a copy of its parameters; the caller's own stay as they are.
        """
        call = passage.call
        if not (self._is_measuring or passage.is_limited):
            return
        if call.operation not in REPORTING or call.is_presign:
            return
        if call.service != "dynamodb" or call.params.get(_ASKED, "NONE") != "NONE":
            return
        if self._capacity_detail is not None or passage.is_limited or self._is_paced(passage):
            detail = self._capacity_detail or "TOTAL"
            passage.call = call._replace(params={**call.params, _ASKED: detail})
            passage.is_measured = True

    def _is_paced(self, passage: Passage) -> bool:
        """Whether a budget paces a call by what it consumes."""
        budgets = self._budgets
        if budgets is None or not self.paces_by_capacity:
            return False
        return budgets.made().is_measured(self._load_of(passage), passage.call.scope)

    def part_size(self, passage: Passage) -> int | None:
        """How many members of a batch to send at once; None: all."""
        budgets, scope = self._budgets, passage.call.scope
        if budgets is None or budgets.is_untouched_by(scope):
            return None
        load = self._load_of(passage)
        size = budgets.made().part_size(load, scope)
        return None if size is None or size >= load.units else size

    def narrow(self, passage: Passage, units_by_place: Mapping[str | int, int]) -> None:
        """The next attempt has only some of a batch's members, counted by table or statement."""
        whole = self._loads.of(passage.call, passage.principal)
        tables = passage.call.params.get("RequestItems")
        if tables is None:  # statements: all of one part
            parts = [whole.parts[0]._replace(units=float(len(units_by_place)))]
        elif len(tables) != len(whole.parts):  # of an odd shape: it counts as one unit
            parts = list(whole.parts)
        else:
            parts = [
                part._replace(units=float(units_by_place[table]))
                for table, part in zip(tables, whole.parts, strict=True)
                if table in units_by_place
            ]
        passage.load = whole._replace(parts=tuple(parts)) if parts else whole

    # --- after an attempt --------------------------------------------------------------------

    def learn_success(self, passage: Passage) -> None:
        """Takes in an attempt that ended well, with nothing left over."""
        passage.attempts += 1
        passage.answer = None
        budgets, scope = self._budgets, passage.call.scope
        if budgets is not None and not budgets.is_untouched_by(scope):
            sent_at_s = passage.sent_at_s or passage.started_s
            budgets.made().learn_success(self._load_of(passage), scope, sent_at_s)

    def learn(self, passage: Passage, answer: Answer | None, exception_name: str | None) -> Signal:
        """Takes in one attempt's end: an answer, or the class name of what was raised instead."""
        passage.attempts += 1
        passage.answer, passage.late_answer = answer, None
        signal = _signal_of(answer, exception_name)
        if signal in _LOAD_SIGNALS:
            passage.throttles += 1
        if self._budgets is not None:
            budgets = self._budgets.made()
            lesson = _lesson_of(signal, answer, passage.sent_at_s or passage.started_s)
            load, scope = self._load_of(passage), passage.call.scope
            if any(cause.limit is Limit.KEY_RANGE for cause in lesson.causes):
                load = passage.load = self._loads.keyed(load, passage.call)
            budgets.learn(load, scope, lesson)
            if signal is not Signal.FATAL:
                passage.budget = budgets.state(load, scope)
        if passage.span is not None and signal is not Signal.OK:
            code = answer.error_code if answer else exception_name
            causes = answer.causes if answer else ()
            passage.span.add_attempt(passage.attempts, code, passage.wait_s, causes)
        return signal

    def rule_retry(
        self,
        passage: Passage,
        signal: Signal,
        suggested_s: float | None,
        max_attempts: int | None = None,
    ) -> RetryRuling | None:
        """Whether the call may be tried once more, and after how long; None: botocore decides.

        Args:
            passage: The call.
            signal: What its last attempt said.
            suggested_s: The delay that botocore would take; None: it would not repeat it.
            max_attempts: What the application set, or None.
        """
        if self._budgets is None:
            return None
        from dynaguard.aws.dynamodb.repeats import is_additive  # few calls fail
        from dynaguard.budgets.rulings import Asked

        load, call, answer = self._load_of(passage), passage.call, passage.answer
        causes = answer.causes if answer else ()
        asked = Asked(
            signal,
            passage.attempts - passage.progressed_at,
            passage.started_s,
            suggested_s,
            max_attempts,
            load.is_dynamodb,
            signal is Signal.TRANSIENT
            and load.is_dynamodb
            and is_additive(call.operation, call.params),
            not any(
                cause.limit is Limit.KEY_RANGE and load.parts[0].key_hash is None
                for cause in causes
            ),
            answer.retry_after_s if answer else 0.0,
        )
        ruling = self._budgets.made().rule_retry(load, call.scope, asked)
        passage.budget_refusal = ruling.refusal
        return ruling

    def _load_of(self, passage: Passage) -> Load:
        """What the call asks; read when it is first needed."""
        load = passage.load
        if load is None:
            load = self._loads.of(passage.call, passage.principal)
            if self._budgets is not None and self._budgets.made().has_hot_keys:
                load = self._loads.keyed(load, passage.call)
            passage.load = load
        return load


def _lesson_of(signal: Signal, answer: Answer | None, sent_at_s: float) -> Lesson:
    """An answer as the budgets take it."""
    if answer is None:
        return Lesson(signal, sent_at_s)
    consumed = sum(each.total_units for each in answer.capacity) if answer.capacity else None
    return Lesson(
        signal,
        sent_at_s,
        answer.causes,
        float(answer.unprocessed_count),
        consumed,
        answer.retry_after_s,
    )


def _signal_of(answer: Answer | None, exception_name: str | None) -> Signal:
    """What an attempt's end says about the state of the resource."""
    if answer is None:
        return classify(None, None, exception_name=exception_name)
    if answer.error_code is None:
        return Signal.LEFTOVERS if answer.unprocessed_count else Signal.OK
    return classify(
        answer.error_code, answer.http_status, cancellation_codes=answer.cancellation_codes
    )
