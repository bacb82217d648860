"""The credentials of a task: had when they are first needed, refreshed while it lives, then none.

Two kinds. A task with a role has credentials of its own; botocore's refreshable ones do the work.
One without borrows those at hand. Both name the scope that their calls belong to, so that a call
in a thread that inherited no scope is within the task's boundary all the same.

INVARIANT: after the end of the task neither gives a key, and neither asks STS.
Source: botocore's `credentials.py` (1.34 to 1.44).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from dynaguard.access.lives import bound_scope
from dynaguard.errors import PolicyDenied, SessionError
from dynaguard.scope import Scope
from dynaguard.values import dataclass

if TYPE_CHECKING:
    from dynaguard.access.lives import TaskLife
    from dynaguard.access.sessions import SessionRequest
    from dynaguard.hooks.session_noting import SessionLog

_BINDING: Final = "dynaguard_binding"
_ADVISORY_S: Final = 120
_MANDATORY_S: Final = 60
"""When the next credentials are had before these end. botocore's own 15 and 10 minutes would have
credentials of 900 seconds refreshed with every single call."""
_CLOSE_TO_END_S: Final = 5.0
Assume = Callable[["SessionRequest"], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Binding:
    """Puts calls that are made with a task's credentials into its scope.

    Attributes:
        task: The scope of the task.
    """

    task: Scope

    def __call__(self, scope: Scope) -> Scope:
        """The scope of a call made in `scope`."""
        return bound_scope(scope, self.task)


def binding_of(credentials: Any) -> Binding | None:
    """What puts the calls of a task's credentials into its scope; None for all others'."""
    found = getattr(credentials, _BINDING, None)
    return found if isinstance(found, Binding) else None


def refuse_when_over(life: TaskLife) -> None:
    """Refuses to give credentials of a task that is over.

    Raises:
        PolicyDenied: It is.
    """
    if life.is_over:
        boundary = life.boundary
        raise PolicyDenied(
            f"the session of {boundary.kind} `{boundary.name}` (task `{boundary.task}`) has "
            "ended, so nothing is signed with it; begin a task again",
            operation="AssumeRole",
            service="sts",
        )


class RoleFetcher:
    """Asks for the credentials of a task's role.

    Its first attributes are named as those of botocore's own fetcher: the guard reads from them
    who will call, before there are credentials.

    Args:
        life: The task's.
        next_request: Gives what is asked for now.
        assume: Asks STS.
        log: Is told of each set of credentials that was had; None: nobody is.
    """

    def __init__(
        self,
        life: TaskLife,
        next_request: Callable[[], SessionRequest],
        assume: Assume,
        log: SessionLog | None = None,
    ) -> None:
        request = next_request()
        self._role_arn = request.role_arn
        self._role_session_name = request.session_name
        self._cache: dict[str, Any] = {}
        self._cache_key = "task"
        self._life = life
        self._next_request = next_request
        self._assume = assume
        self._log = log

    @property
    def account_id(self) -> str:
        """The account of the role."""
        from dynaguard.access.sessions import account_of  # tasks alone need it

        return account_of(self._role_arn)

    def fetch(self) -> dict[str, Any]:
        """**Shape**: what botocore's refreshable credentials take: keys, token, `expiry_time`.

        Raises:
            SessionError: STS refused or did not answer; or the role demands a fresh MFA code.
        """
        refuse_when_over(self._life)
        request = self._next_request()
        if self._cache and request.mfa_code is not None:
            raise SessionError(
                f"the session `{request.session_name}` cannot be refreshed: its MFA code was good "
                "once; ask for a longer `session_s`, or begin a task again",
                role=request.role_arn,
            )
        answer = self._assume(request)
        refuse_when_over(self._life)  # it may have ended while STS was slow
        self._cache[self._cache_key] = {"AssumedRoleUser": answer.get("AssumedRoleUser", {})}
        if self._log is not None:
            self._log.had(request, answer)
        found = answer["Credentials"]
        return {
            "access_key": found["AccessKeyId"],
            "secret_key": found["SecretAccessKey"],
            "token": found["SessionToken"],
            "expiry_time": found["Expiration"].isoformat(),
            "account_id": self.account_id,
        }


def role_credentials(fetcher: RoleFetcher, life: TaskLife, binding: Binding) -> Any:
    """The credentials of a task with a role.

    Returns:
        botocore's `RefreshableCredentials`, of a class made here: botocore's classes are not
        imported before they are needed.
    """
    import botocore.credentials

    deferred: Any = botocore.credentials.DeferredRefreshableCredentials

    class TaskCredentials(deferred):  # type: ignore[misc]
        """Refreshed while the task lives, never after."""

        _advisory_refresh_timeout = _ADVISORY_S
        _mandatory_refresh_timeout = _MANDATORY_S

        def refresh_needed(self, refresh_in: int | None = None) -> bool:
            """Not where the credentials last until the end of the task anyway."""
            end_s = self._expiry_time.timestamp() if self._expiry_time is not None else 0.0
            if end_s >= life.ends_epoch_s - _CLOSE_TO_END_S:
                return False
            return bool(super().refresh_needed(refresh_in))

        @property
        def account_id(self) -> str:
            """The role's: endpoints by account id ask before anything is decided."""
            return fetcher.account_id

        @account_id.setter
        def account_id(self, value: str | None) -> None:
            self._account_id = value

        def _refresh(self) -> None:
            refuse_when_over(life)
            super()._refresh()

    made = TaskCredentials(fetcher.fetch, "assume-role", time_fetcher=life.now)
    setattr(made, _BINDING, binding)
    return made


class BorrowedCredentials:
    """The credentials at hand, lent to a task for as long as it lives.

    Key id and token stay readable after that: the guard tells by them who calls.

    Args:
        lender: Whose they are; whatever is asked here that the task does not change, it answers.
        life: The task's.
        binding: Puts calls into its scope.
    """

    def __init__(self, lender: Any, life: TaskLife, binding: Binding) -> None:
        self._lender = lender
        self._life = life
        self.dynaguard_binding = binding

    def __getattr__(self, name: str) -> Any:
        """Of the lender; so the guard sees who calls."""
        if name.startswith("__"):
            raise AttributeError(name)  # a copy is asked for these before it has a lender
        return getattr(self._lender, name)

    @property
    def secret_key(self) -> str:
        """The secret; refused after the end."""
        refuse_when_over(self._life)
        return str(self._lender.secret_key)

    def get_frozen_credentials(self) -> Any:
        """The three of them at once; refused after the end."""
        refuse_when_over(self._life)
        return self._lender.get_frozen_credentials()
