"""`dynaguard demo`: a job under a policy, against an embedded AWS endpoint, in under a minute."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

import click
from rich.console import Console, RenderableType
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
)
from rich.text import Text

from dynaguard.cli.output import FINDINGS, console, output_option, print_json, reports_errors
from dynaguard.errors import MissingExtraError, PolicyDenied

if TYPE_CHECKING:
    from dynaguard.demo.results import DemoResult

_OF_THE_EXTRA: Final = frozenset({"boto3", "moto", "opentelemetry"})


@click.command("demo", short_help="Shows dynaguard at work: a nightly job.")
@click.option(
    "--endpoint-url",
    metavar="URL",
    help="An emulator that runs already, instead of an embedded one. The demo's tables there are "
    "named `dynaguard-demo-...` and deleted afterwards.",
)
@click.option("--keep", is_flag=True, help="Leave the tables there; needs --endpoint-url.")
@click.option(
    "--replace",
    is_flag=True,
    help="Delete tables that an earlier demo left there; needs --endpoint-url.",
)
@click.option(
    "--audit",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where the audit records go; not given, to a temporary folder that is kept.",
)
@output_option
@reports_errors
def command(
    endpoint_url: str | None, keep: bool, replace: bool, audit: Path | None, output: str
) -> None:
    """Shows dynaguard at work: a nightly job under a policy, against a local AWS endpoint.

    Starts the endpoint, fills tables with made-up customers and orders, and runs a job: allowed
    queries with masked values, refused calls, and a throttled bulk write that keeps to its retry
    budget. Shows the span and the audit record of one call. Uses no AWS account, and neither
    credentials nor settings of yours. Needs the extra `demo`.

    Exits 0 when everything went as the policy says, 1 when something did not.
    """
    if endpoint_url is None and (keep or replace):
        raise click.UsageError("--keep and --replace need --endpoint-url")
    _note_own_settings()
    try:
        result = _run(endpoint_url, keep=keep, replace=replace, audit=audit)
    except PolicyDenied as denial:
        click.echo(f"the demo failed, a call that it needs was refused: {denial}", err=True)
        sys.exit(FINDINGS)
    if output == "json":
        print_json(result.as_dict())
    else:
        from dynaguard.demo.report import print_report

        print_report(result, console())
    if not result.is_as_expected:
        sys.exit(FINDINGS)


def _run(endpoint_url: str | None, *, keep: bool, replace: bool, audit: Path | None) -> DemoResult:
    """Runs the demo with a progress bar.

    Raises:
        MissingExtraError: A package of the extra `demo` is not installed.
    """
    try:
        from dynaguard.demo.running import Options, run_demo
    except ImportError as err:
        if (err.name or "").partition(".")[0] in _OF_THE_EXTRA:
            raise MissingExtraError("the demo", "demo") from err
        raise
    options = Options(endpoint_url=endpoint_url, audit=audit, keep=keep, replace=replace)
    with _Bar() as bar:
        return run_demo(options, bar)


def _note_own_settings() -> None:
    """Says which of the user's variables the demo leaves aside."""
    names = sorted(name for name in os.environ if name.upper().startswith("DYNAGUARD_"))
    if names:
        click.echo(f"note: the demo ignores {', '.join(names)}", err=True)


class _WhereCounted(ProgressColumn):
    """Another column, for steps that count their items; empty for the others."""

    def __init__(self, column: ProgressColumn) -> None:
        super().__init__()
        self._column = column

    def render(self, task: Task) -> RenderableType:
        """What the column shows."""
        return Text() if task.total is None else self._column.render(task)


class _Bar:
    """The current step on standard error; nothing where that is no terminal."""

    def __init__(self) -> None:
        where = Console(stderr=True)
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            _WhereCounted(BarColumn()),
            _WhereCounted(MofNCompleteColumn()),
            console=where,
            transient=True,
            disable=not where.is_terminal,
        )
        self._task = self._progress.add_task("starting", total=None)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def begin(self, what: str, total: int | None = None) -> None:
        """Shows the next step."""
        self._progress.remove_task(self._task)
        self._task = self._progress.add_task(what, total=total)

    def advance(self, count: int) -> None:
        """Moves the bar."""
        self._progress.advance(self._task, count)
