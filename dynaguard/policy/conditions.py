"""Condition operators, compiled: each condition becomes one function of a call's context.

A condition is true, false, or not known (`None`): not known where its key is unknown, where a
value of the call does not parse, where a variable in it has no text, and where an operator
without a set qualifier meets several values. An Allow takes only true, a Deny all but false.

| key is absent | plain | `IfExists` | `ForAllValues` | `ForAnyValue` |
|---|---|---|---|---|
| positive operator | false | true | true | false |
| negated operator | true | true | true | false |

The values of a condition are alternatives; for a negated operator none of them may hold.

Source: IAM User Guide, IAM JSON policy elements: Condition operators; Multivalued context keys.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Mapping
from decimal import Decimal
from ipaddress import IPv4Network, IPv6Network
from typing import Final, TypeVar

from dynaguard.call import UNKNOWN, ContextLookup
from dynaguard.policy.literals import (
    Network,
    parse_address,
    parse_bool,
    parse_bytes,
    parse_instant,
    parse_network,
    parse_number,
)
from dynaguard.policy.model import Condition
from dynaguard.policy.patterns import ARN_PARTS, Glob, cached_glob
from dynaguard.policy.truth import Truth, all_of, any_of, negated
from dynaguard.policy.variables import (
    ArnTemplate,
    Template,
    fill,
    fixed,
    is_closed,
    parse_template,
    text_of,
    variable_keys,
)
from dynaguard.values import dataclass

_TypedT = TypeVar("_TypedT")

_Builder = Callable[[tuple[str, ...], tuple[Template, ...]], "ValueTest"]
"""Makes the test of an operator from a condition's values and, for texts, their templates."""

ValueTest = Callable[[str, ContextLookup], Truth]
"""Whether one value of a call satisfies (one of) the values of a condition."""


@dataclass(frozen=True, slots=True)
class CompiledCondition:
    """A condition ready to be asked.

    Attributes:
        keys: The keys that it reads, as written: its own, then those of variables in its values.
        holds: Its truth for one call.
    """

    keys: tuple[str, ...]
    holds: Callable[[ContextLookup], Truth]

    def unknown_keys(self, lookup: ContextLookup) -> tuple[str, ...]:
        """Those of its keys that are unknown for a call; for messages, off the fast path."""
        return tuple(key for key in self.keys if lookup(key.lower()) is UNKNOWN)


def compile_condition(condition: Condition, *, has_variables: bool) -> CompiledCondition:
    """The compiled form of a condition.

    An operator that IAM does not know, or a qualifier on `Null`, is never true and never false:
    the loader refuses both, and a document made by hand fails closed.
    """
    if condition.operator == "Null":
        return CompiledCondition((condition.key,), _compile_null(condition))
    if condition.operator not in _operators():
        return CompiledCondition((condition.key,), _never_known)
    is_negated, build = _operators()[condition.operator]
    templates: tuple[Template, ...] = ()
    if condition.operator.startswith(("String", "Arn")):
        templates = tuple(
            parse_template(value, has_variables=has_variables) for value in condition.values
        )
    test = build(condition.values, templates)
    keys = [condition.key, *(key for template in templates for key in variable_keys(template))]
    quantified = _QUANTIFIERS[condition.qualifier](
        condition.key.lower(),
        _negate(test) if is_negated else test,
        _truth_when_absent(condition, is_negated=is_negated),
    )
    return CompiledCondition(tuple(dict.fromkeys(keys)), quantified)


def _never_known(_lookup: ContextLookup) -> Truth:
    """The truth of a condition that nobody can evaluate."""
    return None


def _truth_when_absent(condition: Condition, *, is_negated: bool) -> bool:
    """The truth of a condition whose key is known to be absent."""
    if condition.if_exists or condition.qualifier == "ForAllValues":
        return True
    return is_negated and condition.qualifier is None


def _compile_null(condition: Condition) -> Callable[[ContextLookup], Truth]:
    """`Null`: `true` asks that the key is absent, `false` that it is there."""
    wanted = {parse_bool(value) for value in condition.values}
    if condition.qualifier or condition.if_exists or None in wanted:
        return _never_known
    key = condition.key.lower()

    def holds(lookup: ContextLookup) -> Truth:
        values = lookup(key)
        return None if values is UNKNOWN else (not values) in wanted

    return holds


# --- quantifiers ------------------------------------------------------------------------------


def _plain(key: str, test: ValueTest, absent: bool) -> Callable[[ContextLookup], Truth]:  # noqa: FBT001 - one call
    """An operator without qualifier: the key must hold one value."""

    def holds(lookup: ContextLookup) -> Truth:
        values = lookup(key)
        if values is UNKNOWN:
            return None
        if not values:
            return absent
        # AWS leaves several values open, so neither side may rely on them.
        return test(values[0], lookup) if len(values) == 1 else None

    return holds


def _for_all(key: str, test: ValueTest, absent: bool) -> Callable[[ContextLookup], Truth]:  # noqa: FBT001 - one call
    """`ForAllValues`: every value of the call satisfies the operator."""

    def holds(lookup: ContextLookup) -> Truth:
        values = lookup(key)
        if values is UNKNOWN:
            return None
        return all_of(test(value, lookup) for value in values) if values else absent

    return holds


def _for_any(key: str, test: ValueTest, absent: bool) -> Callable[[ContextLookup], Truth]:  # noqa: FBT001 - one call
    """`ForAnyValue`: one value of the call satisfies the operator."""

    def holds(lookup: ContextLookup) -> Truth:
        values = lookup(key)
        if values is UNKNOWN:
            return None
        return any_of(test(value, lookup) for value in values) if values else absent

    return holds


_QUANTIFIERS: Final = {None: _plain, "ForAllValues": _for_all, "ForAnyValue": _for_any}


def _negate(test: ValueTest) -> ValueTest:
    """The test of a negated operator: none of the values holds."""
    return lambda value, lookup: negated(test(value, lookup))


# --- texts and ARNs ---------------------------------------------------------------------------


def _equal_texts(fold: Callable[[str], str]) -> _Builder:
    """StringEquals, or its IgnoreCase form where `fold` drops case."""

    def build(_values: tuple[str, ...], templates: tuple[Template, ...]) -> ValueTest:
        closed = frozenset(fold(text_of(part)) for part in templates if is_closed(part))
        still_open = tuple(template for template in templates if not is_closed(template))

        def test(value: str, lookup: ContextLookup) -> Truth:
            folded = fold(value)
            return folded in closed or any_of(
                None if tokens is None else fold(text_of(tokens)) == folded
                for tokens in (fill(template, lookup) for template in still_open)
            )

        return test

    return build


def _like_texts(_values: tuple[str, ...], templates: tuple[Template, ...]) -> ValueTest:
    """StringLike."""
    globs = tuple(Glob(fixed(template)) for template in templates if is_closed(template))
    still_open = tuple(template for template in templates if not is_closed(template))

    def test(value: str, lookup: ContextLookup) -> Truth:
        return any(glob.matches(value) for glob in globs) or any_of(
            None if tokens is None else cached_glob(tokens).matches(value)
            for tokens in (fill(template, lookup) for template in still_open)
        )

    return test


def _like_arns(_values: tuple[str, ...], templates: tuple[Template, ...]) -> ValueTest:
    """ArnLike, and ArnEquals, which is the same."""
    patterns = tuple(map(ArnTemplate, templates))

    def test(value: str, lookup: ContextLookup) -> Truth:
        if value.count(":") < ARN_PARTS - 1:
            return None
        return any_of(pattern.truth(value, lookup) for pattern in patterns)

    return test


# --- typed values -----------------------------------------------------------------------------


def _typed(
    parse: Callable[[str], _TypedT | None],
    compare: Callable[[_TypedT, _TypedT], bool] = operator.eq,
) -> _Builder:
    """The operators that compare a call's value, read as a type, with each value of the policy."""

    def build(values: tuple[str, ...], _templates: tuple[Template, ...]) -> ValueTest:
        wanted = tuple(map(parse, values))

        def test(value: str, _lookup: ContextLookup) -> Truth:
            actual = parse(value)
            if actual is None:
                return None
            return any_of(None if want is None else compare(actual, want) for want in wanted)

        return test

    return build


def _within_networks(values: tuple[str, ...], _templates: tuple[Template, ...]) -> ValueTest:
    """IpAddress."""
    blocks = tuple(map(parse_network, values))

    def test(value: str, _lookup: ContextLookup) -> Truth:
        address = parse_address(value)
        if address is None:
            return None
        return any_of(None if block is None else _is_within(address, block) for block in blocks)

    return test


def _is_within(address: Network, block: Network) -> bool:
    """Whether an address lies in a block; IPv4 and IPv6 never meet."""
    if isinstance(address, IPv4Network) and isinstance(block, IPv4Network):
        return address.subnet_of(block)
    if isinstance(address, IPv6Network) and isinstance(block, IPv6Network):
        return address.subnet_of(block)
    return False


@functools.cache
def _operators() -> Mapping[str, tuple[bool, _Builder]]:
    """Whether each operator is negated, and what builds its positive test."""
    positive: dict[str, _Builder] = {
        "StringEquals": _equal_texts(str),
        "StringEqualsIgnoreCase": _equal_texts(str.lower),
        "StringLike": _like_texts,
        "ArnEquals": _like_arns,
        "ArnLike": _like_arns,
        "Bool": _typed(parse_bool),
        "BinaryEquals": _typed(parse_bytes),
        "IpAddress": _within_networks,
    }
    comparisons: dict[str, Callable[[Decimal, Decimal], bool]] = {
        "Equals": operator.eq,
        "LessThan": operator.lt,
        "LessThanEquals": operator.le,
        "GreaterThan": operator.gt,
        "GreaterThanEquals": operator.ge,
    }
    for name, compare in comparisons.items():
        positive[f"Numeric{name}"] = _typed(parse_number, compare)
        positive[f"Date{name}"] = _typed(parse_instant, compare)
    negative = {
        "StringNotEquals": "StringEquals",
        "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
        "StringNotLike": "StringLike",
        "ArnNotEquals": "ArnEquals",
        "ArnNotLike": "ArnLike",
        "NumericNotEquals": "NumericEquals",
        "DateNotEquals": "DateEquals",
        "NotIpAddress": "IpAddress",
    }
    return {name: (False, build) for name, build in positive.items()} | {
        name: (True, positive[opposite]) for name, opposite in negative.items()
    }
