"""Findings about time: dates that are past, exceptions without an end (DG5xx)."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Final

from dynaguard.policy.lint.allow_lists import path_of
from dynaguard.policy.lint.findings import Finding
from dynaguard.policy.lint.rules import RULES
from dynaguard.policy.literals import parse_instant
from dynaguard.policy.model import Condition, PolicyDocument

_CLOCK_KEYS: Final = ("aws:currenttime", "aws:epochtime")
_END_OPERATORS: Final = ("LessThan", "LessThanEquals", "Equals")
_PASSING_WORDS: Final = frozenset(
    "temporary exception hotfix emergency workaround interim breakglass".split()
)
_COMES_TO: Final = {
    "Allow": "allows nothing more",
    "Deny": "protects no longer",
    "RequireApproval": "asks for nothing more",
}
_WORD: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


def check_expiry(document: PolicyDocument, now: datetime) -> Iterator[Finding]:
    """DG501 and DG502.

    Args:
        document: The document.
        now: The present, timezone-aware.
    """
    now_epoch_s = Decimal(now.timestamp())
    for statement in document.statements:
        ends = [condition for condition in statement.conditions if _is_end(condition)]
        past = next((each for each in ends if _is_past(each, now_epoch_s)), None)
        if past is not None:
            what = _COMES_TO[statement.effect]
            message = f"ended at `{max(past.values, key=_instant)}` and {what}"
            fix = "remove the statement, or set a new date"
            yield RULES["DG501"].finding(statement.ref, message, fix, path_of(past))
        word = _passing_word(statement.ref.sid)
        if word and not ends:
            message = f"is called `{word}`, and no condition ends it"
            fix = 'add `DateLessThan = { "aws:CurrentTime" = "<end>" }`, or give it another Sid'
            yield RULES["DG502"].finding(statement.ref, message, fix, "Sid")


def _is_end(condition: Condition) -> bool:
    """Whether a condition can hold only until some time."""
    kind, operator = condition.operator[:4], condition.operator[4:]
    if condition.operator.startswith("Numeric"):
        kind, operator = "Numeric", condition.operator.removeprefix("Numeric")
    return (
        condition.key.lower() in _CLOCK_KEYS
        and condition.qualifier is None
        and kind in {"Date", "Numeric"}
        and operator in _END_OPERATORS
    )


def _is_past(condition: Condition, now_epoch_s: Decimal) -> bool:
    """Whether that time is over, for each value of the condition."""
    return all(_instant(value) < now_epoch_s for value in condition.values)


def _instant(value: str) -> Decimal:
    """A value in seconds since 1970; what cannot be read never ends."""
    instant = parse_instant(value)
    return Decimal("Infinity") if instant is None else instant


def _passing_word(sid: str) -> str | None:
    """The word of a Sid that says that it is to pass."""
    words = [word.lower() for word in _WORD.findall(sid)]
    pairs = [first + second for first, second in itertools.pairwise(words)]
    return next((word for word in (*words, *pairs) if word in _PASSING_WORDS), None)
