"""Tells that a task or the run of a runbook began, ended or was refused: who, which, until when.

Of its parameters the names are told, and one hash over the runbook and their values.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from dynaguard.access.changes import AccessChange, ChangeKind, note_change
from dynaguard.hooks.lifecycle import current
from dynaguard.hooks.task_sessions import BaseSession
from dynaguard.scope import current_scope

if TYPE_CHECKING:
    from dynaguard.errors import PolicyDenied
    from dynaguard.runbooks.orders import Order
    from dynaguard.runbooks.task import Task


_KINDS: Final[Mapping[tuple[str, str], ChangeKind]] = {
    ("task", "begun"): "task begun",
    ("task", "ended"): "task ended",
    ("run", "begun"): "run begun",
    ("run", "ended"): "run ended",
}
_REFUSED_KINDS: Final[Mapping[str, ChangeKind]] = {"task": "task refused", "run": "run refused"}


def tell_begun(task: Task, order: Order) -> None:
    """Tells that a task began. Never raises."""
    _tell(task, order, "begun", None)


def tell_ended(task: Task, order: Order, exc_type: type[BaseException] | None) -> None:
    """Tells that a task was left, and how: of an exception the class alone. Never raises."""
    _tell(task, order, "ended", "ok" if exc_type is None else f"failed ({exc_type.__name__})")


def tell_refused(order: Order, refused: PolicyDenied) -> None:
    """Tells that a task was refused before it began, and why. Never raises."""
    bound, ticket = order.bound, getattr(refused, "ticket", None)
    note_change(
        AccessChange(
            _REFUSED_KINDS["task" if bound is None else "run"],
            order.id or order.name,
            starter(BaseSession(order.base)),
            reason=refused.reason,
            acting_as=current_scope().acting_name,
            subject_sha256=None if bound is None else bound.subject_sha256,
            ticket=ticket,
            runbook=None if bound is None else bound.runbook.name,
            runbook_sha256=None if bound is None else bound.runbook.sha256,
            parameters=() if bound is None else tuple(sorted(bound.values)),
            status=f"refused ({type(refused).__name__})",
            correlation_id=order.incident,
        )
    )


def starter(base: BaseSession) -> str:
    """Name of who starts a task, as records name identities; `unknown` without a guard."""
    guard = current()[0]
    if guard is None:
        return "unknown"
    try:
        return guard.rooms.resolver.resolve(base.facts(), current_scope()).name
    except Exception:  # noqa: BLE001 - who it is, is told by each of its calls; or they fail
        return "unknown"


def _tell(task: Task, order: Order, what: str, status: str | None) -> None:
    boundary, bound = task.boundary, order.bound
    note_change(
        AccessChange(
            _KINDS["task" if bound is None else "run", what],
            task.id,
            task.started_by,
            acting_as=task.scope.acting_name,
            expires_epoch_s=boundary.expires_epoch_s,
            subject_sha256=boundary.subject_sha256,
            task=task.id,
            ticket=boundary.ticket,
            runbook=None if bound is None else boundary.name,
            runbook_sha256=boundary.runbook_sha256,
            parameters=() if bound is None else tuple(sorted(bound.values)),
            status=status,
            correlation_id=task.correlation_id,
        )
    )
