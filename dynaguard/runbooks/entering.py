"""Enters the task of a run: its scope, its boundary, its session; gives what makes its clients."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from dynaguard.errors import MissingExtraError
from dynaguard.runbooks.approving import StoreApprovals
from dynaguard.runbooks.interaction import ApprovalQuestion
from dynaguard.runbooks.orders import Order as TaskOrder
from dynaguard.runbooks.orders import check_order
from dynaguard.runbooks.permission import RunApproval, settle_run
from dynaguard.runbooks.tasks import TaskManager
from dynaguard.scope import Scope, ScopeManager

if TYPE_CHECKING:
    from dynaguard.call import Principal
    from dynaguard.policy.model import ApprovalTerms
    from dynaguard.runbooks.bound import BoundRunbook
    from dynaguard.runbooks.interaction import AskApproval
    from dynaguard.runbooks.permission import SettleRun


@dataclass(frozen=True, slots=True)
class Order:
    """The task that a run asks for.

    Attributes:
        bound: The runbook with its parameters.
        task: Id of the task, unique to this start of the run.
        run: Id of the run.
        correlation_id: The incident or ticket it belongs to.
        role: ARN of the role that it assumes; None: as the runbook says.
        region: Its region; None: as the session has it.
        session: boto3's session that it starts from.
        endpoint_url: Where its calls go; None: AWS.
        ask_approval: Has the run approved where that is demanded; None: by the access store.
    """

    bound: BoundRunbook
    task: str
    run: str
    correlation_id: str
    role: str | None = None
    region: str | None = None
    session: Any = field(default=None, repr=False)
    endpoint_url: str | None = None
    ask_approval: AskApproval | None = None


Enter = Callable[[Order], AbstractContextManager[Any]]
"""Enters the task; gives the boto3 session of its calls."""


class SessionClients:
    """The clients of a session, each made once. Thread-safe as boto3's sessions are: one thread.

    Args:
        session: boto3's session.
        region: Region of clients that name none.
        endpoint_url: Where calls go; None: AWS.
    """

    __slots__ = ("_clients", "_endpoint_url", "_region", "_session")

    def __init__(self, session: Any, region: str | None, endpoint_url: str | None) -> None:
        self._session = session
        self._region = region
        self._endpoint_url = endpoint_url
        self._clients: dict[tuple[str, str | None, bool], Any] = {}

    def client(self, service: str, region: str | None = None, *, is_once: bool = False) -> Any:
        """A client, see `Clients`."""
        key = service, region or self._region, is_once
        if key not in self._clients:
            self._clients[key] = self._make(*key)
        return self._clients[key]

    def _make(self, service: str, region: str | None, is_once: bool) -> Any:  # noqa: FBT001 - key
        """A new client."""
        config = None
        if is_once:
            plain = self.client(service, region)
            config = type(plain.meta.config)(retries={"total_max_attempts": 1})
        return self._session.client(
            service, region_name=region, endpoint_url=self._endpoint_url, config=config
        )


def session_at_hand(region: str | None) -> Any:
    """boto3's session of the credentials at hand.

    Raises:
        MissingExtraError: boto3 is not installed.
    """
    try:
        import boto3  # type: ignore[import-untyped]
    except ImportError as err:
        raise MissingExtraError("the run of a runbook", "aws") from err
    return boto3.Session(region_name=region)


@contextmanager
def enter_task(order: Order) -> Iterator[Any]:
    """The task of a run, with the session of its role where it has one.

    Raises:
        PolicyDenied: Who asks may not run the runbook.
        ApprovalRequired: Somebody has to approve it first.
    """
    bound = order.bound
    asked = TaskOrder(
        bound=bound,
        name=bound.runbook.name,
        id=order.task,
        incident=order.correlation_id,
        duration_s=bound.runbook.limits.duration_s,
        role=order.role,
        region=order.region,
        base=order.session,
    )
    check_order(asked)
    url, ask = order.endpoint_url, order.ask_approval
    manager = TaskManager(
        asked,
        settle_run=settle_run if ask is None else _settle_by(ask, order),
        make_client=None if url is None else _sts_at(order.session, url),
    )
    with manager as task:
        yield task.session


def _settle_by(ask: AskApproval, order: Order) -> SettleRun:
    """Asks for the approvals of a whole run, one after another; the first to end counts."""

    def settle(
        bound: BoundRunbook, needed: tuple[ApprovalTerms, ...], _principal: Principal
    ) -> RunApproval:
        message = bound.runbook.purpose
        tickets = [
            ask(ApprovalQuestion(bound, terms, order.run, message=message)) for terms in needed
        ]
        ends = [
            ask.end_epoch_s(ticket)
            if isinstance(ask, StoreApprovals)
            else time.time() + terms.duration_s
            for ticket, terms in zip(tickets, needed, strict=True)
        ]
        return RunApproval(tickets[-1] or "", min(ends))

    return settle


def _sts_at(session: Any, url: str) -> Any:
    """Makes STS clients of an embedded endpoint."""

    def make(region: str | None) -> Any:
        return session.client("sts", region_name=region, endpoint_url=url)

    return make


@contextmanager
def enter_boundary(order: Order) -> Iterator[Any]:
    """A task of the scope alone: no role is assumed, nobody has to approve. For tests of runbooks.

    Its session is the one given, whatever makes clients.
    """
    bound = order.bound
    boundary = bound.boundary(
        order.task, expires_epoch_s=time.time() + bound.runbook.limits.duration_s
    )

    def derive(scope: Scope) -> Scope:
        return replace(
            scope,
            runbook=bound.runbook.name,
            task=order.task,
            correlation_id=order.correlation_id,
            boundaries=(*scope.boundaries, boundary),
        )

    with ScopeManager(derive):
        yield order.session
