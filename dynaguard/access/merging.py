"""Statements that say the same in fewer characters; nothing is ever allowed or denied beyond.

A statement is a product: each of its actions on each of its resources, under one condition. So
two of them are one where they differ in a single factor; and the pairs that statements of one
condition stand for may be grouped by action or by resource, whichever is shorter.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from itertools import combinations
from typing import Final

from dynaguard.access.statement_sets import ConditionPart, StatementSet

_OR_OPERATORS: Final = frozenset(
    {
        *("StringEquals", "StringEqualsIgnoreCase", "StringLike", "ArnEquals", "ArnLike"),
        *("NumericEquals", "DateEquals", "IpAddress"),
    }
)
"""Operators under which a key may have any of the values. `ForAllValues` is not among them: all in
one list or all in another is not all in both."""
_MAX_STATEMENTS: Final = 400
"""More than these are not compared pair by pair; they would not fit anyway."""


def merged(statements: Iterable[StatementSet]) -> list[StatementSet]:
    """The statements in fewer characters.

    Cost: O(statements ** 3) at worst, over few of them.
    """
    made = list(dict.fromkeys(statements))
    if len(made) > _MAX_STATEMENTS:
        return made
    made = _regrouped(_paired(_without_covered(made)))
    return _paired(_without_covered(made))


def _without_covered(statements: list[StatementSet]) -> list[StatementSet]:
    """Without those that another one says already."""
    kept: list[StatementSet] = []
    for index, each in enumerate(statements):
        others = [*kept, *statements[index + 1 :]]
        if not any(_covers(other, each) for other in others):
            kept.append(each)
    return kept


def _covers(wide: StatementSet, narrow: StatementSet) -> bool:
    """Whether a statement holds wherever another one of the same effect does."""
    return (
        wide.effect == narrow.effect
        and wide.is_plain
        and narrow.is_plain
        and set(wide.conditions) <= set(narrow.conditions)
        and (set(narrow.actions) <= set(wide.actions) or wide.actions == ("*",))
        and (set(narrow.resources) <= set(wide.resources) or wide.resources == ("*",))
    )


def _paired(statements: list[StatementSet]) -> list[StatementSet]:
    """Pairs that differ in one factor made one, until there is none left."""
    made = list(statements)
    while True:
        for first, second in combinations(made, 2):
            both = _joined(first, second)
            if both is not None:
                made[made.index(first)] = both
                made.remove(second)
                break
        else:
            return made


def _joined(first: StatementSet, second: StatementSet) -> StatementSet | None:
    """The one statement that two are, or None."""
    if first.effect != second.effect or not (first.is_plain and second.is_plain):
        return None
    is_same = {
        "actions": first.actions == second.actions,
        "resources": first.resources == second.resources,
        "conditions": first.conditions == second.conditions,
    }
    differing = [name for name, same in is_same.items() if not same]
    sids = ", ".join(dict.fromkeys((first.sids, second.sids)))
    if not differing:
        return first
    if len(differing) > 1:
        return None
    if differing == ["conditions"]:
        either = _either(first.conditions, second.conditions)
        return None if either is None else replace(first, conditions=either, sids=sids)
    return replace(
        first,
        actions=_starred({*first.actions, *second.actions}),
        resources=_starred({*first.resources, *second.resources}),
        sids=sids,
    )


def _starred(values: set[str]) -> tuple[str, ...]:
    """The values in order; `*` stands for all of them."""
    return ("*",) if "*" in values else tuple(sorted(values))


def _either(
    first: tuple[ConditionPart, ...], second: tuple[ConditionPart, ...]
) -> tuple[ConditionPart, ...] | None:
    """The condition that one or the other is, where they differ in the values of one key."""
    common = set(first) & set(second)
    left, right = set(first) - common, set(second) - common
    if len(left) != 1 or len(right) != 1:
        return None
    ((operator, key, values),), ((other_operator, other_key, others),) = left, right
    if (operator, key.casefold()) != (other_operator, other_key.casefold()):
        return None
    if operator.removesuffix("IfExists") not in _OR_OPERATORS:
        return None
    return tuple(sorted({*common, (operator, key, tuple(sorted({*values, *others})))}))


def _regrouped(statements: list[StatementSet]) -> list[StatementSet]:
    """Statements of one effect and condition, grouped whichever way is shortest."""
    groups: dict[tuple[object, ...], list[StatementSet]] = {}
    for each in statements:
        key = (each.effect, each.conditions) if each.is_plain else (each,)
        groups.setdefault(key, []).append(each)
    made = []
    for group in groups.values():
        ways: list[list[StatementSet]] = [group]
        if len(group) > 1:
            ways += [_grouped(group, by_action=True), _grouped(group, by_action=False)]
        made += min(ways, key=_characters)
    return made


def _grouped(group: list[StatementSet], *, by_action: bool) -> list[StatementSet]:
    """The pairs of action and resource, those with the same partners together."""
    partners: dict[str, set[str]] = {}
    for each in group:
        heads, tails = (
            (each.actions, each.resources) if by_action else (each.resources, each.actions)
        )
        for head in heads:
            partners.setdefault(head, set()).update(tails)
    by_partners: dict[tuple[str, ...], set[str]] = {}
    for head, found in partners.items():
        by_partners.setdefault(_starred(found), set()).add(head)
    sids = ", ".join(dict.fromkeys(each.sids for each in group))
    return [
        replace(
            group[0],
            actions=_starred(heads) if by_action else others,
            resources=others if by_action else _starred(heads),
            sids=sids,
        )
        for others, heads in by_partners.items()
    ]


def _characters(statements: Iterable[StatementSet]) -> int:
    """How long they are as sent."""
    return sum(len(json.dumps(each.as_dict(), separators=(",", ":"))) + 1 for each in statements)
