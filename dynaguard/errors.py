"""Everything that dynaguard raises.

    DynaguardError
    |-- ConfigurationError (ValueError)    bad settings, environment, arguments
    |   |-- PolicySyntaxError              a policy document; .problems lists all of them
    |   `-- PatchPointError                this botocore cannot be guarded
    |-- MissingExtraError (ImportError)    an optional dependency; names the install command
    |-- PolicyDenied (ClientError)         the call was refused before it was sent
    |   |-- ApprovalRequired               somebody else has to approve it first; .ticket
    |   |-- MaskedWriteRefused             a masked value on its way back to AWS
    |   |-- CursorRefused                  a forged, foreign or expired cursor
    |   |-- TamperedRequest                what is about to be sent is not what was decided
    |   |-- AuditUnavailable               audit is required and cannot be written
    |   `-- CapacityLimitReached           a job's run or a task has used up a limit
    |-- AccessStoreError (OSError)         grants and approvals cannot be read or written
    |-- RunbookError                       a runbook's run ended early; .step
    |-- SessionError (OSError)             temporary credentials cannot be had; .role, .code
    |-- TicketError                        what was to be done with a ticket may not be done
    `-- GuardFailure (ClientError)         dynaguard itself failed and `on_error` is `deny`

INVARIANT: no message holds an item value, a secret or a parameter value; names only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from dynaguard.call import Call, Decision, StatementRef

__all__ = [
    "AccessStoreError",
    "ApprovalRequired",
    "AuditUnavailable",
    "CapacityLimitReached",
    "ConfigurationError",
    "CursorRefused",
    "DynaguardError",
    "DynaguardWarning",
    "GuardFailure",
    "MaskedWriteRefused",
    "MissingExtraError",
    "PatchPointError",
    "PolicyDenied",
    "PolicySyntaxError",
    "Problem",
    "RunbookError",
    "SessionError",
    "TamperedRequest",
    "TicketError",
]


def nearest(word: str, choices: Iterable[str]) -> str | None:
    """The choice that `word` was probably meant to be, or None. Case does not count."""
    import difflib  # for messages alone, so not at import

    by_folded = {choice.casefold(): choice for choice in choices}
    found = difflib.get_close_matches(word.casefold(), by_folded, n=1, cutoff=0.6)
    return by_folded[found[0]] if found else None


class DynaguardError(Exception):
    """Root of every error that dynaguard raises."""


class DynaguardWarning(UserWarning):
    """Something that the operator should see and that must not stop the application."""


class ConfigurationError(DynaguardError, ValueError):
    """Settings, environment or arguments that cannot be used. Nothing was installed."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault of a policy document.

    Attributes:
        message: What is wrong and what to write instead; lower case, input in backticks.
        path: Where in the document, such as `statement[2].Condition.StringEquals`.
        source: The file as named by the user, or `<policy>`.
        line: 1-based line, 0 when not known.
    """

    message: str
    path: str = ""
    source: str = "<policy>"
    line: int = 0

    def __str__(self) -> str:
        """`policy.toml:12: statement[2].Effect: unknown effect `Alow`, did you mean `Allow`?`."""
        place = f"{self.source}:{self.line}" if self.line else self.source
        return f"{place}: {self.path}: {self.message}" if self.path else f"{place}: {self.message}"


class PolicySyntaxError(ConfigurationError):
    """A policy document that is not fully understood. Nothing was installed.

    Attributes:
        problems: Every problem found, in document order.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickles with its problems."""
        return type(self), (self.problems,), _notes_of(self)


class PatchPointError(ConfigurationError):
    """The installed botocore lacks a patch point, or it changed; names version and point."""


class MissingExtraError(DynaguardError, ImportError):
    """An optional dependency is not installed.

    Args:
        feature: What needs it, such as "a YAML policy".
        extra: The extra that brings it, such as `yaml`.
    """

    def __init__(self, feature: str, extra: str) -> None:
        self.feature = feature
        self.extra = extra
        super().__init__(f"{feature} needs an extra, run `pip install 'dynaguard[{extra}]'`")

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickles with its two arguments."""
        return type(self), (self.feature, self.extra), _notes_of(self)


def _notes_of(err: BaseException) -> dict[str, Any]:
    """What `add_note` added, as the state of a pickle."""
    notes = getattr(err, "__notes__", None)
    return {"__notes__": list(notes)} if notes else {}


def _error_response(code: str, message: str, status: int) -> Any:
    """An error answer of AWS's shape, complete enough for code that indexes it."""
    return {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {
            "RequestId": "",
            "HTTPStatusCode": status,
            "HTTPHeaders": {},
            "RetryAttempts": 0,
        },
    }


class _LocalRefusal(DynaguardError, ClientError):
    """A `ClientError` that dynaguard made itself; no request was sent.

    `except ClientError` code keeps working: `response["Error"]["Code"]` is `AccessDeniedException`
    (S3: `AccessDenied`), never a throttling code, so nothing retries it.
    """

    def __init__(
        self,
        message: str,
        *,
        operation: str,
        service: str = "",
        decision: Decision | None = None,
        identity: str = "unknown",
    ) -> None:
        self.decision = _without_items(decision) if decision else None
        self.service = service
        self.operation = operation
        self.identity = identity
        self.acting_as: str | None = None
        self.task: str | None = None
        self.runbook: str | None = None
        self.correlation_id: str | None = None
        self._message = message
        is_s3 = service == "s3"
        code = "AccessDenied" if is_s3 else "AccessDeniedException"
        response = _error_response(code, message, 403 if is_s3 else 400)
        response["Dynaguard"] = {"kind": type(self).__name__, "identity": identity}
        super().__init__(response, operation)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickles with decision and identity (`ClientError`'s own would lose them)."""
        arguments = {
            "operation": self.operation,
            "service": self.service,
            "decision": self.decision,
            "identity": self.identity,
        }
        state = {name: getattr(self, name) for name in _SURROUNDINGS}
        return _rebuild, (type(self), self._message, arguments), {**state, **_notes_of(self)}

    def note_call(self, call: Call) -> None:
        """Takes in what surrounded the call: names alone."""
        self.acting_as, self.task = call.scope.acting_name, call.scope.task
        self.runbook, self.correlation_id = call.scope.runbook, call.correlation_id

    def as_dict(self) -> dict[str, Any]:
        """The refusal as data: what, why, and how to ask for it.

        Returns:
            **Shape**: see the page on agents, and `denial.schema.json` in the package; JSON's own
            types, names alone.
        """
        from dynaguard.denials import denial_dict  # is asked after a refusal, if ever

        return denial_dict(self)

    def as_json(self) -> str:
        """The same as one line of JSON."""
        from dynaguard.denials import denial_json

        return denial_json(self)

    @property
    def statement(self) -> StatementRef | None:
        """The statement that decided; None for the document's default."""
        return self.decision.statement if self.decision else None

    @property
    def resource(self) -> str | None:
        """ARN of the resource that was refused, unknown parts shown as `<unknown>`."""
        offending = self.decision.offending if self.decision else None
        return readable_arn(offending.resource) if offending else None

    @property
    def reason(self) -> str:
        """Why, in one clause."""
        return self.decision.reason if self.decision else self._message

    @property
    def how_to_allow(self) -> str:
        """What would allow it, in one clause; empty where nothing would."""
        return self.decision.how_to_allow if self.decision else ""


_SURROUNDINGS = ("acting_as", "task", "runbook", "correlation_id")


def _rebuild(kind: type[_LocalRefusal], message: str, arguments: dict[str, Any]) -> _LocalRefusal:
    """Builds a refusal again when it is unpickled or copied."""
    return kind(message, **arguments)


def _without_items(decision: Decision) -> Decision:
    """The decision without the parameters that its authorisations were read from.

    An error outlives its call, is pickled to other processes and shown by reporters: it must hold
    no item values, nor streams that do not pickle.
    """
    offending = decision.offending
    return decision._replace(
        authorizations=tuple(need._replace(member={}) for need in decision.authorizations),
        offending=offending._replace(member={}) if offending else None,
    )


def readable_arn(resource: str) -> str:
    """The ARN with each unknown part shown as `<unknown>`, however long it may be."""
    from dynaguard.call import UNKNOWN_CHAR, UNKNOWN_RUN  # values import errors

    return re.sub(f"[{UNKNOWN_CHAR}{UNKNOWN_RUN}]+", "<unknown>", resource)


class PolicyDenied(_LocalRefusal):
    """The policy refuses the call. Raised before anything is sent, never retried.

    Attributes:
        decision: The whole decision; its authorisations hold no parameters.
        service, operation: The call.
        identity: Label of the calling identity.
        acting_as, task, runbook, correlation_id: What surrounded the call; None where unknown.
        statement, resource, reason, how_to_allow: Read from the decision.
    """


class ApprovalRequired(PolicyDenied):
    """The call has to be approved by somebody else first. Nothing was sent.

    Attributes:
        ticket: Id of the ticket under which it was asked for: made again once that is approved,
            the same call by the same identity passes. None where nothing could be asked for.
        run: Id of the run of a runbook that waits for it and can be resumed; else None.
    """

    ticket: str | None = None
    run: str | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickles with its ticket."""
        rebuild, arguments, state = super().__reduce__()
        return rebuild, arguments, {**state, "ticket": self.ticket, "run": self.run}


class MaskedWriteRefused(PolicyDenied):
    """A masked value was on its way back to AWS; the message names the attribute."""


class CursorRefused(PolicyDenied):
    """A sealed cursor is forged, foreign or expired; the message names the key attribute."""


class TamperedRequest(PolicyDenied):
    """What is about to be signed or sent is not what was decided."""


class AuditUnavailable(PolicyDenied):
    """Audit is `required` and its record cannot be written, so the call was not sent."""


class CapacityLimitReached(PolicyDenied):
    """The run of a job has used up a `[[capacity_limit]]`, or a task a limit of its boundary.

    `statement` names that limit, or the runbook or agent whose boundary it is.

    Raised for the next call that would consume more, such as a paginator's next page. Its code is
    no throttling code: to try again helps nothing.
    """


class AccessStoreError(DynaguardError, OSError):
    """The store of grants and approvals cannot be read or written; the message says which, why.

    Nothing was changed, unless the message says that this is not known.
    """


class RunbookError(DynaguardError):
    """The run of a runbook ended early.

    Attributes:
        runbook: Name of the runbook.
        step: Name of the step at which it ended, or None.
        run: Id by which the run can be resumed, or None.
    """

    def __init__(
        self, message: str, *, runbook: str, step: str | None = None, run: str | None = None
    ) -> None:
        self.runbook = runbook
        self.step = step
        self.run = run
        super().__init__(message)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickles with what it names."""
        arguments = {"runbook": self.runbook, "step": self.step, "run": self.run}
        return _rebuild_run, (str(self), arguments), _notes_of(self)


def _rebuild_run(message: str, arguments: dict[str, Any]) -> RunbookError:
    """Builds the error of a run again when it is unpickled or copied."""
    return RunbookError(message, **arguments)


class SessionError(DynaguardError, OSError):
    """The temporary credentials of a task cannot be had, so its call was not sent.

    Attributes:
        role: ARN of the role that was to be assumed.
        code: Error code of STS's answer, or name of what kept it from answering.
    """

    def __init__(self, message: str, *, role: str, code: str = "") -> None:
        self.role = role
        self.code = code
        super().__init__(message)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickles with what it names."""
        arguments = {"role": self.role, "code": self.code}
        return _rebuild_session, (str(self), arguments), _notes_of(self)


def _rebuild_session(message: str, arguments: dict[str, Any]) -> SessionError:
    """Builds the error of a session again when it is unpickled or copied."""
    return SessionError(message, **arguments)


class TicketError(DynaguardError):
    """What was to be done with a ticket may not be done, or not by this person. Nothing changed.

    It is over, was decided already, or who decides asked for it, decided before, or is none of
    those who may; the message says which.
    """


class GuardFailure(_LocalRefusal):
    """dynaguard itself failed while deciding or masking, and `on_error` is `deny`."""
