"""Asks the opt-in look-up who calls: in the background, at most once per access key at a time.

No call waits for the network here. A call that is refused only because the caller is not known may
wait for the answer (`wait`); every other goes on with what is known offline.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import datetime
from typing import Final

from cachetools import LRUCache

from dynaguard.call import CredentialFacts
from dynaguard.forks import renew_after_fork
from dynaguard.identity.arns import read_identity_arn
from dynaguard.values import dataclass

RETRY_AFTER_S: Final = 60.0
MAX_WAIT_S: Final = 5.0
"""Longest that one call waits for an answer, in seconds."""
MAX_KEYS: Final = 1024
"""Answers that are remembered; also look-ups that may be under way."""
_log: Final = logging.getLogger("dynaguard")


@dataclass(frozen=True, slots=True)
class Caller:
    """What a look-up gives.

    Attributes:
        arn: The caller's ARN.
        key_created_at: When its long-lived key was made, where that was asked and told.
    """

    arn: str
    key_created_at: datetime | None = None


IdentityLookup = Callable[[CredentialFacts], Caller | None]
"""Gives the caller for credentials, or None; may block and raise."""
Start = Callable[[Callable[[], None]], None]
"""Runs a function in the background."""


@dataclass(frozen=True, slots=True)
class CallerAnswer:
    """What is known of an access key's caller.

    Attributes:
        caller: The caller, or None.
        ask_again_at_s: Clock reading from which it may be asked again; None: never.
        is_pending: Whether the answer is still to come.
    """

    caller: Caller | None = None
    ask_again_at_s: float | None = None
    is_pending: bool = False


def start_thread(work: Callable[[], None]) -> None:
    """Runs it in a daemon thread, which no exit of the interpreter waits for."""
    threading.Thread(target=work, name="dynaguard-identity", daemon=True).start()


class CallerLookup:
    """Remembers answers by access key id; failures for `RETRY_AFTER_S` seconds.

    One thread asks for all keys, one after the other, and ends when there is none left.
    Thread-safe, and safe to fork: a child asks anew for what its parent was asking.

    Args:
        look_up: Asks; only ever called in the background.
        monotonic: The clock, in seconds.
        start: Runs the asking thread.

    Attributes:
        failures: Look-ups that raised or gave no ARN.
        answered: How many answers have come; changes with each.
    """

    def __init__(
        self,
        look_up: IdentityLookup,
        monotonic: Callable[[], float],
        start: Start = start_thread,
    ) -> None:
        self._look_up = look_up
        self._monotonic = monotonic
        self._start = start
        self.failures = 0
        self.answered = 0
        self.renew()
        renew_after_fork(self)

    def renew(self) -> None:
        """Forgets everything: a forked child has no thread that would end what is under way."""
        self._lock = threading.Lock()
        self._answers: LRUCache[str, CallerAnswer] = LRUCache(MAX_KEYS)
        self._waiting: dict[str, tuple[CredentialFacts, threading.Event]] = {}
        self._is_asking = False

    def answer(self, key_id: str, facts: CredentialFacts) -> CallerAnswer:
        """What is known now of a key and its credentials; has it asked if nothing is.

        Effects: none but memory; starts a thread at times. Never blocks on the network.
        """
        with self._lock:
            remembered: CallerAnswer | None = self._answers.get(key_id)
            if remembered is not None and self._holds(remembered):
                return remembered
            is_to_start = self._enqueue(key_id, facts)
        if is_to_start:
            self._start_asking()
            with self._lock:
                return self._answers.get(key_id) or CallerAnswer(is_pending=True)
        return CallerAnswer(is_pending=True)

    def wait(self, key_id: str | None, timeout_s: float) -> bool:
        """Waits for an answer that is under way; whether there was one to wait for.

        Effects: blocks up to `timeout_s` seconds.
        """
        waiting = self._waiting.get(key_id or "")
        if waiting is None:
            return False
        waiting[1].wait(timeout_s)
        return True

    def _holds(self, answer: CallerAnswer) -> bool:
        """Whether an answer need not be asked for again yet."""
        return answer.ask_again_at_s is None or self._monotonic() < answer.ask_again_at_s

    def _enqueue(self, key_id: str, facts: CredentialFacts) -> bool:
        """Notes a key to ask for, under the lock; whether a thread has to be started for it."""
        if key_id not in self._waiting and len(self._waiting) < MAX_KEYS:
            self._waiting[key_id] = (facts, threading.Event())
        is_idle, self._is_asking = not self._is_asking, True
        return is_idle

    def _start_asking(self) -> None:
        """Starts the asking thread; without one (too many threads) a later call tries again."""
        try:
            self._start(self._ask_all)
        except RuntimeError:
            with self._lock:
                self._is_asking = False

    def _ask_all(self) -> None:
        """The asking thread: one key after the other, until none is left."""
        while True:
            with self._lock:
                if not self._waiting:
                    self._is_asking = False
                    return
                key_id, (facts, is_answered) = next(iter(self._waiting.items()))
            caller = self._caller_or_none(facts)
            again_at_s = None if caller else self._monotonic() + RETRY_AFTER_S
            with self._lock:
                self._answers[key_id] = CallerAnswer(caller, again_at_s)
                self._waiting.pop(key_id, None)
                self.answered += 1
            is_answered.set()

    def _caller_or_none(self, facts: CredentialFacts) -> Caller | None:
        """One look-up; whatever goes wrong leaves the caller unknown, and is counted."""
        problem = "it gave no ARN of an identity"
        try:
            caller = self._look_up(facts)
        except Exception as err:  # noqa: BLE001 - the errors are the look-up's own
            caller, problem = None, type(err).__name__
        if caller is not None and read_identity_arn(caller.arn) is not None:
            return caller
        self.failures += 1
        if self.failures == 1:
            _log.warning("the look-up of the calling identity failed: %s", problem)
        return None
