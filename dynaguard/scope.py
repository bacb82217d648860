"""The ambient scope of a call: correlation, job, acting identity, runbook.

A scope is a frozen value in one `ContextVar`: entering derives a new value from the current one,
leaving restores it. An asyncio task inherits the scope current at its creation. A thread does
not: `dynaguard.carry` takes it there, and into other processes. A forked child inherits it.
"""

from __future__ import annotations

import enum
import math
import os
import random
import re
import time
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import replace
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, TypeVar

from dynaguard.decorating import run_within
from dynaguard.errors import ConfigurationError, nearest
from dynaguard.values import dataclass

if TYPE_CHECKING:
    from dynaguard.boundary import Boundary

MAX_CORRELATION_ID_LENGTH: Final = 64
MAX_NAME_LENGTH: Final = 256
_FunctionT = TypeVar("_FunctionT", bound=Callable[..., Any])
_UNSAFE = re.compile(r"[^A-Za-z0-9!$%&'*+.^_|~-]")


class Priority(enum.StrEnum):
    """The class of a call: how long it may wait and how much it may retry."""

    INTERACTIVE = "interactive"
    BATCH = "batch"
    BACKGROUND = "background"


@dataclass(frozen=True, slots=True)
class Scope:
    """What surrounds a call.

    Attributes:
        correlation_id: As stamped on requests; None lets each call get its own.
        job: Name of the job, or None.
        run_id: One run of that job, or None.
        stage: Pipeline stage of the job, or None.
        runbook: Name of the runbook that is executing, or None.
        priority: The class of the calls in it.
        deadline_monotonic_s: `time.monotonic()` instant after which nothing waits, or None.
        acting_name: Name given to `acting_as()`, or None.
        acting_kind: Its kind, `agent` unless given.
        acting_groups: Groups given to `acting_as()`.
        task: Id of the task that the calls belong to, such as one run of a runbook; or None.
        boundaries: What its calls may do at most; each of them has to allow a call.
    """

    correlation_id: str | None = None
    job: str | None = None
    run_id: str | None = None
    stage: str | None = None
    runbook: str | None = None
    priority: Priority = Priority.INTERACTIVE
    deadline_monotonic_s: float | None = None
    acting_name: str | None = None
    acting_kind: str | None = None
    acting_groups: frozenset[str] = frozenset()
    task: str | None = None
    boundaries: tuple[Boundary, ...] = ()


EMPTY_SCOPE: Final = Scope()
_current: ContextVar[Scope | None] = ContextVar("dynaguard_scope", default=None)
# One stack for all managers: scopes nest, so the newest entry belongs to the innermost of them.
# Scopes rather than tokens: a token cannot be used in another context than its own, and frameworks
# enter and leave the halves of a generator in two copies of one.
_outer_scopes: ContextVar[tuple[Scope | None, ...]] = ContextVar(
    "dynaguard_outer_scopes", default=()
)
_process_scope: Scope = EMPTY_SCOPE

FindTrace = Callable[[], str]
"""Gives the id of the trace that the running code belongs to, or empty text. Never raises."""
_find_trace: FindTrace = str  # gives empty text


def current_scope() -> Scope:
    """The scope of the running code; outside of any, the process's own."""
    return _current.get() or _process_scope


def set_process_scope(scope: Scope, find_trace: FindTrace = str) -> None:
    """Makes `scope` the one outside of any other; `install()` sets it, `uninstall()` resets it.

    Args:
        scope: The scope.
        find_trace: Where calls get their correlation id that no scope names.
    """
    global _process_scope, _find_trace
    _process_scope, _find_trace = scope, find_trace


def correlation_id_of(scope: Scope) -> str:
    """The id of a call that is made now: the scope's, that of the trace, or a new one."""
    return scope.correlation_id or _find_trace() or new_correlation_id()


def shared_scope() -> Scope:
    """The scope of the running code for others to enter: it names the trace as correlation id."""
    scope = current_scope()
    trace_id = "" if scope.correlation_id else _find_trace()
    return replace(scope, correlation_id=trace_id) if trace_id else scope


def new_correlation_id() -> str:
    """A fresh id: 32 hexadecimal characters, the form of a W3C trace id.

    From a generator that the system seeds once per process and again in a forked child: asking
    the system each time costs twice as much. Ids are unique, not secret.
    """
    return _ids.randbytes(16).hex()


_ids: Final = random.Random()  # noqa: S311 - ids need not be hard to guess
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_ids.seed)


def sanitise_correlation_id(text: str) -> str:
    """The id as it can stand in a header and a User-Agent token.

    Characters outside RFC 9110's `token` (less `#` and backtick) become `-`; the result is cut to
    64 characters.

    Source: RFC 9110 section 5.6.2; design section 7, *Words*.
    """
    return _UNSAFE.sub("-", text)[:MAX_CORRELATION_ID_LENGTH]


class ScopeManager:
    """Enters a derived scope; context manager (plain and `async`) and decorator.

    Re-usable, re-entrant, safe to share between threads and tasks. As a decorator it wraps plain
    and coroutine functions; generator functions are refused, since their body runs outside of
    the call.
    """

    __slots__ = ("derive",)

    def __init__(self, derive: Callable[[Scope], Scope]) -> None:
        self.derive = derive

    def __enter__(self) -> Scope:
        """Enters; gives the scope now in force."""
        scope = self.derive(current_scope())
        _outer_scopes.set((*_outer_scopes.get(), _current.get()))
        _current.set(scope)
        return scope

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Leaves; the scope before it is in force again.

        In a context that never saw the entering there is nothing to leave.
        """
        outer_scopes = _outer_scopes.get()
        if outer_scopes:
            _outer_scopes.set(outer_scopes[:-1])
            _current.set(outer_scopes[-1])

    async def __aenter__(self) -> Scope:
        """As `__enter__`; awaits nothing."""
        return self.__enter__()

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """As `__exit__`; awaits nothing."""
        self.__exit__(exc_type, exc, traceback)

    def __call__(self, function: _FunctionT) -> _FunctionT:
        """Wraps `function` so that each call of it runs in this scope.

        Raises:
            ConfigurationError: `function` is a generator function.
        """
        return run_within(lambda: self, function, "a scope, enter the scope")


def leave(scope: Scope) -> None:
    """Takes a scope that was entered out of the running context, wherever it stands there.

    For what may be left out of order, or in another context than it was entered in: scopes of
    others stay, and where this one is not, nothing happens.
    """
    entered = [*_outer_scopes.get(), _current.get()]
    places = [place for place, each in enumerate(entered) if each is scope]
    if places:
        del entered[places[-1]]
        _current.set(entered.pop())
        _outer_scopes.set(tuple(entered))


def correlation(id: str | None = None) -> ScopeManager:
    """A scope whose calls carry one correlation id, such as an incident or ticket number.

    Args:
        id: The id; characters that a header cannot carry become `-`, and it is cut to 64
            characters. None makes a new one, the same for every call in the scope.

    Returns:
        A context manager (`with`, `async with`) that gives the `Scope`, and a decorator.

    Raises:
        ConfigurationError: The id is not text, is empty, has over 256 characters, or one that
            does not print.
    """
    if id is not None:
        check_name("correlation id", id)
        id = sanitise_correlation_id(id)

    def derive(scope: Scope) -> Scope:
        return replace(scope, correlation_id=id or new_correlation_id())

    return ScopeManager(derive)


def job(
    name: str,
    run_id: str | None = None,
    stage: str | None = None,
    priority: Priority | str = Priority.BATCH,
    deadline_s: float | timedelta | None = None,
) -> ScopeManager:
    """A scope whose calls belong to a job: named in records, budgeted together.

    Args:
        name: The job, the same in every run (`nightly-rollup`). Statements select it by
            `dynaguard:Job`, `[[budget]]` by `job`.
        run_id: This run of it.
        stage: The pipeline stage. A nested `job()` of the same name keeps what it does not give.
        priority: `interactive`, `batch` or `background`.
        deadline_s: Seconds from entering the scope after which nothing waits any more, a
            positive number or a `timedelta`; None for no deadline. An outer, earlier deadline
            stays in force.

    Returns:
        A context manager (`with`, `async with`) that gives the `Scope`, and a decorator.

    Raises:
        ConfigurationError: A name is not text or empty, the priority is unknown, or the deadline
            is not positive.
    """
    for what, text in (("job name", name), ("run id", run_id), ("stage", stage)):
        if text is not None or what == "job name":
            check_name(what, text)
    checked_priority = _check_priority(priority)
    seconds = _check_deadline(deadline_s)

    def derive(scope: Scope) -> Scope:
        same_job = scope.job == name
        until_s = scope.deadline_monotonic_s
        if seconds is not None:
            until_s = _earlier(scope, seconds)
        return replace(
            scope,
            job=name,
            run_id=run_id or (scope.run_id if same_job else None),
            stage=stage or (scope.stage if same_job else None),
            priority=checked_priority,
            deadline_monotonic_s=until_s,
        )

    return ScopeManager(derive)


def deadline(limit: float | timedelta | Any, *, reserve_s: float = 0.5) -> ScopeManager:
    """A scope in which nothing waits past a point in time.

    A wait of a retry budget that cannot end in time fails at once, with the original error. An
    outer, earlier deadline stays in force.

    Args:
        limit: Seconds from entering the scope, a `timedelta`, or the context object that AWS
            Lambda hands to a handler: then its remaining time, less `reserve_s`.
        reserve_s: Seconds kept back of a Lambda function's time, to answer in.

    Returns:
        A context manager (`with`, `async with`) that gives the `Scope`, and a decorator.

    Raises:
        ConfigurationError: The limit is not positive, or is nothing of the above.

    Source: AWS Lambda developer guide, the context object (`get_remaining_time_in_millis`).
    """
    if not 0 <= reserve_s < math.inf:
        raise ConfigurationError("`reserve_s` must be seconds, 0 or more")
    remaining_ms = getattr(limit, "get_remaining_time_in_millis", None)
    seconds = _check_deadline(limit) if remaining_ms is None else 0.0
    if seconds is None:
        raise ConfigurationError("`deadline` takes seconds, a timedelta or Lambda's context")

    def derive(scope: Scope) -> Scope:
        left_s = seconds if remaining_ms is None else remaining_ms() / 1000 - reserve_s
        return replace(scope, deadline_monotonic_s=_earlier(scope, left_s))

    return ScopeManager(derive)


def _earlier(scope: Scope, seconds: float) -> float:
    """The instant so many seconds from now, or the scope's own deadline if that comes before."""
    own = time.monotonic() + seconds
    given = scope.deadline_monotonic_s
    return own if given is None else min(own, given)


def check_name(what: str, text: object) -> None:
    """Refuses a name that is not text, empty, too long or not printable."""
    if not isinstance(text, str):
        raise ConfigurationError(f"{what} is of type {type(text).__name__}, it must be text")
    if not text or len(text) > MAX_NAME_LENGTH or not text.isprintable():
        raise ConfigurationError(
            f"{what} has {len(text)} characters, must be 1 to {MAX_NAME_LENGTH}, all printable"
        )


def _check_deadline(deadline: object) -> float | None:
    """The deadline in seconds; refuses what is not positive, and what is no duration."""
    seconds = deadline.total_seconds() if isinstance(deadline, timedelta) else deadline
    if seconds is None:
        return None
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise ConfigurationError(
            f"`deadline_s` is of type {type(seconds).__name__}, it must be seconds or a timedelta"
        )
    try:
        seconds = float(seconds)
    except OverflowError:
        seconds = math.inf
    if not seconds > 0:
        raise ConfigurationError(f"`deadline_s` is `{seconds}`, it must be greater than 0 seconds")
    return seconds


def _check_priority(priority: Priority | str) -> Priority:
    """The priority, or one error that names the nearest."""
    try:
        return Priority(priority)
    except ValueError:
        choices = [member.value for member in Priority]
        guess = nearest(str(priority), choices)
        hint = f", did you mean `{guess}`?" if guess else ""
        raise ConfigurationError(
            f"unknown priority `{priority}`, it is one of {', '.join(choices)}{hint}"
        ) from None
