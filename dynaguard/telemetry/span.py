"""The span of one call: ours, or one that a peer opened for it.

As everywhere in this room, what goes wrong is counted and breaks no call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextvars import Token
from typing import TYPE_CHECKING, Final, cast

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, StatusCode

from dynaguard.call import Call, Decision, Outcome, Principal, Status
from dynaguard.telemetry import names
from dynaguard.telemetry.attributes import Attributes, attempt_attributes

if TYPE_CHECKING:
    from dynaguard.budgets.load import Cause
    from dynaguard.telemetry.describing import Part
    from dynaguard.telemetry.telemetry import Telemetry

_FAILED: Final = frozenset({Status.ERROR, Status.DENIED})


class CallSpan:
    """What tells of one call; made by `Telemetry.start`, used by that call's thread or task.

    Attributes:
        is_owned: Whether dynaguard opens and ends the span; False for a peer's.
    """

    __slots__ = ("_context", "_is_finished", "_span", "_telemetry", "_token", "is_owned")

    def __init__(
        self, telemetry: Telemetry, span: Span | None = None, context: Context | None = None
    ) -> None:
        """Makes the context of a span of ours current.

        Args:
            telemetry: Where it comes from.
            span: The span; None: nothing records.
            context: The context with the span in it, for a span of ours; None for a peer's.
        """
        self.is_owned = span is None or context is not None
        self._telemetry = telemetry
        self._span = span
        self._is_finished = False
        self._context = context
        self._token = None if context is None else otel_context.attach(context)

    @property
    def is_watched(self) -> bool:
        """Whether anybody takes what `finish()` would tell. Never raises."""
        return self._telemetry.metrics.is_taken or self.is_recording

    def release_unwatched(self) -> bool:
        """Ends a span that nobody watches, instead of `finish()`. Never raises.

        A span that a sampler dropped was current all the same, for spans below and in headers.

        Returns:
            Whether nobody watches; False: nothing was done, `finish()` is to be called.
        """
        if self.is_watched:
            return False
        if self._token is not None and not self._is_finished:
            self._is_finished = True
            self._end()
        return True

    @property
    def is_recording(self) -> bool:
        """Whether what is put on it goes anywhere. Never raises."""
        span = self._span
        if span is None:
            return False
        try:
            return span.is_recording()
        except Exception as err:  # noqa: BLE001 - observation never breaks a call
            self._telemetry.note_failure(err)
            return False

    def add_attempt(
        self, attempt: int, error_code: str | None, wait_s: float, causes: Iterable[Cause] = ()
    ) -> None:
        """Notes an attempt that did not end well, as an event. Never raises.

        Args:
            attempt: 1 for the first.
            error_code: AWS error code, or the name of an exception's class.
            wait_s: Seconds waited since the call began.
            causes: Reasons of a throttle, as far as AWS gave them.
        """
        if not self.is_recording:
            return
        try:
            attributes = attempt_attributes(attempt, error_code, wait_s, causes)
            cast(Span, self._span).add_event(names.ATTEMPT_EVENT, attributes)
        except Exception as err:  # noqa: BLE001 - observation never breaks a call
            self._telemetry.note_failure(err)

    def add_approval_wait(self, ticket: str, wait_s: float, state: str) -> None:
        """Notes that the call waited for an approval, as an event and a metric. Never raises.

        Args:
            ticket: Its ticket.
            wait_s: Seconds waited.
            state: What came of it: `approved`, `denied`, `pending` where the wait ended first ...
        """
        if self._telemetry.is_metering:
            self._guarded(self._telemetry.access.record_wait, wait_s, state)
        if not self.is_recording:
            return
        attributes: Attributes = {
            names.APPROVAL_TICKET: ticket,
            names.APPROVAL_STATE: state,
            names.WAIT_S: round(wait_s, 6),
        }
        self._guarded(cast(Span, self._span).add_event, names.APPROVAL_EVENT, attributes)

    def introduce(self, call: Call, principal: Principal, decision: Decision | None) -> None:
        """Says who calls and what was decided. Never raises.

        For a peer's span, which may end by an error before anybody can tell it how the call ended.
        """
        try:
            if self.is_recording:
                described = self._telemetry.descriptions.of_start(call, principal, decision)
                self._telemetry.setter.put(cast(Span, self._span), described, {})
        except Exception as err:  # noqa: BLE001 - observation never breaks a call
            self._telemetry.note_failure(err)

    def finish(
        self, call: Call, principal: Principal, decision: Decision | None, outcome: Outcome
    ) -> None:
        """Says how the call ended, counts it, and ends the span if it is ours. Never raises.

        A second time nothing happens: a peer's span may have to be told before the call returns.

        Cost: without a recording span and without a meter's SDK one look at an instrument.
        """
        telemetry, span = self._telemetry, self._span
        is_metering = telemetry.metrics.is_taken
        if self._is_finished or (span is None and not is_metering):
            return
        self._is_finished = span is not None  # the idle one serves every call
        try:
            is_recording = span is not None and span.is_recording()
            if is_recording or is_metering:
                part = telemetry.descriptions.part(call, principal, decision, outcome)
                if is_recording:
                    self._describe(part, call, principal, decision, outcome)
                if is_metering:
                    self._count(part, call, principal, decision, outcome)
        except Exception as err:  # noqa: BLE001 - observation never breaks a call
            telemetry.note_failure(err)
        if self._token is not None:
            self._end()

    def _count(
        self,
        part: Part,
        call: Call,
        principal: Principal,
        decision: Decision | None,
        outcome: Outcome,
    ) -> None:
        """Adds the call to the metrics. May raise."""
        context = self._context or otel_context.get_current()
        self._telemetry.metrics.count(
            part, call, principal, decision, outcome, context, is_timed=self.is_owned
        )

    def _guarded(self, step: Callable[..., None], *arguments: object) -> None:
        """Runs a step; what it raises is counted and goes no further."""
        try:
            step(*arguments)
        except Exception as err:  # noqa: BLE001 - observation never breaks a call
            self._telemetry.note_failure(err)

    def _describe(
        self,
        part: Part,
        call: Call,
        principal: Principal,
        decision: Decision | None,
        outcome: Outcome,
    ) -> None:
        """Puts everything that is known on a span that records. A peer's keeps its own status."""
        telemetry, span = self._telemetry, cast(Span, self._span)
        try:
            descriptions = telemetry.descriptions
            recurring = descriptions.recurring(part, call, principal, decision, outcome)
            telemetry.setter.put(span, recurring, descriptions.own(part, call, outcome))
            if self.is_owned and outcome.status in _FAILED:
                # A denial's reason holds names only; an error's message may hold values.
                is_denial = outcome.status is Status.DENIED and decision is not None
                reason = decision.reason if is_denial and decision else ""
                span.set_status(StatusCode.ERROR, reason or None)
        except Exception as err:  # noqa: BLE001 - the call is counted all the same
            telemetry.note_failure(err)

    def _end(self) -> None:
        """Makes the span before ours current again, and ends ours. Never raises."""
        token, span = cast("Token[Context]", self._token), cast(Span, self._span)
        try:
            # In another context than `start` ran in, ours is not current, nothing to take back.
            here = otel_context.get_current()
            if here is self._context or trace.get_current_span(here) is span:
                otel_context.detach(token)
            span.end()
        except Exception as err:  # noqa: BLE001 - observation never breaks a call
            self._telemetry.note_failure(err)
