"""How commands print: text for people, JSON for programs, errors on one line."""

from __future__ import annotations

import functools
import json
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any, Final, NoReturn, ParamSpec, TypeVar

import click
from rich.console import Console
from rich.table import Table

from dynaguard.errors import DynaguardError, PolicySyntaxError

FINDINGS: Final = 1
USAGE: Final = 2
_UNWRAPPED: Final = 1000

_P = ParamSpec("_P")
_R = TypeVar("_R")

output_option = click.option(
    "--output",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How to print the result.",
)


def console() -> Console:
    """Where text goes: standard output, in colour on a terminal (`NO_COLOR` respected).

    Elsewhere nothing is wrapped, so that ids can be searched for; COLUMNS says otherwise.
    """
    is_free = not sys.stdout.isatty() and "COLUMNS" not in os.environ
    return Console(highlight=False, soft_wrap=True, width=_UNWRAPPED if is_free else None)


def print_json(value: Mapping[str, Any]) -> None:
    """Prints one JSON document."""
    click.echo(json.dumps(value, indent=2, default=str))


def table(*columns: str) -> Table:
    """An empty table in the house style; what its first column names is not broken."""
    made = Table(box=None, pad_edge=False, header_style="bold")
    for place, column in enumerate(columns):
        made.add_column(column, overflow="fold", no_wrap=place == 0)
    return made


def counted(count: object, noun: str) -> str:
    """`1 mask`, `2 masks`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def fail(message: str) -> NoReturn:
    """Ends the command with exit code 2 and one error per line."""
    for line in message.splitlines():
        click.echo(f"error: {line}", err=True)
    sys.exit(USAGE)


def reports_errors(command: Callable[_P, _R]) -> Callable[_P, _R]:
    """Turns dynaguard's own errors into exit code 2 without a traceback."""

    @functools.wraps(command)
    def wrapper(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        try:
            return command(*args, **kwargs)
        except PolicySyntaxError as err:
            fail("\n".join(str(problem) for problem in err.problems))
        except DynaguardError as err:
            fail(str(err))

    return wrapper
