"""`dynaguard run -- COMMAND`: guards a Python program without changing it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import click

from dynaguard.assembly import read_configuration
from dynaguard.cli.output import USAGE, fail, reports_errors
from dynaguard.settings import Mode, is_audit_path

BOOTSTRAP: Final = Path(__file__).parent / "bootstrap"
_COMMAND_NOT_FOUND: Final = 127


@click.command(
    "run",
    short_help="Runs a command with its Python guarded.",
    context_settings={"ignore_unknown_options": True},
)
@click.option("--policy", type=click.Path(), help="Sets DYNAGUARD_POLICY.")
@click.option(
    "--mode", type=click.Choice([mode.value for mode in Mode]), help="Sets DYNAGUARD_MODE."
)
@click.option("--audit", help="Sets DYNAGUARD_AUDIT: a file, `stdout` or `off`.")
@click.option("--job", help="Sets DYNAGUARD_JOB.")
@click.argument("command_line", nargs=-1, required=True, type=click.UNPROCESSED)
@reports_errors
def command(
    policy: str | None,
    mode: str | None,
    audit: str | None,
    job: str | None,
    command_line: tuple[str, ...],
) -> None:
    """Runs COMMAND with every Python process in it guarded: `dynaguard run -- python job.py`.

    Puts a `sitecustomize` at the front of PYTHONPATH; one that is there already runs after it.
    Where installing fails in mode `enforce`, the process ends with exit code 2 before any of its
    code. `python -I`, `-E` and `-S` ignore PYTHONPATH and are not guarded.
    """
    environment = dict(os.environ)
    given = {"POLICY": policy, "MODE": mode, "AUDIT": audit, "JOB": job}
    for name, value in given.items():
        if value is not None:
            environment[f"DYNAGUARD_{name}"] = value
    # Fails here, with all problems, rather than in each child.
    read_configuration(None, {}, environ=environment, working_directory=Path.cwd())
    environment = with_bootstrap(environment)
    sys.stdout.flush()
    try:
        os.execvpe(command_line[0], list(command_line), environment)
    except FileNotFoundError:
        click.echo(f"error: `{command_line[0]}` was not found", err=True)
        sys.exit(_COMMAND_NOT_FOUND)
    except OSError as err:
        fail(f"`{command_line[0]}` cannot be run ({err.strerror})")
    sys.exit(USAGE)


def with_bootstrap(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that have every Python process of a command guarded, added to others."""
    environment = dict(environ)
    _make_absolute(environment)
    paths = [str(BOOTSTRAP), *filter(None, [environment.get("PYTHONPATH")])]
    environment["PYTHONPATH"] = os.pathsep.join(paths)
    return environment


def _make_absolute(environment: dict[str, str]) -> None:
    """Paths stay right when a child changes its working directory."""
    names = ["DYNAGUARD_POLICY", "DYNAGUARD_POLICY_VERIFY_KEY_FILE"]
    names += ["DYNAGUARD_MASK_KEY_FILE", "DYNAGUARD_AUDIT_SIGN_KEY_FILE"]
    audit = environment.get("DYNAGUARD_AUDIT")
    if audit and is_audit_path(audit):
        slash = "/" if audit.endswith("/") else ""
        environment["DYNAGUARD_AUDIT"] = f"{Path(audit).absolute()}{slash}"
    if "DYNAGUARD_POLICY" not in environment and Path("dynaguard.toml").is_file():
        environment["DYNAGUARD_POLICY"] = "dynaguard.toml"
    for name in names:
        if environment.get(name):
            environment[name] = str(Path(environment[name]).absolute())
