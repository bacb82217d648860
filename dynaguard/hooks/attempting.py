"""One call's attempts as a thread makes them: waits, learns, repeats, sends what is left.

The core says how long to wait (`attempts.py`); here is waited. The asynchronous twin awaits.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from dynaguard.budgets.signals import Signal
from dynaguard.hooks.answers import (
    has_leftovers,
    read_answer,
    take_consumed,
    throttled_statements,
)
from dynaguard.hooks.frames import current_frame
from dynaguard.hooks.retries import set_max_attempts
from dynaguard.hooks.seal import Seal
from dynaguard.hooks.waiting import wait_for_turn
from dynaguard.loads import BATCH_MEMBERS

if TYPE_CHECKING:
    from dynaguard.budgets.budget import RetryRuling
    from dynaguard.budgets.turns import Turn
    from dynaguard.hooks.batches import Batch
    from dynaguard.hooks.installation import Installation
    from dynaguard.passage import Passage

_OK: Final = 200
_FIRST_FAILURE: Final = 300
_PARTIQL_BATCH: Final = "BatchExecuteStatement"
_PASSING: Final = frozenset({Signal.THROTTLE, Signal.TRANSIENT, Signal.CONFLICT})
_THROTTLING_CODE_BY_SERVICE: Final = {"s3": "SlowDown"}


class SyncAttempting:
    """The attempts of botocore's own clients.

    Args:
        installation: The installation in force.
    """

    __slots__ = ("_installation",)

    def __init__(self, installation: Installation) -> None:
        self._installation = installation

    def begin(self, passage: Passage, client: Any) -> None:
        """Waits until the first attempt may go, before anything is signed.

        A batch is cut, and waits, when it is about to be sent: somebody may answer before.

        Raises:
            ClientError: The wait would pass a deadline; the service's throttling code.
        """
        passage.is_budgeted = self._installation.guard.attempts.acts_on(passage)
        if not _is_batch(passage) and not self._is_admitted(passage):
            raise _throttling_error(passage, client)

    def begin_batch(self, passage: Passage, request: Any) -> None:
        """As `begin`, for batches that can be cut.

        Raises:
            ClientError: As there.
        """
        if not _is_batch(passage):
            return
        size = self._installation.guard.attempts.part_size(passage)
        batch = _batch_of(passage, request) if size is not None else None
        if batch is not None and len(batch.left) > (size or 0):
            passage.batch = batch
            self._put_part(passage, request, size)
        if not self._is_admitted(passage):
            frame = current_frame.get()
            raise _throttling_error(passage, frame.client if frame is not None else None)

    def _is_admitted(self, passage: Passage) -> bool:
        """Waits until the next attempt may go; False: it will not in time."""
        attempts = self._installation.guard.attempts
        admission = attempts.admit(passage)
        turn = admission.turn
        if turn is None:
            return admission.refusal is None
        waited_s = self._wait_for_turn(turn)
        attempts.note_admitted(passage, waited_s)
        passage.budget_refusal = turn.refusal
        return turn.refusal is None

    def _wait_for_turn(self, turn: Turn) -> float:
        """Blocks the calling thread until its turn; gives the seconds waited."""
        return wait_for_turn(turn)

    def _put_part(self, passage: Passage, request: Any, size: int | None) -> None:
        """Puts the next members of a batch into the request, and seals it."""
        batch = passage.batch
        request["body"] = batch.take(size)
        passage.seal = Seal(request)
        self._installation.guard.attempts.narrow(passage, batch.units_by_place())

    def _wait(self, seconds: float) -> None:
        """Blocks the calling thread; no lock is held."""
        time.sleep(seconds)

    def repeats(
        self, passage: Passage, signal: Signal, request: Any, response: Any, delay_s: float | None
    ) -> bool:
        """Whether the call may be tried again; waits for it.

        What let the call is looked at before the wait and after it.
        """
        guard = self._installation.guard
        may_go = (
            not guard.lasting.repeats_no_more(passage)
            and self._waits_for(passage, signal, request, delay_s)
            and not guard.lasting.repeats_no_more(passage)
        )
        if not may_go:
            _note_refusal(response, passage.budget_refusal)
        return may_go

    def _waits_for(
        self, passage: Passage, signal: Signal, request: Any, delay_s: float | None
    ) -> bool:
        """Waits for a further attempt; False where there is none."""
        ruling = self._rule(passage, signal, request, delay_s)
        if ruling is None:
            if delay_s is None:
                return False
            passage.wait_s += delay_s
            self._wait(delay_s)
            return True
        return ruling.is_granted and (not ruling.is_paced or self._is_admitted(passage))

    def _rule(
        self, passage: Passage, signal: Signal, request: Any, delay_s: float | None
    ) -> RetryRuling | None:
        """The budget's ruling; where it grants a retry, its delay has passed."""
        attempts = self._installation.guard.attempts
        ruling = attempts.rule_retry(passage, signal, delay_s, set_max_attempts(request))
        if ruling is not None and ruling.is_granted:
            if ruling.wait_s > 0:
                self._wait(ruling.wait_s)
            attempts.note_admitted(passage, ruling.wait_s)
        return ruling

    def goes_on(
        self, passage: Passage, signal: Signal, request: Any, response: Any, delay_s: float | None
    ) -> bool:
        """Whether a batch has members left and may send them; else its answers become one."""
        batch: Batch | None = passage.batch
        if batch is None:  # it was sent as a whole
            batch = passage.batch = _batch_of(passage, request)
            if batch is None:
                return False
            batch.take(None)
        is_answered = response is not None and response[0].status_code < _FIRST_FAILURE
        is_understood = is_answered and batch.absorb(response[1], response[0].content)
        if not is_understood:
            batch.put_back(may_have_run=signal is Signal.TRANSIENT)
        elif batch.has_progressed:
            passage.progressed_at = passage.attempts
        if batch.left and (is_understood or not is_answered):
            if self._sends_more(passage, batch, signal, request, delay_s):
                return True
            _note_refusal(response, passage.budget_refusal)
        if response is not None and (is_answered or (batch.is_begun and signal in _PASSING)):
            _end_batch(passage, batch, response)
        return False

    def _sends_more(
        self, passage: Passage, batch: Batch, signal: Signal, request: Any, delay_s: float | None
    ) -> bool:
        """Puts the next part of a batch into the request, once it may go."""
        guard = self._installation.guard
        attempts = guard.attempts
        if guard.lasting.repeats_no_more(passage):
            return False
        if signal is not Signal.OK:
            ruling = self._rule(passage, signal, request, delay_s)
            if ruling is None or not ruling.is_granted:
                return False
        attempts.narrow(passage, batch.units_by_place(of_left=True))
        self._put_part(passage, request, attempts.part_size(passage))
        if self._is_admitted(passage) and not guard.lasting.repeats_no_more(passage):
            return True
        batch.put_back()
        return False

    def learn(self, passage: Passage, response: Any, exception: Any) -> Signal:
        """Hands one attempt's end to the guard."""
        guard = self._installation.guard
        if response is None:
            return guard.attempts.learn(passage, None, type(exception).__name__)
        http, parsed = response
        status = http.status_code
        is_success = status < _FIRST_FAILURE
        reported = take_consumed(passage, parsed) if passage.is_measured and is_success else None
        if is_success and not (_is_partial(passage, parsed) or self._is_pacing(parsed, reported)):
            guard.attempts.learn_success(passage)
            passage.late_answer = (read_answer, parsed, status)
            return Signal.OK
        answer = read_answer(parsed, status)
        if reported:
            answer.capacity = reported
        if passage.call.operation == _PARTIQL_BATCH and is_success:
            answer.unprocessed_count = len(throttled_statements(parsed))
        return guard.attempts.learn(passage, answer, None)

    def _is_pacing(self, parsed: Any, reported: object) -> bool:
        """Whether an answer tells consumed capacity that a budget wants to know."""
        attempts = self._installation.guard.attempts
        return attempts.paces_by_capacity and (bool(reported) or "ConsumedCapacity" in parsed)


def _is_batch(passage: Passage) -> bool:
    """Whether a call is a batch that can be cut."""
    call = passage.call
    return (
        call.operation in BATCH_MEMBERS and call.service == "dynamodb" and passage.seal is not None
    )


def _end_batch(passage: Passage, batch: Batch, response: Any) -> None:
    """Makes the last answer the one of the whole call.

    Where a later part failed and earlier ones were taken, what is left is handed back, so that the
    caller repeats that alone.
    """
    http, parsed = response
    http.status_code = _OK
    parsed.setdefault("ResponseMetadata", {})["HTTPStatusCode"] = _OK
    batch.merge_into(parsed)
    passage.answer, passage.late_answer = None, (read_answer, parsed, _OK)


def _batch_of(passage: Passage, request: Any) -> Batch | None:
    """The call as a batch, or None where it is of a shape that is not understood."""
    from dynaguard.hooks.batches import Batch  # few calls are batches

    call = passage.call
    try:
        return Batch.from_request(call.operation, request["body"], call.params)
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _is_partial(passage: Passage, parsed: Any) -> bool:
    """Whether a success handed something back."""
    if has_leftovers(parsed):
        return True
    return passage.call.operation == _PARTIQL_BATCH and bool(throttled_statements(parsed))


def _note_refusal(response: Any, refusal: str | None) -> None:
    """Leaves the reason where callers of `except ClientError` find it."""
    if response is not None and refusal is not None:
        response[1].setdefault("ResponseMetadata", {})["DynaguardRetryBudget"] = refusal


def _throttling_error(passage: Passage, client: Any) -> ClientError:
    """A throttle that dynaguard answers itself, in the service's own words."""
    call, refusal = passage.call, passage.budget_refusal or ""
    code = _THROTTLING_CODE_BY_SERVICE.get(call.service, "ThrottlingException")
    kind: Any = client.exceptions.from_code(code) if client is not None else ClientError
    metadata = {
        "RequestId": "",
        "HTTPStatusCode": 400,
        "HTTPHeaders": {},
        "RetryAttempts": 0,
        "DynaguardRetryBudget": refusal,
    }
    response = {"Error": {"Code": code, "Message": refusal}, "ResponseMetadata": metadata}
    error: ClientError = kind(response, call.operation)
    return error
