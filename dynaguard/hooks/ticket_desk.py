"""Where people and programs meet tickets: the store, the policy and the settings of a process."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from dynaguard.access.clock import StrictClock
from dynaguard.access.deciding import Decider, Deciding, decider_of
from dynaguard.access.opening import open_store
from dynaguard.access.ticket_book import TicketBook
from dynaguard.errors import ConfigurationError
from dynaguard.hooks.access_clients import table_calls
from dynaguard.hooks.callers import asking_principal, deciding_principal
from dynaguard.hooks.lifecycle import current

if TYPE_CHECKING:
    from dynaguard.access.store import AccessStore
    from dynaguard.access.ticket_asking import Notify
    from dynaguard.call import Principal
    from dynaguard.guard import Guard
    from dynaguard.policy.model import PolicyDocument
    from dynaguard.settings import Settings


_FLUSH_S: Final = 5.0
"""How long a command waits for what webhooks are still to be told."""


@dataclass(frozen=True, slots=True)
class TicketDesk:
    """The tickets of a process's store, and what it takes to ask for and to decide them.

    Attributes:
        book: The tickets.
        settings: The settings.
        document: The policy, or None.
        guard: The guard in force, or None.
        notify: What tells webhooks of tickets, or None.
    """

    book: TicketBook
    settings: Settings
    document: PolicyDocument | None
    guard: Guard | None
    notify: Notify | None

    def deciding(self) -> Deciding:
        """What decides tickets, and tells webhooks of it."""
        document = self.document
        return Deciding(
            self.book,
            access_terms=None if document is None else document.access_requests,
            max_duration_s=self.settings.access_max_duration_s,
            notify=self.notify,
        )

    def asker(self) -> Principal:
        """Who asks; may call AWS."""
        return asking_principal(self.guard, self.settings, self.document)

    def decider(self) -> Decider:
        """Who decides; calls AWS where there are credentials.

        Raises:
            TicketError: That is not known.
        """
        return decider_of(deciding_principal(self.settings, self.document))


@contextmanager
def open_desk(store: str | os.PathLike[str] | AccessStore | None = None) -> Iterator[TicketDesk]:
    """The desk of this process; a store that is opened here is closed at the end.

    Args:
        store: A store, or its location; None: as the guard in force has it, else the settings.

    Raises:
        ConfigurationError: No store is set; settings or policy cannot be used.
    """
    guard, _ = current()
    if guard is not None:
        settings, document = guard.resolved.settings, guard.document
    else:
        from dynaguard.assembly import read_configuration

        configuration = read_configuration(
            None, {}, environ=os.environ, working_directory=Path.cwd()
        )
        settings, document = configuration.resolved.settings, configuration.document
    given = settings.access_store if store is None else store
    if store is None and guard is not None and guard.rooms.access.store is not None:
        given = guard.rooms.access.store
    if given is None:
        raise ConfigurationError(
            "no access store is set, pass `store` (`--store`) or set `access_store` "
            "(DYNAGUARD_ACCESS_STORE)"
        )
    notifier = None
    if settings.approval_webhooks is not None:
        from dynaguard.access.webhooks import make_notifier

        notifier = make_notifier(settings.approval_webhooks)
    is_given = callable(getattr(given, "change_token", None))
    opened = cast("AccessStore", given) if is_given else _opened(cast("str", given), settings)
    try:
        yield TicketDesk(TicketBook(opened, StrictClock()), settings, document, guard, notifier)
    finally:
        if not is_given:
            opened.close()
        if notifier is not None:
            notifier.close(_FLUSH_S)


def _opened(location: str, settings: Settings) -> AccessStore:
    """The store at a location."""
    key_file = settings.access_verify_key_file
    return open_store(location, make_table_calls=table_calls, verify_key_file=key_file)
