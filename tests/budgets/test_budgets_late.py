"""The budgets are made for the first call that they do not leave alone."""

from __future__ import annotations

from dynaguard.budgets.budget import RetryBudgets
from dynaguard.budgets.late import LateBudgets
from dynaguard.call import StatementRef
from dynaguard.policy.model import BudgetStatement
from dynaguard.scope import Priority, Scope

INTERACTIVE, BATCH = Scope(), Scope(priority=Priority.BATCH)
_REF = StatementRef("budget")


class Making:
    """Makes budgets and counts how often."""

    def __init__(self) -> None:
        self.made = 0

    def __call__(self) -> RetryBudgets:
        """Budgets without statements."""
        self.made += 1
        return RetryBudgets(())


def test_an_interactive_call_needs_none() -> None:
    """And a look at what they hold makes none."""
    making = Making()
    late = LateBudgets((), making)

    assert late.is_untouched_by(INTERACTIVE)
    assert late.snapshot() == ()
    assert making.made == 0


def test_a_batch_call_is_not_left_alone() -> None:
    """It is paced from the first."""
    assert not LateBudgets((), Making()).is_untouched_by(BATCH)


def test_a_statement_that_chooses_the_class_leaves_no_call_alone() -> None:
    """Interactive calls may be batch calls by it."""
    statement = BudgetStatement(_REF, priority=Priority.BATCH)

    assert not LateBudgets((statement,), Making()).is_untouched_by(INTERACTIVE)


def test_what_the_statements_ask_is_known_before() -> None:
    """Measuring and observing."""
    statement = BudgetStatement(_REF, is_measuring=True, is_observed=True)

    late = LateBudgets((statement,), Making())

    assert (late.measures_capacity, late.observes) == (True, True)


def test_they_are_made_once_and_asked_themselves_from_then_on() -> None:
    """Calls cost what they cost without the stand-in."""
    making = Making()
    late = LateBudgets((), making)

    budgets = late.made()

    assert late.made() is budgets
    assert late.is_untouched_by == budgets.is_untouched_by
    assert late.snapshot() == budgets.snapshot()
    assert making.made == 1


def test_a_signal_handler_that_makes_them_first_is_not_overruled() -> None:
    """Its call has learnt something there."""
    inner: list[RetryBudgets] = []

    def make() -> RetryBudgets:
        if not inner:
            inner.append(RetryBudgets(()))
            inner.append(late.made())
        return RetryBudgets(())

    late = LateBudgets((), make)

    assert late.made() is inner[1]
