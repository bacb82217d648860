"""`runbook_handler()`: a handler of AWS Lambda that runs a runbook for an event.

    import dynaguard

    dynaguard.install()
    handler = dynaguard.runbook_handler("close-orders", params={"customer_id": "detail.customer"})

Only what is mapped reaches the runbook. Lambda calls a failed asynchronous handler again, from the
start: so a run that ended early is answered, not raised, unless `raises` is set.

Source: requirement line S3.27; AWS Lambda developer guide, the context object, asynchronous
invocation.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, Final

from dynaguard.errors import ApprovalRequired, ConfigurationError, PolicyDenied, RunbookError
from dynaguard.policy.collecting import hint
from dynaguard.runbooks.calling import code_of
from dynaguard.runbooks.lookup import follow
from dynaguard.runbooks.model import ParameterType, Runbook
from dynaguard.runbooks.running import found, run_runbook
from dynaguard.scope import deadline

Handler = Callable[[Any, Any], dict[str, Any]]
_EVENT_KEYS: Final = ("params", "incident", "resume", "doubtful")
RESERVE_S: Final = 2.0
"""Seconds of a function's time that are kept to answer in."""


def runbook_handler(
    runbook: Runbook | str | os.PathLike[str],
    *,
    params: Mapping[str, str] | None = None,
    incident: str | None = None,
    raises: bool = False,
    reserve_s: float = RESERVE_S,
    role: str | None = None,
    session: Any = None,
    region: str | None = None,
    endpoint_url: str | None = None,
    directory: str | os.PathLike[str] | None = None,
) -> Handler:
    """A handler that runs a runbook.

    Args:
        runbook: Its name, its file, or what reading it gave. It is read once, here.
        params: Paths into the event by parameter: `{"customer_id": "detail.customer"}`; other
            members of the event are ignored. None: the event itself is
            `{"params": {...}, "incident": ..., "resume": ..., "doubtful": ...}`, and whatever else
            it holds is refused.
        incident: Path to the id of the incident.
        raises: Whether a run that ended early raises its error, for Step Functions and the like.
        reserve_s: Seconds of the function's time that are kept to answer in.
        role: ARN of the role to assume; None: as the runbook says.
        session: boto3's session; None: the function's own credentials.
        region: Region of its calls; None: the function's.
        endpoint_url: Where its calls go; None: AWS.
        directory: Folder of journals and records; None: below `/tmp`, which does not outlive the
            function's environment. Name one on EFS where runs must be resumed.

    Returns:
        `handler(event, context)`. Its answer is that of `RunResult.as_dict()`, or of a run that
        ended early `outcome` (`failed`, `refused`, `waiting`), `runbook`, `step`, `run`, `ticket`,
        `error` and `message`.

    Raises:
        ConfigurationError: A path is mapped to a parameter that the runbook does not have, or to
            a secret, which must not stand in an event.
    """
    book = found(runbook)
    _check_mapping(book, params or {})

    def handler(event: Any, context: Any) -> dict[str, Any]:
        given = _mapped(event, params, incident) if params is not None else _plain(book, event)
        try:
            with deadline(context, reserve_s=reserve_s):
                return run_runbook(
                    book,
                    given.get("params"),
                    session=session,
                    role=role,
                    region=region,
                    endpoint_url=endpoint_url,
                    incident=given.get("incident"),
                    resume=given.get("resume"),
                    doubtful=given.get("doubtful"),
                    directory=directory,
                ).as_dict()
        except (RunbookError, PolicyDenied) as err:
            if raises:
                raise
            return failure(book.name, err)

    return handler


def failure(runbook: str, err: Exception) -> dict[str, Any]:
    """What programs are told of a run that ended early.

    **Shape**: `outcome` (`waiting`, `refused` or `failed`), `runbook`, `step`, `run`, `ticket`,
    `error` (AWS's code or the kind of error) and `message`.
    """
    cause = err.__cause__ or err
    is_refused = isinstance(cause, PolicyDenied)
    outcome = "waiting" if isinstance(err, ApprovalRequired) else "failed"
    return {
        "outcome": "refused" if is_refused and outcome != "waiting" else outcome,
        "runbook": runbook,
        "step": getattr(err, "step", None),
        "run": getattr(err, "run", None),
        "ticket": getattr(err, "ticket", None),
        "error": code_of(cause),
        "message": getattr(err, "reason", None) or str(err),
    }


def _check_mapping(book: Runbook, params: Mapping[str, str]) -> None:
    """Refuses paths for parameters that cannot be given so."""
    by_name = {parameter.name: parameter for parameter in book.parameters}
    for name in params:
        if name not in by_name:
            raise ConfigurationError(
                f"runbook `{book.name}` has no parameter `{name}`{hint(name, by_name)}"
            )
        if by_name[name].type is ParameterType.SECRET:
            raise ConfigurationError(
                f"parameter `{name}` of runbook `{book.name}` is a secret, which must not stand "
                "in an event: read it where the runbook needs it"
            )


def _mapped(event: Any, params: Mapping[str, str], incident: str | None) -> dict[str, Any]:
    """What a mapping takes out of an event.

    Raises:
        ConfigurationError: The event has no such member. Names the path.
    """
    values = {name: _at(event, path) for name, path in params.items()}
    given: dict[str, Any] = {"params": values}
    if incident is not None:
        given["incident"] = str(_at(event, incident))
    return given


def _at(event: Any, path: str) -> Any:
    try:
        return follow(event, tuple(path.split(".")))
    except KeyError:
        raise ConfigurationError(f"the event has no `{path}`, nothing was run") from None


def _plain(book: Runbook, event: Any) -> dict[str, Any]:
    """The members of an event that is written for the handler.

    Raises:
        ConfigurationError: It has others, or one is of another type.
    """
    if not isinstance(event, Mapping):
        raise ConfigurationError("the event is no mapping, nothing was run")
    for name in event:
        if name not in _EVENT_KEYS:
            raise ConfigurationError(
                f"unknown member `{name}` of the event for runbook `{book.name}`"
                f"{hint(str(name), _EVENT_KEYS)}; nothing was run"
            )
    given = {name: event[name] for name in _EVENT_KEYS if event.get(name) is not None}
    for name, value in given.items():
        kind, what = (Mapping, "a mapping") if name == "params" else (str, "text")
        if not isinstance(value, kind):
            raise ConfigurationError(f"`{name}` of the event must be {what}, nothing was run")
    return given
