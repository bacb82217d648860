"""Whether what let a call still does: asked before it is sent, and before each further attempt.

A call may wait for its turn and between attempts, for minutes. What has ended or was taken back
meanwhile lets no further request leave.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from dynaguard.access.clock import iso_utc
from dynaguard.call import Decision, StatementRef, Verdict

if TYPE_CHECKING:
    from dynaguard.access.clock import StrictClock
    from dynaguard.boundary import Boundary


class Ended(NamedTuple):
    """Why a call may not be sent any more.

    Attributes:
        reason: One clause, names and instants only.
        verdict: What it is now.
        statement: The boundary that ended, or None.
    """

    reason: str
    verdict: Verdict = Verdict.IMPLICIT_DENY
    statement: StatementRef | None = None


def ended(
    decision: Decision,
    boundaries: tuple[Boundary, ...],
    clock: StrictClock,
    is_over: Callable[[Boundary], bool],
    is_still_granted: Callable[[Decision], bool],
) -> Ended | None:
    """What ended of that which let a call, or None.

    Args:
        decision: Of the call.
        boundaries: Of its scope.
        clock: Tells when ends are.
        is_over: Whether a boundary's time has come, or its task was ended.
        is_still_granted: Whether the grants behind a decision hold; knows of revocations.
    """
    now_s = clock.for_end_s()
    for boundary in boundaries:
        if is_over(boundary):
            return _of_boundary(boundary, now_s)
    approval = decision.approval
    if approval is not None and now_s >= approval.expires_epoch_s:
        end = iso_utc(approval.expires_epoch_s)
        return Ended(f"the approval of ticket `{approval.ticket}` ended at {end}")
    for grant in decision.grants:
        if now_s >= grant.expires_epoch_s:
            return Ended(f"grant `{grant.id}` ended at {iso_utc(grant.expires_epoch_s)}")
    if decision.grants and not is_still_granted(decision):
        names = ", ".join(f"`{grant.id}`" for grant in decision.grants)
        return Ended(f"grant {names} was revoked, or is not known to hold any more")
    return None


def _of_boundary(boundary: Boundary, now_s: float) -> Ended:
    """The end of a task: by its time, or because somebody ended it."""
    end_s = boundary.expires_epoch_s
    is_timely = end_s is not None and now_s >= end_s
    when = f"ended at {iso_utc(end_s)}" if end_s is not None and is_timely else "was ended"
    text = f"{boundary.kind} `{boundary.name}` (task `{boundary.task}`) {when}"
    return Ended(text, Verdict.DENY, StatementRef(boundary.name, boundary.kind))
