"""The conditions of a statement: what is known of the keys that AWS, or the guard, compares.

What a value says stays what it is: `*`, `?` and `${` of values are written as IAM's `${*}`, `${?}`
and `${$}{`, so no value becomes a wildcard or a policy variable.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from dynaguard.aws.dynamodb.attributes import NotUnderstood, named_attributes, names_attributes
from dynaguard.call import UNKNOWN, Authorization, Call, ContextLookup
from dynaguard.runbooks.parameters import RESERVED

Conditions = dict[str, dict[str, Any]]

MARK: Final = RESERVED
"""Stands for text that only shows while a run goes on; letters and digits alone, as in names.

INVARIANT: no value of a parameter holds it, or that value would become a wildcard.
"""
EACH: Final = "ForAllValues:StringEquals"
IF_ANY: Final = "StringEqualsIfExists"
"""For `ReturnValues` of `NONE`: a request that asks for nothing back need not carry the key."""
LEADING: Final = "dynamodb:LeadingKeys"
SELECT: Final = "dynamodb:Select"
RETURN_VALUES: Final = "dynamodb:ReturnValues"
_NOTHING: Final = "NONE"
_WITHOUT_REGION: Final = frozenset({"iam", "route53", "cloudfront", "organizations", "s3", "sts"})


def conditions_of(need: Authorization, lookup: ContextLookup, sample: Call) -> Conditions:
    """Conditions with AWS's own keys, as narrow as they are known."""
    each: dict[str, Any] = {}
    one: dict[str, Any] = {}
    if_any: dict[str, Any] = {}
    if leading := _values(lookup(LEADING.lower())):
        each[LEADING] = leading
    if names_attributes(need):
        each |= _attributes(need, lookup)
        one |= _answer(SELECT, lookup) | _answer(RETURN_VALUES, lookup)
        if one.get(RETURN_VALUES) == _NOTHING:
            if_any[RETURN_VALUES] = one.pop(RETURN_VALUES)
    if need.enclosing_operation is not None:
        one["dynamodb:EnclosingOperation"] = need.enclosing_operation
    region = sample.region
    if need.resource == "*" and region and sample.service_prefix not in _WITHOUT_REGION:
        one["aws:RequestedRegion"] = region
    conditions: Conditions = {}
    if each:
        conditions[EACH] = each
    if one:
        conditions["StringEquals"] = one
    if if_any:
        conditions[IF_ANY] = if_any
    if LEADING in each and "PartiQL" in need.action:
        conditions["Null"] = {LEADING: "false"}  # a statement may name no key at all
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


def _answer(key: str, lookup: ContextLookup) -> dict[str, Any]:
    """`dynamodb:Select` of a read or `dynamodb:ReturnValues` of a write, where it is known."""
    values = _values(lookup(key.lower()))
    return {key: values[0]} if values else {}


def of_guard(conditions: Mapping[str, Mapping[str, Any]], sample: Call) -> Conditions:
    """The guard's conditions: without values of keys, with what IAM has no key for."""
    kept: Conditions = {}
    for operator, keys in conditions.items():
        left = {key: value for key, value in keys.items() if key != LEADING}
        if left:
            kept[operator] = left
    limit = sample.params.get("Limit")
    if isinstance(limit, int) and sample.service == "dynamodb":
        kept["NumericLessThanEquals"] = {"dynaguard:Limit": str(limit)}
    return kept


def escaped(text: str) -> str:
    """A text as a pattern of IAM that matches it alone.

    Source: IAM User Guide, IAM policy elements: Variables and tags, special characters.
    """
    signs = {"*": "${*}", "?": "${?}", "$": "${$}"}
    return re.sub(r"[*?]|\$(?=\{)", lambda found: signs[found[0]], text)


def escaped_value(text: str) -> str:
    """A text as a value of StringEquals, where wildcards are plain signs, that equals it alone."""
    return text.replace("${", "${$}{")
