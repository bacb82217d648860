"""Grants in a store: made, revoked, listed, shown.

Whoever may write to the store may make grants: who that is, its own permissions say (the mode of a
file, IAM for a table). Each grant names its owner, as whoever makes it says.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Literal

from dynaguard.access.changes import AccessChange, note_change
from dynaguard.access.grants import Grant, from_record, make_grant
from dynaguard.access.ids import new_id
from dynaguard.access.store import AccessStore, StoredRecord, change
from dynaguard.access.terms import MAX_DURATION_S, MAX_REASON_LENGTH, GrantTerms
from dynaguard.errors import AccessStoreError, ConfigurationError
from dynaguard.scope import check_name

GrantState = Literal["in force", "to begin", "ended", "used up", "revoked"]
_ALL: Final = 0.0
_MAX_TRIES: Final = 8
"""Ids that are tried; each has 80 random bits."""


@dataclass(frozen=True, slots=True)
class Listing:
    """What a store says of grants.

    Attributes:
        grants: Those that could be read, what ends first first.
        unreadable: Why documents are no grants, by id; these open nothing.
    """

    grants: tuple[Grant, ...]
    unreadable: dict[str, str]


def create_grant(
    store: AccessStore,
    terms: GrantTerms,
    *,
    owner: str,
    now_epoch_s: float,
    ticket: str | None = None,
    max_duration_s: float = MAX_DURATION_S,
    new_id: Callable[[str], str] = new_id,
) -> Grant:
    """Makes a grant and stores it.

    Args:
        store: Where it is kept.
        terms: What it is to open.
        owner: Who answers for it.
        now_epoch_s: Now, in seconds since the epoch.
        ticket: Id of the approved ticket that it comes from, or None.
        max_duration_s: Longest that it may last, in seconds.
        new_id: Gives an id by its prefix.

    Raises:
        ConfigurationError: The owner is no name.
        PolicySyntaxError: Every problem of the terms.
        AccessStoreError: The store cannot be written.
    """
    grant = make_grant(
        terms,
        owner=owner,
        now_epoch_s=now_epoch_s,
        ticket=ticket,
        max_duration_s=max_duration_s,
        new_id=new_id,
    )
    for _ in range(_MAX_TRIES):
        if store.add(grant.to_record()):
            note_change(_change_of(grant, "grant created", owner, grant.reason))
            return grant
        grant = replace(grant, id=new_id("grant"))
    raise AccessStoreError(f"no free id for a grant was found in `{store.name}`, try again")


def revoke_grant(store: AccessStore, id: str, *, by: str, why: str, now_epoch_s: float) -> Grant:
    """Takes a grant back: from now on it opens nothing. What is revoked stays as it is.

    Args:
        store: Where it is.
        id: Its id.
        by: Who takes it back.
        why: Why, one line.
        now_epoch_s: Now, in seconds since the epoch.

    Raises:
        ConfigurationError: There is no grant of that id; or no reason, or nobody is named.
        AccessStoreError: The store cannot be used, or the document is no grant: then it opens
            nothing either.
    """
    check_name("by", by)
    _check_why(why)
    is_new = False

    def edit(record: StoredRecord) -> StoredRecord | None:
        nonlocal is_new
        grant = _read(record)
        is_new = not grant.is_revoked
        if not is_new:
            return None
        revoked = grant.revoked(by=by, why=why, now_epoch_s=now_epoch_s)
        return revoked.to_record(record.version + 1)

    record = change(store, "grant", id, edit)
    if record is None:
        raise _missing(store, id)
    grant = _read(record)
    if is_new:
        note_change(_change_of(grant, "grant revoked", by, why))
    return grant


def list_grants(store: AccessStore, *, now_epoch_s: float, include_ended: bool = False) -> Listing:
    """The grants of a store.

    Args:
        store: The store.
        now_epoch_s: Now, in seconds since the epoch.
        include_ended: Whether to list those that are over, used up or revoked, as far as the
            store still has them.

    Raises:
        AccessStoreError: The store cannot be read.
    """
    grants, unreadable = [], {}
    for record in store.records("grant", after_epoch_s=_ALL if include_ended else now_epoch_s):
        try:
            grant = _read(record)
        except AccessStoreError as err:
            unreadable[record.id] = str(err)
            continue
        if include_ended or state_of(grant, now_epoch_s) in ("in force", "to begin"):
            grants.append(grant)
    return Listing(
        tuple(sorted(grants, key=lambda each: (each.expires_epoch_s, each.id))), unreadable
    )


def show_grant(store: AccessStore, id: str) -> Grant:
    """One grant, as it is now.

    Raises:
        ConfigurationError: There is none of that id.
        AccessStoreError: The store cannot be read, or the document is no grant.
    """
    record = store.get("grant", id)
    if record is None:
        raise _missing(store, id)
    return _read(record)


def state_of(grant: Grant, now_epoch_s: float) -> GrantState:
    """What a grant is at some moment, for people; decisions ask the strict clock."""
    if grant.is_revoked:
        return "revoked"
    if now_epoch_s >= grant.expires_epoch_s:
        return "ended"
    if grant.is_used_up:
        return "used up"
    return "in force" if now_epoch_s >= grant.not_before_epoch_s else "to begin"


def _read(record: StoredRecord) -> Grant:
    """The grant of a document; how long it lasts is an affair of those who decide by it."""
    return from_record(record, max_duration_s=float("inf"))[0]


def _missing(store: AccessStore, id: str) -> ConfigurationError:
    """That there is no such grant; ids are shown as they were given, cut to one line."""
    shown = "".join(char for char in id if char.isprintable())[:64]
    return ConfigurationError(
        f"there is no grant `{shown}` in `{store.name}`, `dynaguard grants list` shows them"
    )


def _check_why(why: str) -> None:
    """A reason of one line."""
    if not why.strip():
        raise ConfigurationError("the reason is missing, say why the grant is revoked")
    if len(why) > MAX_REASON_LENGTH or not why.isprintable():
        raise ConfigurationError(
            f"the reason has {len(why)} characters, must be 1 to {MAX_REASON_LENGTH}, all "
            "printable"
        )


def _change_of(
    grant: Grant, kind: Literal["grant created", "grant revoked"], by: str, reason: str
) -> AccessChange:
    """What happened to a grant."""
    is_created = kind == "grant created"
    return AccessChange(
        kind,
        grant.id,
        by,
        identity=grant.identity,
        reason=reason,
        expires_epoch_s=grant.expires_epoch_s if is_created else None,
        is_break_glass=grant.is_break_glass,
    )
