"""A task while it runs, as whoever is in it sees it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from dynaguard.access.lives import has_ended
from dynaguard.boundary import Boundary
from dynaguard.propagation.carrying import environ_of
from dynaguard.scope import Scope, current_scope

if TYPE_CHECKING:
    from dynaguard.access.lives import TaskLife
    from dynaguard.access.sessions import SessionCredentials
    from dynaguard.hooks.task_sessions import TaskSessions


@dataclass(frozen=True, slots=True, weakref_slot=True, eq=False)
class Task:
    """One task while it runs.

    Attributes:
        id: Its id: on every record, and in the name of its session.
        name: Name of its runbook, or its own.
        scope: The scope of its calls.
        boundary: What they may do.
        expires_at: When it ends at the latest; an outer boundary that ends before counts.
        correlation_id: Id of its incident, or None where each call has one of its own.
        session_name: Name of its session in CloudTrail; None without a role.
        link: Address of a page about its runbook, or None.
        started_by: Name of who started it, as records name identities.
    """

    id: str
    name: str
    scope: Scope = field(repr=False)
    boundary: Boundary
    expires_at: datetime
    correlation_id: str | None
    session_name: str | None
    link: str | None
    started_by: str
    life: TaskLife = field(repr=False)
    _sessions: TaskSessions = field(repr=False)

    @property
    def is_over(self) -> bool:
        """Whether it was left, or its time is up."""
        return self.life.is_over

    @property
    def session(self) -> Any:
        """A boto3 session with its credentials; of no use once the task is over.

        Raises:
            MissingExtraError: boto3 is not installed.
        """
        return self._sessions.boto3_session()

    @property
    def botocore_session(self) -> Any:
        """A botocore session with its credentials; of no use once the task is over."""
        return self._sessions.botocore_session()

    def client(self, service: str, **options: Any) -> Any:
        """A client of its session, as `botocore.session.Session.create_client` makes them.

        Args:
            service: botocore's service name.
            options: `region_name`, `endpoint_url`, `config` ...
        """
        return self._sessions.botocore_session().create_client(service, **options)

    def credentials(self) -> SessionCredentials:
        """Its credentials as they are now, for what cannot take a session. Handle with care.

        Raises:
            PolicyDenied: The task is over.
            SessionError: STS refused or did not answer.

        Effects: asks STS where no credentials were needed before, or these end soon. What is
        handed on is not refreshed, and AWS takes it until the task's time is up.
        """
        return self._sessions.credentials()

    def environ(self) -> dict[str, str]:
        """Variables that put a subprocess under the task: its credentials and its scope.

        `subprocess.run(command, env=os.environ | task.environ())`.

        Raises:
            PolicyDenied: The task is over.
            SessionError: STS refused or did not answer.
        """
        region, account_id = self._sessions.region, self._sessions.account_id
        found = {"AWS_REGION": region, "AWS_DEFAULT_REGION": region} if region else {}
        if account_id is not None:
            # Keys do not tell it, and the boundary names it.
            found["DYNAGUARD_ACCOUNT_ID"] = account_id
        return {**found, **self.credentials().environ(), **environ_of(self.scope)}


_open_tasks: WeakValueDictionary[str, Task] = WeakValueDictionary()
"""Tasks that have begun, by id; one that has ended is not looked for."""


def note_begun(task: Task) -> None:
    """Makes a task one that `innermost_task` finds."""
    _open_tasks[task.id] = task


def innermost_task() -> Task | None:
    """The innermost task that the running code is in and that has not been left; or None."""
    for boundary in reversed(current_scope().boundaries):
        found = _open_tasks.get(boundary.task)
        if found is not None and not has_ended(found.id):
            return found
    return None
