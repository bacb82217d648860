"""The retry budgets of a process: may this call go now, may it be repeated, after which wait.

One bucket per (job or identity, table, read or write), shared by all clients and threads. Nothing
here sleeps or sends: the hooks ask, wait and send. INVARIANT: with every attempt failing, a
bucket grants at most `max_tokens + retry_ratio * successes + min_retries_per_s * elapsed` retries.

Two concerns, two locks: tokens here, the waits of first tries in `pacing`. A forked child starts
with full buckets and no waits.
"""

from __future__ import annotations

import math
import os
import random as _random
import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from cachetools import LRUCache

from dynaguard.budgets.bucket import (
    DEFAULT_STATEMENT,
    Bucket,
    BucketKey,
    BucketSnapshot,
    is_past_deadline,
)
from dynaguard.budgets.pacing import Pacer
from dynaguard.budgets.signals import Signal
from dynaguard.errors import ConfigurationError
from dynaguard.policy.model import BudgetStatement
from dynaguard.policy.patterns import text_matches
from dynaguard.scope import Priority, Scope

__all__ = ["Admission", "BucketKey", "BucketSnapshot", "RetryBudgets", "RetryRuling"]

_REDIRECTABLE: Final = frozenset({Signal.OK, Signal.FATAL})


@dataclass(frozen=True, slots=True)
class Admission:
    """Whether a first try may go, and when.

    Attributes:
        wait_s: Seconds to wait before it; 0.0 when it is refused.
        refusal: Why it cannot be admitted in time, in one clause; None when it may go.
    """

    wait_s: float
    refusal: str | None


@dataclass(frozen=True, slots=True)
class RetryRuling:
    """Whether a call may be repeated, and when.

    Attributes:
        is_granted: Whether to repeat it.
        wait_s: Seconds to wait before that; 0.0 when it is not granted.
        refusal: Why the budget refused, in one clause. None when it is granted, and when botocore
            itself would not have repeated the call: then the budget had nothing to refuse.
        tokens_left: What the bucket holds afterwards.
    """

    is_granted: bool
    wait_s: float
    refusal: str | None
    tokens_left: float


_GO: Final = Admission(wait_s=0.0, refusal=None)


class RetryBudgets:
    """The buckets of all jobs, tables and directions of a process.

    Thread-safe; never sleeps. Holds `max_buckets` buckets; beyond that the least recently used
    one is dropped, and starts full again if it comes back.

    Args:
        statements: `[[budget]]` entries in document order; the first that matches a key counts.
            Patterns of `job` are held against the job's name, outside of a job against the
            identity's. A key that none matches gets the defaults of `BudgetStatement`, which
            only observe interactive calls.
        monotonic: Clock in seconds, that of `Scope.deadline_monotonic_s`.
        random: Uniform in [0, 1).
        max_buckets: Bound on the buckets held; at least 1.

    Attributes:
        is_quiet: Whether nothing but successes was ever learnt: every bucket is full and nothing
            waits, so a caller may leave `admit` and the learning of successes out. Read without
            the lock: who reads it late misses a success, never a throttle.

    Raises:
        ConfigurationError: `max_buckets` is below 1.
    """

    def __init__(
        self,
        statements: tuple[BudgetStatement, ...],
        *,
        monotonic: Callable[[], float] = time.monotonic,
        random: Callable[[], float] = _random.random,
        max_buckets: int = 1024,
    ) -> None:
        if max_buckets < 1:
            raise ConfigurationError(f"`max_buckets` is `{max_buckets}`, it must be 1 or more")
        self._statements = statements
        self._monotonic = monotonic
        self._random = random
        self._max_buckets = max_buckets
        self._pacer: Pacer[BucketKey] = Pacer(
            monotonic=monotonic, random=random, max_keys=max_buckets
        )
        self._start_afresh()
        _call_in_forked_child(weakref.WeakMethod(self._start_afresh))

    def admit(self, key: BucketKey, scope: Scope) -> Admission:
        """Whether a first try may go now.

        Batch and background calls wait after recent throttles of their bucket; interactive calls
        never do.

        Args:
            key: The call's bucket.
            scope: Its scope; the priority and the deadline are read.

        Returns:
            The wait, or why there is no time for it.

        Cost: one attribute read while nothing is throttled; else one locked look-up.
        """
        if self._pacer.is_idle or scope.priority is Priority.INTERACTIVE:
            return _GO
        wait_s = self._pacer.draw_wait_s(key)
        if wait_s <= 0.0:
            return _GO
        now_s = self._monotonic()
        if is_past_deadline(scope, now_s + wait_s):
            return Admission(0.0, _tell_late(key, scope, wait_s, now_s))
        return Admission(wait_s, None)

    def rule_retry(
        self,
        key: BucketKey,
        scope: Scope,
        *,
        attempt: int,
        signal: Signal,
        suggested_delay_s: float | None,
    ) -> RetryRuling:
        """Whether a call that just failed may be repeated. A granted retry costs one token.

        A deadline in the scope holds even where the budget only observes interactive calls,
        because the caller set it; a statement with `Mode = "observe"` never refuses.

        Args:
            key: The call's bucket.
            scope: Its scope; the priority and the deadline are read.
            attempt: The attempt that failed, from 1.
            signal: What its answer said.
            suggested_delay_s: The delay that botocore would take; None when it would not repeat
                the call at all.

        Returns:
            The ruling. Its wait is the suggested delay; an interactive call under an enforced
            budget waits at most 20 ms, doubled per attempt up to 1 s, with full jitter.
        """
        now_s = self._monotonic()
        self.is_quiet = False
        if suggested_delay_s is None:
            return RetryRuling(False, 0.0, None, self._read_tokens(key, now_s))
        if suggested_delay_s <= 0.0 and signal in _REDIRECTABLE:
            # botocore re-sends to another host or region (S3 redirects), once per call: that is
            # part of the first try, and a refusal would break calls that are not under load.
            return RetryRuling(True, 0.0, None, self._read_tokens(key, now_s))
        share = self._random()
        with self._lock:
            bucket = self._find_bucket(key, now_s)
            wait_s = bucket.choose_wait_s(scope.priority, attempt, suggested_delay_s, share)
            is_late = bucket.is_late(scope, now_s + wait_s)
            is_granted = bucket.grant(now_s, scope.priority, is_late=is_late)
            tokens_left = bucket.tokens.tokens
        if is_granted:
            return RetryRuling(True, wait_s, None, tokens_left)
        if is_late:
            refusal = _tell_late(key, scope, wait_s, now_s)
        else:
            refusal = _tell_spent(key, tokens_left, bucket.statement.max_tokens)
        return RetryRuling(False, 0.0, refusal, tokens_left)

    def learn(self, key: BucketKey, signal: Signal) -> None:
        """Takes one answer into account: a success earns tokens, a throttle makes batches wait.

        Args:
            key: The bucket of the call that was answered.
            signal: What the answer said; one call of this per attempt, granted retries included.
        """
        now_s = self._monotonic()
        if signal is not Signal.OK:
            self.is_quiet = False
        with self._lock:
            bucket = self._find_bucket(key, now_s)
            bucket.learn(signal)
            is_observed = bucket.statement.is_observed
        if not is_observed:
            self._pacer.learn(key, signal)

    def snapshot(self) -> tuple[BucketSnapshot, ...]:
        """All buckets as they are now, in the order they were made; for `status()`."""
        now_s = self._monotonic()
        ceiling_s_by_key = self._pacer.snapshot(now_s)
        with self._lock:
            return tuple(
                bucket.snapshot(key, now_s, ceiling_s_by_key.get(key, 0.0))
                for key, bucket in self._buckets.items()
            )

    def _start_afresh(self) -> None:
        """Full buckets, no waits, new locks: at the start, and again in a forked child.

        At the moment of the fork another thread of the parent may have held a lock, or been half
        way through a change; the child must not inherit either.
        """
        self._lock = threading.Lock()
        self.is_quiet = True
        self._buckets: LRUCache[BucketKey, Bucket] = LRUCache(self._max_buckets)
        self._pacer.forget_all()

    def _find_bucket(self, key: BucketKey, now_s: float) -> Bucket:
        """The key's bucket, made on first use; the caller holds the lock."""
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = Bucket(self._find_statement(key), now_s)
        return bucket

    def _find_statement(self, key: BucketKey) -> BudgetStatement:
        """The first statement that matches; runs once per bucket."""
        table = _extract_table(key.resource)
        for statement in self._statements:
            if _matches_any(statement.jobs, key.job) and _matches_any(statement.tables, table):
                return statement
        return DEFAULT_STATEMENT

    def _read_tokens(self, key: BucketKey, now_s: float) -> float:
        """What the key's bucket holds now."""
        with self._lock:
            tokens = self._find_bucket(key, now_s).tokens
            tokens.refill(now_s)
            return tokens.tokens


def _call_in_forked_child(method: weakref.WeakMethod[Callable[[], None]]) -> None:
    """Has `method` called in every child that this process forks, while its object lives."""

    def call_if_alive() -> None:
        bound = method()
        if bound is not None:
            bound()

    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=call_if_alive)


def _matches_any(patterns: tuple[str, ...], text: str) -> bool:
    """Whether one of the patterns (`*` and `?`) matches the whole text."""
    return any(text_matches(pattern, text) for pattern in patterns)


def _extract_table(resource: str) -> str:
    """The table's name where the resource is a table's or an index's ARN; else as it is."""
    if not resource.startswith("arn:"):
        return resource
    return resource.partition(":table/")[2].partition("/")[0] or resource


def _tell_late(key: BucketKey, scope: Scope, wait_s: float, now_s: float) -> str:
    """The refusal of a wait that would pass the deadline."""
    left_s = max(0.0, (scope.deadline_monotonic_s or 0.0) - now_s)
    return f"a wait of {wait_s:.2f} s would pass the deadline, {left_s:.2f} s left for {key}"


def _tell_spent(key: BucketKey, tokens_left: float, max_tokens: float) -> str:
    """The refusal of an empty bucket."""
    # cut, not rounded: 0.97 must not read as a whole token
    shown = math.floor(tokens_left * 10) / 10
    return f"retry budget spent: {shown:.1f} of {max_tokens:g} tokens left for {key}"
