"""Opens, annotates and ends the span of a call, and counts it.

Observation never breaks a call: what goes wrong here (a span processor, a sampler, an exporter
that raises) is counted in `Telemetry.failure_count`, and the first failure is logged by its type.

Tracer and instruments come from the API, whose global providers bind late: an SDK that is
configured after `install()` is used from its first moment. Nothing here imports an SDK.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import Span, SpanKind, TracerProvider

from dynaguard.call import Call, Decision, Outcome, Principal
from dynaguard.interruption import came_from_handler
from dynaguard.telemetry import names
from dynaguard.telemetry.access import AccessMetrics
from dynaguard.telemetry.attribute_setter import AttributeSetter
from dynaguard.telemetry.attributes import span_start
from dynaguard.telemetry.counting import CallMetrics
from dynaguard.telemetry.describing import Descriptions
from dynaguard.telemetry.logs import CallLogs
from dynaguard.telemetry.span import CallSpan

if TYPE_CHECKING:
    from dynaguard.access_change import AccessChange

_SCOPE_NAME: Final = "dynaguard"
_CLIENT: Final = SpanKind.CLIENT
_ABSENT: Final = object()
_log: Final = logging.getLogger("dynaguard.telemetry")


class Telemetry:
    """Spans, metrics and, on request, log records of one guard. Thread-safe.

    Args:
        tracer_provider: Where spans go; None: the global provider, whenever that is set.
        meter_provider: Where metrics go; None: the global provider, whenever that is set.
        logs: Emits log records, or None.

    Attributes:
        failure_count: Failures caught since it was made.
        descriptions: What spans and log records say.
        metrics: What is counted.
        setter: Puts attributes on spans.
    """

    __slots__ = (
        "_idle",
        "_is_late",
        "_logs",
        "_tracer",
        "descriptions",
        "failure_count",
        "metrics",
        "setter",
    )

    def __init__(
        self,
        *,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
        logs: CallLogs | None = None,
    ) -> None:
        self.failure_count = 0
        self.descriptions = Descriptions()
        self.setter = AttributeSetter()
        self._logs = logs
        self._tracer = trace.get_tracer(_SCOPE_NAME, tracer_provider=tracer_provider)
        self._is_late = isinstance(self._tracer, trace.ProxyTracer)
        self.metrics = CallMetrics(meter_provider, self.note_failure)
        self._idle = CallSpan(self)

    def start(self, call: Call, *, service_id: str) -> CallSpan:
        """The span of a call: a new one, made current, or the one a peer opened for this call.

        Args:
            call: The call.
            service_id: botocore's service id (`DynamoDB`), for the span's name.

        Returns:
            What `finish()` must be called on, in the same context.

        Effects: a new span is current until `finish()`. Nothing without an SDK. Never raises.
        Cost: without an SDK one look at the current span, and no allocation.
        """
        try:
            return self._start(call, service_id)
        except Exception as err:  # noqa: BLE001 - observation never breaks a call
            self.note_failure(err)
            return self._idle

    def _start(self, call: Call, service_id: str) -> CallSpan:
        """As `start`; may raise."""
        context = otel_context.get_current()  # once: each of the API's own look-ups asks for it
        current = trace.get_current_span(context)
        if current is not trace.INVALID_SPAN and _is_peers(current, call.operation):
            return CallSpan(self, current)
        # The one look at the API's inside: to ask it properly reads the environment each time.
        if self._is_late:
            if getattr(trace, "_TRACER_PROVIDER", _ABSENT) is None:
                return self._idle
            if isinstance(self._tracer, trace.ProxyTracer):
                self._tracer = trace.get_tracer(_SCOPE_NAME)  # the real one: one step less
        if context and context.get(_SUPPRESS_INSTRUMENTATION_KEY):
            return self._idle  # an exporter's own call: its span would be exported, and so on
        name, attributes = span_start(call, service_id)
        # By position: name, context, kind, attributes.
        span = self._tracer.start_span(name, None, _CLIENT, attributes)
        here = span.get_span_context()
        if not here.is_valid or here == current.get_span_context():
            return self._idle  # a tracer that does nothing hands on what is there
        return CallSpan(self, span, trace.set_span_in_context(span, context))

    @property
    def is_metering(self) -> bool:
        """Whether anybody takes what is counted."""
        return self.metrics.is_taken

    @property
    def access(self) -> AccessMetrics:
        """Metrics of access just in time."""
        return self.metrics.access

    @property
    def is_logging(self) -> bool:
        """Whether log records were asked for."""
        return self._logs is not None

    def log(
        self, call: Call, principal: Principal, decision: Decision | None, outcome: Outcome
    ) -> None:
        """Emits the log record of a call that ended, in the current trace. Never raises."""
        logs = self._logs
        try:
            if logs is not None and logs.is_enabled(outcome):
                described = self.descriptions.of(call, principal, decision, outcome)
                logs.emit(call, decision, outcome, described)
        except Exception as err:  # noqa: BLE001 - observation never breaks a call
            self.note_failure(err)

    def note_change(self, change: AccessChange) -> None:
        """Counts a change in access, and emits its log record where those are on. Never raises."""
        try:
            self.access.count_change(change)
            if self._logs is not None:
                self._logs.emit_change(change)
        except Exception as err:  # noqa: BLE001 - observation never breaks a call
            self.note_failure(err)

    def end(self) -> None:
        """Gives to instruments what waits for them: its guard ends."""
        self.metrics.end()

    def note_failure(self, err: Exception) -> None:
        """Counts a failure; logs the first, without its message, which could hold values.

        Raises:
            Exception: `err` itself, where a signal handler of the application raised it.
        """
        if came_from_handler(err):
            raise err
        self.failure_count += 1
        if self.failure_count == 1:
            _log.warning(
                "telemetry of a call failed (%s), calls go on; further failures are only counted",
                type(err).__name__,
            )


def _is_peers(span: Span, operation: str) -> bool:
    """Whether a span is one that the botocore instrumentation opened for a call of `operation`.

    Both spellings count: the conventions now write `rpc.system.name` and `DynamoDB/GetItem`.
    """
    if not span.is_recording() or getattr(span, "kind", None) is not SpanKind.CLIENT:
        return False
    scope = getattr(span, "instrumentation_scope", None)
    if getattr(scope, "name", None) == _SCOPE_NAME:
        return False  # ours: a handler of the outer call makes this one
    found = getattr(span, "attributes", None) or {}
    system = found.get(names.RPC_SYSTEM) or found.get(names.RPC_SYSTEM_NAME)
    method = str(found.get(names.RPC_METHOD, ""))
    return system == names.AWS_API and method.rpartition("/")[2] == operation
