"""The condition keys that a policy can ask for: where each gets its value, and when it has none.

Source: IAM User Guide, AWS global condition context keys; Service Authorization Reference,
condition keys for Amazon DynamoDB; keys under `dynaguard:` are this project's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class ConditionKey:
    """One row of the table.

    Attributes:
        name: As IAM spells it; `*` stands for a suffix.
        kind: `String`, `Numeric`, `Date`, `Bool`, `ARN`, `IPAddress`.
        is_multivalued: Whether it needs `ForAllValues` or `ForAnyValue`.
        source: Where its value comes from.
        absent: When it is known to be absent.
        unknown: When it is unknown.
    """

    name: str
    kind: str
    source: str
    absent: str = "never"
    unknown: str = "never"
    is_multivalued: bool = False


_IDENTITY: Final = "the identity is not known"
_CONTEXT: Final = "unless given in `[context]`"
_SCHEMA: Final = "no key schema (`[tables]`, seen in passing, or looked up); not understood"
_NOT_UNDERSTOOD: Final = "an expression or statement is not understood"
_TAGS: Final = "tags in a form that is not read, or of a service without a module of its own"

CONDITION_KEYS: Final = (
    ConditionKey("aws:CurrentTime", "Date", "the local clock"),
    ConditionKey("aws:EpochTime", "Date", "the local clock"),
    ConditionKey("aws:RequestedRegion", "String", "the client's region", unknown="no region"),
    ConditionKey(
        "aws:SecureTransport", "Bool", "scheme of the endpoint", unknown="no endpoint is known"
    ),
    ConditionKey(
        "aws:PrincipalArn", "ARN", "the identity; the role of an assumed role", unknown=_IDENTITY
    ),
    ConditionKey("aws:PrincipalAccount", "String", "account of the identity", unknown=_IDENTITY),
    ConditionKey("aws:PrincipalType", "String", "`AssumedRole` or `User`", unknown=_IDENTITY),
    ConditionKey("aws:username", "String", "name of an IAM user", "for roles", _IDENTITY),
    ConditionKey("aws:userid", "String", "`[context]`", unknown=_CONTEXT),
    ConditionKey(
        "aws:ResourceAccount", "String", "account in the resource's ARN", unknown="not in the ARN"
    ),
    ConditionKey("aws:RequestTag/*", "String", "`Tags` of the call", "no such tag", _TAGS),
    ConditionKey(
        "aws:TagKeys",
        "String",
        "`Tags` or `TagKeys` of the call",
        "no tags",
        _TAGS,
        is_multivalued=True,
    ),
    ConditionKey("aws:PrincipalTag/*", "String", "`[context]`", unknown=_CONTEXT),
    ConditionKey("aws:ResourceTag/*", "String", "`[context]`", unknown=_CONTEXT),
    ConditionKey("aws:PrincipalOrgID", "String", "`[context]`", unknown=_CONTEXT),
    ConditionKey("aws:SourceIp", "IPAddress", "`[context]`", unknown=_CONTEXT),
    ConditionKey("aws:SourceVpc", "String", "`[context]`", unknown=_CONTEXT),
    ConditionKey("aws:SourceVpce", "String", "`[context]`", unknown=_CONTEXT),
    ConditionKey("aws:MultiFactorAuthPresent", "Bool", "`[context]`", unknown=_CONTEXT),
    ConditionKey("aws:TokenIssueTime", "Date", "`[context]`", unknown=_CONTEXT),
    ConditionKey(
        "dynamodb:LeadingKeys",
        "String",
        "partition key values in keys, items, key conditions, legacy conditions and PartiQL, with "
        "the table's key schema",
        "Scan, PartiQL that fixes no partition key, table operations",
        _SCHEMA,
        is_multivalued=True,
    ),
    ConditionKey(
        "dynamodb:FirstPartitionKeyValues",
        "String",
        "the same as `dynamodb:LeadingKeys`",
        "as there",
        "as there",
        is_multivalued=True,
    ),
    *(
        ConditionKey(
            f"dynamodb:{ordinal}PartitionKeyValues",
            "String",
            f"values of the {ordinal.lower()} partition key attribute of an index",
            "the key has fewer",
            _SCHEMA,
            is_multivalued=True,
        )
        for ordinal in ("Second", "Third", "Fourth")
    ),
    ConditionKey(
        "dynamodb:Attributes",
        "String",
        "top-level attributes named in keys, items, expressions (both sides of updates), legacy "
        "parameters and PartiQL",
        "table operations",
        _NOT_UNDERSTOOD,
        is_multivalued=True,
    ),
    ConditionKey(
        "dynamodb:Select",
        "String",
        "`Select`, or what the projection and index imply",
        "writes",
        "PartiQL that is not understood",
    ),
    ConditionKey(
        "dynamodb:ReturnValues",
        "String",
        "`ReturnValues`, else `NONE`",
        "reads, PartiQL without RETURNING",
        "PartiQL with RETURNING",
    ),
    ConditionKey(
        "dynamodb:ReturnConsumedCapacity",
        "String",
        "`ReturnConsumedCapacity` of the call, else `NONE`",
        "table operations",
    ),
    ConditionKey(
        "dynamodb:EnclosingOperation", "String", "the transaction", "outside of transactions"
    ),
    ConditionKey(
        "dynamodb:FullTableScan",
        "Bool",
        "whether the WHERE clause of a PartiQL SELECT leaves the partition key open",
        "other than PartiQLSelect",
        _SCHEMA,
    ),
    ConditionKey("s3:prefix", "String", "`Prefix`", "not given"),
    ConditionKey("s3:delimiter", "String", "`Delimiter`", "not given"),
    ConditionKey("s3:max-keys", "Numeric", "`MaxKeys`", "not given"),
    ConditionKey("s3:VersionId", "String", "`VersionId`", "not given"),
    ConditionKey("kms:RequestAlias", "String", "`KeyId`, where it is an alias", "no alias"),
    ConditionKey("secretsmanager:SecretId", "ARN", "`SecretId` as passed", "not given"),
    ConditionKey("dynaguard:Identity", "String", "name of the identity"),
    ConditionKey(
        "dynaguard:Group",
        "String",
        "groups of the identity",
        "in no group",
        "not all ARNs of the identity are known",
        is_multivalued=True,
    ),
    ConditionKey("dynaguard:ActingAs", "String", "`acting_as()`", "nobody acts"),
    ConditionKey("dynaguard:Job", "String", "`job()`", "outside of a job"),
    ConditionKey("dynaguard:RunId", "String", "`job(run_id=...)`", "not given"),
    ConditionKey("dynaguard:Stage", "String", "`job(stage=...)`", "not given"),
    ConditionKey(
        "dynaguard:Runbook",
        "String",
        "run of a runbook, setting `runbook`",
        "outside of a runbook",
    ),
    ConditionKey(
        "dynaguard:RunbookSha256",
        "String",
        "content hash of the runbook that runs; the name alone (setting `runbook`) gives none",
        "outside of a run",
    ),
    ConditionKey("dynaguard:Task", "String", "`task()`, or the run of a runbook", "in no task"),
    ConditionKey(
        "dynaguard:Environment",
        "String",
        "setting or variable `environment`",
        unknown="not given",
    ),
    ConditionKey("dynaguard:Service", "String", "botocore's service name"),
    ConditionKey("dynaguard:Operation", "String", "the operation"),
    ConditionKey("dynaguard:TableName", "String", "the table", "no table"),
    ConditionKey("dynaguard:IndexName", "String", "the index", "no index"),
    ConditionKey("dynaguard:Limit", "Numeric", "`Limit`", "not given"),
    ConditionKey(
        "dynaguard:ConsistentRead",
        "Bool",
        "`ConsistentRead`, else false",
        "writes, transactions",
    ),
    ConditionKey(
        "dynaguard:WrittenAttributes",
        "String",
        "attributes that a call puts, sets, removes, adds to or deletes from",
        "reads, deletes, table operations",
        _NOT_UNDERSTOOD,
        is_multivalued=True,
    ),
    ConditionKey(
        "dynaguard:FilteredAttributes",
        "String",
        "attributes in key conditions, filters and conditions",
        "none is named",
        _NOT_UNDERSTOOD,
        is_multivalued=True,
    ),
    ConditionKey(
        "dynaguard:ReturnedAttributes",
        "String",
        "attributes that a projection limits the answer to",
        "nothing is returned (writes by default, `Select` COUNT)",
        "whole items are returned; not understood",
        is_multivalued=True,
    ),
    ConditionKey("dynaguard:HasFilter", "Bool", "a filter is given", unknown="PartiQL with WHERE"),
    ConditionKey(
        "dynaguard:HasCondition", "Bool", "a condition is given", unknown="PartiQL but INSERT"
    ),
    ConditionKey(
        "dynaguard:ReturnValuesOnConditionCheckFailure",
        "String",
        "the parameter of that name, else `NONE`; IAM has no key for it",
        "other than writes",
    ),
    ConditionKey(
        "dynaguard:ItemCount",
        "Numeric",
        "members of the whole batch or transaction, 1 for a single item or statement",
        "Query, Scan, table operations",
    ),
    ConditionKey(
        "dynaguard:PageNumber", "Numeric", "page of a paginator, from 1", unknown="outside of one"
    ),
    ConditionKey(
        "dynaguard:ScanInEffect",
        "Bool",
        "Scan, or PartiQL that leaves the partition key open",
        unknown=_SCHEMA,
    ),
)
"""Every key with a source of its own. Other keys of `aws:` and of services are unknown."""


def condition_keys_markdown() -> str:
    """The table as Markdown, for the documentation."""
    rows = [
        "| key | type | from | known absent | unknown |",
        "|---|---|---|---|---|",
    ]
    for key in CONDITION_KEYS:
        kind = f"{key.kind}, several values" if key.is_multivalued else key.kind
        rows.append(f"| `{key.name}` | {kind} | {key.source} | {key.absent} | {key.unknown} |")
    return "\n".join(rows) + "\n"
