"""The record of a call as an OpenTelemetry log record, on request (`audit_logs`).

Speaks to the API only: without an SDK nothing is made and nothing happens. The attributes are
those of spans, and the record stands in the trace of its call. It is no substitute of the audit
file: an SDK may drop records, and nothing chains them.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from dynaguard.call import Call, Decision, Outcome, Status
from dynaguard.errors import ConfigurationError
from dynaguard.telemetry import names
from dynaguard.telemetry.attributes import Attributes, add, place_attributes

if TYPE_CHECKING:
    from opentelemetry._logs import LoggerProvider

    from dynaguard.access_change import AccessChange

_SCOPE_NAME: Final = "dynaguard"
_GOOD: Final = frozenset({Status.OK, Status.PRESIGNED})


class CallLogs:
    """Emits the log records of one guard.

    Args:
        logger_provider: Where they go; None: the global provider, whenever that is set.
        time_ns: Clock of records, in nanoseconds since the epoch.

    Raises:
        ConfigurationError: The installed opentelemetry-api is too old.

    Thread-safe as the SDK's logger is.
    """

    __slots__ = ("_info", "_logger", "_time_ns", "_warn")

    def __init__(
        self,
        *,
        logger_provider: LoggerProvider | None = None,
        time_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        from opentelemetry import _logs  # on request only: it is not stable yet

        if "event_name" not in inspect.signature(_logs.Logger.emit).parameters:
            raise ConfigurationError(
                "`audit_logs` needs a newer `opentelemetry-api`, run "
                "`pip install --upgrade opentelemetry-api opentelemetry-sdk`"
            )
        self._logger: Any = _logs.get_logger(_SCOPE_NAME, logger_provider=logger_provider)
        self._info, self._warn = _logs.SeverityNumber.INFO, _logs.SeverityNumber.WARN
        self._time_ns = time_ns

    def is_enabled(self, outcome: Outcome) -> bool:
        """Whether anybody takes the record of such a call. May raise."""
        severity = self._info if outcome.status in _GOOD else self._warn
        return bool(self._logger.enabled(severity_number=severity, event_name=names.CALL_EVENT))

    def emit(
        self, call: Call, decision: Decision | None, outcome: Outcome, described: Attributes
    ) -> None:
        """Emits the record of a call that ended, in the current trace. May raise.

        Args:
            call: The call.
            decision: What was decided, or None.
            outcome: How it ended.
            described: Its attributes, as `Descriptions.of` gives them.
        """
        is_good = outcome.status in _GOOD
        self._logger.emit(
            timestamp=self._time_ns(),
            severity_number=self._info if is_good else self._warn,
            severity_text="INFO" if is_good else "WARN",
            body=_text_of(call, decision, outcome),
            event_name=names.CALL_EVENT,
            attributes={
                names.SERVICE: call.service,
                names.OPERATION: call.operation,
                **place_attributes(call),
                **described,
            },
        )

    def emit_change(self, change: AccessChange) -> None:
        """Emits the record of a change in access. May raise."""
        severity = self._warn if change.is_break_glass else self._info
        attributes: Attributes = {
            names.ACCESS_CHANGE: change.kind,
            names.ACCESS_ID: change.id,
            names.ACCESS_BY: change.by,
            names.BREAK_GLASS: change.is_break_glass,
        }
        for name, value in (
            (names.ACCESS_CHANNEL, change.channel),
            (names.TASK, change.task),
            (names.APPROVAL_TICKET, change.ticket),
            (names.RUNBOOK, change.runbook),
            (names.CORRELATION_ID, change.correlation_id),
        ):
            add(attributes, name, value)
        self._logger.emit(
            timestamp=self._time_ns(),
            severity_number=severity,
            severity_text="WARN" if change.is_break_glass else "INFO",
            body=str(change),
            event_name=names.ACCESS_EVENT,
            attributes=attributes,
        )


def _text_of(call: Call, decision: Decision | None, outcome: Outcome) -> str:
    """`dynamodb:GetItem ok (allow)`, `dynamodb:Scan denied (implicit_deny, AccessDenied...)`."""
    verdict = decision.verdict.value if decision else "not decided"
    code = f", {outcome.error_code}" if outcome.error_code else ""
    return f"{call.service}:{call.operation} {outcome.status.value} ({verdict}{code})"
