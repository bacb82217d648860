"""What a run has used of its limits: items, pages, capacity units, seconds.

The run counts as it goes and ends early with the name of the step and the limit. The guard counts
the same calls on its own, so that a step's own code cannot go past either.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from dynaguard.errors import RunbookError
from dynaguard.runbooks.model import RunLimits

_MIN_LEFT_S = 0.0


class Spending:
    """Counts against the limits of one run. One thread.

    Args:
        runbook: Name of the runbook, for errors.
        limits: Its limits.
        ends_s: When it ends, on `monotonic`.
        monotonic: Clock in seconds.
    """

    __slots__ = ("_ends_s", "_limits", "_monotonic", "_runbook", "items", "pages", "units")

    def __init__(
        self, runbook: str, limits: RunLimits, ends_s: float, monotonic: Callable[[], float]
    ) -> None:
        self._runbook = runbook
        self._limits = limits
        self._ends_s = ends_s
        self._monotonic = monotonic
        self.items = 0
        self.pages = 0
        self.units = {True: 0.0, False: 0.0}

    def check_time(self, step: str, wait_s: float = 0.0) -> None:
        """Ends the run where its time is over, or would be after a wait.

        Raises:
            RunbookError: It is.
        """
        if self._ends_s - self._monotonic() - wait_s <= _MIN_LEFT_S:
            raise self._over(step, "duration_s", self._limits.duration_s)

    def check_room(self, step: str, *, is_paged: bool, is_write: bool, items: int = 0) -> None:
        """Ends the run before a call that would go past a limit.

        Args:
            step: Name of the step.
            is_paged: Whether the call reads a page.
            is_write: Whether it writes.
            items: How many items it is known to write; a read takes one more at least.

        Raises:
            RunbookError: A limit is reached.
        """
        limits = self._limits
        self.check_time(step)
        if limits.max_items is not None and self.items + max(items, 1) > limits.max_items:
            raise self._over(step, "max_items", limits.max_items)
        if is_paged and limits.max_pages is not None and self.pages >= limits.max_pages:
            raise self._over(step, "max_pages", limits.max_pages)
        units = limits.write_units if is_write else limits.read_units
        if units is not None and self.units[is_write] >= units:
            raise self._over(step, "write_units" if is_write else "read_units", units)

    def add(
        self, step: str, answer: Mapping[str, Any], *, items: int, pages: int, is_write: bool
    ) -> None:
        """Counts one answer.

        Raises:
            RunbookError: More items were read than the run may take.
        """
        self.items += items
        self.pages += pages
        self.units[is_write] += _units(answer.get("ConsumedCapacity"))
        limit = self._limits.max_items
        if limit is not None and self.items > limit:
            raise self._over(step, "max_items", limit)

    def _over(self, step: str, name: str, limit: float) -> RunbookError:
        return RunbookError(
            f"runbook `{self._runbook}` ended at step `{step}`: its limit `{name}` of {limit:g} "
            "is reached",
            runbook=self._runbook,
            step=step,
        )


def _units(consumed: Any) -> float:
    """Capacity units that an answer tells; 0 where it tells nothing."""
    if isinstance(consumed, Mapping):
        return float(consumed.get("CapacityUnits") or 0.0)
    if isinstance(consumed, list):
        return sum(_units(each) for each in consumed)
    return 0.0
