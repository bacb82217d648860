"""What lets a call may end while it waits: which end is found, and by which clock."""

from __future__ import annotations

from typing import Any

import pytest

from dynaguard.access.boundaries import Boundaries
from dynaguard.access.clock import StrictClock
from dynaguard.access.lasting import ended
from dynaguard.boundary import Boundary
from dynaguard.call import ApprovalRef, Decision, GrantRef, StatementRef, Verdict

NOW_S = 1_000.0
GRANT = GrantRef("g1", "lea", "look", NOW_S + 1)
APPROVAL = ApprovalRef("tk-1", "c" * 64, ("lea",), 0.0, NOW_S + 1)
BOUNDARY = Boundary("agent", "fixer", "t1", expires_epoch_s=NOW_S + 1)


def reason(
    after_s: float, *, is_granted: bool = True, boundaries: Any = (), **let: Any
) -> str | None:
    """Why a call may not be sent any more so many seconds later."""
    clock = StrictClock(lambda: NOW_S + after_s, lambda: 0.0)
    is_over = Boundaries(clock).is_over
    decision = Decision(Verdict.ALLOW, **let)
    found = ended(decision, boundaries, clock, is_over, lambda _: is_granted)
    return None if found is None else found.reason


@pytest.mark.parametrize(
    ("let", "text"),
    [
        ({"grants": (GRANT,)}, "grant `g1` ended at 1970-01-01T00:16:41Z"),
        ({"approval": APPROVAL}, "the approval of ticket `tk-1` ended at 1970-01-01T00:16:41Z"),
        (
            {"boundaries": (BOUNDARY,)},
            "agent `fixer` (task `t1`) ended at 1970-01-01T00:16:41Z",
        ),
    ],
)
def test_an_end_counts_from_its_instant_on(let: Any, text: str) -> None:
    """Not a moment before."""
    assert reason(0.999, **let) is None
    assert reason(1.0, **let) == text


def test_what_never_ends_lasts() -> None:
    """A boundary without an end, and a call that nothing special let."""
    assert reason(1e9, boundaries=(Boundary("agent", "fixer", "t1"),)) is None
    assert reason(1e9) is None


def test_a_revoked_grant_ends_at_once() -> None:
    """So does one of which nobody knows; without grants nobody is asked."""
    assert reason(0.0, grants=(GRANT,), is_granted=False) == (
        "grant `g1` was revoked, or is not known to hold any more"
    )
    assert reason(0.0, is_granted=False) is None


def test_the_end_of_a_boundary_is_an_explicit_deny() -> None:
    """Nothing that a statement says changes it; the end of a grant is the default again."""
    clock = StrictClock(lambda: NOW_S + 5, lambda: 0.0)

    is_over = Boundaries(clock).is_over
    by_boundary = ended(Decision(Verdict.ALLOW), (BOUNDARY,), clock, is_over, lambda _: True)
    granted = Decision(Verdict.ALLOW, grants=(GRANT,))
    by_grant = ended(granted, (), clock, is_over, lambda _: True)

    assert by_boundary is not None
    assert (by_boundary.verdict, by_boundary.statement) == (
        Verdict.DENY,
        StatementRef("fixer", "agent"),
    )
    assert by_grant is not None
    assert (by_grant.verdict, by_grant.statement) == (Verdict.IMPLICIT_DENY, None)


def test_a_clock_that_is_put_back_revives_nothing() -> None:
    """The steady one still knows how late it is."""
    wall, steady = [NOW_S], [0.0]
    clock = StrictClock(lambda: wall[0], lambda: steady[0])
    wall[0], steady[0] = NOW_S - 3600, 5.0

    granted = Decision(Verdict.ALLOW, grants=(GRANT,))
    assert ended(granted, (), clock, lambda _: False, lambda _: True) is not None


def test_a_task_that_somebody_ended_is_over_before_its_time() -> None:
    """And its calls under way are repeated no more."""
    clock = StrictClock(lambda: NOW_S, lambda: 0.0)

    found = ended(Decision(Verdict.ALLOW), (BOUNDARY,), clock, lambda _: True, lambda _: True)

    assert found is not None
    assert found.reason == "agent `fixer` (task `t1`) was ended"
