"""Asks the opt-in look-up who calls, at most once per access key while the answer holds."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from dynaguard.call import CredentialFacts
from dynaguard.identity.arns import read_identity_arn

IdentityLookup = Callable[[CredentialFacts], str | None]
"""Gives the caller's ARN for credentials, or None; may block and raise."""

RETRY_AFTER_S: Final = 60.0
MAX_WAIT_S: Final = 15.0
_MAX_KEYS: Final = 1024
_log = logging.getLogger("dynaguard")


@dataclass(frozen=True, slots=True)
class CallerAnswer:
    """What a look-up gave.

    Attributes:
        arn: The caller's ARN, or None.
        ask_again_at_s: Clock reading from which it may be asked again; None: never.
    """

    arn: str | None
    ask_again_at_s: float | None = None

    def holds_at(self, now_s: float) -> bool:
        """Whether it need not be asked again yet."""
        return self.ask_again_at_s is None or now_s < self.ask_again_at_s


class CallerLookup:
    """Remembers answers by access key id; failures for `RETRY_AFTER_S` seconds.

    Thread-safe. Threads that ask for the same key wait for the first one's answer, at most
    `MAX_WAIT_S`, also in a child that was forked meanwhile; other keys do not wait for it.

    Attributes:
        failures: Look-ups that raised or gave no ARN.
    """

    def __init__(self, look_up: IdentityLookup, monotonic: Callable[[], float]) -> None:
        self._look_up = look_up
        self._monotonic = monotonic
        self._answer_by_key_id: dict[str, CallerAnswer] = {}
        self._turn_by_key_id: dict[str, threading.Lock] = {}
        self.failures = 0

    def ask(self, facts: CredentialFacts) -> CallerAnswer:
        """The caller of these credentials, from memory or by asking.

        Effects: may call AWS, and blocks meanwhile. Never raises.
        """
        key_id = facts.access_key_id
        if key_id is None:
            # Credentials that were never used have no key yet; the next call may have one.
            return CallerAnswer(None, self._monotonic())
        remembered = self._remembered(key_id)
        if remembered is not None:
            return remembered
        turn = self._turn_by_key_id.setdefault(key_id, threading.Lock())
        if not turn.acquire(timeout=MAX_WAIT_S):
            return CallerAnswer(None, self._monotonic())
        try:
            return self._remembered(key_id) or self._ask_now(key_id, facts)
        finally:
            turn.release()

    def _remembered(self, key_id: str) -> CallerAnswer | None:
        """An answer that still holds."""
        answer = self._answer_by_key_id.get(key_id)
        return answer if answer and answer.holds_at(self._monotonic()) else None

    def _ask_now(self, key_id: str, facts: CredentialFacts) -> CallerAnswer:
        """Asks, and remembers what came of it."""
        arn = self._arn_or_none(facts)
        answer = CallerAnswer(arn, None if arn else self._monotonic() + RETRY_AFTER_S)
        if len(self._answer_by_key_id) >= _MAX_KEYS:
            # Keys rotate: after so many the old ones are gone. Dropping all needs no order.
            self._answer_by_key_id, self._turn_by_key_id = {}, {}
        self._answer_by_key_id[key_id] = answer
        return answer

    def _arn_or_none(self, facts: CredentialFacts) -> str | None:
        """One look-up; whatever goes wrong leaves the caller unknown, and is counted."""
        problem = "it gave no ARN of an identity"
        try:
            arn = self._look_up(facts)
        except Exception as err:  # noqa: BLE001 - the errors are the look-up's own
            arn, problem = None, type(err).__name__
        if arn is not None and read_identity_arn(arn) is not None:
            return arn
        self.failures += 1
        if self.failures == 1:
            _log.warning("the look-up of the calling identity failed: %s", problem)
        return None
