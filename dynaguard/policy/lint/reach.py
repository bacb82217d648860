"""Findings about what has no effect: unreachable, shadowed and ungoverned statements (DG1xx).

INVARIANT: taking a reported statement (or action) out of the document changes no verdict.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from dynaguard.call import StatementRef
from dynaguard.policy.lint.approvals import pin_ref
from dynaguard.policy.lint.covering import covers, text_includes
from dynaguard.policy.lint.findings import Finding
from dynaguard.policy.lint.grants import Grants
from dynaguard.policy.lint.rules import RULES
from dynaguard.policy.model import (
    BudgetStatement,
    PolicyDocument,
    PrincipalPattern,
    Statement,
)


def check_reach(document: PolicyDocument, grants: Grants) -> Iterator[Finding]:
    """DG101 to DG105: statements that decide nothing."""
    for allow in grants.allows:
        if document.default == "allow":
            message = "what no statement denies is allowed anyway, so this Allow decides nothing"
            fix = 'write `default = "deny"`, or remove the statement'
            yield RULES["DG105"].finding(allow.ref, message, fix)
        else:
            yield from _unreachable(allow, grants.denies)
            yield from _shadowed(allow, grants.allows)
    for deny in grants.denies:
        yield from _shadowed(deny, grants.denies)
    for asking in grants.approvals:
        peers = [each for each in grants.approvals if each.approval == asking.approval]
        yield from _shadowed(asking, tuple(peers))


def _unreachable(allow: Statement, denies: tuple[Statement, ...]) -> Iterator[Finding]:
    """DG101, or DG102 for each action that is dead alone."""
    by = _cover(allow, denies)
    if by is not None:
        message = f"can never allow anything, {by.ref} denies all of it"
        fix = f"remove this Allow, or narrow `{by.ref.sid}`"
        yield RULES["DG101"].finding(allow.ref, message, fix)
        return
    if allow.is_not_action:
        return
    for at, action in enumerate(allow.actions):
        by = _cover(replace(allow, actions=(action,)), denies)
        if by is not None:
            message = f"`{action}` can never be allowed here, {by.ref} denies it"
            fix = f"remove the action, or narrow `{by.ref.sid}`"
            yield RULES["DG102"].finding(allow.ref, message, fix, f"Action[{at}]")


def _cover(statement: Statement, others: tuple[Statement, ...]) -> Statement | None:
    """The first statement that matches wherever this one does."""
    return next((other for other in others if covers(other, statement)), None)


def _shadowed(statement: Statement, peers: tuple[Statement, ...]) -> Iterator[Finding]:
    """DG103. Of statements that cover each other the first stays."""
    is_before = True
    for peer in peers:
        if peer is statement:
            is_before = False
        elif covers(peer, statement) and (is_before or not covers(statement, peer)):
            message = f"decides nothing, {peer.ref} matches whatever this statement matches"
            fix = f"remove this statement, or narrow `{peer.ref.sid}`"
            yield RULES["DG103"].finding(statement.ref, message, fix)
            return


def check_governed(document: PolicyDocument) -> Iterator[Finding]:
    """DG104: statements, or actions of them, about services outside of `govern`."""
    for statement in document.statements:
        foreign = [
            (at, action)
            for at, action in enumerate(statement.actions)
            if not statement.is_not_action and not governs(document, action)
        ]
        is_whole = len(foreign) == len(statement.actions)
        for at, action in foreign[:1] if is_whole else foreign:
            service = action.partition(":")[0]
            what = "this statement" if is_whole else f"`{action}`"
            message = f"`govern` does not list `{service}`, its calls pass whatever {what} says"
            fix = f"add `{service.lower()}` to `govern`, or remove {what}"
            path = "" if is_whole else f"Action[{at}]"
            yield RULES["DG104"].finding(statement.ref, message, fix, path)


def governs(document: PolicyDocument, action: str) -> bool:
    """Whether calls under an action pattern are under the policy.

    S3 has operations that need only actions of `s3express` and the like; where S3 is governed
    they are decided too.
    """
    service = action.partition(":")[0].lower()
    if document.govern is None or service == "*" or service in document.govern:
        return True
    return service.startswith("s3") and "s3" in document.govern


def check_groups(document: PolicyDocument) -> Iterator[Finding]:
    """DG107: groups of statements, masks and runbooks that the document does not list."""
    for statement in document.statements:
        name = "NotPrincipal" if statement.is_not_principal else "Principal"
        yield from _unlisted(document, statement.principals, (statement.ref, name))
    for pin in document.runbooks.values():
        yield from _unlisted(document, pin.principals, (pin_ref(document, pin), "may_run"))
    for mask in document.masks:
        yield from _unlisted(document, mask.unless, (mask.ref, "unless"))
        yield from _unlisted(document, mask.only, (mask.ref, "only"))
        yield from _unlisted(document, mask.unseal, (mask.ref, "unseal"))


def _unlisted(
    document: PolicyDocument,
    principals: tuple[PrincipalPattern, ...] | None,
    place: tuple[StatementRef, str],
) -> Iterator[Finding]:
    """The groups among some principals that have no member in the document."""
    ref, path = place
    for principal in principals or ():
        if principal.kind == "group" and not document.groups.get(principal.value):
            message = (
                f"`[groups]` does not list `{principal.value}`, only `acting_as()` in the program "
                "can bring it, and that only narrows"
            )
            fix = f"list `{principal.value}` under `[groups]`, unless the program brings it"
            yield RULES["DG107"].finding(ref, message, fix, path)


def check_budgets(document: PolicyDocument) -> Iterator[Finding]:
    """DG106: budgets that no call reaches."""
    for at, budget in enumerate(document.budgets):
        earlier = next((e for e in document.budgets[:at] if _budget_covers(e, budget)), None)
        if earlier is not None:
            message = f"is never used, {earlier.ref} comes first and matches the same calls"
            fix = f"move it before `{earlier.ref.sid}`, or remove it"
            yield RULES["DG106"].finding(budget.ref, message, fix)


def _budget_covers(wide: BudgetStatement, narrow: BudgetStatement) -> bool:
    """Whether a budget takes each call that another one takes."""
    return _texts_cover(wide.jobs, narrow.jobs) and _texts_cover(wide.tables, narrow.tables)


def _texts_cover(wide: tuple[str, ...], narrow: tuple[str, ...]) -> bool:
    """Whether each text of the one is one of the other."""
    return all(any(text_includes(w, n) for w in wide) for n in narrow)
