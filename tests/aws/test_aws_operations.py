"""Every DynamoDB operation is mapped; batches are their members; the published vectors hold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynaguard.aws.analysis import authorizations, is_write, tables_of
from dynaguard.aws.dynamodb.operations import READER_BY_OPERATION
from dynaguard.call import NO_CREDENTIALS, UNKNOWN_RUN, Call
from dynaguard.scope import EMPTY_SCOPE

ACCOUNT = "111122223333"
TABLES = f"arn:aws:dynamodb:eu-west-1:{ACCOUNT}:table"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/r"
STREAM = f"arn:aws:kinesis:eu-west-1:{ACCOUNT}:stream/s"
VECTORS = [
    json.loads(line)
    for line in (Path(__file__).parent.parent / "vectors" / "dynamodb-calls.jsonl")
    .read_text(encoding="utf-8")
    .splitlines()
]
DATA = ("PutItem", "UpdateItem", "DeleteItem", "GetItem", "Query", "Scan", "BatchWriteItem")


def call_of(
    operation: str, params: Any, *, service: str = "dynamodb", region: str = "eu-west-1"
) -> Call:
    """A call of a client."""
    return Call(
        service=service,
        operation=operation,
        params=params,
        region=region,
        partition="aws",
        endpoint_url=None,
        credentials=NO_CREDENTIALS,
        scope=EMPTY_SCOPE,
        correlation_id="c",
        service_prefix="dynamodb",
    )


def needs_of(operation: str, params: Any, *, service: str = "dynamodb") -> set[tuple[str, str]]:
    """What a call needs, less the prefix of DynamoDB's actions."""
    found = authorizations(call_of(operation, params, service=service), ACCOUNT)
    assert [need.problem for need in found if need.problem] == []
    return {(need.action.removeprefix("dynamodb:"), need.resource) for need in found}


@pytest.mark.parametrize("service", ["dynamodb", "dynamodbstreams"])
def test_every_operation_of_the_installed_model_is_mapped(service: str) -> None:
    """A botocore that has more operations makes this fail, and the calls to them denied."""
    model = botocore.session.get_session().get_service_model(service)

    assert set(model.operation_names) - set(READER_BY_OPERATION) == set()


@pytest.mark.parametrize("vector", VECTORS, ids=[vector["id"] for vector in VECTORS])
def test_the_vectors_authorisations_are_needed(vector: dict[str, Any]) -> None:
    """Each action on each resource that the vector names, and nothing that is not understood."""
    call = call_of(
        vector["operation"], vector["params"], service=vector["service"], region=vector["region"]
    )

    found = authorizations(call, vector["account"])

    named = {(each["action"], each["resource"]) for each in vector["expected_authorizations"]}
    assert named <= {(need.action, need.resource) for need in found}
    assert [need.problem for need in found if need.problem] == []


def at(region: str, *actions: str) -> set[tuple[str, str]]:
    """Actions on table `t` in a region."""
    return {(action, f"arn:aws:dynamodb:{region}:{ACCOUNT}:table/t") for action in actions}


CASES: list[tuple[str, dict[str, Any], set[tuple[str, str]]]] = [
    ("GetItem", {"TableName": "t"}, {("GetItem", f"{TABLES}/t")}),
    ("Scan", {"TableName": "t", "IndexName": "i"}, {("Scan", f"{TABLES}/t/index/i")}),
    (
        "SearchVectors",
        {"TableName": "t", "IndexName": "i"},
        {("SearchVectors", f"{TABLES}/t"), ("SearchVectors", f"{TABLES}/t/index/i")},
    ),
    (
        "DescribeContributorInsights",
        {"TableName": "t"},
        at("eu-west-1", "DescribeContributorInsights"),
    ),
    ("ListTables", {}, {("ListTables", "*")}),
    ("ListExports", {}, {("ListExports", "*")}),
    ("ListImports", {"TableArn": f"{TABLES}/t"}, {("ListImports", f"{TABLES}/t")}),
    ("TagResource", {"ResourceArn": f"{TABLES}/t"}, {("TagResource", f"{TABLES}/t")}),
    (
        "DeleteBackup",
        {"BackupArn": f"{TABLES}/t/backup/b"},
        {("DeleteBackup", f"{TABLES}/t/backup/b")},
    ),
    (
        "CreateTable",
        {"TableName": "t", "Tags": [{"Key": "a", "Value": "b"}], "ResourcePolicy": "{}"},
        at("eu-west-1", "CreateTable", "TagResource", "PutResourcePolicy"),
    ),
    (
        "CreateTable",
        {"TableName": "t", "GlobalTableSourceArn": f"{TABLES}/s"},
        {*at("eu-west-1", "CreateTable"), ("AssociateTableReplica", f"{TABLES}/s")},
    ),
    (
        "UpdateTable",
        {
            "TableName": "t",
            "ReplicaUpdates": [{"Create": {"RegionName": "us-east-1"}}],
            "GlobalTableWitnessUpdates": [{"Delete": {"RegionName": "us-west-2"}}],
        },
        {
            *at("eu-west-1", "UpdateTable"),
            *at("us-east-1", "CreateTable", "CreateTableReplica", *DATA),
            *at("us-west-2", "DeleteGlobalTableWitness"),
        },
    ),
    (
        "CreateGlobalTable",
        {"GlobalTableName": "t", "ReplicationGroup": [{"RegionName": "us-east-1"}]},
        {
            ("CreateGlobalTable", f"arn:aws:dynamodb::{ACCOUNT}:global-table/t"),
            *at("eu-west-1", "CreateGlobalTable"),
            *at("us-east-1", "CreateGlobalTable"),
        },
    ),
    (
        "UpdateTableReplicaAutoScaling",
        {"TableName": "t", "ReplicaUpdates": [{"x": {"AutoScalingRoleArn": ROLE}}]},
        {*at("eu-west-1", "UpdateTableReplicaAutoScaling"), ("iam:PassRole", ROLE)},
    ),
    (
        "RestoreTableFromBackup",
        {"TargetTableName": "t", "BackupArn": f"{TABLES}/s/backup/b"},
        {
            ("RestoreTableFromBackup", f"{TABLES}/s/backup/b"),
            *at("eu-west-1", "RestoreTableFromBackup", *DATA),
        },
    ),
    (
        "RestoreTableToPointInTime",
        {"TargetTableName": "t", "SourceTableName": "s"},
        {("RestoreTableToPointInTime", f"{TABLES}/s"), *at("eu-west-1", *DATA)},
    ),
    (
        "ExportTableToPointInTime",
        {"TableArn": f"{TABLES}/t", "S3Bucket": "b", "S3Prefix": "p/"},
        {
            *at("eu-west-1", "ExportTableToPointInTime"),
            ("s3:PutObject", f"arn:aws:s3:::b/p/{UNKNOWN_RUN}"),
        },
    ),
    (
        "ImportTable",
        {"TableCreationParameters": {"TableName": "t"}, "S3BucketSource": {"S3Bucket": "b"}},
        {*at("eu-west-1", "ImportTable"), ("s3:GetObject", f"arn:aws:s3:::b/{UNKNOWN_RUN}")},
    ),
    (
        "StartBulkPutItems",
        {
            "TableName": "t",
            "InputS3Configuration": {"S3Bucket": "a"},
            "OutputS3Configuration": {"S3Bucket": "b"},
        },
        {
            *at("eu-west-1", "StartBulkPutItems"),
            ("s3:GetObject", f"arn:aws:s3:::a/{UNKNOWN_RUN}"),
            ("s3:PutObject", f"arn:aws:s3:::b/{UNKNOWN_RUN}"),
        },
    ),
    (
        "EnableKinesisStreamingDestination",
        {"TableName": "t", "StreamArn": STREAM},
        {
            *at("eu-west-1", "EnableKinesisStreamingDestination"),
            *(
                (f"kinesis:{name}", STREAM)
                for name in ("DescribeStream", "PutRecord", "PutRecords")
            ),
        },
    ),
    (
        "GetRecords",
        {"ShardIterator": f"{TABLES}/t/stream/2026|1|abc"},
        {("GetRecords", f"{TABLES}/t/stream/2026")},
    ),
]


@pytest.mark.parametrize(("operation", "params", "expected"), CASES)
def test_operations_need_what_the_reference_says(
    operation: str, params: dict[str, Any], expected: set[tuple[str, str]]
) -> None:
    """Action by action, resource by resource."""
    assert needs_of(operation, params) == expected


NAMES = st.text("abc-._", min_size=3, max_size=5)
MEMBERS = st.dictionaries(NAMES, st.just({"Keys": [{"id": {"S": "x"}}]}), min_size=1, max_size=5)


@given(tables=MEMBERS)
def test_a_batch_needs_what_its_tables_need_one_by_one(tables: dict[str, Any]) -> None:
    """In request order, nothing more and nothing less."""
    whole = authorizations(call_of("BatchGetItem", {"RequestItems": tables}), ACCOUNT)

    alone = [
        authorizations(call_of("BatchGetItem", {"RequestItems": {name: part}}), ACCOUNT)
        for name, part in tables.items()
    ]
    assert whole == tuple(need for each in alone for need in each)
    assert tables_of(whole) == tuple(tables)


@given(
    members=st.lists(
        st.tuples(st.sampled_from(["Put", "Update", "Delete", "ConditionCheck"]), NAMES),
        min_size=1,
        max_size=5,
    )
)
def test_a_transaction_needs_what_its_members_need_one_by_one(
    members: list[tuple[str, str]],
) -> None:
    """Each keeps the transaction's name; lists and tuples are alike."""
    items = [{kind: {"TableName": name}} for kind, name in members]
    whole = authorizations(call_of("TransactWriteItems", {"TransactItems": tuple(items)}), None)

    alone = [
        authorizations(call_of("TransactWriteItems", {"TransactItems": [item]}), None)
        for item in items
    ]
    assert whole == tuple(need for each in alone for need in each)
    assert {need.enclosing_operation for need in whole} == {"TransactWriteItems"}


@pytest.mark.parametrize(
    ("operation", "params", "expected"),
    [
        ("GetItem", {}, False),
        ("BatchGetItem", {}, False),
        ("TransactGetItems", {}, False),
        ("SearchVectors", {}, False),
        ("PutItem", {}, True),
        ("UpdateTimeToLive", {}, True),
        ("ExecuteStatement", {"Statement": "SELECT * FROM t"}, False),
        ("ExecuteStatement", {"Statement": "DELETE FROM t"}, True),
        ("ExecuteStatement", {"Statement": "what"}, True),
        ("ExecuteStatement", None, True),
        (
            "ExecuteTransaction",
            {
                "TransactStatements": [
                    {"Statement": "SELECT * FROM t"},
                    {"Statement": "UPDATE t SET a=1"},
                ]
            },
            True,
        ),
    ],
)
def test_reads_and_writes_are_told_apart(operation: str, params: Any, expected: bool) -> None:
    """What is not certain counts as a write."""
    assert is_write("dynamodb", operation, params) is expected


@pytest.mark.parametrize(
    ("service", "operation"), [("logs", "FilterLogEvents"), ("cloudtrail", "LookupEvents")]
)
def test_searches_of_other_services_are_reads(service: str, operation: str) -> None:
    """Their verbs are not among those of DynamoDB."""
    assert not is_write(service, operation, {})
