"""Terms of a grant as programs and people write them: durations, short forms, IAM policies."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from dynaguard.access.terms import GrantTerms, check_terms, new_findings
from dynaguard.errors import PolicySyntaxError
from dynaguard.policy.collecting import Findings
from dynaguard.policy.lines import Path_


def terms_of(
    *,
    statements: str | Mapping[str, Any] | Sequence[Mapping[str, Any]] | None,
    actions: Sequence[str],
    resources: Sequence[str],
    identity: str,
    reason: str,
    expires: float | timedelta | datetime | None,
    not_before: datetime | None,
    acting_as: str | None,
    uses: int | None,
    is_break_glass: bool,
    now_epoch_s: float,
    max_duration_s: float,
) -> GrantTerms:
    """Checked terms from what a program or the command line gives.

    Args:
        statements: JSON text, a statement, a list of them, or an IAM policy with `Statement`;
            None: `actions` and `resources` make one.
        actions: The short form: actions of the one statement.
        resources: Its resources.
        identity: As in `GrantTerms`.
        reason: As in `GrantTerms`.
        expires: How long from the beginning, in seconds or as a duration; or an instant.
        not_before: When it begins; None: now.
        acting_as: As in `GrantTerms`.
        uses: As in `GrantTerms`.
        is_break_glass: As in `GrantTerms`.
        now_epoch_s: Now, in seconds since the epoch.
        max_duration_s: Longest that it may last, in seconds.

    Raises:
        PolicySyntaxError: Every problem there is.
    """
    findings = new_findings("<grant>")
    begins_s = _instant(findings, not_before, "not_before")
    if isinstance(expires, datetime):
        end_s = _instant(findings, expires, "expires")
        from_s = now_epoch_s if begins_s is None else max(begins_s, now_epoch_s)
        duration_s: Any = None if end_s is None else end_s - from_s
    else:
        is_delta = isinstance(expires, timedelta)
        duration_s = expires.total_seconds() if is_delta else expires  # type: ignore[union-attr]
    terms = GrantTerms(
        statements=_statements_text(findings, statements, actions, resources),
        identity=identity,
        reason=reason,
        duration_s=duration_s,
        acting_as=acting_as,
        begins_epoch_s=begins_s,
        uses=uses,
        is_break_glass=is_break_glass,
    )
    problems = findings.problems
    try:
        check_terms(terms, now_epoch_s=now_epoch_s, max_duration_s=max_duration_s)
    except PolicySyntaxError as err:
        told = {problem.path for problem in problems}
        problems += [problem for problem in err.problems if problem.path not in told]
    if problems:
        raise PolicySyntaxError(problems)
    return terms


def _instant(findings: Findings, value: Any, name: str) -> float | None:
    """An instant in seconds since the epoch; one that could be of any time zone is none."""
    if value is None:
        return None
    if not isinstance(value, datetime):
        findings.add((name,), "must be a datetime with a time zone")
    elif value.tzinfo is None:
        findings.add((name,), "has no time zone, write for example `datetime(..., tzinfo=UTC)`")
    else:
        return value.timestamp()
    return None


def _statements_text(
    findings: Findings, statements: Any, actions: Sequence[str], resources: Sequence[str]
) -> str:
    """The statements as JSON text, the short form written out."""
    path: Path_ = ("statements",)
    if statements is None:
        if not actions and not resources:
            return ""
        short = {"Effect": "Allow", "Action": list(actions), "Resource": list(resources)}
        return json.dumps([short])
    if actions or resources:
        findings.add(path, "stand beside actions or resources, give one of the two")
    if isinstance(statements, str):
        text = statements
        try:
            statements = json.loads(text)
        except ValueError:
            return text
    if isinstance(statements, Mapping) and "Statement" in statements:
        statements = statements["Statement"]
    if isinstance(statements, Mapping):
        statements = [statements]
    try:
        return json.dumps(statements)
    except (TypeError, ValueError):
        findings.add(path, "hold values other than text, numbers, booleans, lists, mappings")
        return ""
