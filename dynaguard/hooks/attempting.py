"""One call's attempts as a thread makes them: waits, learns, repeats, sends what is left.

The core says how long to wait (`attempts.py`); here is waited. The asynchronous twin awaits.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from dynaguard.budgets.signals import Signal
from dynaguard.hooks.answers import has_leftovers, read_answer, throttled_statements
from dynaguard.hooks.batches import Batch
from dynaguard.hooks.retries import set_max_attempts
from dynaguard.hooks.seal import Seal
from dynaguard.hooks.waiting import wait_for_turn
from dynaguard.loads import BATCH_MEMBERS

if TYPE_CHECKING:
    from dynaguard.budgets.turns import Turn
    from dynaguard.call import Call
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

    def begin(self, passage: Passage, client: Any, request: Any) -> None:
        """Waits until the first attempt may go, before anything is signed.

        Raises:
            ClientError: The wait would pass a deadline; the service's throttling code.
        """
        call = passage.call
        passage.is_budgeted = self._installation.guard.attempts.is_on
        if call.operation in BATCH_MEMBERS and call.service == "dynamodb" and passage.seal:
            self._split(passage, request)
        if not self._is_admitted(passage):
            raise _throttling_error(client, call, passage.budget_refusal or "")

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

    def _split(self, passage: Passage, request: Any) -> None:
        """Cuts a batch to what its tables take at once; the rest follows in further attempts."""
        size = self._installation.guard.attempts.part_size(passage)
        if size is None:
            return
        passage.batch = _batch_of(passage, request)
        if passage.batch is not None:
            self._put_part(passage, request, size)

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
        """Whether the budget grants a retry; waits for it."""
        attempts = self._installation.guard.attempts
        ruling = attempts.rule_retry(passage, signal, delay_s, set_max_attempts(request))
        if ruling is None:
            if delay_s is None:
                return False
            passage.wait_s += delay_s
            self._wait(delay_s)
            return True
        if ruling.is_granted:
            if ruling.wait_s > 0:
                self._wait(ruling.wait_s)
            attempts.note_admitted(passage, ruling.wait_s)
            if not ruling.is_paced or self._is_admitted(passage):
                return True
        _note_refusal(response, passage.budget_refusal)
        return False

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
            batch.put_back()
        may_go_on = is_understood or not is_answered
        if may_go_on and batch.left:
            if signal is Signal.OK or self.repeats(passage, signal, request, response, delay_s):
                size = self._installation.guard.attempts.part_size(passage)
                self._put_part(passage, request, size)
                # `repeats` has waited for its turn already
                if signal is not Signal.OK or self._is_admitted(passage):
                    return True
                batch.put_back()
            _note_refusal(response, passage.budget_refusal)
        if response is not None and (is_answered or (batch.is_begun and signal in _PASSING)):
            # Where a later part failed and earlier ones were taken, what is left is handed back,
            # so that the caller repeats that alone.
            response[0].status_code = _OK
            response[1].setdefault("ResponseMetadata", {})["HTTPStatusCode"] = _OK
            batch.merge_into(response[1])
            passage.answer, passage.late_answer = None, (read_answer, response[1], _OK)
        return False

    def learn(self, passage: Passage, response: Any, exception: Any) -> Signal:
        """Hands one attempt's end to the guard."""
        guard = self._installation.guard
        if response is None:
            return guard.attempts.learn(passage, None, type(exception).__name__)
        http, parsed = response
        status = http.status_code
        if (
            status < _FIRST_FAILURE
            and not passage.is_measured
            and not _is_partial(passage, parsed)
        ):
            guard.attempts.learn_success(passage)
            passage.late_answer = (read_answer, parsed, status)
            return Signal.OK
        answer = read_answer(parsed, status)
        if passage.call.operation == _PARTIQL_BATCH and status < _FIRST_FAILURE:
            answer.unprocessed_count = len(throttled_statements(parsed))
        if passage.is_measured:
            parsed.pop("ConsumedCapacity", None)  # the caller did not ask for it
        return guard.attempts.learn(passage, answer, None)


def _batch_of(passage: Passage, request: Any) -> Batch | None:
    """The call as a batch, or None where it is of a shape that is not understood."""
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


def _throttling_error(client: Any, call: Call, refusal: str) -> ClientError:
    """A throttle that dynaguard answers itself, in the service's own words."""
    code = _THROTTLING_CODE_BY_SERVICE.get(call.service, "ThrottlingException")
    error: ClientError = client.exceptions.from_code(code)(
        {
            "Error": {"Code": code, "Message": refusal},
            "ResponseMetadata": {
                "RequestId": "",
                "HTTPStatusCode": 400,
                "HTTPHeaders": {},
                "RetryAttempts": 0,
                "DynaguardRetryBudget": refusal,
            },
        },
        call.operation,
    )
    return error
