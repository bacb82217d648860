"""Statements in words: whom they name, under which conditions, whose approval they require."""

from __future__ import annotations

from collections.abc import Mapping

from dynaguard.policy.durations import duration_text
from dynaguard.policy.model import (
    ApprovalTerms,
    Condition,
    PrincipalPattern,
    Statement,
    Threshold,
)

Groups = Mapping[str, tuple[str, ...]]


def people_text(
    principals: tuple[PrincipalPattern, ...] | None, groups: Groups, *, is_negated: bool = False
) -> str:
    """Whom a `Principal` or `NotPrincipal` names, members of groups in brackets."""
    if principals is None:
        return "everybody"
    named = ", ".join(_person(each, groups) for each in principals)
    return f"everybody but {named}" if is_negated else named


def conditions_text(statement: Statement) -> str:
    """The conditions of a statement, as the document writes them; empty without any."""
    return " and ".join(_condition(each) for each in statement.conditions)


def terms_text(terms: ApprovalTerms, groups: Groups | None = None) -> str:
    """What an approval takes and gives: who, how long, how often, what goes without.

    >>> terms_text(ApprovalTerms(quorum=2, any_of=("managers",)))
    '2 other people of `managers`; to be given within 1h, lasts 15m, for 1 call'
    """
    count = "1 other person" if terms.quorum == 1 else f"{terms.quorum} other people"
    names = groups or {}
    of = f" of {' or '.join(_group(each, names) for each in terms.any_of)}" if terms.any_of else ""
    each_of = f", one of each of {_listed(terms.all_of, names)}" if terms.all_of else ""
    uses = "any number of calls" if terms.uses is None else _counted(terms.uses, "call")
    text = (
        f"{count}{of}{each_of}; to be given within {duration_text(terms.timeout_s)}, lasts "
        f"{duration_text(terms.duration_s)}, for {uses}"
    )
    return text if terms.threshold is None else f"{text}; {_threshold(terms.threshold)}"


def _threshold(threshold: Threshold) -> str:
    """What goes without an approval."""
    limits = [
        _counted(amount, noun)
        for amount, noun in (
            (threshold.calls, "call"),
            (threshold.items, "item"),
            (threshold.read_units, "read unit"),
            (threshold.write_units, "write unit"),
        )
        if amount is not None
    ]
    return (
        f"none is needed up to {' and '.join(limits)} within {duration_text(threshold.window_s)}"
    )


def _counted(amount: float, noun: str) -> str:
    """`1 call`, `2 calls`."""
    return f"{amount:g} {noun}" if amount == 1 else f"{amount:g} {noun}s"


def _person(pattern: PrincipalPattern, groups: Groups) -> str:
    """One entry of a clause."""
    if pattern.kind == "group":
        return f"group {_group(pattern.value, groups)}"
    if pattern.kind == "account":
        return f"account `{pattern.value}`"
    return "everybody" if pattern.value == "*" else f"`{pattern.value}`"


def _group(name: str, groups: Groups) -> str:
    """A group with its members, where they are known."""
    members = groups.get(name, ())
    return f"`{name}` ({', '.join(members)})" if members else f"`{name}`"


def _listed(names: tuple[str, ...], groups: Groups) -> str:
    return ", ".join(_group(name, groups) for name in names)


def _condition(condition: Condition) -> str:
    """One condition, its values from the document."""
    qualifier = f"{condition.qualifier}:" if condition.qualifier else ""
    suffix = "IfExists" if condition.if_exists else ""
    values = ", ".join(f"`{value}`" for value in condition.values)
    return f"`{condition.key}` {qualifier}{condition.operator}{suffix} {values}"
