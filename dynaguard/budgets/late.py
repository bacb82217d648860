"""The retry budgets of a guard, made for the first call that they do not leave alone.

While all calls are interactive and none was throttled, there is neither bucket nor lane, and what
knows of them is not imported.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from dynaguard.forks import renew_after_fork
from dynaguard.scope import Priority, Scope

if TYPE_CHECKING:
    from dynaguard.budgets.bucket import BucketSnapshot
    from dynaguard.budgets.budget import RetryBudgets
    from dynaguard.policy.model import BudgetStatement

_INTERACTIVE: Final = Priority.INTERACTIVE


class LateBudgets:
    """Stands for a process's `RetryBudgets`. Thread-safe.

    Args:
        statements: `[[budget]]` entries, as those of `RetryBudgets`.
        make: Makes the budgets; may import.

    Attributes:
        measures_capacity, observes: As those of `RetryBudgets`.
        is_untouched_by: As `RetryBudgets.is_untouched_by`; their own method once they are made,
            so that calls cost what they cost without us.
    """

    __slots__ = (
        "__weakref__",
        "_chooses_class",
        "_lock",
        "_made",
        "_make",
        "is_untouched_by",
        "measures_capacity",
        "observes",
    )

    def __init__(
        self, statements: tuple[BudgetStatement, ...], make: Callable[[], RetryBudgets]
    ) -> None:
        self._make = make
        self._made: RetryBudgets | None = None
        self._chooses_class = any(each.priority is not None for each in statements)
        self.measures_capacity = any(each.is_measuring for each in statements)
        self.observes = any(each.is_observed for each in statements)
        self.is_untouched_by: Callable[[Scope], bool] = self._is_untouched_by
        self.renew()
        renew_after_fork(self)

    def renew(self) -> None:
        """Lets a forked child make what another thread was making."""
        # re-entrant: a signal handler may make a call of its own in the middle of ours
        self._lock = threading.RLock()

    def made(self) -> RetryBudgets:
        """The budgets themselves."""
        made = self._made
        if made is None:
            with self._lock:
                made = self._made or self._make()
                made = self._made = self._made or made  # a signal handler may have been faster
                self.is_untouched_by = made.is_untouched_by
        return made

    def snapshot(self) -> tuple[BucketSnapshot, ...]:
        """As `RetryBudgets.snapshot`."""
        return () if self._made is None else self._made.snapshot()

    def _is_untouched_by(self, scope: Scope) -> bool:
        """As `RetryBudgets.is_untouched_by`, while nothing was learnt."""
        return not self._chooses_class and scope.priority is _INTERACTIVE
