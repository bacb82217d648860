"""`acting_as()`: calls on behalf of somebody, an agent say, who may do no more than who signs."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from dynaguard.errors import ConfigurationError
from dynaguard.scope import Scope, ScopeManager, check_name, new_correlation_id

_UNSAFE: Final = re.compile(r"[^A-Za-z0-9]+")
_COUNT_LIMITS: Final = ("max_items", "max_pages")


def acting_as(
    name: str,
    groups: Iterable[str] = (),
    kind: str = "agent",
    *,
    task: str | None = None,
    expires_in: float | timedelta | None = None,
    until: datetime | None = None,
    max_items: int | None = None,
    max_pages: int | None = None,
    read_units: float | None = None,
    write_units: float | None = None,
    statements: Iterable[Mapping[str, Any]] | None = None,
    time_s: Callable[[], float] = time.time,
) -> ScopeManager:
    """A scope whose calls are made on behalf of somebody: an agent, a user of a service.

    The signing identity stays on every record beside the acting name. A policy sees the acting
    name as `dynaguard:ActingAs` and the groups as further groups of the principal. It only ever
    narrows: a call has to be allowed for the signing identity alone and for who acts, and a mask
    that holds for one of them holds.

    With any of the further arguments it draws a boundary too, around all calls inside, those of
    threads (`carry`) and subprocesses (`scope_environ`) as well. Boundaries add up: an inner one
    that ends later than an outer one, or takes more, changes nothing about the outer one.

    Args:
        name: Who acts.
        groups: Groups that statements, masks and `dynaguard:Group` may name.
        kind: `agent`, `user`, `service`: free text for the record.
        task: Id of what it does, by which its use of the limits is counted. None: with a boundary,
            each entering gets one.
        expires_in: Seconds, or a `timedelta`, from entering; then no call is allowed any more.
        until: The same as an instant, with a time zone.
        max_items: Items that its calls may read and write together.
        max_pages: Pages that its Query and Scan calls may read together.
        read_units: Read capacity units that they may consume.
        write_units: Write capacity units that they may consume.
        statements: IAM statements (Allow alone) that they are narrowed to.
        time_s: The clock of `expires_in`, in seconds since the epoch.

    Returns:
        A context manager (`with`, `async with`) that gives the `Scope`, and a decorator.

    Raises:
        ConfigurationError: A name is not text or empty; `groups` is a single string; a limit is
            none; both `expires_in` and `until` are given; statements that are not understood.
    """
    check_name("acting name", name)
    check_name("kind", kind)
    if task is not None:
        check_name("task", task)
    checked_groups = _checked_groups(groups)
    limits = {
        "max_items": max_items,
        "max_pages": max_pages,
        "read_units": read_units,
        "write_units": write_units,
    }
    from dynaguard.boundary import Boundary  # few processes draw any

    boundary = Boundary(
        kind="agent",
        name=name,
        task=task or "",
        statements=_checked_statements(statements),
        **_checked_limits(limits),
    )
    end_s = _end_reader(expires_in, until, time_s)

    def derive(scope: Scope) -> Scope:
        inner = replace(scope, acting_name=name, acting_kind=kind, acting_groups=checked_groups)
        ends_s = end_s()
        if ends_s is None and boundary == Boundary(kind="agent", name=name, task=""):
            return inner
        drawn = replace(boundary, task=task or _new_task(name), expires_epoch_s=ends_s)
        return replace(inner, task=drawn.task, boundaries=(*scope.boundaries, drawn))

    return ScopeManager(derive)


def _checked_groups(groups: Iterable[str]) -> frozenset[str]:
    """The groups; refuses a single text, whose characters would be groups."""
    if isinstance(groups, str):
        raise ConfigurationError(f"`groups` is the text `{groups}`, write `[{groups!r}]`")
    checked = frozenset(groups)
    for group in checked:
        check_name("group", group)
    return checked


def _checked_limits(limits: Mapping[str, Any]) -> dict[str, Any]:
    """The limits that are given; refuses what is no number, or less than 0."""
    given = {name: value for name, value in limits.items() if value is not None}
    for name, value in given.items():
        kinds = int if name in _COUNT_LIMITS else int | float
        if isinstance(value, bool) or not isinstance(value, kinds):
            needed = "a whole number" if name in _COUNT_LIMITS else "a number"
            raise ConfigurationError(
                f"`{name}` is of type {type(value).__name__}, it must be {needed}"
            )
        if not 0 <= value < math.inf:
            raise ConfigurationError(f"`{name}` is `{value}`, it must be 0 or more")
    return given


def _checked_statements(statements: Iterable[Mapping[str, Any]] | None) -> str | None:
    """The statements as a boundary keeps them."""
    if statements is None:
        return None
    from dynaguard.access.narrowing import narrowing_statements, statements_text

    return statements_text(narrowing_statements(statements))


def _end_reader(
    expires_in: float | timedelta | None, until: datetime | None, time_s: Callable[[], float]
) -> Callable[[], float | None]:
    """Gives the end of a scope that is entered now, in seconds since the epoch; None: no end."""
    if expires_in is not None and until is not None:
        raise ConfigurationError("`expires_in` and `until` are both given, keep one of them")
    if until is not None:
        if getattr(until, "tzinfo", None) is None:
            raise ConfigurationError("`until` must be a datetime with a time zone")
        end_s = until.timestamp()
        return lambda: end_s
    if expires_in is None:
        return lambda: None
    seconds = expires_in.total_seconds() if isinstance(expires_in, timedelta) else expires_in
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise ConfigurationError(
            f"`expires_in` is of type {type(seconds).__name__}, it must be seconds or a timedelta"
        )
    if not 0 < seconds < math.inf:
        raise ConfigurationError(f"`expires_in` is `{seconds}`, it must be more than 0 seconds")
    return lambda: time_s() + seconds


def _new_task(name: str) -> str:
    """An id for what is done in one entering."""
    return f"{_UNSAFE.sub('-', name)[:40].strip('-') or 'agent'}-{new_correlation_id()[:10]}"
