"""The retry budgets of a process: may this call go now, may it be repeated, after which wait.

Tokens by (job or identity, resource, read or write); lanes, which pace, by (resource, read or
write): shared by all jobs, clients and threads. Nothing here sleeps or sends: the hooks ask, wait
and send. INVARIANT: with every attempt failing, a bucket grants at most `max_tokens +
retry_ratio * successes + drip * elapsed` retries, and the promised ones that its drip still owes.

A forked child starts with full buckets and without lanes.
"""

from __future__ import annotations

import random as _random
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from dynaguard.budgets import rulings
from dynaguard.budgets.admission import GO, Admission
from dynaguard.budgets.bucket import DEFAULT_STATEMENT, Bucket, BucketKey, BucketSnapshot
from dynaguard.budgets.classes import rules_for
from dynaguard.budgets.coordination import Coordinator
from dynaguard.budgets.lane import Lane
from dynaguard.budgets.lanes import LaneKey, Lanes, rate_or_none
from dynaguard.budgets.learning import learn_answer
from dynaguard.budgets.load import Lesson, Load, Part, matches_any, table_of
from dynaguard.budgets.rate import AdaptiveRate
from dynaguard.budgets.recent import Recent
from dynaguard.budgets.rulings import Asked, RetryRuling
from dynaguard.budgets.signals import Signal
from dynaguard.budgets.turns import Turn
from dynaguard.call import BudgetState
from dynaguard.errors import ConfigurationError, readable_arn
from dynaguard.forks import renew_after_fork
from dynaguard.policy.model import BudgetStatement
from dynaguard.scope import Priority, Scope

__all__ = ["GO", "Admission", "BucketKey", "BucketSnapshot", "RetryBudgets", "RetryRuling"]

BATCH_UNITS: Final = 5.0
BATCH_START_PER_S: Final = 150.0
QUIET_AFTER_S: Final = 300.0
"""Without any throttle or failure for so long, lanes are forgotten."""


class RetryBudgets:
    """The buckets and lanes of a process.

    Thread-safe; never sleeps. Bounded: beyond `max_buckets` the least recently used bucket or
    lane is dropped, and starts afresh if it comes back.

    Args:
        statements: `[[budget]]` entries in document order; the first that matches a call counts.
            Patterns of `job` are held against the job's name, outside of a job against the
            identity's. A call that none matches gets the rules of its class.
        monotonic: Clock in seconds, that of `Scope.deadline_monotonic_s`.
        random: Uniform in [0, 1).
        max_buckets: Bound on the buckets, and on the lanes; at least 1.
        coordinator: Shares rates with other processes; None: each process learns its own.

    Attributes:
        is_quiet: Whether nothing but successes was learnt lately: every bucket is full and
            nothing waits, so that calls of classes that are not paced may leave everything out.
            Read without the lock: who reads it late misses a success, never a throttle.
        measures_capacity: Whether a statement asks for consumed capacity.
        observes: Whether a statement only observes.

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
        coordinator: Coordinator | None = None,
    ) -> None:
        if max_buckets < 1:
            raise ConfigurationError(f"`max_buckets` is `{max_buckets}`, it must be 1 or more")
        self._statements = statements
        self._chooses_class = any(each.priority is not None for each in statements)
        self.measures_capacity = any(each.is_measuring for each in statements)
        self.observes = any(each.is_observed for each in statements)
        self._monotonic = monotonic
        self._random = random
        self._max_buckets = max_buckets
        self._coordinator = coordinator
        self._begins_limited = coordinator is not None or any(map(_tells_rate, statements))
        self._statement_by_task: dict[str | None, BudgetStatement] = {}
        self.renew()
        renew_after_fork(self)

    @property
    def has_hot_keys(self) -> bool:
        """Whether a partition was at its limit lately, so that partition keys matter."""
        return self._lanes.has_hot_keys

    def adopt(self, task: str, statement: BudgetStatement | None) -> None:
        """Has the calls of a task under a budget of their own, whatever the document says.

        Args:
            task: Id of the task, as its scope names it.
            statement: The budget; None: the document's again. Buckets are shared by its sid.
        """
        with self._lock:
            if statement is None:
                self._statement_by_task.pop(task, None)
            else:
                self._statement_by_task[task] = statement

    # --- before an attempt -------------------------------------------------------------------

    def is_untouched_by(self, scope: Scope) -> bool:
        """Whether a call of this scope needs neither `admit` nor `learn` of a success.

        Cost: three attribute reads.
        """
        return self.is_quiet and not self._chooses_class and scope.priority is _INTERACTIVE

    def admit(self, load: Load, scope: Scope, *, started_s: float) -> Admission:
        """Whether an attempt may go now, or has to wait for its turn.

        Batch and background calls wait for their turn in the lanes of their resources;
        interactive calls never do.

        Args:
            load: What the call asks.
            scope: Its scope; the priority and the deadline are read.
            started_s: When the call began, on the budgets' clock.

        Cost: three looks while there was no trouble lately, then locked look-ups.
        """
        first = load.parts[0]
        is_small = first.units < BATCH_UNITS and len(load.parts) == 1
        if is_small and ((self._is_unlimited and self.is_quiet) or self._has_free_lane(load)):
            return GO
        with self._lock:
            bucket = self._find_bucket(load, first, scope)
            if not bucket.is_acting:
                return GO
            now_s = self._monotonic()
            lanes = self._lanes.of_load(load, now_s)
            self._begin_softly(lanes, now_s)
            if all(lane.is_free(now_s) for lane, _ in lanes):
                return GO
            deadline_s = rulings.deadline_s(scope, bucket.rules, started_s)
            turn = Turn(
                lanes,
                is_background=bucket.priority is Priority.BACKGROUND,
                deadline_s=deadline_s,
                what=str(self._key(load, first)),
                lock=self._lock,
                monotonic=self._monotonic,
                random=self._random,
                coordinator=self._coordinator,
            )
            if turn.pass_locked(now_s):
                return GO
        if turn.refusal is not None:
            return Admission(refusal=turn.refusal)
        return Admission(turn=turn)

    def _has_free_lane(self, load: Load) -> bool:
        """Whether the one lane of a load is known, and nothing waits there."""
        with self._lock:
            lane = self._lanes.only(load)
            return lane is not None and lane.is_free(self._monotonic())

    def _begin_softly(self, lanes: list[tuple[Lane, float]], now_s: float) -> None:
        """Whole batches begin at a moderate rate."""
        for lane, units in lanes:
            if units >= BATCH_UNITS and not lane.rate.is_limited:
                self._is_unlimited = False
                lane.rate.search_from(now_s, BATCH_START_PER_S)

    def note_wait(self, load: Load, scope: Scope, wait_s: float) -> None:
        """Adds to what a bucket's calls have waited."""
        with self._lock:
            self._find_bucket(load, load.parts[0], scope).wait_s += wait_s

    def part_size(self, load: Load, scope: Scope) -> int | None:
        """How many members of a batch to send at once; None: all.

        A whole batch on a resource that takes few units a second would be handed back in part:
        what goes in 20 ms. Before any throttle in a tenth of a second, so that a batch within the
        limit is one request, or two.
        """
        with self._lock:
            bucket = self._find_bucket(load, load.parts[0], scope)
            if not bucket.is_acting:
                return None
            now_s = self._monotonic()
            lanes = self._lanes.of_load(load, now_s)
            self._begin_softly(lanes, now_s)
            sizes = [
                lane.rate.per_s(now_s) * (_PART_S if lane.throttles else _FIRST_PART_S)
                for lane, _ in lanes
                if lane.rate.is_limited
            ]
        return max(1, int(min(sizes))) if sizes else None

    # --- after an attempt --------------------------------------------------------------------

    def learn(self, load: Load, scope: Scope, lesson: Lesson) -> None:
        """Takes in one attempt's end: a success earns tokens, a throttle slows the lanes."""
        now_s = self._monotonic()
        with self._lock:
            if lesson.signal is not Signal.OK and lesson.signal is not Signal.FATAL:
                self.is_quiet = False
                self._troubled_at_s = now_s
            is_observed, is_paced = False, False
            for part in load.parts:
                bucket = self._find_bucket(load, part, scope)
                bucket.learn(lesson.signal)
                is_observed = bucket.statement.is_observed
                is_paced = bucket.rules.is_paced
            if not is_observed and (is_paced or not self.is_quiet):
                learn_answer(
                    self._lanes, load, lesson, now_s, is_paced=is_paced, random=self._random
                )
            if not self.is_quiet and now_s - self._troubled_at_s > QUIET_AFTER_S:
                self._forget()

    def learn_success(self, load: Load, scope: Scope, sent_at_s: float) -> None:
        """As `learn` of a success, cheaper where nothing is limited."""
        part = load.parts[0]
        with self._lock:
            bucket = self._find_bucket(load, part, scope)
            lane = self._lanes.only(load) if bucket.is_acting else None
            if lane is not None and lane.is_at_ease:
                bucket.learn(Signal.OK)
                lane.note_at_ease(self._monotonic(), part.units)
                return
        self.learn(load, scope, Lesson(Signal.OK, sent_at_s))

    def rule_retry(self, load: Load, scope: Scope, asked: Asked) -> RetryRuling:
        """Whether a call that just failed may be repeated. A granted retry costs a token.

        Args:
            load: What the call asks.
            scope: Its scope; the priority and the deadline are read.
            asked: The attempt that failed, and what is known about it.
        """
        now_s = self._monotonic()
        with self._lock:
            bucket = self._find_bucket(load, load.parts[0], scope)
            lanes = [
                lane
                for part in load.parts
                if (lane := self._lanes.get(LaneKey(part.resource, load.is_write))) is not None
            ]
            return rulings.rule(
                bucket,
                lanes,
                asked,
                key=self._key(load, load.parts[0]),
                now_s=now_s,
                deadline_s=rulings.deadline_s(scope, bucket.rules, asked.started_s),
                share=self._random(),
            )

    def is_acting(self, load: Load, scope: Scope) -> bool:
        """Whether a call's statement acts, and does not only observe."""
        with self._lock:
            return not self._find_bucket(load, load.parts[0], scope).statement.is_observed

    def is_measured(self, load: Load, scope: Scope) -> bool:
        """Whether a call's statement asks for the capacity that it consumes."""
        with self._lock:
            return self._find_bucket(load, load.parts[0], scope).statement.is_measuring

    def state(self, load: Load, scope: Scope) -> BudgetState:
        """A call's bucket as it stands, for its span and record."""
        now_s, key = self._monotonic(), self._key(load, load.parts[0])
        with self._lock:
            bucket = self._find_bucket(load, load.parts[0], scope)
            lane = self._lanes.get(LaneKey(key.resource, key.is_write))
            rate_per_s = rate_or_none(lane.rate, now_s) if lane else None
            return BudgetState(str(key), bucket.tokens.tokens, bucket.throttle_ratio, rate_per_s)

    def snapshot(self) -> tuple[BucketSnapshot, ...]:
        """All buckets as they are now, in the order they were made; for `status()`."""
        now_s = self._monotonic()
        with self._lock:
            return tuple(
                self._snapshot(BucketKey(*key[:3]), bucket, now_s)
                for key, bucket in self._buckets.items()
            )

    # --- inside -------------------------------------------------------------------------------

    def _snapshot(self, key: BucketKey, bucket: Bucket, now_s: float) -> BucketSnapshot:
        lane = self._lanes.get(LaneKey(key.resource, key.is_write))
        bucket.tokens.refill(now_s)
        return BucketSnapshot(
            key=replace(key, resource=readable_arn(key.resource)),
            priority=bucket.priority,
            statement=bucket.statement.ref,
            is_observed=bucket.statement.is_observed,
            tokens=bucket.tokens.tokens,
            max_tokens=bucket.tokens.max_tokens,
            rate_per_s=rate_or_none(lane.rate, now_s) if lane else None,
            remembered_per_s=lane.rate.remembered_per_s if lane else 0.0,
            waiting=lane.waiting if lane else 0,
            is_breaker_open=lane.breaker.is_open if lane else False,
            throttle_ratio=bucket.throttle_ratio,
            wait_s=bucket.wait_s,
            count_by_signal=dict(bucket.count_by_signal),
            retries_granted=bucket.granted,
            retries_refused=bucket.refused,
        )

    def renew(self) -> None:
        """Full buckets, no lanes, a new lock: at the start, and again in a forked child.

        At the moment of the fork another thread of the parent may have held the lock, or been
        half way through a change; the child must not inherit either.
        """
        # re-entrant: a signal handler may make a call of its own in the middle of ours
        self._lock = threading.RLock()
        self._troubled_at_s = 0.0
        self._buckets: Recent[_Key, Bucket] = Recent(self._max_buckets)
        self._forget()

    def _forget(self) -> None:
        """Lanes without trouble for long: everything is as at the start."""
        self._lanes = Lanes(
            self._make_rate,
            max_lanes=self._max_buckets,
            is_coordinated=self._coordinator is not None,
        )
        self.is_quiet, self._is_unlimited = True, not self._begins_limited

    def _make_rate(self, key: LaneKey, now_s: float) -> AdaptiveRate:
        """The rate of a new lane, with what a statement for its table knows."""
        table = table_of(key.resource)
        for each in self._statements:
            is_for_all = _tells_rate(each) and not each.is_observed and key.key_hash is None
            if is_for_all and matches_any(each.tables, table):
                return AdaptiveRate(
                    now_s, hint_per_s=each.capacity_units_per_s, max_share=each.max_share
                )
        return AdaptiveRate(now_s)

    def _key(self, load: Load, part: Part) -> BucketKey:
        return BucketKey(load.job, part.resource, load.is_write)

    def _find_bucket(self, load: Load, part: Part, scope: Scope) -> Bucket:
        """The bucket of a part, made on first use; the caller holds the lock."""
        own = self._statement_by_task.get(scope.task) if self._statement_by_task else None
        job = load.job if own is None else f"{scope.task}/{own.ref.sid}"
        key = (job, part.resource, load.is_write, scope.priority)
        bucket = self._buckets.find(key)
        if bucket is None:
            statement = own or self._find_statement(load.job, part.resource)
            priority = statement.priority or scope.priority
            bucket = Bucket(statement, rules_for(statement, priority), priority, self._monotonic())
            self._buckets.add(key, bucket)
        return bucket

    def _find_statement(self, job: str, resource: str) -> BudgetStatement:
        """The first statement that matches; runs once per bucket."""
        table = table_of(resource)
        for statement in self._statements:
            if matches_any(statement.jobs, job) and matches_any(statement.tables, table):
                return statement
        return DEFAULT_STATEMENT


_Key = tuple[str, str, bool, Priority]
_INTERACTIVE: Final = Priority.INTERACTIVE
_PART_S: Final = 0.02
_FIRST_PART_S: Final = 0.1


def _tells_rate(statement: BudgetStatement) -> bool:
    """Whether a statement says what a table takes, before any answer does."""
    return statement.capacity_units_per_s is not None or statement.max_share < 1
