"""Policies of the simulation: dynaguard's own budgets on a simulated clock, and others."""

from __future__ import annotations

import random
from collections.abc import Callable

from benchmarks.retry.simulation import Clock, Policy
from dynaguard.budgets.budget import RetryBudgets
from dynaguard.budgets.coordination import Coordinator, Errand
from dynaguard.budgets.load import Lesson, Load, Part
from dynaguard.budgets.rulings import Asked
from dynaguard.budgets.signals import Signal
from dynaguard.budgets.turns import Turn
from dynaguard.policy.model import BudgetStatement
from dynaguard.scope import Priority, Scope

TABLE = "arn:aws:dynamodb:eu-west-1:111122223333:table/orders"
JOB = Load("job", (Part(TABLE),), is_write=True)
SERVICE = Load("service", (Part(TABLE),), is_write=True)
BATCH = Scope(job="job", priority=Priority.BATCH)
INTERACTIVE = Scope()
ROUND_TRIP_S = 0.001
"""To the coordinator."""


class Guarded(Policy):
    """A batch process under dynaguard."""

    def __init__(
        self,
        clock: Clock,
        generator: random.Random,
        statements: tuple[BudgetStatement, ...] = (),
        coordinator: Coordinator | None = None,
    ) -> None:
        self._clock = clock
        self.budgets = RetryBudgets(
            statements,
            monotonic=lambda: clock.now_s,
            random=generator.random,
            coordinator=coordinator,
        )

    def submit(self, go: Callable[[], None]) -> None:
        """Waits for its turn."""
        admission = self.budgets.admit(JOB, BATCH, started_s=self._clock.now_s)
        if admission.refusal is not None:
            self._clock.at(self._clock.now_s + 1.0, self.submit, go)
        elif admission.turn is None:
            go()
        else:
            _Waiter(self._clock, admission.turn, go)

    def succeeded(self, sent_at_s: float) -> None:
        """Earns, and tells the lane."""
        self.budgets.learn(JOB, BATCH, Lesson(Signal.OK, sent_at_s))

    def failed(self, sent_at_s: float, attempt: int, signal: Signal) -> float | None:
        """What the budget rules."""
        self.budgets.learn(JOB, BATCH, Lesson(signal, sent_at_s))
        asked = Asked(signal, attempt, started_s=self._clock.now_s)
        ruling = self.budgets.rule_retry(JOB, BATCH, asked)
        return ruling.wait_s if ruling.is_granted else None


class _Waiter:
    """A simulated thread that waits for its turn."""

    def __init__(self, clock: Clock, turn: Turn, go: Callable[[], None]) -> None:
        self._clock, self._turn, self._go = clock, turn, go
        self._generation = 0
        self._is_gone = False
        turn.wake = self._wake
        self._ask(0)

    def _wake(self) -> None:
        self._generation += 1
        self._clock.at(self._clock.now_s, self._ask, self._generation)

    def _settle(self, coordinator: Coordinator, errand: Errand) -> None:
        self._turn.settle(coordinator.ask(errand))
        self._wake()

    def _ask(self, generation: int) -> None:
        if self._is_gone or generation != self._generation:
            return
        wait_s = self._turn.ask()
        if wait_s <= 0:
            self._is_gone = True
            self._go()
        elif (errand := self._turn.errand()) is not None:
            coordinator = self._turn.coordinator
            assert coordinator is not None
            self._clock.at(self._clock.now_s + ROUND_TRIP_S, self._settle, coordinator, errand)
        else:
            self._clock.at(self._clock.now_s + wait_s, self._ask, generation)


class Interactive:
    """The interactive service under dynaguard."""

    def __init__(self, clock: Clock, generator: random.Random) -> None:
        self._clock = clock
        self._budgets = RetryBudgets((), monotonic=lambda: clock.now_s, random=generator.random)

    def succeeded(self) -> None:
        """Earns."""
        lesson = Lesson(Signal.OK, self._clock.now_s)
        if not self._budgets.is_untouched_by(INTERACTIVE):
            self._budgets.learn(SERVICE, INTERACTIVE, lesson)

    def wait_s(self, attempt: int, age_s: float) -> float | None:
        """What the budget rules on a throttle."""
        now_s = self._clock.now_s
        self._budgets.learn(SERVICE, INTERACTIVE, Lesson(Signal.THROTTLE, now_s))
        ruling = self._budgets.rule_retry(
            SERVICE, INTERACTIVE, Asked(Signal.THROTTLE, attempt, started_s=now_s - age_s)
        )
        return ruling.wait_s if ruling.is_granted else None


class Standard(Policy):
    """botocore's standard mode: four attempts, a quota of 500 tokens, a second of base delay.

    Source: botocore 1.44.5, `retries/standard.py` and `retries/quota.py`.
    """

    ATTEMPTS = 4
    QUOTA = 500.0
    COST = 5.0

    def __init__(self, generator: random.Random) -> None:
        self._generator = generator
        self._quota = self.QUOTA

    def succeeded(self, sent_at_s: float) -> None:  # noqa: ARG002 - the protocol's
        """Refunds one token."""
        self._quota = min(self.QUOTA, self._quota + 1.0)

    def failed(self, sent_at_s: float, attempt: int, signal: Signal) -> float | None:  # noqa: ARG002
        """A random wait up to a second, doubled each time."""
        if attempt >= self.ATTEMPTS or self._quota < self.COST:
            return None
        self._quota -= self.COST
        base_s = 1.0 if signal is Signal.THROTTLE else 0.025
        return self._generator.random() * min(base_s * 2.0 ** (attempt - 1), 20.0)
