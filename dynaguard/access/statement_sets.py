"""One IAM statement as sets: every action of it on every resource of it, under its conditions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

ConditionPart = tuple[str, str, tuple[str, ...]]
"""An operator as written (`ForAllValues:StringEquals`), a key, and its values, sorted."""
_EVERYTHING: Final = "*"


@dataclass(frozen=True, slots=True)
class StatementSet:
    """One statement.

    Attributes:
        effect: `Allow` or `Deny`.
        actions: Patterns of actions, sorted; of `NotAction` where that is what it has.
        resources: Patterns of resources, sorted; of `NotResource` likewise.
        conditions: Every operator, key and values; all of them have to hold.
        is_not_action, is_not_resource: Whether the patterns name what it is not about.
        sids: Sids that came together in it, for messages.
    """

    effect: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    conditions: tuple[ConditionPart, ...] = ()
    is_not_action: bool = False
    is_not_resource: bool = False
    sids: str = "a statement"

    @property
    def is_plain(self) -> bool:
        """Whether it has `Action` and `Resource`, so that it is a product of sets."""
        return not (self.is_not_action or self.is_not_resource)

    def as_dict(self) -> dict[str, Any]:
        """**Shape**: an IAM statement without Sid; lists of one are written as their element."""
        made: dict[str, Any] = {
            "Effect": self.effect,
            "NotAction" if self.is_not_action else "Action": _one_or_many(self.actions),
            "NotResource" if self.is_not_resource else "Resource": _one_or_many(self.resources),
        }
        if self.conditions:
            by_operator: dict[str, dict[str, Any]] = {}
            for operator, key, values in self.conditions:
                by_operator.setdefault(operator, {})[key] = _one_or_many(values)
            made["Condition"] = by_operator
        return made


def read_statement(statement: Mapping[str, Any]) -> StatementSet:
    """The statement of an IAM document that was checked before."""
    is_not_action = "NotAction" in statement
    is_not_resource = "NotResource" in statement
    actions = _texts(statement["NotAction" if is_not_action else "Action"])
    resources = _texts(statement["NotResource" if is_not_resource else "Resource"])
    return StatementSet(
        effect=str(statement["Effect"]),
        actions=_without_covered_actions(actions),
        resources=(_EVERYTHING,) if _EVERYTHING in resources else _sorted(resources),
        conditions=_conditions(statement.get("Condition") or {}),
        is_not_action=is_not_action,
        is_not_resource=is_not_resource,
        sids=f"`{statement['Sid']}`" if statement.get("Sid") else "a statement",
    )


def _conditions(block: Mapping[str, Mapping[str, Any]]) -> tuple[ConditionPart, ...]:
    """The parts of a `Condition`, in one order."""
    return tuple(
        sorted(
            (str(operator), str(key), _sorted(_texts(values)))
            for operator, by_key in block.items()
            for key, values in by_key.items()
        )
    )


def _texts(value: Any) -> list[str]:
    """One value or a list of them, as text: booleans and numbers as IAM writes them."""
    values = value if isinstance(value, list | tuple) else [value]
    return [str(each).lower() if isinstance(each, bool) else str(each) for each in values]


def _sorted(values: Iterable[str]) -> tuple[str, ...]:
    """Each once, in one order."""
    return tuple(sorted(set(values)))


def _without_covered_actions(actions: Iterable[str]) -> tuple[str, ...]:
    """The patterns without those that another one of them covers; case does not count."""
    by_folded = {each.casefold(): each for each in actions}
    kept = [
        each
        for folded, each in by_folded.items()
        if not any(_covers(other, folded) for other in by_folded if other != folded)
    ]
    return _sorted(kept)


def _covers(pattern: str, other: str) -> bool:
    """Whether a pattern with one `*`, at its end, matches all that another one does."""
    if not pattern.endswith("*") or "*" in pattern[:-1] or "?" in pattern:
        return False
    return other.startswith(pattern[:-1])


def _one_or_many(values: tuple[str, ...]) -> Any:
    """A list of one is its element, which IAM reads the same."""
    return values[0] if len(values) == 1 else list(values)
