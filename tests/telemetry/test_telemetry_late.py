"""OpenTelemetry is imported where somebody uses it, and used from the first call after that."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from dynaguard.access_change import AccessChange
from dynaguard.identity.findings import FindingCode, IdentityFinding
from dynaguard.telemetry.late import API, LateFindings, LateTelemetry
from dynaguard.telemetry.telemetry import Telemetry
from tests.audit.audit_cases import CALL

_FINDING = IdentityFinding(FindingCode.LONG_LIVED_KEY, "job", "user", None, "a key signs")
_CALLING = """
import json, sys
import boto3, botocore.httpsession, dynaguard
class Answer:
    status_code, headers, content, raw = 200, {}, b"{}", None
botocore.httpsession.URLLib3Session.send = lambda self, request: Answer()
dynaguard.install({"version": 1, "default": "allow"})
client = boto3.client("dynamodb", region_name="eu-west-1", aws_access_key_id="AKIAEXAMPLE",
    aws_secret_access_key="x")
def call():
    client.get_item(TableName="orders", Key={"id": {"S": "1"}})
call()
early = sorted(name for name in sys.modules if name.startswith("opentelemetry"))
"""
_SPANS = """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
exporter, provider = InMemorySpanExporter(), TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)
call()
told = [span.name for span in exporter.get_finished_spans()]
print(json.dumps([early, told]))
"""
_METRICS = """
from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
reader = InMemoryMetricReader()
metrics.set_meter_provider(MeterProvider([reader]))
call()
found = reader.get_metrics_data().resource_metrics[0].scope_metrics[0].metrics
told = [metric.name for metric in found if metric.name == "dynaguard.decisions"]
print(json.dumps([early, told]))
"""


@pytest.mark.parametrize(
    ("later", "told"),
    [(_SPANS, ["DynamoDB.GetItem"]), (_METRICS, ["dynaguard.decisions"])],
    ids=["traces", "metrics"],
)
def test_an_sdk_that_is_imported_after_the_first_call_is_told_of_the_next(
    later: str, told: list[str]
) -> None:
    """And until then nothing of OpenTelemetry is imported."""
    done = subprocess.run(
        [sys.executable, "-c", _CALLING + later], capture_output=True, text=True, check=True
    )

    assert json.loads(done.stdout.splitlines()[-1]) == [[], told]


def test_nobody_to_tell_means_no_span() -> None:
    """A call then carries none."""
    telemetry = LateTelemetry(modules={})

    assert telemetry.start(CALL, service_id="DynamoDB") is None
    assert not telemetry.is_logging


def test_the_real_start_takes_the_place_of_the_stand_in() -> None:
    """Calls cost what they cost without it from then on."""
    modules: dict[str, object] = {}
    telemetry = LateTelemetry(modules=modules)
    modules[API] = object()

    span = telemetry.start(CALL, service_id="DynamoDB")

    assert span is not None
    assert telemetry.start.__func__ is Telemetry.start  # type: ignore[attr-defined]


def test_where_the_api_is_there_already_it_is_used_from_the_start() -> None:
    """As where an agent has instrumented the process."""
    telemetry = LateTelemetry()

    assert telemetry.start.__func__ is Telemetry.start  # type: ignore[attr-defined]


def test_an_api_that_cannot_be_used_breaks_no_call(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is counted, told once, and tried again."""
    modules: dict[str, object] = {}
    telemetry = LateTelemetry(modules=modules)
    modules[API] = object()

    with monkeypatch.context() as broken:
        broken.setitem(sys.modules, "dynaguard.telemetry.telemetry", None)
        spans = [telemetry.start(CALL, service_id="DynamoDB") for _ in range(2)]

    assert spans == [None, None]
    assert telemetry.failure_count == 2
    assert caplog.text.count("OpenTelemetry cannot be used yet (ModuleNotFoundError)") == 1
    assert telemetry.start(CALL, service_id="DynamoDB") is not None


def test_what_signal_handlers_of_the_application_raise_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is meant for the application."""
    modules: dict[str, object] = {}
    telemetry = LateTelemetry(modules=modules)
    modules[API] = object()
    monkeypatch.setitem(sys.modules, "dynaguard.telemetry.telemetry", None)
    monkeypatch.setattr("dynaguard.telemetry.late.came_from_handler", lambda _: True)

    with pytest.raises(ModuleNotFoundError):
        telemetry.start(CALL, service_id="DynamoDB")


def test_changes_and_findings_are_told_once_somebody_can_take_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Those before are not kept."""
    modules: dict[str, object] = {}
    told: list[object] = []
    monkeypatch.setattr(Telemetry, "note_change", lambda _, change: told.append(change))
    monkeypatch.setattr(
        "dynaguard.telemetry.findings.FindingsCounter.count",
        lambda _, finding: told.append(finding),
    )
    telemetry, findings = LateTelemetry(modules=modules), LateFindings(modules=modules)
    change = AccessChange("grant created", "g1", "somebody")

    telemetry.note_change(change)
    findings.count(_FINDING)
    modules[API] = object()
    telemetry.note_change(change)
    findings.count(_FINDING)

    assert told == [change, _FINDING]


def test_the_end_of_its_guard_is_told_where_there_is_somebody_to_tell(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What waits for a reader is given then."""
    ended: list[Telemetry] = []

    def end(telemetry: Telemetry) -> None:
        ended.append(telemetry)

    monkeypatch.setattr(Telemetry, "end", end)
    real = Telemetry()

    LateTelemetry(modules={}).end()
    LateTelemetry(real).end()

    assert ended == [real]
