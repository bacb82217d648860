"""How much goes without an approval: what each run did within the last minutes, per statement.

A statement with Effect `RequireApproval` may have a threshold, "more than 20 deletes in an hour".
Calls and items are counted when a call is let through, all at once or not at all; capacity units
when it has ended, as its answer tells. A call that would pass a threshold by itself needs the
approval whole: nothing of it goes before.

A run is a job's name and run id; outside of a job it is the signing identity. Counts are of this
process and begin anew with it: N processes let N times as much through.

INVARIANT: never less is counted than went within the window. Amounts are added up in slots of a
64th of the window and leave with the latest of their slot, so that a window may count up to a 64th
longer than it says. What cannot be counted for want of room requires the approval.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, Final, NamedTuple

from dynaguard.call import (
    Authorization,
    Call,
    ConsumedCapacity,
    Principal,
    Ruling,
    StatementRef,
    Verdict,
)
from dynaguard.forks import renew_after_fork
from dynaguard.policy.durations import duration_text
from dynaguard.policy.model import Statement, Threshold

SLOTS: Final = 64
MAX_RUNS: Final = 1024
"""Runs that are counted for each statement; one more needs one of them with an empty window."""
_ONE_ITEM: Final = frozenset(
    {
        *("GetItem", "PutItem", "UpdateItem", "DeleteItem", "ConditionCheckItem"),
        *("PartiQLInsert", "PartiQLUpdate", "PartiQLDelete"),
    }
)
_LISTS_BY_OPERATION: Final = {"BatchGetItem": "Keys", "BatchWriteItem": "Requests"}
_SINGLE_SELECTS: Final = frozenset({"BatchExecuteStatement", "ExecuteTransaction"})
"""A SELECT in these names the whole key of one item. Source: DynamoDB API reference."""

Run = tuple[str, str | None, str | None]
"""`job`, its name and run id; or `identity`, its ARN or label and None."""


class Amounts(NamedTuple):
    """What is counted."""

    calls: float = 0
    items: float = 0
    read_units: float = 0.0
    write_units: float = 0.0

    def plus(self, other: Amounts) -> Amounts:
        """Both together."""
        return Amounts(*map(sum, zip(self, other, strict=True)))

    def minus(self, other: Amounts) -> Amounts:
        """What is left of them."""
        return Amounts(*(mine - its for mine, its in zip(self, other, strict=True)))


class Window:
    """Amounts within a sliding window. Not thread-safe.

    Args:
        window_s: Its length, in seconds.

    Cost: amortised O(1) an addition or question, at most `SLOTS` + 1 entries.
    """

    __slots__ = ("_entries", "_slot_s", "_sum", "window_s")

    def __init__(self, window_s: float) -> None:
        self.window_s = window_s
        self._slot_s = window_s / SLOTS
        self._entries: deque[tuple[int, float, Amounts]] = deque()  # slot, latest time, amounts
        self._sum = Amounts()

    def used(self, now_s: float) -> Amounts:
        """What was added within the window that ends now."""
        entries = self._entries
        while entries and entries[0][1] <= now_s - self.window_s:
            self._sum = self._sum.minus(entries.popleft()[2])
        if not entries:
            self._sum = Amounts()  # what rounding left of added units
        return self._sum

    def add(self, now_s: float, amounts: Amounts) -> None:
        """Adds to it, as of now."""
        self.used(now_s)
        slot = int(now_s // self._slot_s)
        entries = self._entries
        if entries and entries[-1][0] >= slot:
            last_slot, last_s, before = entries.pop()
            entries.append((last_slot, max(last_s, now_s), before.plus(amounts)))
        else:
            entries.append((slot, now_s, amounts))
        self._sum = self._sum.plus(amounts)

    def is_over(self, now_s: float) -> bool:
        """Whether nothing is left in it."""
        self.used(now_s)
        return not self._entries


class _Counted:
    """The windows of one statement, the run that went on last at the end."""

    __slots__ = ("threshold", "windows")

    def __init__(self, threshold: Threshold) -> None:
        self.threshold = threshold
        self.windows: dict[Run, Window] = {}

    def used(self, run: Run, now_s: float) -> Amounts:
        """What a run used."""
        window = self.windows.get(run)
        return Amounts() if window is None else window.used(now_s)

    def has_room(self, run: Run, now_s: float) -> bool:
        """Whether a run can be counted. One that is idle for a whole window makes room."""
        if run in self.windows or len(self.windows) < MAX_RUNS:
            return True
        oldest = next(iter(self.windows))
        if not self.windows[oldest].is_over(now_s):
            return False
        del self.windows[oldest]
        return True

    def add(self, run: Run, now_s: float, amounts: Amounts) -> None:
        """Counts for a run; the caller asked for room before."""
        window = self.windows.pop(run, None) or Window(self.threshold.window_s)
        window.add(now_s, amounts)
        self.windows[run] = window


class Thresholds:
    """The thresholds of a policy at work. Thread-safe, of bounded memory.

    Args:
        statements: Of the document; those without a threshold are left out.
        monotonic: The clock, in seconds.

    Attributes:
        counts_units: Whether capacity units make a difference.
        lock: Held while amounts are compared and added; renewed in forked children.
    """

    __slots__ = ("__weakref__", "_counted", "_is_counting", "_monotonic", "counts_units", "lock")

    def __init__(
        self, statements: Iterable[Statement], monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._counted = {
            each.ref: _Counted(each.approval.threshold)
            for each in statements
            if each.approval is not None and each.approval.threshold is not None
        }
        self._monotonic = monotonic
        limits = [each.threshold for each in self._counted.values()]
        self.counts_units = any(each.read_units or each.write_units for each in limits)
        self.renew()
        renew_after_fork(self)

    def renew(self) -> None:
        """Gives a forked child a lock of its own. What went before the fork counts for both."""
        # One that its holder may take again: a signal handler's call may come in between.
        self.lock = threading.RLock()
        self._is_counting = False

    def allowance(self, call: Call) -> Allowance | None:
        """What a call may do without an approval; None: nothing.

        A presigned URL can be used any number of times, so no threshold is of use to one.
        """
        return None if call.is_presign else Allowance(self, call)

    def book(
        self,
        call: Call,
        who: Principal,
        refs: Iterable[StatementRef],
        units: Iterable[ConsumedCapacity],
    ) -> None:
        """Takes in what a call consumed that went without an approval.

        Args:
            call: The call.
            who: Who made it.
            refs: Statements that would have required an approval beyond their threshold.
            units: What it consumed; all of it counts for each statement.
        """
        read = write = 0.0
        for each in units:
            read, write = read + each.read_units, write + each.write_units
        now_s = self._monotonic()
        run, amounts = run_of(call, who), Amounts(read_units=read, write_units=write)
        with self.lock:
            for ref in refs:
                counted = self._counted.get(ref)
                # The window is there since the call was counted, unless many others came since.
                if counted is not None and counted.has_room(run, now_s):
                    counted.add(run, now_s, amounts)

    def excess(self, wanted: Mapping[tuple[StatementRef, Run], Amounts]) -> str | None:
        """What would pass a threshold, or None; counts nothing."""
        return self._counting(lambda: self._excess(wanted, self._monotonic()))

    def take(self, wanted: Mapping[tuple[StatementRef, Run], Amounts]) -> str | None:
        """Counts all of it, or nothing; then tells what would pass a threshold."""
        now_s = self._monotonic()

        def count() -> str | None:
            excess = self._excess(wanted, now_s)
            if excess is None:
                for (ref, run), amounts in wanted.items():
                    self._counted[ref].add(run, now_s, amounts)
            return excess

        return self._counting(count)

    def of(self, ref: StatementRef) -> Threshold | None:
        """The threshold of a statement."""
        counted = self._counted.get(ref)
        return None if counted is None else counted.threshold

    def _counting(self, work: Callable[[], str | None]) -> str | None:
        """Does it alone. Within another count of this very thread nothing can be counted."""
        with self.lock:
            if self._is_counting:
                return "a signal handler came in between"
            self._is_counting = True
            try:
                return work()
            finally:
                self._is_counting = False

    def _excess(
        self, wanted: Mapping[tuple[StatementRef, Run], Amounts], now_s: float
    ) -> str | None:
        """The first excess, in words. The lock is held."""
        for (ref, run), amounts in wanted.items():
            counted = self._counted[ref]
            if not counted.has_room(run, now_s):
                return f"there is no room to count more than {MAX_RUNS} runs"
            found = _passed(counted.threshold, counted.used(run, now_s), amounts)
            if found is not None:
                return found
        return None


class Allowance:
    """What one call may do without an approval, put together while it is decided.

    Not thread-safe: it belongs to the call. Nothing is counted before `take`.

    Attributes:
        excess: Why an approval is needed all the same, or None.
    """

    __slots__ = ("_call", "_seen", "_thresholds", "_wanted", "excess")

    def __init__(self, thresholds: Thresholds, call: Call) -> None:
        self._thresholds = thresholds
        self._call = call
        self._seen: set[tuple[StatementRef, int]] = set()
        self._wanted: dict[tuple[StatementRef, Run], Amounts] = {}
        self.excess: str | None = None

    def widen(self, need: Authorization, who: Principal, ruling: Ruling) -> Ruling | None:
        """The ruling that allows, while every statement that asks is below its threshold."""
        if ruling.verdict is not Verdict.REQUIRE_APPROVAL:
            return None
        thresholds = [self._thresholds.of(ref) for ref in ruling.required_by]
        if None in thresholds:
            return None
        items = items_of(self._call, need)
        if items is None and any(
            each is not None and each.items is not None for each in thresholds
        ):
            self.excess = "the request does not tell how many items it reads"
            return None
        for ref in ruling.required_by:
            self._want(ref, run_of(self._call, who), need, items or 0)
        excess = self._thresholds.excess(self._wanted)
        self.excess = self.excess or excess
        return None if excess is not None else replace(ruling, verdict=Verdict.ALLOW)

    def take(self) -> bool:
        """Counts the call, once it is allowed; False where others were faster."""
        if self._wanted:
            self.excess = self._thresholds.take(self._wanted)
        return self.excess is None

    def _want(self, ref: StatementRef, run: Run, need: Authorization, items: int) -> None:
        """Adds what one authorisation does; while somebody acts it is asked about twice."""
        key = ref, run
        before = self._wanted.get(key)
        if before is None:
            before = Amounts(calls=1)
        elif (ref, id(need)) in self._seen:
            return
        self._seen.add((ref, id(need)))
        self._wanted[key] = before.plus(Amounts(items=items))


def run_of(call: Call, who: Principal) -> Run:
    """Whom a call is counted for.

    While somebody acts it is the signer: names of who acts are free, each would count anew.
    """
    scope = call.scope
    if scope.job is not None:
        return "job", scope.job, scope.run_id
    signer = who.signer or who
    return "identity", signer.arn or signer.name, None


def items_of(call: Call, need: Authorization) -> int | None:
    """Items that a part of a call reads, writes or deletes at most; None: it does not tell."""
    service, _, action = need.action.partition(":")
    if service != "dynamodb":
        return 1  # an object, a parameter, a message: one authorisation each
    listed = _LISTS_BY_OPERATION.get(action)
    if listed is not None:
        members = need.member.get(listed)
        return len(members) if isinstance(members, list | tuple) else None
    if action in _ONE_ITEM:
        return 1
    if action == "PartiQLSelect" and call.operation in _SINGLE_SELECTS:
        return 1
    limit: Any = call.params.get("Limit")
    is_limit = isinstance(limit, int) and not isinstance(limit, bool) and limit > 0
    return limit if is_limit else None


def _passed(threshold: Threshold, used: Amounts, more: Amounts) -> str | None:
    """Which number of a threshold a call would pass, in words; or None."""
    within = duration_text(threshold.window_s)
    for name, limit in (("calls", threshold.calls), ("items", threshold.items)):
        if limit is not None and getattr(used, name) + getattr(more, name) > limit:
            return f"more than {limit} {name if limit > 1 else name[:-1]} within {within}"
    for name, units in (
        ("read_units", threshold.read_units),
        ("write_units", threshold.write_units),
    ):
        # Units are known afterwards: the call that comes to the limit is let through.
        if units is not None and getattr(used, name) >= units:
            return f"{units:g} {name.replace('_', ' ')} within {within} are used"
    return None
