"""Random calls of a bound runbook, and calls that differ from them in one thing."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from dynaguard.aws.analysis import authorizations, service_prefix
from dynaguard.aws.context import ContextSource
from dynaguard.aws.dynamodb.schemas import KeySchemas
from dynaguard.call import NO_CREDENTIALS, UNKNOWN, UNKNOWN_PRINCIPAL, Authorization, Call
from dynaguard.runbooks.bound import BoundRunbook
from dynaguard.runbooks.calls import StepCall, calls_of
from dynaguard.runbooks.filling import filled
from dynaguard.runbooks.model import Origin, Reference
from dynaguard.scope import EMPTY_SCOPE
from tests.runbooks.filled_calls import call_params

REGION, ACCOUNT = "eu-west-1", "123456789012"
VALUES: Mapping[str, Any] = {
    "customer_id": lambda chance: f"C-{chance.randrange(100_000):05}",
    "order_id": lambda chance: f"O-{chance.randrange(1_000_000):06}",
    "status": lambda chance: chance.choice(["paid", "packed", "shipped"]),
    "old_status": lambda chance: chance.choice(["paid", "packed", "shipped"]),
    "new_status": lambda chance: chance.choice(["delivered", "returned"]),
    "since": lambda chance: f"20{chance.randrange(15, 27)}-0{chance.randrange(1, 10)}-11",
    "email": lambda chance: f"a{chance.randrange(1_000)}@example.org",
    "day": lambda chance: f"2026-03-{chance.randrange(10, 32)}",
}
Params = dict[str, Any]


@dataclass(frozen=True)
class Mutant:
    """A call that no step makes.

    Attributes:
        kind: What differs.
        call: The call.
        account: The account that it goes to.
    """

    kind: str
    call: Call
    account: str = ACCOUNT


def make_call(
    service: str, operation: str, params: Mapping[str, Any], region: str = REGION, **more: Any
) -> Call:
    """A call as the guard sees it."""
    return Call(
        service=service,
        operation=operation,
        params=params,
        region=region,
        partition="aws",
        endpoint_url=f"https://{service}.{region}.amazonaws.com",
        credentials=NO_CREDENTIALS,
        scope=more.get("scope", EMPTY_SCOPE),
        correlation_id="c",
        service_prefix=service_prefix(service),
    )


def inside(
    bound: BoundRunbook, chance: random.Random, step: StepCall | None = None
) -> tuple[StepCall, Call]:
    """A call that the run may make: any step, any item, any page."""
    step = step or chance.choice(list(calls_of(bound.runbook)))
    template = step.template
    given: dict[Reference, Any] = {}

    def note(reference: Reference) -> None:
        if reference.origin is not Origin.PARAMETER:
            given[reference] = _runtime_value(reference, chance)

    filled(template.params, note)
    params = call_params(template, bound.values, given)
    if template.max_pages is not None and chance.random() < 0.5:
        key = {"customer_id": {"S": f"C-{chance.randrange(99_999):05}"}}
        member = "nextToken" if template.service == "logs" else "ExclusiveStartKey"
        params[member] = "token" if template.service == "logs" else key
    if "Limit" in params and chance.random() < 0.5:
        params["Limit"] = chance.randrange(1, params["Limit"] + 1)
    if template.service == "dynamodb" and template.operation != "DescribeTable":
        params.update({"ReturnConsumedCapacity": "TOTAL"} if chance.random() < 0.3 else {})
    return step, make_call(template.service, template.operation, params)


def _runtime_value(reference: Reference, chance: random.Random) -> Any:
    """What an item or the clock could give."""
    if reference.origin is Origin.ANY:
        return datetime(2026, 3, chance.randrange(1, 31), tzinfo=UTC)
    return {"S": chance.choice(["O-1", "*", "${aws:username}", "a'b", "\u202eO-2", "O\n3"])}


def outside(call: Call, chance: random.Random) -> Mutant:
    """The call with one thing changed that no step has."""
    while True:
        kind, mutate = chance.choice(_MUTATIONS)
        mutant = mutate(copy.deepcopy(dict(call.params)), call, chance)
        if mutant is not None:
            return mutant if isinstance(mutant, Mutant) else Mutant(kind, mutant)


def views(call: Call, account: str, bound: BoundRunbook) -> Iterator[dict[str, Any]]:
    """What IAM sees of a call: one mapping for each permission that it needs."""
    source = source_of(bound)
    for need in authorizations(call, account):
        lookup = source.lookup_for(call, UNKNOWN_PRINCIPAL, need)
        keys = ("dynamodb:leadingkeys", "dynamodb:attributes", "dynamodb:select")
        keys += ("dynamodb:returnvalues", "dynamodb:enclosingoperation")
        view: dict[str, Any] = {key: lookup(key) for key in keys}
        region = call.region if need.resource == "*" else ""
        yield {**view, "action": need.action, "resource": need.resource, "region": region}


def is_covered(view: Mapping[str, Any], allowed: Mapping[str, Any]) -> bool:
    """Whether what IAM sees of one call is within what it sees of another, inner one."""
    for key, value in view.items():
        if key in ("dynamodb:leadingkeys", "dynamodb:attributes"):
            if UNKNOWN in (value, allowed[key]) or not set(value) <= set(allowed[key]):
                return False
        elif value != allowed[key]:
            return False
    return True


def source_of(bound: BoundRunbook) -> ContextSource:
    """Where AWS has the values of condition keys: it knows the keys of tables."""
    return ContextSource(
        known={},
        environment=None,
        schemas=KeySchemas(bound.runbook.tables),
        utcnow=lambda: datetime(2026, 3, 1, tzinfo=UTC),
    )


def needs_of(mutant: Mutant) -> tuple[Authorization, ...]:
    """What a call needs."""
    return authorizations(mutant.call, mutant.account)


# --- mutations --------------------------------------------------------------------------------


def _same(call: Call, params: Params, **changes: Any) -> Call:
    return call._replace(params=params, **changes)


def _other_operation(params: Params, call: Call, chance: random.Random) -> Call | None:
    others = {
        "Query": ("Scan", ("TableName", "FilterExpression")),
        "Scan": ("Query", ("TableName", "FilterExpression", "ProjectionExpression")),
        "GetItem": ("DeleteItem", ("TableName", "Key")),
        "DeleteItem": ("GetItem", ("TableName", "Key")),
        "UpdateItem": ("DeleteItem", ("TableName", "Key")),
        "DescribeTable": ("DeleteTable", ("TableName",)),
        "GetMetricStatistics": ("ListMetrics", ("Namespace",)),
        "FilterLogEvents": ("DeleteLogGroup", ("logGroupName",)),
    }
    operation, members = others[call.operation]
    kept = {name: params[name] for name in members if name in params}
    return _same(call, kept, operation=operation)


def _other_table(params: Params, call: Call, chance: random.Random) -> Call | None:
    for member, names in (
        ("TableName", ("dev-orders", "prod-totals", "prod-orders-archive", "Prod-orders")),
        ("logGroupName", ("/aws/lambda/payments",)),
    ):
        if member in params:
            return _same(call, {**params, member: chance.choice(names)})
    return None


def _table_of_other_account(params: Params, call: Call, chance: random.Random) -> Call | None:
    if "TableName" not in params:
        return None
    arn = f"arn:aws:dynamodb:{REGION}:999999999999:table/{params['TableName']}"
    return _same(call, {**params, "TableName": arn})


def _other_index(params: Params, call: Call, chance: random.Random) -> Call | None:
    if call.operation not in ("Query", "Scan"):
        return None
    if "IndexName" in params:
        del params["IndexName"]
        return _same(call, params)
    return _same(call, {**params, "IndexName": "by_other"})


def _other_partition(params: Params, call: Call, chance: random.Random) -> Call | None:
    if "Key" in params:
        params["Key"]["customer_id"] = {"S": "C-99999-not"}
        return _same(call, params)
    values = params.get("ExpressionAttributeValues", {})
    for name in (":customer", ":day"):
        if call.operation == "Query" and name in values:
            values[name] = {"S": "another"}
            return _same(call, params)
    return None


def _other_sort_key(params: Params, call: Call, chance: random.Random) -> Call | None:
    if call.operation != "GetItem":
        return None
    params["Key"]["order_id"] = {"S": "O-another"}
    return _same(call, params)


def _more_attributes(params: Params, call: Call, chance: random.Random) -> Call | None:
    if "ProjectionExpression" not in params:
        return None
    text = f"{params['ProjectionExpression']}, {chance.choice(['email', 'cards', 'contact'])}"
    return _same(call, {**params, "ProjectionExpression": text})


def _no_projection(params: Params, call: Call, chance: random.Random) -> Call | None:
    if params.pop("ProjectionExpression", None) is None:
        return None
    return _same(call, params)


def _all_attributes(params: Params, call: Call, chance: random.Random) -> Call | None:
    if call.operation not in ("Query", "Scan"):
        return None
    params.pop("ProjectionExpression", None)
    return _same(call, {**params, "Select": "ALL_ATTRIBUTES"})


def _other_region(params: Params, call: Call, chance: random.Random) -> Call | None:
    return make_call(call.service, call.operation, params, region="us-east-1")


def _other_account(params: Params, call: Call, chance: random.Random) -> Mutant | None:
    if call.service == "cloudwatch":
        return None  # it goes where the credentials are; IAM decides on `*`
    return Mutant("other account", call, "210987654321")


def _other_service(params: Params, call: Call, chance: random.Random) -> Call | None:
    others = (
        ("s3", "GetObject", {"Bucket": "b", "Key": "k"}),
        ("ssm", "GetParameter", {"Name": "/db/password"}),
        ("secretsmanager", "GetSecretValue", {"SecretId": "db"}),
        ("sqs", "SendMessage", {"QueueUrl": f"https://sqs.{REGION}.amazonaws.com/1/q"}),
        ("iam", "ListUsers", {}),
    )
    return make_call(*chance.choice(others))


def _returned_item(params: Params, call: Call, chance: random.Random) -> Call | None:
    if call.operation not in ("UpdateItem", "DeleteItem"):
        return None
    return _same(call, {**params, "ReturnValues": "ALL_OLD"})


def _extra_member(params: Params, call: Call, chance: random.Random) -> Call | None:
    extra = {
        "Query": {"ScanIndexForward": True, "ConsistentRead": False},
        "Scan": {"ConsistentRead": True},
        "GetItem": {"ConsistentRead": True},
        "UpdateItem": {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"},
        "DeleteItem": {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"},
        "FilterLogEvents": {"startTime": 0},
        "GetMetricStatistics": {"Unit": "Count"},
    }.get(call.operation)
    return None if extra is None else _same(call, {**params, **extra})


def _other_filter(params: Params, call: Call, chance: random.Random) -> Call | None:
    for member in ("FilterExpression", "ConditionExpression"):
        if member in params:
            return _same(call, {**params, member: f"NOT ({params[member]})"})
    for member in ("filterPattern", "MetricName"):
        if member in params:
            return _same(call, {**params, member: "Another"})
    return None


def _no_condition(params: Params, call: Call, chance: random.Random) -> Call | None:
    if params.pop("ConditionExpression", None) is None:
        return None
    return _same(call, params)


def _higher_limit(params: Params, call: Call, chance: random.Random) -> Call | None:
    for member in ("Limit", "limit"):
        if member in params:
            return _same(call, {**params, member: 1000})
    return None


def _other_type(params: Params, call: Call, chance: random.Random) -> Call | None:
    values = params.get("ExpressionAttributeValues", {})
    if ":status" not in values and ":old" not in values:
        return None
    values[":status" if ":status" in values else ":old"] = {"N": "1"}
    return _same(call, params)


_MUTATIONS: list[tuple[str, Callable[[Params, Call, random.Random], Any]]] = [
    ("other operation", _other_operation),
    ("other table", _other_table),
    ("table of another account", _table_of_other_account),
    ("other index", _other_index),
    ("other partition key", _other_partition),
    ("other sort key", _other_sort_key),
    ("more attributes", _more_attributes),
    ("no projection", _no_projection),
    ("all attributes", _all_attributes),
    ("other region", _other_region),
    ("other account", _other_account),
    ("other service", _other_service),
    ("returned item", _returned_item),
    ("extra member", _extra_member),
    ("other filter", _other_filter),
    ("no condition", _no_condition),
    ("higher limit", _higher_limit),
    ("other type", _other_type),
]
