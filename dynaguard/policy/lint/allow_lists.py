"""Findings about lists of keys and attributes that let more through than they list (DG201-203).

Source: Amazon DynamoDB Developer Guide, Using IAM policy conditions for fine-grained access
control; IAM User Guide, Multivalued context keys.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from dynaguard.policy.lint.actions import RETURNING_WRITES, SELECTING_READS, UNKEYED_READS
from dynaguard.policy.lint.findings import Finding
from dynaguard.policy.lint.grants import Grants, has_key
from dynaguard.policy.lint.rules import RULES
from dynaguard.policy.literals import parse_bool
from dynaguard.policy.model import Condition, Statement

_LEADING_KEYS = ("dynamodb:leadingkeys", "dynamodb:firstpartitionkeyvalues")
_ATTRIBUTES = ("dynamodb:attributes",)
_FULL_SCAN = "dynamodb:fulltablescan"
_SELECT = "dynamodb:select"
_RETURN_VALUES = "dynamodb:returnvalues"


def check_allow_lists(grants: Grants) -> Iterator[Finding]:
    """DG201 to DG203, for each Allow in force."""
    for allow in grants.allows:
        keys = _list_of(allow, _LEADING_KEYS)
        if keys is not None:
            yield from _vacuous(allow, keys, grants)
        attributes = _list_of(allow, _ATTRIBUTES)
        if attributes is not None:
            yield from _open_reads(allow, attributes, grants)
            yield from _open_writes(allow, attributes, grants)


def _list_of(allow: Statement, keys: tuple[str, ...]) -> Condition | None:
    """The condition that lists the values that a key may have."""
    return next(
        (
            condition
            for condition in allow.conditions
            if condition.qualifier == "ForAllValues" and condition.key.lower() in keys
        ),
        None,
    )


def _vacuous(allow: Statement, listed: Condition, grants: Grants) -> Iterator[Finding]:
    """DG201, unless `Null` asks that the key is there."""
    if _must_be_there(allow, _LEADING_KEYS):
        return
    found = [
        name
        for name in grants.opened(allow, UNKEYED_READS)
        if not grants.is_denied_by_key(allow, name, *_LEADING_KEYS)
        and not (name == "PartiQLSelect" and _asks(allow, name, _FULL_SCAN, grants))
    ]
    if found:
        message = (
            f"{named(found)} can be called without a partition key, and `ForAllValues` is true "
            f"where `{listed.key}` is absent: every item can be read"
        )
        fix = f'take {named(found)} out, or add `Null = {{ "{listed.key}" = false }}`'
        yield RULES["DG201"].finding(allow.ref, message, fix, path_of(listed))


def _must_be_there(allow: Statement, keys: tuple[str, ...]) -> bool:
    """Whether a `Null` condition asks for one of some keys."""
    return any(
        condition.operator == "Null"
        and condition.key.lower() in keys
        and {parse_bool(value) for value in condition.values} == {False}
        for condition in allow.conditions
    )


def _asks(allow: Statement, name: str, key: str, grants: Grants) -> bool:
    """Whether a key bears on an action of an Allow, there or in a Deny."""
    return has_key(allow, key) or grants.is_denied_by_key(allow, name, key)


def _open_reads(allow: Statement, listed: Condition, grants: Grants) -> Iterator[Finding]:
    """DG202."""
    found = [
        name
        for name in grants.opened(allow, SELECTING_READS)
        if not _asks(allow, name, _SELECT, grants)
    ]
    if found:
        message = (
            f"`{listed.key}` holds the attributes that a request names; {named(found)} "
            f"without a projection {_verb('give', found)} back all of them"
        )
        fix = 'add `StringEqualsIfExists = { "dynamodb:Select" = "SPECIFIC_ATTRIBUTES" }`'
        yield RULES["DG202"].finding(allow.ref, message, fix, path_of(listed))


def _open_writes(allow: Statement, listed: Condition, grants: Grants) -> Iterator[Finding]:
    """DG203."""
    found = [
        name
        for name in grants.opened(allow, RETURNING_WRITES)
        if not _asks(allow, name, _RETURN_VALUES, grants)
    ]
    if found:
        message = (
            f"`{listed.key}` holds the attributes that a request names; {named(found)} "
            f"with `ReturnValues` {_verb('give', found)} the whole item back"
        )
        fix = (
            'add `StringEqualsIfExists = { "dynamodb:ReturnValues" = ["NONE", "UPDATED_OLD", '
            '"UPDATED_NEW"] }`'
        )
        yield RULES["DG203"].finding(allow.ref, message, fix, path_of(listed))


def _verb(verb: str, subjects: list[str]) -> str:
    """A verb for one or several subjects."""
    return f"{verb}s" if len(subjects) == 1 else verb


def path_of(condition: Condition) -> str:
    """Where a condition stands in its statement."""
    qualifier = f"{condition.qualifier}:" if condition.qualifier else ""
    if_exists = "IfExists" if condition.if_exists else ""
    return f"Condition.{qualifier}{condition.operator}{if_exists}.{condition.key}"


def named(names: Iterable[str]) -> str:
    """Actions of DynamoDB for a message: `a`, `b` and `c`."""
    return enumerated(f"dynamodb:{name}" for name in names)


def enumerated(names: Iterable[str]) -> str:
    """Names in backticks, for a message."""
    shown = [f"`{name}`" for name in names]
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)
