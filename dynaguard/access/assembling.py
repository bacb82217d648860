"""Settings and a document made into what changes the policy's answer for a while.

Grants, approvals and thresholds are imported where settings or the document ask for them: most
processes have none.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from dynaguard.access.access import Access
from dynaguard.access.boundaries import Boundaries
from dynaguard.access.clock import StrictClock, steady_s
from dynaguard.policy.bundle_statements import asking_statements
from dynaguard.policy.model import PolicyDocument
from dynaguard.settings.table import Mode, Settings

if TYPE_CHECKING:
    from dynaguard.access.store import AccessStore
    from dynaguard.access.table_calls import MakeTableCalls
    from dynaguard.access.thresholds import Thresholds
    from dynaguard.access.widening import Grants


def build_access(
    document: PolicyDocument | None,
    settings: Settings,
    time_ns: Callable[[], int],
    monotonic: Callable[[], float],
    table_calls: MakeTableCalls | None,
) -> Access:
    """What changes the policy's answer for a while."""
    # Durations may stand still while the machine sleeps, ends may not.
    steady = steady_s if monotonic is time.monotonic else monotonic
    clock = StrictClock(lambda: time_ns() / 1e9, steady)
    store = _access_store(settings, table_calls, monotonic)
    approvals = None
    if store is not None:
        from dynaguard.access.approvals import make_approvals

        approvals = make_approvals(document, settings, store, clock, monotonic)
    return Access(
        Boundaries(clock),
        {} if document is None else document.runbooks,
        store=store,
        grants=None if store is None else _grants(settings, store, clock),
        approvals=approvals,
        thresholds=None if document is None else _thresholds(document, monotonic),
    )


def _thresholds(document: PolicyDocument, monotonic: Callable[[], float]) -> Thresholds | None:
    """What goes without an approval; None where no statement has a threshold."""
    asking = asking_statements(document.statements)
    if not any(each.approval and each.approval.threshold for each in asking):
        return None
    from dynaguard.access.thresholds import Thresholds  # few documents need it

    return Thresholds(asking, monotonic)


def _grants(settings: Settings, store: AccessStore, clock: StrictClock) -> Grants:
    """The grants of the store, read when a call first needs one."""
    from dynaguard.access.book import Book  # only with a store
    from dynaguard.access.widening import Grants

    book = Book(
        store,
        clock,
        max_age_s=settings.access_max_age_s,
        max_duration_s=settings.access_max_duration_s,
    )
    return Grants(book, is_enforcing=settings.mode is Mode.ENFORCE)


def _access_store(
    settings: Settings,
    table_calls: MakeTableCalls | None,
    monotonic: Callable[[], float],
) -> AccessStore | None:
    """The store that the settings name, or None. Nothing is opened before it is used."""
    location = settings.access_store
    if location is None:
        return None
    from dynaguard.access.opening import open_store  # only with a store
    from dynaguard.access.watched_store import WatchedStore

    store = location
    if isinstance(location, str):
        key_file = settings.access_verify_key_file
        store = open_store(location, make_table_calls=table_calls, verify_key_file=key_file)
    return WatchedStore(store, monotonic=monotonic)
