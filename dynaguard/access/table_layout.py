"""The table of an access store in DynamoDB: how it is made, described for others, and checked."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from dynaguard.access.dynamodb_errors import explained, refused
from dynaguard.access.dynamodb_store import INDEX, TTL_ATTRIBUTE
from dynaguard.access.table_calls import TableCallError

if TYPE_CHECKING:
    from dynaguard.access.table_calls import TableCalls

_ATTRIBUTES: Final = {"kind": "S", "id": "S", "expires": "N"}
_KEY: Final = ("kind", "id")
_INDEX_KEY: Final = ("kind", "expires")
_PROJECTED: Final = "writer"
_WAIT_S: Final = 1.0
_MAX_WAITS: Final = 60
_ACTIONS: Final = ("BatchGetItem", "GetItem", "PutItem", "Query")
_READ_ACTIONS: Final = ("BatchGetItem", "GetItem", "Query")


def create_table(
    table: str, calls: TableCalls, *, sleep: Callable[[float], None] = time.sleep
) -> bool:
    """Makes the table, with TTL, where there is none; whether it did.

    Args:
        table: Its name.
        calls: Makes the calls.
        sleep: Waits some seconds.

    Raises:
        AccessStoreError: It cannot be made, or a table of that name has another layout.

    Effects: calls AWS; blocks until the table is there, a minute at most. Safe to repeat.
    """
    name = f"dynamodb://{table}"
    is_new = _description(table, calls, name) is None
    if is_new:
        try:
            calls("CreateTable", {"TableName": table, **_properties()})
        except TableCallError as err:
            if err.code != "ResourceInUseException":  # else another made it meanwhile
                raise explained(err.code, name) from err
    _wait_until_active(table, calls, name, sleep)
    check_table(table, calls)
    _enable_ttl(table, calls, name)
    return is_new


def check_table(table: str, calls: TableCalls) -> None:
    """Refuses a table that is missing, or of another layout.

    Raises:
        AccessStoreError: It is; the message says what differs.
    """
    name = f"dynamodb://{table}"
    found = _description(table, calls, name)
    if found is None:
        raise explained("ResourceNotFoundException", name)
    indexes = {each["IndexName"]: each for each in found.get("LocalSecondaryIndexes", ())}
    if _key_of(found) != _KEY:
        raise refused(
            name, "its keys are not `kind` and `id`, make a table with `dynaguard access init`"
        )
    if INDEX not in indexes or _key_of(indexes[INDEX]) != _INDEX_KEY:
        raise refused(
            name,
            f"it has no local index `{INDEX}` on `kind` and `expires`, which no table can be "
            "given later, make a new one with `dynaguard access init`",
        )


def _description(table: str, calls: TableCalls, name: str) -> Mapping[str, Any] | None:
    """DescribeTable's `Table`, or None where there is none."""
    try:
        found: Mapping[str, Any] = calls("DescribeTable", {"TableName": table})["Table"]
    except TableCallError as err:
        if err.code == "ResourceNotFoundException":
            return None
        raise explained(err.code, name) from err
    return found


def _wait_until_active(
    table: str, calls: TableCalls, name: str, sleep: Callable[[float], None]
) -> None:
    """Waits until the table can be used."""
    for _ in range(_MAX_WAITS):
        found = _description(table, calls, name)
        if found is not None and found.get("TableStatus") == "ACTIVE":
            return
        sleep(_WAIT_S)
    raise refused(name, f"it was not there {_MAX_WAITS} seconds after it was asked for, try again")


def _enable_ttl(table: str, calls: TableCalls, name: str) -> None:
    """Has DynamoDB delete what ended long ago."""
    params = {
        "TableName": table,
        "TimeToLiveSpecification": {"Enabled": True, "AttributeName": TTL_ATTRIBUTE},
    }
    try:
        told = calls("DescribeTimeToLive", {"TableName": table})["TimeToLiveDescription"]
        if told.get("TimeToLiveStatus") not in {"ENABLED", "ENABLING"}:
            calls("UpdateTimeToLive", params)
    except TableCallError as err:
        raise explained(err.code, name) from err


def _key_of(described: Mapping[str, Any]) -> tuple[str, ...]:
    """The attributes of a key, partition key first."""
    schema = sorted(described["KeySchema"], key=lambda each: each["KeyType"] != "HASH")
    return tuple(each["AttributeName"] for each in schema)


def _schema(names: tuple[str, str]) -> list[dict[str, str]]:
    """A key in the words of the API, and of CloudFormation."""
    kinds = ("HASH", "RANGE")
    return [
        {"AttributeName": name, "KeyType": kind} for name, kind in zip(names, kinds, strict=True)
    ]


def _properties() -> dict[str, Any]:
    """The table in the words of the API, and of CloudFormation."""
    return {
        "AttributeDefinitions": [
            {"AttributeName": name, "AttributeType": kind} for name, kind in _ATTRIBUTES.items()
        ],
        "KeySchema": _schema(_KEY),
        "LocalSecondaryIndexes": [
            {
                "IndexName": INDEX,
                "KeySchema": _schema(_INDEX_KEY),
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": [_PROJECTED]},
            }
        ],
        "BillingMode": "PAY_PER_REQUEST",
    }


def cloudformation_template(table: str) -> dict[str, Any]:
    """The table as a CloudFormation template.

    Returns:
        **Shape**: `Resources` with the table and two IAM policies, of those who grant and of those
        who are guarded; `Outputs` with the ARNs of both. Deleting the stack keeps the table.
    """
    arn = {"Fn::GetAtt": ["AccessTable", "Arn"]}
    index_arn = {"Fn::Sub": f"${{AccessTable.Arn}}/index/{INDEX}"}
    policies = {"AccessWriters": _ACTIONS, "AccessReaders": _READ_ACTIONS}
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "Access store of dynaguard: grants, tickets and approvals",
        "Resources": {
            "AccessTable": {
                "Type": "AWS::DynamoDB::Table",
                "DeletionPolicy": "Retain",
                "UpdateReplacePolicy": "Retain",
                "Properties": {
                    "TableName": table,
                    **_properties(),
                    "TimeToLiveSpecification": {"AttributeName": TTL_ATTRIBUTE, "Enabled": True},
                    "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
                },
            },
            **{
                name: {
                    "Type": "AWS::IAM::ManagedPolicy",
                    "Properties": {"PolicyDocument": _document(actions, [arn, index_arn])},
                }
                for name, actions in policies.items()
            },
        },
        "Outputs": {f"{name}PolicyArn": {"Value": {"Ref": name}} for name in policies},
    }


def terraform_configuration(table: str) -> dict[str, Any]:
    """The table as a Terraform (or OpenTofu) configuration, for a file named `*.tf.json`.

    Returns:
        **Shape**: Terraform's JSON syntax: `resource` with the table and two IAM policies, as
        `cloudformation_template`.
    """
    arn = "${aws_dynamodb_table.access.arn}"
    policies = {"access_writers": _ACTIONS, "access_readers": _READ_ACTIONS}
    documents = {
        name: {
            "statement": [
                {
                    "actions": [f"dynamodb:{action}" for action in actions],
                    "resources": [arn, f"{arn}/index/{INDEX}"],
                }
            ]
        }
        for name, actions in policies.items()
    }
    return {
        "//": "Access store of dynaguard: grants, tickets and approvals",
        "data": {"aws_iam_policy_document": documents},
        "resource": {
            "aws_dynamodb_table": {"access": _terraform_table(table)},
            "aws_iam_policy": {
                name: {"policy": f"${{data.aws_iam_policy_document.{name}.json}}"}
                for name in policies
            },
        },
    }


def _terraform_table(table: str) -> dict[str, Any]:
    """The `aws_dynamodb_table`."""
    hash_key, range_key = _KEY
    return {
        "name": table,
        "billing_mode": "PAY_PER_REQUEST",
        "hash_key": hash_key,
        "range_key": range_key,
        "attribute": [{"name": name, "type": kind} for name, kind in _ATTRIBUTES.items()],
        "local_secondary_index": [
            {
                "name": INDEX,
                "range_key": _INDEX_KEY[1],
                "projection_type": "INCLUDE",
                "non_key_attributes": [_PROJECTED],
            }
        ],
        "ttl": {"attribute_name": TTL_ATTRIBUTE, "enabled": True},
        "point_in_time_recovery": {"enabled": True},
        "lifecycle": {"prevent_destroy": True},
    }


def _document(actions: tuple[str, ...], resources: list[Any]) -> dict[str, Any]:
    """An IAM policy document."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": [f"dynamodb:{action}" for action in actions],
                "Resource": resources,
            }
        ],
    }
