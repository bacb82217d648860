"""The attempts of one call against its retry budget: when to try, what was learnt, whether again.

Keeps the books on the passage; says how long to wait and never sleeps. `hooks/` asks and acts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dynaguard.aws.analysis import is_write
from dynaguard.budgets.budget import Admission, BucketKey, RetryRuling
from dynaguard.budgets.signals import Signal, classify
from dynaguard.passage import Answer, Passage

if TYPE_CHECKING:
    from dynaguard.budgets.budget import RetryBudgets

_AT_ONCE: Final = Admission(wait_s=0.0, refusal=None)


class Attempts:
    """Attempts under the budgets of a process, or under none. Thread-safe.

    Args:
        budgets: The budgets, or None where they are switched off.
    """

    __slots__ = ("_budgets",)

    def __init__(self, budgets: RetryBudgets | None) -> None:
        self._budgets = budgets

    def admit(self, passage: Passage) -> Admission:
        """How long a first try waits, in seconds, or why it cannot be made in time."""
        budgets = self._budgets
        if budgets is None or budgets.is_quiet:
            return _AT_ONCE
        return budgets.admit(_bucket_of(passage), passage.call.scope)

    def learn_success(self, passage: Passage) -> None:
        """Takes in an attempt that ended well, with nothing left over."""
        passage.attempts += 1
        passage.answer = None
        budgets = self._budgets
        if budgets is not None and not budgets.is_quiet:
            budgets.learn(_bucket_of(passage), Signal.OK)

    def learn(self, passage: Passage, answer: Answer | None, exception_name: str | None) -> Signal:
        """Takes in one attempt's end: an answer, or the class name of what was raised instead."""
        passage.attempts += 1
        passage.answer, passage.late_answer = answer, None
        signal = _signal_of(answer, exception_name)
        if signal is Signal.THROTTLE or signal is Signal.LEFTOVERS:
            passage.throttles += 1
        if self._budgets is not None:
            self._budgets.learn(_bucket_of(passage), signal)
        if passage.span is not None and signal is not Signal.OK:
            code = answer.error_code if answer else exception_name
            passage.span.add_attempt(passage.attempts, code, passage.wait_s)
        return signal

    def rule_retry(
        self, passage: Passage, signal: Signal, suggested_delay_s: float | None
    ) -> RetryRuling | None:
        """Whether the call may be tried once more, and after how long; None: botocore decides."""
        if self._budgets is None:
            return None
        ruling = self._budgets.rule_retry(
            _bucket_of(passage),
            passage.call.scope,
            attempt=passage.attempts,
            signal=signal,
            suggested_delay_s=suggested_delay_s,
        )
        if ruling.refusal:
            passage.budget_refusal = ruling.refusal
        return ruling


def _signal_of(answer: Answer | None, exception_name: str | None) -> Signal:
    """What an attempt's end says about the state of the resource."""
    if answer is None:
        return classify(None, None, exception_name=exception_name)
    if answer.error_code is None:
        return Signal.LEFTOVERS if answer.unprocessed_count else Signal.OK
    return classify(
        answer.error_code, answer.http_status, cancellation_codes=answer.cancellation_codes
    )


def _bucket_of(passage: Passage) -> BucketKey:
    """The retry budget that the call draws on; made when it is first asked for."""
    if passage.bucket is None:
        call = passage.call
        passage.bucket = BucketKey(
            job=call.scope.job or passage.principal.name,
            resource=passage.tables[0] if passage.tables else call.service,
            is_write=is_write(call.service, call.operation, call.params),
        )
    return passage.bucket
