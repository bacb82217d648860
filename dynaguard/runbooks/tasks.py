"""`task()`: a piece of work with exactly the access that it needs, for as long as it takes.

Entering draws a boundary around the calls inside (a runbook's, or statements given), with an end.
With a role, the same boundary is the session policy of temporary credentials, so that AWS itself
enforces it, also for code that goes around the guard. Nothing is assumed before the task begins,
nor before its credentials are first used, nor after its end.

INVARIANT: whatever a task does, its calls may do no more than the scope around it lets them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self, TypeVar

from dynaguard.access.clock import StrictClock
from dynaguard.access.narrowing import narrowing_statements
from dynaguard.access.sessions import SessionTerms
from dynaguard.decorating import run_within
from dynaguard.errors import ConfigurationError, PolicyDenied
from dynaguard.runbooks.beginning import begin
from dynaguard.runbooks.naming import bind_runbook
from dynaguard.runbooks.noting import tell_begun, tell_ended, tell_refused
from dynaguard.runbooks.orders import Order, check_order, task_duration_s, task_name
from dynaguard.runbooks.permission import settle_run
from dynaguard.runbooks.task import Task, innermost_task, note_begun
from dynaguard.scope import ScopeManager, leave

if TYPE_CHECKING:
    from types import TracebackType

    from dynaguard.hooks.assuming import MakeClient
    from dynaguard.runbooks.permission import SettleRun

_FunctionT = TypeVar("_FunctionT", bound=Callable[..., Any])


class TaskManager:
    """Runs one task: context manager (plain and `async`), and decorator.

    Entered once; a decorated function gets a task of its own with each call.

    Args:
        order: What the task is to be.
        clock: Tells its end; None: the system's.
        settle_run: Asks those who have to approve a run.
        make_client: Makes the STS client; None: one of the base session.
    """

    __slots__ = ("_clock", "_is_used", "_make_client", "_order", "_settle_run", "_task")

    def __init__(
        self,
        order: Order,
        *,
        clock: StrictClock | None = None,
        settle_run: SettleRun = settle_run,
        make_client: MakeClient | None = None,
    ) -> None:
        self._order = order
        self._make_client = make_client
        self._clock = clock or StrictClock()
        self._settle_run = settle_run
        self._is_used = False
        self._task: Task | None = None

    def __enter__(self) -> Task:
        """Begins the task.

        Raises:
            ConfigurationError: It was begun before, or nothing would hold it to its boundary.
            PolicyDenied: Who asks may not run the runbook.
            ApprovalRequired: Somebody has to approve it first.
        """
        if self._is_used:
            raise ConfigurationError("this task was begun before, make a new one with `task()`")
        self._is_used = True
        try:
            begun = begin(
                self._order,
                clock=self._clock,
                settle_run=self._settle_run,
                make_client=self._make_client,
            )
        except PolicyDenied as refused:
            tell_refused(self._order, refused)
            raise
        ScopeManager(lambda _: begun.scope).__enter__()
        self._task = begun
        note_begun(begun)
        tell_begun(begun, self._order)
        return begun

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Ends the task, in whatever thread or context: its session is of no use from now on."""
        ended, self._task = self._task, None
        if ended is None:
            return
        ended.life.end()
        tell_ended(ended, self._order, exc_type)
        ended.session_log.ended()
        leave(ended.scope)

    async def __aenter__(self) -> Task:
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
        """Decorates a function: each call of it is a task of its own.

        Raises:
            ConfigurationError: `function` is a generator function, whose body runs outside of
                the call; or the task has an `id`, which no two may share.
        """
        if self._order.id is not None:
            name = getattr(function, "__name__", type(function).__name__)
            raise ConfigurationError(
                f"`{name}` is decorated with a task that has an `id`, which no two calls may "
                "share; leave it out, and name what they belong to with `incident`"
            )
        return run_within(self._anew, function, "a task, begin the task")

    def _anew(self) -> Self:
        """The same order, not begun yet."""
        return type(self)(
            self._order,
            clock=self._clock,
            settle_run=self._settle_run,
            make_client=self._make_client,
        )


def task(
    runbook: Any = None,
    params: Mapping[str, Any] | None = None,
    *,
    name: str | None = None,
    id: str | None = None,
    incident: str | None = None,
    duration_s: float | timedelta | None = None,
    statements: Iterable[Mapping[str, Any]] | None = None,
    actions: Iterable[str] | None = None,
    resources: Iterable[str] | None = None,
    role: str | None = None,
    session: Any = None,
    region: str | None = None,
    session_s: int | None = None,
    source_identity: str | bool | None = None,
    tags: Mapping[str, str] | None = None,
    transitive_tags: Iterable[str] = (),
    external_id: str | None = None,
    mfa_serial: str | None = None,
    mfa_code: str | None = None,
    allow_widening: bool = False,
) -> TaskManager:
    """A task: calls in it may do what its runbook or its statements name, until it ends.

    With a role it has a session of its own that AWS holds to the same boundary. The role is
    assumed when its credentials are first needed, they are refreshed while the task lives, and
    once it is left its session is refused.

    Args:
        runbook: Name or path of a runbook, a mapping, or a `BoundRunbook`; None: an ad-hoc task.
        params: Parameters of the runbook.
        name: Name of an ad-hoc task: what it is for.
        id: Id of this run, unique; letters, digits and `-`. None: one is made of the name.
        incident: Id of the incident that it belongs to, as correlation id of its calls.
        duration_s: How long it may take, in seconds or as a `timedelta`. None: what the runbook
            says, else 900 seconds.
        statements: IAM statements (Allow alone) that an ad-hoc task is narrowed to.
        actions: Short form of one statement: IAM actions.
        resources: Its ARNs; None: `*`.
        role: ARN of the role to assume; None: the runbook's, else none: the credentials at hand.
        session: boto3 or botocore session that it starts from; None: the default one.
        region: Region of its session; None: as `session` has it.
        session_s: How long one set of credentials may last, 900 to 43,200 seconds; None: as long
            as the task, 3,600 at most, which every role gives.
        source_identity: Who is behind it, or True for the task's id. The role's trust policy has
            to allow `sts:SetSourceIdentity`, so it is not set unless asked for.
        tags: Session tags; the trust policy has to allow `sts:TagSession`. None: the runbook's.
        transitive_tags: Keys of those that further sessions inherit.
        external_id: As the role's trust policy demands it.
        mfa_serial: For roles that demand MFA: the device's ARN or serial number.
        mfa_code: Its code, good once: such a session is not refreshed.
        allow_widening: Whether conditions may be left out of a session policy that is too long
            for STS. The guard holds calls to them all the same.

    Returns:
        A context manager (`with`, `async with`) that gives the `Task`, and a decorator.

    Raises:
        ConfigurationError: Arguments that cannot be used; a runbook with a problem.

    Effects: none before it is entered; then the policy and the runbook are asked who may run it,
    and where somebody has to approve it, they are asked. AWS is called when credentials are
    needed.
    """
    terms = SessionTerms(
        session_s=session_s,
        source_identity=source_identity,
        tags=tags,
        transitive_tags=tuple(transitive_tags),
        external_id=external_id,
        mfa_serial=mfa_serial,
        mfa_code=mfa_code,
        allow_widening=allow_widening,
    )
    bound = bind_runbook(runbook, params, role=role, region=region, session=session)
    narrowed = narrowing_statements(statements, actions, resources)
    order = Order(
        bound=bound,
        name=task_name(bound, name),
        id=id,
        incident=incident,
        statements=narrowed,
        duration_s=task_duration_s(bound, duration_s),
        role=role,
        terms=terms,
        region=region,
        base=session,
    )
    check_order(order)
    return TaskManager(order)


def current_task() -> Task | None:
    """The innermost task that the running code is in, or None; of a thread, what it was given."""
    return innermost_task()
