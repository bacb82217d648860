"""Asks every rule and puts the findings in order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from dynaguard.policy.lint.actions import PREFIX
from dynaguard.policy.lint.allow_lists import check_allow_lists
from dynaguard.policy.lint.approvals import (
    check_approvers,
    check_detours_around_approvals,
    check_moot_approvals,
    pin_ref,
)
from dynaguard.policy.lint.detours import check_detours
from dynaguard.policy.lint.expiry import check_expiry
from dynaguard.policy.lint.findings import Finding
from dynaguard.policy.lint.grants import Grants
from dynaguard.policy.lint.names import check_names
from dynaguard.policy.lint.reach import (
    check_budgets,
    check_governed,
    check_groups,
    check_reach,
    governs,
)
from dynaguard.policy.lint.width import check_width
from dynaguard.policy.model import PolicyDocument


def lint(document: PolicyDocument, *, now: datetime) -> tuple[Finding, ...]:
    """What the author of a document will not have meant.

    Args:
        document: A checked document.
        now: The present, timezone-aware; dates of conditions are compared with it.

    Returns:
        The findings in document order (statements, masks, budgets, runbooks), then by code,
        without those that the document's `[lint]` ignores.

    Cost: O(statements squared); for the command line and tests, never for a call.
    """
    refs = [
        *(statement.ref for statement in document.statements),
        *(mask.ref for mask in document.masks),
        *(budget.ref for budget in document.budgets),
        *(pin_ref(document, pin) for pin in document.runbooks.values()),
    ]
    place_by_ref = {ref: at for at, ref in reversed(list(enumerate(refs)))}
    found = [each for each in _findings(document, now) if not _is_ignored(document, each)]
    return tuple(sorted(found, key=lambda each: (place_by_ref[each.ref], each.code)))


def _is_ignored(document: PolicyDocument, finding: Finding) -> bool:
    """Whether the document's `[lint]` says that its author has weighed a finding."""
    of_this = f"{finding.code}:{finding.ref.sid}"
    return bool({finding.code, of_this} & document.ignored_findings)


def _findings(document: PolicyDocument, now: datetime) -> Iterator[Finding]:
    """The findings of every rule; statements without effect are asked no more than that."""
    yield from check_governed(document)
    yield from check_groups(document)
    yield from check_budgets(document)
    yield from check_expiry(document, now)
    governed = _governed(document)
    yield from check_names(governed)
    grants = Grants(governed)
    yield from check_reach(governed, grants)
    yield from check_moot_approvals(grants)
    yield from check_approvers(governed)
    if not governs(document, f"{PREFIX}:*"):
        return
    yield from check_detours(governed, grants)
    yield from check_detours_around_approvals(grants)
    if document.default == "deny":
        yield from check_allow_lists(grants)
        yield from check_width(grants)


def _governed(document: PolicyDocument) -> PolicyDocument:
    """The document without statements that are about ungoverned services alone."""
    statements = tuple(
        statement
        for statement in document.statements
        if statement.is_not_action or any(governs(document, a) for a in statement.actions)
    )
    return replace(document, statements=statements)
