"""The sessions of a task: botocore's and boto3's, with the task's credentials and nobody else's.

Made when first asked for; nothing calls AWS before credentials are needed.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from dynaguard.access.sessions import SessionCredentials, SessionRequest, account_of
from dynaguard.call import NO_CREDENTIALS, CredentialFacts
from dynaguard.errors import ConfigurationError, MissingExtraError
from dynaguard.forks import renew_after_fork
from dynaguard.hooks.assuming import MakeClient, assume, sts_client_maker
from dynaguard.hooks.sts import facts_to_ask_for
from dynaguard.hooks.task_credentials import (
    Binding,
    BorrowedCredentials,
    RoleFetcher,
    role_credentials,
)

if TYPE_CHECKING:
    from dynaguard.access.lives import TaskLife


class BaseSession:
    """The session that a task starts from: boto3's, botocore's, or what a program would get.

    Args:
        given: The session; None: boto3's default session where there is one, else a new one.

    Raises:
        ConfigurationError: It is no session.
    """

    __slots__ = ("_given",)

    def __init__(self, given: Any = None) -> None:
        if given is not None and not hasattr(given, "get_credentials"):
            raise ConfigurationError(
                f"`session` is of type {type(given).__name__}, pass a session of boto3 or botocore"
            )
        self._given = given

    @property
    def session(self) -> Any:
        """The session itself."""
        if self._given is None:
            import botocore.session

            boto3 = sys.modules.get("boto3")
            default = getattr(boto3, "DEFAULT_SESSION", None)
            self._given = default or botocore.session.Session()
        return self._given

    @property
    def region(self) -> str | None:
        """Its region."""
        session = self.session
        if hasattr(session, "get_config_variable"):
            return session.get_config_variable("region")  # type: ignore[no-any-return]
        return session.region_name  # type: ignore[no-any-return]

    @property
    def profile(self) -> str | None:
        """The profile that was chosen for it, or None."""
        session = self.session
        if hasattr(session, "get_config_variable"):
            return session.profile  # type: ignore[no-any-return]
        # boto3 gives `default` where none was chosen, which then need not exist.
        return None if session.profile_name == "default" else session.profile_name

    def credentials(self) -> Any:
        """Its credentials' provider, or None. May ask the surroundings, as any client would."""
        return self.session.get_credentials()

    def facts(self) -> CredentialFacts:
        """Who it calls as, as far as that is told offline."""
        credentials = self.credentials()
        return NO_CREDENTIALS if credentials is None else facts_to_ask_for(credentials)


class TaskSessions:
    """The sessions of one task. Thread-safe.

    Args:
        base: The session that it starts from.
        life: The task's.
        binding: Puts calls into its scope.
        next_request: What STS is asked for now; None for a task without a role.
        region: Region of its sessions; None: the base's.
        make_client: Makes the STS client; None: one of the base session.
    """

    __slots__ = (
        *("__weakref__", "_base", "_binding", "_life", "_lock"),
        *("_made", "_make_client", "_next", "_region"),
    )

    def __init__(
        self,
        base: BaseSession,
        life: TaskLife,
        binding: Binding,
        next_request: Callable[[], SessionRequest] | None = None,
        *,
        region: str | None = None,
        make_client: MakeClient | None = None,
    ) -> None:
        self._base = base
        self._life = life
        self._binding = binding
        self._next = next_request
        self._region = region
        self._make_client = make_client
        self._made: Any = None
        self.renew()
        renew_after_fork(self)

    def renew(self) -> None:
        """A lock that nobody holds; in a forked child once more."""
        self._lock = threading.Lock()

    def botocore_session(self) -> Any:
        """The botocore session; the same one every time."""
        with self._lock:
            if self._made is None:
                self._made = self._make()
            return self._made

    def boto3_session(self) -> Any:
        """A boto3 session around it.

        Raises:
            MissingExtraError: boto3 is not installed.
        """
        try:
            import boto3  # type: ignore[import-untyped]
        except ImportError:
            raise MissingExtraError("a boto3 session", "aws") from None
        return boto3.Session(botocore_session=self.botocore_session())

    @property
    def region(self) -> str | None:
        """The region of its sessions."""
        return self._region or self._base.region

    @property
    def account_id(self) -> str | None:
        """The account of the role; None for a task without one."""
        return None if self._next is None else account_of(self._next().role_arn)

    def credentials(self) -> SessionCredentials:
        """The credentials as they are now; assumes the role if that was not done yet.

        Raises:
            PolicyDenied: The task is over.
            SessionError: STS refused or did not answer.
            ConfigurationError: There are no credentials at hand.
        """
        found = self.botocore_session().get_credentials()
        if found is None:
            raise ConfigurationError("no AWS credentials were found for the task to use")
        frozen = found.get_frozen_credentials()
        expires_at = getattr(found, "_expiry_time", None)
        end = datetime.fromtimestamp(self._life.ends_epoch_s, UTC)
        return SessionCredentials(
            access_key_id=frozen.access_key,
            secret_access_key=frozen.secret_key,
            session_token=frozen.token,
            expires_at=end if expires_at is None else min(end, expires_at),
        )

    def _make(self) -> Any:
        """A botocore session that knows one provider of credentials: the task."""
        import botocore.session
        from botocore.credentials import CredentialResolver

        made = botocore.session.Session(profile=self._base.profile)
        if self.region is not None:
            made.set_config_variable("region", self.region)
        provider: Any = _Provider(self._credentials)
        made.register_component("credential_provider", CredentialResolver([provider]))
        return made

    def _credentials(self) -> Any:
        """The task's credentials, not asked for yet."""
        if self._next is None:
            lender = self._base.credentials()
            return lender and BorrowedCredentials(lender, self._life, self._binding)
        make_client = self._make_client or sts_client_maker(self._base.session)
        region = self.region

        def ask(request: SessionRequest) -> dict[str, Any]:
            return assume(request, make_client, region)

        fetcher = RoleFetcher(self._life, self._next, ask)
        return role_credentials(fetcher, self._life, self._binding)


class _Provider:
    """Gives botocore the task's credentials."""

    METHOD = CANONICAL_NAME = "dynaguard-task"

    def __init__(self, load: Callable[[], Any]) -> None:
        self.load = load
