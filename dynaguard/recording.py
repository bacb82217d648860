"""What is left behind by a call: books, audit, log, span and metrics; and by changes in access.

Part of the guard, split from it for size. Observation never breaks a call; only what `required`
audit demands before a call leaves does.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from dynaguard.call import Status
from dynaguard.interruption import came_from_handler

if TYPE_CHECKING:
    from dynaguard.access_change import AccessChange
    from dynaguard.accounting import Accounting
    from dynaguard.audit.log import AuditLog
    from dynaguard.limiting import Limiting
    from dynaguard.passage import Passage
    from dynaguard.telemetry.telemetry import Telemetry

_log: Final = logging.getLogger("dynaguard")


class Recording:
    """Records the calls of a guard. Thread-safe.

    Args:
        audit: The audit log, on or off.
        telemetry: Spans, metrics, log records.
        accounting: The books, or None where none are kept.
        limiting: The limits of boundaries.
        mode: The mode, for records.
        monotonic: The guard's clock, in seconds.
        note_failure: Counts a failure of dynaguard's own.
    """

    __slots__ = (
        "_accounting",
        "_audit",
        "_limiting",
        "_mode",
        "_monotonic",
        "_note_failure",
        "_telemetry",
    )

    def __init__(
        self,
        audit: AuditLog,
        telemetry: Telemetry,
        accounting: Accounting | None,
        limiting: Limiting,
        *,
        mode: str,
        monotonic: Callable[[], float],
        note_failure: Callable[[], None],
    ) -> None:
        self._audit = audit
        self._telemetry = telemetry
        self._accounting = accounting
        self._limiting = limiting
        self._mode = mode
        self._monotonic = monotonic
        self._note_failure = note_failure

    def intend(self, passage: Passage) -> None:
        """Puts the intent of a call on record.

        Raises:
            OSError: It cannot be written.
        """
        self._audit.intent(passage.call, passage.principal, passage.decision, self._mode)

    def leave(self, passage: Passage, status: Status, error_code: str | None = None) -> None:
        """Records how the call ended, once: audit, log, then span and metrics."""
        if passage.is_recorded:
            return
        passage.is_recorded = True
        audit, span, accounting = self._audit, passage.span, self._accounting
        telemetry = self._telemetry
        is_booked = accounting is not None and accounting.is_booking(passage)
        asked = passage.asked
        is_kept = is_booked or asked is not None or audit.is_on or telemetry.is_logging
        if not is_kept and (span is None or span.release_unwatched()):
            return
        outcome = passage.outcome(status, error_code, self._monotonic())
        if asked is not None:
            self._limiting.book(passage, asked, outcome)
        if is_booked and accounting is not None:
            outcome = accounting.book(passage, outcome)
        try:
            audit.outcome(passage.call, passage.principal, passage.decision, outcome, self._mode)
        except Exception as err:
            if came_from_handler(err):
                raise  # meant for the application
            if not isinstance(err, OSError):  # those the audit log has counted and told
                self._note_failure()
                _log.warning("the outcome of a call was not recorded (%s)", type(err).__name__)
        if telemetry.is_logging:
            telemetry.log(passage.call, passage.principal, passage.decision, outcome)
        if span is not None:
            span.finish(passage.call, passage.principal, passage.decision, outcome)

    def annotate(self, passage: Passage, status: Status, error_code: str | None) -> None:
        """Tells the span of a peer how the call ended, while that span is still open."""
        span = passage.span
        if span is not None and not span.is_owned:
            outcome = passage.outcome(status, error_code, self._monotonic())
            span.finish(passage.call, passage.principal, passage.decision, outcome)

    def note_change(self, change: AccessChange) -> None:
        """Records a change in access. May raise; who tells of it takes care."""
        self._telemetry.note_change(change)
        self._audit.change(change)
