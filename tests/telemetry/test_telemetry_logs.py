"""The record of a call as an OpenTelemetry log record."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace import TracerProvider

from dynaguard.call import Outcome, Status
from dynaguard.errors import ConfigurationError
from dynaguard.telemetry.logs import CallLogs
from dynaguard.telemetry.telemetry import Telemetry
from tests.audit.audit_cases import (
    CALL,
    CANARY,
    DECISION,
    DENIAL,
    OUTCOME,
    PRINCIPAL,
    calls,
    decisions,
    outcomes,
    principals,
)

try:
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
except ImportError:  # older SDKs, whose loggers take no parts of a record
    pytest.skip("this SDK has other logs", allow_module_level=True)


class Logs:
    """Telemetry that logs, and what it logged."""

    def __init__(self) -> None:
        self.exporter = InMemoryLogRecordExporter()
        provider = LoggerProvider(shutdown_on_exit=False)
        provider.add_log_record_processor(SimpleLogRecordProcessor(self.exporter))
        self.telemetry = Telemetry(
            tracer_provider=TracerProvider(shutdown_on_exit=False),
            logs=CallLogs(logger_provider=provider, time_ns=lambda: 42),
        )

    @property
    def records(self) -> list[Any]:
        """The records, oldest first."""
        return [each.log_record for each in self.exporter.get_finished_logs()]


@pytest.fixture
def logs() -> Logs:
    """As above."""
    return Logs()


def test_a_call_is_one_record_in_its_trace(logs: Logs) -> None:
    """With the attributes of its span, and the names of service and operation."""
    span = logs.telemetry.start(CALL, service_id="DynamoDB")
    logs.telemetry.log(CALL, PRINCIPAL, DECISION, OUTCOME)
    context = span._span.get_span_context()  # type: ignore[union-attr]
    span.finish(CALL, PRINCIPAL, DECISION, OUTCOME)

    (record,) = logs.records
    assert (record.timestamp, record.severity_text, record.event_name) == (
        42,
        "INFO",
        "dynaguard.call",
    )
    assert record.body == "dynamodb:GetItem ok (allow)"
    assert (record.trace_id, record.span_id) == (context.trace_id, context.span_id)
    assert record.attributes["dynaguard.service"] == "dynamodb"
    assert record.attributes["dynaguard.job"] == "nightly"
    assert record.attributes["db.collection.name"] == "orders"
    assert record.attributes["security_rule.name"] == "EtlReadsOrders"


@pytest.mark.parametrize(
    ("decision", "outcome", "body"),
    [
        (
            DENIAL,
            Outcome(Status.DENIED, "AccessDeniedException"),
            "dynamodb:GetItem denied (implicit_deny, AccessDeniedException)",
        ),
        (
            None,
            Outcome(Status.ERROR, "ParamValidationError"),
            "dynamodb:GetItem error (not decided, ParamValidationError)",
        ),
    ],
)
def test_what_went_wrong_is_a_warning(
    logs: Logs, decision: Any, outcome: Outcome, body: str
) -> None:
    """Refusals and failures."""
    logs.telemetry.log(CALL, PRINCIPAL, decision, outcome)

    (record,) = logs.records
    assert (record.severity_text, record.body) == ("WARN", body)


@given(calls, principals, st.none() | decisions, outcomes)
def test_no_record_holds_an_item_value(
    call: Any, principal: Any, decision: Any, outcome: Any
) -> None:
    """Neither body nor attributes."""
    logs = Logs()

    logs.telemetry.log(call._replace(service="dynamodb"), principal, decision, outcome)

    (record,) = logs.records
    assert CANARY not in str(record.body)
    assert CANARY not in repr(dict(record.attributes))


def test_without_an_sdk_nothing_is_described(monkeypatch: pytest.MonkeyPatch) -> None:
    """The API's logger takes nothing, so nothing is made."""
    telemetry = Telemetry(logs=CallLogs())
    monkeypatch.setattr(type(telemetry.descriptions), "of", lambda *_: pytest.fail("described"))

    telemetry.log(CALL, PRINCIPAL, DECISION, OUTCOME)

    assert telemetry.failure_count == 0


def test_an_sdk_that_comes_later_is_used(monkeypatch: pytest.MonkeyPatch, logs: Logs) -> None:
    """The global provider binds late."""
    from opentelemetry._logs import _internal

    late = Telemetry(logs=CallLogs())
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(SimpleLogRecordProcessor(logs.exporter))
    monkeypatch.setattr(_internal, "_LOGGER_PROVIDER", provider)

    late.log(CALL, PRINCIPAL, DECISION, OUTCOME)

    assert len(logs.records) == 1


def test_a_logger_that_fails_breaks_no_call(logs: Logs) -> None:
    """It is counted, and told once without its message."""

    class Broken:
        def enabled(self, **_: Any) -> bool:
            raise RuntimeError(CANARY)

    logs.telemetry._logs._logger = Broken()  # type: ignore[union-attr]

    logs.telemetry.log(CALL, PRINCIPAL, DECISION, OUTCOME)

    assert logs.telemetry.failure_count == 1


def test_an_api_that_is_too_old_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """At install, by one clear error."""
    import opentelemetry._logs

    class OldLogger:
        def emit(self, record: Any) -> None:
            pass

    monkeypatch.setattr(opentelemetry._logs, "Logger", OldLogger)

    with pytest.raises(ConfigurationError, match="newer `opentelemetry-api`"):
        CallLogs()


def test_without_the_option_nothing_is_logged() -> None:
    """The default."""
    telemetry = Telemetry()

    telemetry.log(CALL, PRINCIPAL, DECISION, OUTCOME)

    assert not telemetry.is_logging
