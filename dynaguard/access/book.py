"""What this process knows of the grants in a store, and how old that may be.

A call never waits for the store while what is known is young: it is read again in the background
when a call finds it older than `REFRESH_AFTER_S`, and at once where a call would be refused
otherwise, no more often than each `AT_ONCE_AFTER_S`. So a revocation is seen by the second call
after `REFRESH_AFTER_S` at the latest, a new grant by the next call that needs it. What is older
than `max_age_s` is not used: the call waits for the store, and while that cannot be read, nothing
is granted.

INVARIANT: time is counted from before the store was asked, by the clock that says more.
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable
from typing import Any, Final

from dynaguard.access.clock import Mark, StrictClock
from dynaguard.access.grants import from_record
from dynaguard.access.snapshot import LiveGrant, Snapshot
from dynaguard.access.store import AccessStore, StoredRecord
from dynaguard.errors import AccessStoreError
from dynaguard.forks import renew_after_fork
from dynaguard.interruption import came_from_handler

REFRESH_AFTER_S: Final = 2.0
"""Age from which what is known is read again in the background."""
AT_ONCE_AFTER_S: Final = 0.25
"""Age from which it is read again before a call is refused."""
RETRY_AFTER_S: Final = 1.0
"""How long after a failure no call waits for the store again."""
_MAX_TOLD: Final = 1024
"""Unreadable documents that are remembered as told."""
_NEVER: Final[Mark] = (float("-inf"), float("-inf"))
_log: Final = logging.getLogger("dynaguard.access")
Start = Callable[[Callable[[], None]], None]
"""Runs a function in the background."""


def start_thread(work: Callable[[], None]) -> None:
    """Runs it in a daemon thread, which no exit of the interpreter waits for."""
    threading.Thread(target=work, name="dynaguard-grants", daemon=True).start()


class Book:
    """The grants of a store as this process knows them.

    Thread-safe, and safe to fork. The store is asked under a lock that only those wait for who
    cannot go on without an answer; whoever waited takes the answer that the other got.

    Args:
        store: The store.
        clock: Tells how old things are.
        max_age_s: Age from which what is known is not used, in seconds.
        max_duration_s: Longest that a grant may last where it is to count, in seconds.
        start: Runs the reading in the background.

    Attributes:
        store: The store.
        clock: The clock.
        max_duration_s: Longest that a grant may last where it is to count, in seconds.
        failure: Why the store could not be read when it was tried last, or None.
        unreadable: Why documents are no grants, by id.
    """

    def __init__(
        self,
        store: AccessStore,
        clock: StrictClock,
        *,
        max_age_s: float,
        max_duration_s: float,
        start: Start = start_thread,
    ) -> None:
        self.store = store
        self.clock = clock
        self.max_duration_s = max_duration_s
        self.failure: str | None = None
        self.unreadable: dict[str, str] = {}
        self._max_age_s = max_age_s
        self._start = start
        self._snapshot: Snapshot | None = None
        self._token: str | None = None
        self._read_at = _NEVER
        self._failed_at = _NEVER
        self._told: set[tuple[str, int]] = set()
        self.renew()
        renew_after_fork(self)

    def renew(self) -> None:
        """In a forked child nobody reads, whatever the parent was doing."""
        # One that its holder may take again: a signal handler's call may come in between.
        self._lock = threading.RLock()
        self._is_asking = False
        self._is_reading = False

    @property
    def age_s(self) -> float:
        """Seconds since what is known was read; infinite before that."""
        return self.clock.since_s(self._read_at)

    def current(self) -> Snapshot | None:
        """What is known; None where that is too old and the store cannot be read.

        Effects: waits for the store where nothing is known, or only what is older than
            `max_age_s`; has it read in the background where that is older than `REFRESH_AFTER_S`.
        Cost: two clock readings.
        """
        age_s = self.clock.since_s(self._read_at)
        if age_s <= self._max_age_s:
            if age_s > REFRESH_AFTER_S:
                self._read_in_background()
            return self._snapshot
        self._read_unless(self._max_age_s)
        return self._snapshot if self.age_s <= self._max_age_s else None

    def at_once(self) -> bool:
        """Reads what may have changed just now; whether it has.

        Effects: waits for the store, unless it was asked `AT_ONCE_AFTER_S` ago.
        """
        before = self._snapshot
        self._read_unless(AT_ONCE_AFTER_S)
        return self._snapshot is not before

    def spend(self, id: str) -> None:
        """Takes in that nothing is left of a grant."""
        if self._snapshot is not None:
            self._snapshot.spend(id)

    def read_now(self) -> None:
        """Reads whatever was just read or failed: somebody knows that there is something new."""
        with self._lock:
            self._read_alone()

    def report(self) -> dict[str, Any]:
        """What is known of grants, without asking the store.

        Returns:
            **Shape**: `grants` (how many, revoked and used up ones included), `grants_read_s_ago`
            (None: never were), `unreadable` (why documents are none, by id).
        """
        snapshot, age_s = self._snapshot, self.age_s
        return {
            "grants": 0 if snapshot is None else len(snapshot.by_id),
            "grants_read_s_ago": age_s if math.isfinite(age_s) else None,
            "unreadable": dict(self.unreadable),
        }

    def _read_unless(self, young_s: float) -> None:
        """Reads unless somebody has just done so, or just failed to."""
        if self.clock.since_s(self._failed_at) <= RETRY_AFTER_S:
            return
        with self._lock:
            is_failing = self.clock.since_s(self._failed_at) <= RETRY_AFTER_S
            if self.age_s > young_s and not is_failing:
                self._read_alone()

    def _read_in_background(self) -> None:
        """Has it read by another thread, one at a time."""
        if self._is_reading or self.clock.since_s(self._failed_at) <= RETRY_AFTER_S:
            return
        self._is_reading = True
        try:
            self._start(self._read_for_others)
        except RuntimeError:  # no thread can be started: whoever finds it too old will wait
            self._is_reading = False

    def _read_for_others(self) -> None:
        """The work of the background thread."""
        try:
            self._read_unless(REFRESH_AFTER_S)
        finally:
            self._is_reading = False

    def _read_alone(self) -> None:
        """Reads, unless this very thread is about to: then what is known has to do.

        That is a call within a reading: of a signal handler, or of a store that itself makes
        guarded calls. The lock is held.
        """
        if self._is_asking:
            return
        self._is_asking = True
        try:
            self._read()
        finally:
            self._is_asking = False

    def _read(self) -> None:
        """Asks the store, and takes in what it says. Raises what signal handlers do alone."""
        asked_at = self.clock.mark()
        try:
            # INVARIANT: the token comes first, so that a change in between is seen the next time.
            token = self.store.change_token()
            if token is None or token != self._token or self._snapshot is None:
                after_s = self.clock.for_end_s()
                self._take_in(self.store.records("grant", after_epoch_s=after_s))
                self._token = token
        except Exception as err:
            if came_from_handler(err):
                raise  # meant for the application
            self._fail(err)  # whatever a store does, nothing is granted by it
            return
        self.failure = None
        self._read_at = asked_at

    def _fail(self, err: Exception) -> None:
        """Notes that the store could not be read; told when it begins."""
        is_known = isinstance(err, AccessStoreError)
        why = str(err) if is_known else f"`{self.store.name}` failed ({type(err).__name__})"
        if self.failure is None:
            _log.warning("grants cannot be read: %s", why)
        self.failure = why
        self._failed_at = self.clock.mark()

    def _take_in(self, records: list[StoredRecord]) -> None:
        """Makes what was read what is known; documents that did not change are not read again."""
        before = {} if self._snapshot is None else self._snapshot.by_id
        live: dict[str, LiveGrant] = {}
        unreadable: dict[str, str] = {}
        for record in records:
            known = before.get(record.id)
            if known is not None and known.version == record.version:
                live[record.id] = known
                continue
            try:
                grant, statements = from_record(record, max_duration_s=self.max_duration_s)
            except AccessStoreError as err:
                unreadable[record.id] = str(err)
                self._tell(record, str(err))
            else:
                live[record.id] = LiveGrant(grant, statements, record.version)
        self.unreadable = unreadable
        if self._snapshot is None or live != before:
            self._snapshot = Snapshot(live)

    def _tell(self, record: StoredRecord, why: str) -> None:
        """Logs once what is wrong with a document."""
        key = record.id, record.version
        if key in self._told:
            return
        if len(self._told) >= _MAX_TOLD:
            self._told.clear()
        self._told.add(key)
        _log.warning("%s", why)
