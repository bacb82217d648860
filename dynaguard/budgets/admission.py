"""Whether an attempt may go under the retry budgets, as a value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from dynaguard.budgets.turns import Turn


class Admission(NamedTuple):
    """Whether an attempt may go, and when.

    Attributes:
        turn: What says when, to be asked until it lets go; None: at once, or never.
        refusal: Why it cannot be admitted in time, in one clause; None when it may go.
    """

    turn: Turn | None = None
    refusal: str | None = None


GO: Final = Admission()
