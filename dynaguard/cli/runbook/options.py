"""What the commands about runbooks share: a runbook by its name, values of parameters."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any, Final

import click

from dynaguard.errors import ConfigurationError
from dynaguard.runbooks.finding import find_runbook
from dynaguard.runbooks.model import ParameterType, Runbook
from dynaguard.runbooks.reading import read_runbook

POLICY_VARIABLE: Final = "DYNAGUARD_POLICY"

param_option = click.option(
    "--param",
    "params",
    multiple=True,
    metavar="NAME=VALUE",
    help="Value of a parameter; may be repeated. Secrets come from standard input or a prompt.",
)


def named_runbook(name: str, *, environ: Mapping[str, str] = os.environ) -> Runbook:
    """The runbook of a name, read.

    Effects: reads the file; EXECUTES a Python runbook.
    """
    return read_runbook(find_runbook(name, policy=environ.get(POLICY_VARIABLE)))


def given_values(params: Iterable[str]) -> dict[str, str]:
    """`NAME=VALUE` texts by name.

    Raises:
        ConfigurationError: One has no `=`, or stands twice. Values are not told.
    """
    values: dict[str, str] = {}
    for text in params:
        name, sign, value = text.partition("=")
        if not sign or not name:
            raise ConfigurationError("`--param` takes NAME=VALUE, one of them has no `=`")
        if name in values:
            raise ConfigurationError(f"`--param {name}=...` stands twice, keep one of them")
        values[name] = value
    return values


def with_secrets(runbook: Runbook, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values, secrets asked for that are needed and not given; not shown while typed."""
    found = dict(values)
    for parameter in runbook.parameters:
        is_open = parameter.is_required and parameter.name not in found
        if parameter.type is ParameterType.SECRET and is_open:
            found[parameter.name] = click.prompt(parameter.name, hide_input=True, err=True)
    return found
