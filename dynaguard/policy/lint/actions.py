"""The IAM actions of DynamoDB, and what the lint knows about them.

Source: Service Authorization Reference, Actions, resources, and condition keys for Amazon
DynamoDB. Operations that it does not list yet count as actions of the same name. Tests compare
the table with what the request readers ask for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

PREFIX: Final = "dynamodb"

ACTIONS: Final = frozenset(
    """
    AssociateTableReplica BatchGetItem BatchWriteItem CancelBulkOperation ConditionCheckItem
    CreateBackup CreateGlobalTable CreateGlobalTableWitness CreateTable CreateTableReplica
    DeleteBackup DeleteGlobalTableWitness DeleteItem DeleteResourcePolicy DeleteTable
    DeleteTableReplica DescribeBackup DescribeBulkOperation DescribeContinuousBackups
    DescribeContributorInsights DescribeEndpoints DescribeExport DescribeGlobalTable
    DescribeGlobalTableSettings DescribeImport DescribeKinesisStreamingDestination DescribeLimits
    DescribeReservedCapacity DescribeReservedCapacityOfferings DescribeStream DescribeTable
    DescribeTableReplicaAutoScaling DescribeTimeToLive DisableKinesisStreamingDestination
    EnableKinesisStreamingDestination ExportTableToPointInTime GetAbacStatus GetItem GetRecords
    GetResourcePolicy GetShardIterator ImportTable InjectError ListBackups ListBulkOperations
    ListContributorInsights ListExports ListGlobalTables ListImports ListStreams ListTables
    ListTagsOfResource PartiQLDelete PartiQLInsert PartiQLSelect PartiQLUpdate
    PurchaseReservedCapacityOfferings PutItem PutResourcePolicy Query ReadDataForReplication
    ReplicateSettings RestoreTableFromAwsBackup RestoreTableFromBackup RestoreTableToPointInTime
    Scan SearchVectors StartAwsBackupJob StartBulkPutItems TagResource UntagResource
    UpdateAbacStatus UpdateContinuousBackups UpdateContributorInsights UpdateGlobalTable
    UpdateGlobalTableSettings UpdateGlobalTableVersion UpdateItem
    UpdateKinesisStreamingDestination UpdateTable UpdateTableReplicaAutoScaling UpdateTimeToLive
    WriteDataForReplication
    """.split()
)

ACTIONS_BY_OPERATION: Final[Mapping[str, tuple[str, ...]]] = {
    "TransactGetItems": ("GetItem",),
    "TransactWriteItems": ("PutItem", "UpdateItem", "DeleteItem", "ConditionCheckItem"),
    "ExecuteStatement": ("PartiQLSelect", "PartiQLInsert", "PartiQLUpdate", "PartiQLDelete"),
    "BatchExecuteStatement": ("PartiQLSelect", "PartiQLInsert", "PartiQLUpdate", "PartiQLDelete"),
    "ExecuteTransaction": ("PartiQLSelect", "PartiQLInsert", "PartiQLUpdate", "PartiQLDelete"),
}
"""Operations that are no IAM actions, and the actions that they need."""

UNBOUND_ACTIONS: Final = frozenset(
    """
    DescribeEndpoints DescribeLimits DescribeReservedCapacity DescribeReservedCapacityOfferings
    GetAbacStatus ListBackups ListBulkOperations ListContributorInsights ListExports
    ListGlobalTables ListImports ListStreams ListTables PurchaseReservedCapacityOfferings
    UpdateAbacStatus
    """.split()
)
"""Actions that may be asked on `*`: no ARN can stand in their place."""

UNKEYED_READS: Final = ("Scan", "PartiQLSelect", "ExportTableToPointInTime")
"""Actions that give items out, and whose calls need not name a partition key value."""

SELECTING_READS: Final = ("GetItem", "BatchGetItem", "Query", "Scan", "PartiQLSelect")
"""Reads that give every attribute back unless the call names some."""

RETURNING_WRITES: Final = ("PutItem", "UpdateItem", "DeleteItem")
"""Writes that can give the item back."""

INDEX_ACTIONS: Final = ("Query", "Scan", "PartiQLSelect")
"""Actions whose resource is the index where one is read."""

OTHER_WAYS: Final[Mapping[str, tuple[str, ...]]] = {
    "GetItem": ("BatchGetItem", "Query", "Scan", "PartiQLSelect", "ExportTableToPointInTime"),
    "Scan": ("PartiQLSelect", "ExportTableToPointInTime"),
    "PutItem": ("BatchWriteItem", "PartiQLInsert"),
    "UpdateItem": ("PartiQLUpdate",),
    "DeleteItem": ("BatchWriteItem", "PartiQLDelete"),
}
"""Actions that do what another one does, so that denying that one alone stops nothing."""
