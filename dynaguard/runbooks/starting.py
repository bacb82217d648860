"""One start of a run: binds the parameters, opens the journal, enters the task, tells the end.

A run is crash-safe: what it has done stands in a journal (`journal.py`), and a run that was cut
off, or that waits for an approval, is resumed by its id. It needs a guard: without one nothing
would hold its calls to its boundary.
"""

from __future__ import annotations

import os
import secrets
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from dynaguard.call import NO_CREDENTIALS
from dynaguard.errors import (
    AccessStoreError,
    ApprovalRequired,
    ConfigurationError,
    RunbookError,
)
from dynaguard.hooks.lifecycle import current
from dynaguard.hooks.task_sessions import BaseSession
from dynaguard.runbooks import journal as journals
from dynaguard.runbooks.approving import StoreApprovals
from dynaguard.runbooks.binding import bind
from dynaguard.runbooks.compiling import RunPlace
from dynaguard.runbooks.engine import Engine
from dynaguard.runbooks.entering import (
    Enter,
    Order,
    SessionClients,
    enter_task,
    session_at_hand,
)
from dynaguard.runbooks.interaction import (
    Interaction,
    has_approval_step,
    needs_approval,
    waits_for_people,
)
from dynaguard.runbooks.masking import RunMasks
from dynaguard.runbooks.model import Parameter, ParameterType, Runbook
from dynaguard.runbooks.permission import approvals_of
from dynaguard.runbooks.results import RunResult
from dynaguard.runbooks.runlog import FILE_NAME, RunLog
from dynaguard.runbooks.spending import Spending
from dynaguard.runbooks.state import RunState
from dynaguard.scope import Priority, Scope, ScopeManager, current_scope, sanitise_correlation_id

if TYPE_CHECKING:
    from dynaguard.call import Principal
    from dynaguard.guard import Guard
    from dynaguard.runbooks.bound import BoundRunbook
    from dynaguard.runbooks.interaction import AskApproval
    from dynaguard.runbooks.journal import Journal

Doubtful = Literal["done", "repeat"]
Bind = Callable[[Runbook, Mapping[str, Any], RunPlace], "BoundRunbook"]
_ID_BYTES: Final = 8


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How a run takes place.

    Attributes:
        session: boto3's session; None: the credentials at hand.
        role: ARN of the role to assume; None: as the runbook says.
        region: Region of its calls; None: as the session has it.
        endpoint_url: Where its calls go; None: AWS.
        incident: Id of the incident or ticket that it belongs to: its correlation id.
        is_interactive: Whether somebody attends it: then it may ask, and is not paced.
        resume: Id of a run to go on with, or of a ticket that it waited for.
        doubtful: What is to become of an additive write that was cut off: it counts as `done`, or
            is made again (`repeat`); None: the run ends there.
        directory: Folder of journals and records; None: `runs_directory()`.
        interaction: Whom it talks to.
        enter: Enters its task.
        bind: Binds its parameters.
    """

    session: Any = field(default=None, repr=False)
    role: str | None = None
    region: str | None = None
    endpoint_url: str | None = None
    incident: str | None = None
    is_interactive: bool = False
    resume: str | None = None
    doubtful: Doubtful | None = None
    directory: Path | None = None
    interaction: Interaction = field(default_factory=Interaction)
    enter: Enter = enter_task
    bind: Bind | None = None


def run(runbook: Runbook, params: Mapping[str, Any], options: RunOptions) -> RunResult:
    """Runs a runbook, see `run_runbook`."""
    if options.doubtful not in (None, "done", "repeat"):
        raise ConfigurationError("`doubtful` must be `done` or `repeat`, nothing was run")
    guard = _guard_in_force(runbook)
    waiting = waits_for_people(runbook)
    if waiting and options.interaction.confirm is None:
        raise ConfigurationError(
            f"runbook `{runbook.name}` waits for somebody at step `{waiting[0]}`, and nobody "
            "attends this run: run it interactively, or give the pause a duration"
        )
    session = options.session or session_at_hand(options.region)
    options = replace(options, session=session)
    bound = (options.bind or _bind)(runbook, params, _place(runbook, guard, options))
    directory = options.directory or runs_directory(os.environ)
    journal, task = _open_journal(bound, options, directory)
    try:
        return _Run(bound, guard, options, journal, task, directory).execute()
    except (RunbookError, ApprovalRequired, AccessStoreError) as err:
        _tell_how_to_resume(err, bound, journal)
        raise
    finally:
        journal.close()
        _drop_if_untouched(journal)


def runs_directory(environ: Mapping[str, str]) -> Path:
    """The folder of journals and records where none is named.

    `$XDG_STATE_HOME/dynaguard/runs`, or `~/.local/state/dynaguard/runs`. In a Lambda function,
    whose file system is read-only elsewhere, below `/tmp`: there it lives no longer than the
    function's environment.
    """
    if "AWS_LAMBDA_FUNCTION_NAME" in environ:
        return Path(tempfile.gettempdir()) / "dynaguard" / "runs"
    state = environ.get("XDG_STATE_HOME")
    base = Path(state) if state else Path.home() / ".local" / "state"
    return base / "dynaguard" / "runs"


@dataclass(slots=True)
class _Run:
    """One start of a run."""

    bound: BoundRunbook
    guard: Guard
    options: RunOptions
    journal: Journal
    task: str
    directory: Path

    def execute(self) -> RunResult:
        """Enters the task and executes the steps."""
        options, interaction = self.options, self.options.interaction
        ask = interaction.ask_approval or self._store_approvals()
        order = Order(
            bound=self.bound,
            task=self.task,
            run=str(self.journal.head["task"]),
            correlation_id=self._correlation_id(),
            role=options.role,
            region=options.region,
            session=options.session,
            endpoint_url=options.endpoint_url,
            ask_approval=ask,
        )
        started_s = interaction.monotonic()
        with options.enter(order) as session, ScopeManager(self._derive):
            clients = SessionClients(session, options.region, options.endpoint_url)
            asking = replace(interaction, ask_approval=ask)
            return self._steps(clients, asking, order.correlation_id, started_s)

    def _store_approvals(self) -> AskApproval | None:
        """Asks by the guard's access store; None where nothing has to be approved.

        Raises:
            ConfigurationError: A step has to be, and nobody can be asked. Of the run as a whole
                whoever enters its task tells that.
        """
        runbook, guard = self.bound.runbook, self.guard
        if not needs_approval(runbook, guard.document):
            return None
        is_open = guard.rooms.access.approvals is None or guard.document is None
        if is_open and not has_approval_step(runbook):
            return None
        return StoreApprovals(approvals_of(guard, runbook), self._who(), self.journal)

    def _steps(
        self,
        clients: SessionClients,
        interaction: Interaction,
        correlation_id: str,
        started_s: float,
    ) -> RunResult:
        """The steps, between the first and the last line of the record."""
        principal = self._who()
        state = self._state(clients, interaction, principal, started_s)
        log = self._log(principal, correlation_id)
        log.write("begin")
        outcome = "failed"
        try:
            Engine(state, log.step).run()
            self.journal.finish()
            outcome = "done"
        except ApprovalRequired:
            outcome = "waiting"
            raise
        finally:
            if self.guard.rooms.budgets is not None:
                self.guard.rooms.budgets.made().adopt(self.task, None)
            elapsed_s = interaction.monotonic() - started_s
            log.write("end", is_required=False, outcome=outcome, elapsed_s=round(elapsed_s, 6))
        return RunResult(
            runbook=self.bound.runbook.name,
            sha256=self.bound.runbook.sha256,
            task=self.task,
            who=principal.name,
            correlation_id=correlation_id,
            steps=tuple(state.records),
            outputs=state.outputs,
            elapsed_s=elapsed_s,
        )

    def _log(self, principal: Principal, correlation_id: str) -> RunLog:
        """The record, every line of which tells whose run of what it is."""
        head = {
            "runbook": self.bound.runbook.name,
            "sha256": self.bound.runbook.sha256,
            "task": self.task,
            "who": principal.name,
            "correlation_id": correlation_id,
        }
        path = self.directory / FILE_NAME
        return RunLog(path, head, self.options.interaction.time_s)

    def _state(
        self,
        clients: SessionClients,
        interaction: Interaction,
        principal: Principal,
        started_s: float,
    ) -> RunState:
        """What the parts of the run share."""
        return RunState(
            bound=self.bound,
            task=self.task,
            guard=self.guard,
            clients=clients,
            journal=self.journal,
            spending=self._spending(started_s),
            masks=RunMasks(self.bound.runbook.masks, self.guard, principal),
            interaction=interaction,
            doubtful=self.options.doubtful,
            known_steps=frozenset(self.journal.steps),
        )

    def _who(self) -> Principal:
        """Who runs it: the identity that it starts from, before any role is assumed."""
        session = self.options.session
        facts = BaseSession(session).facts() if hasattr(session, "get_credentials") else None
        scope = current_scope()
        return self.guard.rooms.resolver.resolve(facts or NO_CREDENTIALS, scope)

    def _correlation_id(self) -> str:
        """The incident of the run, or of the scope around it, or the run itself."""
        given = self.options.incident
        if given:
            return sanitise_correlation_id(given)
        return current_scope().correlation_id or self.task

    def _derive(self, scope: Scope) -> Scope:
        """The scope of its calls: nothing waits past its end; unattended, it is paced."""
        end_s = time.monotonic() + self.bound.runbook.limits.duration_s
        given_s = scope.deadline_monotonic_s
        is_paced = not self.options.is_interactive and scope.priority is Priority.INTERACTIVE
        return replace(
            scope,
            priority=Priority.BATCH if is_paced else scope.priority,
            deadline_monotonic_s=end_s if given_s is None else min(end_s, given_s),
        )

    def _spending(self, started_s: float) -> Spending:
        """What it may take; less time where the scope around it ends before."""
        limits, interaction = self.bound.runbook.limits, self.options.interaction
        ends_s = started_s + limits.duration_s
        outer_s = current_scope().deadline_monotonic_s
        if outer_s is not None:
            ends_s = min(ends_s, interaction.monotonic() + outer_s - time.monotonic())
        return Spending(self.bound.runbook.name, limits, ends_s, interaction.monotonic)


def _bind(runbook: Runbook, params: Mapping[str, Any], place: RunPlace) -> BoundRunbook:
    """The runbook with its parameters."""
    return bind(
        runbook,
        params,
        region=place.region,
        account_id=place.account_id,
        partition=place.partition,
    )


def _place(runbook: Runbook, guard: Guard, options: RunOptions) -> RunPlace:
    """Where its calls go: the role's account, or the one that the settings name."""
    region = options.region or options.session.region_name
    role = options.role or runbook.access.role_arn
    _, partition, _, _, account_id, *_ = f"{role or 'arn:aws:::'}:".split(":")
    return RunPlace(partition or "aws", region, account_id or guard.resolved.settings.account_id)


def _guard_in_force(runbook: Runbook) -> Guard:
    """The guard.

    Raises:
        ConfigurationError: None is installed, it is off, or it guards single clients alone:
            nothing would hold the run's calls to what the runbook says.
    """
    guard, installation = current()
    if guard is None or installation is None or not installation.is_global:
        raise ConfigurationError(
            f"runbook `{runbook.name}` was not run: nothing is installed that would hold its "
            "calls to it, call `dynaguard.install()` first (`attach()` guards single clients)"
        )
    return guard


def _open_journal(
    bound: BoundRunbook, options: RunOptions, directory: Path
) -> tuple[Journal, str]:
    """The journal of the run, new or gone on with, and the id of this start's task."""
    runbook = bound.runbook
    if options.resume is None:
        run_id = secrets.token_hex(_ID_BYTES)
        began = datetime.fromtimestamp(options.interaction.time_s(), UTC)
        head = {
            "runbook": runbook.name,
            "sha256": runbook.sha256,
            "subject_sha256": bound.subject_sha256,
            "task": run_id,
            "began": f"{began:%Y-%m-%dT%H:%M:%SZ}",
        }
        return journals.begin(directory, head), run_id
    journal = journals.reopen(directory, options.resume)
    fault = _difference(bound, journal)
    if fault is not None:
        journal.close()
        raise ConfigurationError(f"run `{options.resume}` cannot be resumed: {fault}")
    journal.note("start")
    return journal, f"{journal.head['task']}-{journal.starts}"


def _difference(bound: BoundRunbook, journal: Journal) -> str | None:
    """Why a run is not this one, or None."""
    head = journal.head
    if journal.has_ended:
        return "it came to its end"
    if head["runbook"] != bound.runbook.name:
        return f"it is one of runbook `{head['runbook']}`"
    if head["sha256"] != bound.runbook.sha256:
        return "the runbook was changed since, begin a new run"
    if head["subject_sha256"] != bound.subject_sha256:
        return "it was begun with other parameters"
    return None


def _tell_how_to_resume(
    err: RunbookError | ApprovalRequired | AccessStoreError, bound: BoundRunbook, journal: Journal
) -> None:
    """Notes on the error what is done, what is in doubt, and how to go on."""
    run_id = str(journal.head["task"])
    if not isinstance(err, AccessStoreError):
        err.run = run_id
    if isinstance(err, ApprovalRequired) and err.ticket:
        journal.note("ticket", ticket=err.ticket)
    else:
        journal.note("cut", step=getattr(err, "step", None))
    done = "1 write is done" if journal.done == 1 else f"{journal.done or 'no'} writes are done"
    doubt = f", {journal.doubtful} in doubt" if journal.doubtful else ""
    given = (each for each in bound.runbook.parameters if each.name in bound.values)
    values = "".join(f" {_option_of(each)}" for each in given if each.default is None)
    err.add_note(
        f"run `{run_id}`: {done}{doubt}; go on with it, with the same values, by "
        f"`dynaguard runbook run {bound.runbook.name}{values} --resume {run_id}`"
    )


def _option_of(parameter: Parameter) -> str:
    """How a parameter is given on the command line; without its value."""
    is_secret = parameter.type is ParameterType.SECRET
    return f"--{'secret' if is_secret else 'param'} {parameter.name}=..."


def _drop_if_untouched(journal: Journal) -> None:
    """Leaves no journal of a run that never began."""
    if not (journal.events or journal.has_ended):
        journal.path.unlink(missing_ok=True)
