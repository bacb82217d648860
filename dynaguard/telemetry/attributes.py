"""What a span and the metrics say about a call. Pure: values in, attributes out.

INVARIANT: of the parameters only counts and switches are read, never a key or a value.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Hashable, Iterable, Mapping
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from dynaguard.aws.analysis import authorizations, tables_of
from dynaguard.call import (
    BudgetState,
    Call,
    ConsumedCapacity,
    Decision,
    Outcome,
    Principal,
    Status,
)
from dynaguard.errors import readable_arn
from dynaguard.telemetry import names

if TYPE_CHECKING:
    from dynaguard.budgets.load import Cause

Attributes = dict[str, str | bool | int | float | tuple[str, ...]]
"""Names and values. INVARIANT: a value is of just these types, so that nobody has to check it."""

MAX_REASONS: Final = 10
"""Most reasons of one throttle that an event names."""

_DEFAULT_PORT_BY_SCHEME: Final = {"https": 443, "http": 80}
_LEAST_BATCH: Final = 2
_MEMBERS_BY_OPERATION: Final = {
    "BatchExecuteStatement": "Statements",
    "BatchGetItem": "RequestItems",
    "BatchWriteItem": "RequestItems",
    "ExecuteTransaction": "TransactStatements",
    "TransactGetItems": "TransactItems",
    "TransactWriteItems": "TransactItems",
}

_READS: Final = frozenset({"GetItem", "Query", "Scan"})
BATCHES: Final = frozenset(_MEMBERS_BY_OPERATION)
TELLING_REQUESTS: Final = _READS | BATCHES
"""Operations whose parameters `request_attributes` may find something in."""
_READ_OPTIONS: Final = (
    ("ConsistentRead", names.AWS_DYNAMODB_CONSISTENT_READ, bool),
    ("Limit", names.AWS_DYNAMODB_LIMIT, int),
    ("ScanIndexForward", names.AWS_DYNAMODB_SCAN_FORWARD, bool),
    ("Segment", names.AWS_DYNAMODB_SEGMENT, int),
    ("TotalSegments", names.AWS_DYNAMODB_TOTAL_SEGMENTS, int),
)


def batch_size(call: Call) -> int:
    """The number of members of a batch or transaction; 0 for every other call.

    Parameters may be malformed in any way; what cannot be counted counts nothing.
    """
    key = _MEMBERS_BY_OPERATION.get(call.operation) if call.service == "dynamodb" else None
    members = call.params.get(key) if key and isinstance(call.params, Mapping) else None
    if isinstance(members, Mapping):
        return sum(_members_of_table(each) for each in members.values())
    return len(members) if isinstance(members, list | tuple) else 0


def span_start(call: Call, service_id: str) -> tuple[str, Attributes]:
    """A span's name, and what samplers may look at: what is known before the call is decided.

    The name is `DynamoDB.GetItem`; with two or more members `BATCH DynamoDB.BatchGetItem`. The
    attributes are the same for every call of one kind: callers must not change them.

    Cost: one look-up, but for batches, whose members are counted.
    """
    kind = (call.service, service_id, call.operation, call.region, call.endpoint_url)
    name, attributes = _span_start(*kind)
    if call.operation in BATCHES and batch_size(call) >= _LEAST_BATCH:
        name = f"BATCH {name}"
    return name, attributes


@functools.lru_cache(maxsize=1024)
def _span_start(
    service: str, service_id: str, operation: str, region: str | None, endpoint_url: str | None
) -> tuple[str, Attributes]:
    """The same, by what it depends on, for all but batches."""
    return f"{service_id}.{operation}", {
        names.RPC_SYSTEM_NAME: names.AWS_API,
        names.RPC_METHOD: f"{service_id}/{operation}",
        **_place_attributes(service, operation, region, endpoint_url),
    }


def place_attributes(call: Call) -> Attributes:
    """The database operation, and where it goes."""
    return _place_attributes(call.service, call.operation, call.region, call.endpoint_url)


def _place_attributes(
    service: str, operation: str, region: str | None, endpoint_url: str | None
) -> Attributes:
    """The same, by what it depends on."""
    attributes: Attributes = {**server(endpoint_url)}
    if service == "dynamodb":
        attributes[names.DB_SYSTEM_NAME] = names.AWS_DYNAMODB
        attributes[names.DB_OPERATION_NAME] = operation
    add(attributes, names.CLOUD_REGION, region)
    return attributes


def attempt_attributes(
    attempt: int, error_code: str | None, wait_s: float, causes: Iterable[Cause] = ()
) -> Attributes:
    """An attempt that did not end well; of a throttle its reasons, as far as AWS gave them."""
    attributes: Attributes = {
        names.ATTEMPT_NUMBER: attempt,
        names.WAIT_S: round(wait_s, 6),
        names.ERROR_TYPE: error_code or names.ERROR_TYPE_OTHER,
    }
    found = list(dict.fromkeys(causes))[:MAX_REASONS]
    if found:
        attributes[names.THROTTLE_REASONS] = tuple(
            [each.reason or each.limit.value for each in found]
        )
        attributes[names.THROTTLE_RESOURCES] = tuple(
            [each.resource if each.resource.startswith("arn:") else "" for each in found]
        )
    return attributes


def scope_attributes(call: Call) -> Attributes:
    """What surrounds a call."""
    scope = call.scope
    attributes: Attributes = {
        names.CORRELATION_ID: call.correlation_id,
        names.PRIORITY: scope.priority.value,
    }
    add(attributes, names.JOB, scope.job)
    add(attributes, names.RUN_ID, scope.run_id)
    add(attributes, names.STAGE, scope.stage)
    add(attributes, names.RUNBOOK, scope.runbook)
    add(attributes, names.TASK, scope.task)
    if scope.boundaries:
        attributes[names.BOUNDARIES] = tuple([each.name for each in scope.boundaries])
    return attributes


def identity_attributes(principal: Principal) -> Attributes:
    """Who calls."""
    attributes: Attributes = {
        names.IDENTITY_NAME: principal.name,
        names.IDENTITY_KIND: principal.kind.value,
    }
    add(attributes, names.IDENTITY_ARN, principal.arn and readable_arn(principal.arn))
    add(attributes, names.IDENTITY_SESSION_NAME, principal.session_name)
    add(attributes, names.IDENTITY_ACTING_AS, principal.acting_name)
    add(attributes, names.IDENTITY_OWNER, principal.owner)
    add(attributes, names.IDENTITY_FUNCTION_VERSION, principal.function_version)
    add(attributes, names.IDENTITY_SERVICE_ACCOUNT, principal.service_account)
    add(attributes, names.CLOUD_ACCOUNT_ID, principal.account_id)
    return attributes


def decision_attributes(decision: Decision | None) -> Attributes:
    """What was decided, and by which statement; nothing where nothing was."""
    if decision is None:
        return {}
    attributes: Attributes = {
        names.DECISION: decision.verdict.value,
        names.DECISION_IS_ENFORCED: decision.is_enforced,
    }
    if decision.statement is not None:
        attributes[names.SECURITY_RULE_NAME] = decision.statement.sid
        attributes[names.SECURITY_RULE_RULESET_NAME] = decision.statement.source
    if decision.observed:
        attributes[names.DECISION_OBSERVED] = tuple([ref.sid for ref in decision.observed])
    add(attributes, names.DECISION_REASON, decision.reason or None)
    if decision.grants:
        attributes[names.GRANT_ID] = tuple([grant.id for grant in decision.grants])
        attributes[names.BREAK_GLASS] = any(grant.is_break_glass for grant in decision.grants)
    if decision.approval is not None:
        attributes[names.APPROVAL_TICKET] = decision.approval.ticket
    return attributes


def target_attributes(call: Call, principal: Principal, decision: Decision | None) -> Attributes:
    """The tables and the index that a DynamoDB call touches.

    Without a policy and audit nobody has read the parameters yet: that happens here.
    """
    if call.service != "dynamodb":
        return {}
    needs = decision.authorizations if decision else ()
    needs = needs or authorizations(call, principal.account_id)
    tables = tuple([readable_arn(table) for table in tables_of(needs)])
    indexes = {need.index_name for need in needs if need.index_name is not None}
    attributes: Attributes = {}
    if tables:
        attributes[names.AWS_DYNAMODB_TABLE_NAMES] = tables
    if len(tables) == 1:
        attributes[names.DB_COLLECTION_NAME] = tables[0]
    if len(indexes) == 1:
        attributes[names.AWS_DYNAMODB_INDEX_NAME] = readable_arn(indexes.pop())
    return attributes


def request_attributes(call: Call) -> Attributes:
    """What the parameters of a DynamoDB call say about its size: counts and switches only.

    Parameters may be malformed in any way; what is not of its type is left out.
    """
    if call.service != "dynamodb" or not isinstance(call.params, Mapping):
        return {}
    params = call.params
    if call.operation == "GetItem":  # the most frequent one first
        consistent = params.get("ConsistentRead")
        return {names.AWS_DYNAMODB_CONSISTENT_READ: consistent} if type(consistent) is bool else {}
    if call.operation not in _READS:
        members = batch_size(call)
        return {names.DB_OPERATION_BATCH_SIZE: members} if members >= _LEAST_BATCH else {}
    given = [(name, kind, params.get(key)) for key, name, kind in _READ_OPTIONS]
    return {name: value for name, kind, value in given if type(value) is kind}


def outcome_attributes(call: Call, outcome: Outcome) -> Attributes:
    """How a call ended."""
    attributes: Attributes = {
        names.STATUS: outcome.status.value,
        names.ATTEMPTS: outcome.attempts,
    }
    if outcome.throttles:
        attributes[names.THROTTLES] = outcome.throttles
    if outcome.wait_s:
        attributes[names.WAIT_S] = round(outcome.wait_s, 6)
    if outcome.masked:
        attributes[names.MASKED_COUNT] = masked_count(outcome)
    add(attributes, names.AWS_REQUEST_ID, outcome.request_id)
    add(attributes, names.HTTP_RESPONSE_STATUS_CODE, outcome.http_status)
    add(attributes, names.RETRY_REFUSAL, outcome.budget_refusal)
    add(attributes, names.ERROR_TYPE, error_type(outcome))
    if outcome.budget is not None:
        attributes |= _budget_attributes(outcome.budget)
    if outcome.unprocessed_count:
        attributes[names.UNPROCESSED_COUNT] = outcome.unprocessed_count
    if outcome.warnings:
        attributes[names.QUERY_WARNINGS] = outcome.warnings
    if call.service == "dynamodb":
        add(attributes, names.AWS_DYNAMODB_SCANNED_COUNT, outcome.scanned_count)
        add(attributes, names.DB_RESPONSE_STATUS_CODE, response_code(outcome))
        add(attributes, names.DB_RESPONSE_RETURNED_ROWS, outcome.item_count)
        if outcome.capacity:
            attributes[names.AWS_DYNAMODB_CONSUMED_CAPACITY] = _capacity_texts(outcome.capacity)
    return attributes


def masked_count(outcome: Outcome) -> int:
    """Values that were masked, of all sorts."""
    return sum([each.value_count for each in outcome.masked])


def _budget_attributes(budget: BudgetState) -> Attributes:
    """The retry budget of a call that had trouble."""
    attributes: Attributes = {
        names.BUDGET_BUCKET: readable_arn(budget.bucket),
        names.BUDGET_TOKENS_LEFT: round(budget.tokens_left, 3),
        names.BUDGET_THROTTLE_RATIO: round(budget.throttle_ratio, 6),
    }
    if budget.rate_per_s is not None:
        attributes[names.BUDGET_RATE] = round(budget.rate_per_s, 3)
    return attributes


def error_type(outcome: Outcome) -> str | None:
    """The class of the failure, of few different values; None for a call that ended well."""
    if outcome.status is Status.ERROR or outcome.status is Status.DENIED:
        return outcome.error_code or names.ERROR_TYPE_OTHER
    return None


def response_code(outcome: Outcome) -> str | None:
    """The database's own error code; None where it answered well, or nothing at all."""
    is_answered = outcome.status is Status.ERROR and outcome.http_status is not None
    return outcome.error_code if is_answered else None


def target_key(call: Call, decision: Decision) -> Hashable:
    """What `target_attributes` depends on beside the service; None where that is not cheap."""
    needs = decision.authorizations
    if len(needs) == 1:
        return (needs[0].table_name, needs[0].index_name)
    if needs:
        return tuple([(need.table_name, need.index_name) for need in needs])
    table = given_table(call)
    index = call.params.get("IndexName") if table is not None else None
    is_plain = table is not None and (index is None or type(index) is str)
    return (call.operation, table, index) if is_plain else None


def given_table(call: Call) -> str | None:
    """The table's name or ARN, where the parameters give one for the whole call."""
    if call.service != "dynamodb" or not isinstance(call.params, Mapping):
        return None
    table = call.params.get("TableName")
    return table if type(table) is str else None


@functools.lru_cache(maxsize=256)
def server(endpoint_url: str | None) -> Mapping[str, str | int]:
    """Host and port of an endpoint; nothing where it is no URL. Callers must not change it."""
    if endpoint_url is None:
        return {}
    try:
        parts = urlsplit(endpoint_url)
        port = parts.port or _DEFAULT_PORT_BY_SCHEME.get(parts.scheme)
    except ValueError:
        return {}
    if parts.hostname is None or port is None:
        return {}
    return {names.SERVER_ADDRESS: parts.hostname, names.SERVER_PORT: port}


def _members_of_table(request: object) -> int:
    """The members of a batch for one table: a list of writes, or `{"Keys": [...]}`."""
    members = request.get("Keys") if isinstance(request, Mapping) else request
    return len(members) if isinstance(members, list | tuple) else 0


def _capacity_texts(capacity: tuple[ConsumedCapacity, ...]) -> tuple[str, ...]:
    """One text per table as the conventions write it: JSON with the API's own keys.

    What indexes consumed is in the table's sum; the audit record has it apart.
    """
    units_by_table: dict[str, list[float]] = {}
    for each in capacity:
        units = units_by_table.setdefault(each.table, [0.0, 0.0, 0.0])
        for at, more in enumerate((each.total_units, each.read_units, each.write_units)):
            units[at] += more
    names_of_units = ("CapacityUnits", "ReadCapacityUnits", "WriteCapacityUnits")
    return tuple(
        [
            json.dumps({"TableName": table, **dict(zip(names_of_units, units, strict=True))})
            for table, units in units_by_table.items()
        ]
    )


def add(attributes: Attributes, name: str, value: str | int | None) -> None:
    """Adds an attribute that has a value; exporters complain about None."""
    if value is not None:
        attributes[name] = value
