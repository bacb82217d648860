"""The begin of a task: everything that is checked before it, then its scope and its sessions.

Nothing here calls AWS, but for what a session needs to find the credentials at hand.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from dynaguard.access.lives import TaskLife, has_ended
from dynaguard.access.narrowing import statements_text
from dynaguard.access.session_policy import session_policy
from dynaguard.access.sessions import (
    SessionRequest,
    safe_name,
    session_duration_s,
    session_name,
)
from dynaguard.boundary import Boundary
from dynaguard.errors import ConfigurationError
from dynaguard.hooks.lifecycle import current
from dynaguard.hooks.task_credentials import Binding
from dynaguard.hooks.task_sessions import BaseSession, TaskSessions
from dynaguard.runbooks.noting import starter
from dynaguard.runbooks.permission import approvals_needed, check_may_run, refusal
from dynaguard.runbooks.task import Task, innermost_task
from dynaguard.scope import Scope, current_scope, deadline, sanitise_correlation_id

if TYPE_CHECKING:
    from dynaguard.access.clock import StrictClock
    from dynaguard.call import Principal
    from dynaguard.guard import Guard
    from dynaguard.hooks.assuming import MakeClient
    from dynaguard.runbooks.orders import Order
    from dynaguard.runbooks.permission import RunApproval, SettleRun

MAX_DURATION_S: Final = 86_400.0
"""How long a task may take where no setting says otherwise."""


def begin(
    order: Order,
    *,
    clock: StrictClock,
    settle_run: SettleRun,
    make_client: MakeClient | None = None,
) -> Task:
    """A task that has begun; its scope is not entered yet.

    Args:
        order: What it is to be.
        clock: Tells its end.
        settle_run: Asks those who have to approve a run.
        make_client: Makes the STS client; None: one of the base session.

    Raises:
        ConfigurationError: It may not take that long; nothing would hold it to its boundary.
        PolicyDenied: Who asks may not run the runbook, or the task around it is over.
        ApprovalRequired: Somebody has to approve it first.
    """
    guard, scope = current()[0], current_scope()
    _check_duration(order, guard)
    _check_enforced(order, guard)
    base = _base(order)
    end_s = _end_s(order, scope, clock)
    _session_policy(order, end_s)  # what does not fit is told before an approval is used up
    approval = _settled(order, guard, scope, base, settle_run)
    boundary = _boundary(order, end_s, approval)
    policy = _session_policy(order, boundary.expires_epoch_s or end_s)
    life = TaskLife(boundary, clock)
    inner = _inner_scope(order, scope, life)
    request = _requests(order, life, policy)
    return Task(
        id=life.boundary.task,
        name=order.name,
        scope=inner,
        boundary=life.boundary,
        expires_at=datetime.fromtimestamp(life.ends_epoch_s, UTC),
        correlation_id=inner.correlation_id,
        session_name=None if request is None else request().session_name,
        link=None if order.bound is None else order.bound.runbook.link,
        started_by=starter(base),
        life=life,
        _sessions=TaskSessions(
            base, life, Binding(inner), request, region=order.region, make_client=make_client
        ),
    )


def _check_duration(order: Order, guard: Guard | None) -> None:
    """Prolonged access is refused, not cut: who asks has to know."""
    settings = None if guard is None else guard.resolved.settings
    longest_s = getattr(settings, "access_max_duration_s", MAX_DURATION_S)
    if order.duration_s > longest_s:
        raise ConfigurationError(
            f"the task `{order.name}` asks for {order.duration_s:g} seconds, "
            f"`access_max_duration_s` gives {longest_s:g} at most"
        )


def _check_enforced(order: Order, guard: Guard | None) -> None:
    """Without a guard AWS alone can hold a task to its boundary."""
    if guard is None and order.role_arn is None:
        raise ConfigurationError(
            f"nothing would hold the task `{order.name}` to its boundary: call "
            "`dynaguard.install()` first, or name a `role`"
        )


def _base(order: Order) -> BaseSession:
    """The session that it starts from: without a role, that of the task around it."""
    around = innermost_task()
    if order.base is None and order.role_arn is None and around is not None:
        return BaseSession(around.botocore_session)
    return BaseSession(order.base)


def _settled(
    order: Order, guard: Guard | None, scope: Scope, base: BaseSession, settle_run: SettleRun
) -> RunApproval | None:
    """The approval of a run; None where nobody has to approve it."""
    if order.bound is None:
        return None
    runbook, document = order.bound.runbook, None if guard is None else guard.document
    pin = None if document is None else document.runbooks.get(runbook.name)
    needed = approvals_needed(runbook, document)
    is_named = runbook.principals is not None or (pin is not None and pin.principals is not None)
    principal = _principal(guard, scope, base) if guard and (is_named or needed) else None
    check_may_run(runbook, document, principal)
    if not needed:
        return None
    if principal is None:
        raise ConfigurationError(
            f"runbook `{runbook.name}` has to be approved before it runs, call "
            "`dynaguard.install()` first"
        )
    return settle_run(order.bound, needed, principal)


def _principal(guard: Guard, scope: Scope, base: BaseSession) -> Principal:
    """Who asks, as the guard tells identities."""
    facts, resolver = base.facts(), guard.rooms.resolver
    return resolver.settled(facts, scope) or resolver.resolve(facts, scope)


def _end_s(order: Order, scope: Scope, clock: StrictClock) -> float:
    """When the task ends, in seconds since the epoch: with the first of those around it.

    Raises:
        PolicyDenied: One of those around it is over.
    """
    now_s = clock.for_end_s()
    outer = [each.expires_epoch_s for each in scope.boundaries if each.expires_epoch_s is not None]
    end_s = min([now_s + order.duration_s, *outer])
    if end_s <= now_s or any(has_ended(each.task) for each in scope.boundaries):
        raise refusal(order.name, None, "the task around it is over", "begin that one again")
    return end_s


def _boundary(order: Order, end_s: float, approval: RunApproval | None) -> Boundary:
    """The boundary of the task; it ends no later than its approval."""
    task = order.id or f"{safe_name(order.name)[:40]}-{secrets.token_hex(5)}"
    ticket = None
    if approval is not None:
        ticket, end_s = approval.ticket, min(end_s, approval.ends_epoch_s)
    if order.bound is not None:
        return order.bound.boundary(task, expires_epoch_s=end_s, ticket=ticket)
    return Boundary(
        kind="task",
        name=order.name,
        task=task,
        statements=statements_text(order.statements),
        expires_epoch_s=end_s,
    )


def _session_policy(order: Order, end_s: float) -> str | None:
    """The session policy of the task's role; None without one.

    Raises:
        ConfigurationError: It does not fit.
    """
    if order.role_arn is None:
        return None
    statements = order.statements if order.bound is None else order.bound.iam_statements
    return session_policy(
        statements,
        end=datetime.fromtimestamp(end_s, UTC),
        allow_widening=order.terms.allow_widening,
    ).text


def _inner_scope(order: Order, scope: Scope, life: TaskLife) -> Scope:
    """The scope of the task's calls."""
    inner = replace(
        scope,
        task=life.boundary.task,
        boundaries=(*scope.boundaries, life.boundary),
        runbook=scope.runbook if order.bound is None else order.bound.runbook.name,
    )
    if order.incident is not None:
        inner = replace(inner, correlation_id=sanitise_correlation_id(order.incident))
    return deadline(max(life.left_s, 0.001)).derive(inner)


def _requests(
    order: Order, life: TaskLife, policy: str | None
) -> Callable[[], SessionRequest] | None:
    """What makes the requests for the task's credentials; None without a role."""
    role_arn, terms, boundary, bound = order.role_arn, order.terms, life.boundary, order.bound
    if role_arn is None:
        return None
    tags = bound.runbook.access.tags if terms.tags is None and bound is not None else terms.tags
    longest_s = terms.session_s
    if longest_s is None and bound is not None and bound.runbook.access.session_duration_s > 900:
        longest_s = bound.runbook.access.session_duration_s
    identity = boundary.task if terms.source_identity is True else terms.source_identity

    def request() -> SessionRequest:
        return SessionRequest(
            role_arn=role_arn,
            session_name=session_name(order.name, boundary.task),
            duration_s=session_duration_s(life.left_s, longest_s),
            policy=policy,
            source_identity=identity or None,
            tags=dict(tags or {}),
            transitive_tags=terms.transitive_tags,
            external_id=terms.external_id,
            mfa_serial=terms.mfa_serial,
            mfa_code=terms.mfa_code,
        )

    return request
