"""Opens, annotates and closes the span of a call, and counts it.

Observation never breaks a call: every public method catches what goes wrong, counts it in
`Telemetry.failure_count`, and logs the first failure by the exception's type alone.

Tracer and instruments come from the API's providers, which bind late: an SDK that is configured
after `install()` is used from then on. Nothing here imports an SDK.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextvars import Token
from typing import Any, Final

from opentelemetry import context as otel_context
from opentelemetry import metrics, trace
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, TracerProvider

from dynaguard.call import Call, Decision, Outcome, Principal
from dynaguard.call import Status as CallStatus
from dynaguard.telemetry import names
from dynaguard.telemetry.attributes import (
    FAILED,
    AttributeValue,
    StartFacts,
    decision_attributes,
    error_attributes,
    identity_attributes,
    outcome_attributes,
    start_facts,
    table_names,
)

_log = logging.getLogger("dynaguard.telemetry")
_SCOPE_NAME: Final = "dynaguard"
_MAX_START_FACTS: Final = 1024
_DURATION_BUCKETS_S: Final = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0)
_StartKey = tuple[str, str, str | None, str | None]


class Telemetry:
    """Spans and metrics of one installation. Thread-safe.

    Args:
        tracer_provider: Where spans go; None: the global provider, whenever it is set.
        meter_provider: Where metrics go; None: the global provider, whenever it is set.

    Attributes:
        failure_count: Failures caught since it was made.
    """

    __slots__ = (
        "_decisions",
        "_duration",
        "_facts_by_key",
        "_masked_values",
        "_throttles",
        "_tracer",
        "failure_count",
    )

    def __init__(
        self,
        *,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
    ) -> None:
        self.failure_count = 0
        self._facts_by_key: dict[_StartKey, StartFacts] = {}
        self._tracer = trace.get_tracer(_SCOPE_NAME, tracer_provider=tracer_provider)
        meter = metrics.get_meter(_SCOPE_NAME, meter_provider=meter_provider)
        self._decisions = meter.create_counter(
            names.DECISIONS_METRIC, "{decision}", "Decided calls, by verdict."
        )
        self._throttles = meter.create_counter(
            names.THROTTLES_METRIC, "{attempt}", "Attempts that AWS answered by a throttle."
        )
        self._masked_values = meter.create_counter(
            names.MASKED_VALUES_METRIC, "{value}", "Values masked in answers."
        )
        self._duration = meter.create_histogram(
            names.DB_CLIENT_OPERATION_DURATION, "s", "Duration of database client operations."
        )

    def start(self, call: Call, *, service_id: str) -> CallSpan:
        """The span of a call: an own one, made current, or the one of a peer for this very call.

        Args:
            call: The call.
            service_id: botocore's service id (`DynamoDB`), for the span's name.

        Effects: an own span is current in this context until `finish()`, which must run in the
            same context.
        Cost: without an SDK, about a microsecond.
        """
        try:
            current = trace.get_current_span()
            if current.is_recording() and _is_peer_span_of(current, call.operation):
                return CallSpan(self, current, is_owned=False)
            facts = self._facts_of(call, service_id)
            span = self._tracer.start_span(
                facts.span_name,
                kind=SpanKind.CLIENT,
                attributes=facts.attributes,
                record_exception=False,
                set_status_on_exception=False,
            )
            # Without an SDK the tracer hands back the current span, which is current already.
            is_new = span is not current and span.get_span_context().is_valid
            token = otel_context.attach(trace.set_span_in_context(span)) if is_new else None
            return CallSpan(self, span, is_owned=True, token=token)
        except Exception as err:  # noqa: BLE001 - observation never breaks a call
            self.note_failure(err)
            return CallSpan(self, trace.INVALID_SPAN, is_owned=True)

    def attempt(self, step: Callable[..., None], *arguments: object) -> None:
        """Runs a step of observation; what it raises is counted and goes no further."""
        try:
            step(*arguments)
        except Exception as err:  # noqa: BLE001 - observation never breaks a call
            self.note_failure(err)

    def note_failure(self, err: Exception) -> None:
        """Counts a failure; logs the first one, without its message, which could hold values."""
        self.failure_count += 1
        if self.failure_count == 1:
            _log.warning("telemetry of calls failed (%s)", type(err).__name__)

    def count(self, call: Call, decision: Decision | None, outcome: Outcome) -> None:
        """Adds a finished call to the counters. May raise: call it through `attempt`."""
        of_call = {names.SERVICE: call.service, names.OPERATION: call.operation}
        if decision is not None:
            verdict = {
                names.DECISION: decision.verdict.value,
                names.IS_ENFORCED: decision.is_enforced,
            }
            self._decisions.add(1, {**of_call, **verdict})
        if outcome.throttles:
            self._throttles.add(outcome.throttles, of_call)
        if outcome.masked:
            self._masked_values.add(sum(outcome.masked.values()), of_call)

    def time(self, call: Call, decision: Decision | None, outcome: Outcome) -> None:
        """Records a DynamoDB call's duration. May raise: call it through `attempt`."""
        attributes: dict[str, AttributeValue] = {
            names.DB_SYSTEM_NAME: names.AWS_DYNAMODB,
            names.DB_OPERATION_NAME: call.operation,
            **error_attributes(call, outcome),
        }
        tables = () if decision is None else table_names(decision)
        if len(tables) == 1:
            attributes[names.DB_COLLECTION_NAME] = tables[0]
        self._duration.record(outcome.elapsed_s, attributes)

    def _facts_of(self, call: Call, service_id: str) -> StartFacts:
        """What is the same for every such call; kept, within bounds."""
        key = (service_id, call.operation, call.region, call.endpoint_url)
        facts = self._facts_by_key.get(key)
        if facts is None:
            if len(self._facts_by_key) >= _MAX_START_FACTS:
                self._facts_by_key.clear()
            facts = self._facts_by_key[key] = start_facts(call, service_id)
        return facts


class CallSpan:
    """The span that tells of one call; made by `Telemetry.start`. Used by one thread or task.

    Attributes:
        is_owned: Whether dynaguard opened it and will end it.
    """

    __slots__ = ("_is_finished", "_span", "_telemetry", "_token", "is_owned")

    def __init__(
        self,
        telemetry: Telemetry,
        span: Span,
        *,
        is_owned: bool,
        token: Token[Any] | None = None,
    ) -> None:
        self.is_owned = is_owned
        self._telemetry = telemetry
        self._span = span
        self._token = token
        self._is_finished = False

    @property
    def is_recording(self) -> bool:
        """Whether anything that is put on it goes anywhere."""
        return self._is_of_use and self._span.is_recording()

    @property
    def _is_of_use(self) -> bool:
        """Whether it is of this call: an own span that is not current is the surroundings'."""
        return not self.is_owned or self._token is not None

    def note_decision(self, call: Call, principal: Principal, decision: Decision | None) -> None:
        """Puts identity and decision on a peer's span, which may end before `finish()`.

        An own span gets them in `finish()`.
        """
        if not self.is_owned:
            self._telemetry.attempt(self._describe_decision, call, principal, decision)

    def add_attempt(self, attempt: int, error_code: str | None, wait_s: float) -> None:
        """Notes an attempt that did not end well, as an event.

        Args:
            attempt: 1 for the first.
            error_code: AWS error code or the name of an exception's class.
            wait_s: Seconds waited up to this attempt, since the call began.
        """
        self._telemetry.attempt(self._add_attempt, attempt, error_code, wait_s)

    def finish(
        self, call: Call, principal: Principal, decision: Decision | None, outcome: Outcome
    ) -> None:
        """Says how the call ended, counts it, and ends an own span. The first time only."""
        if self._is_finished:
            return
        self._is_finished = True
        attempt = self._telemetry.attempt
        attempt(self._describe, call, principal, decision, outcome)
        if self._token is not None:
            attempt(self._span.end)
            attempt(otel_context.detach, self._token)
            self._token = None
        attempt(self._telemetry.count, call, decision, outcome)
        if self.is_owned and call.service == "dynamodb":
            attempt(self._telemetry.time, call, decision, outcome)

    def _add_attempt(self, attempt: int, error_code: str | None, wait_s: float) -> None:
        if not self.is_recording:
            return
        attributes: dict[str, AttributeValue] = {
            names.ATTEMPT_NUMBER: attempt,
            names.WAIT_S: wait_s,
        }
        if error_code is not None:
            attributes[names.ERROR_TYPE] = error_code
        self._span.add_event(names.ATTEMPT_EVENT, attributes)

    def _describe_decision(
        self, call: Call, principal: Principal, decision: Decision | None
    ) -> None:
        if self.is_recording:
            self._span.set_attributes(identity_attributes(call, principal))
            self._span.set_attributes(decision_attributes(call, decision))

    def _describe(
        self, call: Call, principal: Principal, decision: Decision | None, outcome: Outcome
    ) -> None:
        if not self.is_recording:
            return
        self._describe_decision(call, principal, decision)
        self._span.set_attributes(outcome_attributes(call, outcome))
        if outcome.status in FAILED:
            # A denial's reason holds names only; a message of AWS's may hold values.
            is_denial = outcome.status is CallStatus.DENIED and decision is not None
            reason = decision.reason if is_denial and decision else None
            self._span.set_status(Status(StatusCode.ERROR, reason or None))


def _is_peer_span_of(span: Span, operation: str) -> bool:
    """Whether a recording span is the botocore instrumentation's, of a call of `operation`."""
    attributes = getattr(span, "attributes", None)
    return (
        attributes is not None
        and attributes.get(names.RPC_SYSTEM) == names.AWS_API
        and attributes.get(names.RPC_METHOD) == operation
        and getattr(span, "kind", None) is SpanKind.CLIENT
    )
