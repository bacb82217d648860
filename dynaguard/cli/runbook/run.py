"""`dynaguard runbook run`: runs a runbook, for people or for programs."""

from __future__ import annotations

import json
import sys
from typing import Any, Final, NoReturn

import click
from rich.console import Console
from rich.status import Status

import dynaguard
from dynaguard.cli.output import output_option, print_json, reports_errors
from dynaguard.cli.runbook.options import named_runbook
from dynaguard.cli.runbook.values import (
    params_file_option,
    run_param_option,
    run_values,
    secret_option,
)
from dynaguard.errors import ApprovalRequired, PolicyDenied, RunbookError
from dynaguard.runbooks.handler import failure
from dynaguard.runbooks.results import RunEvent, line_of, plain
from dynaguard.runbooks.running import run_runbook

ENDED_EARLY: Final = 1
WAITING: Final = 3
REFUSED: Final = 4


@click.command("run", short_help="Runs a runbook and holds it to its steps.")
@click.argument("name")
@run_param_option
@params_file_option
@secret_option
@click.option("--role", help="ARN of the role to assume, narrowed to the runbook's calls.")
@click.option("--region", help="The region of its calls.")
@click.option("--endpoint-url", help="Where its calls go, such as an embedded endpoint.")
@click.option("--incident", help="Id of the incident or ticket: the correlation id of its calls.")
@click.option("--yes", is_flag=True, help="Go on at every pause without asking.")
@click.option("--non-interactive", is_flag=True, help="Ask nothing, whatever the terminal.")
@click.option("--resume", help="Go on with a run, by its id or the ticket that it waited for.")
@click.option(
    "--doubtful",
    type=click.Choice(["done", "repeat"]),
    help="With --resume: whether a write that was cut off counts as done or is made again.",
)
@click.option("--runs", "directory", type=click.Path(file_okay=False), help="Folder of journals.")
@output_option
@reports_errors
def command(
    name: str,
    params: tuple[str, ...],
    params_file: str | None,
    secrets: tuple[str, ...],
    role: str | None,
    region: str | None,
    endpoint_url: str | None,
    incident: str | None,
    yes: bool,
    non_interactive: bool,
    resume: str | None,
    doubtful: Any,
    directory: str | None,
    output: str,
) -> None:
    """Runs a runbook under the policy in force, and enforces it while it runs.

    Prints what the steps gave, masked, to standard output and its progress to standard error.
    Asks at its pauses where a terminal is attached; otherwise never. A run that was cut off, or
    that waits for an approval, goes on with --resume: what it wrote is not written again.

    Exits 0 when it came to its end, 1 when it ended early (a check, a limit, an error of AWS), 2
    on wrong usage, 3 when it waits for an approval, 4 when the guard refused it.
    """
    is_attended = not non_interactive and (yes or sys.stdin.isatty())
    with dynaguard.install():
        runbook = named_runbook(name)
        values = run_values(runbook, params, params_file, secrets, may_ask=is_attended and not yes)
        progress = _Progress(is_shown=output == "text")
        try:
            with progress:
                result = run_runbook(
                    runbook,
                    values,
                    role=role,
                    region=region,
                    endpoint_url=endpoint_url,
                    incident=incident,
                    is_interactive=is_attended,
                    confirm=(lambda _: True) if yes else progress.confirm,
                    on_event=progress.hear,
                    resume=resume,
                    doubtful=doubtful,
                    directory=directory,
                )
        except (RunbookError, PolicyDenied) as err:
            _end_early(runbook.name, err, output)
    if output == "json":
        print_json(result.as_dict())
    else:
        click.echo(json.dumps(plain(result.outputs), indent=2))
        told = f"{result.runbook}: done in {result.elapsed_s:.2f} s, task {result.task}"
        click.echo(told, err=True)


def _end_early(runbook: str, err: RunbookError | PolicyDenied, output: str) -> NoReturn:
    """Tells why the run ended and how to go on."""
    told = failure(runbook, err)
    if output == "json":
        print_json(told)
    else:
        click.echo(f"error: {told['message']}", err=True)
        for note in getattr(err, "__notes__", ()):
            click.echo(note, err=True)
    if isinstance(err, ApprovalRequired):
        sys.exit(WAITING)
    sys.exit(REFUSED if told["outcome"] == "refused" else ENDED_EARLY)


class _Progress:
    """A line for each step, on standard error; how far the current one is on a terminal."""

    def __init__(self, *, is_shown: bool) -> None:
        self._console = Console(stderr=True, highlight=False, quiet=not is_shown)
        self._status: Status | None = None

    def __enter__(self) -> None:
        if self._console.is_terminal:
            self._status = self._console.status("starting")
            self._status.start()

    def __exit__(self, *_error: object) -> None:
        if self._status is not None:
            self._status.stop()

    def hear(self, event: RunEvent) -> None:
        """Shows an event."""
        place = f"{event.number}/{event.total}"
        if event.record is not None:
            self._console.print(f"{place} {line_of(event.record)}", markup=False)
        elif self._status is not None:
            counted = f", {event.kind} {event.count}" if event.count else ""
            self._status.update(f"{place} {event.step}{counted}")

    def confirm(self, message: str) -> bool:
        """Asks whether to go on."""
        if self._status is not None:
            self._status.stop()
        try:
            return click.confirm(message, err=True)
        finally:
            if self._status is not None:
                self._status.start()
