"""Values of parameters for a run: from the command line, files, the environment, prompts.

INVARIANT: a secret is never taken from the command line, where every process of the machine and
the history of the shell can read it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import click

from dynaguard.cli.runbook.options import given_values, with_secrets
from dynaguard.errors import ConfigurationError
from dynaguard.policy.reading import read_source
from dynaguard.runbooks.model import ParameterType, Runbook

_FILE: Final = "@"
_STANDARD_INPUT: Final = "-"
_ENVIRONMENT: Final = "env:"

run_param_option = click.option(
    "--param",
    "params",
    multiple=True,
    metavar="NAME=VALUE",
    help="Value of a parameter; `NAME=@FILE` reads it from a file. May be repeated.",
)
params_file_option = click.option(
    "--params-file", type=click.Path(dir_okay=False), help="Values as a TOML, JSON or YAML table."
)
secret_option = click.option(
    "--secret",
    "secrets",
    multiple=True,
    metavar="NAME=SOURCE",
    help="Secret parameter from `env:VARIABLE`, `@FILE` or `-` (one line of standard input). "
    "Without one it is asked for.",
)


def run_values(
    runbook: Runbook,
    params: Iterable[str],
    params_file: str | None,
    secrets: Iterable[str],
    *,
    may_ask: bool,
    environ: Mapping[str, str] = os.environ,
) -> dict[str, Any]:
    """The values of a run, as they were given.

    Args:
        runbook: The runbook.
        params: `NAME=VALUE`, `NAME=@FILE`.
        params_file: A file of values; those of the command line count before it.
        secrets: `NAME=SOURCE`.
        may_ask: Whether somebody is there to ask for missing secrets.
        environ: The environment.

    Raises:
        ConfigurationError: A secret stands on the command line or in the file of values, or a
            source cannot be read. Values are not told.
    """
    secret_names = {
        parameter.name
        for parameter in runbook.parameters
        if parameter.type is ParameterType.SECRET
    }
    values: dict[str, Any] = {}
    if params_file is not None:
        values.update(read_source(params_file).data)
    given = given_values(params)
    for name in secret_names & (given.keys() | values.keys()):
        if name in values or not given[name].startswith(_FILE):
            raise ConfigurationError(
                f"`{name}` is a secret and is not taken from there, give it by `--secret "
                f"{name}=env:VARIABLE`, `--secret {name}=@FILE`, or when it is asked for"
            )
    values.update({name: _value(name, text) for name, text in given.items()})
    for name, source in given_values(secrets).items():
        values[name] = _secret(name, source, environ)
    return with_secrets(runbook, values) if may_ask else values


def _value(name: str, text: str) -> str:
    """A value of the command line, or of the file that it names."""
    return _content(name, text[1:]) if text.startswith(_FILE) else text


def _secret(name: str, source: str, environ: Mapping[str, str]) -> str:
    """A secret from where it is kept."""
    if source.startswith(_ENVIRONMENT):
        variable = source.removeprefix(_ENVIRONMENT)
        if variable not in environ:
            raise ConfigurationError(f"the variable `{variable}` for `{name}` is not set")
        return environ[variable]
    if source == _STANDARD_INPUT:
        return sys.stdin.readline().rstrip("\n")
    if source.startswith(_FILE):
        return _content(name, source[1:])
    raise ConfigurationError(
        f"`--secret {name}=...` takes `env:VARIABLE`, `@FILE` or `-`, not the secret itself"
    )


def _content(name: str, path: str) -> str:
    """What a file holds, without the line feed at its end."""
    try:
        return Path(path).read_text(encoding="utf-8").removesuffix("\n")
    except (OSError, UnicodeDecodeError) as err:
        raise ConfigurationError(
            f"the file `{path}` for `{name}` cannot be read ({type(err).__name__})"
        ) from None
