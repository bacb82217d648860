"""Compiles a bound runbook to IAM statements, and to those of the guard.

Each call of the runbook is filled with its values and handed to the analysis that decides calls
while it runs, so guard and compiled policy cannot understand a call differently. A value that only
shows while it runs is stood in for by a mark that no name holds; where the mark turns up in a
resource, the statement has `*` there, and nowhere else.

What a value says stays what it is: `*`, `?` and `${` of values are written as IAM's `${*}`, `${?}`
and `${$}{`, so no value becomes a wildcard or a policy variable.

Left out is what follows from a call without being one of it: keys of KMS that a table is encrypted
with, roles that a service passes on.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from dynaguard.access.canonical import canonical_json
from dynaguard.aws.analysis import authorizations, service_prefix
from dynaguard.aws.context import ContextSource
from dynaguard.aws.dynamodb.attributes import NotUnderstood, named_attributes, names_attributes
from dynaguard.aws.dynamodb.schemas import KeySchemas
from dynaguard.call import (
    NO_CREDENTIALS,
    UNKNOWN,
    UNKNOWN_CHAR,
    UNKNOWN_PRINCIPAL,
    UNKNOWN_RUN,
    Authorization,
    Call,
    ContextLookup,
)
from dynaguard.runbooks.calls import StepCall
from dynaguard.runbooks.filling import LIST, filled, has_references, shaped
from dynaguard.runbooks.model import Origin, Reference, Runbook
from dynaguard.runbooks.parameters import RESERVED
from dynaguard.runbooks.secrets import Secret
from dynaguard.scope import EMPTY_SCOPE

Statement = dict[str, Any]

MARK: Final = RESERVED
"""Stands for text that only shows while a run goes on; letters and digits alone, as in names.

INVARIANT: no value of a parameter holds it, or that value would become a wildcard.
"""
_MOST_ITEMS: Final = 50
"""Items of a list parameter that statements name one by one."""
_EACH: Final = "ForAllValues:StringEquals"
_LEADING: Final = "dynamodb:LeadingKeys"
_WITHOUT_REGION: Final = frozenset({"iam", "route53", "cloudfront", "organizations", "s3", "sts"})
_WITHOUT_PLACE: Final = frozenset({"s3"})
_ARN_SERVICES: Final = frozenset(
    {"dynamodb", "kms", "lambda", "s3", "secretsmanager", "sns", "sqs", "ssm", "states"}
)
_WORD: Final = re.compile(r"[A-Za-z0-9]+")


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
    iam, own = _Collected(), _Collected()
    for call in calls:
        for action, resource, conditions, sample in _wanted(call, values, place, source):
            iam.add(call.step.name, action, resource, conditions)
            own.add(call.step.name, action, resource, _of_guard(conditions, sample))
    return iam.statements(), own.statements()


_Wanted = tuple[str, str, dict[str, dict[str, Any]], Call]


def _wanted(
    call: StepCall, values: Mapping[str, Any], place: RunPlace, source: ContextSource
) -> Iterable[_Wanted]:
    """Action, resource and conditions of one call; partitions of a loop's items together."""
    found: dict[str, _Wanted] = {}
    for sample in _samples(call, values, place):
        for need in _needs(sample, call, place):
            lookup = source.lookup_for(sample, UNKNOWN_PRINCIPAL, need)
            conditions = _conditions(need, lookup, sample, place)
            resource = _resource(need, sample, place)
            leading = conditions.get(_EACH, {}).pop(_LEADING, [])
            same = found.setdefault(
                canonical_json([need.action, resource, conditions, bool(leading)]),
                (need.action, resource, conditions, sample),
            )
            if leading:
                keys = same[2].setdefault(_EACH, {}).setdefault(_LEADING, [])
                keys += [each for each in leading if each not in keys]
    return found.values()


# --- samples ----------------------------------------------------------------------------------


def _samples(call: StepCall, values: Mapping[str, Any], place: RunPlace) -> Iterator[Call]:
    """The call as it will be made: once for each item of a list that is known and short."""
    items = call.loop.items if call.loop else None
    listed: tuple[Any, ...] = (None,)
    if items is not None and items.origin is Origin.PARAMETER:
        known = tuple(value_of(items.path[0], values))
        listed = known if len(known) <= _MOST_ITEMS else listed

    for item in listed:

        def resolve(reference: Reference, item: Any = item) -> Any:
            value = None
            if reference.origin is Origin.PARAMETER:
                value = value_of(reference.path[0], values)
            elif reference.origin is Origin.ITEM:
                value = item
            if value is None or isinstance(value, Secret):
                return _mark(reference.wants)
            return shaped(value, reference.wants)

        template = call.template
        yield Call(
            service=template.service,
            operation=template.operation,
            params=filled(template.params, resolve),
            region=template.region or place.region,
            partition=place.partition,
            endpoint_url=None,
            credentials=NO_CREDENTIALS,
            scope=EMPTY_SCOPE,
            correlation_id="",
            service_prefix=service_prefix(template.service),
        )


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
    is_open = MARK in canonical_json(sample.params)
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


def escaped(text: str) -> str:
    """A text as a pattern of IAM that matches it alone.

    Source: IAM User Guide, IAM policy elements: Variables and tags, special characters.
    """
    signs = {"*": "${*}", "?": "${?}", "$": "${$}"}
    return re.sub(r"[*?]|\$(?=\{)", lambda found: signs[found[0]], text)


def escaped_value(text: str) -> str:
    """A text as a value of StringEquals, where wildcards are plain signs, that equals it alone."""
    return text.replace("${", "${$}{")


# --- conditions -------------------------------------------------------------------------------


def _conditions(
    need: Authorization, lookup: ContextLookup, sample: Call, place: RunPlace
) -> dict[str, dict[str, Any]]:
    """Conditions with AWS's own keys, as narrow as they are known."""
    each: dict[str, Any] = {}
    one: dict[str, Any] = {}
    if leading := _values(lookup(_LEADING.lower())):
        each[_LEADING] = leading
    if names_attributes(need):
        each |= _attributes(need, lookup)
        one |= _answers(lookup)
    if need.enclosing_operation is not None:
        one["dynamodb:EnclosingOperation"] = need.enclosing_operation
    region = sample.region or place.region
    if need.resource == "*" and region and sample.service_prefix not in _WITHOUT_REGION:
        one["aws:RequestedRegion"] = region
    conditions: dict[str, dict[str, Any]] = {}
    if each:
        conditions[_EACH] = each
    if one:
        conditions["StringEquals"] = one
    if _LEADING in each and "PartiQL" in need.action:
        conditions["Null"] = {_LEADING: "false"}  # a statement may name no key at all
    return conditions


def _values(found: Any) -> list[str] | None:
    """Values of a key, escaped; None where there are none, or some only show later."""
    if found is UNKNOWN or not found or any(MARK in value for value in found):
        return None
    return [escaped_value(value) for value in found]


def _attributes(need: Authorization, lookup: ContextLookup) -> dict[str, Any]:
    """`dynamodb:Attributes`, where the answer is limited by names, or there is none."""
    try:
        is_limited = named_attributes(need).returned is not None
    except NotUnderstood:
        return {}
    names = _values(lookup("dynamodb:attributes")) if is_limited else None
    return {"dynamodb:Attributes": sorted(names)} if names else {}


def _answers(lookup: ContextLookup) -> dict[str, Any]:
    """`dynamodb:Select` of reads and `dynamodb:ReturnValues` of writes."""
    found = {}
    for key in ("dynamodb:Select", "dynamodb:ReturnValues"):
        values = _values(lookup(key.lower()))
        if values:
            found[key] = values[0]
    return found


def _of_guard(
    conditions: Mapping[str, Mapping[str, Any]], sample: Call
) -> dict[str, dict[str, Any]]:
    """The guard's conditions: without values of keys, with what IAM has no key for."""
    kept: dict[str, dict[str, Any]] = {}
    for operator, keys in conditions.items():
        left = {key: value for key, value in keys.items() if key != _LEADING}
        if left:
            kept[operator] = left
    limit = sample.params.get("Limit")
    if isinstance(limit, int) and sample.service == "dynamodb":
        kept["NumericLessThanEquals"] = {"dynaguard:Limit": str(limit)}
    return kept


# --- statements -------------------------------------------------------------------------------


class _Collected:
    """Statements as they come; those that differ in one part alone become one."""

    def __init__(self) -> None:
        self._entries: list[tuple[str, str, str, dict[str, Any]]] = []

    def add(self, step: str, action: str, resource: str, conditions: Mapping[str, Any]) -> None:
        """Takes in what one call needs."""
        self._entries.append((step, action, resource, dict(conditions)))

    def statements(self) -> tuple[Statement, ...]:
        """The statements, in the order of the steps."""
        merged: dict[str, tuple[str, list[str], list[str], dict[str, Any]]] = {}
        for step, action, resource, conditions in self._entries:
            key = canonical_json([resource, conditions])
            _, actions, _, _ = merged.setdefault(key, (step, [], [resource], conditions))
            if action not in actions:
                actions.append(action)
        by_actions: dict[str, tuple[str, list[str], list[str], dict[str, Any]]] = {}
        for step, actions, resources, conditions in merged.values():
            key = canonical_json([sorted(actions), conditions])
            _, _, found, _ = by_actions.setdefault(key, (step, actions, [], conditions))
            found += [each for each in resources if each not in found]
        return tuple(_numbered(by_actions.values()))


def _numbered(
    entries: Iterable[tuple[str, list[str], list[str], dict[str, Any]]],
) -> Iterator[Statement]:
    """The statements with Sids that tell the step, each once."""
    seen: dict[str, int] = {}
    for step, actions, resources, conditions in entries:
        sid = "".join(word.capitalize() for word in _WORD.findall(step))
        seen[sid] = seen.get(sid, 0) + 1
        statement: Statement = {
            "Sid": sid if seen[sid] == 1 else f"{sid}{seen[sid]}",
            "Effect": "Allow",
            "Action": _one_or_list(sorted(actions)),
            "Resource": _one_or_list(resources),
        }
        if conditions:
            statement["Condition"] = conditions
        yield statement


def _one_or_list(values: list[str]) -> str | list[str]:
    """One value alone, or the list."""
    return values[0] if len(values) == 1 else values
