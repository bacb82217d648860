"""A clock that is moved by hand, and loads to weigh."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from dynaguard.budgets.budget import RetryBudgets
from dynaguard.budgets.load import Load, Part
from dynaguard.call import StatementRef
from dynaguard.policy.model import BudgetStatement

TABLE = "arn:aws:dynamodb:eu-west-1:111122223333:table/orders"


@dataclass
class Clock:
    """Seconds that pass when a test says so."""

    now_s: float = 100.0

    def __call__(self) -> float:
        return self.now_s

    def pass_(self, seconds: float) -> None:
        self.now_s += seconds


@pytest.fixture
def clock() -> Clock:
    """A clock."""
    return Clock()


@pytest.fixture
def load() -> Load:
    """One write to one table."""
    return load_of()


def load_of(
    *, job: str = "nightly", table: str = TABLE, units: float = 1.0, is_write: bool = True
) -> Load:
    """A load on one table."""
    return Load(job, (Part(table, units),), is_write, "eu-west-1/111122223333")


MakeBudgets = Callable[..., RetryBudgets]


@pytest.fixture
def make_budgets(clock: Clock) -> MakeBudgets:
    """Makes budgets on the test's clock, with one statement of the given numbers or none."""

    def make(share: float = 0.5, max_buckets: int = 1024, **numbers: object) -> RetryBudgets:
        statements: tuple[BudgetStatement, ...] = ()
        if numbers:
            ref = StatementRef(sid="budget[0]")
            statements = (BudgetStatement(ref=ref, **numbers),)  # type: ignore[arg-type]
        return RetryBudgets(
            statements, monotonic=clock, random=lambda: share, max_buckets=max_buckets
        )

    return make
