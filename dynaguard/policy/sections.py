"""Checks the sections of a native document besides its statements."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from dynaguard.call import StatementRef
from dynaguard.policy.collecting import Findings, hint, kind_of
from dynaguard.policy.lines import Path_
from dynaguard.policy.model import (
    BudgetStatement,
    CapacityLimit,
    KeySchema,
    TableSchema,
)
from dynaguard.policy.naming import check_arn_pattern
from dynaguard.policy.statements import condition_text
from dynaguard.scope import Priority

MAX_KEY_ATTRIBUTES: Final = 4
BUDGET_KEYS: Final = (
    "Sid",
    "job",
    "tables",
    "priority",
    "retry_ratio",
    "max_tokens",
    "min_retries_per_s",
    "max_attempts",
    "max_wait_s",
    "capacity_units_per_s",
    "max_share",
    "repeat_ambiguous_writes",
    "measure_capacity",
    "Mode",
)
CAPACITY_LIMIT_KEYS: Final = (
    "Sid",
    "job",
    "tables",
    "read_units",
    "write_units",
    "soft",
    "Mode",
)
_ABOVE_ZERO: Final = 1e-9
_MOST_UNITS: Final = 1e15
_DEFAULT_SOFT: Final = 0.8


def check_groups(findings: Findings, value: Any) -> dict[str, tuple[str, ...]]:
    """`[groups]`: ARN patterns by name."""
    groups = {}
    for name, patterns in findings.table(value, ("groups",)).items():
        path = ("groups", name)
        groups[name] = findings.texts(patterns, path)
        for pattern in groups[name]:
            check_arn_pattern(findings, pattern, path)
    return groups


def check_tables(findings: Findings, value: Any) -> dict[str, TableSchema]:
    """`[tables]`: key schemas by table name."""
    tables = {}
    for name, entry in findings.table(value, ("tables",)).items():
        path: Path_ = ("tables", name)
        table = findings.table(entry, path)
        findings.check_keys(table, path, ("key", "indexes"))
        if "key" not in table:
            findings.add(path, '`key` is missing, write for example `key = ["pk", "sk"]`')
            continue
        indexes = findings.table(table.get("indexes", {}), (*path, "indexes"))
        tables[name] = TableSchema(
            _key_schema(findings, table["key"], (*path, "key")),
            {
                index: _key_schema(findings, names, (*path, "indexes", index))
                for index, names in indexes.items()
            },
        )
    return tables


def _key_schema(findings: Findings, value: Any, path: Path_) -> KeySchema:
    """A list of one or two key attributes; or `partition` and `sort`, up to four names each.

    Source: Amazon DynamoDB Developer Guide, Multi-attribute keys pattern (of indexes).
    """
    if isinstance(value, dict) and "indexes" in path:
        return _multi_attribute_key(findings, value, path)
    names = findings.texts(value, path)
    if len(names) > 2:
        findings.add(
            path,
            f"names {len(names)} attributes, a key has one or two; for an index with more write "
            '`{ partition = ["a", "b"], sort = ["c"] }`',
        )
    return KeySchema(names)


def _multi_attribute_key(findings: Findings, value: dict[str, Any], path: Path_) -> KeySchema:
    """`{ partition = ["a", "b"], sort = ["c"] }`."""
    findings.check_keys(value, path, ("partition", "sort"))
    if "partition" not in value:
        findings.add(path, '`partition` is missing, write for example `partition = ["a", "b"]`')
    parts = {
        kind: findings.texts(value[kind], (*path, kind)) if kind in value else ()
        for kind in ("partition", "sort")
    }
    for kind, names in parts.items():
        if len(names) > MAX_KEY_ATTRIBUTES:
            findings.add(
                (*path, kind), f"names {len(names)} attributes, at most {MAX_KEY_ATTRIBUTES}"
            )
    return KeySchema((*parts["partition"], *parts["sort"]), max(1, len(parts["partition"])))


def check_context(findings: Findings, value: Any) -> dict[str, tuple[str, ...]]:
    """`[context]`: known condition keys and their values as text."""
    context = {}
    for key, values in findings.table(value, ("context",)).items():
        path = ("context", key)
        if ":" not in key:
            findings.add(path, f"`{key}` is no condition key, write `prefix:name` in quotes")
        entries = values if isinstance(values, list) else [values]
        texts = [condition_text(entry) for entry in entries]
        if None in texts:
            findings.add(path, "must be text, number, boolean or a list of them")
        context[key] = tuple(text for text in texts if text is not None)
    return context


def check_lint(findings: Findings, value: Any, sids: Collection[str]) -> frozenset[str]:
    """`[lint]`: the findings that are not to be reported, `DG204` or `DG204:NoDeletes`."""
    table = findings.table(value, ("lint",))
    findings.check_keys(table, ("lint",), ("ignore",))
    if "ignore" not in table:
        return frozenset()
    from dynaguard.policy.lint.rules import RULES  # a document in force needs no rules

    path = ("lint", "ignore")
    ignored = findings.texts(table["ignore"], path)
    for entry in ignored:
        code, colon, sid = entry.partition(":")
        if code not in RULES:
            findings.add(path, f"`{code}` is the code of no finding{hint(code, RULES)}")
        if colon and sid not in sids:
            findings.add(path, f"no statement is called `{sid}`{hint(sid, sids)}")
    return frozenset(ignored)


def check_budgets(findings: Findings, value: Any) -> tuple[BudgetStatement, ...]:
    """`[[budget]]`."""
    budgets = []
    for path, table in findings.tables(value, ("budget",)):
        findings.check_keys(
            table,
            path,
            BUDGET_KEYS,
        )
        mode = findings.choice(
            table.get("Mode", "enforce"), (*path, "Mode"), ("enforce", "observe")
        )
        budgets.append(
            BudgetStatement(
                ref=ref_of(findings, table, path, "budget"),
                jobs=findings.texts(table.get("job", "*"), (*path, "job")),
                tables=findings.texts(table.get("tables", "*"), (*path, "tables")),
                priority=_priority(findings, table, path),
                retry_ratio=_number(findings, table, path, ("retry_ratio", 0.0, 1.0)),
                max_tokens=_number(findings, table, path, ("max_tokens", _ABOVE_ZERO, 1e6)),
                min_retries_per_s=_number(findings, table, path, ("min_retries_per_s", 0.0, 1e6)),
                max_attempts=_whole(findings, table, path, ("max_attempts", 1, 1000)),
                max_wait_s=_number(findings, table, path, ("max_wait_s", 0.0, 86400.0)),
                capacity_units_per_s=_number(
                    findings, table, path, ("capacity_units_per_s", _ABOVE_ZERO, 1e9)
                ),
                max_share=_number(findings, table, path, ("max_share", _ABOVE_ZERO, 1.0)) or 1.0,
                repeats_ambiguous_writes=_switch(findings, table, path, "repeat_ambiguous_writes"),
                is_measuring=_switch(findings, table, path, "measure_capacity"),
                is_observed=mode == "observe",
            )
        )
    return tuple(budgets)


def check_capacity_limits(findings: Findings, value: Any) -> tuple[CapacityLimit, ...]:
    """`[[capacity_limit]]`."""
    limits = []
    for path, table in findings.tables(value, ("capacity_limit",)):
        findings.check_keys(table, path, CAPACITY_LIMIT_KEYS)
        if "read_units" not in table and "write_units" not in table:
            findings.add(path, "limits nothing, write `read_units`, `write_units` or both")
        mode = findings.choice(
            table.get("Mode", "enforce"), (*path, "Mode"), ("enforce", "observe")
        )
        limits.append(
            CapacityLimit(
                ref=ref_of(findings, table, path, "capacity_limit"),
                jobs=findings.texts(table.get("job", "*"), (*path, "job")),
                tables=findings.texts(table.get("tables", "*"), (*path, "tables")),
                read_units=_number(
                    findings, table, path, ("read_units", _ABOVE_ZERO, _MOST_UNITS)
                ),
                write_units=_number(
                    findings, table, path, ("write_units", _ABOVE_ZERO, _MOST_UNITS)
                ),
                soft=_number(findings, table, path, ("soft", _ABOVE_ZERO, 1.0)) or _DEFAULT_SOFT,
                is_observed=mode == "observe",
            )
        )
    return tuple(limits)


def _priority(findings: Findings, table: Mapping[str, Any], path: Path_) -> Priority | None:
    """The class that a budget chooses for its calls, or None."""
    if "priority" not in table:
        return None
    choices = tuple(each.value for each in Priority)
    chosen = findings.choice(table["priority"], (*path, "priority"), choices)
    return Priority(chosen) if chosen in choices else None


def _switch(findings: Findings, table: Mapping[str, Any], path: Path_, name: str) -> bool:
    """A boolean, false where it is not given."""
    value = table.get(name, False)
    if not isinstance(value, bool):
        findings.add((*path, name), f"must be true or false, this is {kind_of(value)}")
        return False
    return value


def _whole(
    findings: Findings, table: Mapping[str, Any], path: Path_, expected: tuple[str, int, int]
) -> int | None:
    """A whole number within bounds, or None where it is not given."""
    name, least, most = expected
    if name not in table:
        return None
    value = table[name]
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        findings.add((*path, name), f"must be a whole number from {least} to {most}")
        return None
    return value


def _number(
    findings: Findings,
    table: Mapping[str, Any],
    path: Path_,
    expected: tuple[str, float, float],
) -> float | None:
    """A number within bounds, or None where it is not given: `expected` is name, least, most."""
    name, least, most = expected
    if name not in table:
        return None
    value = table[name]
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not least <= value <= most:
        lower = "more than 0" if least == _ABOVE_ZERO else f"at least {least:g}"
        findings.add((*path, name), f"must be a number, {lower} and at most {most:g}")
        return None
    return float(value)


def ref_of(findings: Findings, table: Mapping[str, Any], path: Path_, kind: str) -> StatementRef:
    """Where an entry stands."""
    position = path[-1] if isinstance(path[-1], int) else 0
    sid = table.get("Sid", f"{kind}[{position}]")
    if not isinstance(sid, str) or not sid:
        findings.add((*path, "Sid"), f"must be text, this is {kind_of(sid)}")
        sid = f"{kind}[{position}]"
    return StatementRef(sid, findings.source.name, findings.source.line(path))
