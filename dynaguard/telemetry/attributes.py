"""What the attributes of a span and of a metric are, for one call.

INVARIANT: names, counts, codes and times only; never a key, an item value or a parameter value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from dynaguard.call import Call, Decision, Outcome, Principal, Status
from dynaguard.telemetry import names

AttributeValue = str | int | float | bool | tuple[str, ...]
DATABASE_SERVICES: Final = frozenset({"dynamodb", "dynamodbstreams"})
FAILED: Final = frozenset({Status.ERROR, Status.DENIED})
_BATCH_OPERATIONS: Final = frozenset(
    {
        "BatchExecuteStatement",
        "BatchGetItem",
        "BatchWriteItem",
        "ExecuteTransaction",
        "TransactGetItems",
        "TransactWriteItems",
    }
)
_DEFAULT_PORT_BY_SCHEME: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class StartFacts:
    """What is the same for every call of one operation of one client.

    Attributes:
        span_name: Name of an own span.
        attributes: What an own span is opened with, for samplers to see.
    """

    span_name: str
    attributes: Mapping[str, AttributeValue]


def start_facts(call: Call, service_id: str) -> StartFacts:
    """The name and first attributes of the span of `call`."""
    attributes: dict[str, AttributeValue] = {names.DB_OPERATION_NAME: call.operation}
    if call.service in DATABASE_SERVICES:
        attributes[names.DB_SYSTEM_NAME] = names.AWS_DYNAMODB
    if call.region:
        attributes[names.CLOUD_REGION] = call.region
    attributes.update(_server_attributes(call.endpoint_url))
    return StartFacts(f"{service_id}.{call.operation}", attributes)


def _server_attributes(endpoint_url: str | None) -> dict[str, AttributeValue]:
    """Host and port of an endpoint; nothing of what is no URL."""
    parts = urlsplit(endpoint_url or "")
    if not parts.hostname:
        return {}
    port = parts.port or _DEFAULT_PORT_BY_SCHEME.get(parts.scheme)
    attributes: dict[str, AttributeValue] = {names.SERVER_ADDRESS: parts.hostname}
    if port is not None:
        attributes[names.SERVER_PORT] = port
    return attributes


def identity_attributes(call: Call, principal: Principal) -> dict[str, AttributeValue]:
    """Who calls, in which scope."""
    scope = call.scope
    optional = {
        names.IDENTITY_ARN: principal.arn,
        names.IDENTITY_SESSION_NAME: principal.session_name,
        names.JOB: scope.job,
        names.RUN_ID: scope.run_id,
        names.STAGE: scope.stage,
        names.RUNBOOK: scope.runbook,
    }
    attributes: dict[str, AttributeValue] = {
        name: value for name, value in optional.items() if value is not None
    }
    attributes[names.IDENTITY_NAME] = principal.name
    attributes[names.IDENTITY_KIND] = principal.kind.value
    attributes[names.CORRELATION_ID] = call.correlation_id
    return attributes


def decision_attributes(call: Call, decision: Decision | None) -> dict[str, AttributeValue]:
    """What was decided, by which statement, on which tables."""
    if decision is None:
        return {}
    attributes: dict[str, AttributeValue] = {
        names.DECISION: decision.verdict.value,
        names.IS_ENFORCED: decision.is_enforced,
    }
    if decision.statement is not None:
        attributes[names.SECURITY_RULE_NAME] = decision.statement.sid
        attributes[names.SECURITY_RULE_RULESET_NAME] = decision.statement.source
    tables = table_names(decision)
    if tables:
        attributes[names.AWS_DYNAMODB_TABLE_NAMES] = tables
    if len(tables) == 1:
        attributes[names.DB_COLLECTION_NAME] = tables[0]
    size = len(decision.authorizations)
    if size >= 2 and call.operation in _BATCH_OPERATIONS:
        attributes[names.DB_OPERATION_BATCH_SIZE] = size
    return attributes


def outcome_attributes(call: Call, outcome: Outcome) -> dict[str, AttributeValue]:
    """How the call ended."""
    optional: dict[str, AttributeValue | None] = {
        names.AWS_REQUEST_ID: outcome.request_id,
        names.HTTP_RESPONSE_STATUS_CODE: outcome.http_status,
        names.BUDGET_REFUSAL: outcome.budget_refusal,
        names.THROTTLES: outcome.throttles or None,
        names.WAIT_S: outcome.wait_s or None,
        names.MASKED_COUNT: sum(outcome.masked.values()) or None,
    }
    attributes = {name: value for name, value in optional.items() if value is not None}
    attributes[names.ATTEMPTS] = outcome.attempts
    if outcome.capacity:
        units = sum(entry.total_units for entry in outcome.capacity)
        attributes[names.CAPACITY_UNITS] = units
    attributes.update(error_attributes(call, outcome))
    return attributes


def error_attributes(call: Call, outcome: Outcome) -> dict[str, AttributeValue]:
    """The class of the failure; nothing for a call that ended well."""
    if outcome.status not in FAILED:
        return {}
    attributes: dict[str, AttributeValue] = {names.ERROR_TYPE: outcome.error_code or "_OTHER"}
    # The code of a database's own answer only: a denial or a time-out was never answered.
    is_answered = outcome.status is Status.ERROR and outcome.http_status is not None
    if outcome.error_code and is_answered and call.service in DATABASE_SERVICES:
        attributes[names.DB_RESPONSE_STATUS_CODE] = outcome.error_code
    return attributes


def table_names(decision: Decision) -> tuple[str, ...]:
    """The distinct tables that a call touches, in request order."""
    needs = decision.authorizations
    return tuple(dict.fromkeys(need.table for need in needs if need.table is not None))
