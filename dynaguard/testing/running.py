"""Runs cases: decides each call as `install()` would, and tells where a case does not hold."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from dynaguard.aws.analysis import authorizations
from dynaguard.aws.context import ContextSource
from dynaguard.aws.dynamodb.schemas import KeySchemas
from dynaguard.call import UNKNOWN, Authorization, Call, ContextLookup, ContextValue
from dynaguard.errors import readable_arn
from dynaguard.explaining import Explanation, explain_call
from dynaguard.policy.matcher import CompiledPolicy
from dynaguard.testing.cases import Case, ExpectedAuthorization
from dynaguard.testing.loading import load_cases

_SETS: Final = frozenset({"dynamodb:attributes", "dynamodb:leadingkeys"})
"""Keys whose values have no order."""


@dataclass(frozen=True, slots=True)
class CaseResult:
    """What came of a case.

    Attributes:
        name, place: The case.
        holds: Whether all that it expects is so.
        expected: The verdict that it expects.
        verdict: The verdict that was given; `refused` for a policy that is refused.
        statement: Sid of the statement behind it, or None for the default.
        problems: What is not as expected, one clause each; empty when it holds.
        explanation: How each statement bears on the call; None for an action on a resource.
    """

    name: str
    place: str
    holds: bool
    expected: str
    verdict: str
    statement: str | None
    problems: tuple[str, ...] = ()
    explanation: Explanation | None = None

    @property
    def text(self) -> str:
        """What is not as expected, with name and place; empty when it holds."""
        return "\n".join(f"{self.place}: {self.name}: {problem}" for problem in self.problems)


def run_cases(paths: Iterable[str | os.PathLike[str]]) -> tuple[CaseResult, ...]:
    """Runs every case of some files.

    Args:
        paths: Files of cases, as `load_cases` takes them.

    Raises:
        PolicySyntaxError: A file of cases, or a policy that one names, is not understood.

    Effects: reads the files. Calls nothing.
    """
    return tuple(run_case(case) for case in load_cases(paths))


def run_case(case: Case) -> CaseResult:
    """Runs one case. Never raises on what the case expects; reads nothing but the clock."""
    if case.refusal is not None:
        return _refused(case, case.refusal)
    if case.call is None:
        return _run_authorization(case)
    now = case.now or datetime.now(UTC)
    context = ContextSource(
        known={**case.document.context, **case.context},
        environment=case.environment or case.document.environment,
        schemas=KeySchemas({**case.document.tables, **case.tables}),
        utcnow=lambda: now,
    )
    found = explain_call(case.call, case.principal, case.document, context, expires=now)
    problems = _differences(case, found.verdict, found.sid)
    needs = authorizations(case.call, case.principal.account_id)
    for expected in case.authorizations:
        problems += _missing(expected, needs, case, context, case.call)
    return CaseResult(
        case.name,
        case.place,
        not problems,
        case.expect,
        found.verdict,
        found.sid,
        tuple(problems),
        found if problems else None,
    )


def _refused(case: Case, refusal: str) -> CaseResult:
    """A policy that is refused allows nothing, and denies nothing by a statement."""
    holds = case.expect in ("fail_closed", "implicit_deny")
    problems = () if holds else (f"expected {case.expect}, the policy is refused: {refusal}",)
    return CaseResult(case.name, case.place, holds, case.expect, "refused", None, problems)


def _run_authorization(case: Case) -> CaseResult:
    """An action on a resource: what is not in the context is known to be absent."""
    known = {key.lower(): values for key, values in case.context.items()}
    need = case.authorization or Authorization("", "")
    policy = CompiledPolicy(case.document)
    ruling = policy.rule(need, case.principal, lambda key: known.get(key, ()))
    sid = ruling.statement.sid if ruling.statement else None
    problems = _differences(case, ruling.verdict.value, sid)
    return CaseResult(
        case.name,
        case.place,
        not problems,
        case.expect,
        ruling.verdict.value,
        sid,
        tuple(problems),
    )


def _differences(case: Case, verdict: str, sid: str | None) -> list[str]:
    """How the decision differs from the expected one."""
    by = f" by `{sid}`" if sid else ""
    if case.expect == "fail_closed":
        is_expected = verdict in ("deny", "implicit_deny", "require_approval")
    else:
        is_expected = verdict == case.expect
    if not is_expected:
        return [f"expected {case.expect}, got {verdict}{by}"]
    if case.statement is not None and case.statement != sid:
        return [f"expected {verdict} by `{case.statement}`, got it{by or ' by the default'}"]
    return []


def _missing(
    expected: ExpectedAuthorization,
    needs: tuple[Authorization, ...],
    case: Case,
    context: ContextSource,
    call: Call,
) -> list[str]:
    """How the call's needs differ from an expected one: the fewest differences of any need."""
    same = [n for n in needs if (n.action, n.resource) == (expected.action, expected.resource)]
    if not same:
        found = ", ".join(f"{need.action} on {readable_arn(need.resource)}" for need in needs)
        return [f"expected {expected.action} on {expected.resource} to be needed, got {found}"]
    differences = [
        _wrong_keys(expected, context.lookup_for(call, case.principal, need)) for need in same
    ]
    return min(differences, key=len)


def _wrong_keys(expected: ExpectedAuthorization, lookup: ContextLookup) -> list[str]:
    """Condition keys whose values differ."""
    wanted: dict[str, tuple[str, ...]] = {
        **expected.context,
        **dict.fromkeys(expected.absent, ()),
    }
    return [
        f"expected `{key}` of {expected.action} to be {_shown(values)}, "
        f"got {_shown(lookup(key.lower()))}"
        for key, values in wanted.items()
        if _comparable(key, values) != _comparable(key, lookup(key.lower()))
    ]


def _comparable(key: str, values: ContextValue) -> Any:
    return frozenset(values) if key.lower() in _SETS and values is not UNKNOWN else values


def _shown(values: ContextValue) -> str:
    """Values for people; a case's own file holds them already."""
    if values is UNKNOWN:
        return "unknown"
    return ", ".join(f"`{value}`" for value in values) or "absent"
