"""Compiles a bound runbook to IAM statements, and to those of the guard.

Each call of the runbook is filled with its values and handed to the analysis that decides calls
while it runs, so guard and compiled policy cannot understand a call differently. A value that only
shows while it runs is stood in for by a mark that no name holds; where the mark turns up in a
resource, the statement has `*` there, and nowhere else.

Left out is what follows from a call without being one of it: keys of KMS that a table is encrypted
with, roles that a service passes on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from dynaguard.access.canonical import canonical_json
from dynaguard.aws.analysis import authorizations, service_prefix
from dynaguard.aws.context import ContextSource
from dynaguard.aws.dynamodb.schemas import KeySchemas
from dynaguard.call import (
    NO_CREDENTIALS,
    UNKNOWN_CHAR,
    UNKNOWN_PRINCIPAL,
    UNKNOWN_RUN,
    Authorization,
    Call,
)
from dynaguard.runbooks.calls import StepCall
from dynaguard.runbooks.conditions import (
    EACH,
    LEADING,
    MARK,
    Conditions,
    conditions_of,
    escaped,
    of_guard,
)
from dynaguard.runbooks.filling import LIST, filled, has_references, shaped
from dynaguard.runbooks.model import Origin, Reference, Runbook
from dynaguard.runbooks.secrets import Secret
from dynaguard.runbooks.statements import Collected, Statement
from dynaguard.scope import EMPTY_SCOPE

_MOST_ITEMS: Final = 50
"""Items of a list parameter that statements name one by one."""
_WITHOUT_PLACE: Final = frozenset({"s3"})
_ARN_SERVICES: Final = frozenset(
    {"dynamodb", "kms", "lambda", "s3", "secretsmanager", "sns", "sqs", "ssm", "states"}
)


@dataclass(frozen=True, slots=True)
class RunPlace:
    """Where the calls of a run go.

    Attributes:
        partition: `aws`, `aws-cn` ...
        region: None for any.
        account_id: Twelve digits, or None for any.
    """

    partition: str
    region: str | None
    account_id: str | None


def compile_statements(
    runbook: Runbook, calls: Iterable[StepCall], values: Mapping[str, Any], place: RunPlace
) -> tuple[tuple[Statement, ...], tuple[Statement, ...]]:
    """The statements of IAM, and those of the guard.

    The guard's name no values of keys: templates hold those, and statements travel as they are.

    Args:
        runbook: Tells key schemas.
        calls: Its calls.
        values: Values of its parameters.
        place: Where they go.

    Raises:
        ValueError: A call is not understood.
    """
    source = ContextSource(
        known={},
        environment=None,
        schemas=KeySchemas(runbook.tables),
        utcnow=lambda: datetime.now(UTC),
    )
    iam, own = Collected(), Collected()
    for call in calls:
        for action, resource, conditions, sample in _wanted(call, values, place, source):
            iam.add(call.step.name, action, resource, conditions)
            own.add(call.step.name, action, resource, of_guard(conditions, sample))
    return iam.statements(), own.statements()


_Wanted = tuple[str, str, Conditions, Call]


def _wanted(
    call: StepCall, values: Mapping[str, Any], place: RunPlace, source: ContextSource
) -> Iterable[_Wanted]:
    """Action, resource and conditions of one call; partitions of a loop's items together."""
    found: dict[str, _Wanted] = {}
    for sample in _samples(call, values, place):
        for need in _needs(sample, call, place):
            lookup = source.lookup_for(sample, UNKNOWN_PRINCIPAL, need)
            conditions = conditions_of(need, lookup, sample)
            resource = _resource(need, sample, place)
            leading = conditions.get(EACH, {}).pop(LEADING, [])
            same = found.setdefault(
                canonical_json([need.action, resource, conditions, bool(leading)]),
                (need.action, resource, conditions, sample),
            )
            if leading:
                keys = same[2].setdefault(EACH, {}).setdefault(LEADING, [])
                keys += [each for each in leading if each not in keys]
    return found.values()


def faults_of(call: StepCall) -> tuple[str, ...]:
    """Why a call could never be allowed, as far as its fixed parameters tell; empty where it can.

    One with places that are filled later is asked when a run begins.
    """
    if has_references(call.template.params):
        return ()
    place = RunPlace("aws", "eu-west-1", "123456789012")
    needs = [
        need
        for sample in _samples(replace(call, loop=None), {}, place)
        for need in authorizations(sample, place.account_id)
    ]
    return tuple(dict.fromkeys(need.problem for need in needs if need.problem is not None))


# --- samples ----------------------------------------------------------------------------------


def _samples(call: StepCall, values: Mapping[str, Any], place: RunPlace) -> Iterator[Call]:
    """The call as it will be made: once for each item of a list that is known and short."""
    items = call.loop.items if call.loop else None
    listed: tuple[Any, ...] = (None,)
    if items is not None and items.origin is Origin.PARAMETER:
        known = tuple(value_of(items.path[0], values))
        listed = known if len(known) <= _MOST_ITEMS else listed

    for item in listed:
        template = call.template
        yield Call(
            service=template.service,
            operation=template.operation,
            params=filled(template.params, partial(_sample_value, values, item)),
            region=template.region or place.region,
            partition=place.partition,
            endpoint_url=None,
            credentials=NO_CREDENTIALS,
            scope=EMPTY_SCOPE,
            correlation_id="",
            service_prefix=service_prefix(template.service),
        )


def _sample_value(values: Mapping[str, Any], item: Any, reference: Reference) -> Any:
    """What stands in a place: its value, or the mark where that only shows later or is secret."""
    value = None
    if reference.origin is Origin.PARAMETER:
        value = value_of(reference.path[0], values)
    elif reference.origin is Origin.ITEM:
        value = item
    if value is None or isinstance(value, Secret):
        return _mark(reference.wants)
    return shaped(value, reference.wants)


def value_of(name: str, values: Mapping[str, Any]) -> Any:
    """The value of a parameter that a call needs.

    Raises:
        ValueError: It has none: it need not be given, and this call needs it.
    """
    if name not in values:
        raise ValueError(f"parameter `{name}` has no value, and a step needs it")
    return values[name]


def _mark(wants: str) -> Any:
    """What stands for an unknown value in a place."""
    if wants.startswith(LIST):
        return [_mark(wants.removeprefix(LIST))]
    return {
        "attribute": {"S": MARK},
        "key": {"S": MARK},
        "numeral": "1",
        "integer": 1,
        "number": 1,
        "boolean": True,
        "blob": MARK.encode(),
        "map": {MARK: {"S": MARK}},
    }.get(wants, MARK)


def _needs(sample: Call, call: StepCall, place: RunPlace) -> Iterator[Authorization]:
    """What the call needs.

    A value that makes no sense must not make a wide statement: where all of a call is known and
    parameters fill a part of it, the resource has to be known too.
    """
    is_open = MARK in repr(sample.params)  # bytes included
    is_filled = has_references(call.template.params)
    for need in authorizations(sample, place.account_id):
        name = f"step `{call.step.name}`"
        if need.problem is not None and not is_open:
            raise ValueError(f"{name}: {need.problem}")
        if is_filled and not is_open and last_part_of(need.resource) == UNKNOWN_RUN:
            raise ValueError(f"{name}: its parameters do not tell what `{need.action}` is about")
        yield need


def last_part_of(resource: str) -> str:
    """What stands behind the account of an ARN; a text that is none, whole."""
    return resource.split(":", 5)[-1]


# --- resources --------------------------------------------------------------------------------


def _resource(need: Authorization, sample: Call, place: RunPlace) -> str:
    """The resource as a statement names it."""
    if need.problem is not None:
        return _any_of_service(sample, place)
    if need.resource == "*":
        return "*"
    text = escaped(need.resource)
    for mark in (MARK, UNKNOWN_CHAR * 12, UNKNOWN_RUN):
        text = text.replace(mark, "*")
    return _any_of_service(sample, place) if text == "*" else text.replace(UNKNOWN_CHAR, "?")


def _any_of_service(sample: Call, place: RunPlace) -> str:
    """Anything of a service in the run's region and account: what is asked for shows later."""
    prefix = sample.service_prefix
    if prefix not in _ARN_SERVICES:
        return "*"
    if prefix in _WITHOUT_PLACE:
        return f"arn:{place.partition}:{prefix}:::*"
    return f"arn:{place.partition}:{prefix}:{sample.region or '*'}:{place.account_id or '*'}:*"
