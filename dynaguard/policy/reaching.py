"""Who can do something, when and why: what of a document bears on an action on a resource.

Nobody in particular asks: identities and the context of a call are taken as not known, so that a
statement is left out only where it can never match. For people and audits, off the call path.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Literal, Protocol

from dynaguard.call import (
    UNKNOWN,
    UNKNOWN_CHAR,
    UNKNOWN_RUN,
    Authorization,
    ContextLookup,
    Principal,
)
from dynaguard.policy.describing import conditions_text, people_text, terms_text
from dynaguard.policy.loading import load_policy
from dynaguard.policy.model import PolicyDocument, Statement
from dynaguard.policy.trace import trace

WayKind = Literal["statement", "default", "runbook", "grant"]


class LiveGrant(Protocol):
    """What is asked of a grant that is in force or to come; `access/` has the value."""

    @property
    def id(self) -> str:
        """Its id."""
        ...

    @property
    def statements(self) -> str:
        """IAM statements as JSON text."""
        ...

    @property
    def identity(self) -> str:
        """Whom it is for."""
        ...

    @property
    def acting_as(self) -> str | None:
        """The name of who acts, or None."""
        ...

    @property
    def owner(self) -> str:
        """Who made it."""
        ...

    @property
    def reason(self) -> str:
        """Why."""
        ...

    @property
    def not_before_epoch_s(self) -> float:
        """When it begins, in seconds since the epoch."""
        ...

    @property
    def expires_epoch_s(self) -> float:
        """When it ends, in seconds since the epoch."""
        ...

    @property
    def is_break_glass(self) -> bool:
        """Whether it also stands in for approvals."""
        ...


@dataclass(frozen=True, slots=True)
class Way:
    """One thing that lets an action through, refuses it, or asks for an approval first.

    Attributes:
        kind: What it is.
        name: Sid, name of the runbook, id of the grant, or `default`.
        place: File and line; empty where there is none.
        effect: `Allow`, `Deny` or `RequireApproval`.
        who: Whom it is for, in words.
        when: Under which conditions, in words; empty for always.
        approval: Whose approval it requires, in words; empty for nobody's.
        is_certain: Whether it is for the whole action and resource that was asked about,
            everybody and always; else for a part, some, or sometimes.
    """

    kind: WayKind
    name: str
    place: str
    effect: str
    who: str
    when: str = ""
    approval: str = ""
    is_certain: bool = False


@dataclass(frozen=True, slots=True)
class Reach:
    """Who can do something, when and why.

    Attributes:
        action: What was asked about.
        resource: On what; None: on anything.
        is_governed: Whether the policy decides the action's service; if not, calls pass.
        is_closed: Whether a Deny holds for everybody and always.
        is_approved_always: Whether an approval is asked of everybody, always.
        allowing: What lets it through: statements, the default, runbooks, grants.
        asking: Statements that require an approval; they come before what allows.
        denying: Statements that refuse; they come before all.
    """

    action: str
    resource: str | None
    is_governed: bool
    is_closed: bool
    is_approved_always: bool
    allowing: tuple[Way, ...]
    asking: tuple[Way, ...]
    denying: tuple[Way, ...]

    def as_dict(self) -> dict[str, Any]:
        """The same, nested mappings and lists only; for JSON."""
        return asdict(self)


def reach_of(
    document: PolicyDocument,
    action: str,
    resource: str | None = None,
    *,
    grants: Iterable[LiveGrant] = (),
) -> Reach:
    """Who can do something, when and why.

    Args:
        document: The policy.
        action: An IAM action; in its name `*` and `?` stand for what does not matter:
            `s3:Delete*`.
        resource: An ARN, likewise; None: any.
        grants: Those that are in force, or will be.

    Returns:
        What bears on it, in document order; statements with `Mode = "observe"` are left out.

    Cost: O(statements), and for each grant as much as loading a small policy.
    """
    need = Authorization(_marked(action), UNKNOWN_RUN if resource is None else _marked(resource))
    lookup = _known(document)
    ways = [*_of_statements(document, document, need, lookup)]
    denying = tuple(way for way in ways if way.effect == "Deny")
    asking = tuple(way for way in ways if way.effect == "RequireApproval")
    allowing = [way for way in ways if way.effect == "Allow"]
    if document.default == "allow":
        allowing.append(Way("default", "default", document.source, "Allow", "everybody"))
    allowing += _of_runbooks(document)
    for grant in grants:
        allowing += _of_grant(grant, document, need, lookup)
    service = action.partition(":")[0].lower()
    return Reach(
        action=action,
        resource=resource,
        is_governed=document.govern is None or service in document.govern,
        is_closed=any(way.is_certain for way in denying),
        is_approved_always=any(way.is_certain for way in asking),
        allowing=tuple(allowing),
        asking=asking,
        denying=denying,
    )


def _of_statements(
    document: PolicyDocument,
    named_by: PolicyDocument,
    need: Authorization,
    lookup: ContextLookup,
) -> Iterator[Way]:
    """The statements that may match; groups are those of another document where need be."""
    considered = trace(document, need, Principal(), lookup)
    for statement, found in zip(document.statements, considered, strict=True):
        if found.match == "no" or statement.is_observed:
            continue
        ref, terms = statement.ref, statement.approval
        yield Way(
            kind="statement",
            name=ref.sid,
            place=f"{ref.source}:{ref.line}" if ref.line else ref.source,
            effect=statement.effect,
            who=_who(statement, named_by),
            when=conditions_text(statement),
            approval="" if terms is None else terms_text(terms, named_by.groups),
            is_certain=found.match == "yes",
        )


def _of_runbooks(document: PolicyDocument) -> Iterator[Way]:
    """The runbooks that the document trusts. What their steps need it does not say."""
    for pin in document.runbooks.values():
        yield Way(
            kind="runbook",
            name=pin.name,
            place=document.source,
            effect="Allow",
            who=people_text(pin.principals, document.groups),
            when=f"while it runs (content {pin.sha256[:12]}), if a step of it needs this",
            approval="" if pin.approval is None else terms_text(pin.approval, document.groups),
        )


def _of_grant(
    grant: LiveGrant, document: PolicyDocument, need: Authorization, lookup: ContextLookup
) -> Iterator[Way]:
    """A grant, where one of its statements may match."""
    source = {"Version": "2012-10-17", "Statement": json.loads(grant.statements)}
    begins, ends = (
        f"{datetime.fromtimestamp(epoch_s, UTC):%Y-%m-%dT%H:%M:%SZ}"
        for epoch_s in (grant.not_before_epoch_s, grant.expires_epoch_s)
    )
    acting = f" while `{grant.acting_as}` acts" if grant.acting_as is not None else ""
    until = f"from {begins} until {ends}, since `{grant.owner}` gave it: {grant.reason}"
    for way in _of_statements(load_policy(source, environ={}), document, need, lookup):
        yield Way(
            kind="grant",
            name=grant.id,
            place="",
            effect="Allow",
            who=f"`{grant.identity}`{acting}",
            when=f"{way.when}, {until}" if way.when else until,
            approval="none, it was taken in an emergency" if grant.is_break_glass else "",
        )


def _who(statement: Statement, document: PolicyDocument) -> str:
    """Whom a statement is for."""
    return people_text(
        statement.principals, document.groups, is_negated=statement.is_not_principal
    )


def _known(document: PolicyDocument) -> ContextLookup:
    """The context of every call: what the document gives, else not known."""
    known = {key.lower(): values for key, values in document.context.items()}
    if document.environment is not None:
        known.setdefault("dynaguard:environment", (document.environment,))
    return lambda key: known.get(key, UNKNOWN)


def _marked(pattern: str) -> str:
    """A pattern as a text of which parts are not known."""
    return pattern.replace("*", UNKNOWN_RUN).replace("?", UNKNOWN_CHAR)
