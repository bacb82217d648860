"""What a task is asked to be, checked before it begins."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from dynaguard.access.sessions import SessionTerms, check_terms, role_partition
from dynaguard.errors import ConfigurationError
from dynaguard.runbooks.bound import BoundRunbook
from dynaguard.scope import check_name

DEFAULT_DURATION_S: Final = 900.0
NO_TERMS: Final = SessionTerms()
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


@dataclass(frozen=True, slots=True)
class Order:
    """What a task was asked to be.

    Attributes:
        bound: The runbook with its parameters, or None.
        name: Name of a task without a runbook, and in its session's name.
        id: Id that it gets; None: one of its own.
        incident: Correlation id of its calls; None: that of the scope around it.
        statements: What its calls may do, without a runbook; None: what the scope lets.
        duration_s: How long it may take, in seconds.
        role: ARN of the role that it assumes, or None.
        terms: How that is assumed.
        region: Region of its session; None: as the base session has it.
        base: Session (boto3's or botocore's) that assumes the role; None: the task's around it
            or the credentials at hand.
    """

    bound: BoundRunbook | None
    name: str
    id: str | None = None
    incident: str | None = None
    statements: tuple[Mapping[str, Any], ...] | None = None
    duration_s: float = DEFAULT_DURATION_S
    role: str | None = None
    terms: SessionTerms = NO_TERMS
    region: str | None = None
    base: Any = field(default=None, repr=False)

    @property
    def role_arn(self) -> str | None:
        """The role that it assumes: the one given, else the runbook's."""
        if self.role is not None or self.bound is None:
            return self.role
        return self.bound.runbook.access.role_arn


def check_order(order: Order) -> None:
    """Refuses what cannot be asked for.

    Raises:
        ConfigurationError: Names what.
    """
    check_name("task name", order.name)
    if order.id is not None and not _ID.fullmatch(str(order.id)):
        raise ConfigurationError(
            f"task id `{order.id}` must have 1 to 64 letters, digits, `_` and `-`"
        )
    if order.incident is not None:
        check_name("incident", order.incident)
    if order.bound is not None and order.statements is not None:
        raise ConfigurationError(
            "`statements` and `actions` are for a task without a runbook; a runbook's steps say "
            "what its calls may do"
        )
    if order.role_arn is not None:
        role_partition(order.role_arn)
        check_terms(order.terms)


def task_name(bound: BoundRunbook | None, name: str | None) -> str:
    """The name of a task: its runbook's, the one given, or `task`."""
    if bound is None:
        return "task" if name is None else name
    if name is not None:
        raise ConfigurationError("`name` is for a task without a runbook, which has its own")
    return bound.runbook.name


def task_duration_s(bound: BoundRunbook | None, duration_s: float | timedelta | None) -> float:
    """How long a task may take, in seconds.

    Raises:
        ConfigurationError: It is no positive number, or longer than the runbook says.
    """
    longest_s = None if bound is None else bound.runbook.limits.duration_s
    if duration_s is None:
        return DEFAULT_DURATION_S if longest_s is None else longest_s
    seconds = duration_s.total_seconds() if isinstance(duration_s, timedelta) else duration_s
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise ConfigurationError(
            f"`duration_s` is of type {type(seconds).__name__}, it must be seconds or a timedelta"
        )
    if not 0 < seconds < math.inf:
        raise ConfigurationError(f"`duration_s` is `{seconds}`, it must be more than 0 seconds")
    if longest_s is not None and seconds > longest_s:
        raise ConfigurationError(
            f"`duration_s` is `{seconds:g}`, the runbook gives its runs {longest_s:g} seconds"
        )
    return float(seconds)
