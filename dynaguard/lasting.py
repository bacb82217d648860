"""Whether a call that has waited may still be sent, and whether it may be repeated.

Part of the guard, split from it for size. A grant, an approval or a task may end, or be taken
back, while a call waits for its turn or between two attempts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from dynaguard.errors import PolicyDenied
from dynaguard.interruption import came_from_handler

if TYPE_CHECKING:
    from dynaguard.authorising import Authorising, Refuse
    from dynaguard.passage import Passage


class Lasting:
    """Looks again at what let a call. Thread-safe.

    Args:
        authorising: Knows what let it.
        refuse: Raises the denial.
        record_denial: Puts a denial on record.
        note_failure: Counts a failure of dynaguard's own.
    """

    __slots__ = ("_authorising", "_note_failure", "_record_denial", "_refuse")

    def __init__(
        self,
        authorising: Authorising,
        refuse: Refuse,
        record_denial: Callable[[Passage, PolicyDenied], None],
        note_failure: Callable[[], None],
    ) -> None:
        self._authorising = authorising
        self._refuse = refuse
        self._record_denial = record_denial
        self._note_failure = note_failure

    def check(self, passage: Passage) -> None:
        """Looks at a call that is about to be sent first.

        Raises:
            PolicyDenied: What let it ended meanwhile. Nothing was sent.
        """
        ended, decision = self._authorising.ended(passage), passage.decision
        if ended is None or decision is None:
            return
        passage.decision = decision = decision._replace(
            verdict=ended.verdict,
            offending=next(iter(decision.authorizations), None),
            statement=ended.statement,
            reason=ended.reason,
            how_to_allow="begin it again, or ask for it again",
        )
        try:
            self._refuse(passage, decision)
        except PolicyDenied as denial:
            self._record_denial(passage, denial)
            raise

    def repeats_no_more(self, passage: Passage) -> bool:
        """Whether what let a call ended, so that no further attempt of it may be made.

        Why is noted as the refusal of a further attempt. A failure counts as an end.
        """
        try:
            ended = self._authorising.ended(passage)
            reason = None if ended is None else ended.reason
        except Exception as err:
            if came_from_handler(err):
                raise
            self._note_failure()
            reason = f"whether it is still allowed is not known ({type(err).__name__})"
        if reason is not None:
            passage.budget_refusal = f"no further attempt: {reason}"
        return reason is not None
