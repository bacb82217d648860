"""Every DynamoDB operation: which IAM actions it needs, on which resources.

Source: Service Authorization Reference, Actions, resources, and condition keys for Amazon
DynamoDB; the pages of the operations where they name further permissions. Operations that are not
in the reference yet use their own name as the action.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from dynaguard.aws.arns import NAME_CHARS, Place, is_arn, is_made_of, values_named
from dynaguard.aws.dynamodb.resources import (
    SERVICE,
    on_arn,
    on_everything,
    on_replica,
    on_table,
    unknown_resource,
)
from dynaguard.call import UNKNOWN_RUN, Authorization, Call

Needs = Iterator[Authorization] | tuple[Authorization, ...]
Reader = Callable[[Call, Place], Needs]

_TARGET_DATA_ACTIONS: Final = (
    "PutItem",
    "UpdateItem",
    "DeleteItem",
    "GetItem",
    "Query",
    "Scan",
    "BatchWriteItem",
)
_NEW_REPLICA_ACTIONS: Final = (
    "CreateTable",
    "CreateTableReplica",
    "GetItem",
    "PutItem",
    "UpdateItem",
    "DeleteItem",
    "Query",
    "Scan",
    "BatchWriteItem",
)
_MAX_BUCKET_LENGTH: Final = 255
_KINESIS_ACTIONS: Final = ("DescribeStream", "PutRecord", "PutRecords")
_OLD_REPLICA_ACTIONS: Final = ("DeleteTable", "DeleteTableReplica")


def _table(call: Call, place: Place) -> tuple[Authorization]:
    """Same action, on the table of `TableName`."""
    params = call.params
    return (on_table(call.operation, place, params.get("TableName"), member=params),)


def _table_or_index(call: Call, place: Place) -> tuple[Authorization]:
    """Same action, on the index where one is named, else on the table."""
    params = call.params
    name, index = params.get("TableName"), params.get("IndexName")
    return (on_table(call.operation, place, name, index=index, member=params),)


def _table_and_index(call: Call, place: Place) -> Iterator[Authorization]:
    """Same action, on the table, and on the index where one is named."""
    params = call.params
    yield on_table(call.operation, place, params.get("TableName"), member=params)
    if params.get("IndexName") is not None:
        yield from _table_or_index(call, place)


def _table_or_all(parameter: str) -> Reader:
    """Same action on the table whose ARN a parameter holds; on `*` without it."""

    def read(call: Call, _place: Place) -> tuple[Authorization]:
        value = call.params.get(parameter)
        if value is None:
            return (on_everything(call.operation, call.params),)
        return (on_arn(call.operation, value, parameter, call.params),)

    return read


def _arn(parameter: str) -> Reader:
    """Same action, on the resource whose ARN a parameter holds."""

    def read(call: Call, _place: Place) -> tuple[Authorization]:
        return (on_arn(call.operation, call.params.get(parameter), parameter, call.params),)

    return read


def _everything(call: Call, _place: Place) -> tuple[Authorization]:
    """Same action on `*`."""
    return (on_everything(call.operation, call.params),)


def _batch(call: Call, place: Place) -> Iterator[Authorization]:
    """Same action (not the item actions) on each table of `RequestItems`."""
    requests = call.params.get("RequestItems")
    if not isinstance(requests, Mapping) or not requests:
        yield unknown_resource(call.operation, "`RequestItems` names no table", call.params)
        return
    for name, entry in requests.items():
        member = entry if isinstance(entry, Mapping) else {"Requests": entry}
        yield on_table(call.operation, place, name, member=member)


def _transaction(call: Call, place: Place) -> Iterator[Authorization]:
    """The action of each member on its table."""
    members = call.params.get("TransactItems")
    if not isinstance(members, list | tuple) or not members:
        yield unknown_resource(call.operation, "`TransactItems` has no members", call.params)
        return
    for member in members:
        yield _transaction_member(call, place, member)


def _transaction_member(call: Call, place: Place, member: Any) -> Authorization:
    """One member: `{"Put": {...}}`, `{"ConditionCheck": {...}}` ..."""
    if isinstance(member, Mapping) and len(member) == 1:
        kind, params = next(iter(member.items()))
        action = _ACTION_BY_MEMBER.get(kind)
        if action is not None and isinstance(params, Mapping):
            name = params.get("TableName")
            return on_table(action, place, name, member=params, enclosing=call.operation)
    problem = "a member of `TransactItems` is of no known kind"
    return unknown_resource(UNKNOWN_RUN, problem, call.params)


_ACTION_BY_MEMBER: Final = {
    "Get": "GetItem",
    "Put": "PutItem",
    "Update": "UpdateItem",
    "Delete": "DeleteItem",
    "ConditionCheck": "ConditionCheckItem",
}


def _create_table(call: Call, place: Place) -> Iterator[Authorization]:
    """CreateTable, and what its tags and resource policy need."""
    params = call.params
    name = params.get("TableName")
    yield on_table("CreateTable", place, name, member=params)
    if params.get("Tags"):
        yield on_table("TagResource", place, name, member=params)
    if params.get("ResourcePolicy"):
        yield on_table("PutResourcePolicy", place, name, member=params)
    source = params.get("GlobalTableSourceArn")
    if source is not None:
        yield on_arn("AssociateTableReplica", source, "GlobalTableSourceArn", params)


def _update_table(call: Call, place: Place) -> Iterator[Authorization]:
    """UpdateTable, and in the other regions what replicas and witnesses need."""
    params = call.params
    name = params.get("TableName")
    yield on_table("UpdateTable", place, name, member=params)
    for update in params.get("ReplicaUpdates") or ():
        yield from _replica(update, params, place)
    for update in params.get("GlobalTableWitnessUpdates") or ():
        for kind, settings in _entries(update):
            action = f"{kind}GlobalTableWitness"
            yield on_replica(action, place, name, _region(settings), params)


def _replica(update: Any, params: Mapping[str, Any], place: Place) -> Iterator[Authorization]:
    """What one entry of `ReplicaUpdates` needs in its region."""
    for kind, settings in _entries(update):
        actions = {"Create": _NEW_REPLICA_ACTIONS, "Delete": _OLD_REPLICA_ACTIONS}.get(
            kind, ("UpdateTable",)
        )
        for action in actions:
            name = params.get("TableName")
            yield on_replica(action, place, name, _region(settings), params)


def _entries(update: Any) -> list[tuple[str, Any]]:
    """Kind and settings of an update entry: `{"Create": {...}}`."""
    return [*update.items()] if isinstance(update, Mapping) else [("Unknown", {})]


def _region(settings: Any) -> Any:
    """The region that an entry names."""
    return settings.get("RegionName") if isinstance(settings, Mapping) else None


def _restore_from_backup(call: Call, place: Place) -> Iterator[Authorization]:
    """The backup, and the data actions on the table that is made."""
    params = call.params
    target = params.get("TargetTableName")
    yield on_arn(call.operation, params.get("BackupArn"), "BackupArn", params)
    for action in (call.operation, *_TARGET_DATA_ACTIONS):
        yield on_table(action, place, target, member=params)


def _restore_to_point_in_time(call: Call, place: Place) -> Iterator[Authorization]:
    """The source table, and the data actions on the table that is made."""
    params = call.params
    named = [params.get(name) for name in ("SourceTableArn", "SourceTableName")]
    for source in [name for name in named if name is not None] or [None]:
        yield on_table(call.operation, place, source, member=params)
    for action in _TARGET_DATA_ACTIONS:
        yield on_table(action, place, params.get("TargetTableName"), member=params)


def _import_table(call: Call, place: Place) -> Iterator[Authorization]:
    """The table that is made, and the objects that it is made from."""
    creation = call.params.get("TableCreationParameters")
    name = creation.get("TableName") if isinstance(creation, Mapping) else None
    yield on_table(call.operation, place, name, member=call.params)
    yield _on_objects("GetObject", place, call.params.get("S3BucketSource"), call.params)


def _export_table(call: Call, place: Place) -> Iterator[Authorization]:
    """The table, and the objects that its data goes to."""
    params = call.params
    yield on_arn(call.operation, params.get("TableArn"), "TableArn", params)
    target = {"S3Bucket": params.get("S3Bucket"), "S3KeyPrefix": params.get("S3Prefix")}
    yield _on_objects("PutObject", place, target, params)


def _start_bulk_put_items(call: Call, place: Place) -> Iterator[Authorization]:
    """The table, the objects that are read and those that are written."""
    params = call.params
    yield on_table(call.operation, place, params.get("TableName"), member=params)
    yield _on_objects("GetObject", place, params.get("InputS3Configuration"), params)
    yield _on_objects("PutObject", place, params.get("OutputS3Configuration"), params)


def _on_objects(
    action: str, place: Place, location: Any, member: Mapping[str, Any]
) -> Authorization:
    """An S3 action on the objects below a prefix; how their names go on is not known."""
    bucket, prefix = None, ""
    if isinstance(location, Mapping):
        bucket, prefix = location.get("S3Bucket"), location.get("S3KeyPrefix") or ""
    if not is_made_of(bucket, NAME_CHARS, _MAX_BUCKET_LENGTH) or not isinstance(prefix, str):
        problem = "the bucket is not named"
        return Authorization(f"s3:{action}", UNKNOWN_RUN, member, problem=problem)
    resource = f"arn:{place.partition}:s3:::{bucket}/{prefix}{UNKNOWN_RUN}"
    return Authorization(f"s3:{action}", resource, member)


def _kinesis_destination(call: Call, place: Place) -> Iterator[Authorization]:
    """The table, and the stream that its changes go to."""
    params = call.params
    yield on_table(call.operation, place, params.get("TableName"), member=params)
    stream = params.get("StreamArn")
    is_clear = is_arn(stream, "kinesis")
    resource = str(stream) if is_clear else UNKNOWN_RUN
    problem = None if is_clear else "`StreamArn` is no Kinesis ARN"
    for action in _KINESIS_ACTIONS:
        yield Authorization(f"kinesis:{action}", resource, params, problem=problem)


def _replica_auto_scaling(call: Call, place: Place) -> Iterator[Authorization]:
    """The table, and the roles that Application Auto Scaling gets."""
    yield from _table(call, place)
    yield from _passed_roles(call.params)


def _passed_roles(params: Mapping[str, Any]) -> Iterator[Authorization]:
    """`iam:PassRole` for each auto scaling role in the parameters."""
    for role in values_named(params, "AutoScalingRoleArn"):
        resource = str(role) if is_arn(role, "iam") else UNKNOWN_RUN
        yield Authorization("iam:PassRole", resource, params)


def _global_table(call: Call, place: Place) -> Iterator[Authorization]:
    """The global table (an ARN without region), and for changes each replica that it names."""
    name = call.params.get("GlobalTableName")
    if not isinstance(name, str) or not name or ":" in name or "/" in name:
        problem = "`GlobalTableName` is no table name"
        yield unknown_resource(call.operation, problem, call.params)
        return
    nowhere = Place(place.partition, "", place.account)
    resource = nowhere.arn(SERVICE, f"global-table/{name}")
    yield Authorization(f"dynamodb:{call.operation}", resource, call.params, table_name=name)
    if not call.operation.startswith("Describe"):
        yield on_table(call.operation, place, name, member=call.params)
    for region in values_named(call.params, "RegionName"):
        yield on_replica(call.operation, place, name, region, call.params)
    yield from _passed_roles(call.params)


def _partiql(call: Call, place: Place) -> Iterator[Authorization]:
    """What PartiQL statements need."""
    from dynaguard.aws.dynamodb.partiql.statements import partiql_authorizations  # its parser

    return partiql_authorizations(call, place)


def _shard_records(call: Call, _place: Place) -> tuple[Authorization]:
    """The stream whose ARN stands before the bar of the shard iterator."""
    iterator = call.params.get("ShardIterator")
    stream = iterator.partition("|")[0] if isinstance(iterator, str) else None
    return (on_arn("GetRecords", stream, "ShardIterator", call.params),)


_TABLE_OPERATIONS: Final = (
    "GetItem PutItem UpdateItem DeleteItem DeleteTable DescribeTable UpdateTimeToLive "
    "DescribeTimeToLive UpdateContinuousBackups DescribeContinuousBackups CreateBackup "
    "DescribeTableReplicaAutoScaling DescribeKinesisStreamingDestination "
    "DisableKinesisStreamingDestination"
).split()
_EVERYTHING_OPERATIONS: Final = (
    "ListTables ListBackups ListGlobalTables ListContributorInsights DescribeLimits "
    "DescribeEndpoints ListBulkOperations ListStreams"
).split()
_RESOURCE_ARN_OPERATIONS: Final = (
    "TagResource UntagResource ListTagsOfResource GetResourcePolicy PutResourcePolicy "
    "DeleteResourcePolicy"
).split()

READER_BY_OPERATION: Final[Mapping[str, Reader]] = {
    **dict.fromkeys(_TABLE_OPERATIONS, _table),
    **dict.fromkeys(_EVERYTHING_OPERATIONS, _everything),
    **dict.fromkeys(_RESOURCE_ARN_OPERATIONS, _arn("ResourceArn")),
    **dict.fromkeys(("Query", "Scan"), _table_or_index),
    **dict.fromkeys(("BatchGetItem", "BatchWriteItem"), _batch),
    **dict.fromkeys(("TransactGetItems", "TransactWriteItems"), _transaction),
    **dict.fromkeys(
        ("ExecuteStatement", "BatchExecuteStatement", "ExecuteTransaction"),
        _partiql,
    ),
    **dict.fromkeys(
        ("SearchVectors", "DescribeContributorInsights", "UpdateContributorInsights"),
        _table_and_index,
    ),
    **dict.fromkeys(("DescribeBackup", "DeleteBackup"), _arn("BackupArn")),
    **dict.fromkeys(("CancelBulkOperation", "DescribeBulkOperation"), _arn("BulkOperationArn")),
    **dict.fromkeys(("DescribeStream", "GetShardIterator"), _arn("StreamArn")),
    **dict.fromkeys(("ListExports", "ListImports"), _table_or_all("TableArn")),
    **dict.fromkeys(
        (
            "CreateGlobalTable",
            "UpdateGlobalTable",
            "UpdateGlobalTableSettings",
            "DescribeGlobalTable",
            "DescribeGlobalTableSettings",
        ),
        _global_table,
    ),
    "CreateTable": _create_table,
    "UpdateTable": _update_table,
    "RestoreTableFromBackup": _restore_from_backup,
    "RestoreTableToPointInTime": _restore_to_point_in_time,
    "ExportTableToPointInTime": _export_table,
    "StartBulkPutItems": _start_bulk_put_items,
    "EnableKinesisStreamingDestination": _kinesis_destination,
    "UpdateKinesisStreamingDestination": _kinesis_destination,
    "UpdateTableReplicaAutoScaling": _replica_auto_scaling,
    "ImportTable": _import_table,
    "DescribeExport": _arn("ExportArn"),
    "DescribeImport": _arn("ImportArn"),
    "GetRecords": _shard_records,
}
"""What reads the needs of each operation of `dynamodb` and `dynamodbstreams`."""
