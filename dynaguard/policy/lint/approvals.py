"""Findings about approvals: moot ones, those that nobody can give, detours around them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from dynaguard.call import StatementRef
from dynaguard.policy.lint.actions import INDEX_ACTIONS, OTHER_WAYS
from dynaguard.policy.lint.allow_lists import named
from dynaguard.policy.lint.covering import covers
from dynaguard.policy.lint.detours import is_table, on_index
from dynaguard.policy.lint.findings import Finding
from dynaguard.policy.lint.grants import Grants, is_about, only
from dynaguard.policy.lint.rules import RULES
from dynaguard.policy.model import (
    ApprovalTerms,
    PolicyDocument,
    PrincipalPattern,
    RunbookPin,
    Statement,
)

_PERSON = "sso:person="


def pin_ref(document: PolicyDocument, pin: RunbookPin) -> StatementRef:
    """The place of a runbook that a document trusts."""
    return StatementRef(f"runbooks.{pin.name}", document.source)


def check_moot_approvals(grants: Grants) -> Iterator[Finding]:
    """DG108 and DG109: statements that decide nothing since another one comes first."""
    for asking in grants.approvals:
        by = next((deny for deny in grants.denies if covers(deny, asking)), None)
        if by is not None:
            message = f"can never be approved, {by.ref} denies all of it"
            fix = f"remove this statement, or narrow `{by.ref.sid}`"
            yield RULES["DG108"].finding(asking.ref, message, fix)
    for allow in grants.allows:
        by = next((asking for asking in grants.approvals if covers(asking, allow)), None)
        if by is not None:
            message = f"decides nothing, {by.ref} requires an approval of all of it"
            fix = f"remove this Allow, or narrow `{by.ref.sid}`"
            yield RULES["DG109"].finding(allow.ref, message, fix)


def check_approvers(document: PolicyDocument) -> Iterator[Finding]:
    """DG601 and DG602, of statements and of pinned runbooks."""
    for statement in document.statements:
        if statement.approval is not None:
            askers = () if statement.is_not_principal else statement.principals or ()
            place = statement.ref, "Approval"
            yield from _approvers(document, statement.approval, askers, place)
    for pin in document.runbooks.values():
        if pin.approval is not None:
            place = pin_ref(document, pin), "approval"
            yield from _approvers(document, pin.approval, pin.principals or (), place)


def check_detours_around_approvals(grants: Grants) -> Iterator[Finding]:
    """DG603: what requires an approval can be done in another way without one."""
    for asking in grants.approvals:
        for name, ways in OTHER_WAYS.items():
            if not is_about(asking, name) or grants.is_denied(only(asking, name)):
                continue
            found = [way for way in ways if _is_open(asking, way, grants)]
            if found:
                is_one = len(found) == 1
                message = (
                    f"`dynamodb:{name}` requires an approval, but {named(found)} "
                    f"{'does' if is_one else 'do'} the same and {'is' if is_one else 'are'} "
                    "allowed without"
                )
                fix = f"add {named(found)} to this statement, or do not allow what goes around it"
                path = "NotAction" if asking.is_not_action else "Action"
                yield RULES["DG603"].finding(asking.ref, message, fix, path)
        yield from _by_index(asking, grants)


def _by_index(asking: Statement, grants: Grants) -> Iterator[Finding]:
    """DG603: reads of a table require an approval, those of its indexes do not."""
    for at, resource in enumerate(() if asking.is_not_resource else asking.resources):
        if not is_table(resource):
            continue
        index = f"{resource}/index/*"
        found = []
        for name in INDEX_ACTIONS:
            forgotten = replace(only(asking, name), resources=(index,))
            ways = (on_index(way, forgotten) for way in grants.ways(forgotten, name))
            if is_about(asking, name) and any(
                not grants.is_denied(way) and not grants.is_asked_for(way) for way in ways
            ):
                found.append(name)
        if found:
            message = f"{named(found)} on an index of the table goes without an approval"
            fix = f"add the resource `{index}`"
            yield RULES["DG603"].finding(asking.ref, message, fix, f"Resource[{at}]")


def _is_open(asking: Statement, way: str, grants: Grants) -> bool:
    """Whether an action goes without an approval where another statement asks for one."""
    if is_about(asking, way) or grants.is_asked_for(only(asking, way)):
        return False
    narrowed = only(asking, way)
    return not grants.is_denied(narrowed) and any(
        not grants.is_asked_for(source) for source in grants.ways(asking, way)
    )


def _approvers(
    document: PolicyDocument,
    terms: ApprovalTerms,
    askers: tuple[PrincipalPattern, ...],
    place: tuple[StatementRef, str],
) -> Iterator[Finding]:
    """Whether enough people can approve, and whether they are named at all."""
    ref, path = place
    if not (terms.any_of or terms.all_of):
        message = (
            "names no approvers, so anybody but who asks can approve, a colleague's agent too"
        )
        fix = 'name a group, such as `any_of = ["managers"]`'
        yield RULES["DG602"].finding(ref, message, fix, path)
    for groups in (terms.any_of, *((group,) for group in terms.all_of)):
        people = _people(document, groups)
        if people is None:
            continue
        are_askers = bool(askers) and all(_is_among(each, groups, people) for each in askers)
        able = len(people) - are_askers
        needed = terms.quorum if groups is terms.any_of else 1
        if able < needed:
            listed = ", ".join(f"`{group}`" for group in groups)
            message = f"needs {needed} of {listed}, and {able} can: nobody approves for themselves"
            fix = f"add people to {listed}, or lower what is needed"
            yield RULES["DG601"].finding(ref, message, fix, path)


def _people(document: PolicyDocument, groups: tuple[str, ...]) -> frozenset[str] | None:
    """The people of some groups, where each member is one person; else None: nobody can count.

    A role is taken by any number of people.
    """
    members = frozenset(member for group in groups for member in document.groups.get(group, ()))
    is_counted = bool(members) and all(_is_person(member) for member in members)
    return members if is_counted else None


def _is_person(member: str) -> bool:
    """Whether a member of a group is one person: a user, or somebody who signs in by name."""
    if "*" in member or "?" in member:
        return False
    return ":user/" in member or member.startswith(_PERSON)


def _is_among(asker: PrincipalPattern, groups: tuple[str, ...], people: frozenset[str]) -> bool:
    """Whether whoever asks is certainly one of the approvers."""
    return asker.value in (groups if asker.kind == "group" else people)
