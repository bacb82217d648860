"""Processes that share a rate: in order of their tickets, at the rate that all learnt."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from dynaguard.budgets.budget import RetryBudgets
from dynaguard.budgets.coordination import (
    Coordinator,
    Errand,
    Grant,
    LocalCoordinator,
    Report,
    again_after_s,
)
from dynaguard.budgets.lease import FALL_BACK_S, Lease, Reach
from dynaguard.budgets.load import Lesson, Load
from dynaguard.budgets.rate import SHARED, AdaptiveRate
from dynaguard.budgets.signals import Signal
from dynaguard.hooks.waiting import fetch_lease
from dynaguard.scope import Priority, Scope
from tests.budgets.conftest import Clock

BATCH = Scope(job="nightly", priority=Priority.BATCH)
NOTHING = Report()


def errand(
    ticket: float | None = None, *, wanted: float = 1.0, report: Report = NOTHING
) -> Errand:
    """One call that wants to go."""
    return Errand("orders:write", ticket, 1.0, wanted, report)


@pytest.fixture
def shared(clock: Clock) -> LocalCoordinator:
    """A coordinator of a resource that was throttled once, at 100 units/s."""
    coordinator = LocalCoordinator(monotonic=clock)
    member = coordinator.member("first")
    for _ in range(30):
        member.ask(errand(report=Report(accepted=10.0)))
        clock.pass_(0.1)
    member.ask(errand(report=Report(accepted=10.0, throttles=1.0)))
    return coordinator


def test_without_a_throttle_there_is_nothing_to_share(clock: Clock) -> None:
    """Everything may go, for a lease's time."""
    member = LocalCoordinator(monotonic=clock).member("a")
    assert member.ask(errand()) == Grant(None, 0.0, math.inf, 0)


def test_tickets_are_served_in_order_at_the_shared_rate(
    shared: LocalCoordinator, clock: Clock
) -> None:
    """Twenty members draw one each; each is served when its number is up."""
    members = [shared.member(str(index)) for index in range(20)]
    grants = {index: member.ask(errand()) for index, member in enumerate(members)}
    served: list[int] = []
    while len(served) < 20:
        clock.pass_(0.01)
        for index, grant in list(grants.items()):
            if grant.ticket is None:
                served.append(index)
                del grants[index]
            else:
                grants[index] = members[index].ask(errand(grant.ticket))
    assert served == sorted(served)


def test_a_cut_counts_once_whoever_reports_it(shared: LocalCoordinator, clock: Clock) -> None:
    """Throttles of calls sent before the last cut belong to another epoch."""
    epoch = shared.member("a").ask(errand()).epoch
    rate = next(iter(shared._shared.values())).rate
    before = rate.known_per_s
    for index in range(50):
        clock.pass_(0.11)
        shared.member(str(index)).ask(errand(report=Report(throttles=1.0, epoch=epoch - 1)))
    assert rate.known_per_s == before


def test_a_lease_is_worth_a_fair_share(shared: LocalCoordinator) -> None:
    """Who wants much gets no more than the others could have."""
    greedy = shared.member("greedy")
    alone = greedy.ask(errand(wanted=1000.0)).units
    for index in range(9):
        shared.member(str(index)).ask(errand())
    assert greedy.ask(errand(wanted=1000.0)).units < alone / 5


def test_members_that_left_do_not_count(shared: LocalCoordinator, clock: Clock) -> None:
    """Twenty seconds later."""
    for index in range(9):
        shared.member(str(index)).ask(errand())
    crowded = shared.member("x").ask(errand(wanted=1000.0)).units
    for _ in range(30):
        clock.pass_(1.0)
        shared.member("x").ask(errand(wanted=1000.0))
    assert shared.member("x").ask(errand(wanted=1000.0)).units > 2 * crowded


@pytest.mark.parametrize(("wait_s", "again_s"), [(0.1, 0.1), (0.8, 0.5), (10.0, 5.0)])
def test_who_waits_long_asks_again_before(wait_s: float, again_s: float) -> None:
    """The rate may have grown: a unit that waits for its owner is lost."""
    assert again_after_s(wait_s) == again_s


# --- a lane's leases -----------------------------------------------------------------------------


def test_a_lease_is_asked_for_by_one_waiter_at_a_time() -> None:
    """The others are woken by its answer."""
    lease = Lease("orders:write")
    asked = lease.errand(0.0, 1.0, 3.0)
    assert asked is not None
    assert asked.wanted == 3.0
    assert lease.errand(0.0, 1.0, 3.0) is None
    lease.settle(0.0, Grant(None, 0.0, 2.0, 0), 0.5)
    assert lease.take(0.0, 1.0)
    assert lease.take(0.0, 1.0)
    assert not lease.take(0.0, 1.0)


def test_a_ticket_is_asked_for_again_when_it_is_due() -> None:
    """Not before, and with what was seen meanwhile."""
    lease = Lease("orders:write")
    lease.errand(0.0, 1.0, 1.0)
    lease.settle(0.0, Grant(7.0, 0.5, 1.0, 3), 0.5)
    lease.note_accepted(4.0)
    assert lease.wait_s(0.1) == pytest.approx(0.4)
    assert lease.errand(0.1, 1.0, 1.0) is None
    again = lease.errand(0.5, 1.0, 1.0)
    assert again == Errand("orders:write", 7.0, 1.0, 1.0, Report(4.0, 0.0, 3))


def test_a_fresh_throttle_is_told_at_once_and_ends_a_free_lease() -> None:
    """A stale one is not told at all."""
    lease = Lease("orders:write")
    lease.errand(0.9, 1.0, 1.0)
    lease.settle(1.0, Grant(None, 0.0, math.inf, 1), 0.5)
    assert lease.take(1.1, 1.0)
    lease.note_throttled(0.9, 1.0)
    assert lease.take(1.1, 1.0)
    lease.note_throttled(1.1, 1.0)
    assert not lease.take(1.2, 1.0)
    asked = lease.errand(1.2, 1.0, 1.0)
    assert asked is not None
    assert asked.report.throttles == 1.0


def test_a_free_lease_ends_by_itself() -> None:
    """What processes see must come together."""
    lease = Lease("orders:write")
    lease.errand(0.0, 1.0, 1.0)
    lease.settle(0.0, Grant(None, 0.0, math.inf, 0), 0.5)
    assert lease.take(0.2, 1.0)
    assert not lease.take(0.3, 1.0)


def test_a_fault_hands_the_lane_back_to_its_own_rate() -> None:
    """For five seconds, more or less."""
    lease = Lease("orders:write")
    lease.errand(0.0, 1.0, 1.0)
    lease.settle(0.0, None, 0.5)
    assert not lease.is_on(FALL_BACK_S - 0.1)
    assert lease.errand(1.0, 1.0, 1.0) is None
    assert lease.is_on(FALL_BACK_S)
    assert lease.faults == 1


# --- budgets with a coordinator ------------------------------------------------------------------


class Broken:
    """A coordinator that cannot be reached."""

    def ask(self, errand: Errand) -> Grant:
        raise ConnectionError


def go(budgets: RetryBudgets, load: Load, clock: Clock) -> float:
    """Sends one call; gives the seconds that it waited."""
    begun_s = clock.now_s
    turn = budgets.admit(load, BATCH, started_s=clock.now_s).turn
    while turn is not None and (wait_s := turn.ask()) > 0:
        if turn.coordinator is None or not fetch_lease(turn, turn.coordinator):
            clock.pass_(wait_s)
    budgets.learn(load, BATCH, Lesson(Signal.OK, clock.now_s))
    return clock.now_s - begun_s


def make(clock: Clock, coordinator: Coordinator) -> RetryBudgets:
    """Budgets of one process."""
    return RetryBudgets((), monotonic=clock, random=lambda: 0.5, coordinator=coordinator)


def test_calls_go_by_leases(clock: Clock, load: Load) -> None:
    """At the rate that the coordinator knows, in two processes alike."""
    coordinator = LocalCoordinator(monotonic=clock)
    one, two = (make(clock, coordinator.member(name)) for name in "ab")
    assert go(one, load, clock) == 0.0
    for _ in range(50):
        clock.pass_(0.02)
        go(one, load, clock)
    one.learn(load, BATCH, Lesson(Signal.THROTTLE, clock.now_s))
    begun_s = clock.now_s
    for _ in range(30):
        go(one, load, clock)
        go(two, load, clock)
    assert 0.5 < clock.now_s - begun_s < 10.0


def test_without_its_coordinator_a_process_goes_on_by_itself(
    clock: Clock, load: Load, caplog: pytest.LogCaptureFixture
) -> None:
    """And says so once."""
    budgets = make(clock, Broken())
    assert go(budgets, load, clock) == 0.0
    budgets.learn(load, BATCH, Lesson(Signal.THROTTLE, clock.now_s))
    waited_s = sum(go(budgets, load, clock) for _ in range(10))
    assert waited_s > 0
    assert sum("cannot be reached (ConnectionError)" in text for text in caplog.messages) <= 1


def test_a_rate_can_be_saved_and_restored() -> None:
    """In another process it goes on as it was."""
    rate = AdaptiveRate(0.0, shape=SHARED)
    for index in range(200):
        rate.accepted(index / 100, index / 100 - 0.004, 1.0)
    rate.throttled(2.0, 1.999)
    other = AdaptiveRate(50.0, shape=SHARED)
    other.restore(rate.save())
    read: Callable[[AdaptiveRate], list[float]] = lambda each: [  # noqa: E731
        each.per_s(2.0 + gap_s) for gap_s in (0.0, 0.5, 1.5, 5.0)
    ]
    assert read(other) == read(rate)
    assert other.save() == rate.save()


def test_a_ticket_of_a_queue_that_is_gone_is_drawn_anew(shared: LocalCoordinator) -> None:
    """Redis may lose its memory; nobody waits for days because of it."""
    grant = shared.member("a").ask(errand(60_001.0))
    assert grant.ticket is None or grant.ticket < 100
    assert grant.wait_s < 1.0


def test_an_answer_that_took_too_long_is_a_fault_for_all_lanes() -> None:
    """A call must not wait for it, nor the next lane once more."""
    reach = Reach()
    slow, other = Lease("orders:write", reach), Lease("orders:read", reach)
    slow.errand(0.0, 1.0, 1.0)
    slow.settle(0.3, Grant(None, 0.0, 1.0, 0), 0.5)
    assert not slow.is_on(1.0)
    assert not other.is_on(1.0)


def test_an_errand_that_was_interrupted_is_asked_again() -> None:
    """By whoever waits next, two seconds later."""
    lease = Lease("orders:write")
    assert lease.errand(0.0, 1.0, 1.0) is not None
    assert lease.errand(1.9, 1.0, 1.0) is None
    assert lease.errand(2.1, 1.0, 1.0) is not None


def test_nothing_is_asked_for_in_a_pause(clock: Clock, load: Load) -> None:
    """Neither while AWS asked for one, nor between the probes of an open circuit."""
    budgets = make(clock, LocalCoordinator(monotonic=clock).member("a"))
    budgets.learn(load, BATCH, Lesson(Signal.THROTTLE, clock.now_s, retry_after_s=5.0))
    turn = budgets.admit(load, BATCH, started_s=clock.now_s).turn
    assert turn is not None
    assert turn.ask() > 4.0
    assert turn.errand() is None
    turn.leave()


def test_nothing_is_asked_for_that_could_come_too_late(clock: Clock, load: Load) -> None:
    """Half a round trip before the deadline nobody asks any more."""
    budgets = make(clock, LocalCoordinator(monotonic=clock).member("a"))
    scope = Scope(priority=Priority.BATCH, deadline_monotonic_s=clock.now_s + 0.2)
    turn = budgets.admit(load, scope, started_s=clock.now_s).turn
    assert turn is not None
    turn.ask()
    assert turn.errand() is None
    turn.leave()


def test_a_busy_process_asks_a_few_times_a_second(clock: Clock, load: Load) -> None:
    """A lease is worth what it used lately, not the one call that waits just now."""
    asked: list[Errand] = []
    coordinator = LocalCoordinator(monotonic=clock)

    class Counting:
        def ask(self, errand: Errand) -> Grant:
            asked.append(errand)
            return coordinator.answer("a", errand)

    budgets = make(clock, Counting())
    for _ in range(100):
        go(budgets, load, clock)
        clock.pass_(0.01)
    budgets.learn(load, BATCH, Lesson(Signal.THROTTLE, clock.now_s))
    for _ in range(300):
        go(budgets, load, clock)
        clock.pass_(0.001)
    asked.clear()
    begun_s = clock.now_s
    for _ in range(300):
        go(budgets, load, clock)
        clock.pass_(0.001)
    assert len(asked) <= 12 * (clock.now_s - begun_s)
