"""The life of one call: which step comes when, and nothing else.

    Call -> identify -> unseal -> authorise -> inspect -> limit -> intend -> admit -> stamp -> AWS
                                                                                              |
    caller <- record (books, audit, span, metrics) <- mask <- learn <-------------------------+

Each step lives in a room of its own; a step that the settings do not use is not in the list. The
guard never sleeps, never sends and knows nothing of botocore: `hooks/` asks and acts.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from dynaguard.call import UNKNOWN_PRINCIPAL, Status, Verdict
from dynaguard.errors import (
    ApprovalRequired,
    AuditUnavailable,
    DynaguardWarning,
    GuardFailure,
    PolicyDenied,
    TamperedRequest,
)
from dynaguard.fitting import Fitting, OwnSteps
from dynaguard.interruption import came_from_handler
from dynaguard.settings import Mode, ResolvedSettings

if TYPE_CHECKING:
    from dynaguard.accounting import Accounting
    from dynaguard.attempts import Attempts
    from dynaguard.authorising import Authorising
    from dynaguard.aws.dynamodb.schemas import KeySchemas
    from dynaguard.call import Authorization, Call, CredentialFacts, Decision
    from dynaguard.concealment import Concealment
    from dynaguard.fitting import Rooms
    from dynaguard.lasting import Lasting
    from dynaguard.limiting import Limiting
    from dynaguard.passage import Passage
    from dynaguard.policy.model import PolicyDocument
    from dynaguard.recording import Recording
    from dynaguard.telemetry.span import CallSpan

_RefusalT = TypeVar("_RefusalT", bound=PolicyDenied)


@dataclass(slots=True)
class Counters:
    """Counts since the guard was built. Plain additions: exact per thread, near enough across."""

    decisions: int = 0
    denials: int = 0
    failures: int = 0
    undecided_caught: int = 0


class Guard:
    """Guards calls by one policy and one set of settings. Made by `install()` and `attach()`.

    Usable as a context manager: `with dynaguard.install(...):` uninstalls at the end, unless an
    outer `install()` is still in force.

    Attributes:
        resolved: The settings in force and where each came from.
        document: The policy document in force, or None.
        rooms: What it works with.
        counters: Counts since it was built.
        attempts: Its calls' attempts under their retry budgets.
        concealment: What its masks do to a call, or None without masks.
        accounting: What a call does to the books, or None where none are kept.
        recording: What calls and changes in access leave behind.
        limiting: The limits of tasks' boundaries.
        lasting: Whether calls that have waited may still be sent.
        new_passage, schemas, authorising, entry_steps: For its own use.
    """

    __slots__ = (
        "__weakref__",
        "accounting",
        "attempts",
        "authorising",
        "concealment",
        "counters",
        "document",
        "entry_steps",
        "lasting",
        "limiting",
        "monotonic",
        "new_passage",
        "recording",
        "release",
        "resolved",
        "rooms",
        "schemas",
    )

    rooms: Rooms
    attempts: Attempts
    concealment: Concealment | None
    accounting: Accounting | None
    recording: Recording
    limiting: Limiting
    lasting: Lasting
    new_passage: type[Passage]
    schemas: KeySchemas | None
    authorising: Authorising
    entry_steps: tuple[Callable[[Passage], None], ...]

    def __init__(
        self,
        resolved: ResolvedSettings,
        document: PolicyDocument | None,
        fit: Callable[[OwnSteps], Fitting],
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.resolved = resolved
        self.document = document
        self.counters = Counters()
        self.monotonic = monotonic
        self.release: Callable[[], None] | None = None
        own = OwnSteps(
            self._refusal, self._refuse, self._record_denial, self._note_failure, self._intend
        )
        for name, value in fit(own)._asdict().items():
            setattr(self, name, value)

    def end(self) -> None:
        """Closes what is open: the audit log, the access store; has telemetry tell what waits."""
        self.rooms.audit.close()
        if self.rooms.access.store is not None:
            self.rooms.access.store.close()
        self.rooms.telemetry.end()

    def __enter__(self) -> Self:
        """The guard itself; it is installed already."""
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Takes back the `install()` that gave this guard."""
        if self.release:
            self.release()

    # --- before the call leaves ------------------------------------------------------------

    def enter(
        self,
        call: Call,
        *,
        needs: tuple[Authorization, ...] | None = None,
        started_s: float | None = None,
        span: CallSpan | None = None,
        may_wait: bool = True,
    ) -> Passage:
        """Decides a call; gives its passage when it may go on.

        Args:
            call: The call.
            needs: What it needs, where the parameters do not tell; None: read them.
            started_s: Clock reading (`monotonic`) when the caller entered the client.
            span: The span that is to tell of it, or None.
            may_wait: Whether it may wait for people who approve it.

        Raises:
            PolicyDenied: It may not. The denial is on record.
            GuardFailure: dynaguard failed and `on_error` is `deny`.
        """
        self.counters.decisions += 1
        passage = self.new_passage(call, UNKNOWN_PRINCIPAL, started_s or self.monotonic())
        passage.needs, passage.span, passage.may_wait = needs, span, may_wait
        try:
            passage.principal = self.rooms.resolver.resolve(
                call.credentials, call.scope, passage.started_s
            )
            for step in self.entry_steps:
                step(passage)
        except PolicyDenied as denial:
            self._record_denial(passage, denial)
            raise
        except Exception as err:  # noqa: BLE001 - on_error decides, and says so
            self._fail(passage, err)
        except BaseException as err:
            self.leave(passage, Status.ERROR, type(err).__name__)
            raise
        return passage

    def _refuse(self, passage: Passage, decision: Decision) -> None:
        """Raises the denial, or notes that the mode let the call through."""
        if self.resolved.settings.mode is Mode.OBSERVE:
            self.counters.denials += 1
            passage.decision = decision._replace(is_enforced=False)
            return
        passage.decision = decision
        from dynaguard.policy.decision import denial_message  # few processes are refused anything

        message = denial_message(passage.call, passage.principal, decision)
        if decision.verdict is not Verdict.REQUIRE_APPROVAL:
            raise self._refusal(PolicyDenied, passage, message)
        refusal = self._refusal(ApprovalRequired, passage, message)
        refusal.ticket = passage.ticket
        raise refusal

    def _intend(self, passage: Passage) -> None:
        """Step: with `required` audit, the intent is on disk before the call leaves."""
        try:
            self.recording.intend(passage)
        except OSError as err:
            message = (
                f"{passage.call.operation} was not sent: audit is required and its record cannot "
                f"be written to `{self.resolved.settings.audit}` ({err.strerror})"
            )
            raise self._refusal(AuditUnavailable, passage, message) from err

    def _note_failure(self) -> None:
        """Counts a failure of dynaguard's own."""
        self.counters.failures += 1

    def _refusal(self, kind: type[_RefusalT], passage: Passage, message: str) -> _RefusalT:
        """A refusal of a passage's call."""
        self.counters.denials += 1
        return kind(
            message,
            operation=passage.call.operation,
            service=passage.call.service,
            decision=passage.decision,
            identity=passage.principal.name,
        )

    def _fail(self, passage: Passage, err: Exception) -> None:
        """A failure of dynaguard's own: refuses, or lets through and says so."""
        if came_from_handler(err):
            self.leave(passage, Status.ERROR, type(err).__name__)
            raise err  # meant for the application
        self.counters.failures += 1
        call, kind = passage.call, type(err).__name__
        # A task makes its own calls or none: nothing may leave its boundary by an accident.
        is_in_task = bool(call.scope.boundaries)
        if self.resolved.settings.on_error == "allow" and not is_in_task:
            warnings.warn(
                f"dynaguard failed to decide {call.service}:{call.operation} ({kind}) and lets it "
                "through, since `on_error` is `allow`",
                DynaguardWarning,
                stacklevel=2,
            )
            return
        hint = "" if is_in_task else ", and set `on_error` to `allow` to go on meanwhile"
        failure = GuardFailure(
            f"dynaguard failed to decide {call.operation} ({kind}), it was not sent; report this"
            f"{hint}",
            operation=call.operation,
            service=call.service,
            decision=passage.decision,
            identity=passage.principal.name,
        )
        self._record_denial(passage, failure)
        raise failure from err

    def seal_broken(self, passage: Passage, what: str) -> TamperedRequest:
        """The refusal of a request that is not the decided one; `what` names the part."""
        operation = passage.call.operation
        message = f"{operation} was not sent: its {what} changed after it was decided"
        return self._refusal(TamperedRequest, passage, message)

    def signed_by(self, passage: Passage, credentials: CredentialFacts) -> None:
        """Takes in that botocore refreshed the credentials after the call was decided.

        Raises:
            PolicyDenied: They are another identity's, which may not make the call.
        """
        if not self.authorising.is_another(passage, credentials):
            return
        passage.may_wait = False  # botocore is signing: the signature would be stale
        try:
            self.authorising.authorise(passage)
        except PolicyDenied as denial:
            self._record_denial(passage, denial)
            raise
        if self.concealment is not None:
            self.concealment.plan(passage)

    # --- on the way back ---------------------------------------------------------------------

    def mask(
        self,
        passage: Passage,
        parsed: dict[str, Any],
        sensitive: Callable[[], object] | None = None,
    ) -> None:
        """Masks a parsed answer in place, a success or an error.

        Args:
            passage: The call.
            parsed: botocore's parsed answer.
            sensitive: Gives what the service's model marks sensitive (`SensitiveModel`).

        Raises:
            GuardFailure: The masks failed. The answer is withheld whatever `on_error` says: it
                must not reach the caller half masked.
        """
        passage.is_masked = True
        if passage.plan is None:
            return
        if self.concealment is None:  # another guard's: nobody here could apply it
            raise self.withheld(passage, "its masks are another guard's")
        try:
            self.concealment.mask(passage, parsed, sensitive)
        except Exception as err:
            self.counters.failures += 1
            raise self.withheld(passage, f"masking failed ({type(err).__name__})") from err

    def learn_schema(self, passage: Passage, parsed: Mapping[str, Any]) -> None:
        """Takes in the key schema that an answer tells. Never raises."""
        schemas, decision = self.schemas, passage.decision
        if schemas is None or decision is None or passage.call.service != "dynamodb":
            return
        from dynaguard.aws.dynamodb.schemas import TELLING_OPERATIONS

        description = parsed.get(TELLING_OPERATIONS[passage.call.operation])
        name = description.get("TableName") if isinstance(description, Mapping) else None
        for need in decision.authorizations:
            if name is not None and need.table_name == name and need.index_name is None:
                schemas.learn(passage.call, need.resource, description)
                return

    def withheld(self, passage: Passage, why: str) -> GuardFailure:
        """The error in place of an answer that could not be masked."""
        call = passage.call
        return GuardFailure(
            f"the answer of {call.operation} could not be masked and is withheld: {why}",
            operation=call.operation,
            service=call.service,
            decision=passage.decision,
            identity=passage.principal.name,
        )

    def leave(self, passage: Passage, status: Status, error_code: str | None = None) -> None:
        """Records how the call ended, once."""
        self.recording.leave(passage, status, error_code)

    def note_unsent(self, call: Call, started_s: float, error_code: str) -> None:
        """Records a call that failed before it could be decided, such as invalid parameters."""
        principal = self.rooms.resolver.resolve(call.credentials, call.scope)
        passage = self.new_passage(call, principal, started_s)
        self.leave(passage, Status.ERROR, error_code)

    def _record_denial(self, passage: Passage, denial: PolicyDenied | GuardFailure) -> None:
        """Records a refusal in the deciding step itself: nothing later may be relied on."""
        denial.note_call(passage.call)
        self.leave(passage, Status.DENIED, denial.response["Error"]["Code"])
