"""`dynaguard session`: temporary credentials for one task, for this shell and other tools.

Secrets go to standard output, or to the command that is run; never to standard error, a log or a
file.
"""

from __future__ import annotations

import json
import math
import os
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Final

import click

from dynaguard.access.sessions import MAX_SESSION_S, MIN_SESSION_S
from dynaguard.cli.durations import duration
from dynaguard.cli.output import fail, reports_errors
from dynaguard.cli.run import with_bootstrap
from dynaguard.cli.runbook.values import run_values, secret_option

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dynaguard.runbooks.task import Task

_FORMATS: Final = ("env", "json", "credential-process", "exec")
_COMMAND_NOT_FOUND: Final = 127


_NOT_NARROWED: Final = (
    "warning: the session may do all that its role may until it ends; name --runbook, or --action "
    "and --resource, to narrow it"
)


@click.command(
    "session",
    short_help="Gives credentials for one task.",
    context_settings={"ignore_unknown_options": True},
)
@click.option("--runbook", help="Narrows the session to this runbook: a name or a path.")
@click.option(
    "--param", "params", multiple=True, metavar="NAME=VALUE", help="A parameter of the runbook."
)
@secret_option
@click.option("--name", help="What it is for, where no runbook tells.")
@click.option("--action", "actions", multiple=True, help="Without a runbook: an IAM action.")
@click.option("--resource", "resources", multiple=True, help="Without a runbook: an ARN pattern.")
@click.option("--role", help="ARN of the role to assume.  [default: the runbook's]")
@click.option(
    "--duration",
    "duration_s",
    type=duration,
    metavar="DURATION",
    help="How long (`15m`, `2h`).  [default: the runbook's, else 15m]",
)
@click.option("--incident", help="Id of the incident; the correlation id of its calls.")
@click.option("--region", help="Region of the session.")
@click.option("--profile", help="AWS profile that assumes the role.")
@click.option("--tag", "tags", multiple=True, metavar="KEY=VALUE", help="A session tag.")
@click.option("--source-identity", help="Who is behind it; stays through role chaining.")
@click.option("--external-id", help="As the role's trust policy demands it.")
@click.option("--mfa-serial", help="MFA device, for roles that demand it; asks for its code.")
@click.option(
    "--allow-widening", is_flag=True, help="Leave conditions out that would not fit into STS."
)
@click.option(
    "--format",
    "output_format",
    type=click.Choice(_FORMATS),
    help="`export` lines, JSON, what `credential_process` reads, or run COMMAND.  [default: "
    "`exec` with a command, else `env`]",
)
@click.argument("command_line", nargs=-1, type=click.UNPROCESSED)
@reports_errors
def command(
    runbook: str | None,
    params: tuple[str, ...],
    secrets: tuple[str, ...],
    name: str | None,
    actions: tuple[str, ...],
    resources: tuple[str, ...],
    role: str | None,
    duration_s: float | None,
    incident: str | None,
    region: str | None,
    profile: str | None,
    tags: tuple[str, ...],
    source_identity: str | None,
    external_id: str | None,
    mfa_serial: str | None,
    allow_widening: bool,
    output_format: str | None,
    command_line: tuple[str, ...],
) -> None:
    """Temporary credentials for one task, no wider than its runbook, ended by time.

    `eval "$(dynaguard session --runbook NAME --role ARN)"` puts a shell under it. Variables name
    the boundary too, so that dynaguard enforces it in every Python program started there.
    `dynaguard session ... -- COMMAND` runs one command under it.
    """
    import dynaguard

    chosen = _format(output_format, command_line)
    with dynaguard.install():
        named, values = _runbook(runbook, params, secrets)
        manager = dynaguard.task(
            named,
            values,
            name=name,
            actions=list(actions) or None,
            resources=list(resources) or None,
            role=role,
            duration_s=duration_s,
            incident=incident,
            region=region,
            session=_session(profile),
            session_s=None if duration_s is None else _session_s(duration_s),
            tags=_pairs("--tag", tags) or None,
            source_identity=source_identity,
            external_id=external_id,
            mfa_serial=mfa_serial,
            mfa_code=None if mfa_serial is None else _mfa_code(),
            allow_widening=allow_widening,
        )
        with manager as task:
            _refuse_without_role(task)
            if runbook is None and not actions:
                click.echo(_NOT_NARROWED, err=True)
            if chosen == "exec":
                sys.exit(_run(command_line, task))
            click.echo(_text(chosen, task))


def _format(output_format: str | None, command_line: tuple[str, ...]) -> str:
    """The format; a command goes with `exec` alone."""
    chosen = output_format or ("exec" if command_line else "env")
    if (chosen == "exec") is not bool(command_line):
        fail("`--format exec` runs a command: give one after `--`, with no other format")
    return chosen


def _runbook(
    name: str | None, params: tuple[str, ...], secrets: tuple[str, ...]
) -> tuple[object, dict[str, Any] | None]:
    """The runbook and the values of its parameters; without one, what was given for none."""
    if name is None:
        return None, dict.fromkeys((*params, *secrets)) or None
    from dynaguard.runbooks.running import found

    runbook = found(name)
    return runbook, run_values(runbook, params, None, secrets, may_ask=sys.stdin.isatty())


def _pairs(option: str, texts: Iterable[str]) -> dict[str, str]:
    """`NAME=VALUE` texts as a mapping; a message shows no value."""
    found: dict[str, str] = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign or not name:
            fail(f"`{option}` takes NAME=VALUE, one of them has no `=` or no name")
        if name in found:
            fail(f"`{option} {name}=...` is given twice")
        found[name] = value
    return found


def _session(profile: str | None) -> object:
    """A session of the profile that was asked for, or None."""
    if profile is None:
        return None
    import botocore.session
    from botocore.exceptions import ProfileNotFound

    made = botocore.session.Session(profile=profile)
    try:
        made.get_scoped_config()
    except ProfileNotFound:
        fail(f"there is no AWS profile `{profile}`")
    return made


def _session_s(duration_s: float) -> int:
    """How long the credentials last: the whole time, since nobody refreshes them."""
    return max(MIN_SESSION_S, min(MAX_SESSION_S, math.ceil(duration_s)))


def _mfa_code() -> str:
    """The code, asked for on standard error and not shown."""
    code: str = click.prompt("MFA code", err=True, hide_input=True)
    return code


def _refuse_without_role(task: Task) -> None:
    """Without a role there is no session, and what is printed would be somebody's own keys."""
    if task.session_name is None:
        fail("a session needs a role: give `--role`, or a runbook that has one")


def _text(output_format: str, task: Task) -> str:
    """The session as text."""
    found = task.credentials()
    if output_format == "credential-process":
        return json.dumps(found.as_process_output())
    environ = task.environ()
    if output_format == "env":
        lines = (f"export {name}={shlex.quote(value)}" for name, value in environ.items())
        return "\n".join(lines)
    described = {
        "Task": task.id,
        "SessionName": task.session_name,
        "CorrelationId": task.correlation_id,
        "Credentials": found.as_process_output(),
        "Environment": environ,
    }
    return json.dumps(described, indent=2)


def _run(command_line: tuple[str, ...], task: Task) -> int:
    """Runs the command under the session; its exit code."""
    environment = with_bootstrap({**os.environ, **task.environ()})
    environment.pop("AWS_PROFILE", None)  # a profile's keys would come before the session's
    sys.stdout.flush()
    try:
        return subprocess.run(command_line, env=environment, check=False).returncode
    except FileNotFoundError:
        click.echo(f"error: `{command_line[0]}` was not found", err=True)
        return _COMMAND_NOT_FOUND
    except OSError as err:
        fail(f"`{command_line[0]}` cannot be run ({err.strerror})")
