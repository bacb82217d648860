"""`grant()`, `revoke_grant()`, `grants()`: what may be done for a while on top of the policy."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from dynaguard.access import granting
from dynaguard.access.asking import terms_of
from dynaguard.access.grants import Grant
from dynaguard.access.opening import open_store
from dynaguard.errors import ConfigurationError
from dynaguard.hooks.access_clients import table_calls
from dynaguard.hooks.lifecycle import current

if TYPE_CHECKING:
    from dynaguard.access.store import AccessStore
    from dynaguard.policy.opening import PolicySource
    from dynaguard.settings import Settings


def grant(
    *,
    identity: str,
    reason: str,
    statements: str | Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
    actions: str | Sequence[str] = (),
    resources: str | Sequence[str] = (),
    expires_in: float | timedelta | None = None,
    expires: datetime | None = None,
    not_before: datetime | None = None,
    acting_as: str | None = None,
    uses: int | None = None,
    break_glass: bool = False,
    owner: str | None = None,
    store: str | os.PathLike[str] | AccessStore | None = None,
) -> Grant:
    """Allows somebody something for a while, on top of the policy. A Deny still holds.

    Args:
        identity: Whom: an ARN pattern, `group:NAME` (of the policy's `[groups]`), or an identity's
            label. Nobody in particular (`*`) is refused.
        reason: Why, one line of at most 512 characters; it stands in every record.
        statements: What, as Allow statements of IAM: a mapping, a list of them, an IAM policy, or
            any of these as JSON text. No `Principal`, no `NotAction`, no `NotResource`.
        actions: The short form instead: actions of one statement.
        resources: Resources of that statement.
        expires_in: How long it lasts from its beginning, in seconds or as a `timedelta`; at most
            the setting `access_max_duration_s` (24 h), a break-glass grant an hour.
        expires: When it ends instead, timezone-aware.
        not_before: When it begins, timezone-aware, at most 31 days ahead; not given: now.
        acting_as: The name of `acting_as()` that it is for; not given: for the identity itself,
            and not for who acts with it.
        uses: How many calls it is good for (each page of a paginator is one, attempts of one call
            are not); not given: any number.
        break_glass: Whether it is taken in an emergency: may open everything, stands in for an
            approval, is told as a warning, and is marked in every record.
        owner: Who answers for it; not given: `identity` of the settings, else the user of this
            process.
        store: Where it is kept: a store, or its location; not given: as the settings say.

    Returns:
        The grant. Processes see it with the next call that needs it.

    Raises:
        ConfigurationError: No store is set; or (`PolicySyntaxError`, with `.problems`) anything
            is wrong with the grant, all of it at once.
        AccessStoreError: The store cannot be written.

    Effects: one write to the store; may block.
    """
    with opened_store(store) as (opened, settings):
        now_s = time.time()
        if expires is not None and expires_in is not None:
            raise ConfigurationError("both `expires` and `expires_in` are given, keep one")
        terms = terms_of(
            statements=statements,
            actions=[actions] if isinstance(actions, str) else actions,
            resources=[resources] if isinstance(resources, str) else resources,
            identity=identity,
            reason=reason,
            expires=expires if expires is not None else expires_in,
            not_before=not_before,
            acting_as=acting_as,
            uses=uses,
            is_break_glass=break_glass,
            now_epoch_s=now_s,
            max_duration_s=settings.access_max_duration_s,
        )
        return granting.create_grant(
            opened,
            terms,
            owner=_person(owner, settings),
            now_epoch_s=now_s,
            max_duration_s=settings.access_max_duration_s,
        )


def revoke_grant(
    id: str,
    reason: str,
    *,
    by: str | None = None,
    store: str | os.PathLike[str] | AccessStore | None = None,
) -> Grant:
    """Takes a grant back. Processes see it within about two seconds of calls that use it.

    Args:
        id: Its id.
        reason: Why, one line.
        by: Who takes it back; not given: as `owner` of `grant()`.
        store: As for `grant()`.

    Returns:
        The grant as it is now. What was revoked before stays as it was.

    Raises:
        ConfigurationError: There is no grant of that id, no reason, or no store.
        AccessStoreError: The store cannot be used.

    Effects: one write to the store; may block.
    """
    with opened_store(store) as (opened, settings):
        by = _person(by, settings)
        return granting.revoke_grant(opened, id, by=by, why=reason, now_epoch_s=time.time())


def grants(
    *,
    include_ended: bool = False,
    store: str | os.PathLike[str] | AccessStore | None = None,
) -> tuple[Grant, ...]:
    """The grants that are in force or to begin, what ends first first.

    Args:
        include_ended: Whether to give those, too, that are over, used up or revoked, as far as
            the store still has them.
        store: As for `grant()`.

    Raises:
        ConfigurationError: No store is set.
        AccessStoreError: The store cannot be read.

    Effects: reads the store; may block.
    """
    with opened_store(store) as (opened, _):
        found = granting.list_grants(opened, now_epoch_s=time.time(), include_ended=include_ended)
        return found.grants


@contextmanager
def opened_store(
    store: str | os.PathLike[str] | AccessStore | None, policy: PolicySource | None = None
) -> Iterator[tuple[AccessStore, Settings]]:
    """The store that is meant, and the settings; what is opened here is closed at the end.

    Args:
        store: A store, or its location; None: that of the guard in force, else of the settings.
        policy: Where settings are read from while no guard is in force, as for `install()`.

    Raises:
        ConfigurationError: No store is set; or settings, or the location, cannot be used.
    """
    guard, _ = current()
    if guard is not None:
        settings = guard.resolved.settings
        in_force = guard.rooms.access.store
    else:
        from dynaguard.assembly import read_configuration

        configuration = read_configuration(
            policy, {}, environ=os.environ, working_directory=Path.cwd()
        )
        settings, in_force = configuration.resolved.settings, None
    if callable(getattr(store, "change_token", None)):
        yield cast("AccessStore", store), settings
        return
    if store is None and in_force is not None:
        yield in_force, settings
        if guard is not None and guard.rooms.access.grants is not None:
            guard.rooms.access.grants.book.read_now()  # what this process did, it sees at once
        return
    location = cast("str | None", settings.access_store if store is None else store)
    if location is None:
        raise ConfigurationError(
            "no access store is set, pass `store` (`--store`) or set `access_store` "
            "(DYNAGUARD_ACCESS_STORE)"
        )
    made = open_store(
        location, make_table_calls=table_calls, verify_key_file=settings.access_verify_key_file
    )
    try:
        yield made, settings
    finally:
        made.close()


def _person(given: str | None, settings: Settings) -> str:
    """Who does it, for the record: as given, as the settings say, or the user of the process."""
    found = given if given is not None else settings.identity
    if found is not None:
        return found
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        raise ConfigurationError(
            "who does this is not known, pass `owner` (or `by`), or set `identity`"
        ) from None
