"""A grant: what somebody may do for a while on top of the policy, and why.

A value and its document in a store. Whatever does not read as a grant in every part is none: it
is told, and opens nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Final

from dynaguard.access.canonical import canonical_json
from dynaguard.access.ids import new_id
from dynaguard.access.store import StoredRecord
from dynaguard.access.terms import MAX_DURATION_S, GrantTerms, check_terms, read_statements
from dynaguard.call import GrantRef
from dynaguard.errors import AccessStoreError, PolicySyntaxError
from dynaguard.policy.advice import one_line
from dynaguard.policy.model import Statement
from dynaguard.scope import check_name

FORMAT: Final = 1
"""Version of the document; a store may hold grants of several, each reads its own."""


@dataclass(frozen=True, slots=True)
class Grant:
    """One grant. Instants are seconds since the epoch.

    Attributes:
        id: Its id.
        statements: Allow statements as canonical JSON text, see `GrantTerms`.
        identity: Whom it is for: an ARN pattern, `group:NAME`, or an identity's label.
        reason: Why.
        owner: Who made it, and answers for it.
        created_epoch_s: When it was made.
        not_before_epoch_s: When it begins.
        expires_epoch_s: When it ends.
        acting_as: The name of `acting_as()` that it is for; None: for the identity itself.
        uses: How many calls it is good for; None: any number.
        uses_left: How many of them are left; None where `uses` is.
        is_break_glass: Whether it was taken in an emergency, without anybody's approval.
        revoked_epoch_s: When it was revoked, or None.
        revoked_by: Who revoked it, or None.
        revoked_why: Why, or None.
        ticket: Id of the approved ticket that it came from, or None.
    """

    id: str
    statements: str
    identity: str
    reason: str
    owner: str
    created_epoch_s: float
    not_before_epoch_s: float
    expires_epoch_s: float
    acting_as: str | None = None
    uses: int | None = None
    uses_left: int | None = None
    is_break_glass: bool = False
    revoked_epoch_s: float | None = None
    revoked_by: str | None = None
    revoked_why: str | None = None
    ticket: str | None = None

    @property
    def ref(self) -> GrantRef:
        """What decisions and records say of it."""
        return GrantRef(
            self.id, self.owner, self.reason, self.expires_epoch_s, self.is_break_glass
        )

    @property
    def is_revoked(self) -> bool:
        """Whether somebody took it back."""
        return self.revoked_epoch_s is not None

    @property
    def is_used_up(self) -> bool:
        """Whether it was good for a number of calls, and those were made."""
        return self.uses_left == 0

    @property
    def terms(self) -> GrantTerms:
        """What it was made from."""
        return GrantTerms(
            statements=self.statements,
            identity=self.identity,
            reason=self.reason,
            duration_s=self.expires_epoch_s - self.not_before_epoch_s,
            acting_as=self.acting_as,
            begins_epoch_s=self.not_before_epoch_s,
            uses=self.uses,
            is_break_glass=self.is_break_glass,
        )

    def revoked(self, *, by: str, why: str, now_epoch_s: float) -> Grant:
        """The grant taken back; the first revocation stays."""
        if self.is_revoked:
            return self
        return replace(self, revoked_epoch_s=now_epoch_s, revoked_by=by, revoked_why=why)

    def as_dict(self) -> dict[str, Any]:
        """**Shape**: its attributes by name; `statements` is a list of mappings."""
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        return {**found, "statements": json.loads(self.statements)}

    def to_record(self, version: int = 1) -> StoredRecord:
        """Its document in a store; what is None is left out."""
        body = {name: value for name, value in self.as_dict().items() if value is not None}
        return StoredRecord(
            "grant",
            self.id,
            version,
            canonical_json({"format": FORMAT, **body}),
            self.expires_epoch_s,
        )


def make_grant(
    terms: GrantTerms,
    *,
    owner: str,
    now_epoch_s: float,
    ticket: str | None = None,
    max_duration_s: float = MAX_DURATION_S,
    new_id: Callable[[str], str] = new_id,
) -> Grant:
    """A grant of checked terms, with an id of its own. Stores nothing.

    Args:
        terms: What it is to open. A beginning in the past is now.
        owner: Who answers for it.
        now_epoch_s: Now, in seconds since the epoch.
        ticket: Id of the approved ticket that it comes from, or None.
        max_duration_s: Longest that it may last, in seconds.
        new_id: Gives an id by its prefix.

    Raises:
        ConfigurationError: The owner is no name.
        PolicySyntaxError: Every problem of the terms.
    """
    check_name("owner", owner)
    check_terms(terms, now_epoch_s=now_epoch_s, max_duration_s=max_duration_s)
    begins_s = terms.begins_epoch_s
    begins_s = now_epoch_s if begins_s is None else max(begins_s, now_epoch_s)
    return Grant(
        id=new_id("grant"),
        statements=canonical_json(json.loads(terms.statements)),
        identity=terms.identity,
        reason=terms.reason,
        owner=owner,
        created_epoch_s=now_epoch_s,
        not_before_epoch_s=begins_s,
        expires_epoch_s=begins_s + terms.duration_s,
        acting_as=terms.acting_as,
        uses=terms.uses,
        uses_left=terms.uses,
        is_break_glass=terms.is_break_glass,
        ticket=ticket,
    )


def from_record(
    record: StoredRecord, *, max_duration_s: float = MAX_DURATION_S
) -> tuple[Grant, tuple[Statement, ...]]:
    """The grant of a document, and its statements; the `source` of each is the grant's id.

    Args:
        record: The document.
        max_duration_s: Longest that a grant may last where it is to count, in seconds.

    Raises:
        AccessStoreError: It is no grant in every part: changed by hand, of another version, or
            one that lasts longer than it may.
    """
    try:
        grant = _grant_of(record)
        statements = read_statements(grant.terms, source=record.id, max_duration_s=max_duration_s)
    except PolicySyntaxError as err:
        first = err.problems[0]
        raise _unreadable(record, f"{first.path} {first.message}") from None
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as err:
        raise _unreadable(record, str(err) or type(err).__name__) from None
    return grant, statements


def _unreadable(record: StoredRecord, why: str) -> AccessStoreError:
    """Why a document is no grant, on one line whatever somebody wrote into it."""
    text = f"the document `{record.id}` is no grant and opens nothing: {why}"
    return AccessStoreError(one_line(text))


_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "id": (str,),
    "statements": (list,),
    "identity": (str,),
    "reason": (str,),
    "owner": (str,),
    "created_epoch_s": (int, float),
    "not_before_epoch_s": (int, float),
    "expires_epoch_s": (int, float),
    "acting_as": (str,),
    "uses": (int,),
    "uses_left": (int,),
    "is_break_glass": (bool,),
    "revoked_epoch_s": (int, float),
    "revoked_by": (str,),
    "revoked_why": (str,),
    "ticket": (str,),
}


def _grant_of(record: StoredRecord) -> Grant:
    """The grant, its types and what holds between its parts checked.

    Raises:
        ValueError: What is wrong, in one clause.
    """
    body = json.loads(record.body)
    if not isinstance(body, Mapping) or record.kind != "grant":
        raise ValueError("it is of another kind")
    if body.get("format") != FORMAT:
        raise ValueError("it was written by another version of dynaguard")
    values = {name: value for name, value in body.items() if name != "format"}
    for name, value in values.items():
        if name not in _TYPES:
            raise ValueError(f"`{name}` is not known")
        if not isinstance(value, _TYPES[name]) or (
            isinstance(value, bool) and bool not in _TYPES[name]
        ):
            raise ValueError(f"`{name}` is of the wrong type")
    values["statements"] = canonical_json(values["statements"])
    grant = Grant(**values)
    if grant.id != record.id or grant.expires_epoch_s != record.expires_epoch_s:
        raise ValueError("its id or its end is not the one that it is stored under")
    if not grant.owner.strip():
        raise ValueError("nobody answers for it")
    if (grant.uses is None) != (grant.uses_left is None):
        raise ValueError("its uses are not counted")
    if grant.uses is not None and not 0 <= (grant.uses_left or 0) <= grant.uses:
        raise ValueError("more uses are left than it ever had")
    return grant
