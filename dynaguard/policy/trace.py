"""How each statement of a document bears on one authorisation; for `explain`, off the call path.

INVARIANT: names only. A condition is named by operator and key, never by the call's value.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dynaguard.call import Authorization, ContextLookup, Principal, StatementRef
from dynaguard.policy.conditions import compile_condition
from dynaguard.policy.model import Condition, PolicyDocument, Statement
from dynaguard.policy.patterns import action_truth
from dynaguard.policy.principals import PrincipalClause
from dynaguard.policy.resources import ALWAYS, arn_template, match_resource
from dynaguard.policy.truth import Truth, all_of, any_of, negated


@dataclass(frozen=True, slots=True)
class ConsideredStatement:
    """A statement and how it bears on an authorisation.

    Attributes:
        statement: Which.
        effect: `Allow`, `Deny` or `RequireApproval`.
        is_observed: Whether it is left out of the verdict.
        match: `yes`, `no`, or `unknown`.
        counts: Whether it takes effect: an Allow when it matches, any other unless it certainly
            does not.
        why: What kept it from matching, or why that is not known; empty when it matches.
        failing: Every part that did not surely match, in IAM's order: `action`, `resource`,
            `principal`, ``condition `StringEquals` on `aws:RequestedRegion` ``.
    """

    statement: StatementRef
    effect: str
    is_observed: bool
    match: str
    counts: bool
    why: str
    failing: tuple[str, ...] = ()


_MATCH = {True: "yes", False: "no", None: "unknown"}


def trace(
    document: PolicyDocument,
    authorization: Authorization,
    principal: Principal,
    lookup: ContextLookup,
) -> tuple[ConsideredStatement, ...]:
    """Every statement of the document, in order. Cost: O(statements), nothing is remembered."""
    return tuple(
        _consider(statement, authorization, principal, lookup) for statement in document.statements
    )


def _consider(
    statement: Statement,
    authorization: Authorization,
    principal: Principal,
    lookup: ContextLookup,
) -> ConsideredStatement:
    """One statement: the parts are tried in IAM's order, the first that fails is the reason."""
    parts = [*_parts(statement, authorization, principal, lookup)]
    match = all_of(truth for _, truth in parts)
    failing = tuple(name for name, truth in parts if truth is not True)
    mismatches = [f"{name} does not match" for name, truth in parts if truth is False]
    doubts = [f"{name} is not known" for name, truth in parts if truth is None]
    return ConsideredStatement(
        statement=statement.ref,
        effect=statement.effect,
        is_observed=statement.is_observed,
        match=_MATCH[match],
        counts=match is True if statement.effect == "Allow" else match is not False,
        why=mismatches[0] if mismatches else ", ".join(doubts),
        failing=failing,
    )


def _parts(
    statement: Statement,
    authorization: Authorization,
    principal: Principal,
    lookup: ContextLookup,
) -> Iterator[tuple[str, Truth]]:
    """Each part of a statement and its truth."""
    named = any_of(action_truth(pattern, authorization.action) for pattern in statement.actions)
    yield "action", negated(named) if statement.is_not_action else named
    yield "resource", _resource_truth(statement, authorization.resource, lookup)
    if statement.principals is not None:
        clause = PrincipalClause(statement.principals, statement.is_not_principal)
        yield "principal", clause.truth(principal)
    for condition in statement.conditions:
        compiled = compile_condition(condition, has_variables=statement.has_variables)
        yield _named(condition), compiled.holds(lookup)


def _resource_truth(statement: Statement, resource: str, lookup: ContextLookup) -> Truth:
    """Whether `Resource` (or `NotResource`) matches."""
    templates = [
        arn_template(text, has_variables=statement.has_variables) for text in statement.resources
    ]
    test = match_resource(resource, templates, is_negated=statement.is_not_resource)
    if test is None:
        return False
    return True if test is ALWAYS else test.holds(lookup)


def _named(condition: Condition) -> str:
    """A condition as it stands in the document."""
    qualifier = f"{condition.qualifier}:" if condition.qualifier else ""
    suffix = "IfExists" if condition.if_exists else ""
    return f"condition `{qualifier}{condition.operator}{suffix}` on `{condition.key}`"
