"""What a call leaves in OpenTelemetry, by every kind of operation, from the client's method on."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import dynaguard
from tests.conftest import FAKE_AWS_ENVIRONMENT

CANARY = "CANARY-4711"
KEY = {"pk": {"S": CANARY}}
INDEX = "arn:aws:dynamodb:eu-west-1:123456789012:table/orders/index/by_day"


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    """An SDK for this test alone, and what it exported."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    before = trace._TRACER_PROVIDER
    trace._TRACER_PROVIDER = provider
    yield exporter
    trace._TRACER_PROVIDER = before


WRITE = {"PutRequest": {"Item": KEY}}
OPERATIONS: list[tuple[str, dict[str, Any], str, list[str], dict[str, Any]]] = [
    (
        "query",
        {
            "TableName": "orders",
            "IndexName": "by_day",
            "KeyConditionExpression": "pk = :v",
            "ExpressionAttributeValues": {":v": KEY["pk"]},
            "Limit": 5,
        },
        "DynamoDB.Query",
        ["orders"],
        {"aws.dynamodb.index_name": "by_day", "aws.dynamodb.limit": 5},
    ),
    (
        "batch_write_item",
        {"RequestItems": {"orders": [WRITE], "customers": [WRITE]}},
        "BATCH DynamoDB.BatchWriteItem",
        ["orders", "customers"],
        {"db.operation.batch.size": 2},
    ),
    (
        "batch_get_item",
        {"RequestItems": {"orders": {"Keys": [KEY, {"pk": {"S": "2"}}]}}},
        "BATCH DynamoDB.BatchGetItem",
        ["orders"],
        {"db.operation.batch.size": 2},
    ),
    (
        "transact_write_items",
        {
            "TransactItems": [
                {"Put": {"TableName": "orders", "Item": KEY}},
                {"Delete": {"TableName": "customers", "Key": KEY}},
            ]
        },
        "BATCH DynamoDB.TransactWriteItems",
        ["orders", "customers"],
        {"db.operation.batch.size": 2},
    ),
    (
        "transact_get_items",
        {"TransactItems": [{"Get": {"TableName": "orders", "Key": KEY}}]},
        "DynamoDB.TransactGetItems",
        ["orders"],
        {},
    ),
    (
        "execute_statement",
        {"Statement": "SELECT * FROM orders WHERE pk = 'CANARY-4711'"},
        "DynamoDB.ExecuteStatement",
        ["orders"],
        {},
    ),
    (
        "batch_execute_statement",
        {
            "Statements": [
                {"Statement": "SELECT * FROM orders WHERE pk = 'CANARY-4711'"},
                {"Statement": "SELECT * FROM customers WHERE pk = ?", "Parameters": [KEY["pk"]]},
            ]
        },
        "BATCH DynamoDB.BatchExecuteStatement",
        ["orders", "customers"],
        {"db.operation.batch.size": 2},
    ),
    (
        "execute_transaction",
        {"TransactStatements": [{"Statement": "DELETE FROM orders WHERE pk = 'CANARY-4711'"}]},
        "DynamoDB.ExecuteTransaction",
        ["orders"],
        {},
    ),
    ("list_tables", {}, "DynamoDB.ListTables", [], {}),
]


@pytest.mark.parametrize("has_policy", [True, False], ids=["policy", "no policy"])
@pytest.mark.parametrize(
    ("method", "params", "name", "tables", "more"),
    OPERATIONS,
    ids=[each[0] for each in OPERATIONS],
)
def test_every_kind_of_operation_tells_its_tables(
    client: Any,
    policy: Any,
    spans: Any,
    method: str,
    params: dict[str, Any],
    name: str,
    tables: list[str],
    more: dict[str, Any],
    *,
    has_policy: bool,
) -> None:
    """Batches, transactions and PartiQL too; without keys, values or statements' text."""
    everything = {"Sid": "All", "Effect": "Allow", "Action": "dynamodb:*", "Resource": "*"}
    dynaguard.install(policy(everything) if has_policy else None, identity="etl")

    getattr(client, method)(**params)
    getattr(client, method)(**params)

    _, span = spans.get_finished_spans()  # the second finds what the first left
    attributes = dict(span.attributes)
    assert span.name == name
    assert list(attributes.get("aws.dynamodb.table_names", ())) == tables
    assert attributes.get("db.collection.name") == (tables[0] if len(tables) == 1 else None)
    assert {key: attributes.get(key) for key in more} == more
    assert ("db.operation.batch.size" in attributes) is ("db.operation.batch.size" in more)
    assert CANARY not in span.to_json()


def test_a_throttled_attempt_tells_reason_and_index(
    client: Any, wire: Any, spans: Any, waiting: Any
) -> None:
    """From the body of DynamoDB's answer to the event."""
    reason = {"reason": "IndexReadProvisionedThroughputExceeded", "resource": INDEX}
    wire.answer(
        {
            "__type": "com.amazonaws.dynamodb.v20120810#ThrottlingException",
            "message": CANARY,
            "throttlingReasons": [reason],
        },
        400,
    )
    wire.answer({"Items": []})
    dynaguard.install()

    client.scan(TableName="orders", IndexName="by_day")

    (span,) = spans.get_finished_spans()
    (event,) = span.events
    reasons = {
        "dynaguard.throttle.reasons": ("IndexReadProvisionedThroughputExceeded",),
        "dynaguard.throttle.resources": (INDEX,),
    }
    # Older botocore does not know the member, and drops it.
    is_known = "ThrottlingException" in client.meta.service_model.shape_names
    assert dict(event.attributes) == {
        "dynaguard.attempt.number": 1,
        "dynaguard.wait_s": 0.0,
        "error.type": "ThrottlingException",
        **(reasons if is_known else {}),
    }
    assert span.attributes["dynaguard.throttles"] == 1
    assert CANARY not in span.to_json()


def test_without_configuration_nothing_is_printed() -> None:
    """`install()`, an allowed call, a failing one, and the end of the process."""
    code = """
import io, json
import botocore.session
from botocore.awsrequest import AWSResponse, HeadersDict
import dynaguard


class Raw(io.BytesIO):
    def stream(self, *args, **kwargs):
        yield self.read()


class Wire:
    status = 200

    def send(self, request):
        kind = {"content-type": "application/x-amz-json-1.0"}
        return AWSResponse(request.url, self.status, HeadersDict(kind), Raw(b'{"__type": "Odd"}'))

    def close(self):
        pass


dynaguard.install()
client = botocore.session.Session().create_client("dynamodb")
client._endpoint.http_session = wire = Wire()
with dynaguard.job("nightly"):
    client.get_item(TableName="orders", Key={"pk": {"S": "1"}})
    for failing in ({"TableName": "orders"}, {"Key": {"pk": {"S": "1"}}, "TableName": "orders"}):
        wire.status = 400
        try:
            client.get_item(**failing)
        except Exception:
            pass
"""

    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**FAKE_AWS_ENVIRONMENT, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("is_watched", [True, False], ids=["span", "no span"])
def test_refusals_and_presigned_urls_are_log_records_too(
    client: Any, policy: Any, spans: Any, monkeypatch: pytest.MonkeyPatch, *, is_watched: bool
) -> None:
    """Whatever is on record in the audit file."""
    logs = pytest.importorskip("opentelemetry.sdk._logs")
    export = pytest.importorskip("opentelemetry.sdk._logs.export")
    exporter = getattr(export, "InMemoryLogRecordExporter", None)
    if exporter is None:
        pytest.skip("this SDK has other logs")
    kept = exporter()
    provider = logs.LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(export.SimpleLogRecordProcessor(kept))
    from opentelemetry._logs import _internal

    monkeypatch.setattr(_internal, "_LOGGER_PROVIDER", provider)
    if not is_watched:
        trace._TRACER_PROVIDER = None  # the fixture puts it back
    dynaguard.install(policy(), audit_logs=True)

    with pytest.raises(dynaguard.PolicyDenied):
        client.scan(TableName="orders")
    client.get_item(TableName="orders", Key=KEY)
    client.generate_presigned_url("get_item", Params={"TableName": "orders", "Key": KEY})

    records = [each.log_record for each in kept.get_finished_logs()]
    assert [record.body for record in records] == [
        "dynamodb:Scan denied (implicit_deny, AccessDeniedException)",
        "dynamodb:GetItem ok (allow)",
        "dynamodb:GetItem presigned (allow)",
    ]
    assert [bool(record.trace_id) for record in records] == [is_watched, is_watched, False]
    assert CANARY not in str([(record.body, record.attributes) for record in records])
