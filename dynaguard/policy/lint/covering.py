"""Whether one statement matches wherever another one does: the ground of shadow findings.

INVARIANT: `covers` never guesses. It may miss a cover, and where it says yes, the wider statement
matches each call at least as surely as the narrower one, unknown parts of the call included.

The narrower pattern is taken as a text whose wildcards are unknown characters; the wider one
covers it when it certainly matches that text (`Glob.truth`).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from dynaguard.call import UNKNOWN_CHAR, UNKNOWN_RUN
from dynaguard.policy.model import Condition, PrincipalPattern, Statement
from dynaguard.policy.patterns import (
    ARN_PARTS,
    ArnPattern,
    Glob,
    Wild,
    action_truth,
    parse_arn_pattern,
    parse_wildcards,
)
from dynaguard.policy.truth import Truth
from dynaguard.policy.variables import ArnTemplate, parse_template, widened

_MARK_BY_WILDCARD = {Wild.ONE: UNKNOWN_CHAR, Wild.RUN: UNKNOWN_RUN}
_CACHED = 16_384
_EVERY_ACTION = frozenset({"*", "*:*"})
_EVERYBODY = (PrincipalPattern("arn", "*"),)


def covers(wide: Statement, narrow: Statement) -> bool:
    """Whether `wide` matches wherever `narrow` does; effects and modes are not compared."""
    return (
        actions_cover(wide, narrow)
        and resources_cover(wide, narrow)
        and principals_cover(wide, narrow)
        and conditions_cover(wide, narrow)
    )


def actions_cover(wide: Statement, narrow: Statement) -> bool:
    """Whether `wide` is about every action that `narrow` is about."""
    return _set_covers(
        (wide.actions, wide.is_not_action),
        (narrow.actions, narrow.is_not_action),
        _action_includes,
        _action_excludes,
    )


def resources_cover(wide: Statement, narrow: Statement) -> bool:
    """Whether `wide` is about every resource that `narrow` is about."""
    same_meaning = wide.has_variables == narrow.has_variables
    if wide.is_not_resource or narrow.is_not_resource:
        # A variable without a text leaves a whole `NotResource` in doubt, whatever its shape.
        texts = (*wide.resources, *narrow.resources)
        if any("${" in text for text in texts):
            is_same = wide.is_not_resource == narrow.is_not_resource
            return is_same and same_meaning and wide.resources == narrow.resources
    return _set_covers(
        (wide.resources, wide.is_not_resource),
        (narrow.resources, narrow.is_not_resource),
        functools.partial(_resource_includes, wide.has_variables, narrow.has_variables),
        _arn_excludes,
    )


def principals_cover(wide: Statement, narrow: Statement) -> bool:
    """Whether `wide` is about every identity that `narrow` is about."""
    if wide.principals is None:
        return True
    narrow_clause: _Patterns = (_EVERYBODY, False)
    if narrow.principals is not None:
        narrow_clause = (narrow.principals, narrow.is_not_principal)
    return _set_covers(
        (wide.principals, wide.is_not_principal),
        narrow_clause,
        _principal_includes,
        lambda _wide, _narrow: False,
    )


def conditions_cover(wide: Statement, narrow: Statement) -> bool:
    """Whether every condition of `wide` is one of `narrow` too."""
    same_meaning = wide.has_variables == narrow.has_variables
    asked = {_folded(condition) for condition in narrow.conditions}
    return all(
        _folded(condition) in asked
        and (same_meaning or not any("${" in value for value in condition.values))
        for condition in wide.conditions
    )


def resources_may_meet(one: Statement, other: Statement) -> bool:
    """Whether some resource may be of both; True where that is not certain."""
    if one.is_not_resource or other.is_not_resource:
        return True
    return any(
        _may_meet(first, one.has_variables, second, other.has_variables)
        for first in one.resources
        for second in other.resources
    )


def text_includes(wide: str, narrow: str) -> bool:
    """Whether a plain pattern matches every text that another one matches."""
    return Glob(parse_wildcards(wide)).truth(_marked(narrow, has_variables=False)) is True


# --- sets of patterns --------------------------------------------------------------------------

_Patterns = tuple[tuple[Any, ...], bool]
"""The patterns of a clause, and whether it is the `Not` form."""


def _set_covers(
    wide: _Patterns,
    narrow: _Patterns,
    includes: Callable[[Any, Any], bool],
    excludes: Callable[[Any, Any], bool],
) -> bool:
    """Whether a clause holds wherever another one holds."""
    (wide_patterns, wide_is_not), (narrow_patterns, narrow_is_not) = wide, narrow
    if wide_is_not and narrow_is_not:
        return all(any(includes(n, w) for n in narrow_patterns) for w in wide_patterns)
    if wide_is_not:
        return all(excludes(w, n) for w in wide_patterns for n in narrow_patterns)
    if narrow_is_not:
        return any(_is_everything(w) for w in wide_patterns)
    return all(any(includes(w, n) for w in wide_patterns) for n in narrow_patterns)


def _is_everything(pattern: str | PrincipalPattern) -> bool:
    """Whether a pattern is `*`."""
    text = pattern.value if isinstance(pattern, PrincipalPattern) else pattern
    return text == "*"


@functools.lru_cache(maxsize=_CACHED)
def _action_includes(wide: str, narrow: str) -> bool:
    return action_truth(wide, _marked(narrow, has_variables=False)) is True


def _action_excludes(wide: str, narrow: str) -> bool:
    """Whether no action is of both."""
    if narrow in _EVERY_ACTION:
        return False
    return action_truth(wide, _marked(narrow, has_variables=False)) is False


def _resource_includes(
    wide_has_variables: bool,  # noqa: FBT001 - bound by `partial`, one call
    narrow_has_variables: bool,  # noqa: FBT001 - as above
    wide: str,
    narrow: str,
) -> bool:
    if "${" in wide and wide_has_variables:
        return wide == narrow and narrow_has_variables
    text = _marked(narrow, narrow_has_variables)
    if _starts_apart(_marked(wide, has_variables=False), text):
        return False
    return parse_arn_pattern(wide).truth(text) is True


def _may_meet(
    first: str,
    first_has_variables: bool,  # noqa: FBT001 - the pattern's own trait
    second: str,
    second_has_variables: bool,  # noqa: FBT001 - as above
) -> bool:
    text = _marked(second, second_has_variables)
    if _starts_apart(_marked(first, first_has_variables), text):
        return False
    return _shape(first, first_has_variables).truth(text) is not False


@functools.lru_cache(maxsize=_CACHED)
def _shape(pattern: str, has_variables: bool) -> ArnPattern:  # noqa: FBT001 - as above
    """The pattern with `*` for each variable."""
    return ArnTemplate(parse_template(pattern, has_variables=has_variables)).shape


def _starts_apart(one: str, other: str) -> bool:
    """Whether the last parts of two marked ARNs begin differently: a cheap first question."""
    head, other_head = _head(one), _head(other)
    return not (head.startswith(other_head) or other_head.startswith(head))


@functools.lru_cache(maxsize=_CACHED)
def _head(marked: str) -> str:
    """What is known of the beginning of an ARN's last part; nothing where it is no ARN."""
    parts = marked.split(":", ARN_PARTS - 1)
    last = parts[-1] if len(parts) == ARN_PARTS else ""
    return last.partition(UNKNOWN_RUN)[0].partition(UNKNOWN_CHAR)[0]


def _arn_excludes(wide: str, narrow: str) -> bool:
    """Whether no ARN is of both; both must be ARNs, `*` is of everything."""
    if min(wide.count(":"), narrow.count(":")) < ARN_PARTS - 1:
        return False
    return _truth_of_marked(wide, narrow) is False


def _truth_of_marked(wide: str, narrow: str) -> Truth:
    return parse_arn_pattern(wide).truth(_marked(narrow, has_variables=False))


def _principal_includes(wide: PrincipalPattern, narrow: PrincipalPattern) -> bool:
    if _is_everything(wide) or wide == narrow:
        return True
    if wide.kind != "arn" or narrow.kind != "arn":
        return False
    return _truth_of_marked(wide.value, narrow.value) is True


@functools.lru_cache(maxsize=_CACHED)
def _marked(pattern: str, has_variables: bool) -> str:  # noqa: FBT001 - the pattern's own trait
    """A pattern as a text: an unknown character or run for each wildcard and variable."""
    tokens = widened(parse_template(pattern, has_variables=has_variables))
    return "".join(
        token if isinstance(token, str) else _MARK_BY_WILDCARD[token] for token in tokens
    )


def _folded(condition: Condition) -> Condition:
    """The condition with its key in lower case: names of keys know no case."""
    return replace(condition, key=condition.key.lower())
