"""`run_runbook()`: runs a runbook to its end, or goes on with a run that was cut off."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dynaguard.hooks.lifecycle import current
from dynaguard.runbooks.finding import find_runbook
from dynaguard.runbooks.interaction import Interaction
from dynaguard.runbooks.model import Runbook
from dynaguard.runbooks.reading import read_runbook
from dynaguard.runbooks.starting import Doubtful, RunOptions, run

if TYPE_CHECKING:
    from dynaguard.runbooks.interaction import AskApproval
    from dynaguard.runbooks.results import RunEvent, RunResult


def run_runbook(
    runbook: Runbook | str | os.PathLike[str],
    params: Mapping[str, Any] | None = None,
    *,
    session: Any = None,
    role: str | None = None,
    region: str | None = None,
    endpoint_url: str | None = None,
    incident: str | None = None,
    is_interactive: bool = False,
    confirm: Callable[[str], bool] | None = None,
    ask_approval: AskApproval | None = None,
    on_event: Callable[[RunEvent], Any] | None = None,
    resume: str | None = None,
    doubtful: Doubtful | None = None,
    directory: str | os.PathLike[str] | None = None,
    time_s: Callable[[], float] = time.time,
    monotonic: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> RunResult:
    """Runs a runbook to its end.

    Args:
        runbook: Its name, its file, or what reading it gave.
        params: Parameter values by name.
        session: boto3's session; None: the credentials at hand.
        role: ARN of the role to assume, narrowed to the runbook's calls; None: as it says itself.
        region: Region of its calls; None: as the session has it.
        endpoint_url: Where its calls go, such as an embedded endpoint; None: AWS.
        incident: Id of the incident or ticket, the correlation id of every call; None: that of the
            scope around, or the id of the run.
        is_interactive: Whether somebody attends the run. One that nobody attends asks nothing and
            is paced as a batch job; steps that would wait for a person are refused before it
            begins.
        confirm: Asks that person: gets a message, gives whether to go on.
        ask_approval: Has things approved; None: by the guard's access store.
        on_event: Hears how the run goes.
        resume: Id of a run that was cut off or waits for an approval, or of its ticket. Needs the
            same runbook and the same parameters.
        doubtful: What is to become of an additive write that was cut off, `done` or `repeat`.
        directory: Folder of journals and records; None: `runs_directory()`.
        time_s: The wall clock, in seconds since the epoch.
        monotonic: The clock of durations, in seconds.
        sleep: Waits so many seconds.

    Returns:
        What it did and what it gave, masked.

    Raises:
        ConfigurationError: Nothing is installed, a parameter is unknown or does not fit, the run
            to resume is not known or is another, or nobody is there to ask.
        PolicyDenied: Who asks may not run the runbook.
        ApprovalRequired: It, or one of its steps, has to be approved first; `.run` resumes it.
        RunbookError: It ended early; `.step` tells where, the cause why, `.run` resumes it.

    Effects: calls AWS; writes its journal before and after every write, and its record after every
        step. May wait: for retry budgets, in pauses, for approvals.
    """
    options = RunOptions(
        session=session,
        role=role,
        region=region,
        endpoint_url=endpoint_url,
        incident=incident,
        is_interactive=is_interactive,
        resume=resume,
        doubtful=doubtful,
        directory=None if directory is None else Path(directory),
        interaction=Interaction(
            confirm=confirm if is_interactive else None,
            ask_approval=ask_approval,
            **({} if on_event is None else {"on_event": on_event}),
            time_s=time_s,
            monotonic=monotonic,
            sleep=sleep,
        ),
    )
    return run(found(runbook), params or {}, options)


def found(runbook: Runbook | str | os.PathLike[str]) -> Runbook:
    """The runbook of a name or file; names are looked up beside the policy in force, too.

    Raises:
        ConfigurationError: There is none.
        PolicySyntaxError: It has a problem.
    """
    if isinstance(runbook, Runbook):
        return runbook
    guard, _ = current()
    policy = None if guard is None else guard.resolved.settings.policy
    return read_runbook(find_runbook(os.fspath(runbook), policy=policy))
