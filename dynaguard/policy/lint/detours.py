"""Findings about actions and indexes beside those that a statement names (DG204-207)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from dynaguard.policy.lint.actions import INDEX_ACTIONS, OTHER_WAYS
from dynaguard.policy.lint.allow_lists import named, path_of
from dynaguard.policy.lint.covering import resources_may_meet
from dynaguard.policy.lint.findings import Finding
from dynaguard.policy.lint.grants import Grants, has_key, is_about, only
from dynaguard.policy.lint.rules import RULES
from dynaguard.policy.literals import parse_bool
from dynaguard.policy.model import Condition, PolicyDocument, Statement
from dynaguard.policy.patterns import ARN_PARTS

_FULL_SCAN = "dynamodb:fulltablescan"


def check_detours(document: PolicyDocument, grants: Grants) -> Iterator[Finding]:
    """DG204 to DG207."""
    for deny in grants.denies:
        yield from _other_ways(deny, grants)
        yield from _full_scans(deny, grants)
        yield from _open_indexes(deny, grants)
    yield from _closed_indexes(document, grants)


def _other_ways(deny: Statement, grants: Grants) -> Iterator[Finding]:
    """DG204: what is denied can be done by another action."""
    for name, ways in OTHER_WAYS.items():
        if not is_about(deny, name):
            continue
        found = [way for way in ways if _is_open(deny, way, grants)]
        if found:
            is_one = len(found) == 1
            message = (
                f"denies `dynamodb:{name}`, but {named(found)} {'does' if is_one else 'do'} the "
                f"same and {'is' if is_one else 'are'} allowed"
            )
            fix = f"add {named(found)} to this Deny, or do not allow {'it' if is_one else 'them'}"
            yield RULES["DG204"].finding(deny.ref, message, fix, _element(deny, "Action"))


def _is_open(deny: Statement, way: str, grants: Grants) -> bool:
    """Whether an action is let through on resources of a Deny that does not name it."""
    if grants.is_denied(only(deny, way)):
        return False
    return any(
        way != "PartiQLSelect"
        or not (has_key(source, _FULL_SCAN) or grants.is_denied_by_key(source, way, _FULL_SCAN))
        for source in grants.ways(deny, way)
    )


def _full_scans(deny: Statement, grants: Grants) -> Iterator[Finding]:
    """DG205: a condition that a Scan never meets."""
    condition = next((each for each in deny.conditions if _asks_full_scan(each)), None)
    if condition is None or not is_about(deny, "Scan"):
        return
    if any(grants.ways(deny, "Scan")):
        message = (
            "a Scan never carries `dynamodb:FullTableScan`, so this Deny does not stop one; only "
            "PartiQL selects carry it"
        )
        fix = "deny `dynamodb:Scan` in a statement without that condition"
        yield RULES["DG205"].finding(deny.ref, message, fix, path_of(condition))


def _asks_full_scan(condition: Condition) -> bool:
    """Whether a condition is false for what is no PartiQL select."""
    return (
        condition.key.lower() == _FULL_SCAN
        and condition.operator == "Bool"
        and not condition.if_exists
        and {parse_bool(value) for value in condition.values} == {True}
    )


def _open_indexes(deny: Statement, grants: Grants) -> Iterator[Finding]:
    """DG206: the table is denied, an index of it is not."""
    if deny.is_not_resource:
        return
    for at, resource in enumerate(deny.resources):
        if not is_table(resource):
            continue
        index = f"{resource}/index/*"
        found = [
            n for n in INDEX_ACTIONS if is_about(deny, n) and _is_left(deny, n, index, grants)
        ]
        if found:
            message = (
                f"{named(found)} on an index of the table {'is' if len(found) == 1 else 'are'} "
                "still allowed: an index is a resource of its own"
            )
            fix = f"add the resource `{index}`"
            yield RULES["DG206"].finding(deny.ref, message, fix, f"Resource[{at}]")


def is_table(resource: str) -> bool:
    """Whether a pattern names tables and no index of them."""
    last = resource.split(":", ARN_PARTS - 1)[-1]
    return last.startswith("table/") and last.count("/") == 1 and not last.endswith("*")


def _is_left(deny: Statement, name: str, index: str, grants: Grants) -> bool:
    """Whether an action is let through on the indexes that a Deny forgets."""
    forgotten = replace(only(deny, name), resources=(index,))
    if grants.is_denied(forgotten):
        return False
    return any(
        not grants.is_denied(on_index(source, forgotten))
        for source in grants.ways(forgotten, name)
    )


def on_index(source: Statement, forgotten: Statement) -> Statement:
    """What an Allow lets through, narrowed to the resources of another statement."""
    return replace(
        source,
        resources=forgotten.resources,
        is_not_resource=False,
        has_variables=forgotten.has_variables,
    )


def _closed_indexes(document: PolicyDocument, grants: Grants) -> Iterator[Finding]:
    """DG207: a table whose indexes `[tables]` lists and nothing allows to read."""
    for table, schema in document.tables.items():
        if not schema.indexes or any(_reaches_indexes(allow, table) for allow in grants.allows):
            continue
        for allow in grants.allows:
            found = [name for name in grants.opened(allow, INDEX_ACTIONS) if name != "Scan"]
            at = _place_of(allow, table)
            if found and at is not None:
                resource = allow.resources[at]
                message = (
                    f"allows {named(found)} on the table `{table}` alone, no statement allows its "
                    "indexes: an index is a resource of its own"
                )
                fix = f"add the resource `{resource}/index/*`"
                yield RULES["DG207"].finding(allow.ref, message, fix, f"Resource[{at}]")
                break


def _reaches_indexes(allow: Statement, table: str) -> bool:
    """Whether an Allow may be about reading an index of a table."""
    index = replace(
        allow, resources=(f"arn:*:dynamodb:*:*:table/{table}/index/*",), is_not_resource=False
    )
    is_read = any(is_about(allow, name) for name in INDEX_ACTIONS)
    return is_read and resources_may_meet(allow, index)


def _place_of(allow: Statement, table: str) -> int | None:
    """Which resource of an Allow is a table of that name, without wildcards."""
    ends = [resource.split(":", ARN_PARTS - 1)[-1] for resource in allow.resources]
    is_there = not allow.is_not_resource and f"table/{table}" in ends
    return ends.index(f"table/{table}") if is_there else None


def _element(statement: Statement, name: str) -> str:
    return f"Not{name}" if statement.is_not_action else name
