"""Grants widen from when until when: on the first attempt of a call and on further ones."""

from __future__ import annotations

from typing import Any

import pytest

from dynaguard.access.claiming import claim_use
from dynaguard.access.clock import SKEW_TOLERANCE_S
from tests.access.desk import BEGIN_S, Desk


@pytest.fixture
def desk() -> Desk:
    """A desk with everything new."""
    return Desk()


@pytest.mark.parametrize(
    ("at_s", "is_allowed"),
    [
        (600 - SKEW_TOLERANCE_S - 1, False),
        (600 - SKEW_TOLERANCE_S, True),
        (600, True),
        (1000, True),
        (1499.9, True),
        (1500, False),
        (90_000, False),
    ],
)
def test_a_grant_begins_and_ends(desk: Desk, at_s: float, is_allowed: bool) -> None:
    """A minute early at most, for other machines' clocks; never late."""
    desk.give(begins_epoch_s=BEGIN_S + 600)

    desk.passes(at_s)

    assert desk.allows() is is_allowed


def test_beginning_and_end_are_seen_without_reading_again(desk: Desk) -> None:
    """A process that knows of a grant needs nobody to tell it the time."""
    desk.give(begins_epoch_s=BEGIN_S + 70, duration_s=10.0)
    uses_before = None
    seen = []
    for _ in range(9):
        seen.append(desk.decide().verdict.is_allowed)
        uses_before = uses_before or len(desk.store.uses)
        desk.passes(3)
        desk.book._read_at = desk.clock.mark()

    assert seen == [False, False, False, False, True, True, True, True, True]
    assert len(desk.store.uses) == uses_before
    desk.passes(80)
    desk.book._read_at = desk.clock.mark()
    assert not desk.decide().verdict.is_allowed


def test_a_clock_put_back_revives_nothing(desk: Desk) -> None:
    """An hour, while the grant ends."""
    desk.give(duration_s=60.0)
    assert desk.allows()

    desk.passes(61)
    desk.wall_s -= 3600

    assert not desk.allows()


def test_what_has_begun_has_not_by_a_clock_put_back(desk: Desk) -> None:
    """The earlier clock counts for a beginning, for one that was seen too."""
    desk.give(begins_epoch_s=BEGIN_S + 600)
    desk.passes(700)
    assert desk.allows()

    desk.wall_s -= 3600

    assert not desk.allows()


def test_a_clock_put_forward_begins_nothing_and_ends_early(desk: Desk) -> None:
    """Another hour."""
    desk.give(duration_s=60.0)
    desk.give(begins_epoch_s=BEGIN_S + 3000, duration_s=3000.0)
    assert desk.allows()

    desk.wall_s += 3600

    assert not desk.allows()


def test_a_clock_of_another_age_makes_no_error(desk: Desk) -> None:
    """The year 2038 and what 32 bits make of it."""
    desk.give()
    assert desk.allows()

    for wall_s in (2**31 - 1, 2**31, -(2**31), 0):
        desk.wall_s = float(wall_s)
        desk.allows()

    desk.wall_s = 4_000_000_000.0
    desk.give()
    desk.passes(5)
    assert not desk.allows()  # it seems to begin in the future of the clock that never jumps


def test_a_revoked_grant_opens_nothing(desk: Desk) -> None:
    """Beside one that still does, that one is used."""
    gone, kept = desk.give(), desk.give(duration_s=1800.0)
    desk.revoke(gone)

    assert [ref.id for ref in desk.decide().grants] == [kept.id]


def test_a_grant_that_is_used_up_is_not_asked(desk: Desk) -> None:
    """Its document says so: nothing is claimed to find out."""
    given = desk.give(uses=1)
    claim_use(desk.store, given.id, desk.clock, max_duration_s=900.0)

    assert not desk.decide().verdict.is_allowed


@pytest.mark.parametrize(
    ("change", "still"),
    [
        (lambda desk, grant: None, True),
        (lambda desk, grant: desk.revoke(grant), False),
        (lambda desk, grant: desk.passes(900), False),
        (lambda desk, grant: setattr(desk, "wall_s", desk.wall_s + 900), False),
        (lambda desk, grant: setattr(desk.store, "problem", "down"), True),
    ],
    ids=["nothing", "revoked", "ended", "clock put forward", "store down"],
)
def test_a_further_attempt_is_held_against_the_grant(desk: Desk, change: Any, still: bool) -> None:
    """With what is known by then."""
    grant = desk.give()
    decision = desk.decide()

    change(desk, grant)
    desk.passes(3)
    desk.grants.is_still_granted(decision)
    desk.work()

    assert desk.grants.is_still_granted(decision) is still


def test_a_further_attempt_while_nothing_is_known_is_refused(desk: Desk) -> None:
    """What was known is too old, and the store is down."""
    desk.give()
    decision = desk.decide()
    desk.store.problem = "down"

    desk.passes(31)

    assert not desk.grants.is_still_granted(decision)
