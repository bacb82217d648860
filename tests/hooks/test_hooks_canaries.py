"""Planted secrets in thousands of random answers under random masks: none is ever seen.

Looked for in the result, the exception (text, answer, traceback), the DEBUG log, spans, log
records, metrics, the audit file and the reprs of what is in force. What no mask names is
bit-identical to the unguarded answer.
"""

from __future__ import annotations

import functools
import io
import logging
import random
import traceback
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import dynaguard
from dynaguard.masking import MARKER
from dynaguard.telemetry.telemetry import Telemetry
from tests.hooks.canaries import (
    SCENARIOS,
    Planting,
    Rule,
    Scenario,
    find_differences,
    random_rules,
)

POLICIES = 40
ANSWERS_OF_EACH = 250  # 10,000 together
ALLOW = {"Effect": "Allow", "Action": "dynamodb:*", "Resource": "*"}


@pytest.fixture
def log() -> Any:
    """What a DEBUG log of everything would hold."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield stream
    root.removeHandler(handler)
    root.setLevel(level)


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    """What is exported as spans."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", provider)
    return exporter


@pytest.fixture
def records(monkeypatch: pytest.MonkeyPatch) -> Any:
    """What is exported as log records; None where the SDK has other logs."""
    sdk = pytest.importorskip("opentelemetry.sdk._logs")
    export = pytest.importorskip("opentelemetry.sdk._logs.export")
    if not hasattr(export, "InMemoryLogRecordExporter"):
        return None
    from opentelemetry._logs import _internal

    exporter = export.InMemoryLogRecordExporter()
    provider = sdk.LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(export.SimpleLogRecordProcessor(exporter))
    monkeypatch.setattr(_internal, "_LOGGER_PROVIDER", provider)
    return exporter


@pytest.fixture
def metrics(monkeypatch: pytest.MonkeyPatch) -> InMemoryMetricReader:
    """What is measured."""
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], shutdown_on_exit=False)
    monkeypatch.setattr(
        "dynaguard.building.Telemetry", functools.partial(Telemetry, meter_provider=provider)
    )
    return reader


def call(client: Any, scenario: Scenario) -> tuple[Any, str]:
    """The answer of a call, and all the text that its caller could see."""
    try:
        answer = getattr(client, scenario.method)(**scenario.params)
    except ClientError as err:
        lines = [line for line in traceback.format_exception(err) if not line.startswith("  File")]
        return err.response, f"{err} {err!r} {err.response} {''.join(lines)}"
    return answer, repr(answer)


def acting_rules(rules: list[Rule], scenario: Scenario) -> list[Rule]:
    """The rules that act on an answer: of every table that the call may touch."""
    return [rule for rule in rules if set(rule.tables) & set(scenario.tables)]


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "seed", [pytest.param(n, marks=[pytest.mark.canary] if n > 3 else []) for n in range(POLICIES)]
)
def test_no_planted_secret_is_seen_anywhere(
    seed: int,
    make_client: Any,
    wire: Any,
    policy: Any,
    log: Any,
    spans: Any,
    records: Any,
    metrics: Any,
    tmp_path: Path,
) -> None:
    """Over all operations and types, nesting and errors, under random masks."""
    rng = random.Random(seed)
    rules = random_rules(rng)
    clients = {name: make_client(name) for name in ("dynamodb", "dynamodbstreams")}
    document = policy(ALLOW, default="allow", mask=[rule.document for rule in rules])
    guard = dynaguard.install(
        document,
        mask_key="k" * 32,
        audit=tmp_path / "audit.jsonl",
        audit_logs=records is not None,
        consumed_capacity="indexes",
        key_statistics=True,
        query_warnings=True,
    )
    planted: list[str] = []
    for _ in range(ANSWERS_OF_EACH):
        scenario = rng.choice(SCENARIOS)
        planting = Planting(rng, acting_rules(rules, scenario), [], scenario.is_partiql)
        status, body = scenario.answer(planting)
        wire.answers[:] = [(status, body)]

        _, shown = call(clients[scenario.service], scenario)

        assert [text for text in planting.planted if text in shown] == [], (scenario.method, rules)
        planted += planting.planted

    elsewhere = "\n".join(
        [
            log.getvalue(),
            *(span.to_json() for span in spans.get_finished_spans()),
            *(each.to_json() for each in _finished(records)),
            metrics.get_metrics_data().to_json(),
            (tmp_path / "audit.jsonl").read_text(encoding="utf-8"),
            repr(guard),
            repr(dynaguard.status()),
        ]
    )
    assert len(elsewhere) > 10_000
    assert [text for text in planted if text in elsewhere] == []


def _finished(records: Any) -> list[Any]:
    """The log records, of which there is one per call."""
    if records is None:
        return []
    found = list(records.get_finished_logs())
    assert len(found) == ANSWERS_OF_EACH
    return found


@pytest.mark.parametrize("seed", range(8))
def test_what_no_mask_names_is_bit_identical(
    seed: int, make_client: Any, wire: Any, policy: Any
) -> None:
    """Every leaf that differs from the unguarded answer was planted, and carries the marker."""
    rng = random.Random(1_000 + seed)
    rules = random_rules(rng)
    services = ("dynamodb", "dynamodbstreams")
    clients = {name: make_client(name) for name in services}
    plain_clients = {name: make_client(name) for name in services}
    document = policy(ALLOW, default="allow", mask=[rule.document for rule in rules])
    dynaguard.install(document, mask_key="k" * 32)
    for client in plain_clients.values():
        dynaguard.detach(client)
    masked_count = 0
    for _ in range(100):
        scenario = rng.choice(SCENARIOS)
        planting = Planting(rng, acting_rules(rules, scenario), [], scenario.is_partiql)
        status, body = scenario.answer(planting)
        wire.answers[:] = [(status, body)]

        shown, _ = call(clients[scenario.service], scenario)
        plain, _ = call(plain_clients[scenario.service], scenario)

        shown["ResponseMetadata"] = plain["ResponseMetadata"]
        for place, one, other in find_differences(shown, plain):
            masked_count += 1
            assert MARKER in repr(one), (scenario.method, place, one, other)
            # Booleans and nulls hold no canary, and are masked all the same.
            assert any(text in repr(other) for text in planting.planted) or isinstance(
                next(iter(other.values())), bool
            ), (scenario.method, place, one, other)
    assert masked_count


def test_the_test_would_notice(make_client: Any, wire: Any, policy: Any, log: Any) -> None:
    """Without masks the same surfaces show what is planted."""
    rule = Rule({"tables": ["orders"], "attributes": ["email"]}, (("email",),), ("orders",))
    client = make_client()
    dynaguard.install(policy(ALLOW, mask=[rule.document]), mask=False)
    wire.answer({"Item": {"email": {"S": "CANARY1"}}})

    _, shown = call(client, SCENARIOS[0])

    assert "CANARY1" in shown
    assert "CANARY1" in log.getvalue()
