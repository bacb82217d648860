"""The runbook that a task is to run, by whatever names it, with its parameters bound."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dynaguard.access.sessions import account_of, role_partition
from dynaguard.errors import ConfigurationError
from dynaguard.hooks.lifecycle import current
from dynaguard.hooks.task_sessions import BaseSession
from dynaguard.runbooks.bound import BoundRunbook
from dynaguard.runbooks.model import Runbook
from dynaguard.scope import current_scope

if TYPE_CHECKING:
    from dynaguard.guard import Guard


def bind_runbook(
    runbook: Any,
    params: Mapping[str, Any] | None,
    *,
    role: str | None = None,
    region: str | None = None,
    session: Any = None,
) -> BoundRunbook | None:
    """A runbook with its parameters bound; None where none is named.

    Args:
        runbook: Its name, its path, its document as a mapping, what reading it gave, or one that
            is bound already.
        params: Values of its parameters.
        role: ARN of the role that runs it; its account is the one that the calls go to.
        region: Region of its calls; None: the session's.
        session: The session that the task starts from.

    Raises:
        ConfigurationError: It is not found; it was bound before and parameters are given again;
            or parameters are given and no runbook.
        PolicySyntaxError: The runbook is not fully understood.
    """
    if runbook is None:
        if params is not None:
            raise ConfigurationError("`params` are a runbook's, and no `runbook` is given")
        return None
    if isinstance(runbook, BoundRunbook):
        if params is not None:
            raise ConfigurationError("the runbook has its parameters bound, leave `params` out")
        return runbook
    from dynaguard.runbooks.binding import bind

    guard, base = current()[0], BaseSession(session)
    read = _read(runbook, guard)
    role_arn = role or read.access.role_arn
    partition = "aws" if role_arn is None else role_partition(role_arn)
    return bind(
        read,
        params or {},
        region=region or base.region,
        account_id=_account(role_arn, guard, base),
        partition=partition,
    )


def _read(runbook: Any, guard: Guard | None) -> Runbook:
    """The runbook itself."""
    if isinstance(runbook, Runbook):
        return runbook
    from dynaguard.runbooks.finding import find_runbook
    from dynaguard.runbooks.reading import read_runbook

    if isinstance(runbook, Mapping):
        return read_runbook(runbook)
    if isinstance(runbook, Path):
        return read_runbook(runbook)
    if not isinstance(runbook, str | os.PathLike):
        raise ConfigurationError(
            f"`runbook` is of type {type(runbook).__name__}, it must be a name, a path or a "
            "mapping"
        )
    policy = None if guard is None else guard.resolved.settings.policy
    return read_runbook(find_runbook(os.fspath(runbook), policy=policy))


def _account(role_arn: str | None, guard: Guard | None, base: BaseSession) -> str | None:
    """The account that the calls go to, or None where that is not known."""
    if role_arn is not None:
        return account_of(role_arn)
    if guard is None:
        return None
    return guard.rooms.resolver.resolve(base.facts(), current_scope()).account_id
